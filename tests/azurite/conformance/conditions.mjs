// SPDX-License-Identifier: MIT
//
// "Specifying conditional headers for Blob service operations", and the three
// conditions on the sequence number of "Put Page".

import { bytes, is, newBlob, noBlob } from './objects.mjs';

const LONG_AGO = 'Fri, 01 Jan 2010 00:00:00 GMT';
const soon = () => new Date(Date.now() + 3600_000).toUTCString();
const OTHER = '"0x8D0000000000001"';

const READS = {
  'Get Blob': (blob, h) => blob.get(h),
  'Get Blob (range)': (blob, h) => blob.read(0, 512, h),
  'Get Blob Properties': (blob, h) => blob.head(h),
  'Get Blob Metadata': (blob, h) => blob.metadata(h),
  'Get Page Ranges': (blob, h) => blob.pageList('', h),
};
const WRITES = {
  'Put Blob': (blob, h) => blob.create(4096, h),
  'Put Page': (blob, h) => blob.put(0, bytes(512), h),
  'Clear Pages': (blob, h) => blob.clear(0, 512, h),
  'Set Blob Properties': (blob, h) => blob.setProperties({ 'x-ms-blob-content-type': 'a/b', ...h }),
  'Set Blob Metadata': (blob, h) => blob.setMetadata({ 'x-ms-meta-a': 'b', ...h }),
  'Lease Blob': (blob, h) => blob.lease('acquire', { 'x-ms-lease-duration': -1, ...h }),
  'Snapshot Blob': (blob, h) => blob.snapshot(h),
  'Delete Blob': (blob, h) => blob.delete(h),
};

// A condition, and whether it holds. "read" is what a read answers when not.
const CASES = [
  ['If-Match, the ETag', (etag) => ({ 'if-match': etag }), true],
  ['If-Match, any', () => ({ 'if-match': '*' }), true],
  ['If-Match, another', () => ({ 'if-match': OTHER }), false, 412],
  ['If-None-Match, another', () => ({ 'if-none-match': OTHER }), true],
  ['If-None-Match, the ETag', (etag) => ({ 'if-none-match': etag }), false, 304],
  ['If-Modified-Since, before', () => ({ 'if-modified-since': LONG_AGO }), true],
  ['If-Modified-Since, Last-Modified', (_, date) => ({ 'if-modified-since': date }), false, 304],
  ['If-Unmodified-Since, Last-Modified', (_, date) => ({ 'if-unmodified-since': date }), true],
  ['If-Unmodified-Since, before', () => ({ 'if-unmodified-since': LONG_AGO }), false, 412],
];

export default function define(check) {
  for (const [name, use] of Object.entries({ ...READS, ...WRITES })) {
    for (const [what, make, holds, read] of CASES) {
      const refusal = Object.hasOwn(READS, name) ? read : 412;
      check(`${name}: ${what}${holds ? '' : `: ${refusal}`}`, async () => {
        const blob = await newBlob(4096);
        const { etag, headers } = (await blob.head()).must(200);
        const answer = await use(blob, make(etag, headers['last-modified']));
        if (holds) {
          answer.must([200, 201, 202, 206]);
        } else {
          answer.must(refusal, refusal === 304 ? undefined : 'ConditionNotMet');
          is((await blob.head()).etag, etag, 'the ETag afterwards');
          is(await blob.leaseState(), 'available', 'the lease afterwards');
        }
      });
    }
  }
  check('304 has no body', async () => {
    const blob = await newBlob();
    const { etag } = await blob.head();
    is((await blob.get({ 'if-none-match': etag })).must(304).body.length, 0, 'bytes');
  });
  check('reads of what is not there: 404, whatever the condition', async () => {
    const blob = await noBlob();
    (await blob.get({ 'if-match': '*' })).must(404, 'BlobNotFound');
    (await blob.get({ 'if-none-match': OTHER })).must(404, 'BlobNotFound');
    (await blob.head({ 'if-modified-since': soon() })).must(404, 'BlobNotFound');
  });
  check('reads with If-None-Match: *: 400', async () => {
    (await (await newBlob()).get({ 'if-none-match': '*' })).must(400, 'UnsatisfiableCondition');
  });
  check('a date that is none: 400', async () => {
    (await (await newBlob()).get({ 'if-modified-since': 'yesterday' })).must(400, 'InvalidHeaderValue');
    (await (await newBlob()).put(0, bytes(512), { 'if-unmodified-since': 'tomorrow' })).must(400, 'InvalidHeaderValue');
  });
  check('If-Match and If-Unmodified-Since must both hold', async () => {
    const blob = await newBlob();
    const { etag } = await blob.head();
    (await blob.get({ 'if-match': etag, 'if-unmodified-since': LONG_AGO })).must(412);
    (await blob.get({ 'if-match': OTHER, 'if-unmodified-since': soon() })).must(412);
    (await blob.get({ 'if-match': etag, 'if-unmodified-since': soon() })).must(200);
  });
  check('If-None-Match and If-Modified-Since: both fail, none is done', async () => {
    const blob = await newBlob();
    const { etag, headers } = await blob.head();
    (await blob.get({ 'if-none-match': etag, 'if-modified-since': headers['last-modified'] })).must(304);
    (await blob.get({ 'if-none-match': OTHER, 'if-modified-since': LONG_AGO })).must(200);
  });
  combinations(check);
  etags(check);
  check('a write by one who saw an older version: refused', async () => {
    const blob = await newBlob();
    const { etag } = await blob.head();
    const mine = (await blob.put(0, bytes(512), { 'if-match': etag })).must(201).etag;
    (await blob.put(0, bytes(512, 2), { 'if-match': etag })).must(412, 'ConditionNotMet');
    (await blob.put(0, bytes(512, 2), { 'if-match': mine })).must(201);
  });

  sequence(check);
}

// Since 2013-08-15: If-Match && If-Unmodified-Since && (If-None-Match || If-Modified-Since)
function combinations(check) {
  for (const name of ['Get Blob', 'Get Blob Properties']) {
    check(`${name}: any combination`, async () => {
      const blob = await newBlob();
      const { etag, headers } = await blob.head();
      const date = headers['last-modified'];
      for (const [status, four] of [
        [200, { 'if-match': etag, 'if-none-match': OTHER }],
        [304, { 'if-match': etag, 'if-none-match': etag }],
        [412, { 'if-match': OTHER, 'if-none-match': etag }],
        [200, { 'if-match': etag, 'if-modified-since': LONG_AGO }],
        [304, { 'if-match': etag, 'if-modified-since': date }],
        [200, { 'if-unmodified-since': date, 'if-modified-since': LONG_AGO }],
        [412, { 'if-unmodified-since': LONG_AGO, 'if-none-match': OTHER }],
        [200, { 'if-match': etag, 'if-unmodified-since': date, 'if-none-match': etag, 'if-modified-since': LONG_AGO }],
        [304, { 'if-match': etag, 'if-unmodified-since': date, 'if-none-match': etag, 'if-modified-since': date }],
        [412, { 'if-match': etag, 'if-unmodified-since': LONG_AGO, 'if-none-match': OTHER, 'if-modified-since': LONG_AGO }],
      ]) {
        (await READS[name](blob, four)).must(status, status === 412 ? 'ConditionNotMet' : undefined);
      }
    });
  }
  for (const [name, use] of Object.entries(WRITES)) {
    check(`${name}: one condition, or one of the two pairs`, async () => {
      const blob = await newBlob(4096);
      const { etag, headers } = (await blob.head()).must(200);
      for (const two of [
        { 'if-match': etag, 'if-none-match': OTHER },
        { 'if-match': etag, 'if-modified-since': LONG_AGO },
        { 'if-unmodified-since': soon(), 'if-none-match': OTHER },
        { 'if-unmodified-since': soon(), 'if-modified-since': LONG_AGO },
      ]) {
        (await use(blob, two)).must(400, 'MultipleConditionHeadersNotSupported');
      }
      // Of a pair the ETag's condition is the one that counts.
      (await use(blob, { 'if-match': OTHER, 'if-unmodified-since': soon() })).must(412, 'ConditionNotMet');
      (await use(blob, { 'if-none-match': etag, 'if-modified-since': LONG_AGO })).must(412, 'ConditionNotMet');
      is((await blob.head()).etag, etag, 'the ETag afterwards');
      (await use(blob, { 'if-none-match': OTHER, 'if-modified-since': headers['last-modified'] })).must([200, 201, 202]);
    });
  }
}

function etags(check) {
  for (const [name, use] of Object.entries(READS)) {
    check(`${name}: one of several ETags`, async () => {
      const blob = await newBlob(4096);
      const { etag } = (await blob.head()).must(200);
      (await use(blob, { 'if-match': `${OTHER},${etag}` })).must([200, 206]);
      (await use(blob, { 'if-match': `${OTHER},"0x1"` })).must(412);
      (await use(blob, { 'if-none-match': `${OTHER},${etag}` })).must(304);
      (await use(blob, { 'if-none-match': `${OTHER},"0x1"` })).must([200, 206]);
    });
  }
  for (const [name, use] of Object.entries(WRITES)) {
    check(`${name}: several ETags: 400`, async () => {
      const blob = await newBlob(4096);
      const { etag } = (await blob.head()).must(200);
      for (const list of [`"0x1", ${etag}`, `${etag},"0x1"`, `"0x1",${etag}`, `${etag},*`, `*,${etag}`, `${etag},${etag}`]) {
        (await use(blob, { 'if-match': list })).must(400, 'MultipleConditionHeadersNotSupported');
        (await use(blob, { 'if-none-match': list })).must(400, 'MultipleConditionHeadersNotSupported');
      }
      is((await blob.head()).etag, etag, 'the ETag afterwards');
    });
    check(`${name}: a weak ETag is not the blob's, and is no other's`, async () => {
      const blob = await newBlob(4096);
      const { etag } = (await blob.head()).must(200);
      (await use(blob, { 'if-match': `W/${etag}` })).must([400, 412]);
      (await use(blob, { 'if-none-match': `W/${etag}` })).must([400, 412]);
      is((await blob.head()).etag, etag, 'the ETag afterwards');
    });
    check(`${name}: what is no ETag: refused`, async () => {
      const blob = await newBlob(4096);
      const { etag } = (await blob.head()).must(200);
      for (const none of ['"', etag.slice(0, -1), `${etag}x`, `x y`, `${etag},`, 'W/', ',']) {
        (await use(blob, { 'if-match': none })).must([400, 412]);
        (await use(blob, { 'if-none-match': none })).must(400, 'InvalidHeaderValue');
      }
      is((await blob.head()).etag, etag, 'the ETag afterwards');
    });
    check(`${name}: an ETag without quotes`, async () => {
      const blob = await newBlob(4096);
      const { etag } = (await blob.head()).must(200);
      (await use(blob, { 'if-none-match': etag.slice(1, -1) })).must(412, 'ConditionNotMet');
      (await use(blob, { 'if-match': etag.slice(1, -1) })).must([200, 201, 202]);
    });
  }
}

function sequence(check) {
  const uses = {
    'Put Page': (blob, h) => blob.put(0, bytes(512), h),
    'Clear Pages': (blob, h) => blob.clear(0, 512, h),
  };
  for (const [name, use] of Object.entries(uses)) {
    for (const [condition, number, holds] of [
      ['eq', 5, true], ['eq', 4, false], ['eq', 6, false],
      ['le', 5, true], ['le', 6, true], ['le', 4, false],
      ['lt', 6, true], ['lt', 5, false], ['lt', 4, false],
    ]) {
      check(`${name}: number 5, ${condition} ${number}${holds ? '' : ': 412'}`, async () => {
        const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': 5 });
        const { etag } = await blob.head();
        const answer = await use(blob, { [`x-ms-if-sequence-number-${condition}`]: number });
        if (holds) {
          answer.must(201);
        } else {
          answer.must(412, 'SequenceNumberConditionNotMet');
          is((await blob.head()).etag, etag, 'the ETag afterwards');
        }
      });
    }
    check(`${name}: all three must hold`, async () => {
      const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': 5 });
      const three = (eq, le, lt) => ({
        'x-ms-if-sequence-number-eq': eq, 'x-ms-if-sequence-number-le': le, 'x-ms-if-sequence-number-lt': lt,
      });
      (await use(blob, three(5, 5, 6))).must(201);
      (await use(blob, three(5, 4, 6))).must(412);
      (await use(blob, three(5, 5, 5))).must(412);
      (await use(blob, three(4, 5, 6))).must(412);
    });
    check(`${name}: large numbers are compared in full`, async () => {
      const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': '9007199254740993' });
      (await use(blob, { 'x-ms-if-sequence-number-eq': '9007199254740992' })).must(412, 'SequenceNumberConditionNotMet');
      (await use(blob, { 'x-ms-if-sequence-number-lt': '9007199254740993' })).must(412, 'SequenceNumberConditionNotMet');
      (await use(blob, { 'x-ms-if-sequence-number-eq': '9007199254740993' })).must(201);
    });
    for (const number of ['x', '-1', '1.5', '9223372036854775808']) {
      check(`${name}: eq ${number}: 400`, async () => {
        (await use(await newBlob(), { 'x-ms-if-sequence-number-eq': number })).must(400, 'InvalidHeaderValue');
      });
    }
  }
  check('a write with the old number fails after the number was raised', async () => {
    const blob = await newBlob(4096, { 'x-ms-blob-sequence-number': 1 });
    const eq = (n) => ({ 'x-ms-if-sequence-number-eq': n });
    (await blob.put(0, bytes(512, 1), eq(1))).must(201);
    (await blob.setProperties({ 'x-ms-sequence-number-action': 'max', 'x-ms-blob-sequence-number': 2 })).must(200);
    (await blob.put(0, bytes(512, 2), eq(1))).must(412, 'SequenceNumberConditionNotMet');
    (await blob.put(0, bytes(512, 3), eq(2))).must(201);
    is(Buffer.compare((await blob.read(0, 512)).must(206).body, bytes(512, 3)), 0, 'the difference');
  });
}
