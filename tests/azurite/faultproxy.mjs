// SPDX-License-Identifier: MIT
//
// A proxy before Azurite that does what networks do: see usage below.

import http from 'node:http';

const usage = `usage: node faultproxy.mjs PORT CONTROL-PORT UPSTREAM-PORT

Passes requests to 127.0.0.1:PORT on to UPSTREAM-PORT. GET requests to
CONTROL-PORT say what is to go wrong; answers are JSON.

  /rule?do=WHAT[&method=M][&comp=C][&every=N][&count=N]
           WHAT to do with requests of that method and comp parameter ("" for
           none), every Nth of them (1), COUNT times at most (no limit):
             lose      carry it out, then reset the connection: no answer
             truncate  carry it out, then reset in the middle of the answer
             hold      reset the connection, and carry it out at /release
             drop      reset the connection, and never carry it out
             refuse    answer 503 ServerBusy, with Retry-After: 1
             close     answer, then close the connection without saying so
  /clear   forgets all rules
  /release sends what was held; answers with [{method, url, status, code}]
  /stats   {requests, lose, truncate, hold, drop, refuse, close, held}
`;

const ports = process.argv.slice(2).map(Number);
if (ports.length !== 3 || ports.some((port) => !(port > 0))) {
  process.stderr.write(usage);
  process.exit(2);
}
const [listenPort, controlPort, upstreamPort] = ports;

const agent = new http.Agent({ keepAlive: true });
const stats = { requests: 0, lose: 0, truncate: 0, hold: 0, drop: 0, refuse: 0, close: 0 };
let rules = [];
let held = [];

// What the rules say about a request: the first that applies.
function verdict(method, url) {
  const comp = new URL(url, 'http://localhost').searchParams.get('comp') ?? '';
  for (const rule of rules) {
    if ((rule.method && rule.method !== method) || (rule.comp !== null && rule.comp !== comp)) {
      continue;
    }
    rule.seen += 1;
    if (rule.seen % rule.every === 0 && rule.left > 0) {
      rule.left -= 1;
      stats[rule.what] += 1;
      return rule.what;
    }
  }
  return 'pass';
}

// Carries a request out: {status, headers, body}.
function forward({ method, url, headers, body }) {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: upstreamPort, method, path: url, headers, agent };
    const request = http.request(options, (answer) => {
      const pieces = [];
      answer.on('data', (piece) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        resolve({
          status: answer.statusCode,
          headers: answer.rawHeaders,
          body: Buffer.concat(pieces),
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function give(response, { status, headers, body }, truncated) {
  // Raw, as the emulator wrote them; the transfer's own are made anew.
  const kept = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!/^(connection|keep-alive|transfer-encoding)$/i.test(headers[i])) {
      kept.push(headers[i], headers[i + 1]);
    }
  }
  response.writeHead(status, kept);
  if (truncated) {
    response.write(body.subarray(0, body.length / 2), () => response.socket.resetAndDestroy());
  } else {
    response.end(body);
  }
}

async function serve(incoming, response) {
  const pieces = [];
  for await (const piece of incoming) {
    pieces.push(piece);
  }
  const { method, url, headers, socket } = incoming;
  const request = { method, url, headers, body: Buffer.concat(pieces) };
  stats.requests += 1;
  const what = verdict(method, url);
  if (what === 'hold' || what === 'drop') {
    if (what === 'hold') {
      held.push(request);
    }
    socket.resetAndDestroy();
    return;
  }
  if (what === 'refuse') {
    response.writeHead(503, { 'x-ms-error-code': 'ServerBusy', 'retry-after': '1' });
    response.end();
    return;
  }
  const answer = await forward(request);
  if (what === 'lose' || (what === 'truncate' && answer.body.length < 2)) {
    socket.resetAndDestroy();
    return;
  }
  if (what === 'close') {
    response.on('finish', () => socket.destroySoon());
  }
  give(response, answer, what === 'truncate');
}

function addRule(query) {
  const what = query.get('do');
  if (!Object.hasOwn(stats, what ?? '') || what === 'requests') {
    throw new Error(`do=${what}: no such thing`);
  }
  rules.push({
    what,
    method: query.get('method'),
    comp: query.get('comp'),
    every: Number(query.get('every') ?? 1),
    left: Number(query.get('count') ?? Infinity),
    seen: 0,
  });
  return {};
}

async function release() {
  const requests = held;
  held = [];
  const done = [];
  for (const request of requests) {
    const { status, headers } = await forward(request);
    const at = headers.findIndex((name) => /^x-ms-error-code$/i.test(name));
    done.push({ method: request.method, url: request.url, status, code: headers[at + 1] });
  }
  return done;
}

const commands = {
  '/rule': addRule,
  '/clear': () => {
    rules = [];
    return {};
  },
  '/release': release,
  '/stats': () => ({ ...stats, held: held.length }),
};

http
  .createServer((incoming, response) => {
    serve(incoming, response).catch(() => incoming.socket.resetAndDestroy());
  })
  .listen(listenPort, '127.0.0.1');

http
  .createServer(async (incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url, 'http://localhost');
    try {
      response.end(`${JSON.stringify(await commands[pathname](searchParams))}\n`);
    } catch (error) {
      response.writeHead(400);
      response.end(`${JSON.stringify({ error: error.message })}\n`);
    }
  })
  .listen(controlPort, '127.0.0.1');
