// SPDX-License-Identifier: MIT
//
// One signed request to the store of $AZURE_STORAGE_CONNECTION_STRING, for shell
// scripts.
//
//	node rest.mjs METHOD CONTAINER/BLOB[?QUERY] [HEADER:VALUE]... [--body FILE] [--to FILE]
//
// Prints the status, the error code, and the headers as "name: value" lines; the
// answer's body goes to FILE.

import { readFileSync, writeFileSync } from 'node:fs';

import { endpoint, send, stop } from '../azurite/conformance/wire.mjs';

const [method, target, ...rest] = process.argv.slice(2);
const [path, query = ''] = target.split(/\?(.*)/s);
const headers = {};
let body;
let to;
while (rest.length) {
  const word = rest.shift();
  if (word === '--body') {
    body = readFileSync(rest.shift());
  } else if (word === '--to') {
    to = rest.shift();
  } else {
    headers[word.slice(0, word.indexOf(':'))] = word.slice(word.indexOf(':') + 1);
  }
}
const base = endpoint.pathname.replace(/\/$/, '');
try {
  const answer = await send(method, `${base}/${path}`, query, headers, body);
  console.log(`${answer.status} ${answer.code ?? ''}`.trim());
  for (const [name, value] of Object.entries(answer.headers)) {
    console.log(`${name}: ${value}`);
  }
  if (to) {
    writeFileSync(to, answer.body);
  }
} catch (error) {
  console.log(`none ${error.message}`);
}
stop();
