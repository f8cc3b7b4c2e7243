// SPDX-License-Identifier: MIT
//
// "Set Blob Properties" (resizing and the sequence number with it), "Set Blob
// Metadata", "Get Blob Metadata".

import { bytes, is, newBlob, newContainer, ok, same } from './objects.mjs';
import { serviceSas } from './sas.mjs';

const number = (answer) => answer.headers['x-ms-blob-sequence-number'];
const sequence = (action, value) => ({
  'x-ms-sequence-number-action': action, 'x-ms-blob-sequence-number': value,
});

export default function define(check) {
  check('properties are set together: those not given are cleared', async () => {
    const blob = await newBlob(512, {
      'x-ms-blob-content-type': 'a/b', 'x-ms-blob-content-encoding': 'ce', 'x-ms-blob-content-language': 'cl',
      'x-ms-blob-cache-control': 'cc', 'x-ms-blob-content-disposition': 'cd',
      'x-ms-blob-content-md5': 'Q2hlY2sgSW50ZWdyaXR5IQ==',
    });
    (await blob.setProperties({ 'x-ms-blob-cache-control': 'new' })).must(200)
      .has({ etag: /^"/, 'last-modified': /GMT$/, 'x-ms-blob-sequence-number': '0' });
    (await blob.head()).must(200).has({
      'cache-control': 'new', 'content-encoding': null, 'content-language': null, 'content-disposition': null,
      'content-md5': null,
    });
  });
  check('size and sequence number alone leave the others', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-content-type': 'a/b', 'x-ms-blob-cache-control': 'cc', 'x-ms-meta-m': 'n' });
    (await blob.setProperties({ 'x-ms-blob-content-length': 1024 })).must(200);
    (await blob.setProperties(sequence('update', 3))).must(200);
    (await blob.head()).must(200).has({
      'content-type': 'a/b', 'cache-control': 'cc', 'content-length': '1024', 'x-ms-blob-sequence-number': '3', 'x-ms-meta-m': 'n',
    });
  });
  check('a change changes the ETag', async () => {
    const blob = await newBlob();
    const tags = [(await blob.head()).etag];
    for (const headers of [{ 'x-ms-blob-content-length': 1024 }, sequence('increment'), { 'x-ms-blob-content-type': 'a/b' }]) {
      tags.push((await blob.setProperties(headers)).must(200).etag);
      is((await blob.head()).etag, tags.at(-1), 'the ETag afterwards');
    }
    is(new Set(tags).size, tags.length, 'different ETags');
  });

  for (const md5 of ['x', '!!!!', 'YWJj', 'Q2hlY2sgSW50ZWdyaXR5IQ', 'Q2hlY2sgSW50ZWdyaXR5IQ==x', 'MDEyMzQ1Njc4OWFiY2RlZjA=', '0123456789abcdef0123456789abcdef']) {
    check(`no x-ms-blob-content-md5 of ${md5}: 400, and nothing changes`, async () => {
      const blob = await newBlob(512, { 'x-ms-blob-content-md5': 'Q2hlY2sgSW50ZWdyaXR5IQ==' });
      (await blob.setProperties({ 'x-ms-blob-content-md5': md5 })).must(400, ['InvalidMd5', 'InvalidHeaderValue']);
      (await blob.setProperties({ 'x-ms-blob-content-md5': md5, 'x-ms-blob-content-length': 1024 })).must(400, ['InvalidMd5', 'InvalidHeaderValue']);
      (await blob.create(1024, { 'x-ms-blob-content-md5': md5 })).must(400, 'InvalidMd5');
      (await blob.head()).must(200).has({ 'content-md5': 'Q2hlY2sgSW50ZWdyaXR5IQ==', 'content-length': '512' });
    });
  }

  check('resize: what is new is zero, what is beyond the end is gone', async () => {
    const blob = await newBlob(1024);
    const data = bytes(1024);
    (await blob.put(0, data)).must(201);
    (await blob.setProperties({ 'x-ms-blob-content-length': 2048 })).must(200);
    same((await blob.get()).must(200).body, Buffer.concat([data, Buffer.alloc(1024)]), 'after growing');
    (await blob.setProperties({ 'x-ms-blob-content-length': 512 })).must(200);
    (await blob.head()).must(200).has({ 'content-length': '512' });
    is(await blob.ranges(), '0+512', 'ranges after shrinking');
    (await blob.setProperties({ 'x-ms-blob-content-length': 2048 })).must(200);
    same((await blob.get()).must(200).body, Buffer.concat([data.subarray(0, 512), Buffer.alloc(1536)]), 'after growing again');
    is(await blob.ranges(), '0+512', 'ranges after growing again');
  });
  check('resize to nothing', async () => {
    const blob = await newBlob(1024);
    (await blob.put(0, bytes(1024))).must(201);
    (await blob.setProperties({ 'x-ms-blob-content-length': 0 })).must(200);
    is((await blob.get()).must(200).body.length, 0, 'bytes');
  });
  for (const size of [1, 513, -512, 'x', 8 * 2 ** 40 + 512]) {
    check(`resize to ${size}: 400`, async () => {
      const blob = await newBlob(1024);
      (await blob.setProperties({ 'x-ms-blob-content-length': size })).must(400);
      (await blob.head()).must(200).has({ 'content-length': '1024' });
    });
  }

  check('sequence number: max takes the higher', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-sequence-number': 5 });
    is(number((await blob.setProperties(sequence('max', 7))).must(200)), '7', 'after max 7');
    is(number((await blob.setProperties(sequence('max', 6))).must(200)), '7', 'after max 6');
    is(number((await blob.head()).must(200)), '7', 'afterwards');
  });
  check('sequence number: update takes any', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-sequence-number': 5 });
    is(number((await blob.setProperties(sequence('update', 3))).must(200)), '3', 'after update 3');
    is(number((await blob.setProperties(sequence('update', 9))).must(200)), '9', 'after update 9');
  });
  check('sequence number: increment adds one', async () => {
    const blob = await newBlob(512, { 'x-ms-blob-sequence-number': 5 });
    is(number((await blob.setProperties(sequence('increment'))).must(200)), '6', 'after increment');
    is(number((await blob.setProperties(sequence('increment'))).must(200)), '7', 'after another');
  });
  check('sequence number: the highest is 2^63 - 1', async () => {
    const blob = await newBlob();
    (await blob.setProperties(sequence('max', '9223372036854775807'))).must(200);
    is(number((await blob.head()).must(200)), '9223372036854775807', 'afterwards');
    (await blob.setProperties(sequence('update', '9223372036854775808'))).must(400, 'InvalidHeaderValue');
    (await blob.setProperties(sequence('increment'))).must(409, 'SequenceNumberIncrementTooLarge');
  });
  for (const [what, headers] of Object.entries({
    'increment with a number': sequence('increment', 1),
    'max without a number': sequence('max'),
    'update without a number': sequence('update'),
    'a number without an action': { 'x-ms-blob-sequence-number': 1 },
    'an action that is none': sequence('add', 1),
    'a number below zero': sequence('max', -1),
    'a number that is none': sequence('max', 'x'),
  })) {
    check(`sequence number: ${what}: 400`, async () => {
      const blob = await newBlob(512, { 'x-ms-blob-sequence-number': 5 });
      (await blob.setProperties(headers)).must(400);
      is(number((await blob.head()).must(200)), '5', 'afterwards');
    });
  }

  check('metadata: set, got, replaced, taken away', async () => {
    const blob = await newBlob(512, { 'x-ms-meta-a': '1' });
    (await blob.metadata()).must(200).has({ 'x-ms-meta-a': '1', etag: /^"/, 'last-modified': /GMT$/ });
    const { etag } = (await blob.setMetadata({ 'x-ms-meta-b': 'two words', 'x-ms-meta-C_3': '3' })).must(200)
      .has({ etag: /^"/, 'last-modified': /GMT$/, 'x-ms-request-server-encrypted': 'true' });
    const expected = { 'x-ms-meta-a': null, 'x-ms-meta-b': 'two words', 'x-ms-meta-c_3': '3', etag };
    (await blob.metadata()).must(200).has(expected);
    (await blob.send('HEAD', 'comp=metadata')).must(200).has(expected);
    (await blob.head()).must(200).has(expected);
    (await blob.setMetadata()).must(200);
    (await blob.metadata()).must(200).has({ 'x-ms-meta-b': null });
  });
  check('metadata: writing pages leaves it', async () => {
    const blob = await newBlob(512, { 'x-ms-meta-a': '1' });
    (await blob.put(0, bytes(512))).must(201);
    (await blob.head()).must(200).has({ 'x-ms-meta-a': '1' });
  });
  check('metadata: an empty value', async () => {
    const answer = await (await newBlob()).setMetadata({ 'x-ms-meta-a': '' });
    ok([200, 400].includes(answer.status), `${answer.status}`);
  });
  check('metadata: 8 KiB in all, and no more', async () => {
    const blob = await newBlob();
    const names = (n) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`x-ms-meta-n${i}`, 'v'.repeat(1000)]));
    (await blob.setMetadata(names(8))).must(200);
    (await blob.setMetadata(names(9))).must(400, 'MetadataTooLarge');
    (await blob.head()).must(200).has({ 'x-ms-meta-n7': /^v{1000}$/, 'x-ms-meta-n8': null });
  });
  for (const name of ['1a', 'a-b', 'a.b']) {
    check(`metadata: no name ${name}: 400`, async () => {
      (await (await newBlob()).setMetadata({ [`x-ms-meta-${name}`]: 'v' })).must(400, 'InvalidMetadata');
    });
  }
  check('metadata: names keep their case, and are found in any', async () => {
    const container = await newContainer();
    const blob = container.blob('b');
    (await blob.create(512)).must(201);
    const sent = (pairs) => blob.with(serviceSas(blob, { sp: 'rw' }), { also: pairs });
    (await sent([['x-ms-meta-MyName', 'v'], ['X-Ms-Meta-other_1', 'w']]).setMetadata()).must(200);
    for (const answer of [await blob.metadata(), await blob.head(), await blob.get()]) {
      is(answer.must(200).names.filter((name) => /^x-ms-meta-/i.test(name)).sort().join(' '),
        'x-ms-meta-MyName x-ms-meta-other_1', 'names');
    }
    const list = (await container.list('include=metadata')).must(200).xml;
    is(list.one('Blobs').one('Blob').one('Metadata').children.map(({ name }) => name).sort().join(' '), 'MyName other_1', 'names in the list');
    const copy = container.blob('copy');
    (await copy.copy(blob.url())).must(202);
    ok((await copy.copied()).names.includes('x-ms-meta-MyName'), 'not in the copy');
    ok((await (await blob.snap()).head()).names.includes('x-ms-meta-MyName'), 'not in the snapshot');
  });
  check('metadata: the same name twice, in whatever case: 400', async () => {
    const blob = await newBlob(512, { 'x-ms-meta-kept': '1' });
    const sent = (pairs) => blob.with(serviceSas(blob, { sp: 'rw' }), { also: pairs });
    for (const names of [['a', 'A'], ['MyName', 'myname'], ['Ab', 'x', 'aB']]) {
      (await sent(names.map((name, i) => [`x-ms-meta-${name}`, i])).setMetadata()).must(400, 'InvalidMetadata');
    }
    (await blob.head()).must(200).has({ 'x-ms-meta-kept': '1', 'x-ms-meta-a': null });
  });
  for (const name of ['1A', 'A-b', 'A.B', 'a!', 'a$', "a'b", 'a~']) {
    check(`metadata: no name ${name}: 400, and nothing changes`, async () => {
      const blob = await newBlob(512, { 'x-ms-meta-kept': '1' });
      const sent = blob.with(serviceSas(blob, { sp: 'racw' }), { also: [[`x-ms-meta-${name}`, 'v']] });
      (await sent.setMetadata()).must(400, 'InvalidMetadata');
      (await sent.create(1024)).must(400, 'InvalidMetadata');
      (await blob.head()).must(200).has({ 'x-ms-meta-kept': '1', 'content-length': '512' });
    });
  }
  check('metadata: an empty name: 400', async () => {
    (await (await newBlob()).setMetadata({ 'x-ms-meta-': 'v' })).must(400, 'EmptyMetadataKey');
  });
}
