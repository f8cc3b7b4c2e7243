// SPDX-License-Identifier: MIT
//
// "Put Blob" of page blobs, "Delete Blob", "Get Blob Properties".

import { A, MIB, blockBlob, bytes, is, newBlob, noBlob, ok } from './objects.mjs';

const TIB = 1024 * 1024 * MIB;

export default function define(check) {
  check('Put Blob answers with ETag and Last-Modified', async () => {
    (await (await noBlob()).create(1024)).must(201).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-request-server-encrypted': 'true', 'content-length': '0',
    });
  });
  check('Get Blob Properties of a new blob', async () => {
    const blob = await noBlob();
    const { headers } = (await blob.create(1024)).must(201);
    (await blob.head()).must(200).has({
      etag: headers.etag, 'last-modified': headers['last-modified'], 'x-ms-blob-type': 'PageBlob',
      'x-ms-blob-sequence-number': '0', 'content-length': '1024', 'content-type': 'application/octet-stream',
      'x-ms-lease-status': 'unlocked', 'x-ms-lease-state': 'available', 'accept-ranges': 'bytes',
      'x-ms-server-encrypted': 'true', 'x-ms-creation-time': /GMT$/, 'x-ms-copy-id': null,
      'cache-control': null, 'content-encoding': null, 'content-language': null, 'content-md5': null,
    });
  });
  for (const size of [0, 512, 1 * TIB, 8 * TIB]) {
    check(`a blob of ${size} bytes`, async () => {
      const blob = await noBlob();
      (await blob.create(size)).must(201);
      (await blob.head()).must(200).has({ 'content-length': String(size) });
      (await blob.delete()).must(202);
    });
  }
  for (const size of [1, 511, 513, 8 * TIB + 512, -512, 'x', '99999999999999999999999']) {
    check(`no blob of ${size} bytes: 400`, async () => {
      const blob = await noBlob();
      (await blob.create(size)).must(400);
      (await blob.head()).must(404, 'BlobNotFound');
    });
  }
  check('without x-ms-blob-content-length: 400', async () => {
    (await (await noBlob()).send('PUT', '', { 'x-ms-blob-type': 'PageBlob' })).must(400);
  });
  check('without x-ms-blob-type: 400', async () => {
    (await (await noBlob()).send('PUT', '', { 'x-ms-blob-content-length': 512 })).must(400, 'MissingRequiredHeader');
  });
  check('with a type that is none: 400', async () => {
    (await (await noBlob()).create(512, { 'x-ms-blob-type': 'CloudBlob' })).must(400, 'InvalidHeaderValue');
  });
  check('a page blob is made without a body: 400', async () => {
    const headers = { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': 512 };
    (await (await noBlob()).send('PUT', '', headers, bytes(512))).must(400);
  });
  check('properties and metadata are kept', async () => {
    const blob = await noBlob();
    (await blob.create(512, {
      'x-ms-blob-content-type': 'text/plain', 'x-ms-blob-content-encoding': 'gzip', 'x-ms-blob-content-language': 'en',
      'x-ms-blob-cache-control': 'no-cache', 'x-ms-blob-content-disposition': 'attachment',
      'x-ms-blob-content-md5': 'Q2hlY2sgSW50ZWdyaXR5IQ==', 'x-ms-meta-Name': 'some value', 'x-ms-meta-other': '2',
    })).must(201);
    const expected = {
      'content-type': 'text/plain', 'content-encoding': 'gzip', 'content-language': 'en', 'cache-control': 'no-cache',
      'content-disposition': 'attachment', 'content-md5': 'Q2hlY2sgSW50ZWdyaXR5IQ==', 'x-ms-meta-name': 'some value',
      'x-ms-meta-other': '2',
    };
    (await blob.head()).must(200).has(expected);
    (await blob.get()).must(200).has(expected);
  });
  check('Content-Type is the type where x-ms-blob-content-type is not given', async () => {
    const blob = await noBlob();
    (await blob.create(512, { 'content-type': 'text/html' })).must(201);
    (await blob.head()).must(200).has({ 'content-type': 'text/html' });
  });
  for (const number of ['0', '1', '9223372036854775807']) {
    check(`a sequence number of ${number}`, async () => {
      (await (await newBlob(512, { 'x-ms-blob-sequence-number': number })).head()).must(200)
        .has({ 'x-ms-blob-sequence-number': number });
    });
  }
  for (const number of ['-1', '9223372036854775808', 'x', '1.5']) {
    check(`no sequence number of ${number}: 400`, async () => {
      (await (await noBlob()).create(512, { 'x-ms-blob-sequence-number': number })).must(400, 'InvalidHeaderValue');
    });
  }
  check('Put Blob over a blob: all anew', async () => {
    const blob = await newBlob(1024, { 'x-ms-meta-a': '1', 'x-ms-blob-sequence-number': '5', 'x-ms-blob-content-type': 'a/b' });
    (await blob.put(0, bytes(512))).must(201);
    const before = (await blob.head()).must(200);
    (await blob.create(2048)).must(201);
    const after = (await blob.head()).must(200).has({
      'content-length': '2048', 'x-ms-blob-sequence-number': '0', 'x-ms-meta-a': null,
      'content-type': 'application/octet-stream',
    });
    ok(before.etag !== after.etag, 'the ETag is the same');
    is(await blob.ranges(), '', 'ranges');
    ok((await blob.get()).must(200).body.every((byte) => byte === 0), 'bytes of the former blob');
  });
  check('Put Blob only if there is none: 409', async () => {
    const blob = await newBlob();
    (await blob.create(512, { 'if-none-match': '*' })).must(409, 'BlobAlreadyExists');
    const other = await noBlob();
    (await other.create(512, { 'if-none-match': '*' })).must(201);
  });
  check('Put Blob only over a blob: 412', async () => {
    const blob = await noBlob();
    (await blob.create(512, { 'if-match': '*' })).must(412, 'ConditionNotMet');
    (await blob.create(512, { 'if-match': '"0x8D00000000000A"' })).must(412, 'ConditionNotMet');
    (await blob.head()).must(404);
  });
  check('Put Blob with a lease where there is no blob: 412', async () => {
    (await (await noBlob()).create(512, { 'x-ms-lease-id': A })).must(412, 'LeaseNotPresentWithBlobOperation');
  });
  check('Creation-Time stays when pages are written, and goes when it is made anew', async () => {
    const blob = await newBlob();
    const created = (await blob.head()).must(200).headers['x-ms-creation-time'];
    (await blob.put(0, bytes(512))).must(201);
    (await blob.head()).must(200).has({ 'x-ms-creation-time': created });
  });

  check('Delete Blob', async () => {
    const blob = await newBlob();
    (await blob.delete()).must(202).has({ 'x-ms-delete-type-permanent': /^(true|)$/ });
    (await blob.head()).must(404, 'BlobNotFound');
    (await blob.delete()).must(404, 'BlobNotFound');
  });
  check('a blob made again under a name is empty', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201);
    (await blob.delete()).must(202);
    (await blob.create(4096)).must(201);
    ok((await blob.get()).must(200).body.every((byte) => byte === 0), 'bytes of the former blob');
  });

  const none = () => noBlob();
  for (const [name, use] of Object.entries({
    'Get Blob': async () => (await none()).get(),
    'Get Blob Properties': async () => (await none()).head(),
    'Get Blob Metadata': async () => (await none()).metadata(),
    'Set Blob Metadata': async () => (await none()).setMetadata(),
    'Set Blob Properties': async () => (await none()).setProperties({ 'x-ms-blob-content-length': 512 }),
    'Put Page': async () => (await none()).put(0, bytes(512)),
    'Clear Pages': async () => (await none()).clear(0, 512),
    'Get Page Ranges': async () => (await none()).pageList(),
    'Snapshot Blob': async () => (await none()).snapshot(),
    'Abort Copy Blob': async () => (await none()).send('PUT', `comp=copy&copyid=${A}`, { 'x-ms-copy-action': 'abort' }),
    'Delete Blob with snapshots': async () => (await none()).delete({ 'x-ms-delete-snapshots': 'include' }),
  })) {
    check(`${name} where there is none: 404`, async () => {
      (await use()).must(404, 'BlobNotFound');
    });
  }

  check('a block blob is none that pages go to', async () => {
    const blob = await blockBlob();
    if (!blob) {
      return 'a server of page blobs only';
    }
    (await blob.put(0, bytes(512))).must(409, 'InvalidBlobType');
    (await blob.pageList()).must(409, 'InvalidBlobType');
    (await blob.head()).must(200).has({ 'x-ms-blob-type': 'BlockBlob', 'x-ms-blob-sequence-number': null });
    return undefined;
  });
}
