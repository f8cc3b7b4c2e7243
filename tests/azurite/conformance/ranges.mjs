// SPDX-License-Identifier: MIT
//
// "Get Page Ranges".

import { bytes, is, newBlob, ok } from './objects.mjs';

export default function define(check) {
  check('none of a new blob', async () => {
    const blob = await newBlob(4096);
    const { headers } = (await blob.head()).must(200);
    const answer = (await blob.pageList()).must(200).has({
      'x-ms-blob-content-length': '4096', etag: headers.etag, 'last-modified': headers['last-modified'],
      'content-type': /^application\/xml/,
    });
    is(answer.xml.name, 'PageList', 'the document');
    is(answer.xml.all('PageRange').length, 0, 'ranges');
  });
  check('what was written, in order', async () => {
    const blob = await newBlob(65536);
    for (const [offset, length] of [[8192, 512], [0, 512], [61440, 4096], [1024, 1024], [512, 512]]) {
      (await blob.put(offset, bytes(length))).must(201);
    }
    is(await blob.ranges(), '0+2048 8192+512 61440+4096', 'ranges');
  });
  check('they do not overlap', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(4096))).must(201);
    (await blob.put(2048, bytes(4096))).must(201);
    let end = -1;
    for (const range of (await blob.pageList()).must(200).xml.all('PageRange')) {
      ok(Number(range.at('Start')) > end, 'they do');
      end = Number(range.at('End'));
    }
    is(end, 6143, 'the end');
  });
  check('what was cleared is not there', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(65536))).must(201);
    (await blob.clear(512, 512)).must(201);
    (await blob.clear(4096, 57344)).must(201);
    is(await blob.ranges(), '0+512 1024+3072 61440+4096', 'ranges');
  });
  check('zeros that were written are there', async () => {
    const blob = await newBlob(4096);
    (await blob.put(1024, Buffer.alloc(512))).must(201);
    is(await blob.ranges(), '1024+512', 'ranges');
  });
  for (const name of ['range', 'x-ms-range']) {
    check(`within a ${name}`, async () => {
      const blob = await newBlob(65536);
      (await blob.put(0, bytes(4096))).must(201);
      (await blob.put(8192, bytes(4096))).must(201);
      (await blob.put(32768, bytes(4096))).must(201);
      is(await blob.ranges('', { [name]: 'bytes=8192-16383' }), '8192+4096', 'ranges');
      is(await blob.ranges('', { [name]: 'bytes=12288-20479' }), '', 'ranges');
      is(await blob.ranges('', { [name]: 'bytes=2048-10239' }), '2048+2048 8192+2048', 'cut to what was asked for');
      is(await blob.ranges('', { [name]: 'bytes=32768-' }), '32768+4096', 'ranges');
      is(await blob.ranges('', { [name]: 'bytes=0-99999999' }), '0+4096 8192+4096 32768+4096', 'ranges');
    });
  }
  check('from beyond the end: 416', async () => {
    (await (await newBlob(4096)).pageList('', { range: 'bytes=4096-8191' })).must(416, 'InvalidRange');
  });
  check('of a snapshot: as they were', async () => {
    const blob = await newBlob(65536);
    (await blob.put(0, bytes(512))).must(201);
    const snapshot = await blob.snap();
    (await blob.put(4096, bytes(512))).must(201);
    (await blob.clear(0, 512)).must(201);
    is(await snapshot.ranges(), '0+512', 'of the snapshot');
    is(await blob.ranges(), '4096+512', 'of the blob');
  });
  check('many', async () => {
    const blob = await newBlob(512 * 400);
    const expected = [];
    for (let i = 0; i < 200; i += 10) {
      await Promise.all(Array.from({ length: 10 }, async (_, j) => {
        (await blob.put((i + j) * 1024, bytes(512))).must(201);
      }));
    }
    for (let i = 0; i < 200; i++) {
      expected.push(`${i * 1024}+512`);
    }
    is(await blob.ranges(), expected.join(' '), 'ranges');
  });
  check('in parts, with maxresults and marker', async () => {
    const blob = await newBlob(65536);
    for (let i = 0; i < 5; i++) {
      (await blob.put(i * 4096, bytes(512))).must(201);
    }
    const seen = [];
    let marker = '';
    do {
      const { xml } = (await blob.pageList(`maxresults=2${marker && `&marker=${encodeURIComponent(marker)}`}`)).must(200);
      const part = xml.all('PageRange').map((range) => Number(range.at('Start')));
      ok(part.length <= 2, `${part.length} in a part of 2`);
      seen.push(...part);
      marker = xml.at('NextMarker') ?? '';
    } while (marker && seen.length < 20);
    is(seen.join(), '0,4096,8192,12288,16384', 'the starts');
  });
}
