// SPDX-License-Identifier: MIT
#include "lib/crc64_fold.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <string.h>
#include <wmmintrin.h>

#define FOLDS __attribute__((target("pclmul")))

/* By how much a half of 64 bits is multiplied to be moved on by 64 bytes, and by
 * 16: for the half that comes first, and the other. */
static uint64_t by_step[2], by_16[2];

/* x to the power of @n, modulo the polynomial, bits reversed. */
static uint64_t power(unsigned int n)
{
	uint64_t r = 1ull << 63;

	while (n--)
		r = (r >> 1) ^ (r & 1 ? CRC64_POLY : 0);
	return r;
}

/* The product of two reversed numbers is one place short: hence the - 1. */
static void make(uint64_t by[2], unsigned int bytes)
{
	by[0] = power(8 * bytes + 64 - 1);
	by[1] = power(8 * bytes - 1);
}

/* QEMU's emulation (7.2) multiplies bit by bit: the tables are quicker there. */
static bool emulated(void)
{
	unsigned int a, v[3];
	char name[13] = "";

	__cpuid(0x40000000, a, v[0], v[1], v[2]);
	memcpy(name, v, sizeof(v));
	return !strcmp(name, "TCGTCGTCGTCG");
}

bool crc64_fold_init(void)
{
	unsigned int a, b, c, d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_PCLMUL))
		return false;
	if ((c & 1u << 31) && emulated())
		return false;
	make(by_step, CRC64_FOLD_STEP);
	make(by_16, 16);
	return true;
}

static __m128i load(const unsigned char *p)
{
	return _mm_loadu_si128((const __m128i *)p);
}

/* @v moved on by what @by is for, and onto @next. */
FOLDS static inline __m128i fold(__m128i v, __m128i by, __m128i next)
{
	return _mm_xor_si128(next, _mm_xor_si128(_mm_clmulepi64_si128(v, by, 0x00),
						 _mm_clmulepi64_si128(v, by, 0x11)));
}

FOLDS void crc64_fold(uint64_t state, const unsigned char *buf, size_t len, unsigned char rest[16])
{
	const __m128i far = _mm_set_epi64x((long long)by_step[1], (long long)by_step[0]);
	const __m128i near = _mm_set_epi64x((long long)by_16[1], (long long)by_16[0]);
	__m128i v0 = _mm_xor_si128(load(buf), _mm_set_epi64x(0, (long long)state));
	__m128i v1 = load(buf + 16), v2 = load(buf + 32), v3 = load(buf + 48);

	for (buf += 64, len -= 64; len; buf += 64, len -= 64) {
		v0 = fold(v0, far, load(buf));
		v1 = fold(v1, far, load(buf + 16));
		v2 = fold(v2, far, load(buf + 32));
		v3 = fold(v3, far, load(buf + 48));
	}
	v1 = fold(v0, near, v1);
	v2 = fold(v1, near, v2);
	v3 = fold(v2, near, v3);
	_mm_storeu_si128((__m128i *)rest, v3);
}

#else

bool crc64_fold_init(void)
{
	return false;
}

void crc64_fold(uint64_t state, const unsigned char *buf, size_t len, unsigned char rest[16])
{
	(void)state;
	(void)buf;
	(void)len;
	(void)rest;
	__builtin_trap(); /* crc64_fold_init() said no */
}

#endif
