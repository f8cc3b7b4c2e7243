// SPDX-License-Identifier: MIT
//
// "Create a service SAS", "Define a stored access policy".

import { fullPolicy, policies } from './acl.mjs';
import { A, Container, bytes, is, newBlob, newContainer, newName, noBlob, same } from './objects.mjs';
import { HOUR, serviceSas, time } from './sas.mjs';

const MISMATCH = 'AuthorizationPermissionMismatch';
const FAILED = 'AuthenticationFailed';

const OPERATIONS = {
  'Get Blob': ['r', (blob) => blob.get(), 200],
  'Get Blob Properties': ['r', (blob) => blob.head(), 200],
  'Get Blob Metadata': ['r', (blob) => blob.metadata(), 200],
  'Get Page Ranges': ['r', (blob) => blob.pageList(), 200],
  'Put Page': ['w', (blob) => blob.put(0, bytes(512)), 201],
  'Clear Pages': ['w', (blob) => blob.clear(0, 512), 201],
  'Set Blob Properties': ['w', (blob) => blob.setProperties({ 'x-ms-blob-content-length': 512 }), 200],
  'Set Blob Metadata': ['w', (blob) => blob.setMetadata({ 'x-ms-meta-a': 'b' }), 200],
  'Lease Blob': ['w', (blob) => blob.acquire(A), 201],
  'Snapshot Blob': ['wc', (blob) => blob.snapshot(), 201],
  'Delete Blob': ['d', (blob) => blob.delete(), 202],
};

async function owned() {
  const container = await newContainer();
  const blob = container.blob('b');
  (await blob.create(4096)).must(201);
  return { container, blob };
}

export default function define(check) {
  for (const [name, [permissions, use, status]] of Object.entries(OPERATIONS)) {
    for (const scope of ['blob', 'container']) {
      const under = (blob, given) => blob.with(serviceSas(scope === 'blob' ? blob : blob.container, given));
      for (const permission of permissions) {
        check(`${name} with ${permission} of the ${scope}`, async () => {
          (await use(under(await newBlob(), { sp: permission }))).must(status);
        });
      }
      check(`${name} with all but that of the ${scope}: 403`, async () => {
        const sp = [...(scope === 'blob' ? 'racwd' : 'racwdl')].filter((p) => !permissions.includes(p)).join('');
        (await use(under(await newBlob(), { sp }))).must(403, MISMATCH);
      });
    }
    check(`${name} with a SAS of another blob: 403`, async () => {
      (await use((await newBlob()).with(serviceSas(await newBlob(), { sp: 'racwd' })))).must(403, FAILED);
    });
    check(`${name} with a SAS of another container: 403`, async () => {
      const { container } = await owned();
      (await use((await newBlob()).with(serviceSas(container, { sp: 'racwdl' })))).must(403, FAILED);
    });
  }
  check('a new blob with c or w; over a blob with w only', async () => {
    for (const sp of ['c', 'w']) {
      const blob = await noBlob();
      (await blob.with(serviceSas(blob, { sp })).create(512)).must(201);
    }
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { sp: 'c' })).create(512)).must(403);
    (await blob.with(serviceSas(blob, { sp: 'w' })).create(512)).must(201);
  });
  check('blobs listed with l of the container', async () => {
    const { container, blob } = await owned();
    (await container.with(serviceSas(container, { sp: 'l' })).list()).must(200);
    (await container.with(serviceSas(container, { sp: 'racwd' })).list()).must(403, MISMATCH);
    (await container.with(serviceSas(blob, { sp: 'racwd' })).list()).must(403);
  });
  check('nothing of the container itself: 403', async () => {
    const { container } = await owned();
    const other = container.with(serviceSas(container, { sp: 'racwdl' }));
    (await other.delete()).must(403);
    (await other.setAcl('')).must(403);
    (await other.getAcl()).must(403);
    (await other.send('PUT', 'comp=metadata', { 'x-ms-meta-a': 'b' })).must(403);
    const none = new Container(newName());
    (await none.with(serviceSas(none, { sp: 'racwdl' })).create()).must(403);
  });

  check('expired: 403', async () => {
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { se: time(-60_000) })).get()).must(403, FAILED);
  });
  check('not yet begun: 403', async () => {
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { st: time(HOUR / 2) })).get()).must(403, FAILED);
  });
  check('no start is needed; an expiry and permissions are', async () => {
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { st: undefined })).get()).must(200);
    (await blob.with(serviceSas(blob, { se: undefined })).get()).must(403, FAILED);
    (await blob.with(serviceSas(blob, { sp: undefined })).get()).must(403, FAILED);
  });
  for (const cut of [(t) => t, (t) => t.replace(/:\d\dZ/, 'Z'), (t) => t.replace(/T.*/, ''), (t) => t.replace('Z', '.1234567Z')]) {
    check(`a time like ${cut('2026-01-02T03:04:05Z')}`, async () => {
      const blob = await newBlob();
      const [st, se] = [cut(time(-48 * HOUR)), cut(time(48 * HOUR))];
      (await blob.with(serviceSas(blob, { st, se })).get()).must(200);
      (await blob.with(serviceSas(blob, { st, se: cut(time(-48 * HOUR)) })).get()).must(403, FAILED);
    });
  }
  check('https only, over http: 403', async () => {
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { spr: 'https' })).get()).must(403, 'AuthorizationProtocolMismatch');
    (await blob.with(serviceSas(blob, { spr: 'https,http' })).get()).must(200);
  });
  check('from other addresses only: 403', async () => {
    const blob = await newBlob();
    (await blob.with(serviceSas(blob, { sip: '168.1.5.60' })).get()).must(403, 'AuthorizationSourceIPMismatch');
    (await blob.with(serviceSas(blob, { sip: '127.0.0.1-127.0.0.9' })).get()).must(200);
  });
  for (const sv of ['2015-04-05', '2018-03-28', '2018-11-09', '2020-10-02', '2020-12-06', '2022-11-02']) {
    check(`of version ${sv}`, async () => {
      const blob = await newBlob();
      (await blob.with(serviceSas(blob, { sv })).get({ 'x-ms-version': null })).must(200);
      (await blob.with(serviceSas(blob.container, { sv })).get({ 'x-ms-version': null })).must(200);
    });
  }
  check('a snapshot\'s: for that one only', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201);
    const [one, two] = [await blob.snap(), await blob.snap()];
    const sas = serviceSas(one, { sp: 'r' });
    same((await one.with(sas).read(0, 512)).must(206).body, bytes(512), 'the snapshot');
    (await blob.with(sas).get()).must(403, FAILED);
    (await two.with(sas).get()).must(403, FAILED);
  });
  check('a container\'s: for its snapshots too', async () => {
    const blob = await newBlob();
    const snapshot = await blob.snap();
    (await snapshot.with(serviceSas(blob.container, { sp: 'r' })).get()).must(200);
  });
  check('names that need encoding', async () => {
    const blob = (await newContainer()).blob('a b/c+d%41&é');
    (await blob.create(512)).must(201);
    (await blob.with(serviceSas(blob, { sp: 'r' })).get()).must(200);
  });
  check('headers of the answer that it says', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-content-type': 'a/b', 'x-ms-blob-cache-control': 'no-cache' });
    const sas = serviceSas(blob, { rscc: 'max-age=5', rscd: 'attachment; filename=x', rsce: 'gzip', rscl: 'de', rsct: 'text/plain' });
    (await blob.with(sas).get()).must(200).has({
      'cache-control': 'max-age=5', 'content-disposition': 'attachment; filename=x', 'content-encoding': 'gzip',
      'content-language': 'de', 'content-type': 'text/plain',
    });
    (await blob.get()).must(200).has({ 'cache-control': 'no-cache', 'content-type': 'a/b' });
  });
  for (const [name, change] of Object.entries({
    permissions: (sas) => sas.replace('sp=r&', 'sp=rw&').replace(/sp=r$/, 'sp=rw'),
    expiry: (sas) => sas.replace(/se=[^&]*/, `se=${encodeURIComponent(time(2 * HOUR))}`),
    resource: (sas) => sas.replace('sr=b&', 'sr=c&'),
    version: (sas) => sas.replace(/sv=[^&]*/, 'sv=2022-11-02'),
    'a header of the answer': (sas) => `rscc=no-store&${sas}`,
    signature: (sas) => sas.replace(/sig=[^&]*/, `sig=${encodeURIComponent(Buffer.alloc(32).toString('base64'))}`),
  })) {
    check(`changed after signing: ${name}: 403`, async () => {
      const blob = await newBlob();
      (await blob.with(change(serviceSas(blob, { sp: 'r' }))).get()).must(403, FAILED);
    });
  }

  storedPolicies(check);
}

function storedPolicies(check) {
  const future = '2036-01-01T00:00:00Z';
  const past = '2020-01-01T00:00:00Z';

  check('by a stored policy', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(fullPolicy('p', past, future, 'r')))).must(200);
    for (const of of [blob, container]) {
      (await blob.with(serviceSas(of, { si: 'p' })).get()).must(200);
      (await blob.with(serviceSas(of, { si: 'p' })).put(0, bytes(512))).must(403, MISMATCH);
    }
  });
  check('a policy that is changed or taken away ends what it gave', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(fullPolicy('p', past, future, 'rw')))).must(200);
    const holder = blob.with(serviceSas(blob, { si: 'p' }));
    (await holder.put(0, bytes(512))).must(201);
    (await container.setAcl(policies(fullPolicy('p', past, future, 'r')))).must(200);
    (await holder.put(0, bytes(512))).must(403, MISMATCH);
    (await holder.get()).must(200);
    (await container.setAcl(policies(fullPolicy('p', past, '2021-01-01T00:00:00Z', 'r')))).must(200);
    (await holder.get()).must(403, FAILED);
    (await container.setAcl(policies(fullPolicy('q', past, future, 'r')))).must(200);
    (await holder.get()).must(403, FAILED);
    (await container.setAcl('')).must(200);
    (await holder.get()).must(403, FAILED);
  });
  check('a policy that has not begun: 403', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(fullPolicy('p', '2035-01-01T00:00:00Z', future, 'r')))).must(200);
    (await blob.with(serviceSas(blob, { si: 'p' })).get()).must(403, FAILED);
  });
  check('part in the policy, the rest in the token', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(
      '<SignedIdentifier><Id>p</Id><AccessPolicy><Permission>r</Permission></AccessPolicy></SignedIdentifier>',
    ))).must(200);
    (await blob.with(serviceSas(blob, { si: 'p', se: time(HOUR) })).get()).must(200);
    (await blob.with(serviceSas(blob, { si: 'p', se: time(-60_000) })).get()).must(403, FAILED);
    (await blob.with(serviceSas(blob, { si: 'p' })).get()).must(403, FAILED);
  });
  check('the same in both: 403', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(fullPolicy('p', past, future, 'r')))).must(200);
    (await blob.with(serviceSas(blob, { si: 'p', sp: 'rw' })).get()).must(403, FAILED);
    (await blob.with(serviceSas(blob, { si: 'p', se: time(HOUR) })).get()).must(403, FAILED);
  });
  check('permissions out of order, or twice: 403', async () => {
    const { container, blob } = await owned();
    for (const sp of ['wr', 'dr', 'lr', 'rwc', 'rwa', 'dw', 'rr', 'rwr', 'rwq', 'RW']) {
      for (const of of [blob, container]) {
        (await blob.with(serviceSas(of, { sp })).get()).must(403, FAILED);
        (await blob.with(serviceSas(of, { sp })).put(0, bytes(512))).must(403, FAILED);
      }
    }
    for (const sp of ['r', 'rw', 'racwd', 'racwdxltmeop', 'ri', 'rwy', 'rcl', 'raw']) {
      (await blob.with(serviceSas(container, { sp })).get()).must(200);
    }
  });
  check('permissions of a policy out of order, or twice: 400', async () => {
    const { container } = await owned();
    for (const permissions of ['wr', 'lr', 'rr', 'rwq']) {
      (await container.setAcl(policies(fullPolicy('p', past, future, permissions)))).must(400, 'InvalidXmlDocument');
    }
    (await container.setAcl(policies(fullPolicy('p', past, future, 'racwdl')))).must(200);
  });
  check('a policy of another container: 403', async () => {
    const [one, two] = [await owned(), await owned()];
    (await one.container.setAcl(policies(fullPolicy('p', past, future, 'r')))).must(200);
    (await two.blob.with(serviceSas(two.blob, { si: 'p' })).get()).must(403, FAILED);
  });
  check('a policy outlives the blob', async () => {
    const { container, blob } = await owned();
    (await container.setAcl(policies(fullPolicy('p', past, future, 'r')))).must(200);
    const holder = blob.with(serviceSas(blob, { si: 'p' }));
    (await blob.delete()).must(202);
    (await holder.get()).must(404, 'BlobNotFound');
    (await blob.create(512)).must(201);
    is((await holder.get()).must(200).body.length, 512, 'bytes');
  });
}
