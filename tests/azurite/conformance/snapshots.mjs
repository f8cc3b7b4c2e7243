// SPDX-License-Identifier: MIT
//
// "Snapshot Blob", and "Delete Blob" of blobs that have some.

import { A, B, bytes, is, newBlob, newContainer, ok, same } from './objects.mjs';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/;
const using = (id) => ({ 'x-ms-lease-id': id });

async function withSnapshots(count = 2) {
  const blob = await newBlob();
  (await blob.put(0, bytes(512))).must(201);
  const snapshots = [];
  for (let i = 0; i < count; i++) {
    snapshots.push(await blob.snap());
  }
  return { blob, snapshots };
}

export default function define(check) {
  check('the answer', async () => {
    const blob = await newBlob();
    const { headers } = (await blob.head()).must(200);
    (await blob.snapshot()).must(201).has({
      'x-ms-snapshot': TIME, etag: headers.etag, 'last-modified': headers['last-modified'],
    });
  });
  check('the blob\'s ETag stays', async () => {
    const { blob, snapshots } = await withSnapshots(1);
    const { etag } = (await blob.head()).must(200);
    is((await snapshots[0].head()).must(200).etag, etag, 'the snapshot\'s');
  });
  check('times go up, however quickly they are made', async () => {
    const { snapshots } = await withSnapshots(4);
    const times = snapshots.map(({ snapshotTime }) => snapshotTime);
    is([...new Set(times)].sort().join(), times.join(), 'the times');
  });
  check('what is in it stays as it was', async () => {
    const blob = await newBlob(8192, {
      'x-ms-meta-a': '1', 'x-ms-blob-content-type': 'a/b', 'x-ms-blob-sequence-number': 3,
    });
    (await blob.put(0, bytes(4096))).must(201);
    const snapshot = await blob.snap();
    (await blob.put(1024, bytes(512, 2))).must(201);
    (await blob.clear(0, 512)).must(201);
    (await blob.setMetadata({ 'x-ms-meta-a': '2' })).must(200);
    (await blob.setProperties({ 'x-ms-blob-content-type': 'c/d', 'x-ms-blob-content-length': 512 })).must(200);
    (await blob.setProperties({ 'x-ms-sequence-number-action': 'increment' })).must(200);
    const expected = Buffer.concat([bytes(4096), Buffer.alloc(4096)]);
    const answer = (await snapshot.get()).must(200).has({
      'x-ms-meta-a': '1', 'content-type': 'a/b', 'x-ms-blob-sequence-number': '3', 'content-length': '8192',
      'x-ms-blob-type': 'PageBlob',
    });
    same(answer.body, expected, 'the snapshot');
    same((await snapshot.read(512, 1024)).must(206).body, expected.subarray(512, 1536), 'a range of it');
    (await snapshot.head()).must(200).has({ 'content-length': '8192', 'x-ms-meta-a': '1' });
    (await snapshot.metadata()).must(200).has({ 'x-ms-meta-a': '1' });
  });
  check('several: each as it was', async () => {
    const blob = await newBlob(4096);
    const snapshots = [];
    for (let i = 1; i <= 4; i++) {
      (await blob.put(512 * i, bytes(512, i))).must(201);
      (await blob.put(0, bytes(512, i))).must(201);
      snapshots.push(await blob.snap());
    }
    for (let i = 1; i <= 4; i++) {
      const expected = Buffer.alloc(4096);
      bytes(512, i).copy(expected, 0);
      for (let j = 1; j <= i; j++) {
        bytes(512, j).copy(expected, 512 * j);
      }
      same((await snapshots[i - 1].get()).must(200).body, expected, `snapshot ${i}`);
    }
    (await snapshots[1].delete()).must(202);
    (await snapshots[0].get()).must(200);
    same((await snapshots[2].read(1536, 512)).must(206).body, bytes(512, 3), 'snapshot 3 after 2 was deleted');
    same((await blob.read(2048, 512)).must(206).body, bytes(512, 4), 'the blob after it');
  });
  check('with metadata of its own', async () => {
    const blob = await newBlob(512, { 'x-ms-meta-a': '1' });
    const snapshot = await blob.snap({ 'x-ms-meta-b': '2' });
    (await snapshot.head()).must(200).has({ 'x-ms-meta-a': null, 'x-ms-meta-b': '2' });
    (await blob.head()).must(200).has({ 'x-ms-meta-a': '1', 'x-ms-meta-b': null });
  });
  check('has no lease of its own', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    const snapshot = await blob.snap();
    const { headers } = (await snapshot.head()).must(200);
    ok(![headers['x-ms-lease-state'], headers['x-ms-lease-status']].some((v) => v === 'leased' || v === 'locked'), 'it has');
    (await snapshot.delete()).must(202);
  });
  check('is not changed', async () => {
    const [snapshot] = (await withSnapshots(1)).snapshots;
    (await snapshot.put(0, bytes(512))).must(400);
    (await snapshot.clear(0, 512)).must(400);
    (await snapshot.setMetadata({ 'x-ms-meta-a': 'b' })).must(400);
    (await snapshot.setProperties({ 'x-ms-blob-content-type': 'a/b' })).must(400);
    (await snapshot.create(512)).must(400);
    (await snapshot.snapshot()).must(400);
    same((await snapshot.read(0, 512)).must(206).body, bytes(512), 'what is in it');
  });
  check('no such snapshot: 404', async () => {
    const blob = await newBlob();
    const snapshot = blob.at('2020-01-01T00:00:00.0000001Z');
    (await snapshot.get()).must(404, 'BlobNotFound');
    (await snapshot.head()).must(404, 'BlobNotFound');
    (await snapshot.pageList()).must(404, 'BlobNotFound');
    (await snapshot.delete()).must(404, 'BlobNotFound');
    (await blob.head()).must(200);
  });
  check('what is no time: 400', async () => {
    const snapshot = (await newBlob()).at('yesterday');
    (await snapshot.get()).must(400, 'InvalidQueryParameterValue');
    (await snapshot.delete()).must(400, 'InvalidQueryParameterValue');
  });
  check('if the ETag fits', async () => {
    const blob = await newBlob();
    const { etag } = (await blob.head()).must(200);
    (await blob.snapshot({ 'if-match': '"0x1"' })).must(412, 'ConditionNotMet');
    (await blob.snapshot({ 'if-none-match': etag })).must(412, 'ConditionNotMet');
    (await blob.snapshot({ 'if-match': etag })).must(201);
  });

  check('Delete Blob of a blob with snapshots: 409', async () => {
    const { blob, snapshots } = await withSnapshots();
    (await blob.delete()).must(409, 'SnapshotsPresent');
    (await blob.head()).must(200);
    (await snapshots[0].head()).must(200);
  });
  check('Delete Blob with "include": all', async () => {
    const { blob, snapshots } = await withSnapshots();
    (await blob.delete({ 'x-ms-delete-snapshots': 'include' })).must(202);
    (await blob.head()).must(404);
    (await snapshots[0].head()).must(404);
    (await snapshots[1].head()).must(404);
  });
  check('Delete Blob with "only": the snapshots', async () => {
    const { blob, snapshots } = await withSnapshots();
    (await blob.delete({ 'x-ms-delete-snapshots': 'only' })).must(202);
    (await blob.head()).must(200);
    (await snapshots[0].head()).must(404);
    same((await blob.read(0, 512)).must(206).body, bytes(512), 'the blob');
    (await blob.delete()).must(202);
  });
  check('Delete Blob of one snapshot', async () => {
    const { blob, snapshots } = await withSnapshots();
    (await snapshots[0].delete()).must(202);
    (await snapshots[0].head()).must(404);
    same((await snapshots[1].read(0, 512)).must(206).body, bytes(512), 'the other');
    (await blob.head()).must(200);
  });
  check('Delete Blob of a snapshot with x-ms-delete-snapshots: 400', async () => {
    const { snapshots } = await withSnapshots();
    (await snapshots[0].delete({ 'x-ms-delete-snapshots': 'include' })).must(400);
    (await snapshots[0].delete({ 'x-ms-delete-snapshots': 'only' })).must(400);
    (await snapshots[0].head()).must(200);
  });
  check('Delete Blob with x-ms-delete-snapshots that is none: 400', async () => {
    const { blob } = await withSnapshots(1);
    (await blob.delete({ 'x-ms-delete-snapshots': 'all' })).must(400, 'InvalidHeaderValue');
    (await blob.head()).must(200);
  });
  check('Delete Blob with "include" of a leased blob needs the lease', async () => {
    const { blob, snapshots } = await withSnapshots(1);
    (await blob.acquire(A)).must(201);
    (await blob.delete({ 'x-ms-delete-snapshots': 'include' })).must(412, 'LeaseIdMissing');
    (await blob.delete({ 'x-ms-delete-snapshots': 'include', ...using(B) })).must(412, 'LeaseIdMismatchWithBlobOperation');
    (await snapshots[0].head()).must(200);
    (await blob.delete({ 'x-ms-delete-snapshots': 'include', ...using(A) })).must(202);
  });
  check('Put Blob over a blob leaves its snapshots', async () => {
    const { blob, snapshots } = await withSnapshots(1);
    (await blob.create(1024)).must(201);
    same((await snapshots[0].read(0, 512)).must(206).body, bytes(512), 'the snapshot');
    ok((await blob.get()).must(200).body.every((byte) => byte === 0), 'the blob has something');
  });
  check('a blob and its snapshots are gone with the container', async () => {
    const container = await newContainer();
    const blob = container.blob('b');
    (await blob.create(512)).must(201);
    const snapshot = await blob.snap();
    (await container.delete()).must(202);
    (await snapshot.get()).must(404);
  });
}
