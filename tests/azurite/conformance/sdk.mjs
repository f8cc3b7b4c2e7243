// SPDX-License-Identifier: MIT
//
// The same service through @azure/storage-blob, a client that nobody here wrote:
// what it needs of the answers is what other tools need of them.

import { createHash, webcrypto } from 'node:crypto';

import { A, B, KIB, MIB, bytes, is, newName, ok, same } from './objects.mjs';
import { account, connection, Failure, key } from './wire.mjs';

globalThis.crypto ??= webcrypto; // Node 18 hasn't got it
const {
  BlobSASPermissions, BlobServiceClient, ContainerSASPermissions, PageBlobClient, StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} = await import('@azure/storage-blob');

const service = BlobServiceClient.fromConnectionString(connection || 'UseDevelopmentStorage=true', {
  retryOptions: { maxTries: 1 },
});
const credential = new StorageSharedKeyCredential(account ?? 'a', key ?? 'a2V5');

async function container() {
  const client = service.getContainerClient(newName('sdk'));
  await client.create();
  return client;
}
async function pageBlob(size = 64 * KIB) {
  const client = (await container()).getPageBlobClient('a/b c.vhd');
  await client.create(size);
  return client;
}
async function refused(promise, status, code) {
  try {
    await promise;
  } catch (error) {
    is(error.statusCode, status, 'status');
    is(error.code ?? error.details?.errorCode, code, 'code');
    return;
  }
  throw new Failure(`not refused, expected ${status} ${code}`);
}
const joined = ({ pageRange = [] }) => {
  const out = [];
  for (const { offset, count } of pageRange) {
    const last = out.at(-1);
    if (last && last[1] === offset) {
      last[1] += count + 1;
    } else {
      out.push([offset, offset + count + 1]);
    }
  }
  return out.map(([from, to]) => `${from}+${to - from}`).join(' ');
};

export default function define(check) {
  check('containers', async () => {
    const client = await container();
    ok(await client.exists(), 'it is not there');
    await client.setMetadata({ a: 'b' });
    is((await client.getProperties()).metadata.a, 'b', 'metadata');
    let found = 0;
    for await (const item of service.listContainers({ prefix: client.containerName })) {
      found += item.name === client.containerName ? 1 : 0;
    }
    is(found, 1, 'times in the list');
    await client.delete();
    ok(!(await client.exists()), 'it is still there');
  });
  check('createIfNotExists, deleteIfExists', async () => {
    const client = await container();
    is((await client.createIfNotExists()).succeeded, false, 'made again');
    const blob = client.getPageBlobClient('b');
    is((await blob.createIfNotExists(512)).succeeded, true, 'made');
    is((await blob.createIfNotExists(512)).succeeded, false, 'made again');
    is((await blob.deleteIfExists()).succeeded, true, 'deleted');
    is((await blob.deleteIfExists()).succeeded, false, 'deleted again');
  });
  check('pages: upload, clear, download, ranges', async () => {
    const blob = await pageBlob();
    await blob.uploadPages(bytes(8192), 4096, 8192);
    await blob.clearPages(5120, 512);
    const expected = Buffer.alloc(64 * KIB);
    bytes(8192).copy(expected, 4096);
    expected.fill(0, 5120, 5632);
    same(await blob.downloadToBuffer(), expected, 'the blob');
    same(await blob.downloadToBuffer(4100, 2000), expected.subarray(4100, 6100), 'a part');
    is(joined(await blob.getPageRanges()), '4096+1024 5632+6656', 'ranges');
    is(joined(await blob.getPageRanges(4096, 512)), '4096+512', 'ranges of a part');
  });
  check('upload with the MD5, download with the MD5', async () => {
    const blob = await pageBlob();
    const digest = createHash('md5').update(bytes(512)).digest();
    await blob.uploadPages(bytes(512), 0, 512, { transactionalContentMD5: digest });
    const answer = await blob.download(0, 512, { rangeGetContentMD5: true });
    is(Buffer.from(answer.contentMD5).toString('hex'), digest.toString('hex'), 'MD5');
    answer.readableStreamBody.resume();
  });
  check('properties, resize, sequence number', async () => {
    const blob = await pageBlob();
    await blob.setHTTPHeaders({ blobContentType: 'a/b', blobCacheControl: 'no-cache' });
    await blob.resize(128 * KIB);
    await blob.updateSequenceNumber('max', 7);
    await blob.updateSequenceNumber('increment');
    const properties = await blob.getProperties();
    is(properties.contentLength, 128 * KIB, 'size');
    is(properties.blobSequenceNumber, 8, 'sequence number');
    is(properties.contentType, 'a/b', 'content type');
    is(properties.blobType, 'PageBlob', 'type');
    ok(properties.createdOn instanceof Date, 'creation time');
    await refused(blob.uploadPages(bytes(512), 0, 512, { conditions: { ifSequenceNumberEqualTo: 7 } }),
      412, 'SequenceNumberConditionNotMet');
    await blob.uploadPages(bytes(512), 0, 512, { conditions: { ifSequenceNumberEqualTo: 8 } });
  });
  check('metadata', async () => {
    const blob = await pageBlob();
    await blob.setMetadata({ one: '1', Two: 'second value' });
    const { metadata } = await blob.getProperties();
    is(metadata.one, '1', 'one');
    is(metadata.two, 'second value', 'Two');
  });
  check('leases', async () => {
    const blob = await pageBlob();
    const lease = blob.getBlobLeaseClient(A);
    is((await lease.acquireLease(60)).leaseId, A, 'the id');
    await refused(blob.uploadPages(bytes(512), 0, 512), 412, 'LeaseIdMissing');
    await blob.uploadPages(bytes(512), 0, 512, { conditions: { leaseId: A } });
    await lease.renewLease();
    is((await lease.changeLease(B)).leaseId, B, 'the new id');
    await refused(blob.getBlobLeaseClient(A).acquireLease(-1), 409, 'LeaseAlreadyPresent');
    ok((await lease.breakLease(10)).leaseTime <= 10, 'lease time');
    is((await blob.getProperties()).leaseState, 'breaking', 'state');
    await blob.getBlobLeaseClient(B).releaseLease();
    is((await blob.getProperties()).leaseState, 'available', 'state');
  });
  check('snapshots', async () => {
    const blob = await pageBlob();
    await blob.uploadPages(bytes(512), 0, 512);
    const { snapshot } = await blob.createSnapshot({ metadata: { of: 'monday' } });
    await blob.clearPages(0, 512);
    const old = blob.withSnapshot(snapshot);
    same((await old.downloadToBuffer(0, 512)), bytes(512), 'the snapshot');
    is((await old.getProperties()).metadata.of, 'monday', 'metadata');
    await refused(blob.delete(), 409, 'SnapshotsPresent');
    await blob.delete({ deleteSnapshots: 'include' });
    await refused(old.getProperties(), 404, 'BlobNotFound');
  });
  check('what changed since a snapshot', async () => {
    const blob = await pageBlob();
    await blob.uploadPages(bytes(4096), 0, 4096);
    const { snapshot } = await blob.createSnapshot();
    await blob.clearPages(512, 512);
    await blob.uploadPages(bytes(512, 2), 8192, 512);
    const { pageRange, clearRange } = await blob.getPageRangesDiff(0, 64 * KIB, snapshot);
    is(joined({ pageRange }), '8192+512', 'written');
    is(joined({ pageRange: clearRange }), '512+512', 'cleared');
  });
  check('copies', async () => {
    const blob = await pageBlob();
    await blob.uploadPages(bytes(4096), 0, 4096);
    const to = service.getContainerClient(blob.containerName).getPageBlobClient('copy');
    const poller = await to.beginCopyFromURL(blob.url, { intervalInMs: 50 });
    is((await poller.pollUntilDone()).copyStatus, 'success', 'copy status');
    same(await to.downloadToBuffer(0, 4096), bytes(4096), 'the copy');
  });
  check('lists', async () => {
    const client = await container();
    for (const name of ['a/1', 'a/2', 'b', 'c d']) {
      await client.getPageBlobClient(name).create(512, { metadata: { n: name[0] } });
    }
    await client.getPageBlobClient('b').createSnapshot();
    const names = [];
    for await (const item of client.listBlobsFlat({ includeMetadata: true })) {
      is(item.metadata.n, item.name[0], 'metadata');
      is(item.properties.contentLength, 512, 'size');
      is(item.properties.blobType, 'PageBlob', 'type');
      names.push(item.name);
    }
    is(names.join(), 'a/1,a/2,b,c d', 'flat');
    const pages = [];
    for await (const page of client.listBlobsFlat().byPage({ maxPageSize: 3 })) {
      pages.push(page.segment.blobItems.length);
    }
    is(pages.join(), '3,1', 'in pages');
    const top = [];
    for await (const item of client.listBlobsByHierarchy('/')) {
      top.push(`${item.kind === 'prefix' ? '>' : ''}${item.name}`);
    }
    is(top.sort().join(), '>a/,b,c d', 'by hierarchy');
    let snapshots = 0;
    for await (const item of client.listBlobsFlat({ includeSnapshots: true })) {
      snapshots += item.snapshot ? 1 : 0;
    }
    is(snapshots, 1, 'snapshots');
  });
  check('access policies and a SAS by one', async () => {
    const blob = await pageBlob();
    const client = service.getContainerClient(blob.containerName);
    await client.setAccessPolicy(undefined, [{
      id: 'p', accessPolicy: { startsOn: new Date(0), expiresOn: new Date(Date.now() + 3600_000), permissions: 'r' },
    }]);
    const { signedIdentifiers } = await client.getAccessPolicy();
    is(signedIdentifiers.length, 1, 'policies');
    is(signedIdentifiers[0].accessPolicy.permissions, 'r', 'permissions');
    const sas = generateBlobSASQueryParameters(
      { containerName: blob.containerName, blobName: blob.name, identifier: 'p' }, credential);
    const holder = new PageBlobClient(`${blob.url}?${sas}`);
    is((await holder.getProperties()).contentLength, 64 * KIB, 'size');
    await refused(holder.clearPages(0, 512), 403, 'AuthorizationPermissionMismatch');
  });
  for (const [scope, permissions] of [['blob', BlobSASPermissions.parse('rw')], ['container', ContainerSASPermissions.parse('rw')]]) {
    check(`a SAS of a ${scope}`, async () => {
      const blob = await pageBlob();
      const sas = generateBlobSASQueryParameters({
        containerName: blob.containerName, blobName: scope === 'blob' ? blob.name : undefined, permissions,
        startsOn: new Date(Date.now() - 60_000), expiresOn: new Date(Date.now() + 60_000),
      }, credential);
      const holder = new PageBlobClient(`${blob.url}?${sas}`);
      await holder.uploadPages(bytes(512), 0, 512);
      same(await holder.downloadToBuffer(0, 512), bytes(512), 'the page');
      await refused(holder.delete(), 403, 'AuthorizationPermissionMismatch');
    });
  }
  check('conditions', async () => {
    const blob = await pageBlob();
    const { etag } = await blob.getProperties();
    await blob.uploadPages(bytes(512), 0, 512, { conditions: { ifMatch: etag } });
    await refused(blob.uploadPages(bytes(512), 0, 512, { conditions: { ifMatch: etag } }), 412, 'ConditionNotMet');
  });
  check('8 MiB in parallel', async () => {
    const blob = await pageBlob(8 * MIB);
    await Promise.all(Array.from({ length: 16 }, (_, i) => blob.uploadPages(bytes(512 * KIB, i), i * 512 * KIB, 512 * KIB)));
    const data = await blob.downloadToBuffer(0, 8 * MIB, { blockSize: MIB, concurrency: 4 });
    for (let i = 0; i < 16; i++) {
      same(data.subarray(i * 512 * KIB, (i + 1) * 512 * KIB), bytes(512 * KIB, i), `part ${i}`);
    }
  });
}
