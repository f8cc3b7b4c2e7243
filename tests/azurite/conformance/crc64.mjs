// SPDX-License-Identifier: MIT
//
// The CRC64 of x-ms-content-crc64 (polynomial 0x9A6C9329AC4BC9B5, reflected),
// in base64 of its bytes, lowest first. Two halves of 32 bits, as BigInt is slow.

const HIGH = 0x9a6c9329;
const LOW = 0xac4bc9b5;
const high = new Uint32Array(256);
const low = new Uint32Array(256);

for (let i = 0; i < 256; i++) {
  let h = 0;
  let l = i;
  for (let bit = 0; bit < 8; bit++) {
    const carry = l & 1;
    l = ((l >>> 1) | (h << 31)) >>> 0;
    h >>>= 1;
    if (carry) {
      h = (h ^ HIGH) >>> 0;
      l = (l ^ LOW) >>> 0;
    }
  }
  high[i] = h;
  low[i] = l;
}

export function crc64(data) {
  let h = 0xffffffff;
  let l = 0xffffffff;
  for (const byte of data) {
    const i = (l ^ byte) & 0xff;
    l = (((l >>> 8) | (h << 24)) ^ low[i]) >>> 0;
    h = ((h >>> 8) ^ high[i]) >>> 0;
  }
  const out = Buffer.alloc(8);
  out.writeUInt32LE(~l >>> 0, 0);
  out.writeUInt32LE(~h >>> 0, 4);
  return out.toString('base64');
}
