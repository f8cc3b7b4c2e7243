// SPDX-License-Identifier: MIT
//
// Leases whose time has passed: the column "Expired (A)" of "Lease Blob". All
// these checks wait at once, for the shortest lease there is.

import { A, B, bytes, is, newBlob, sleep } from './objects.mjs';
import { OPERATIONS, cells, perform } from './leases.mjs';

const TABLE = `
                  expired
acquire, no id    leased
acquire A         leased
acquire B         leased
renew A           leased
renew B           MISMATCH
change A to B     ABSENT
change B to A     ABSENT
change B to C     ABSENT
release A         available
release B         MISMATCH
break, period 0   broken
break, period 30  broken
break, no period  broken`;

async function expired() {
  const blob = await newBlob();
  (await blob.acquire(A, 15)).must(201);
  await sleep(15400);
  is(await blob.leaseState(), 'expired', 'the state after 15.4 s');
  return blob;
}

const slow = { slow: true };
const using = (id) => ({ 'x-ms-lease-id': id });

export default function define(check) {
  for (const cell of cells(TABLE)) {
    check(cell.operation, async () => {
      await perform(await expired(), cell, OPERATIONS[cell.operation]);
    }, slow);
  }

  check('writes and reads with its id, or another: 412', async () => {
    const blob = await expired();
    (await blob.put(0, bytes(512), using(A))).must(412);
    (await blob.clear(0, 512, using(A))).must(412);
    (await blob.setMetadata({ 'x-ms-meta-a': 'b', ...using(A) })).must(412);
    (await blob.delete(using(A))).must(412);
    (await blob.put(0, bytes(512), using(B))).must(412);
    (await blob.get(using(A))).must(412);
    (await blob.head(using(A))).must(412);
    (await blob.get(using(B))).must(412);
  }, slow);

  check('reads without leave it as it is; it can be renewed', async () => {
    const blob = await expired();
    (await blob.get()).must(200).has({ 'x-ms-lease-status': 'unlocked', 'x-ms-lease-state': 'expired' });
    (await blob.pageList()).must(200);
    (await blob.lease('renew', using(A))).must(200);
    (await blob.put(0, bytes(512))).must(412, 'LeaseIdMissing');
  }, slow);

  for (const [name, write] of Object.entries({
    'Put Page': (blob) => blob.put(0, bytes(512)),
    'Clear Pages': (blob) => blob.clear(0, 512),
    'Set Blob Metadata': (blob) => blob.setMetadata({ 'x-ms-meta-a': 'b' }),
    'Set Blob Properties': (blob) => blob.setProperties({ 'x-ms-sequence-number-action': 'increment' }),
  })) {
    check(`after ${name} without, it is gone and can't be renewed`, async () => {
      const blob = await expired();
      (await write(blob)).must([200, 201]);
      is(await blob.leaseState(), 'available', 'the state afterwards');
      (await blob.lease('renew', using(A))).must(409, 'LeaseIdMismatchWithLeaseOperation');
    }, slow);
  }

  check('a renewed lease lasts as long again, and no renewal makes one longer', async () => {
    // Until it was in time: who looks may have been late.
    let blob, state, begun;
    do {
      blob = await newBlob();
      (await blob.acquire(A, 15)).must(201);
      await sleep(8000);
      begun = Date.now();
      await blob.lease('renew', using(A));
      await sleep(8000);
      state = await blob.leaseState();
    } while (state !== 'leased' && Date.now() - begun > 14000);
    is(state, 'leased', 'the state 8 s after the renewal');
    (await blob.put(0, bytes(512), using(A))).must(201);
    await sleep(7500);
    is(await blob.leaseState(), 'expired', 'the state 15.5 s after it, whatever was written');
  }, slow);
}
