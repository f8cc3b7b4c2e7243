// SPDX-License-Identifier: MIT
//
// Containers and blobs as the checks handle them: each method is one request.
// What it answers is judged by the check.

import { createHash, randomBytes } from 'node:crypto';

import { account, endpoint, Failure, send } from './wire.mjs';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export function is(got, expected, what) {
  if (got !== expected) {
    throw new Failure(`${what}: got ${got}, expected ${expected}`);
  }
}

export function ok(holds, what) {
  if (!holds) {
    throw new Failure(what);
  }
}

export function same(got, expected, what) {
  if (Buffer.compare(got, expected) !== 0) {
    let at = 0;
    while (got[at] === expected[at]) {
      at++;
    }
    throw new Failure(`${what}: ${got.length} bytes, expected ${expected.length}, the first that differs is ${at}`);
  }
}

// Bytes none of which is zero.
export function bytes(length, seed = 1) {
  const out = Buffer.alloc(length);
  for (let i = 0; i < length; i++) {
    out[i] = 1 + ((i * 7 + (i >>> 9) * 31 + seed * 101) % 255);
  }
  return out;
}

export const md5 = (data) => createHash('md5').update(data).digest('base64');
export const uuid = (digit) => `${String(digit).repeat(8)}-0000-4000-8000-000000000000`;
export const A = uuid('a');
export const B = uuid('b');
export const C = uuid('c');
export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const encode = (name) => name.split('/').map(encodeURIComponent).join('/');
const join = (...parts) => parts.filter(Boolean).join('&');
export const span = (offset, length) => `bytes=${offset}-${offset + length - 1}`;

export class Container {
  constructor(name, how = {}) {
    this.name = name;
    this.how = how;
    this.path = `${endpoint.pathname.replace(/\/$/, '')}/${name}`;
  }

  with(auth, more = {}) {
    return new Container(this.name, { ...this.how, auth, ...more });
  }

  // query: beside restype=container
  send(method, query = '', headers = {}, body = undefined) {
    return send(method, this.path, join('restype=container', query), headers, body, this.how);
  }

  create(headers) {
    return this.send('PUT', '', headers);
  }

  properties(headers) {
    return this.send('GET', '', headers);
  }

  delete(headers) {
    return this.send('DELETE', '', headers);
  }

  list(query = '', headers = {}) {
    return this.send('GET', join('comp=list', query), headers);
  }

  async names(query) {
    const answer = (await this.list(query)).must(200);
    return answer.xml.one('Blobs').all('Blob').map((blob) => blob.at('Name'));
  }

  getAcl(headers) {
    return this.send('GET', 'comp=acl', headers);
  }

  setAcl(document, headers) {
    return this.send('PUT', 'comp=acl', headers, Buffer.from(document));
  }

  lease(action, headers = {}) {
    return this.send('PUT', 'comp=lease', { 'x-ms-lease-action': action, ...headers });
  }

  blob(name, how = this.how) {
    return new Blob(this, name, how);
  }
}

export class Blob {
  constructor(container, name, how = {}, snapshotTime = undefined) {
    Object.assign(this, { container, name, how, snapshotTime });
    this.path = `${container.path}/${encode(name)}`;
  }

  with(auth, more = {}) {
    return new Blob(this.container, this.name, { ...this.how, auth, ...more }, this.snapshotTime);
  }

  at(snapshotTime) {
    return new Blob(this.container, this.name, this.how, snapshotTime);
  }

  get time() {
    return this.snapshotTime ? `snapshot=${encodeURIComponent(this.snapshotTime)}` : '';
  }

  // As a copy source names it.
  url(sas = '') {
    const query = join(this.time, sas);
    return `${endpoint.origin}${this.path}${query ? `?${query}` : ''}`;
  }

  send(method, query = '', headers = {}, body = undefined) {
    return send(method, this.path, join(query, this.time), headers, body, this.how);
  }

  create(size, headers = {}) {
    return this.send('PUT', '', { 'x-ms-blob-type': 'PageBlob', 'x-ms-blob-content-length': size, ...headers });
  }

  put(offset, data, headers = {}) {
    return this.send('PUT', 'comp=page',
      { 'x-ms-page-write': 'update', 'x-ms-range': span(offset, data.length), ...headers }, data);
  }

  clear(offset, length, headers = {}) {
    return this.send('PUT', 'comp=page',
      { 'x-ms-page-write': 'clear', 'x-ms-range': span(offset, length), ...headers });
  }

  get(headers) {
    return this.send('GET', '', headers);
  }

  read(offset, length, headers = {}) {
    return this.get({ 'x-ms-range': span(offset, length), ...headers });
  }

  head(headers) {
    return this.send('HEAD', '', headers);
  }

  setProperties(headers) {
    return this.send('PUT', 'comp=properties', headers);
  }

  metadata(headers) {
    return this.send('GET', 'comp=metadata', headers);
  }

  setMetadata(headers) {
    return this.send('PUT', 'comp=metadata', headers);
  }

  lease(action, headers = {}) {
    return this.send('PUT', 'comp=lease', { 'x-ms-lease-action': action, ...headers });
  }

  acquire(id, duration = -1, headers = {}) {
    return this.lease('acquire', { 'x-ms-lease-duration': duration, 'x-ms-proposed-lease-id': id, ...headers });
  }

  async leaseState() {
    return (await this.head()).must(200).headers['x-ms-lease-state'];
  }

  snapshot(headers) {
    return this.send('PUT', 'comp=snapshot', headers);
  }

  // The snapshot itself.
  async snap(headers) {
    return this.at((await this.snapshot(headers)).must(201).headers['x-ms-snapshot']);
  }

  pageList(query = '', headers = {}) {
    return this.send('GET', join('comp=pagelist', query), headers);
  }

  // What pageList() says as "1024+512 2048-512": + written, - cleared; touching ranges joined.
  async ranges(query, headers) {
    const joined = [];
    for (const element of (await this.pageList(query, headers)).must(200).xml.children) {
      if (element.name === 'NextMarker') {
        continue;
      }
      const [start, end] = ['Start', 'End'].map((name) => Number(element.at(name)));
      const sign = { PageRange: '+', ClearRange: '-' }[element.name];
      ok(sign, `a <${element.name}> in a PageList`);
      const last = joined.at(-1);
      if (last?.sign === sign && last.start + last.length === start) {
        last.length += end + 1 - start;
      } else {
        joined.push({ start, sign, length: end + 1 - start });
      }
    }
    return joined.map(({ start, sign, length }) => `${start}${sign}${length}`).join(' ');
  }

  copy(source, headers = {}) {
    return this.send('PUT', '', { 'x-ms-copy-source': source, ...headers });
  }

  // Waits for a copy to end; its last HEAD.
  async copied() {
    for (let i = 0; i < 1200; i++) {
      const answer = (await this.head()).must(200);
      if (answer.headers['x-ms-copy-status'] !== 'pending') {
        return answer;
      }
      await sleep(50);
    }
    throw new Failure(`copy to ${this.name} still pending after 60 s`);
  }

  delete(headers) {
    return this.send('DELETE', '', headers);
  }
}

// The account's own: for listing containers.
export function service(method, query, headers = {}, how = {}) {
  return send(method, `${endpoint.pathname.replace(/\/$/, '')}/`, query, headers, undefined, how);
}

let count = 0;
export const newName = (prefix = 'c') => `${prefix}-${process.pid.toString(36)}-${randomBytes(4).toString('hex')}-${count++}`;

// A container that is there.
export async function newContainer() {
  const container = new Container(newName());
  (await container.create()).must(201);
  return container;
}

// A page blob of a container that the checks share.
let shared;
export async function newBlob(size = 4 * KIB, headers = {}) {
  shared ??= newContainer();
  const blob = (await shared).blob(`${newName('b')}`);
  (await blob.create(size, headers)).must(201);
  return blob;
}

// One that is not there yet.
export async function noBlob() {
  shared ??= newContainer();
  return (await shared).blob(newName('n'));
}

// A block blob; not all servers have them.
export async function blockBlob(length = 512) {
  const blob = await noBlob();
  const answer = await blob.send('PUT', '', { 'x-ms-blob-type': 'BlockBlob' }, bytes(length));
  return answer.status === 201 ? blob : undefined;
}

export { account, Failure };
