// SPDX-License-Identifier: MIT
//
// Requests as bytes: SharedKey signatures made here by "Authorize with Shared
// Key", answers with a few questions they can be asked, and what must hold for
// every answer, whichever check it was for (see `broken`).

import { createHmac, randomUUID } from 'node:crypto';
import http from 'node:http';

import { parse } from './xml.mjs';

export const VERSION = '2021-08-06';

const connection = process.env.AZURE_STORAGE_CONNECTION_STRING ?? '';
const setting = (name) => connection.match(new RegExp(`(?:^|;)${name}=([^;]*)`))?.[1];

export const account = setting('AccountName');
export const key = setting('AccountKey');
export const endpoint = new URL(setting('BlobEndpoint') ?? 'http://127.0.0.1:1/none');
export { connection };

// A failed expectation, as opposed to a bug in the suite.
export class Failure extends Error {}

// Codes that a server sends in place of others, from deviations.mjs: { status,
// sends (undefined: no code at all), means (a list, or undefined: any) }. One that
// was taken for another is marked `used`.
export const aliases = [];

function alias(status, sends, wanted) {
  const found = aliases.find((a) => a.status === status && a.sends === sends &&
    (!a.means || a.means.some((code) => wanted.includes(code))));
  if (found) {
    found.used = true;
  }
  return found;
}

// What held for every answer but these: rule -> the first few answers that broke it.
export const broken = new Map();
export const RULES = [
  'an answer has a request id',
  'request ids differ',
  'an answer has the version that was asked for',
  'an answer has a Date of now',
  'the client request id comes back',
  'an error has its code in x-ms-error-code',
  'an error to all but HEAD is a document with the same code and a message',
  'a success has no x-ms-error-code',
  'an ETag is quoted',
  'Last-Modified is a date of RFC 1123',
];
const ids = new Set();

function rule(name, holds, answer) {
  if (!holds) {
    const list = broken.get(name) ?? [];
    list.push(`${answer.title}: ${answer.status} ${answer.code ?? ''}`);
    broken.set(name, list);
  }
}

class Answer {
  constructor(title, { status, headers, names, body }) {
    Object.assign(this, { title, status, headers, names, body });
    this.code = headers['x-ms-error-code'];
  }

  get text() {
    return this.body.toString();
  }

  get xml() {
    return parse(this.text);
  }

  get etag() {
    return this.headers.etag;
  }

  // The status, or one of several, and the error code where one is given.
  must(status, code) {
    const statusFits = [status].flat().includes(this.status);
    const codeFits = () => code === undefined || [code].flat().includes(this.code) ||
      alias(this.status, this.code, [code].flat());
    if (!statusFits || !codeFits()) {
      const want = `${[status].flat().join(' or ')} ${[code ?? []].flat().join(' or ')}`.trim();
      const got = `${this.status} ${this.code ?? ''}`.trim();
      const message = this.text.match(/<Message>([^<\n]*)/)?.[1] ?? '';
      throw new Failure(`${this.title}: got ${got}, expected ${want}; ${message}`.replace(/; $/, ''));
    }
    return this;
  }

  // Headers: a string, a regular expression, or null (must be absent).
  has(expected) {
    for (const [name, value] of Object.entries(expected)) {
      const got = this.headers[name.toLowerCase()];
      const fits = value instanceof RegExp ? value.test(got ?? '') : (got ?? null) === value;
      if (!fits) {
        throw new Failure(`${this.title}: ${name} is ${got ?? 'absent'}, expected ${value ?? 'none'}`);
      }
    }
    return this;
  }
}

function judge(answer, request) {
  const h = answer.headers;
  const id = h['x-ms-request-id'] ?? '';
  rule(RULES[0], /^[0-9a-f-]{36}$/i.test(id), answer);
  rule(RULES[1], !ids.has(id), answer);
  ids.add(id);
  if (request.headers['x-ms-version'] === VERSION && answer.status < 300) {
    rule(RULES[2], h['x-ms-version'] === VERSION, answer);
  }
  // Whole seconds, of a clock that may be another's.
  const date = Date.parse(h.date);
  rule(RULES[3], date > request.sent - 2000 && date < Date.now() + 2000, answer);
  const client = request.headers['x-ms-client-request-id'];
  if (client !== undefined && client.length <= 1024) {
    rule(RULES[4], h['x-ms-client-request-id'] === client, answer);
  }
  if (answer.status >= 400) {
    rule(RULES[5], /^[A-Za-z0-9]+$/.test(answer.code ?? ''), answer);
    if (request.method !== 'HEAD') {
      let fits = false;
      try {
        const xml = answer.xml;
        fits = xml.name === 'Error' && xml.at('Code') === answer.code && xml.at('Message') !== '' &&
          /^application\/xml/.test(h['content-type']);
      } catch {
        // Not a document.
      }
      rule(RULES[6], fits, answer);
    }
  } else if (answer.status < 300) {
    rule(RULES[7], answer.code === undefined, answer);
  }
  if (h.etag !== undefined) {
    rule(RULES[8], /^"[^"]+"$/.test(h.etag), answer);
  }
  if (h['last-modified'] !== undefined) {
    rule(RULES[9], isHttpDate(h['last-modified']), answer);
  }
}

export function isHttpDate(text) {
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text ?? '') &&
    new Date(text).toUTCString() === text;
}

// --- SharedKey ------------------------------------------------------------------

function canonicalHeaders(headers) {
  return Object.keys(headers)
    .filter((name) => name.startsWith('x-ms-'))
    .sort()
    .map((name) => `${name}:${headers[name].trim()}\n`)
    .join('');
}

const decode = (text) => decodeURIComponent(text.replace(/\+/g, ' '));

function canonicalResource(name, path, query) {
  const parameters = query
    .split('&')
    .filter(Boolean)
    .map((part) => {
      const [field, ...value] = part.split('=');
      return [decode(field).toLowerCase(), decode(value.join('='))];
    })
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `/${name}${path}${parameters.map(([field, value]) => `\n${field}:${value}`).join('')}`;
}

export function stringToSign(method, path, query, headers, name = account) {
  const h = (field) => headers[field] ?? '';
  return [
    method,
    h('content-encoding'),
    h('content-language'),
    h('content-length') === '0' ? '' : h('content-length'),
    h('content-md5'),
    h('content-type'),
    h('x-ms-date') ? '' : h('date'),
    h('if-modified-since'),
    h('if-match'),
    h('if-none-match'),
    h('if-unmodified-since'),
    h('range'),
    canonicalHeaders(headers) + canonicalResource(name, path, query),
  ].join('\n');
}

export function stringToSignLite(method, path, query, headers, name = account) {
  const h = (field) => headers[field] ?? '';
  const comp = query.match(/(?:^|&)comp=([^&]*)/)?.[1];
  const resource = `/${name}${path}${comp ? `?comp=${comp}` : ''}`;
  return [method, h('content-md5'), h('content-type'), h('x-ms-date') ? '' : h('date'),
    canonicalHeaders(headers) + resource].join('\n');
}

export function hmac(text, secret = key) {
  return createHmac('sha256', Buffer.from(secret, 'base64')).update(text, 'utf8').digest('base64');
}

// --- sending --------------------------------------------------------------------

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

function exchange(method, target, headers, body, connections = agent) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { agent: connections, host: endpoint.hostname, port: endpoint.port, method, path: target, headers },
      (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode, headers: response.headers, body: Buffer.concat(parts),
            names: response.rawHeaders.filter((_, i) => i % 2 === 0),
          }));
      },
    );
    request.setTimeout(20000, () => request.destroy(new Error(`${method} ${target}: no answer in 20 s`)));
    request.on('error', (error) => {
      // A connection that the server had closed meanwhile is no fault of either; others
      // may be closed as well, so that a new one is made.
      if (request.reusedSocket && error.code === 'ECONNRESET') {
        resolve(exchange(method, target, headers, body, false));
      } else {
        reject(new Failure(`${method} ${target.slice(0, 200)}: ${error.message}`));
      }
    });
    request.end(body);
  });
}

/*
 * One request. auth: undefined for the account's key, null for none, a string
 * for a SAS, { account, key } for another's. edit(headers) changes what was
 * signed; lite signs by SharedKeyLite; also, [name, value] pairs, are sent as they
 * are, unsigned.
 */
export async function send(method, path, query = '', headers = {}, body = undefined, how = {}) {
  const { auth, edit, lite, also } = how;
  const full = { 'x-ms-version': VERSION, 'x-ms-client-request-id': randomUUID() };
  if (body !== undefined || method === 'PUT' || method === 'POST') {
    full['content-length'] = String(body?.length ?? 0);
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value === null) {
      delete full[name.toLowerCase()];
    } else if (value !== undefined) {
      full[name.toLowerCase()] = String(value);
    }
  }
  if (auth === undefined || auth?.key) {
    if (full.date === undefined && full['x-ms-date'] === undefined && headers['x-ms-date'] !== null) {
      full['x-ms-date'] = new Date().toUTCString();
    }
    const name = auth?.account ?? account;
    const text = (lite ? stringToSignLite : stringToSign)(method, path, query, full, name);
    full.authorization = `SharedKey${lite ? 'Lite' : ''} ${name}:${hmac(text, auth?.key ?? key)}`;
  } else if (typeof auth === 'string') {
    query = [query, auth].filter(Boolean).join('&');
  }
  edit?.(full);
  const target = query ? `${path}?${query}` : path;
  const sent = Date.now();
  const sending = also ? [['Host', endpoint.host], ...Object.entries(full), ...also].flat() : full;
  const got = await exchange(method, target, sending, body);
  const shown = `${method} ${decodeURI(path).split('/').slice(3).join('/').slice(0, 60)}?${query.replace(/&?sig=.*/, '')}`;
  const answer = new Answer(shown, got);
  judge(answer, { method, headers: full, sent });
  return answer;
}

export function stop() {
  agent.destroy();
}
