// SPDX-License-Identifier: MIT
//
// What a profile of devstore lets through.
//
//	node profile.mjs CONTAINER SECONDS BYTES
//
// 32 writers of BYTES each, to one blob, for SECONDS; who is refused waits a little.
// Prints "done N refused N timedout N other N milliseconds N" and then the median, in
// milliseconds, of reads one after the other: "median N".

import { endpoint, send, stop } from '../azurite/conformance/wire.mjs';

const [container, seconds, bytes] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const path = `${endpoint.pathname.replace(/\/$/, '')}/${container}/profile`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const size = 32 * Math.max(bytes, 4096);

(await send('PUT', path, '', { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': size })).must(201);

const took = [];
for (let n = 0; n < 101; n++) {
  const begun = process.hrtime.bigint();
  (await send('GET', path, '', { 'x-ms-range': 'bytes=0-511' })).must(206);
  took.push(Number(process.hrtime.bigint() - begun) / 1e6);
}

const count = { done: 0, refused: 0, timedout: 0, other: 0 };
const body = Buffer.alloc(bytes, 5);
const begun = Date.now();
const end = begun + seconds * 1000;
async function writer(n) {
  while (Date.now() < end) {
    const answer = await send('PUT', path, 'comp=page', {
      'x-ms-page-write': 'update', 'x-ms-range': `bytes=${n * bytes}-${(n + 1) * bytes - 1}`,
    }, body);
    if (answer.status === 201) {
      count.done += 1;
    } else {
      count.refused += answer.status === 503 && answer.code === 'ServerBusy';
      count.timedout += answer.status === 500 && answer.code === 'OperationTimedOut';
      count.other += ![500, 503].includes(answer.status);
      await pause(20 + Math.random() * 40);
    }
  }
}
await Promise.all(Array.from({ length: 32 }, (_, n) => writer(n)));
const ms = Date.now() - begun;
console.log(`${Object.entries(count).map(([name, n]) => `${name} ${n}`).join(' ')} milliseconds ${ms}`);
console.log(`median ${Math.round(took.sort((a, b) => a - b)[50])}`);
stop();
