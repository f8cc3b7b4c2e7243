// SPDX-License-Identifier: MIT
/*
 * crc64.c - CRC-64/NVME by slicing
 *
 * Sixteen bytes a step, one table look-up each ("slicing-by-16"), which keeps
 * the look-ups independent of one another.  The tables are made when the
 * program starts, from the polynomial.
 */
#include "lib/crc64.h"

#include <endian.h>
#include <string.h>

#include "lib/base64.h"

#define POLY 0x9A6C9329AC4BC9B5ull /* 0xAD93D23594C93659, bits reversed */
#define SLICES 16

static uint64_t table[SLICES][256];

__attribute__((constructor)) static void make_tables(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? POLY : 0);
		table[0][i] = crc;
	}
	for (unsigned int i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			table[s][i] = (table[s - 1][i] >> 8) ^ table[0][table[s - 1][i] & 0xff];
}

static uint64_t eight(const uint64_t (*t)[256], uint64_t v)
{
	return t[7][v & 0xff] ^ t[6][(v >> 8) & 0xff] ^ t[5][(v >> 16) & 0xff] ^
	       t[4][(v >> 24) & 0xff] ^ t[3][(v >> 32) & 0xff] ^ t[2][(v >> 40) & 0xff] ^
	       t[1][(v >> 48) & 0xff] ^ t[0][v >> 56];
}

static uint64_t load(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

uint64_t crc64(uint64_t crc, const void *buf, size_t len)
{
	const unsigned char *p = buf;

	crc = ~crc;
	for (; len >= 16; p += 16, len -= 16)
		crc = eight(&table[8], load(p) ^ crc) ^ eight(&table[0], load(p + 8));
	while (len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

void crc64_text(uint64_t crc, char text[CRC64_TEXT])
{
	crc = htole64(crc);
	base64_encode(&crc, sizeof(crc), text);
}
