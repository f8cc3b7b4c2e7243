// SPDX-License-Identifier: MIT
/*
 * crc64.c - CRC-64/NVME by folding and slicing
 *
 * Long buffers are folded to 16 bytes by the processor, where it can.  What is
 * left, or all: sixteen bytes a step, one table look-up each ("slicing-by-16"),
 * which keeps the look-ups independent of one another.  The tables are made
 * when the program starts, from the polynomial.
 */
#include "lib/crc64.h"

#include <endian.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/crc64_fold.h"

#define SLICES 16
#define WORTH_FOLDING 256

static bool folds;
static uint64_t table[SLICES][256];

__attribute__((constructor)) static void prepare(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		uint64_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC64_POLY : 0);
		table[0][i] = crc;
	}
	for (unsigned int i = 0; i < 256; i++)
		for (int s = 1; s < SLICES; s++)
			table[s][i] = (table[s - 1][i] >> 8) ^ table[0][table[s - 1][i] & 0xff];
	folds = crc64_fold_init();
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

/* What @crc, the register, is after @p. */
static uint64_t slice(uint64_t crc, const unsigned char *p, size_t len)
{
	for (; len >= 16; p += 16, len -= 16)
		crc = eight(&table[8], load(p) ^ crc) ^ eight(&table[0], load(p + 8));
	while (len--)
		crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 0xff];
	return crc;
}

uint64_t crc64(uint64_t crc, const void *buf, size_t len)
{
	const unsigned char *p = buf;

	crc = ~crc;
	if (folds && len >= WORTH_FOLDING) {
		size_t n = len - len % CRC64_FOLD_STEP;
		unsigned char rest[16];

		crc64_fold(crc, p, n, rest);
		crc = slice(0, rest, sizeof(rest));
		p += n;
		len -= n;
	}
	return ~slice(crc, p, len);
}

void crc64_text(uint64_t crc, char text[CRC64_TEXT])
{
	crc = htole64(crc);
	base64_encode(&crc, sizeof(crc), text);
}
