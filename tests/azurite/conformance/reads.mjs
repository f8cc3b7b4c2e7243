// SPDX-License-Identifier: MIT
//
// "Get Blob", "Specifying the Range header for Blob service operations".

import { KIB, MIB, bytes, is, newBlob, ok, same } from './objects.mjs';

async function filled(size = 4096) {
  const blob = await newBlob(size);
  const data = bytes(size);
  (await blob.put(0, data)).must(201);
  return { blob, data };
}

export default function define(check) {
  check('a whole blob', async () => {
    const { blob, data } = await filled();
    const { headers } = (await blob.head()).must(200);
    const answer = (await blob.get()).must(200).has({
      'content-length': '4096', 'content-range': null, etag: headers.etag, 'last-modified': headers['last-modified'],
      'x-ms-blob-type': 'PageBlob', 'x-ms-blob-sequence-number': '0', 'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
    });
    same(answer.body, data, 'the blob');
  });
  for (const name of ['range', 'x-ms-range']) {
    check(`${name}: from the middle, at any byte`, async () => {
      const { blob, data } = await filled();
      const answer = (await blob.get({ [name]: 'bytes=100-1999' })).must(206).has({
        'content-range': 'bytes 100-1999/4096', 'content-length': '1900', etag: /^"/,
      });
      same(answer.body, data.subarray(100, 2000), 'the range');
    });
    check(`${name}: one byte`, async () => {
      const { blob, data } = await filled();
      same((await blob.get({ [name]: 'bytes=4095-4095' })).must(206).body, data.subarray(4095), 'the byte');
    });
    check(`${name}: to the end`, async () => {
      const { blob, data } = await filled();
      const answer = (await blob.get({ [name]: 'bytes=1000-' })).must(206).has({ 'content-range': 'bytes 1000-4095/4096' });
      same(answer.body, data.subarray(1000), 'the range');
    });
    check(`${name}: beyond the end is cut`, async () => {
      const { blob, data } = await filled();
      const answer = (await blob.get({ [name]: 'bytes=4000-9999' })).must(206).has({
        'content-range': 'bytes 4000-4095/4096', 'content-length': '96',
      });
      same(answer.body, data.subarray(4000), 'the range');
    });
    check(`${name}: from beyond the end: 416`, async () => {
      const { blob } = await filled();
      (await blob.get({ [name]: 'bytes=4096-' })).must(416, 'InvalidRange').has({ 'content-range': 'bytes */4096' });
      (await blob.get({ [name]: 'bytes=9999-19999' })).must(416, 'InvalidRange').has({ 'content-range': 'bytes */4096' });
    });
    for (const range of ['bytes=0--1', 'bytes=-5', 'bytes=-', 'bytes=', 'bytes', '5-9', 'items=0-5', 'bytes=0-1,4-5', 'bytes=9-5',
      'bytes=x-y', 'bytes=1-x', 'bytes= 0-1', 'bytes=0-1;', 'bytes=1.5-9', 'bytes=0x1-9', 'bytes=+1-9',
      'bytes=99999999999999999999999-']) {
      check(`malformed ${name}, ${range}: the whole blob`, async () => {
        const { blob, data } = await filled();
        same((await blob.get({ [name]: range })).must(200).has({ 'content-range': null }).body, data, 'the blob');
        is(await blob.ranges('', { [name]: range }), '0+4096', 'page ranges');
      });
    }
    check(`${name}: all of it is 206 too`, async () => {
      const { blob } = await filled();
      (await blob.get({ [name]: 'bytes=0-4095' })).must(206).has({ 'content-range': 'bytes 0-4095/4096' });
    });
  }
  // RFC 9110, 13.1.5
  check('If-Range: the range of this version, all of another', async () => {
    const { blob, data } = await filled();
    const { etag, headers } = await blob.head();
    const get = (value) => blob.get({ range: 'bytes=10-19', 'if-range': value });
    for (const same of [etag, headers['last-modified']]) {
      (await get(same)).must(206).has({ 'content-range': 'bytes 10-19/4096' });
    }
    for (const other of ['"0x1"', `W/${etag}`, 'Fri, 01 Jan 2010 00:00:00 GMT', 'x y', '*']) {
      is((await get(other)).must(200).has({ 'content-range': null }).body.length, data.length, `bytes, if ${other}`);
    }
    (await blob.get({ range: 'bytes=4096-', 'if-range': '"0x1"' })).must(200);
    (await blob.get({ 'if-range': '"0x1"' })).must(200);
  });
  check('x-ms-range goes before Range', async () => {
    const { blob, data } = await filled();
    same((await blob.get({ 'x-ms-range': 'bytes=0-9', range: 'bytes=10-19' })).must(206).body, data.subarray(0, 10), 'the range');
  });
  check('of nothing: 416', async () => {
    const blob = await newBlob(0);
    (await blob.get({ range: 'bytes=0-0' })).must(416, 'InvalidRange').has({ 'content-range': 'bytes */0' });
    (await blob.get({ range: 'bytes=0--1' })).must(200).has({ 'content-length': '0' });
  });
  check('an empty blob', async () => {
    is((await (await newBlob(0)).get()).must(200).has({ 'content-length': '0' }).body.length, 0, 'bytes');
  });
  check('what was never written is zero', async () => {
    const blob = await newBlob(64 * KIB);
    (await blob.put(32 * KIB, bytes(512))).must(201);
    const expected = Buffer.alloc(64 * KIB);
    bytes(512).copy(expected, 32 * KIB);
    same((await blob.get()).must(200).body, expected, 'the blob');
    ok((await blob.read(0, 32 * KIB)).must(206).body.every((byte) => byte === 0), 'something else');
  });
  check('16 MiB at once', async () => {
    const blob = await newBlob(16 * MIB);
    for (let i = 0; i < 4; i++) {
      (await blob.put(i * 4 * MIB, bytes(4 * MIB, i))).must(201);
    }
    const { body } = (await blob.get()).must(200);
    for (let i = 0; i < 4; i++) {
      same(body.subarray(i * 4 * MIB, (i + 1) * 4 * MIB), bytes(4 * MIB, i), `the part ${i}`);
    }
  });
  check('HEAD has the headers and no body', async () => {
    const { blob } = await filled();
    const answer = (await blob.head()).must(200).has({ 'content-length': '4096' });
    is(answer.body.length, 0, 'bytes');
  });
  check('a sequence number in the answer', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-sequence-number': 4 });
    (await blob.read(0, 512)).must(206).has({ 'x-ms-blob-sequence-number': '4' });
  });
}
