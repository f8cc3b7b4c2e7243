// SPDX-License-Identifier: MIT
//
// "Get Container ACL", "Set Container ACL": stored access policies. What a SAS
// makes of them is in servicesas.mjs.

import { is, newContainer, ok } from './objects.mjs';
import { escape } from './xml.mjs';

const policy = (id, inner) =>
  `<SignedIdentifier><Id>${escape(id)}</Id><AccessPolicy>${inner}</AccessPolicy></SignedIdentifier>`;
export const policies = (...list) =>
  `<?xml version="1.0" encoding="utf-8"?><SignedIdentifiers>${list.join('')}</SignedIdentifiers>`;
export const fullPolicy = (id, start, expiry, permission) =>
  policy(id, `<Start>${start}</Start><Expiry>${expiry}</Expiry><Permission>${permission}</Permission>`);
const whole = (id) => fullPolicy(id, '2026-01-01T00:00:00Z', '2036-01-01T00:00:00Z', 'r');

export default function define(check) {
  const list = async (container) =>
    (await container.getAcl()).must(200).xml.all('SignedIdentifier');

  check('none at first', async () => {
    const container = await newContainer();
    const answer = (await container.getAcl()).must(200).has({
      etag: /^"/, 'last-modified': /GMT$/, 'x-ms-blob-public-access': null, 'content-type': /^application\/xml/,
    });
    is(answer.xml.name, 'SignedIdentifiers', 'the document');
    is(answer.xml.children.length, 0, 'policies');
  });
  check('what was set is there', async () => {
    const container = await newContainer();
    (await container.setAcl(policies(
      fullPolicy('one & <two>', '2026-01-02T03:04:05.1234567Z', '2036-06-07T08:09:10.0000000Z', 'rwd'),
      fullPolicy('b', '2026-01-01T00:00:00Z', '2036-01-01T00:00:00Z', 'r'),
    ))).must(200).has({ etag: /^"/, 'last-modified': /GMT$/ });
    const [first, second, ...more] = await list(container);
    is(more.length, 0, 'further policies');
    is(first.at('Id'), 'one & <two>', 'Id');
    is(first.at('AccessPolicy', 'Start'), '2026-01-02T03:04:05.1234567Z', 'Start');
    is(Date.parse(first.at('AccessPolicy', 'Expiry')), Date.parse('2036-06-07T08:09:10Z'), 'Expiry');
    is(first.at('AccessPolicy', 'Permission'), 'rwd', 'Permission');
    is(second.at('Id'), 'b', 'Id');
  });
  check('a policy may leave out all of its parts', async () => {
    const container = await newContainer();
    (await container.setAcl(policies(
      policy('expiry', '<Expiry>2036-01-01T00:00:00Z</Expiry>'),
      policy('permission', '<Permission>r</Permission>'),
    ))).must(200);
    const [first, second] = await list(container);
    ok(!first.at('AccessPolicy', 'Permission'), 'a permission out of nothing');
    ok(!second.at('AccessPolicy', 'Expiry'), 'an expiry out of nothing');
  });
  check('setting replaces all; setting none takes all away', async () => {
    const container = await newContainer();
    (await container.setAcl(policies(whole('a'), whole('b')))).must(200);
    (await container.setAcl(policies(whole('c')))).must(200);
    is((await list(container)).map((p) => p.at('Id')).join(), 'c', 'policies');
    (await container.setAcl(policies())).must(200);
    is((await list(container)).length, 0, 'policies');
  });
  check('no body takes all away', async () => {
    const container = await newContainer();
    (await container.setAcl(policies(whole('a')))).must(200);
    (await container.setAcl('')).must(200);
    is((await list(container)).length, 0, 'policies');
  });
  check('five are allowed, six are not', async () => {
    const container = await newContainer();
    const many = (n) => policies(...Array.from({ length: n }, (_, i) => whole(`p${i}`)));
    (await container.setAcl(many(5))).must(200);
    (await container.setAcl(many(6))).must(400);
    is((await list(container)).length, 5, 'policies');
  });
  check('an id of 64 characters is allowed, of 65 is not', async () => {
    const container = await newContainer();
    (await container.setAcl(policies(whole('i'.repeat(64))))).must(200);
    (await container.setAcl(policies(whole('i'.repeat(65))))).must(400);
  });
  check('the same id twice: 400', async () => {
    (await (await newContainer()).setAcl(policies(whole('a'), whole('a')))).must(400);
  });
  for (const [what, document] of [
    ['not XML', 'x'],
    ['not well-formed', '<SignedIdentifiers><SignedIdentifier></SignedIdentifiers>'],
    ['another document', '<Other/>'],
    ['a date that is none', policies(fullPolicy('a', 'yesterday', '2036-01-01T00:00:00Z', 'r'))],
    ['an unknown permission', policies(fullPolicy('a', '2026-01-01T00:00:00Z', '2036-01-01T00:00:00Z', '!'))],
  ]) {
    check(`${what}: 400, and nothing changes`, async () => {
      const container = await newContainer();
      (await container.setAcl(policies(whole('kept')))).must(200);
      (await container.setAcl(document)).must(400);
      is((await list(container)).map((p) => p.at('Id')).join(), 'kept', 'policies');
    });
  }
  check('set if modified and unmodified since', async () => {
    const container = await newContainer();
    const soon = new Date(Date.now() + 3600_000).toUTCString();
    (await container.setAcl('', { 'if-modified-since': soon })).must(412, 'ConditionNotMet');
    (await container.setAcl('', { 'if-unmodified-since': 'Fri, 01 Jan 2010 00:00:00 GMT' })).must(412, 'ConditionNotMet');
    (await container.setAcl('', { 'if-unmodified-since': soon })).must(200);
  });
}
