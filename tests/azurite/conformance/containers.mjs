// SPDX-License-Identifier: MIT
//
// "Create Container", "Get Container Properties", "Set Container Metadata",
// "Delete Container", "List Containers".

import { Container, is, newContainer, newName, ok, service } from './objects.mjs';

const LONG_AGO = 'Fri, 01 Jan 2010 00:00:00 GMT';
const SOON = () => new Date(Date.now() + 3600_000).toUTCString();

export default function define(check) {
  check('create answers with ETag and Last-Modified', async () => {
    (await new Container(newName()).create()).must(201).has({ etag: /^"/, 'last-modified': /GMT$/ });
  });
  check('create what is there: 409', async () => {
    (await (await newContainer()).create()).must(409, 'ContainerAlreadyExists');
  });
  check('properties', async () => {
    const container = new Container(newName());
    const { headers } = (await container.create({ 'x-ms-meta-One': 'first', 'x-ms-meta-two': '2' })).must(201);
    const expected = {
      etag: headers.etag, 'last-modified': headers['last-modified'], 'x-ms-meta-one': 'first',
      'x-ms-meta-two': '2', 'x-ms-lease-status': 'unlocked', 'x-ms-lease-state': 'available',
      'x-ms-blob-public-access': null,
    };
    (await container.properties()).must(200).has(expected);
    (await container.send('HEAD')).must(200).has(expected);
    (await container.send('GET', 'comp=metadata')).must(200).has({ 'x-ms-meta-one': 'first' });
    (await container.send('HEAD', 'comp=metadata')).must(200).has({ 'x-ms-meta-two': '2' });
  });
  check('metadata replaces what there was, and changes the ETag', async () => {
    const container = await newContainer();
    const before = (await container.properties()).must(200);
    (await container.send('PUT', 'comp=metadata', { 'x-ms-meta-a': '1' })).must(200);
    (await container.send('PUT', 'comp=metadata', { 'x-ms-meta-b': '2' })).must(200);
    const after = (await container.properties()).must(200).has({ 'x-ms-meta-a': null, 'x-ms-meta-b': '2' });
    ok(after.etag !== before.etag, 'the ETag is the same');
    (await container.send('PUT', 'comp=metadata')).must(200);
    (await container.properties()).must(200).has({ 'x-ms-meta-b': null });
  });
  check('metadata if modified since', async () => {
    const container = await newContainer();
    const set = (date) => container.send('PUT', 'comp=metadata', { 'if-modified-since': date });
    (await set(SOON())).must(412, 'ConditionNotMet');
    (await set(LONG_AGO)).must(200);
  });
  check('delete: gone with what was in it', async () => {
    const container = await newContainer();
    (await container.blob('b').create(512)).must(201);
    (await container.delete()).must(202);
    (await container.properties()).must(404, 'ContainerNotFound');
    (await container.blob('b').get()).must(404, 'ContainerNotFound');
  });
  check('delete if modified and unmodified since', async () => {
    const container = await newContainer();
    (await container.delete({ 'if-modified-since': SOON() })).must(412, 'ConditionNotMet');
    (await container.delete({ 'if-unmodified-since': LONG_AGO })).must(412, 'ConditionNotMet');
    (await container.delete({ 'if-unmodified-since': SOON() })).must(202);
  });

  const none = () => new Container(newName());
  for (const [name, use] of Object.entries({
    'Get Container Properties': () => none().properties(),
    'HEAD': () => none().send('HEAD'),
    'Get Container Metadata': () => none().send('GET', 'comp=metadata'),
    'Set Container Metadata': () => none().send('PUT', 'comp=metadata'),
    'Get Container ACL': () => none().getAcl(),
    'Set Container ACL': () => none().setAcl(''),
    'Lease Container': () => none().lease('acquire', { 'x-ms-lease-duration': -1 }),
    'List Blobs': () => none().list(),
    'Delete Container': () => none().delete(),
    'Put Blob': () => none().blob('b').create(512),
    'Get Blob': () => none().blob('b').get(),
    'Put Page': () => none().blob('b').clear(0, 512),
    'Delete Blob': () => none().blob('b').delete(),
    'Copy Blob': async () => {
      const from = (await newContainer()).blob('b');
      (await from.create(512)).must(201);
      return none().blob('b').copy(from.url());
    },
  })) {
    check(`${name} where there is none: 404`, async () => {
      (await use()).must(404, 'ContainerNotFound');
    });
  }

  for (const [name, code] of [
    ['ab', ['OutOfRangeInput', 'InvalidResourceName']],
    ['a'.repeat(64), ['OutOfRangeInput', 'InvalidResourceName']],
    ['Abc', 'InvalidResourceName'],
    ['a_b', 'InvalidResourceName'],
    ['-abc', 'InvalidResourceName'],
    ['abc-', 'InvalidResourceName'],
    ['a--b', 'InvalidResourceName'],
    ['a.b', 'InvalidResourceName'],
    ['%C3%A9t%C3%A9', 'InvalidResourceName'],
    ['a%20b', 'InvalidResourceName'],
  ]) {
    check(`no container can be named ${name.slice(0, 20)}: 400`, async () => {
      (await new Container(name).create()).must(400, code);
    });
  }
  for (const make of [() => newName('0').slice(0, 20), () => newName('a').padEnd(63, 'z')]) {
    check(`a container can be named like ${make().replace(/-.*-/, '-…-')}`, async () => {
      const container = new Container(make());
      (await container.create()).must(201);
      (await container.properties()).must(200);
      (await container.delete()).must(202);
    });
  }

  check('public access is not given where it was not asked for', async () => {
    const container = await newContainer();
    const blob = container.blob('b');
    (await blob.create(512)).must(201);
    for (const answer of [await blob.with(null).get(), await container.with(null).list()]) {
      ok([401, 403, 404, 409].includes(answer.status), `anonymous: ${answer.status}`);
    }
  });
  check('public access that is none of container and blob: 400', async () => {
    (await new Container(newName()).create({ 'x-ms-blob-public-access': 'all' })).must(400, 'InvalidHeaderValue');
  });

  check('List Containers: by prefix, with metadata, in pages', async () => {
    const prefix = newName('list');
    for (const end of ['c', 'a', 'b']) {
      (await new Container(`${prefix}-${end}`).create({ 'x-ms-meta-end': end })).must(201);
    }
    const list = async (query) => (await service('GET', `comp=list&prefix=${prefix}&${query}`)).must(200).xml;
    const names = (xml) => xml.one('Containers').all('Container').map((c) => c.at('Name').slice(-1)).join('');
    const all = await list('include=metadata');
    is(all.name, 'EnumerationResults', 'the document');
    is(names(all), 'abc', 'the names');
    is(all.at('Prefix'), prefix, 'Prefix');
    const [first] = all.one('Containers').all('Container');
    is(first.at('Metadata', 'end'), 'a', 'metadata');
    ok(/^"?0x/.test(first.at('Properties', 'Etag')), 'Etag');
    ok(/GMT$/.test(first.at('Properties', 'Last-Modified')), 'Last-Modified');
    is(first.at('Properties', 'LeaseStatus'), 'unlocked', 'LeaseStatus');
    is(first.at('Properties', 'LeaseState'), 'available', 'LeaseState');
    const one = await list('maxresults=2');
    is(names(one), 'ab', 'the first page');
    is(one.at('MaxResults'), '2', 'MaxResults');
    is(names(await list(`marker=${encodeURIComponent(one.at('NextMarker'))}`)), 'c', 'the second page');
    is(names(await list('')) && (await list('')).one('Containers').all('Container')[0].has('Metadata'), false,
      'metadata where none were asked for');
  });
}
