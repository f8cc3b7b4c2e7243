// SPDX-License-Identifier: MIT
/* VHD footers: one that qemu-img made, and what is done to it or made up here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vhd/footer.h"

#define MIB (1ull << 20)

/* "Hard Disk Footer Format": where the fields are. */
enum { COOKIE = 0, SIZE = 48, TYPE = 60, SUM = 64 };

/* Of qemu-img create -f vpc -o subformat=fixed,force_size=on 20M; zeroes after. */
static const unsigned char qemu[VHD_FOOTER_SIZE] = {
	0x63, 0x6f, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x78, 0x00, 0x00, 0x00, 0x02, 0x00, 0x01,
	0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x32, 0x94, 0x4b, 0xa1,
	0x71, 0x65, 0x6d, 0x32, 0x00, 0x05, 0x00, 0x03, 0x57, 0x69, 0x32, 0x6b, 0x00, 0x00,
	0x00, 0x00, 0x01, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x40, 0x00, 0x00,
	0xff, 0xff, 0x10, 0xff, 0x00, 0x00, 0x00, 0x02, 0xff, 0xff, 0xe4, 0x94, 0xba, 0x69,
	0x46, 0x0a, 0x67, 0xf8, 0x42, 0x5e, 0x9b, 0xa4, 0x94, 0xb4, 0x8a, 0x55, 0x50, 0xce,
};

static void put(unsigned char *p, uint64_t v, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, v >>= 8)
		p[i] = (unsigned char)v;
}

static void seal(unsigned char *f)
{
	uint32_t sum = 0;

	put(f + SUM, 0, 4);
	for (int i = 0; i < VHD_FOOTER_SIZE; i++)
		sum += f[i];
	put(f + SUM, ~sum, 4);
}

/* A footer of that type and size, made from nothing but the specification. */
static void make(unsigned char *f, uint32_t type, uint64_t size)
{
	memset(f, 0, VHD_FOOTER_SIZE);
	memcpy(f + COOKIE, "conectix", 8);
	put(f + 8, 2, 4); /* features: reserved, must be 1 */
	put(f + 12, 0x10000, 4);
	put(f + 16, UINT64_MAX, 8); /* no data offset in a fixed disk */
	memcpy(f + 28, "test", 4);
	put(f + 40, size, 8);
	put(f + SIZE, size, 8);
	put(f + TYPE, type, 4);
	memset(f + 68, 0x5a, 16);
	seal(f);
}

static void made_by_qemu(void **state)
{
	uint64_t size = 1;

	(void)state;
	assert_int_equal(vhd_footer_parse(qemu, 20 * MIB + 512, &size), VHD_FIXED);
	assert_int_equal(size, 20 * MIB);
}

static void sizes(void **state)
{
	static const struct {
		uint64_t current, total;
		enum vhd_kind kind;
	} cases[] = {
		{ 16 * MIB, 16 * MIB + 512, VHD_FIXED },
		{ 16 * MIB, 17 * MIB, VHD_FIXED }, /* a gap before the footer */
		{ 512, 1024, VHD_FIXED },
		{ 8192ull << 30, (8192ull << 30) + 512, VHD_FIXED },
		{ 16 * MIB, 16 * MIB, VHD_DAMAGED }, /* the footer would lie in the data */
		{ 16 * MIB, 16 * MIB + 511, VHD_DAMAGED },
		{ 17 * MIB, 16 * MIB + 512, VHD_DAMAGED },
		{ 0, 16 * MIB, VHD_DAMAGED },
		{ 513, 16 * MIB, VHD_DAMAGED },
		{ UINT64_MAX, 16 * MIB, VHD_DAMAGED },
		{ UINT64_MAX - 511, 16 * MIB, VHD_DAMAGED },
		{ 512, 512, VHD_DAMAGED },
		{ 512, 511, VHD_DAMAGED },
		{ 512, 0, VHD_DAMAGED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char f[VHD_FOOTER_SIZE];
		uint64_t size = 12345;

		make(f, 2, cases[i].current);
		assert_int_equal(vhd_footer_parse(f, cases[i].total, &size), cases[i].kind);
		assert_int_equal(size, cases[i].kind == VHD_FIXED ? cases[i].current : 12345);
	}
}

static void types(void **state)
{
	static const enum vhd_kind kinds[] = { VHD_DAMAGED, VHD_DAMAGED,      VHD_FIXED,
					       VHD_DYNAMIC, VHD_DIFFERENCING, VHD_DAMAGED,
					       VHD_DAMAGED };

	(void)state;
	for (uint32_t type = 0; type < sizeof(kinds) / sizeof(kinds[0]); type++) {
		unsigned char f[VHD_FOOTER_SIZE];
		uint64_t size;

		make(f, type, 16 * MIB);
		assert_int_equal(vhd_footer_parse(f, 16 * MIB + 512, &size), kinds[type]);
		/* Said even of one whose size would be wrong for a fixed disk. */
		make(f, type, 16 * MIB);
		if (kinds[type] != VHD_FIXED)
			assert_int_equal(vhd_footer_parse(f, 4096, &size), kinds[type]);
	}
}

/* A raw image, whatever it ends in. */
static void no_footer(void **state)
{
	unsigned char f[VHD_FOOTER_SIZE] = { 0 };
	uint64_t size = 12345;

	(void)state;
	assert_int_equal(vhd_footer_parse(f, 16 * MIB, &size), VHD_NONE);
	memset(f, 0xff, sizeof(f));
	assert_int_equal(vhd_footer_parse(f, 16 * MIB, &size), VHD_NONE);
	make(f, 2, 16 * MIB);
	f[COOKIE + 7] ^= 1;
	assert_int_equal(vhd_footer_parse(f, 16 * MIB + 512, &size), VHD_NONE);
	assert_int_equal(size, 12345);
}

/* Each bit of it counts: those of the cookie make it no footer, others damage it. */
static void every_bit(void **state)
{
	uint64_t size = 12345;

	(void)state;
	for (int bit = 0; bit < VHD_FOOTER_SIZE * 8; bit++) {
		unsigned char f[VHD_FOOTER_SIZE];

		memcpy(f, qemu, sizeof(f));
		f[bit / 8] ^= (unsigned char)(1u << bit % 8);
		assert_int_equal(vhd_footer_parse(f, 20 * MIB + 512, &size),
				 bit < 64 ? VHD_NONE : VHD_DAMAGED);
	}
	assert_int_equal(size, 12345);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_by_qemu), cmocka_unit_test(sizes),
		cmocka_unit_test(types),	cmocka_unit_test(no_footer),
		cmocka_unit_test(every_bit),
	};

	return cmocka_run_group_tests_name("footer", tests, NULL, NULL);
}
