// SPDX-License-Identifier: MIT
//
// "Get Page Ranges" with prevsnapshot: what changed since a snapshot.

import { bytes, is, newBlob } from './objects.mjs';

const since = (snapshot) => `prevsnapshot=${encodeURIComponent(snapshot.snapshotTime)}`;
// A time that no snapshot here has.
const NEVER = '2020-01-01T00:00:00.0000001Z';

export default function define(check) {
  check('nothing changed', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201);
    is(await blob.ranges(since(await blob.snap())), '', 'ranges');
  });
  check('written and cleared since', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(8192))).must(201);
    const snapshot = await blob.snap();
    (await blob.put(1024, bytes(512, 2))).must(201);
    (await blob.put(32768, bytes(1024))).must(201);
    (await blob.clear(4096, 2048)).must(201);
    is(await blob.ranges(since(snapshot)), '1024+512 4096-2048 32768+1024', 'ranges');
    (await blob.pageList(since(snapshot))).must(200).has({ 'x-ms-blob-content-length': '65536', etag: /^"/ });
  });
  check('between two snapshots', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(512))).must(201);
    const first = await blob.snap();
    (await blob.put(4096, bytes(512))).must(201);
    (await blob.clear(0, 512)).must(201);
    const second = await blob.snap();
    (await blob.put(8192, bytes(512))).must(201);
    is(await second.ranges(since(first)), '0-512 4096+512', 'the first to the second');
    is(await blob.ranges(since(second)), '8192+512', 'the second to now');
    is(await blob.ranges(since(first)), '0-512 4096+512 8192+512', 'the first to now');
  });
  check('written and cleared again: not written', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201);
    const snapshot = await blob.snap();
    (await blob.put(0, bytes(512, 2))).must(201);
    (await blob.clear(0, 512)).must(201);
    is(await blob.ranges(since(snapshot)), '0-512', 'ranges');
  });
  check('within a range', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(4096))).must(201);
    const snapshot = await blob.snap();
    (await blob.put(0, bytes(4096, 2))).must(201);
    (await blob.put(16384, bytes(4096, 2))).must(201);
    is(await blob.ranges(since(snapshot), { 'x-ms-range': 'bytes=2048-17407' }), '2048+2048 16384+1024', 'ranges');
  });
  check('after growing', async () => {
    const blob = await newBlob(4096);
    (await blob.put(0, bytes(512))).must(201);
    const snapshot = await blob.snap();
    (await blob.setProperties({ 'x-ms-blob-content-length': 16384 })).must(200);
    (await blob.put(12288, bytes(512))).must(201);
    is(await blob.ranges(since(snapshot)), '12288+512', 'ranges');
  });
  check('an older target than prevsnapshot: 400', async () => {
    const blob = await newBlob();
    const [first, second] = [await blob.snap(), await blob.snap()];
    (await first.pageList(since(second))).must(400, 'PreviousSnapshotCannotBeNewer');
  });
  check('no such snapshot: 409', async () => {
    (await (await newBlob()).pageList(`prevsnapshot=${encodeURIComponent(NEVER)}`)).must(409, 'PreviousSnapshotNotFound');
  });
  check('what is no time: 400', async () => {
    (await (await newBlob()).pageList('prevsnapshot=yesterday')).must(400, 'InvalidQueryParameterValue');
  });
  check('across Put Blob: 409', async () => {
    const blob = await newBlob();
    const snapshot = await blob.snap();
    (await blob.create(4096)).must(201);
    (await blob.pageList(since(snapshot))).must(409, 'BlobOverwritten');
  });
  check('across Copy Blob: 409', async () => {
    const blob = await newBlob();
    const snapshot = await blob.snap();
    (await blob.copy((await newBlob()).url())).must(202);
    await blob.copied();
    (await blob.pageList(since(snapshot))).must(409, 'BlobOverwritten');
  });
  check('with the lease of another: 412', async () => {
    const blob = await newBlob();
    const snapshot = await blob.snap();
    (await blob.pageList(since(snapshot), { 'x-ms-lease-id': 'aaaaaaaa-0000-4000-8000-000000000000' }))
      .must(412, 'LeaseNotPresentWithBlobOperation');
  });
}
