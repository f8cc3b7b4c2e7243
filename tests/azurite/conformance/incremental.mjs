// SPDX-License-Identifier: MIT
//
// "Incremental Copy Blob".

import { bytes, is, newBlob, noBlob, ok, same } from './objects.mjs';
import { serviceSas } from './sas.mjs';

// The source is authorised by a SAS of its base blob, as the page shows it.
const url = (snapshot) => {
  const sas = serviceSas(snapshot.at(undefined), { sp: 'r' });
  return snapshot.url(sas);
};
const copy = (to, snapshot, headers = {}) =>
  to.send('PUT', 'comp=incrementalcopy', { 'x-ms-copy-source': url(snapshot), ...headers });

async function started() {
  const from = await newBlob(8192);
  (await from.put(0, bytes(1024))).must(201);
  const first = await from.snap();
  const to = await noBlob();
  (await copy(to, first)).must(202);
  await to.copied();
  return { from, first, to };
}
const made = async (to) => to.at((await to.copied()).headers['x-ms-copy-destination-snapshot']);

export default function define(check) {
  check('the answer', async () => {
    const from = await newBlob();
    (await copy(await noBlob(), await from.snap())).must(202).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-copy-id': /^[0-9a-f-]{36}$/i, 'x-ms-copy-status': /^(pending|success)$/,
    });
  });
  check('the first makes a blob and a snapshot of it', async () => {
    const { first, to } = await started();
    (await to.head()).must(200).has({
      'x-ms-incremental-copy': 'true', 'x-ms-copy-status': 'success', 'x-ms-copy-destination-snapshot': /Z$/,
    });
    same((await (await made(to)).get()).must(200).body, (await first.get()).body, 'the snapshot');
  });
  check('the next makes another snapshot; both are whole', async () => {
    const { from, first, to } = await started();
    const one = await made(to);
    (await from.put(4096, bytes(512, 2))).must(201);
    (await from.clear(0, 512)).must(201);
    const second = await from.snap();
    (await copy(to, second)).must(202);
    const two = await made(to);
    ok(two.snapshotTime !== one.snapshotTime, 'the same snapshot');
    same((await two.get()).must(200).body, (await second.get()).body, 'the second');
    same((await one.get()).must(200).body, (await first.get()).body, 'the first');
    is(await two.ranges(`prevsnapshot=${encodeURIComponent(one.snapshotTime)}`), '0-512 4096+512', 'what differs');
  });
  check('an earlier one than the last: 409', async () => {
    const from = await newBlob();
    const [first, second] = [await from.snap(), await from.snap()];
    const to = await noBlob();
    (await copy(to, second)).must(202);
    await to.copied();
    (await copy(to, first)).must(409, 'IncrementalCopyOfEarlierSnapshotNotAllowed');
  });
  check('of another blob: 409', async () => {
    const { to } = await started();
    (await copy(to, await (await newBlob(8192)).snap())).must(409, 'IncrementalCopyBlobMismatch');
  });
  check('of what is no snapshot: 409', async () => {
    const from = await newBlob();
    (await copy(await noBlob(), from)).must(409, 'IncrementalCopySourceMustBeSnapshot');
  });
  check('to a blob that was not made so: 409', async () => {
    (await copy(await newBlob(), await (await newBlob()).snap())).must(409);
  });
  check('what it makes is neither read nor written', async () => {
    const { to } = await started();
    (await to.get()).must(409);
    (await to.put(0, bytes(512))).must(409);
    (await to.clear(0, 512)).must(409);
    (await to.setMetadata({ 'x-ms-meta-a': 'b' })).must(409);
    (await to.delete({ 'x-ms-delete-snapshots': 'include' })).must(202);
  });
  check('if the destination fits: 412', async () => {
    const { from, to } = await started();
    const second = await from.snap();
    (await copy(to, second, { 'if-match': '"0x1"' })).must(412, 'ConditionNotMet');
    (await copy(to, second, { 'if-none-match': '*' })).must([409, 412]);
  });
  check('the SAS of its snapshot will do as well', async () => {
    const snapshot = await (await newBlob()).snap();
    const to = await noBlob();
    (await to.send('PUT', 'comp=incrementalcopy', { 'x-ms-copy-source': snapshot.url(serviceSas(snapshot, { sp: 'r' })) })).must(202);
  });
}
