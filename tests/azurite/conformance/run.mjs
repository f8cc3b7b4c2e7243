// SPDX-License-Identifier: MIT
//
// The conformance suite: what Microsoft's documentation says of the Blob service,
// as far as page blobs need it, asked of one server. Prints TAP.
//
//	node run.mjs SERVER [WORD]...
//
// SERVER (azurite or devstore) chooses the list of known deviations; the server
// itself is $AZURE_STORAGE_CONNECTION_STRING. With WORDs, only checks that have
// one of them in their names. A known deviation that occurs is a passed check
// that says so; one that doesn't occur any more is a failed one. What is known to
// end the server is not asked.

import { aliasesOf, deviationsOf } from './deviations.mjs';
import { aliases, broken, connection, Failure, RULES, stop } from './wire.mjs';

const GROUPS = ['leases', 'expiry', 'containers', 'acl', 'lists', 'blobs', 'properties', 'pages',
  'reads', 'checksums', 'ranges', 'diff', 'snapshots', 'copies', 'pending', 'incremental', 'conditions',
  'sharedkey', 'accountsas', 'servicesas', 'silence', 'protocol', 'unsupported', 'names', 'sdk'];
const WORKERS = 8;

const [server, ...words] = process.argv.slice(2);
const deviations = deviationsOf(server);
if (!deviations || !connection) {
  console.error('usage: AZURE_STORAGE_CONNECTION_STRING=... node run.mjs azurite|devstore [WORD]...');
  process.exit(2);
}

aliases.push(...aliasesOf(server));

const checks = [];
for (const group of GROUPS) {
  const { default: define } = await import(`./${group}.mjs`);
  // check(NAME, FUNCTION, { slow }): slow ones mostly wait, so they start at once.
  // A text that it returns says why there was nothing to check.
  define((name, run, { slow = false } = {}) => {
    checks.push({ name: `${group}: ${name}`, run, slow });
  });
}

const chosen = checks.filter(({ name }) => !words.length || words.some((word) => name.includes(word)));
let number = 0;
let failed = 0;
const used = new Map();

function print(good, name, notes = [], skipped = undefined) {
  failed += good ? 0 : 1;
  const directive = skipped ? ` # SKIP ${skipped}` : '';
  console.log(`${good ? 'ok' : 'not ok'} ${++number} - ${name.replace(/#/g, '\\#')}${directive}`);
  for (const note of notes) {
    console.log(`# ${note.replace(/\n/g, '\n# ')}`);
  }
}

// message: why the check failed, or undefined; skipped: why it could not be made
function report(name, message, skipped) {
  if (message?.includes('ECONNREFUSED')) {
    console.log(`Bail out! the server has gone, ${number} checks done; failed at ${name}`);
    process.exit(1);
  }
  const deviation = deviations.find((candidate) => candidate.covers(name));
  if (!deviation) {
    print(message === undefined, name, message === undefined ? [] : [message], skipped);
    return;
  }
  used.set(deviation, (used.get(deviation) ?? 0) + 1);
  if (message === undefined && deviation.sometimes) {
    print(true, name);
  } else if (message === undefined) {
    print(false, name, ['listed as a deviation, but it does not occur any more']);
  } else if (deviation.says && !deviation.says.test(message)) {
    print(false, name, [message, `listed as a deviation, but of another kind: ${deviation.says}`]);
  } else {
    print(true, `${name} (known deviation: ${deviation.why})`);
  }
}

async function perform({ name, run }) {
  const ends = deviations.find((candidate) => candidate.ends && candidate.covers(name));
  if (ends) {
    used.set(ends, (used.get(ends) ?? 0) + 1);
    print(true, name, [], ends.why);
    return;
  }
  try {
    report(name, undefined, await run());
  } catch (error) {
    report(name, error instanceof Failure ? error.message : error.stack ?? String(error));
  }
}

async function worker(queue) {
  for (let check = queue.shift(); check; check = queue.shift()) {
    await perform(check);
  }
}

console.log(`1..${chosen.length + (words.length ? 0 : RULES.length + 1)}`);
const started = Date.now();
const slow = chosen.filter((check) => check.slow).map(perform);
const queue = chosen.filter((check) => !check.slow);
await Promise.all([...slow, ...Array.from({ length: WORKERS }, () => worker(queue))]);
if (!words.length) {
  for (const rule of RULES) {
    const cases = broken.get(rule);
    report(`every answer: ${rule}`, cases && `${cases.length} broke it, such as\n${cases.slice(0, 5).join('\n')}`);
  }
  const stale = deviations.filter((deviation) => !used.has(deviation)).map(({ checks: names }) => names.join(', '));
  stale.push(...aliases.filter((alias) => !alias.used).map(({ status, sends }) => `${status} ${sends} for another code`));
  print(stale.length === 0, 'every deviation listed is of a check that there is', stale);
}
stop();
console.log(`# ${server}: ${number} checks, ${failed} failed, ` +
  `${[...used.values()].reduce((a, b) => a + b, 0)} known deviations, ${(Date.now() - started) / 1000} s`);
process.exit(failed ? 1 : 0);
