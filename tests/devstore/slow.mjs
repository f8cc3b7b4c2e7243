// SPDX-License-Identifier: MIT
//
// As many slow clients as devstore has connections, and good ones among them.
//
//	node slow.mjs CLIENTS CONTAINER
//
// Prints a line for each thing that held: "NAME: ok", or what happened instead.

import net from 'node:net';

import { account, endpoint, send, stop, stringToSign, hmac, VERSION } from '../azurite/conformance/wire.mjs';

const clients = Number(process.argv[2]);
const container = process.argv[3];
const base = endpoint.pathname.replace(/\/$/, '');
const port = Number(endpoint.port);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const say = (name, problem) => console.log(`${name}: ${problem ?? 'ok'}`);

// --- those who drip -------------------------------------------------------------------

const HEADERS = `PUT ${base}/${container}/none?comp=page HTTP/1.1\r\nHost: here\r\nX-Padding: `;
const BODY = `PUT ${base}/${container}/none HTTP/1.1\r\nHost: here\r\nContent-Length: 4000000\r\n\r\n`;
const slow = new Set();
let closed = 0;
let refused = 0;

// A byte now and then: in its headers, in its body, or nothing at all. It comes again
// when it is dropped, as long as they shall.
let again = true;
function drip(n) {
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.on('connect', () => {
    if (n % 3) {
      socket.write(n % 3 === 1 ? HEADERS : BODY);
    }
  });
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.on('close', () => {
    slow.delete(socket);
    closed += 1;
    if (again) {
      setTimeout(() => drip(n), 50 + Math.random() * 500);
    }
  });
  socket.dripping = n % 3 !== 0;
  slow.add(socket);
}

// Every connection gets its byte about every five seconds, a few at a time.
function dripAll() {
  let at = 0;
  return setInterval(() => {
    for (const socket of slow) {
      if (at++ % 50 === Math.floor(Date.now() / 100) % 50 && socket.dripping && socket.writable) {
        socket.write('x');
      }
    }
    at = 0;
  }, 100);
}

// --- one that is slow, and goes on: 4 MiB at 3 Mbit/s ----------------------------------------

async function upload() {
  const length = 4 << 20;
  const path = `${base}/${container}/slow`;
  (await send('PUT', path, '', { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': length })).must(201);
  const headers = {
    host: `127.0.0.1:${port}`, 'content-length': String(length), 'x-ms-version': VERSION,
    'x-ms-date': new Date().toUTCString(), 'x-ms-page-write': 'update', 'x-ms-range': `bytes=0-${length - 1}`,
  };
  headers.authorization = `SharedKey ${account}:${hmac(stringToSign('PUT', path, 'comp=page', headers))}`;
  const socket = net.connect({ host: '127.0.0.1', port });
  const answer = new Promise((resolve) => {
    socket.on('data', (data) => resolve(data.toString().split('\r\n')[0]));
    socket.on('close', () => resolve('it was closed'));
    socket.on('error', (error) => resolve(error.message));
  });
  socket.write(`PUT ${path}?comp=page HTTP/1.1\r\n` +
    Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('') + '\r\n');
  for (let sent = 0; sent < length && socket.writable; sent += 16384) {
    socket.write(Buffer.alloc(16384, 7));
    await pause(43); // 3 Mbit/s
  }
  const got = await Promise.race([answer, pause(60000).then(() => 'no answer')]);
  socket.destroy();
  say('slow-but-steady', / 201 /.test(got) ? undefined : got);
}

// --- all of them -------------------------------------------------------------------------------

for (let n = 0; n < clients; n++) {
  drip(n);
  if (n % 256 === 255) {
    await pause(20);
  }
}
const timer = dripAll();
await pause(3000);
const uploading = upload();
let worst = 0;
let failures = 0;
for (let n = 0; n < 40; n++) {
  const begun = Date.now();
  try {
    // A connection of its own each time, as of a client that comes anew.
    const answer = await send('PUT', `${base}/${container}/good`, '', {
      'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': 512, connection: 'close',
    });
    failures += answer.status !== 201;
  } catch {
    failures += 1;
  }
  worst = Math.max(worst, Date.now() - begun);
  await pause(200);
}
say('good-clients', failures ? `${failures} of 40 failed` : undefined);
say('good-clients-soon', worst > 10000 ? `one took ${worst} ms` : undefined);
await uploading;

// Nobody comes any more: all those who drip must go, by the time limit alone.
again = false;
const until = Date.now() + 90000;
while (slow.size && Date.now() < until) {
  await pause(250);
}
say('all-dropped', slow.size ? `${slow.size} are there still` : undefined);
say('they-were-there', closed >= clients ? undefined : `${closed} were closed`);
clearInterval(timer);
for (const socket of slow) {
  socket.destroy();
}
stop();
