// SPDX-License-Identifier: MIT
//
// "Lease Blob" and "Lease Container": the state tables but for the column of
// expired leases, which expiry.mjs has.

import { A, B, C, bytes, is, newBlob, newContainer, ok, sleep } from './objects.mjs';

const OK = {
  acquire: 201,
  renew: 200,
  change: 200,
  release: 200,
  break: 202,
};

// What can be done to a lease (A).
export const OPERATIONS = {
  'acquire, no id': (blob) => blob.lease('acquire', { 'x-ms-lease-duration': -1 }),
  'acquire A': (blob) => blob.acquire(A),
  'acquire B': (blob) => blob.acquire(B),
  'renew A': (blob) => blob.lease('renew', { 'x-ms-lease-id': A }),
  'renew B': (blob) => blob.lease('renew', { 'x-ms-lease-id': B }),
  'change A to B': (blob) => blob.lease('change', { 'x-ms-lease-id': A, 'x-ms-proposed-lease-id': B }),
  'change B to A': (blob) => blob.lease('change', { 'x-ms-lease-id': B, 'x-ms-proposed-lease-id': A }),
  'change B to C': (blob) => blob.lease('change', { 'x-ms-lease-id': B, 'x-ms-proposed-lease-id': C }),
  'release A': (blob) => blob.lease('release', { 'x-ms-lease-id': A }),
  'release B': (blob) => blob.lease('release', { 'x-ms-lease-id': B }),
  'break, period 0': (blob) => blob.lease('break', { 'x-ms-lease-break-period': 0 }),
  'break, period 30': (blob) => blob.lease('break', { 'x-ms-lease-break-period': 30 }),
  'break, no period': (blob) => blob.lease('break'),
};

const PRESENT = 'LeaseAlreadyPresent';
const MISMATCH = 'LeaseIdMismatchWithLeaseOperation';
const ABSENT = 'LeaseNotPresentWithLeaseOperation';
const BROKEN = 'LeaseIsBrokenAndCannotBeRenewed';
const CODES = {
  PRESENT, MISMATCH, ABSENT, BROKEN,
  BREAKING: 'LeaseIsBreakingAndCannotBeAcquired',
  UNCHANGED: 'LeaseIsBreakingAndCannotBeChanged',
};

// "Outcomes of lease operations on blobs by lease state": the state afterwards,
// or the error of 409. A lease on a container has the same.
const TABLE = `
                  available  leased    breaking   broken
acquire, no id    leased     PRESENT   PRESENT    leased
acquire A         leased     leased    BREAKING   leased
acquire B         leased     PRESENT   PRESENT    leased
renew A           MISMATCH   leased    BROKEN     BROKEN
renew B           MISMATCH   MISMATCH  MISMATCH   MISMATCH
change A to B     ABSENT     leased    UNCHANGED  ABSENT
change B to A     ABSENT     leased    MISMATCH   ABSENT
change B to C     ABSENT     MISMATCH  MISMATCH   ABSENT
release A         MISMATCH   available available  available
release B         MISMATCH   MISMATCH  MISMATCH   MISMATCH
break, period 0   ABSENT     broken    broken     broken
break, period 30  ABSENT     breaking  breaking   broken
break, no period  ABSENT     broken    breaking   broken`;

const SETUP = {
  available: async () => {},
  leased: async (blob) => (await blob.acquire(A)).must(201),
  breaking: async (blob) => {
    (await blob.acquire(A)).must(201);
    (await blob.lease('break', { 'x-ms-lease-break-period': 60 })).must(202);
  },
  broken: async (blob) => {
    (await blob.acquire(A)).must(201);
    (await blob.lease('break', { 'x-ms-lease-break-period': 0 })).must(202);
  },
};

export function cells(table) {
  const lines = table.split('\n').slice(1);
  const [states, ...rows] = lines.map((line) => line.slice(18).trim().split(/ +/));
  return rows.flatMap((outcomes, i) =>
    outcomes.map((outcome, j) => ({ operation: lines[i + 1].slice(0, 18).trim(), state: states[j], outcome })));
}

// Does it, and looks at the state it leaves.
export async function perform(blob, { operation, state, outcome }, run = OPERATIONS[operation]) {
  const answer = await run(blob);
  if (Object.hasOwn(CODES, outcome)) {
    answer.must(409, CODES[outcome]);
    is(await blob.leaseState(), state, 'the state afterwards');
  } else {
    answer.must(OK[operation.split(/[ ,]/)[0]]);
    is(await blob.leaseState(), outcome, 'the state afterwards');
  }
  return answer;
}

// A container as the table sees it: the same operations on itself.
const asBlob = (container) => ({
  acquire: (id, duration = -1) =>
    container.lease('acquire', { 'x-ms-lease-duration': duration, 'x-ms-proposed-lease-id': id }),
  lease: (...args) => container.lease(...args),
  leaseState: async () => (await container.properties()).must(200).headers['x-ms-lease-state'],
});

export default function define(check) {
  for (const cell of cells(TABLE)) {
    check(`blob, ${cell.state}: ${cell.operation}`, async () => {
      const blob = await newBlob();
      await SETUP[cell.state](blob);
      await perform(blob, cell);
    });
    check(`container, ${cell.state}: ${cell.operation}`, async () => {
      const container = asBlob(await newContainer());
      await SETUP[cell.state](container);
      await perform(container, cell);
    });
  }

  uses(check);
  answers(check);
  refusals(check);
  containers(check);
}

const WRITES = {
  'Put Page': (blob, h) => blob.put(0, bytes(512), h),
  'Clear Pages': (blob, h) => blob.clear(0, 512, h),
  'Set Blob Properties': (blob, h) => blob.setProperties({ 'x-ms-blob-content-type': 'a/b', ...h }),
  'Set Blob Metadata': (blob, h) => blob.setMetadata({ 'x-ms-meta-a': 'b', ...h }),
  'Put Blob': (blob, h) => blob.create(4096, h),
  'Copy Blob': async (blob, h) => blob.copy((await newBlob()).url(), h),
  'Delete Blob': (blob, h) => blob.delete(h),
};
const READS = {
  'Get Blob': (blob, h) => blob.get(h),
  'Get Blob Properties': (blob, h) => blob.head(h),
  'Get Blob Metadata': (blob, h) => blob.metadata(h),
  'Get Page Ranges': (blob, h) => blob.pageList('', h),
  'Snapshot Blob': (blob, h) => blob.snapshot(h),
};
const done = (answer) => answer.must([200, 201, 202]);
const using = (id) => ({ 'x-ms-lease-id': id });

// "Outcomes of use attempts on blobs by lease state"
function uses(check) {
  for (const [name, use] of Object.entries({ ...WRITES, ...READS })) {
    const writes = Object.hasOwn(WRITES, name);

    check(`${name}: available, with an id: 412`, async () => {
      (await use(await newBlob(), using(A))).must(412, 'LeaseNotPresentWithBlobOperation');
    });
    for (const state of ['leased', 'breaking']) {
      check(`${name}: ${state}, with its id`, async () => {
        const blob = await newBlob();
        await SETUP[state](blob);
        done(await use(blob, using(A)));
      });
      check(`${name}: ${state}, with another id: 412`, async () => {
        const blob = await newBlob();
        await SETUP[state](blob);
        (await use(blob, using(B))).must(412, 'LeaseIdMismatchWithBlobOperation');
      });
      check(`${name}: ${state}, without${writes ? ': 412' : ''}`, async () => {
        const blob = await newBlob();
        await SETUP[state](blob);
        const answer = await use(blob);
        if (writes) {
          answer.must(412, 'LeaseIdMissing');
        } else {
          done(answer);
        }
      });
    }
    for (const id of [A, B]) {
      check(`${name}: broken, with ${id === A ? 'its' : 'another'} id: 412`, async () => {
        const blob = await newBlob();
        await SETUP.broken(blob);
        (await use(blob, using(id))).must(412);
      });
    }
    check(`${name}: broken, without`, async () => {
      const blob = await newBlob();
      await SETUP.broken(blob);
      done(await use(blob));
      if (name !== 'Delete Blob') {
        is(await blob.leaseState(), writes ? 'available' : 'broken', 'the state afterwards');
      }
    });
  }

  check('what was refused was not done', async () => {
    const blob = await newBlob();
    (await blob.put(0, bytes(512, 1))).must(201);
    const { etag } = (await blob.acquire(A)).must(201);
    (await blob.put(0, bytes(512, 2))).must(412);
    (await blob.put(0, bytes(512, 3), using(B))).must(412);
    (await blob.clear(0, 512)).must(412);
    const answer = (await blob.get()).must(200);
    is(Buffer.compare(answer.body.subarray(0, 512), bytes(512, 1)), 0, 'the difference');
    is(answer.etag, etag, 'ETag');
  });

  check('a lease survives Put Blob over it', async () => {
    const blob = await newBlob();
    await SETUP.leased(blob);
    (await blob.create(8192, using(A))).must(201);
    is(await blob.leaseState(), 'leased', 'state');
    (await blob.put(0, bytes(512))).must(412, 'LeaseIdMissing');
  });

  check('a lease survives Copy Blob over it', async () => {
    const blob = await newBlob();
    await SETUP.leased(blob);
    (await blob.copy((await newBlob()).url(), using(A))).must(202);
    await blob.copied();
    is(await blob.leaseState(), 'leased', 'state');
  });

  check('a copied blob is not leased', async () => {
    const [from, to] = [await newBlob(), await newBlob()];
    await SETUP.leased(from);
    (await to.copy(from.url())).must(202);
    await to.copied();
    is(await to.leaseState(), 'available', 'state');
  });
}

function answers(check) {
  check('acquire answers with id, ETag and Last-Modified, and changes neither of these', async () => {
    const blob = await newBlob();
    const { headers } = (await blob.head()).must(200);
    (await blob.acquire(A)).must(201).has({
      'x-ms-lease-id': A, etag: headers.etag, 'last-modified': headers['last-modified'],
    });
    (await blob.lease('renew', using(A))).must(200).has({ 'x-ms-lease-id': A, etag: headers.etag });
    (await blob.lease('change', { ...using(A), 'x-ms-proposed-lease-id': B })).must(200)
      .has({ 'x-ms-lease-id': B, etag: headers.etag });
    (await blob.lease('break')).must(202).has({ 'x-ms-lease-time': '0', etag: headers.etag });
    (await blob.lease('release', using(B))).must(200).has({ etag: headers.etag });
    (await blob.head()).must(200).has({ etag: headers.etag, 'last-modified': headers['last-modified'] });
  });

  check('acquire without an id gets a new GUID', async () => {
    const answer = await (await newBlob()).lease('acquire', { 'x-ms-lease-duration': 60 });
    answer.must(201).has({ 'x-ms-lease-id': /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i });
  });

  check('properties tell status, state and duration', async () => {
    const blob = await newBlob();
    const tells = async (status, state, duration) => (await blob.head()).must(200).has({
      'x-ms-lease-status': status, 'x-ms-lease-state': state, 'x-ms-lease-duration': duration,
    });
    await tells('unlocked', 'available', null);
    (await blob.acquire(A)).must(201);
    await tells('locked', 'leased', 'infinite');
    (await blob.acquire(A, 60)).must(201);
    await tells('locked', 'leased', 'fixed');
    (await blob.lease('break', { 'x-ms-lease-break-period': 30 })).must(202);
    await tells('locked', 'breaking', null);
    (await blob.lease('break', { 'x-ms-lease-break-period': 0 })).must(202);
    await tells('unlocked', 'broken', null);
  });

  check('Get Blob tells them too', async () => {
    const blob = await newBlob();
    (await blob.acquire(A, 60)).must(201);
    (await blob.get()).must(200).has({ 'x-ms-lease-status': 'locked', 'x-ms-lease-state': 'leased' });
  });

  check('a break period that has passed leaves a broken lease', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.lease('break', { 'x-ms-lease-break-period': 3 })).must(202).has({ 'x-ms-lease-time': '3' });
    is(await blob.leaseState(), 'breaking', 'state');
    await sleep(3300);
    is(await blob.leaseState(), 'broken', 'state');
    (await blob.acquire(B)).must(201);
  }, { slow: true });

  const seconds = (answer) => Number(answer.must(202).headers['x-ms-lease-time']);
  check('break without a period of a lease of 40 s: what remains of it', async () => {
    const blob = await newBlob();
    (await blob.acquire(A, 40)).must(201);
    const left = seconds(await blob.lease('break'));
    ok(left >= 35 && left <= 40, `${left} s left`);
    is(await blob.leaseState(), 'breaking', 'state');
  });
  check('break with a longer period than remains: what remains', async () => {
    const blob = await newBlob();
    (await blob.acquire(A, 20)).must(201);
    const left = seconds(await blob.lease('break', { 'x-ms-lease-break-period': 60 }));
    ok(left >= 15 && left <= 20, `${left} s left`);
  });
  check('a second break makes it shorter, never longer', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.lease('break', { 'x-ms-lease-break-period': 30 })).must(202);
    let left = seconds(await blob.lease('break', { 'x-ms-lease-break-period': 50 }));
    ok(left <= 30, `${left} s left after a longer one`);
    left = seconds(await blob.lease('break', { 'x-ms-lease-break-period': 10 }));
    ok(left <= 10, `${left} s left after a shorter one`);
  });
  check('break needs no id, and a wrong one does not matter', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.lease('break', using(B))).must([202, 409, 412]);
  });
  check('the same change twice is one', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    const change = () => blob.lease('change', { ...using(A), 'x-ms-proposed-lease-id': B });
    (await change()).must(200).has({ 'x-ms-lease-id': B });
    (await change()).must(200).has({ 'x-ms-lease-id': B });
  });
  check('any form of a GUID is one', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    for (const form of [A.toUpperCase(), A.replace(/-/g, ''), `{${A}}`, `(${A})`]) {
      (await blob.put(0, bytes(512), using(form))).must(201);
    }
  });
  check('an id is compared whatever its case', async () => {
    const blob = await newBlob();
    (await blob.acquire(A.toUpperCase())).must(201);
    (await blob.put(0, bytes(512), using(A))).must(201);
  });
}

function refusals(check) {
  for (const duration of [0, 1, 14, 61, -2, 'x', 1.5, '99999999999999999999']) {
    check(`acquire for ${duration} s: 400`, async () => {
      (await (await newBlob()).acquire(A, duration)).must(400, 'InvalidHeaderValue');
    });
  }
  for (const duration of [15, 60, -1]) {
    check(`acquire for ${duration} s`, async () => {
      (await (await newBlob()).acquire(A, duration)).must(201);
    });
  }
  check('acquire without a duration: 400', async () => {
    (await (await newBlob()).lease('acquire')).must(400, 'MissingRequiredHeader');
  });
  for (const id of ['x', '1234', `${A}0`, 'gggggggg-0000-4000-8000-000000000000']) {
    check(`acquire with the id ${id}: 400`, async () => {
      (await (await newBlob()).acquire(id)).must(400, 'InvalidHeaderValue');
    });
  }
  for (const period of [-1, 61, 'x']) {
    check(`break with a period of ${period} s: 400`, async () => {
      const blob = await newBlob();
      (await blob.acquire(A)).must(201);
      (await blob.lease('break', { 'x-ms-lease-break-period': period })).must(400, 'InvalidHeaderValue');
      is(await blob.leaseState(), 'leased', 'state');
    });
  }
  for (const action of ['renew', 'change', 'release']) {
    check(`${action} without an id: 400`, async () => {
      const blob = await newBlob();
      (await blob.acquire(A)).must(201);
      (await blob.lease(action, { 'x-ms-proposed-lease-id': B })).must(400, 'MissingRequiredHeader');
    });
  }
  check('change without a proposed id: 400', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.lease('change', using(A))).must(400, 'MissingRequiredHeader');
  });
  check('change to what is no GUID: 400', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.lease('change', { ...using(A), 'x-ms-proposed-lease-id': 'x' })).must(400, 'InvalidHeaderValue');
  });
  check('no action: 400', async () => {
    (await (await newBlob()).send('PUT', 'comp=lease')).must(400, 'MissingRequiredHeader');
  });
  check('an action that is none: 400', async () => {
    (await (await newBlob()).lease('borrow')).must(400, 'InvalidHeaderValue');
  });
  check('of a blob that is not there: 404', async () => {
    const blob = await newBlob();
    (await blob.delete()).must(202);
    (await blob.acquire(A)).must(404, 'BlobNotFound');
  });
  check('of a snapshot: 400', async () => {
    (await (await (await newBlob()).snap()).acquire(A)).must(400);
  });
  check('a use with what is no GUID: 400', async () => {
    const blob = await newBlob();
    (await blob.acquire(A)).must(201);
    (await blob.put(0, bytes(512), using('x'))).must([400, 412]);
    (await blob.get(using('x'))).must([400, 412]);
  });
  check('acquire if the ETag fits', async () => {
    const blob = await newBlob();
    const { etag } = (await blob.head()).must(200);
    (await blob.acquire(A, 60, { 'if-match': '"0x1"' })).must(412, 'ConditionNotMet');
    (await blob.acquire(A, 60, { 'if-none-match': etag })).must(412, 'ConditionNotMet');
    (await blob.acquire(A, 60, { 'if-match': etag })).must(201);
  });
}

function containers(check) {
  check('a leased container: deleted with its id only', async () => {
    const container = await newContainer();
    (await asBlob(container).acquire(A)).must(201);
    (await container.delete()).must(412, 'LeaseIdMissing');
    (await container.delete(using(B))).must(412, 'LeaseIdMismatchWithContainerOperation');
    (await container.delete(using(A))).must(202);
  });
  check('a container with no lease: not deleted with an id', async () => {
    (await (await newContainer()).delete(using(A))).must(412, 'LeaseNotPresentWithContainerOperation');
  });
  check('a leased container: blobs come and go without its id', async () => {
    const container = await newContainer();
    (await asBlob(container).acquire(A)).must(201);
    const blob = container.blob('b');
    (await blob.create(512)).must(201);
    (await container.list()).must(200);
    (await blob.delete()).must(202);
    (await container.send('PUT', 'comp=metadata', { 'x-ms-meta-a': 'b' })).must(200);
    (await container.setAcl('')).must(200);
  });
  check('a leased container: its properties tell', async () => {
    const container = await newContainer();
    (await asBlob(container).acquire(A)).must(201);
    (await container.properties()).must(200).has({
      'x-ms-lease-status': 'locked', 'x-ms-lease-state': 'leased', 'x-ms-lease-duration': 'infinite',
    });
    (await container.properties(using(B))).must(412, 'LeaseIdMismatchWithContainerOperation');
    (await container.properties(using(A))).must(200);
  });
  check('a container with a leased blob can be deleted', async () => {
    const container = await newContainer();
    (await container.blob('b').create(512)).must(201);
    (await container.blob('b').acquire(A)).must(201);
    (await container.delete()).must(202);
  });
}

