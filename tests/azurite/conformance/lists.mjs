// SPDX-License-Identifier: MIT
//
// "List Blobs".

import { A, bytes, is, newContainer, ok } from './objects.mjs';

const hard = ['a b', 'a&b', 'a<b>"\'', 'é/ü', 'a+b%41', '日本/語', '…😀'];

async function filled(names, size = 512) {
  const container = await newContainer();
  for (const name of names) {
    (await container.blob(name).create(size)).must(201);
  }
  return container;
}

export default function define(check) {
  check('the document of an empty container', async () => {
    const container = await newContainer();
    const answer = (await container.list()).must(200).has({ 'content-type': /^application\/xml/ });
    const { xml } = answer;
    is(xml.name, 'EnumerationResults', 'the document');
    is(xml.attributes.ContainerName, container.name, 'ContainerName');
    ok(/^http/.test(xml.attributes.ServiceEndpoint), 'ServiceEndpoint');
    is(xml.one('Blobs').children.length, 0, 'blobs');
    is(xml.at('NextMarker'), '', 'NextMarker');
  });
  check('what a blob has', async () => {
    const container = await newContainer();
    const { headers } = (await container.blob('b').create(1024, {
      'x-ms-blob-content-type': 'a/b', 'x-ms-blob-cache-control': 'cc', 'x-ms-blob-content-encoding': 'ce',
      'x-ms-blob-content-language': 'cl', 'x-ms-blob-sequence-number': '7', 'x-ms-meta-Name': 'value',
    })).must(201);
    (await container.blob('b').acquire(A)).must(201);
    const [blob] = (await container.list('include=metadata')).must(200).xml.one('Blobs').all('Blob');
    for (const [name, value] of Object.entries({
      'Last-Modified': headers['last-modified'], 'Content-Length': '1024', 'Content-Type': 'a/b',
      'Cache-Control': 'cc', 'Content-Encoding': 'ce', 'Content-Language': 'cl', BlobType: 'PageBlob',
      'x-ms-blob-sequence-number': '7', LeaseStatus: 'locked', LeaseState: 'leased', LeaseDuration: 'infinite',
    })) {
      is(blob.at('Properties', name), value, name);
    }
    is(blob.at('Properties', 'Etag').replace(/"/g, ''), headers.etag.replace(/"/g, ''), 'Etag');
    ok(Date.parse(blob.at('Properties', 'Creation-Time')), 'Creation-Time');
    const metadata = blob.one('Metadata').children;
    is(metadata.map((m) => `${m.name.toLowerCase()}=${m.text}`).join(), 'name=value', 'metadata');
  });
  check('metadata where none were asked for', async () => {
    const container = await newContainer();
    (await container.blob('b').create(512, { 'x-ms-meta-a': 'b' })).must(201);
    const [blob] = (await container.list()).must(200).xml.one('Blobs').all('Blob');
    ok(!blob.at('Metadata', 'a'), 'they are there');
  });
  check('in the order of the names', async () => {
    const container = await filled(['b', 'a', 'B', '10', 'a/b', 'a-', 'é', '2']);
    is((await container.names()).join(' '), '10 2 B a a- a/b b é', 'the names');
  });
  check('names with anything in them', async () => {
    const container = await filled(hard);
    is((await container.names()).sort().join('|'), [...hard].sort().join('|'), 'the names');
  });
  check('by prefix', async () => {
    const container = await filled(['a', 'ab', 'abc', 'b', 'b&c']);
    is((await container.names('prefix=ab')).join(), 'ab,abc', 'the names');
    is((await container.names('prefix=b%26')).join(), 'b&c', 'the names');
    is((await container.names('prefix=x')).join(), '', 'the names');
    is((await container.list('prefix=ab')).must(200).xml.at('Prefix'), 'ab', 'Prefix');
  });
  check('by prefix and delimiter', async () => {
    const container = await filled(['a', 'd/1', 'd/2', 'd/e/3', 'f/4']);
    const level = async (query) => {
      const { xml } = (await container.list(`delimiter=/&${query}`)).must(200);
      is(xml.at('Delimiter'), '/', 'Delimiter');
      return xml.one('Blobs').children.map((c) => `${c.name === 'BlobPrefix' ? '>' : ''}${c.at('Name')}`).join(' ');
    };
    is(await level(''), 'a >d/ >f/', 'the top');
    is(await level('prefix=d/'), 'd/1 d/2 >d/e/', 'd/');
    is(await level('prefix=d'), '>d/', 'd');
  });
  check('in pages, each blob once', async () => {
    const names = Array.from({ length: 7 }, (_, i) => `n${i}&`);
    const container = await filled(names);
    const seen = [];
    let marker = '';
    let pages = 0;
    do {
      const { xml } = (await container.list(`maxresults=3&marker=${encodeURIComponent(marker)}`)).must(200);
      is(xml.at('MaxResults'), '3', 'MaxResults');
      const page = xml.one('Blobs').all('Blob').map((blob) => blob.at('Name'));
      ok(page.length <= 3, `${page.length} in a page of 3`);
      seen.push(...page);
      marker = xml.at('NextMarker');
    } while (marker && ++pages < 9);
    is(seen.join(), names.join(), 'the names');
  });
  check('in pages with prefixes', async () => {
    const container = await filled(['a/1', 'a/2', 'b', 'c/1', 'd']);
    const seen = [];
    let marker = '';
    do {
      const { xml } = (await container.list(`delimiter=/&maxresults=1&marker=${encodeURIComponent(marker)}`)).must(200);
      seen.push(...xml.one('Blobs').children.map((child) => child.at('Name')));
      marker = xml.at('NextMarker');
    } while (marker && seen.length < 20);
    is(seen.join(), 'a/,b,c/,d', 'the names');
  });
  check('in pages, while blobs are deleted and made', async () => {
    const container = await filled(['a', 'b', 'c', 'd']);
    const first = (await container.list('maxresults=2')).must(200).xml;
    (await container.blob('b').delete()).must(202);
    (await container.blob('c').delete()).must(202);
    (await container.blob('aa').create(512)).must(201);
    const rest = await container.names(`marker=${encodeURIComponent(first.at('NextMarker'))}`);
    is(rest.join(), 'd', 'the second page');
  });
  check('snapshots when asked for, oldest first', async () => {
    const container = await filled(['a', 'b']);
    const times = [];
    for (let i = 0; i < 6; i++) {
      times.push((await container.blob('a').snap()).snapshotTime);
    }
    is((await container.names()).join(), 'a,b', 'without');
    const all = (await container.list('include=snapshots')).must(200).xml.one('Blobs').all('Blob');
    is(all.map((blob) => blob.at('Name')).join(), 'a,a,a,a,a,a,a,b', 'with');
    is(all.map((blob) => blob.at('Snapshot')).filter(Boolean).join(), times.join(), 'the times');
  });
  check('in pages with snapshots, each once', async () => {
    const container = await filled(['a', 'b']);
    for (let i = 0; i < 3; i++) {
      await container.blob('a').snap();
    }
    const seen = new Set();
    let marker = '';
    let total = 0;
    do {
      const { xml } = (await container.list(`include=snapshots&maxresults=2&marker=${encodeURIComponent(marker)}`)).must(200);
      for (const blob of xml.one('Blobs').all('Blob')) {
        seen.add(`${blob.at('Name')} ${blob.at('Snapshot')}`);
        total++;
      }
      marker = xml.at('NextMarker');
    } while (marker && total < 20);
    is(seen.size, 5, 'different ones');
    is(total, 5, 'all');
  });
  check('copy state when asked for', async () => {
    const container = await filled(['from']);
    const to = container.blob('to');
    const id = (await to.copy(container.blob('from').url())).must(202).headers['x-ms-copy-id'];
    await to.copied();
    const blobs = (await container.list('include=copy')).must(200).xml.one('Blobs').all('Blob');
    const copy = blobs.find((blob) => blob.at('Name') === 'to');
    is(copy.at('Properties', 'CopyId'), id, 'CopyId');
    is(copy.at('Properties', 'CopyStatus'), 'success', 'CopyStatus');
    is(copy.at('Properties', 'CopyProgress'), '512/512', 'CopyProgress');
    ok(copy.at('Properties', 'CopySource').endsWith('/from'), 'CopySource');
    ok(Date.parse(copy.at('Properties', 'CopyCompletionTime')), 'CopyCompletionTime');
  });
  check('a list shows what was just written', async () => {
    const container = await filled(['a']);
    (await container.blob('a').put(0, bytes(512))).must(201);
    const { etag } = (await container.blob('a').head()).must(200);
    const [blob] = (await container.list()).must(200).xml.one('Blobs').all('Blob');
    is(blob.at('Properties', 'Etag').replace(/"/g, ''), etag.replace(/"/g, ''), 'Etag');
  });
  for (const [query, code] of [
    ['maxresults=0', 'OutOfRangeQueryParameterValue'],
    ['maxresults=-1', ['OutOfRangeQueryParameterValue', 'InvalidQueryParameterValue']],
    ['maxresults=x', 'InvalidQueryParameterValue'],
    ['include=everything', 'InvalidQueryParameterValue'],
  ]) {
    check(`${query}: 400`, async () => {
      (await (await newContainer()).list(query)).must(400, code);
    });
  }
  check('more than 5000 asked for: no error', async () => {
    (await (await newContainer()).list('maxresults=5001')).must(200);
  });
}

