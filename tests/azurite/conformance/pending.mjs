// SPDX-License-Identifier: MIT
//
// "Copy Blob" of a blob so large that it goes on after the answer, "Abort Copy
// Blob". Where a server copies all of it at once there is nothing to see.

import { A, B, KIB, MIB, bytes, is, newBlob, noBlob, same } from './objects.mjs';

const SIZE = 80 * MIB;

export default function define(check) {
  // A check that is given a destination whose copy is pending, and its id.
  const pending = (name, run) => check(name, async () => {
    const [from, to] = [await newBlob(SIZE), await noBlob()];
    (await from.put(SIZE - 64 * KIB, bytes(64 * KIB))).must(201);
    const { headers } = (await to.copy(from.url())).must(202);
    if (headers['x-ms-copy-status'] !== 'pending') {
      return 'this server copies at once';
    }
    await run(to, headers['x-ms-copy-id'], from);
    return undefined;
  });
  const abort = (to, id, headers = {}) =>
    to.send('PUT', `comp=copy&copyid=${id}`, { 'x-ms-copy-action': 'abort', ...headers });

  pending('its properties tell', async (to, id, from) => {
    (await to.head()).must(200).has({
      'x-ms-copy-id': id, 'x-ms-copy-status': 'pending', 'x-ms-copy-source': from.url(), 'content-length': String(SIZE),
      'x-ms-copy-progress': new RegExp(`^\\d+/${SIZE}$`), 'x-ms-copy-completion-time': null,
    });
    const state = await to.copied();
    state.has({ 'x-ms-copy-id': id, 'x-ms-copy-status': 'success', 'x-ms-copy-progress': `${SIZE}/${SIZE}` });
    same((await to.read(SIZE - 64 * KIB, 64 * KIB)).must(206).body, bytes(64 * KIB), 'the end of it');
    is(await to.ranges(), `${SIZE - 64 * KIB}+${64 * KIB}`, 'ranges');
  });
  pending('aborted: empty, with its metadata', async (to, id) => {
    (await abort(to, id)).must(204);
    (await to.head()).must(200).has({
      'x-ms-copy-id': id, 'x-ms-copy-status': 'aborted', 'content-length': '0', 'x-ms-copy-completion-time': /GMT$/,
    });
    (await abort(to, id)).must(409, 'NoPendingCopyOperation');
    (await to.create(512)).must(201);
  });
  pending('aborted by another id: 409', async (to) => {
    (await abort(to, B)).must(409, 'CopyIdMismatch');
    (await to.copied()).has({ 'x-ms-copy-status': 'success' });
  });
  pending('writes wait for its end: 409', async (to) => {
    const other = await newBlob();
    (await to.put(0, bytes(512))).must(409, 'PendingCopyOperation');
    (await to.clear(0, 512)).must(409, 'PendingCopyOperation');
    (await to.copy(other.url())).must(409, 'PendingCopyOperation');
    (await to.create(512)).must(409, 'PendingCopyOperation');
    (await to.copied()).has({ 'x-ms-copy-status': 'success' });
    (await to.put(0, bytes(512))).must(201);
  });
  pending('leased: aborted with the id only', async (to, id) => {
    (await to.acquire(A)).must(201);
    (await abort(to, id)).must(412, 'LeaseIdMissing');
    (await abort(to, id, { 'x-ms-lease-id': B })).must(412, 'LeaseIdMismatchWithBlobOperation');
    (await abort(to, id, { 'x-ms-lease-id': A })).must(204);
  });
  pending('the source changes meanwhile: the copy is of one version, or has failed', async (to, id, from) => {
    (await from.put(0, bytes(512))).must(201);
    (await from.clear(SIZE - 64 * KIB, 64 * KIB)).must(201);
    const { headers } = await to.copied();
    if (headers['x-ms-copy-status'] === 'success') {
      is(await to.ranges(), `${SIZE - 64 * KIB}+${64 * KIB}`, 'ranges');
    } else {
      is(headers['x-ms-copy-status'], 'failed', 'copy status');
    }
  });
  pending('the source is deleted meanwhile: the copy is whole, or has failed', async (to, id, from) => {
    (await from.delete()).must(202);
    const { headers } = await to.copied();
    if (headers['x-ms-copy-status'] === 'success') {
      is(await to.ranges(), `${SIZE - 64 * KIB}+${64 * KIB}`, 'ranges');
    } else {
      is(headers['x-ms-copy-status'], 'failed', 'copy status');
    }
  });
}
