// SPDX-License-Identifier: MIT
//
// "Create an account SAS".

import { A, Container, bytes, is, newBlob, newContainer, newName, noBlob, service } from './objects.mjs';
import { HOUR, accountSas, time } from './sas.mjs';

const MISMATCH = 'AuthorizationPermissionMismatch';

// What each operation needs: resource type, and any one of the permissions.
const OPERATIONS = {
  'Get Blob': ['o', 'r', (blob) => blob.get(), 200],
  'Get Blob Properties': ['o', 'r', (blob) => blob.head(), 200],
  'Get Page Ranges': ['o', 'r', (blob) => blob.pageList(), 200],
  'Put Page': ['o', 'w', (blob) => blob.put(0, bytes(512)), 201],
  'Clear Pages': ['o', 'w', (blob) => blob.clear(0, 512), 201],
  'Set Blob Properties': ['o', 'w', (blob) => blob.setProperties({ 'x-ms-blob-content-length': 512 }), 200],
  'Set Blob Metadata': ['o', 'w', (blob) => blob.setMetadata({ 'x-ms-meta-a': 'b' }), 200],
  'Lease Blob': ['o', 'w', (blob) => blob.acquire(A), 201],
  'Snapshot Blob': ['o', 'wc', (blob) => blob.snapshot(), 201],
  'Delete Blob': ['o', 'd', (blob) => blob.delete(), 202],
  'List Blobs': ['c', 'l', (blob) => blob.container.list('prefix=x'), 200],
  'Get Container Properties': ['c', 'r', (blob) => blob.container.properties(), 200],
};
const ALL = 'rwdlac';

export default function define(check) {
  const under = (blob, given) => {
    const sas = accountSas(given);
    const container = blob.container.with(sas);
    return container.blob(blob.name);
  };

  for (const [name, [type, permissions, use, status]] of Object.entries(OPERATIONS)) {
    for (const permission of permissions) {
      check(`${name} with ${permission}`, async () => {
        (await use(under(await newBlob(), { sp: permission, srt: type }))).must(status);
      });
    }
    check(`${name} with all but that: 403`, async () => {
      const sp = [...ALL].filter((p) => !permissions.includes(p)).join('');
      (await use(under(await newBlob(), { sp }))).must(403, MISMATCH);
    });
    check(`${name} with another resource type: 403`, async () => {
      const srt = [...'sco'].filter((t) => t !== type).join('');
      (await use(under(await newBlob(), { srt }))).must(403, 'AuthorizationResourceTypeMismatch');
    });
  }
  check('a new blob with c or w; over a blob with w only', async () => {
    (await under(await noBlob(), { sp: 'c' }).create(512)).must(201);
    (await under(await noBlob(), { sp: 'w' }).create(512)).must(201);
    (await under(await newBlob(), { sp: 'w' }).create(512)).must(201);
    (await under(await newBlob(), { sp: 'c' }).create(512)).must(403);
    (await under(await noBlob(), { sp: 'rdla' }).create(512)).must(403, MISMATCH);
  });
  check('permissions in any order', async () => {
    (await under(await newBlob(), { sp: 'wr' }).get()).must(200);
    (await under(await newBlob(), { sp: 'cldwr' }).put(0, bytes(512))).must(201);
  });
  check('containers made with c or w, deleted with d', async () => {
    for (const sp of ['c', 'w']) {
      const container = new Container(newName(), { auth: accountSas({ srt: 'c', sp }) });
      (await container.create()).must(201);
      (await container.delete()).must(403, MISMATCH);
      (await container.with(accountSas({ srt: 'c', sp: 'd' })).delete()).must(202);
    }
  });
  check('containers listed with l', async () => {
    const list = (given) => service('GET', 'comp=list&maxresults=1', {}, { auth: accountSas(given) });
    (await list({ srt: 's', sp: 'l' })).must(200);
    (await list({ srt: 's', sp: 'rwdac' })).must(403, MISMATCH);
    (await list({ srt: 'co', sp: 'l' })).must(403, 'AuthorizationResourceTypeMismatch');
  });
  check('access policies are the owner\'s alone: 403', async () => {
    const container = (await newContainer()).with(accountSas());
    (await container.getAcl()).must(403);
    (await container.setAcl('')).must(403);
  });
  check('a break needs w or d', async () => {
    const leased = async () => {
      const blob = await newBlob();
      (await blob.acquire(A)).must(201);
      return blob;
    };
    (await under(await leased(), { sp: 'd' }).lease('break')).must(202);
    (await under(await leased(), { sp: 'w' }).lease('break')).must(202);
    (await under(await leased(), { sp: 'r' }).lease('break')).must(403, MISMATCH);
  });
  check('another service: 403', async () => {
    (await under(await newBlob(), { ss: 'q' }).get()).must(403, 'AuthorizationServiceMismatch');
    (await under(await newBlob(), { ss: 'bqtf' }).get()).must(200);
  });
  check('expired: 403', async () => {
    (await under(await newBlob(), { se: time(-60_000) }).get()).must(403, 'AuthenticationFailed');
  });
  check('not yet begun: 403', async () => {
    (await under(await newBlob(), { st: time(HOUR / 2) }).get()).must(403, 'AuthenticationFailed');
  });
  check('no start is needed', async () => {
    (await under(await newBlob(), { st: undefined }).get()).must(200);
  });
  check('https only, over http: 403', async () => {
    (await under(await newBlob(), { spr: 'https' }).get()).must(403, 'AuthorizationProtocolMismatch');
    (await under(await newBlob(), { spr: 'https,http' }).get()).must(200);
  });
  check('from other addresses only: 403', async () => {
    (await under(await newBlob(), { sip: '168.1.5.60-168.1.5.70' }).get()).must(403, 'AuthorizationSourceIPMismatch');
    (await under(await newBlob(), { sip: '127.0.0.0-127.0.0.255' }).get()).must(200);
    (await under(await newBlob(), { sip: '127.0.0.1' }).get()).must(200);
  });
  for (const sv of ['2015-04-05', '2018-03-28', '2018-11-09', '2020-10-02', '2020-12-06', '2022-11-02']) {
    check(`of version ${sv}`, async () => {
      (await under(await newBlob(), { sv }).get({ 'x-ms-version': null })).must(200);
    });
  }
  for (const [name, change] of Object.entries({
    permissions: (sas) => sas.replace('sp=r&', 'sp=rwdlac&'),
    expiry: (sas) => sas.replace(/se=[^&]*/, `se=${encodeURIComponent(time(2 * HOUR))}`),
    start: (sas) => sas.replace(/st=[^&]*&/, ''),
    'resource types': (sas) => sas.replace('srt=o', 'srt=sco'),
    version: (sas) => sas.replace(/sv=[^&]*/, 'sv=2022-11-02'),
    signature: (sas) => sas.replace(/sig=[^&]*/, `sig=${encodeURIComponent(Buffer.alloc(32).toString('base64'))}`),
    'signature, not base64': (sas) => sas.replace(/sig=[^&]*/, 'sig=!'),
    'signature, none': (sas) => sas.replace(/sig=[^&]*/, 'sig='),
  })) {
    check(`changed after signing: ${name}: 403`, async () => {
      const sas = change(accountSas({ sp: 'r', srt: 'o' }));
      (await (await newBlob()).with(sas).get()).must(403, 'AuthenticationFailed');
    });
  }
  check('no expiry: 403', async () => {
    (await under(await newBlob(), { se: undefined }).get()).must(403, 'AuthenticationFailed');
  });
  check('a copy to where it may write, from where it may read', async () => {
    const [from, to] = [await newBlob(), await noBlob()];
    const sas = accountSas({ srt: 'o', sp: 'rc' });
    (await to.with(sas).copy(from.url(sas))).must(202);
    is((await to.copied()).headers['x-ms-copy-status'], 'success', 'copy status');
  });
}
