// SPDX-License-Identifier: MIT
//
// "Copy Blob", "Abort Copy Blob", "Put Page From URL".

import { crc64 } from './crc64.mjs';
import { A, B, MIB, blockBlob, bytes, is, md5, newBlob, newContainer, noBlob, ok, same, span } from './objects.mjs';
import { serviceSas } from './sas.mjs';

async function source() {
  const blob = await newBlob(8192, {
    'x-ms-meta-a': '1', 'x-ms-blob-content-type': 'a/b', 'x-ms-blob-cache-control': 'cc', 'x-ms-blob-sequence-number': 6,
  });
  (await blob.put(1024, bytes(512))).must(201);
  (await blob.put(4096, bytes(1024, 2))).must(201);
  return blob;
}
const whole = () => {
  const data = Buffer.alloc(8192);
  bytes(512).copy(data, 1024);
  bytes(1024, 2).copy(data, 4096);
  return data;
};
const LONG_AGO = 'Fri, 01 Jan 2010 00:00:00 GMT';
const soon = () => new Date(Date.now() + 3600_000).toUTCString();

export default function define(check) {
  check('the answer', async () => {
    (await (await noBlob()).copy((await source()).url())).must(202).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-copy-id': /^[0-9a-f-]{36}$/i, 'x-ms-copy-status': /^(success|pending)$/,
    });
  });
  check('the copy: content, properties, metadata, copy state', async () => {
    const [from, to] = [await source(), await noBlob()];
    const id = (await to.copy(from.url())).must(202).headers['x-ms-copy-id'];
    (await to.copied()).has({
      'x-ms-copy-id': id, 'x-ms-copy-status': 'success', 'x-ms-copy-progress': '8192/8192',
      'x-ms-copy-completion-time': /GMT$/, 'x-ms-blob-type': 'PageBlob', 'content-length': '8192',
      'content-type': 'a/b', 'cache-control': 'cc', 'x-ms-meta-a': '1', 'x-ms-lease-state': 'available',
    });
    ok((await to.head()).headers['x-ms-copy-source'].split('?')[0] === from.url(), 'x-ms-copy-source');
    const answer = (await to.get()).must(200).has({ 'x-ms-copy-id': id, 'x-ms-copy-status': 'success' });
    same(answer.body, whole(), 'the copy');
    is(await to.ranges(), '1024+512 4096+1024', 'ranges');
  });
  check('the copy and its source go their own ways', async () => {
    const [from, to] = [await source(), await noBlob()];
    (await to.copy(from.url())).must(202);
    await to.copied();
    (await from.put(0, bytes(512, 3))).must(201);
    (await to.put(4096, bytes(512, 4))).must(201);
    same((await to.read(0, 512)).must(206).body, Buffer.alloc(512), 'the copy');
    same((await from.read(4096, 512)).must(206).body, bytes(1024, 2).subarray(0, 512), 'the source');
    (await from.delete()).must(202);
    same((await to.read(1024, 512)).must(206).body, bytes(512), 'the copy');
  });
  check('with metadata of its own', async () => {
    const to = await noBlob();
    (await to.copy((await source()).url(), { 'x-ms-meta-b': '2' })).must(202);
    (await to.copied()).has({ 'x-ms-meta-a': null, 'x-ms-meta-b': '2' });
  });
  check('over a blob: all anew, its snapshots stay', async () => {
    const [from, to] = [await source(), await newBlob(1024, { 'x-ms-meta-old': '1' })];
    (await to.put(0, bytes(1024, 9))).must(201);
    const snapshot = await to.snap();
    (await to.copy(from.url())).must(202);
    (await to.copied()).has({ 'content-length': '8192', 'x-ms-meta-old': null, 'x-ms-meta-a': '1' });
    same((await to.get()).must(200).body, whole(), 'the copy');
    same((await snapshot.get()).must(200).body, bytes(1024, 9), 'the snapshot');
  });
  check('a snapshot to another blob', async () => {
    const [from, to] = [await source(), await noBlob()];
    const snapshot = await from.snap();
    (await from.clear(0, 8192)).must(201);
    (await to.copy(snapshot.url())).must(202);
    await to.copied();
    same((await to.get()).must(200).body, whole(), 'the copy');
  });
  check('a snapshot back to its blob', async () => {
    const blob = await source();
    const snapshot = await blob.snap();
    (await blob.put(0, bytes(8192, 5))).must(201);
    (await blob.copy(snapshot.url())).must(202);
    await blob.copied();
    same((await blob.get()).must(200).body, whole(), 'the blob');
    same((await snapshot.get()).must(200).body, whole(), 'the snapshot');
  });
  check('to another container', async () => {
    const to = (await newContainer()).blob('to');
    (await to.copy((await source()).url())).must(202);
    await to.copied();
    same((await to.get()).must(200).body, whole(), 'the copy');
  });
  check('from a source with a SAS', async () => {
    const [from, to] = [await source(), await noBlob()];
    (await to.copy(from.url(serviceSas(from, { sp: 'r' })))).must(202);
    await to.copied();
    same((await to.get()).must(200).body, whole(), 'the copy');
    const { headers } = await to.head();
    ok(!/sig=[^&]*[A-Za-z0-9]{20}/.test(headers['x-ms-copy-source']), 'the SAS is shown in x-ms-copy-source');
  });
  check('from a source with a SAS that does not do', async () => {
    const [from, to] = [await source(), await noBlob()];
    (await to.copy(from.url(serviceSas(from, { sp: 'w' })))).must([401, 403], 'CannotVerifyCopySource');
    (await to.copy(from.url(serviceSas(await source(), { sp: 'r' })))).must([401, 403], 'CannotVerifyCopySource');
    (await to.head()).must(404);
  });
  check('a blob of 64 MiB, however it is done', async () => {
    const from = await newBlob(64 * MIB);
    for (let i = 0; i < 64; i += 8) {
      (await from.put(i * MIB, bytes(MIB, i))).must(201);
    }
    const to = await noBlob();
    const answer = (await to.copy(from.url())).must(202);
    if (answer.headers['x-ms-copy-status'] === 'pending') {
      (await to.head()).must(200).has({ 'x-ms-copy-status': /./, 'content-length': String(64 * MIB) });
    }
    (await to.copied()).has({ 'x-ms-copy-status': 'success', 'x-ms-copy-progress': `${64 * MIB}/${64 * MIB}` });
    same((await to.read(56 * MIB, MIB)).must(206).body, bytes(MIB, 56), 'a part');
    is(await to.ranges(), await from.ranges(), 'ranges');
  });
  check('only one that is pending can be aborted', async () => {
    const to = await noBlob();
    const abort = (id, headers = { 'x-ms-copy-action': 'abort' }) => to.send('PUT', `comp=copy&copyid=${id}`, headers);
    const id = (await to.copy((await source()).url())).must(202).headers['x-ms-copy-id'];
    await to.copied();
    (await abort(id)).must(409, 'NoPendingCopyOperation');
    (await abort(id, {})).must(400);
    (await abort(id, { 'x-ms-copy-action': 'stop' })).must(400);
    (await to.send('PUT', 'comp=copy', { 'x-ms-copy-action': 'abort' })).must(400);
  });
  check('a blob that was written since has no copy state', async () => {
    const to = await noBlob();
    (await to.copy((await source()).url())).must(202);
    await to.copied();
    (await to.create(512)).must(201);
    (await to.head()).must(200).has({ 'x-ms-copy-id': null, 'x-ms-copy-status': null });
  });

  check('no such source: 404', async () => {
    (await (await noBlob()).copy((await noBlob()).url())).must(404, ['BlobNotFound', 'CannotVerifyCopySource']);
    const nowhere = (await noBlob()).url().replace(/\/c-[^/]*\//, '/no-such-container/');
    (await (await noBlob()).copy(nowhere)).must(404, ['ContainerNotFound', 'CannotVerifyCopySource', 'BlobNotFound']);
  });
  for (const url of ['nonsense', '/relative', 'ftp://example.com/c/b', 'http://', '//example.com/c/b', 'http:/c/b', 'x'.repeat(3000)]) {
    check(`the source ${url.slice(0, 30)}: 400`, async () => {
      const to = await noBlob();
      (await to.copy(url)).must(400, 'InvalidHeaderValue');
      (await to.copy(url, { 'x-ms-requires-sync': 'true' })).must(400, 'InvalidHeaderValue');
      (await to.head()).must(404);
    });
  }
  check('a source that is no blob: 400', async () => {
    const from = await source();
    for (const url of [from.url().replace(/[^/]*$/, ''), from.url().replace(/\/c-[^/]*\/.*/, ''), from.url().replace(/[^/]*$/, '%zz')]) {
      (await (await noBlob()).copy(url)).must([400, 404]);
    }
  });
  synchronous(check);
  check('if the source fits', async () => {
    const [from, to] = [await source(), await noBlob()];
    const { etag } = await from.head();
    (await to.copy(from.url(), { 'x-ms-source-if-match': '"0x1"' })).must(412, ['SourceConditionNotMet', 'ConditionNotMet']);
    (await to.copy(from.url(), { 'x-ms-source-if-none-match': etag })).must(412, ['SourceConditionNotMet', 'ConditionNotMet']);
    (await to.copy(from.url(), { 'x-ms-source-if-modified-since': soon() })).must(412, ['SourceConditionNotMet', 'ConditionNotMet']);
    (await to.copy(from.url(), { 'x-ms-source-if-unmodified-since': LONG_AGO })).must(412, ['SourceConditionNotMet', 'ConditionNotMet']);
    (await to.head()).must(404);
    (await to.copy(from.url(), { 'x-ms-source-if-match': etag })).must(202);
  });
  check('if the destination fits', async () => {
    const [from, to] = [await source(), await newBlob()];
    const { etag } = await to.head();
    (await to.copy(from.url(), { 'if-match': '"0x1"' })).must(412, 'ConditionNotMet');
    (await to.copy(from.url(), { 'if-none-match': '*' })).must([409, 412]);
    (await to.copy(from.url(), { 'if-none-match': etag })).must(412, 'ConditionNotMet');
    is((await to.head()).etag, etag, 'ETag');
    (await to.copy(from.url(), { 'if-match': etag })).must(202);
  });
  check('the source may be leased by anyone', async () => {
    const from = await source();
    (await from.acquire(A)).must(201);
    (await (await noBlob()).copy(from.url())).must(202);
  });
  check('the source may be asked to be leased by a given one', async () => {
    const from = await source();
    (await from.acquire(A)).must(201);
    (await (await noBlob()).copy(from.url(), { 'x-ms-source-lease-id': B })).must(412);
    (await (await noBlob()).copy(from.url(), { 'x-ms-source-lease-id': A })).must(202);
  });
  check('a page blob does not replace a block blob', async () => {
    const to = await blockBlob();
    if (!to) {
      return 'a server of page blobs only';
    }
    (await to.copy((await source()).url())).must(409, 'InvalidBlobType');
    return undefined;
  });

  fromUrl(check);
}

// "Copy Blob From URL".
function synchronous(check) {
  const copy = async (headers = {}) => {
    const [from, to] = [await source(), await noBlob()];
    const answer = await to.copy(from.url(serviceSas(from, { sp: 'r' })), { 'x-ms-requires-sync': 'true', ...headers });
    return { to, answer };
  };
  check('synchronous: the answer, and the copy', async () => {
    const { to, answer } = await copy();
    answer.must(202).has({ etag: /^"/, 'x-ms-copy-id': /./, 'x-ms-copy-status': 'success' });
    same((await to.get()).must(200).body, whole(), 'the copy');
  });
  check('synchronous: with the MD5 of the source', async () => {
    const { to, answer } = await copy({ 'x-ms-source-content-md5': md5(whole()) });
    answer.must(202).has({ 'content-md5': md5(whole()) });
    same((await to.get()).must(200).body, whole(), 'the copy');
  });
  check('synchronous: with another MD5: 400, and nothing is copied', async () => {
    const { to, answer } = await copy({ 'x-ms-source-content-md5': md5(bytes(1)) });
    answer.must(400, 'Md5Mismatch');
    (await to.head()).must(404);
  });
  check('synchronous: with what is no MD5: 400, and nothing is copied', async () => {
    for (const none of ['x', 'YWJj', '!!!!']) {
      const { to, answer } = await copy({ 'x-ms-source-content-md5': none });
      answer.must(400, ['InvalidMd5', 'InvalidHeaderValue']);
      (await to.head()).must(404);
    }
  });
  check('synchronous: x-ms-requires-sync that is neither true nor false: 400', async () => {
    const { to, answer } = await copy({ 'x-ms-requires-sync': 'perhaps' });
    answer.must(400, 'InvalidHeaderValue');
    (await to.head()).must(404);
  });
  check('asynchronous: the MD5 of the source is not passed over', async () => {
    const { to, answer } = await copy({ 'x-ms-requires-sync': null, 'x-ms-source-content-md5': md5(bytes(1)) });
    answer.must(400);
    (await to.head()).must(404);
  });
}

function fromUrl(check) {
  const put = (to, from, headers = {}, at = 0, offset = 4096, length = 1024) =>
    to.send('PUT', 'comp=page', {
      'x-ms-page-write': 'update', 'x-ms-range': span(at, length), 'x-ms-source-range': span(offset, length),
      'x-ms-copy-source': from.url(serviceSas(from, { sp: 'r' })), ...headers,
    });
  const data = bytes(1024, 2);

  check('Put Page From URL: what was read is written', async () => {
    const [from, to] = [await source(), await newBlob(8192, { 'x-ms-blob-sequence-number': 2 })];
    (await put(to, from, {}, 512)).must(201).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-blob-sequence-number': '2', 'x-ms-content-crc64': crc64(data),
    });
    same((await to.read(512, 1024)).must(206).body, data, 'the range');
    is(await to.ranges(), '512+1024', 'ranges');
  });
  check('Put Page From URL: checksums of the source', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await put(to, from, { 'x-ms-source-content-md5': md5(data) })).must(201);
    (await put(to, from, { 'x-ms-source-content-crc64': crc64(data) })).must(201);
    (await to.clear(0, 8192)).must(201);
    (await put(to, from, { 'x-ms-source-content-md5': md5(bytes(1)) })).must(400, 'Md5Mismatch');
    (await put(to, from, { 'x-ms-source-content-crc64': crc64(bytes(1)) })).must(400, 'Crc64Mismatch');
    is(await to.ranges(), '', 'ranges');
  });
  check('Put Page From URL: lengths that differ: 400', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await put(to, from, { 'x-ms-range': span(0, 512) })).must(400);
    is(await to.ranges(), '', 'ranges');
  });
  check('Put Page From URL: more than 4 MiB: 413', async () => {
    const [from, to] = [await newBlob(8 * MIB), await newBlob(8 * MIB)];
    (await put(to, from, {}, 0, 0, 4 * MIB + 512)).must(413);
  });
  check('Put Page From URL: a body: 400', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await to.send('PUT', 'comp=page', {
      'x-ms-page-write': 'update', 'x-ms-range': span(0, 512), 'x-ms-source-range': span(0, 512),
      'x-ms-copy-source': from.url(serviceSas(from)),
    }, bytes(512))).must(400);
  });
  check('Put Page From URL: conditions and leases as with Put Page', async () => {
    const [from, to] = [await source(), await newBlob(8192, { 'x-ms-blob-sequence-number': 2 })];
    (await put(to, from, { 'x-ms-if-sequence-number-eq': 3 })).must(412, 'SequenceNumberConditionNotMet');
    (await put(to, from, { 'if-match': '"0x1"' })).must(412, 'ConditionNotMet');
    (await put(to, from, { 'x-ms-source-if-match': '"0x1"' })).must(412);
    (await to.acquire(A)).must(201);
    (await put(to, from)).must(412, 'LeaseIdMissing');
    (await put(to, from, { 'x-ms-lease-id': B })).must(412, 'LeaseIdMismatchWithBlobOperation');
    is(await to.ranges(), '', 'ranges');
    (await put(to, from, { 'x-ms-lease-id': A, 'x-ms-if-sequence-number-eq': 2 })).must(201);
  });
  check('Put Page From URL: a checksum that is none, or two: 400', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await put(to, from, { 'x-ms-source-content-md5': 'YWJj' })).must(400, 'InvalidMd5');
    (await put(to, from, { 'x-ms-source-content-md5': md5(data), 'x-ms-source-content-crc64': crc64(data) })).must(400);
    is(await to.ranges(), '', 'ranges');
  });
  check('Put Page From URL: nothing is cleared from there: 400', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await to.put(0, bytes(1024))).must(201);
    (await put(to, from, { 'x-ms-page-write': 'clear' })).must(400, 'InvalidHeaderValue');
    (await put(to, from, { 'x-ms-page-write': null })).must(400, 'MissingRequiredHeader');
    same((await to.read(0, 1024)).must(206).body, bytes(1024), 'the range');
  });
  check('Put Page From URL: a source that may not be read', async () => {
    const [from, to] = [await source(), await newBlob(8192)];
    (await put(to, from, { 'x-ms-copy-source': from.url(serviceSas(from, { sp: 'w' })) })).must([401, 403]);
    is(await to.ranges(), '', 'ranges');
  });
}
