// SPDX-License-Identifier: MIT
//
// A server that does wrong in one way, for tests. Prints its port.
//
// usage: node server.mjs MODE
//        node server.mjs cut UPSTREAM-PORT    passes requests on, until it dies: see below

import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { createServer } from 'node:net';

const head = (status, length, more = '') =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${length}\r\n${more}\r\n`;

const modes = {
  // answers in no protocol at all
  garbage: (socket) => socket.end(randomBytes(4096)),
  // takes the request and goes
  close: (socket) => socket.end(),
  // goes with a bang
  reset: (socket) => socket.resetAndDestroy(),
  // dies in the middle of the headers
  header: (socket) => socket.end('HTTP/1.1 201 Crea'),
  // dies in the middle of the body
  body: (socket) => socket.end(head('403 Forbidden', 1000) + '<?xml version="1.0"?><Error><Co'),
  // something else than a blob service: a page of a portal in between
  portal: (socket) =>
    socket.end(head('200 OK', 13, 'Content-Type: text/html\r\n') + '<html></html>'),
  redirect: (socket) =>
    socket.end(head('302 Found', 0, 'Location: http://127.0.0.1:1/login\r\n')),
  // escape sequences, line breaks and a bomb where an error's text belongs
  hostile: (socket) => {
    const body =
      '<?xml version="1.0"?><!DOCTYPE e [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>' +
      '<Error><Code>\u001b[31mBad&b;</Code><Message>one\ntwo\u001b[2J</Message></Error>';
    socket.end(head('400 \u001b[31mBad', Buffer.byteLength(body), 'x-ms-error-code: \u001b[2Jx\r\n') + body);
  },
  // headers without end
  endless: (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const line = `x-ms-filler: ${'x'.repeat(8000)}\r\n`;
    const more = () => {
      while (!socket.destroyed && socket.write(line));
    };
    socket.on('drain', more);
    more();
  },
  busy: (socket) => socket.end(head('503 Busy', 0, 'x-ms-error-code: ServerBusy\r\nx-ms-version: 2021-12-02\r\n')),
  // never answers
  hang: () => {},
};

// A service that dies in the middle of a client's work, again and again: GET
// /cut/N lets N more requests through, and resets every connection from then on.
function cut(upstream) {
  let left = 0;
  return http.createServer((request, response) => {
    const command = request.url.match(/^\/cut\/([0-9]+)$/);
    if (command) {
      left = Number(command[1]);
      response.end();
      return;
    }
    if (left-- <= 0) {
      request.socket.resetAndDestroy();
      return;
    }
    const { method, url: path, headers } = request;
    const onward = http.request({ port: upstream, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => request.socket.destroy());
    request.pipe(onward);
  });
}

function wrong(mode) {
  const act = modes[mode];
  if (!act) {
    process.stderr.write(`usage: node server.mjs cut PORT|${Object.keys(modes).join('|')}\n`);
    process.exit(2);
  }
  return createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => act(socket));
  });
}

const [mode, upstream] = process.argv.slice(2);
const server = mode === 'cut' ? cut(Number(upstream)) : wrong(mode);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
