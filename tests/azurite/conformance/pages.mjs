// SPDX-License-Identifier: MIT
//
// "Put Page": update and clear.

import { MIB, KIB, bytes, is, newBlob, ok, same, span } from './objects.mjs';

const TIB = 1024 * 1024 * MIB;
const put = (blob, headers, body) =>
  blob.send('PUT', 'comp=page', { 'x-ms-page-write': 'update', 'x-ms-range': 'bytes=0-511', ...headers }, body);
const clear = (blob, range, headers = {}) =>
  blob.send('PUT', 'comp=page', { 'x-ms-page-write': 'clear', 'x-ms-range': range, ...headers });

export default function define(check) {
  check('update answers with ETag, Last-Modified, sequence number', async () => {
    const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': 9 });
    const answer = (await blob.put(0, bytes(512))).must(201).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-blob-sequence-number': '9', 'x-ms-request-server-encrypted': 'true',
    });
    (await blob.head()).must(200).has({ etag: answer.etag, 'last-modified': answer.headers['last-modified'] });
  });
  check('clear answers with ETag, Last-Modified, sequence number', async () => {
    const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': 9 });
    const answer = (await blob.clear(0, 512)).must(201).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-blob-sequence-number': '9',
    });
    (await blob.head()).must(200).has({ etag: answer.etag });
  });
  check('what is written is read', async () => {
    const blob = await newBlob(16 * KIB);
    (await blob.put(4096, bytes(1536, 1))).must(201);
    (await blob.put(5120, bytes(1024, 2))).must(201);
    (await blob.put(15872, bytes(512, 3))).must(201);
    const expected = Buffer.alloc(16 * KIB);
    bytes(1536, 1).copy(expected, 4096);
    bytes(1024, 2).copy(expected, 5120);
    bytes(512, 3).copy(expected, 15872);
    same((await blob.get()).must(200).body, expected, 'the blob');
  });
  check('what is cleared is zero', async () => {
    const blob = await newBlob(16 * KIB);
    const expected = bytes(16 * KIB);
    (await blob.put(0, expected)).must(201);
    (await blob.clear(512, 512)).must(201);
    (await blob.clear(4096, 8192)).must(201);
    expected.fill(0, 512, 1024).fill(0, 4096, 12288);
    same((await blob.get()).must(200).body, expected, 'the blob');
  });
  check('4 MiB at once', async () => {
    const blob = await newBlob(5 * MIB);
    const data = bytes(4 * MIB);
    (await blob.put(MIB, data)).must(201);
    same((await blob.read(MIB, 4 * MIB)).must(206).body, data, 'the range');
  });
  check('more than 4 MiB at once: 413', async () => {
    const blob = await newBlob(5 * MIB);
    (await blob.put(0, bytes(4 * MIB + 512))).must(413, 'RequestBodyTooLarge');
    is(await blob.ranges(), '', 'ranges');
  });
  check('clear any length at once', async () => {
    const blob = await newBlob(8 * TIB);
    (await blob.put(8 * TIB - 4096, bytes(4096))).must(201);
    (await blob.put(0, bytes(512))).must(201);
    (await blob.clear(512, 8 * TIB - 512)).must(201);
    is(await blob.ranges(), '0+512', 'ranges');
    (await blob.clear(0, 8 * TIB)).must(201);
    is(await blob.ranges(), '', 'ranges');
  });
  check('at the end of 8 TiB', async () => {
    const blob = await newBlob(8 * TIB);
    (await blob.put(8 * TIB - 512, bytes(512))).must(201);
    same((await blob.read(8 * TIB - 512, 512)).must(206).body, bytes(512), 'the last page');
  });
  check('each write has its ETag', async () => {
    const blob = await newBlob();
    const tags = [(await blob.head()).etag];
    for (let i = 0; i < 3; i++) {
      tags.push((await blob.put(0, bytes(512))).must(201).etag, (await blob.clear(0, 512)).must(201).etag);
    }
    is(new Set(tags).size, tags.length, 'different ETags');
  });
  check('x-ms-range goes before Range', async () => {
    const blob = await newBlob();
    (await put(blob, { range: 'bytes=1024-1535' }, bytes(512))).must(201);
    is(await blob.ranges(), '0+512', 'ranges');
    (await put(blob, { 'x-ms-range': null, range: 'bytes=1024-1535' }, bytes(512))).must(201);
    is(await blob.ranges(), '0+512 1024+512', 'ranges');
  });
  check('Content-Type and such of a write are not the blob\'s', async () => {
    const blob = await newBlob(4096, { 'x-ms-blob-content-type': 'a/b' });
    (await blob.put(0, bytes(512), { 'content-type': 'c/d' })).must(201);
    (await blob.head()).must(200).has({ 'content-type': 'a/b' });
  });

  for (const [what, range, length] of [
    ['a start that is no multiple of 512', 'bytes=1-512', 512],
    ['an end that is none', 'bytes=0-510', 511],
    ['a start behind the end', 'bytes=512-511', 512],
    ['no end', 'bytes=0-', 512],
    ['no start', 'bytes=-512', 512],
    ['two ranges', 'bytes=0-511,1024-1535', 1024],
    ['another unit', 'pages=0-511', 512],
    ['nothing of a range', 'x', 512],
    ['more than 64 bits', 'bytes=0-99999999999999999999999', 512],
  ]) {
    check(`a range with ${what}: refused`, async () => {
      const blob = await newBlob();
      (await put(blob, { 'x-ms-range': range }, bytes(length))).must([400, 413, 416]);
      (await clear(blob, range)).must([400, 416]);
      is(await blob.ranges(), '', 'ranges');
    });
  }
  check('no range: 400', async () => {
    (await put(await newBlob(), { 'x-ms-range': null }, bytes(512))).must(400, ['MissingRequiredHeader', 'InvalidHeaderValue']);
  });
  check('beyond the end: 416', async () => {
    const blob = await newBlob(4096);
    (await blob.put(4096, bytes(512))).must(416, 'InvalidPageRange');
    (await blob.put(3584, bytes(1024))).must(416, 'InvalidPageRange');
    (await blob.clear(4096, 512)).must(416, 'InvalidPageRange');
    (await blob.clear(0, 4608)).must(416, 'InvalidPageRange');
    is(await blob.ranges(), '', 'ranges');
  });
  check('a body that is not as long as the range: 400', async () => {
    const blob = await newBlob();
    (await put(blob, { 'x-ms-range': span(0, 1024) }, bytes(512))).must(400);
    (await put(blob, { 'x-ms-range': span(0, 512) }, bytes(1024))).must(400);
    (await put(blob, { 'x-ms-range': span(0, 512) }, Buffer.alloc(0))).must(400);
    is(await blob.ranges(), '', 'ranges');
  });
  check('clear with a body: 400', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201);
    (await blob.send('PUT', 'comp=page', { 'x-ms-page-write': 'clear', 'x-ms-range': span(0, 512) }, bytes(512)))
      .must(400);
    is(await blob.ranges(), '0+512', 'ranges');
  });
  check('no x-ms-page-write: 400', async () => {
    (await put(await newBlob(), { 'x-ms-page-write': null }, bytes(512))).must(400, 'MissingRequiredHeader');
  });
  check('x-ms-page-write that is none: 400', async () => {
    (await put(await newBlob(), { 'x-ms-page-write': 'append' }, bytes(512))).must(400, 'InvalidHeaderValue');
  });
  check('x-ms-page-write may be written in any case', async () => {
    const blob = await newBlob();
    (await put(blob, { 'x-ms-page-write': 'Update' }, bytes(512))).must(201);
    (await clear(blob, span(0, 512), { 'x-ms-page-write': 'Clear' })).must(201);
  });
  check('writes at once: each whole', async () => {
    const blob = await newBlob(64 * KIB);
    const answers = await Promise.all(Array.from({ length: 16 }, (_, i) => blob.put((i % 4) * 4096, bytes(4096, i))));
    answers.forEach((answer) => answer.must(201));
    is(new Set(answers.map((answer) => answer.etag)).size, 16, 'different ETags');
    const { body } = (await blob.read(0, 4 * 4096)).must(206);
    for (let i = 0; i < 4; i++) {
      const piece = body.subarray(i * 4096, (i + 1) * 4096);
      ok([0, 4, 8, 12].some((n) => piece.equals(bytes(4096, i + n))), `piece ${i} is of no single write`);
    }
  });
  check('Last-Modified does not go back', async () => {
    const blob = await newBlob();
    let last = 0;
    for (let i = 0; i < 5; i++) {
      const time = Date.parse((await blob.put(0, bytes(512))).must(201).headers['last-modified']);
      ok(time >= last, 'it went back');
      last = time;
    }
  });
}
