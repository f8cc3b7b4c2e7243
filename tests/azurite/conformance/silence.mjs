// SPDX-License-Identifier: MIT
//
// Who may not, learns nothing: a request that is not authorised is answered the
// same whether what it names is there or not.

import { Container, bytes, is, newBlob, newContainer, newName } from './objects.mjs';
import { accountSas, serviceSas, time } from './sas.mjs';
import { account } from './wire.mjs';

const WRONG = { account, key: Buffer.alloc(32, 7).toString('base64') };

// What may differ between two answers that tell the same.
function tells(answer, blob) {
  const text = answer.text
    .replaceAll(blob.container.name, 'CONTAINER').replaceAll(blob.name, 'BLOB')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, 'ID')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]+ GMT/g, 'TIME')
    .replace(/[A-Za-z0-9+/]{43}=/g, 'SIGNATURE');
  const names = Object.keys(answer.headers).filter((name) => name !== 'content-length').sort();
  return `${answer.status} ${answer.code} ${names.join()} ${text}`;
}

const UNAUTHORISED = {
  'no signature': () => null,
  'a wrong key': () => WRONG,
  'an expired SAS': (blob) => serviceSas(blob, { sp: 'racwd', se: time(-60_000) }),
  'a SAS without the permission': (blob) => serviceSas(blob, { sp: 'a' }),
  'a SAS of another blob': (blob) => serviceSas(blob.container.blob('other'), { sp: 'racwd' }),
  'a SAS of a policy that is not there': (blob) => serviceSas(blob, { si: 'none' }),
  'an account SAS of another service': () => accountSas({ ss: 'q' }),
  'an account SAS without the permission': () => accountSas({ sp: 'a' }),
  'a SAS that is none': () => 'sv=2021-08-06&sr=b&sp=r&sig=none',
};
const USES = {
  'Get Blob': (blob) => blob.get(),
  'Get Blob Properties': (blob) => blob.head(),
  'Put Page': (blob) => blob.put(0, bytes(512)),
  'Put Blob': (blob) => blob.create(512),
  'Get Page Ranges': (blob) => blob.pageList(),
  'Snapshot Blob': (blob) => blob.snapshot(),
  'Lease Blob': (blob) => blob.lease('acquire', { 'x-ms-lease-duration': -1 }),
  'Delete Blob': (blob) => blob.delete(),
};

export default function define(check) {
  for (const [who, auth] of Object.entries(UNAUTHORISED)) {
    check(`${who}: the same for a blob, no blob, no container`, async () => {
      const there = await newBlob();
      const noBlob = there.container.blob(`${there.name.slice(0, -1)}z`);
      const nowhere = new Container(newName()).blob(there.name);
      for (const [name, use] of Object.entries(USES)) {
        const expected = tells(await use(there.with(auth(there))), there);
        for (const blob of [noBlob, nowhere]) {
          is(tells(await use(blob.with(auth(blob))), blob), expected, name);
        }
      }
      is((await there.head()).must(200).headers['x-ms-lease-state'], 'available', 'the blob\'s lease');
      is(await there.ranges(), '', 'its ranges');
    });
  }
  check('no signature: the same for a container and none', async () => {
    const uses = [(c) => c.properties(), (c) => c.list(), (c) => c.getAcl(), (c) => c.delete(), (c) => c.create()];
    const [there, none] = [await newContainer(), new Container(newName())];
    for (const use of uses) {
      const [one, two] = [await use(there.with(null)), await use(none.with(null))];
      is(`${two.status} ${two.code}`, `${one.status} ${one.code}`, one.title);
    }
    (await there.properties()).must(200);
    (await none.properties()).must(404);
  });
  check('a wrong signature is refused before a bad request is', async () => {
    const blob = (await newBlob()).with(WRONG);
    (await blob.put(0, bytes(100))).must(403);
    (await blob.setProperties({ 'x-ms-blob-content-length': 1 })).must(403);
    (await blob.acquire('x')).must(403);
  });
  check('no secret comes back in a refusal', async () => {
    const blob = await newBlob();
    const sas = serviceSas(blob, { se: time(-60_000) });
    const signature = decodeURIComponent(sas.match(/sig=([^&]*)/)[1]);
    const { text } = (await blob.with(sas).get()).must(403);
    is(text.includes(signature), false, 'the signature in it');
  });
}
