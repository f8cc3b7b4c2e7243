// SPDX-License-Identifier: MIT
//
// What a server need not have: versions, tags, tiers, customers' keys, … It may say
// so, with an error and nothing changed; or it does as it is asked, and it shows. It
// must not do the half of it that it knows.

import { createHash } from 'node:crypto';

import { bytes, is, md5, newBlob, newContainer, newName, noBlob, ok, service } from './objects.mjs';
import { accountSas, serviceSas } from './sas.mjs';

const soon = () => new Date(Date.now() + 3600_000).toUTCString();
const KEY = Buffer.alloc(32, 7);

// How the feature is asked for, and the header of Get Blob Properties that shows it.
const FEATURES = {
  'a customer\'s key': {
    shows: 'x-ms-encryption-key-sha256',
    headers: () => ({
      'x-ms-encryption-key': KEY.toString('base64'), 'x-ms-encryption-algorithm': 'AES256',
      'x-ms-encryption-key-sha256': createHash('sha256').update(KEY).digest('base64'),
    }),
    uses: ['Put Blob', 'Put Page', 'Clear Pages', 'Set Blob Metadata', 'Snapshot Blob', 'resize', 'Get Blob'],
  },
  'an encryption scope': {
    shows: 'x-ms-encryption-scope',
    headers: () => ({ 'x-ms-encryption-scope': 'scope1' }),
    uses: ['Put Blob', 'Put Page', 'Clear Pages', 'Set Blob Metadata', 'Snapshot Blob', 'resize', 'Copy Blob From URL'],
  },
  tags: {
    shows: 'x-ms-tag-count',
    headers: () => ({ 'x-ms-tags': 'a=b' }),
    uses: ['Put Blob', 'Copy Blob', 'Copy Blob From URL'],
  },
  'a tier': {
    shows: 'x-ms-access-tier',
    headers: () => ({ 'x-ms-access-tier': 'P10' }),
    uses: ['Put Blob', 'Copy Blob', 'Copy Blob From URL'],
  },
  'an immutability policy': {
    shows: 'x-ms-immutability-policy-until-date',
    headers: () => ({ 'x-ms-immutability-policy-until-date': soon(), 'x-ms-immutability-policy-mode': 'unlocked' }),
    uses: ['Put Blob', 'Copy Blob', 'Copy Blob From URL'],
  },
  'a legal hold': {
    shows: 'x-ms-legal-hold',
    headers: () => ({ 'x-ms-legal-hold': 'true' }),
    uses: ['Put Blob', 'Copy Blob', 'Copy Blob From URL'],
  },
  'a source of another identity': {
    headers: () => ({ 'x-ms-copy-source-authorization': 'Bearer x' }),
    uses: ['Copy Blob From URL', 'Put Page From URL'],
  },
  'the tags of the source': {
    shows: 'x-ms-tag-count',
    headers: () => ({ 'x-ms-copy-source-tag-option': 'COPY' }),
    uses: ['Copy Blob From URL'],
  },
};

// A condition that does not hold, on a blob without tags.
const TAGS = { 'x-ms-if-tags': '"a" = \'b\'' };

const USES = {
  'Put Blob': (blob, h) => blob.create(4096, h),
  'Put Page': (blob, h) => blob.put(0, bytes(512), h),
  'Clear Pages': (blob, h) => blob.clear(0, 512, h),
  'Put Page From URL': (blob, h, source) => blob.send('PUT', 'comp=page', {
    'x-ms-page-write': 'update', 'x-ms-range': 'bytes=0-511', 'x-ms-source-range': 'bytes=0-511',
    'x-ms-copy-source': source.url(serviceSas(source)), ...h,
  }),
  'Set Blob Properties': (blob, h) => blob.setProperties({ 'x-ms-blob-content-type': 'a/b', ...h }),
  resize: (blob, h) => blob.setProperties({ 'x-ms-blob-content-length': 8192, ...h }),
  'Set Blob Metadata': (blob, h) => blob.setMetadata({ 'x-ms-meta-a': 'b', ...h }),
  'Lease Blob': (blob, h) => blob.lease('acquire', { 'x-ms-lease-duration': -1, ...h }),
  'Snapshot Blob': (blob, h) => blob.snapshot(h),
  'Copy Blob': (blob, h, source) => blob.copy(source.url(), h),
  'Copy Blob From URL': (blob, h, source) =>
    blob.copy(source.url(serviceSas(source)), { 'x-ms-requires-sync': 'true', ...h }),
  'Delete Blob': (blob, h) => blob.delete(h),
  'Get Blob': (blob, h) => blob.get(h),
  'Get Blob Properties': (blob, h) => blob.head(h),
  'Get Blob Metadata': (blob, h) => blob.metadata(h),
  'Get Page Ranges': (blob, h) => blob.pageList('', h),
};

const REFUSED = [400, 404, 409, 412, 501];

function refused(answer) {
  answer.must(REFUSED);
  ok(answer.code, `${answer.status} without a code`);
}

// What a refusal must have left as it was.
async function filled() {
  const blob = await newBlob(4096, { 'x-ms-meta-kept': '1' });
  (await blob.put(0, bytes(512, 5))).must(201);
  const { etag } = (await blob.head()).must(200);
  const kept = async () => {
    (await blob.head()).must(200).has({ etag, 'x-ms-meta-kept': '1', 'content-length': '4096', 'x-ms-lease-state': 'available' });
    is(md5((await blob.read(0, 512)).must(206).body), md5(bytes(512, 5)), 'the MD5 afterwards');
    is((await blob.container.list(`include=snapshots&prefix=${blob.name}`)).must(200).xml.one('Blobs').all('Blob').length, 1, 'blobs and snapshots');
  };
  return { blob, kept };
}

export default function define(check) {
  for (const [feature, { shows, headers, uses }] of Object.entries(FEATURES)) {
    for (const use of uses) {
      check(`${use} with ${feature}: done, or refused with nothing changed`, async () => {
        const { blob, kept } = await filled();
        const source = await newBlob(4096);
        const answer = await USES[use](blob, headers(), source);
        if (answer.status >= 400) {
          refused(answer);
          await kept();
        } else {
          ok(shows && (answer.headers[shows] ?? (await blob.head(headers())).headers[shows]), `${answer.status}, and nothing shows it`);
        }
      });
    }
  }

  for (const [use, run] of Object.entries(USES)) {
    check(`${use} if tags are what they are not: refused`, async () => {
      const { blob, kept } = await filled();
      refused(await run(blob, TAGS, await newBlob(4096)));
      await kept();
    });
  }
  for (const use of ['Copy Blob', 'Copy Blob From URL', 'Put Page From URL']) {
    check(`${use} if the source's tags are what they are not: refused`, async () => {
      const { blob, kept } = await filled();
      refused(await USES[use](blob, { 'x-ms-source-if-tags': TAGS['x-ms-if-tags'] }, await newBlob(4096)));
      await kept();
    });
  }
  for (const [name, value] of Object.entries({ 'x-ms-blob-condition-maxsize': 1, 'x-ms-blob-condition-appendpos': 7 })) {
    check(`Put Page with ${name}: refused`, async () => {
      const { blob, kept } = await filled();
      refused(await blob.put(0, bytes(512), { [name]: value }));
      await kept();
    });
  }

  // A version that there is not; none may be the current one.
  const version = `versionid=${encodeURIComponent('2026-01-02T03:04:05.0000006Z')}`;
  for (const [what, run] of Object.entries({
    'Get Blob': (blob) => blob.send('GET', version),
    'Get Blob Properties': (blob) => blob.send('HEAD', version),
    'Get Blob Metadata': (blob) => blob.send('GET', `comp=metadata&${version}`),
    'Get Page Ranges': (blob) => blob.send('GET', `comp=pagelist&${version}`),
    'Delete Blob': (blob) => blob.send('DELETE', version),
    'Delete Blob with its snapshots': (blob) => blob.send('DELETE', version, { 'x-ms-delete-snapshots': 'include' }),
    'Delete Blob for good': (blob) => blob.send('DELETE', `${version}&deletetype=permanent`),
    'Put Page': (blob) => blob.send('PUT', `comp=page&${version}`,
      { 'x-ms-page-write': 'update', 'x-ms-range': 'bytes=0-511' }, bytes(512)),
    'Set Blob Metadata': (blob) => blob.send('PUT', `comp=metadata&${version}`, { 'x-ms-meta-a': 'b' }),
    'Set Blob Properties': (blob) => blob.send('PUT', `comp=properties&${version}`, { 'x-ms-blob-content-length': 8192 }),
    'Snapshot Blob': (blob) => blob.send('PUT', `comp=snapshot&${version}`),
    'Put Blob': (blob) => blob.send('PUT', version, { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': 512 }),
    'Set Blob Tier': (blob) => blob.send('PUT', `comp=tier&${version}`, { 'x-ms-access-tier': 'P10' }),
  })) {
    check(`${what} with versionid: 404 or 501, and nothing changes`, async () => {
      const { blob, kept } = await filled();
      const answer = (await run(blob)).must([400, 404, 501]);
      ok(answer.code, 'no code');
      await kept();
    });
  }
  check('Copy Blob from a versionid: not from the current one', async () => {
    const [source, to] = [await newBlob(), await noBlob()];
    (await to.copy(`${source.url()}?${version}`)).must([400, 404, 501]);
    (await to.head()).must(404);
  });
  check('Delete Blob with deletetype=permanent: nothing is deleted', async () => {
    const { blob, kept } = await filled();
    (await blob.send('DELETE', 'deletetype=permanent')).must(REFUSED);
    await kept();
  });

  // Operations, whoever asks.
  const OPERATIONS = {
    'Set Blob Tier': [(blob) => blob.send('PUT', 'comp=tier', { 'x-ms-access-tier': 'P10' })],
    'Set Blob Expiry': [(blob) => blob.send('PUT', 'comp=expiry', { 'x-ms-expiry-option': 'NeverExpire' })],
    'Set Blob Legal Hold': [(blob) => blob.send('PUT', 'comp=legalhold', { 'x-ms-legal-hold': 'true' })],
    'Set Blob Immutability Policy': [(blob) => blob.send('PUT', 'comp=immutabilityPolicies', FEATURES['an immutability policy'].headers())],
    'Delete Blob Immutability Policy': [(blob) => blob.send('DELETE', 'comp=immutabilityPolicies')],
    'Undelete Blob': [(blob) => blob.send('PUT', 'comp=undelete'), [200]],
    'Query Blob Contents': [(blob) => blob.send('POST', 'comp=query', {}, Buffer.from('<QueryRequest/>'))],
    'Append Block': [(blob) => blob.send('PUT', 'comp=appendblock', {}, bytes(512))],
    'Put Block': [(blob) => blob.send('PUT', 'comp=block&blockid=YWFh', {}, bytes(512))],
    'Get Block List': [(blob) => blob.send('GET', 'comp=blocklist')],
  };
  const SAS = { key: () => undefined, 'account SAS': () => accountSas({ sp: 'rwdxlacupi' }), 'service SAS': (blob) => serviceSas(blob, { sp: 'racwdxltmeop' }) };
  for (const [name, [run, also = []]] of Object.entries(OPERATIONS)) {
    for (const [kind, make] of Object.entries(SAS)) {
      check(`${name} by ${kind}: refused for what it is, and nothing changes`, async () => {
        const { blob, kept } = await filled();
        const answer = (await run(make(blob) ? blob.with(make(blob)) : blob)).must([400, 404, 409, 501, ...also]);
        ok(answer.status < 400 || answer.code, 'no code');
        await kept();
      });
    }
  }
  check('Put Blob From URL: done, or refused with nothing there', async () => {
    const [source, to] = [await newBlob(512), await noBlob()];
    const answer = await to.copy(source.url(serviceSas(source)), { 'x-ms-blob-type': 'BlockBlob' });
    if (answer.status >= 400) {
      refused(answer);
      (await to.head()).must(404);
    } else {
      (await to.head()).must(200).has({ 'x-ms-blob-type': 'BlockBlob' });
    }
  });
  check('service and container operations that need not be there: by key and SAS alike', async () => {
    for (const auth of [undefined, accountSas()]) {
      (await service('GET', 'restype=service&comp=stats', {}, { auth })).must([200, 400, 501]);
      (await service('PUT', 'restype=service&comp=properties', { 'content-length': 0 }, { auth })).must([400, 501]);
      const container = await newContainer();
      (await container.with(auth).send('PUT', 'comp=undelete', {
        'x-ms-deleted-container-name': newName(), 'x-ms-deleted-container-version': '1',
      })).must([400, 404, 501]);
    }
  });
  check('a container with an encryption scope: done, or refused with nothing there', async () => {
    const container = new (await newContainer()).constructor(newName());
    const answer = await container.create({ 'x-ms-default-encryption-scope': 'scope1', 'x-ms-deny-encryption-scope-override': 'true' });
    if (answer.status >= 400) {
      refused(answer);
      (await container.properties()).must(404);
    } else {
      (await container.properties()).must(200).has({ 'x-ms-default-encryption-scope': 'scope1' });
    }
  });
}
