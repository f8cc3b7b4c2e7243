// SPDX-License-Identifier: MIT
//
// Shared access signatures, made by "Create an account SAS" and "Create a service
// SAS". What is given as a part goes into the token and what is signed; to make
// a wrong one, change the token afterwards.

import { VERSION, account, hmac } from './wire.mjs';

export const time = (ms) => new Date(Date.now() + ms).toISOString().replace(/\.\d+Z$/, 'Z');
export const HOUR = 3600_000;

function token(parts, signature) {
  return Object.entries({ ...parts, sig: signature })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
}

export function accountSas(given = {}) {
  const p = { sv: VERSION, ss: 'b', srt: 'sco', sp: 'rwdlac', st: time(-HOUR), se: time(HOUR), ...given };
  const lines = [account, p.sp, p.ss, p.srt, p.st, p.se, p.sip, p.spr, p.sv];
  if (p.sv >= '2020-12-06') {
    lines.push(p.ses);
  }
  return token(p, hmac(lines.map((line) => `${line ?? ''}\n`).join('')));
}

// of: a Container or Blob
export function serviceSas(of, given = {}) {
  const container = of.container ?? of;
  const isBlob = container !== of;
  const p = { sv: VERSION, sr: isBlob ? (of.snapshotTime ? 'bs' : 'b') : 'c', ...given };
  if (!p.si) {
    p.st = 'st' in given ? given.st : time(-HOUR);
    p.se = 'se' in given ? given.se : time(HOUR);
    p.sp = 'sp' in given ? given.sp : 'r';
  }
  const name = `/blob/${account}/${container.name}${p.sr === 'c' ? '' : `/${of.name}`}`;
  const lines = [p.sp, p.st, p.se, name, p.si, p.sip, p.spr, p.sv];
  if (p.sv >= '2018-11-09') {
    lines.push(p.sr, p.sr === 'bs' ? of.snapshotTime : undefined);
  }
  if (p.sv >= '2020-12-06') {
    lines.push(p.ses);
  }
  lines.push(p.rscc, p.rscd, p.rsce, p.rscl, p.rsct);
  return token(p, hmac(lines.map((line) => line ?? '').join('\n')));
}
