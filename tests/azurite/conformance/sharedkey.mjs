// SPDX-License-Identifier: MIT
//
// "Authorize with Shared Key".

import { KIB, bytes, md5, newBlob, ok } from './objects.mjs';
import { account, key } from './wire.mjs';

const WRONG = { account, key: Buffer.from('not the key').toString('base64') };
const minutes = (n) => new Date(Date.now() + n * 60_000).toUTCString();
// Each of these requests, signed in full.
const REQUESTS = {
  'Get Blob': (blob) => blob.get(),
  'Get Blob Properties': (blob) => blob.head(),
  'Put Page': (blob) => blob.put(0, bytes(512)),
  'List Blobs': (blob) => blob.container.with(blob.how.auth, blob.how).list(),
};

export default function define(check) {
  for (const [name, use] of Object.entries(REQUESTS)) {
    check(`${name} with a wrong key: 403`, async () => {
      (await use((await newBlob()).with(WRONG))).must(403, 'AuthenticationFailed');
    });
    check(`${name} with no signature: refused`, async () => {
      ok([401, 403, 404, 409].includes((await use((await newBlob()).with(null))).status), 'it is not');
    });
  }
  check('all that is signed', async () => {
    const blob = await newBlob();
    (await blob.send('PUT', 'comp=page&timeout=30', {
      'content-md5': md5(bytes(512)), 'content-type': 'text/plain; charset=utf-8', 'content-encoding': 'identity',
      'content-language': 'en, de', range: 'bytes=0-511', 'x-ms-page-write': 'update', 'if-match': '*',
      'if-unmodified-since': minutes(60),
    }, bytes(512))).must(201);
    (await blob.get({ 'if-none-match': '"0x1"', 'if-modified-since': 'Fri, 01 Jan 2010 00:00:00 GMT', range: 'bytes=0-9' })).must(206);
  });
  check('by Date instead of x-ms-date', async () => {
    const blob = await newBlob();
    (await blob.get({ date: minutes(0), 'x-ms-date': null })).must(200);
    (await blob.with(WRONG).get({ date: minutes(0), 'x-ms-date': null })).must(403, 'AuthenticationFailed');
  });
  check('with both, Date is not signed', async () => {
    (await (await newBlob()).get({ date: minutes(-1), 'x-ms-date': minutes(0) })).must(200);
  });
  check('no date: 403', async () => {
    (await (await newBlob()).get({ 'x-ms-date': null })).must(403, 'AuthenticationFailed');
  });
  for (const [n, status] of [[-10, 200], [10, 200], [-20, 403], [20, 403], [-100000, 403]]) {
    check(`a date of ${n} minutes: ${status}`, async () => {
      (await (await newBlob()).get({ 'x-ms-date': minutes(n) })).must(status, status === 403 ? 'AuthenticationFailed' : undefined);
    });
  }
  check('a date that is none: refused', async () => {
    (await (await newBlob()).get({ 'x-ms-date': 'today' })).must([400, 403]);
  });
  for (const [name, edit] of Object.entries({
    'an x-ms header': (h) => { h['x-ms-range'] = 'bytes=512-1023'; },
    'a header more': (h) => { h['x-ms-meta-a'] = 'b'; },
    'a header less': (h) => { delete h['x-ms-client-request-id']; },
    'Content-Type': (h) => { h['content-type'] = 'a/b'; },
    'Content-MD5': (h) => { h['content-md5'] = md5(bytes(512)); },
    'If-Match': (h) => { h['if-match'] = '*'; },
    'Range': (h) => { h.range = 'bytes=0-511'; },
    'the version': (h) => { h['x-ms-version'] = '2020-10-02'; },
    'the date': (h) => { h['x-ms-date'] = minutes(1); },
    'the signature': (h) => { h.authorization = h.authorization.replace(/.=$/, (end) => (end === 'A=' ? 'E=' : 'A=')); },
    'the signature\'s length': (h) => { h.authorization = h.authorization.slice(0, -8); },
  })) {
    check(`${name} changed after signing: 403`, async () => {
      const blob = await newBlob();
      (await blob.with(undefined, { edit }).put(0, bytes(512))).must(403, 'AuthenticationFailed');
    });
  }
  check('the signature of one blob for another: 403', async () => {
    const [one, two] = [await newBlob(), await newBlob()];
    let signed;
    (await one.with(undefined, { edit: (h) => { signed = { ...h }; } }).get()).must(200);
    const replay = (h) => { Object.assign(h, signed); };
    (await two.with(null, { edit: replay }).get()).must(403, 'AuthenticationFailed');
    (await one.with(null, { edit: replay }).delete()).must(403, 'AuthenticationFailed');
    (await one.with(null, { edit: replay }).pageList()).must(403, 'AuthenticationFailed');
  });
  for (const text of ['SharedKey', 'SharedKey x', `SharedKey ${account}`, 'Basic YTpi', 'SharedKey :', 'x'.repeat(4 * KIB)]) {
    check(`Authorization: ${text.slice(0, 24)}: refused`, async () => {
      (await (await newBlob()).with(null, { edit: (h) => { h.authorization = text; } }).get()).must([400, 401, 403]);
    });
  }
  check('another account\'s name: 403', async () => {
    (await (await newBlob()).with({ account: 'devstoreaccount9', key }).get()).must([400, 403]);
  });
  check('SharedKeyLite', async () => {
    const blob = await newBlob();
    (await blob.with(undefined, { lite: true }).put(0, bytes(512), { 'content-type': 'a/b' })).must(201);
    (await blob.with(undefined, { lite: true }).get()).must(200);
    (await blob.with(WRONG, { lite: true }).get()).must(403, 'AuthenticationFailed');
  });
  check('values with spaces, commas and colons', async () => {
    const blob = await newBlob();
    (await blob.setMetadata({ 'x-ms-meta-a': 'one: two, three', 'x-ms-meta-ab': '=', 'x-ms-meta-a_b': '/' })).must(200);
    (await blob.head()).must(200).has({ 'x-ms-meta-a': 'one: two, three' });
  });
  check('query parameters in any order and case', async () => {
    const { container } = await newBlob();
    (await container.send('GET', 'prefix=x%2Fy&include=metadata&comp=list&maxresults=1')).must(200);
    (await container.send('GET', 'Prefix=x&COMP=list')).must(200);
  });
}
