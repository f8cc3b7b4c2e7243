// SPDX-License-Identifier: MIT
//
// Where a server is known to differ from Microsoft's documentation. Each entry
// says which checks fail there (names; a * at the end stands for any ending, and
// all that it stands for must fail), with what (a regular expression on the
// failure), why, and the page of learn.microsoft.com/rest/api/storageservices/
// that decides. `sometimes` marks what is left to chance there, `ends` what the
// server doesn't survive.
// Documentation/devstore-differences.rst tells it in prose.

const azurite = [
  {
    why: 'a source to clear pages from is ignored',
    page: 'put-page-from-url',
    checks: ['copies: Put Page From URL: nothing is cleared from there: 400'],
    says: /got 201/,
  },
  {
    why: 'not implemented',
    page: 'put-page-from-url',
    checks: ['copies: Put Page From URL*'],
    says: /501 APINotImplemented/,
  },
  {
    why: 'not implemented',
    page: 'incremental-copy-blob',
    checks: ['incremental: *'],
    says: /501 APINotImplemented/,
  },
  {
    why: 'prevsnapshot is ignored: all ranges are listed',
    page: 'get-page-ranges',
    checks: [
      'diff: nothing changed', 'diff: written and cleared since', 'diff: between two snapshots',
      'diff: written and cleared again: not written', 'diff: after growing',
      'diff: an older target than prevsnapshot: 400', 'diff: no such snapshot: 409', 'diff: what is no time: 400',
      'diff: across Put Blob: 409', 'diff: across Copy Blob: 409', 'sdk: what changed since a snapshot',
    ],
    says: /got 200|got \d*[+,]|got 0\+512/,
  },
  {
    why: 'CRC64 is refused in strict mode, ignored in loose mode',
    page: 'put-page',
    checks: [
      'checksums: Put Page with the right CRC64', 'checksums: Put Page with a wrong CRC64: 400, and nothing is written',
      'checksums: Put Page with a CRC64 that is none: 400', 'checksums: Put Page with both: 400',
      'checksums: the CRC64 of a range', 'checksums: the CRC64 of 4 MiB, and of no more: 400',
      'checksums: the CRC64 without a range: 400', 'checksums: no CRC64 where it was not asked for',
      'checksums: both of a range: 400',
    ],
    says: /500 FeatureNotSupported/,
  },
  {
    why: 'no CRC64 in answers',
    page: 'put-page',
    checks: ['checksums: Put Page with neither answers with the CRC64'],
    says: /x-ms-content-crc64 is absent/,
  },
  {
    why: 'Content-MD5 of Put Page is neither verified nor answered',
    page: 'put-page',
    checks: [
      'checksums: Put Page with the right MD5', 'checksums: Put Page with a wrong MD5: 400, and nothing is written',
      'checksums: Put Page with an MD5 that is none: 400',
    ],
    says: /content-md5 is absent|got 201/,
  },
  {
    why: 'x-ms-range-get-content-md5: any length, any value, and no range will do',
    page: 'get-blob',
    checks: [
      'checksums: the MD5 of 4 MiB, and of no more: 400', 'checksums: the MD5 without a range: 400',
      'checksums: no MD5 where it was not asked for',
    ],
    says: /got 20[06]|content-md5 is \S+, expected none/,
  },
  {
    why: 'lease ids and break periods are not validated, and a GUID has one form only',
    page: 'lease-blob',
    checks: [
      'leases: acquire with the id *', 'leases: change to what is no GUID: 400', 'leases: any form of a GUID is one',
      'leases: break with a period of 61 s: 400',
    ],
    says: /got 20[012]|412 LeaseIdMismatchWithBlobOperation, expected 201/,
  },
  {
    why: 'an internal error',
    page: 'lease-blob',
    checks: ['leases: break with a period of -1 s: 400'],
    says: /got 500/,
  },
  {
    why: 'without a duration a lease never ends',
    page: 'lease-blob',
    checks: ['leases: acquire without a duration: 400'],
    says: /got 201/,
  },
  {
    why: 'a copy over a blob keeps its broken lease',
    page: 'lease-blob',
    checks: ['leases: Copy Blob: broken, without'],
    says: /got broken, expected available/,
  },
  {
    why: 'an expired lease is renewed by anyone',
    page: 'lease-blob',
    checks: ['expiry: renew B'],
    says: /got 200, expected 409/,
  },
  {
    why: 'the value is not validated',
    page: 'create-container',
    checks: ['containers: public access that is none of container and blob: 400'],
    says: /got 201/,
  },
  {
    why: 'what a document of access policies says is not validated',
    page: 'set-container-acl',
    checks: [
      'acl: the same id twice: 400', 'acl: five are allowed, six are not',
      'acl: an id of 64 characters is allowed, of 65 is not', 'acl: another document: 400, and nothing changes',
      'acl: a date that is none: 400, and nothing changes', 'acl: an unknown permission: 400, and nothing changes',
    ],
    says: /got 200/,
  },
  {
    why: 'prefixes come before blobs',
    page: 'list-blobs',
    checks: ['lists: by prefix and delimiter'],
    says: /got >d\/ >f\/ a/,
  },
  {
    why: 'the order of snapshots depends on what else is in the account',
    page: 'list-blobs',
    checks: ['lists: snapshots when asked for, oldest first'],
    sometimes: true,
  },
  {
    why: 'a page that ends within the snapshots of a blob loses the rest of them',
    page: 'list-blobs',
    checks: ['lists: in pages with snapshots, each once'],
    says: /got 3, expected 5/,
  },
  {
    why: 'sizes above 8 TiB and below zero are taken',
    page: 'put-blob',
    checks: [
      'blobs: no blob of 8796093022720 bytes: 400', 'blobs: no blob of 99999999999999999999999 bytes: 400',
      'blobs: no blob of -512 bytes: 400', 'properties: resize to -512: 400', 'properties: resize to 8796093022720: 400',
    ],
    says: /got 20[01]/,
  },
  {
    why: 'sequence numbers are double-precision numbers of any size',
    page: 'put-page',
    checks: [
      'blobs: no sequence number of 1.5: 400', 'blobs: no sequence number of -1: 400',
      'blobs: no sequence number of 9223372036854775808: 400', 'blobs: a sequence number of 9223372036854775807',
      'properties: sequence number: the highest is 2^63 - 1', 'properties: sequence number: a number below zero: 400',
      'conditions: Put Page: large numbers are compared in full', 'conditions: Clear Pages: large numbers are compared in full',
      'conditions: Put Page: eq 1.5: 400', 'conditions: Put Page: eq -1: 400', 'conditions: Put Page: eq 9223372036854775808: 400',
      'conditions: Clear Pages: eq 1.5: 400', 'conditions: Clear Pages: eq -1: 400',
      'conditions: Clear Pages: eq 9223372036854775808: 400',
    ],
    says: /got 20[01]|9223372036854776000|412 SequenceNumberConditionNotMet/,
  },
  {
    why: 'x-ms-blob-content-md5 of Set Blob Properties is any text',
    page: 'set-blob-properties',
    checks: ['properties: no x-ms-blob-content-md5 of *'],
    says: /got 200/,
  },
  {
    why: 'of two names that differ in case only, both are kept',
    page: 'naming-and-referencing-containers--blobs--and-metadata',
    checks: ['properties: metadata: the same name twice, in whatever case: 400'],
    says: /got 200/,
  },
  {
    why: 'a sequence number without an action is ignored',
    page: 'set-blob-properties',
    checks: ['properties: sequence number: a number without an action: 400'],
    says: /got 200/,
  },
  {
    why: 'conditions on a blob that is not there are ignored',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: ['blobs: Put Blob only over a blob: 412', 'blobs: Put Blob with a lease where there is no blob: 412'],
    says: /got 201/,
  },
  {
    why: 'the size of metadata is not limited, and empty names are left out',
    page: 'naming-and-referencing-containers--blobs--and-metadata',
    checks: ['properties: metadata: 8 KiB in all, and no more', 'properties: metadata: an empty name: 400'],
    says: /got 200/,
  },
  {
    why: 'a range is whatever can be made of it',
    page: 'put-page',
    checks: [
      'pages: a range with no end: refused', 'pages: a range with another unit: refused',
      'pages: a range with more than 64 bits: refused',
    ],
    says: /got 201/,
  },
  {
    why: 'what is wrong with a range or its length is 416',
    page: 'put-page',
    checks: ['pages: no range: 400', 'pages: a body that is not as long as the range: 400'],
    says: /got 416/,
  },
  {
    why: 'pages beyond the end are taken',
    page: 'put-page',
    checks: ['pages: beyond the end: 416'],
    says: /got 201/,
  },
  {
    why: 'more than 4 MiB are taken',
    page: 'put-page',
    checks: ['pages: more than 4 MiB at once: 413'],
    says: /got 201/,
  },
  {
    why: 'Accept-Ranges is in answers to HEAD only',
    page: 'get-blob',
    checks: ['reads: a whole blob'],
    says: /accept-ranges is absent/,
  },
  {
    why: 'a range beyond the end is answered with what is not there',
    page: 'get-blob',
    checks: ['reads: range: from beyond the end: 416', 'reads: x-ms-range: from beyond the end: 416', 'reads: of nothing: 416'],
    says: /got 206/,
  },
  {
    why: 'some malformed ranges end it, others are errors',
    page: 'specifying-the-range-header-for-blob-service-operations',
    checks: ['reads: malformed *'],
    ends: true,
  },
  {
    why: 'If-Range is ignored',
    page: 'get-blob',
    checks: ['reads: If-Range: the range of this version, all of another'],
    says: /got 206/,
  },
  {
    why: 'not implemented: all ranges come at once',
    page: 'get-page-ranges',
    checks: ['ranges: in parts, with maxresults and marker'],
    says: /5 in a part of 2/,
  },
  {
    why: 'Last-Modified of Get Page Ranges is the time of the answer',
    page: 'get-page-ranges',
    checks: ['ranges: none of a new blob'],
    says: /last-modified is/,
    sometimes: true,
  },
  {
    why: 'a snapshot is any text',
    page: 'get-blob',
    checks: ['snapshots: what is no time: 400'],
    says: /404 BlobNotFound/,
  },
  {
    why: 'writes to a snapshot change the blob',
    page: 'creating-a-snapshot-of-a-blob',
    checks: ['snapshots: is not changed'],
    says: /got 201/,
  },
  {
    why: 'writes that a condition prevents are answered with 304',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: [
      'snapshots: if the ETag fits', 'conditions: Snapshot Blob: If-None-Match, the ETag: 412',
      'conditions: Snapshot Blob: If-Modified-Since, Last-Modified: 412', 'copies: if the source fits',
    ],
    says: /got 304/,
  },
  {
    why: 'Snapshot Blob has the conditions of reads',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: [
      'conditions: Snapshot Blob: one condition, or one of the two pairs', 'conditions: Snapshot Blob: several ETags: 400',
      'conditions: Snapshot Blob: an ETag without quotes',
    ],
    says: /got (201|304|412)/,
  },
  {
    why: 'an ETag is any text, and a weak one another',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: ['Put Blob', 'Put Page', 'Clear Pages', 'Set Blob Properties', 'Set Blob Metadata', 'Lease Blob', 'Snapshot Blob', 'Delete Blob']
      .flatMap((use) => [
        `conditions: ${use}: a weak ETag is not the blob's, and is no other's`, `conditions: ${use}: what is no ETag: refused`,
      ]),
    says: /got 20[012]/,
  },
  {
    why: 'a copy shows what is written to its source later',
    page: 'copy-blob',
    checks: ['copies: the copy and its source go their own ways'],
    says: /the copy: 512 bytes/,
  },
  {
    why: 'the SAS of a copy\'s source is shown to readers of the copy',
    page: 'get-blob-properties',
    checks: ['copies: from a source with a SAS'],
    says: /the SAS is shown/,
  },
  {
    why: 'any scheme will do, and no host is one',
    page: 'copy-blob',
    checks: ['copies: the source ftp://example.com/c/b: 400', 'copies: the source http:/c/b: 400'],
    says: /404 (CannotVerifyCopySource|BlobNotFound)/,
  },
  {
    why: 'an internal error',
    page: 'copy-blob',
    checks: ['copies: a source that is no blob: 400'],
    says: /got 500/,
  },
  {
    why: 'the MD5 of the source is ignored',
    page: 'copy-blob-from-url',
    checks: [
      'copies: synchronous: with what is no MD5: 400, and nothing is copied',
      'copies: synchronous: with another MD5: 400, and nothing is copied', 'copies: synchronous: with the MD5 of the source',
      'copies: asynchronous: the MD5 of the source is not passed over',
    ],
    says: /got 202|content-md5 is absent/,
  },
  {
    why: 'what is not true is false',
    page: 'copy-blob-from-url',
    checks: ['copies: synchronous: x-ms-requires-sync that is neither true nor false: 400'],
    says: /got 202/,
  },
  {
    why: 'x-ms-source-lease-id is ignored',
    page: 'copy-blob',
    checks: ['copies: the source may be asked to be leased by a given one'],
    says: /got 202/,
  },
  {
    why: 'a copy replaces a blob of another type',
    page: 'copy-blob',
    checks: ['copies: a page blob does not replace a block blob'],
    says: /got 202/,
  },
  {
    why: 'conditions are looked at before the blob is',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: ['conditions: reads of what is not there: 404, whatever the condition'],
    says: /412 ConditionNotMet/,
  },
  {
    why: 'a date is any text',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: ['conditions: a date that is none: 400'],
    says: /304 ConditionNotMet/,
  },
  {
    why: 'dates are signed, but not looked at',
    page: 'authorize-with-shared-key',
    checks: [
      'sharedkey: a date of -20 minutes: 403', 'sharedkey: a date of 20 minutes: 403',
      'sharedkey: a date of -100000 minutes: 403', 'sharedkey: no date: 403', 'sharedkey: a date that is none: refused',
    ],
    says: /got 200/,
  },
  {
    why: 'Date is signed though there is x-ms-date',
    page: 'authorize-with-shared-key',
    checks: ['sharedkey: with both, Date is not signed'],
    says: /403 AuthorizationFailure/,
  },
  {
    why: 'not implemented',
    page: 'authorize-with-shared-key',
    checks: ['sharedkey: SharedKeyLite'],
    says: /403 AuthorizationFailure/,
  },
  {
    why: 'an internal error',
    page: 'create-account-sas',
    checks: ['accountsas: Set Blob Properties with *'],
    says: /got 500/,
  },
  {
    why: 'addresses are signed, but not looked at',
    page: 'create-service-sas',
    checks: ['accountsas: from other addresses only: 403', 'servicesas: from other addresses only: 403'],
    says: /got 200/,
  },
  {
    why: 'not for snapshots',
    page: 'create-service-sas',
    checks: ['servicesas: a container\'s: for its snapshots too'],
    says: /403 AuthorizationFailure, expected 200/,
  },
  {
    why: 'permissions may have any order',
    page: 'create-service-sas',
    checks: ['servicesas: permissions out of order, or twice: 403', 'servicesas: permissions of a policy out of order, or twice: 400'],
    says: /got 200/,
  },
  {
    why: 'where a policy is named, the token\'s own fields are not looked at',
    page: 'define-stored-access-policy',
    checks: ['servicesas: the same in both: 403', 'servicesas: part in the policy, the rest in the token'],
    says: /got 200/,
  },
  {
    why: 'a client request id of any length comes back',
    page: 'common-rest-api-response-headers',
    checks: ['protocol: a client request id that is too long does not come back'],
  },
  {
    why: 'it runs with --skipApiVersionCheck here, as newer clients need it to, and answers with its own version',
    page: 'versioning-for-the-azure-storage-services',
    checks: [
      'protocol: a version of the future: 400', 'protocol: a version that is no date: 400',
      'every answer: an answer has the version that was asked for',
    ],
    says: /got 200|broke it/,
  },
  {
    why: 'a timeout is what can be made of it',
    page: 'setting-timeouts-for-blob-service-operations',
    checks: ['1.5', '10s', '99999999999999999999'].map((timeout) => `protocol: timeout=${timeout}: 400, and nothing is done`),
    says: /got 202/,
  },
  {
    why: 'restype is ignored where a blob is named',
    page: 'common-rest-api-error-codes',
    checks: ['protocol: restype is not for blobs: nothing is deleted'],
    says: /got 202/,
  },
  {
    why: 'a verb that is none here is a malformed request',
    page: 'common-rest-api-error-codes',
    checks: ['protocol: POST of what is no operation: 405'],
    says: /got 400/,
  },
  {
    why: 'customers\' keys are refused in strict mode, with 500',
    page: 'put-blob',
    checks: ['Put Blob', 'Put Page', 'Clear Pages', 'Set Blob Metadata', 'Snapshot Blob', 'resize', 'Get Blob']
      .map((use) => `unsupported: ${use} with a customer's key: done, or refused with nothing changed`),
    says: /500 FeatureNotSupported/,
  },
  {
    why: 'features that are not there are ignored, the write done',
    page: 'put-blob',
    checks: [
      ...['Put Blob', 'Put Page', 'Clear Pages', 'Set Blob Metadata', 'Snapshot Blob', 'resize', 'Copy Blob From URL']
        .map((use) => `unsupported: ${use} with an encryption scope: done, or refused with nothing changed`),
      ...['an immutability policy', 'a legal hold'].flatMap((feature) => ['Put Blob', 'Copy Blob', 'Copy Blob From URL']
        .map((use) => `unsupported: ${use} with ${feature}: done, or refused with nothing changed`)),
      'unsupported: Copy Blob From URL with a source of another identity: done, or refused with nothing changed',
      'unsupported: Copy Blob From URL with the tags of the source: done, or refused with nothing changed',
      'unsupported: a container with an encryption scope: done, or refused with nothing there',
    ],
    says: /nothing shows it|default-encryption-scope is absent/,
  },
  {
    why: 'conditions that an operation has not are ignored',
    page: 'specifying-conditional-headers-for-blob-service-operations',
    checks: [
      'unsupported: Copy Blob From URL if the source\'s tags are what they are not: refused',
      'unsupported: Put Page with x-ms-blob-condition-*',
    ],
    says: /got 20[12]/,
  },
  {
    why: 'versionid and deletetype are ignored: the current blob is meant',
    page: 'delete-blob',
    checks: [
      ...['Get Blob', 'Get Blob Properties', 'Get Blob Metadata', 'Get Page Ranges', 'Delete Blob', 'Delete Blob with its snapshots',
        'Delete Blob for good', 'Put Page', 'Set Blob Metadata', 'Set Blob Properties', 'Snapshot Blob', 'Put Blob']
        .map((use) => `unsupported: ${use} with versionid: 404 or 501, and nothing changes`),
      'unsupported: Copy Blob from a versionid: not from the current one',
      'unsupported: Delete Blob with deletetype=permanent: nothing is deleted',
    ],
    says: /got 20[0-2]/,
  },
  {
    why: 'operations that are not there are internal errors with a SAS',
    page: 'common-rest-api-error-codes',
    checks: [
      ...['Set Blob Expiry', 'Set Blob Legal Hold', 'Set Blob Immutability Policy', 'Delete Blob Immutability Policy', 'Query Blob Contents']
        .flatMap((use) => ['account SAS', 'service SAS'].map((kind) => `unsupported: ${use} by ${kind}: refused for what it is, and nothing changes`)),
      'unsupported: Undelete Blob by account SAS: refused for what it is, and nothing changes',
      'unsupported: service and container operations that need not be there: by key and SAS alike',
    ],
    says: /got 500/,
  },
  {
    why: 'an error without a code',
    page: 'status-and-error-codes2',
    checks: ['unsupported: Query Blob Contents by key: refused for what it is, and nothing changes'],
    says: /no code/,
  },
  {
    why: 'a comp that does not go with the verb is ignored',
    page: 'common-rest-api-error-codes',
    checks: ['protocol: DELETE comp=page: refused', 'protocol: GET comp=page: refused', 'protocol: comp that is none: 400'],
    says: /got 20[02]/,
  },
  {
    why: 'an internal error',
    page: 'common-rest-api-error-codes',
    checks: [
      'protocol: half of an escape in the path: refused or hung up on, and the server goes on',
      'protocol: what is no UTF-8 in the path: refused or hung up on, and the server goes on',
    ],
    says: /500 Internal Server Error/,
  },
  {
    why: 'the root container has folders',
    page: 'naming-and-referencing-containers--blobs--and-metadata',
    checks: ['names: no folders in the root container: 400'],
    says: /got 201/,
  },
  {
    why: 'names are not limited',
    page: 'naming-and-referencing-containers--blobs--and-metadata',
    checks: ['names: no blob named of 1025 characters: 400', 'names: no blob named of 255 segments: 400'],
    says: /got 201/,
  },
  {
    why: 'errors of the request parser have no document, code or request id; not all answers repeat the client\'s',
    page: 'status-and-error-codes2',
    checks: [
      'every answer: an answer has a request id', 'every answer: request ids differ',
      'every answer: the client request id comes back', 'every answer: an error has its code in x-ms-error-code',
      'every answer: an error to all but HEAD is a document with the same code and a message',
    ],
  },
];

const devstore = [
  {
    why: 'a version that it does not know is taken for the newest that it does, so that newer clients work',
    page: 'versioning-for-the-azure-storage-services',
    checks: ['protocol: a version of the future: 400'],
    says: /got 200/,
  },
];

// Codes sent in place of others throughout; see wire.mjs.
const codes = {
  azurite: [
    // "Common REST API error codes": AuthenticationFailed.
    { status: 403, sends: 'AuthorizationFailure', means: ['AuthenticationFailed'] },
    // What its request parser refuses has no code and no document.
    { status: 400, sends: undefined },
    { status: 416, sends: 'Requested Range Not Satisfiable', means: ['InvalidRange', 'InvalidPageRange'] },
  ],
  devstore: [],
};

const lists = { azurite, devstore };

export const aliasesOf = (server) => codes[server]?.map((entry) => ({ ...entry })) ?? [];

export function deviationsOf(server) {
  return lists[server]?.map((entry) => ({
    ...entry,
    covers: (name) =>
      entry.checks.some((pattern) =>
        pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern),
  }));
}
