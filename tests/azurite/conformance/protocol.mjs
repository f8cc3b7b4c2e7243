// SPDX-License-Identifier: MIT
//
// HTTP as such, on connections of its own where Node's client would not send what
// is to be sent. "Common REST API error codes".

import { createConnection } from 'node:net';

import { Container, KIB, MIB, bytes, is, newBlob, newContainer, newName, ok, same } from './objects.mjs';
import { accountSas, serviceSas } from './sas.mjs';
import { VERSION, endpoint, isHttpDate, send } from './wire.mjs';

const answered = (text) => /^HTTP\/1\.[01] [2-5]\d\d/m.test(text);

// Sends pieces of text or bytes over a connection of its own, and returns all
// that comes until the other side closes, or until `enough`, or for `wait` ms.
function converse(pieces, { wait = 5000, close = false, enough = answered } = {}) {
  return new Promise((resolve) => {
    const got = [];
    const socket = createConnection(endpoint.port, endpoint.hostname);
    const text = () => Buffer.concat(got).toString('latin1');
    const end = () => {
      socket.destroy();
      resolve(text());
    };
    let sent = false;
    const look = () => sent && enough(text()) && end();
    socket.on('error', end);
    socket.on('close', end);
    socket.on('data', (data) => {
      got.push(data);
      look();
    });
    socket.on('connect', async () => {
      for (const piece of pieces) {
        if (typeof piece === 'number') {
          await new Promise((next) => { setTimeout(next, piece); });
        } else if (!socket.destroyed) {
          socket.write(piece);
        }
      }
      sent = true;
      if (close) {
        end();
      } else {
        look();
        setTimeout(end, wait);
      }
    });
  });
}

const head = (method, target, headers = {}) =>
  `${method} ${target} HTTP/1.1\r\nHost: ${endpoint.host}\r\nx-ms-version: ${VERSION}\r\n` +
  `${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
const status = (text) => Number(text.match(/^HTTP\/1\.[01] (\d+)/)?.[1]);
const UPDATE = { 'x-ms-page-write': 'update', 'x-ms-range': 'bytes=0-511' };

export default function define(check) {
  const signed = (blob, query = '') => `${blob.path}?${query && `${query}&`}${serviceSas(blob, { sp: 'racwd' })}`;

  check('the answer to an error', async () => {
    const answer = (await (await newBlob()).at('2020-01-01T00:00:00.0000001Z').get()).must(404, 'BlobNotFound');
    is(answer.xml.at('Code'), 'BlobNotFound', 'Code');
    const message = answer.xml.at('Message');
    ok(message.includes(`RequestId:${answer.headers['x-ms-request-id']}`), 'no RequestId in the message');
    ok(/\nTime:\d{4}-\d\d-\d\dT/.test(message), 'no Time in the message');
  });
  check('the answer to an error of HEAD has no body', async () => {
    const answer = (await (await newBlob()).at('2020-01-01T00:00:00.0000001Z').head()).must(404, 'BlobNotFound');
    is(answer.body.length, 0, 'bytes');
  });
  check('a client request id that is too long does not come back', async () => {
    const answer = await (await newBlob()).get({ 'x-ms-client-request-id': 'i'.repeat(1025) });
    ok([200, 400].includes(answer.status), `${answer.status}`);
    is(answer.headers['x-ms-client-request-id'], undefined, 'it');
  });
  check('none is made where none was sent', async () => {
    (await (await newBlob()).get({ 'x-ms-client-request-id': null })).must(200).has({ 'x-ms-client-request-id': null });
  });
  check('a version of the future: 400', async () => {
    (await (await newBlob()).get({ 'x-ms-version': '2999-01-01' })).must(400, 'InvalidHeaderValue');
  });
  check('a version that is no date: 400', async () => {
    (await (await newBlob()).get({ 'x-ms-version': 'latest' })).must(400, 'InvalidHeaderValue');
  });
  check('dates are of RFC 1123', async () => {
    const { headers } = (await (await newBlob()).head()).must(200);
    for (const name of ['date', 'last-modified', 'x-ms-creation-time']) {
      ok(isHttpDate(headers[name]), `${name}: ${headers[name]}`);
    }
  });
  check('Last-Modified is now', async () => {
    const blob = await newBlob();
    const age = Date.now() - Date.parse((await blob.head()).must(200).headers['last-modified']);
    ok(age > -1500 && age < 5000, `${age} ms ago`);
  });
  for (const [method, query] of [['POST', ''], ['PATCH', ''], ['DELETE', 'comp=page'], ['PUT', 'comp=pagelist'], ['GET', 'comp=page']]) {
    check(`${method} ${query}: refused`, async () => {
      const blob = await newBlob();
      (await blob.send(method, query, {}, method === 'POST' ? bytes(1) : undefined)).must([400, 405, 501]);
      (await blob.head()).must(200);
    });
  }
  check('comp that is none: 400', async () => {
    (await (await newBlob()).send('PUT', 'comp=nothing')).must(400, 'InvalidQueryParameterValue');
    (await (await newContainer()).send('GET', 'comp=nothing')).must(400, 'InvalidQueryParameterValue');
  });
  check('an account that there is not: refused', async () => {
    const answer = await send('GET', '/nosuchaccount/c/b', '', {}, undefined, { auth: accountSas() });
    ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
  });
  check('timeout is a parameter of all', async () => {
    (await (await newBlob()).send('GET', 'timeout=30')).must(200);
    (await (await newBlob()).send('GET', 'timeout=86400')).must(200);
    (await (await newContainer()).list('timeout=30')).must(200);
  });
  for (const timeout of ['x', '-1', '1.5', '', '10s', '99999999999999999999']) {
    check(`timeout=${timeout}: 400, and nothing is done`, async () => {
      const blob = await newBlob();
      (await blob.send('DELETE', `timeout=${timeout}`)).must(400, ['InvalidQueryParameterValue', 'OutOfRangeQueryParameterValue']);
      (await blob.head()).must(200);
    });
  }
  check('restype is not for blobs: nothing is deleted', async () => {
    const blob = await newBlob();
    (await blob.send('DELETE', 'restype=container')).must(400);
    (await blob.head()).must(200);
  });
  check('POST of what is no operation: 405', async () => {
    const blob = await newBlob();
    for (const query of ['', 'comp=page', 'comp=metadata']) {
      (await blob.send('POST', query, {}, bytes(1))).must(405, 'UnsupportedHttpVerb');
    }
    (await (await newContainer()).send('POST', '')).must(405, 'UnsupportedHttpVerb');
  });

  // "Preflight Blob Request": nobody signs it.
  const preflight = (path, headers) => send('OPTIONS', path, '', headers, undefined, { auth: null });
  const ASKED = { origin: 'http://example.com', 'access-control-request-method': 'PUT' };
  check('a preflight request, where no rule allows it: 403', async () => {
    const blob = await newBlob();
    (await preflight(blob.path, ASKED)).must(403, 'CorsPreflightFailure');
    (await preflight(blob.path, { ...ASKED, 'access-control-request-headers': 'x-ms-date' })).must(403, 'CorsPreflightFailure');
    (await preflight(`${blob.path}x`, ASKED)).must(403, 'CorsPreflightFailure');
    (await preflight(blob.container.path, ASKED)).must(403, 'CorsPreflightFailure');
    (await preflight(`${blob.container.path}x`, ASKED)).must(403, 'CorsPreflightFailure');
  });
  for (const name of Object.keys(ASKED)) {
    check(`a preflight request without ${name}: 400`, async () => {
      (await preflight((await newBlob()).path, { ...ASKED, [name]: null })).must(400, 'InvalidHeaderValue');
    });
  }

  check('a hundred requests on one connection', async () => {
    const blob = await newBlob();
    const request = head('GET', signed(blob), { 'x-ms-range': 'bytes=0-511' });
    const count = (text) => text.split('HTTP/1.1 206').length - 1;
    const text = await converse(Array.from({ length: 100 }, () => request), { enough: (so) => count(so) === 100 });
    is(count(text), 100, 'answers');
  });
  check('Expect: 100-continue', async () => {
    const blob = await newBlob();
    const request = head('PUT', signed(blob, 'comp=page'), { ...UPDATE, 'Content-Length': 512, Expect: '100-continue' });
    const text = await converse([request, 200, bytes(512)]);
    ok(/^HTTP\/1\.1 100 /.test(text), `${text.slice(0, 40)}`);
    ok(/\r\n\r\nHTTP\/1\.1 201 /.test(text), 'not written');
    is(await blob.ranges(), '0+512', 'ranges');
  });
  check('a body that comes slowly', async () => {
    const blob = await newBlob();
    const data = bytes(512);
    const text = await converse([head('PUT', signed(blob, 'comp=page'), { ...UPDATE, 'Content-Length': 512 }),
      data.subarray(0, 1), 50, data.subarray(1, 511), 50, data.subarray(511)]);
    is(status(text), 201, 'the status');
    same((await blob.read(0, 512)).must(206).body, data, 'the page');
  });
  check('headers that come slowly', async () => {
    const blob = await newBlob();
    const request = head('GET', signed(blob));
    is(status(await converse([request.slice(0, 7), 50, request.slice(7, 60), 50, request.slice(60)])), 200, 'the status');
  });
  check('a body that stops in the middle is not written', async () => {
    const blob = await newBlob();
    await converse([head('PUT', signed(blob, 'comp=page'), { ...UPDATE, 'Content-Length': 512 }), bytes(511), 100], { close: true });
    is(await blob.ranges(), '', 'ranges');
  });
  check('a body without a length: 411, or taken as it is', async () => {
    const blob = await newBlob();
    const text = await converse([head('PUT', signed(blob, 'comp=page'), UPDATE)]);
    ok([400, 411].includes(status(text)), text.slice(0, 60));
  });
  check('a body in chunks: 411, or taken as it is', async () => {
    const blob = await newBlob();
    const text = await converse([head('PUT', signed(blob, 'comp=page'), { ...UPDATE, 'Transfer-Encoding': 'chunked' }),
      '200\r\n', bytes(512), '\r\n0\r\n\r\n']);
    ok([201, 400, 411].includes(status(text)), text.slice(0, 60));
    is(await blob.ranges(), status(text) === 201 ? '0+512' : '', 'ranges');
  });
  check('more announced than is ever allowed: refused before it comes', async () => {
    const blob = await newBlob();
    const text = await converse([head('PUT', signed(blob, 'comp=page'),
      { ...UPDATE, 'x-ms-range': 'bytes=0-1073741823', 'Content-Length': 1024 * MIB }), bytes(64 * KIB)]);
    ok([400, 413, 416].includes(status(text)) || text === '', text.slice(0, 60));
    (await blob.head()).must(200);
  });

  for (const [what, pieces] of [
    ['no HTTP', ['hello\r\n\r\n']],
    ['bytes', [Buffer.from(Array.from({ length: 512 }, (_, i) => i & 255))]],
    ['a header without a colon', ['GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n']],
    ['a length that is none', ['PUT /a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n']],
    ['a length below zero', ['PUT /a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n']],
    ['two lengths', ['PUT /a/b/c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx']],
    ['an endless line', [`GET /${'x'.repeat(128 * KIB)} HTTP/1.1\r\nHost: x\r\n\r\n`]],
    ['an endless header', [`GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(1024 * KIB)}\r\n\r\n`]],
    ['headers without end', [`GET / HTTP/1.1\r\nHost: x\r\n${'x-ms-meta-a: b\r\n'.repeat(20000)}\r\n`]],
    ['a NUL in the path', ['GET /devstoreaccount1/c/%00 HTTP/1.1\r\nHost: x\r\n\r\n']],
    ['half of an escape in the path', ['GET /devstoreaccount1/c/%e HTTP/1.1\r\nHost: x\r\n\r\n']],
    ['what is no UTF-8 in the path', ['GET /devstoreaccount1/c/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n']],
    ['no path', ['GET HTTP/1.1\r\nHost: x\r\n\r\n']],
    ['a path that goes up', ['GET /../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n']],
    ['another version of HTTP', ['GET / HTTP/9.9\r\nHost: x\r\n\r\n']],
    ['nothing at all', ['']],
  ]) {
    check(`${what}: refused or hung up on, and the server goes on`, async () => {
      const text = await converse(pieces, { wait: 500 });
      ok(text === '' || (status(text) >= 400 && status(text) < 500) || status(text) === 505, text.slice(0, 80));
      ok(!text.includes('root:'), 'a file of the machine');
      (await new Container(newName()).properties()).must(404);
    });
  }
  check('a connection that says nothing holds up nobody', async () => {
    const silent = Promise.all(Array.from({ length: 50 }, () => converse(['GET / HT'], { wait: 500 })));
    const started = Date.now();
    (await new Container(newName()).properties()).must(404);
    ok(Date.now() - started < 5000, 'it took long');
    await silent;
  }, { slow: true });
}
