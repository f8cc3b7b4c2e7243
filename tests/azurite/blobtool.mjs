// SPDX-License-Identifier: MIT
//
// A client of page blobs that this project did not write (@azure/storage-blob),
// as a command, to look at a drive from the outside. See usage below.

import { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';

// The library expects this global; Debian 12's Node 18 hasn't got it.
globalThis.crypto ??= webcrypto;
const { BlobServiceClient, generateBlobSASQueryParameters, StorageSharedKeyCredential } =
  await import('@azure/storage-blob');

const usage = `usage: node blobtool.mjs COMMAND ARGUMENT...

Blobs are named CONTAINER/BLOB. The server is $AZURE_STORAGE_CONNECTION_STRING.

  create-container CONTAINER
  create BLOB SIZE               an empty page blob of SIZE bytes
  upload FILE BLOB               as a page blob, 4-MiB stretches of zeros left unwritten
  put-pages FILE BLOB OFFSET     over what is there; at most 4 MiB
  put-block-blob FILE BLOB
  download BLOB FILE [SNAPSHOT]
  props BLOB                     its properties, as JSON
  pages BLOB                     the ranges written, "OFFSET LENGTH" a line
  list CONTAINER                 the blobs in it
  sas BLOB|CONTAINER PERMISSIONS SECONDS    a SAS's query string; expired if < 0
  set-policy CONTAINER ID PERMISSIONS SECONDS   its only stored access policy
  policy-sas BLOB|CONTAINER ID                  a SAS that is what the policy says
  acquire-lease BLOB [SECONDS]   prints the lease id; without SECONDS endless
  break-lease BLOB
  snapshot BLOB                  prints its time
  abort-copy BLOB                the copy that it is
  delete BLOB

Errors: "STATUS CODE" on standard error, and exit status 1.
`;

const connection = process.env.AZURE_STORAGE_CONNECTION_STRING;

function field(name) {
  return connection.match(new RegExp(`(?:^|;)${name}=([^;]*)`))?.[1];
}

const service = () => BlobServiceClient.fromConnectionString(connection);

function blob(name) {
  const slash = name.indexOf('/');
  if (slash < 0) {
    throw new Error(`${name}: not CONTAINER/BLOB`);
  }
  return service()
    .getContainerClient(name.slice(0, slash))
    .getPageBlobClient(name.slice(slash + 1));
}

const PIECE = 4 << 20; // the largest Put Page

async function upload(file, name) {
  const data = await readFile(file);
  const client = blob(name);
  await client.create(Math.ceil(data.length / 512) * 512);
  for (let at = 0; at < data.length; at += PIECE) {
    let piece = data.subarray(at, at + PIECE);
    if (piece.some((byte) => byte !== 0)) {
      if (piece.length % 512) {
        piece = Buffer.concat([piece, Buffer.alloc(512 - (piece.length % 512))]);
      }
      await client.uploadPages(piece, at, piece.length);
    }
  }
}

function signed(name, claims) {
  const [containerName, ...rest] = name.split('/');
  const credential = new StorageSharedKeyCredential(field('AccountName'), field('AccountKey'));
  const blobName = rest.length ? rest.join('/') : undefined;
  return generateBlobSASQueryParameters({ containerName, blobName, ...claims }, credential).toString();
}

const HOUR = 3600_000;
const inSeconds = (seconds) => new Date(Date.now() + Number(seconds) * 1000);

function sas(name, permissions, seconds) {
  return signed(name, {
    // The SDK parses strings only for the kind of resource named.
    permissions: { toString: () => permissions },
    startsOn: new Date(Date.now() - HOUR),
    expiresOn: inSeconds(seconds),
  });
}

function setPolicy(container, id, permissions, seconds) {
  const accessPolicy = { permissions, startsOn: new Date(Date.now() - HOUR), expiresOn: inSeconds(seconds) };
  return service().getContainerClient(container).setAccessPolicy(undefined, [{ id, accessPolicy }]);
}

const commands = {
  'create-container': (name) => service().createContainer(name),
  create: (name, size) => blob(name).create(Number(size)),
  upload,
  'put-pages': async (file, name, offset) => {
    const data = await readFile(file);
    await blob(name).uploadPages(data, Number(offset), data.length);
  },
  'put-block-blob': async (file, name) => {
    const data = await readFile(file);
    await blob(name).getBlockBlobClient().upload(data, data.length);
  },
  download: async (name, file, snapshot) => {
    const client = snapshot ? blob(name).withSnapshot(snapshot) : blob(name);
    await client.downloadToFile(file);
  },
  props: async (name) => {
    const { _response, ...properties } = await blob(name).getProperties();
    console.log(JSON.stringify(properties, null, 2));
  },
  pages: async (name) => {
    const { pageRange = [] } = await blob(name).getPageRanges();
    for (const { offset, count } of pageRange) {
      // The library's count is the last byte less the first.
      console.log(`${offset} ${count + 1}`);
    }
  },
  list: async (container) => {
    for await (const item of service().getContainerClient(container).listBlobsFlat()) {
      console.log(item.name);
    }
  },
  sas: (...words) => console.log(sas(...words)),
  'set-policy': setPolicy,
  'policy-sas': (name, identifier) => console.log(signed(name, { identifier })),
  'acquire-lease': async (name, seconds = '-1') => {
    const answer = await blob(name).getBlobLeaseClient().acquireLease(Number(seconds));
    console.log(answer.leaseId);
  },
  'break-lease': (name) => blob(name).getBlobLeaseClient().breakLease(0),
  'abort-copy': async (name) =>
    blob(name).abortCopyFromURL((await blob(name).getProperties()).copyId),
  snapshot: async (name) => console.log((await blob(name).createSnapshot()).snapshot),
  delete: (name) => blob(name).delete({ deleteSnapshots: 'include' }),
};

const [command, ...words] = process.argv.slice(2);
if (!Object.hasOwn(commands, command ?? '') || words.length < 1) {
  process.stderr.write(usage);
  process.exit(2);
}
try {
  await commands[command](...words);
} catch (error) {
  console.error(`blobtool: ${command}: ${error.statusCode ?? ''} ${error.code ?? ''} ${error.message.split('\n')[0]}`);
  process.exit(1);
}
