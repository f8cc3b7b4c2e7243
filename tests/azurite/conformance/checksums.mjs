// SPDX-License-Identifier: MIT
//
// MD5 and CRC64, of what is sent and of ranges that are read.

import { crc64 } from './crc64.mjs';
import { MIB, bytes, is, md5, newBlob } from './objects.mjs';

const OTHER = bytes(512, 2);
const STORED = 'Q2hlY2sgSW50ZWdyaXR5IQ==';

export default function define(check) {
  check('this suite\'s own CRC64 is right', () => {
    is(Buffer.from(crc64(Buffer.from('123456789')), 'base64').reverse().toString('hex'), 'ae8b14860a799888', 'CRC64');
  });

  check('Put Page with the right MD5', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'content-md5': md5(bytes(512)) })).must(201)
      .has({ 'content-md5': md5(bytes(512)) });
  });
  check('Put Page with a wrong MD5: 400, and nothing is written', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'content-md5': md5(OTHER) })).must(400, 'Md5Mismatch');
    is(await blob.ranges(), '', 'ranges');
  });
  check('Put Page with an MD5 that is none: 400', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'content-md5': 'YWJj' })).must(400, 'InvalidMd5');
    (await blob.put(0, bytes(512), { 'content-md5': '!' })).must(400, ['InvalidMd5', 'InvalidHeaderValue']);
    is(await blob.ranges(), '', 'ranges');
  });
  check('Put Page with the right CRC64', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'x-ms-content-crc64': crc64(bytes(512)) })).must(201)
      .has({ 'x-ms-content-crc64': crc64(bytes(512)) });
  });
  check('Put Page with a wrong CRC64: 400, and nothing is written', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'x-ms-content-crc64': crc64(OTHER) })).must(400, 'Crc64Mismatch');
    is(await blob.ranges(), '', 'ranges');
  });
  check('Put Page with a CRC64 that is none: 400', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'x-ms-content-crc64': 'YWJj' })).must(400);
    is(await blob.ranges(), '', 'ranges');
  });
  check('Put Page with both: 400', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512), { 'content-md5': md5(bytes(512)), 'x-ms-content-crc64': crc64(bytes(512)) }))
      .must(400, 'BothCrc64AndMd5HeaderPresent');
    is(await blob.ranges(), '', 'ranges');
  });
  check('Put Page with neither answers with the CRC64', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512))).must(201).has({ 'x-ms-content-crc64': crc64(bytes(512)), 'content-md5': null });
  });

  for (const [name, request, answer, digest] of [
    ['MD5', 'x-ms-range-get-content-md5', 'content-md5', md5],
    ['CRC64', 'x-ms-range-get-content-crc64', 'x-ms-content-crc64', crc64],
  ]) {
    check(`the ${name} of a range`, async () => {
      const blob = await newBlob(4096);
      const data = Buffer.concat([bytes(2048), Buffer.alloc(2048)]);
      (await blob.put(0, bytes(2048))).must(201);
      (await blob.read(0, 4096, { [request]: 'true' })).must(206).has({ [answer]: digest(data) });
      (await blob.read(7, 2345, { [request]: 'true' })).must(206).has({ [answer]: digest(data.subarray(7, 2352)) });
      (await blob.get({ range: 'bytes=100-9999', [request]: 'true' })).must(206).has({ [answer]: digest(data.subarray(100)) });
    });
    check(`the ${name} of 4 MiB, and of no more: 400`, async () => {
      const blob = await newBlob(5 * MIB);
      (await blob.read(0, 4 * MIB, { [request]: 'true' })).must(206).has({ [answer]: digest(Buffer.alloc(4 * MIB)) });
      (await blob.read(0, 4 * MIB + 1, { [request]: 'true' })).must(400);
    });
    check(`the ${name} without a range: 400`, async () => {
      (await (await newBlob()).get({ [request]: 'true' })).must(400);
    });
    check(`no ${name} where it was not asked for`, async () => {
      (await (await newBlob()).read(0, 512, { [request]: 'false' })).must(206).has({ [answer]: null });
    });
  }
  check('both of a range: 400', async () => {
    (await (await newBlob()).read(0, 512, {
      'x-ms-range-get-content-md5': 'true', 'x-ms-range-get-content-crc64': 'true',
    })).must(400);
  });
  check('the MD5 that was stored: Content-MD5 of a whole blob, x-ms-blob-content-md5 of a range', async () => {
    const blob = await newBlob(1024, { 'x-ms-blob-content-md5': STORED });
    (await blob.get()).must(200).has({ 'content-md5': STORED });
    (await blob.head()).must(200).has({ 'content-md5': STORED });
    (await blob.read(0, 512)).must(206).has({ 'x-ms-blob-content-md5': STORED, 'content-md5': null });
    (await blob.read(0, 512, { 'x-ms-range-get-content-md5': 'true' })).must(206)
      .has({ 'x-ms-blob-content-md5': STORED, 'content-md5': md5(Buffer.alloc(512)) });
  });
}
