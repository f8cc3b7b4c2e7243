// SPDX-License-Identifier: MIT
/* What is made of a VHD: geometry as QEMU has it, footers, partition tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vhd/footer.h"
#include "vhd/geometry.h"
#include "vhd/mbr.h"

#define MIB (1ull << 20)
#define GIB (1ull << 30)
#define TIB (1ull << 40)

/* Current sizes and geometries of what qemu-img 7.2 made (subformat=fixed),
 * where the geometry is the size. */
static void geometry_as_qemu(void **state)
{
	static const struct {
		uint64_t size;
		struct vhd_geometry g;
	} cases[] = {
		{ 16781312, { 482, 4, 17 } },	      { 20994048, { 603, 4, 17 } },
		{ 104865792, { 1004, 12, 17 } },      { 528482304, { 1024, 16, 63 } },
		{ 1073995776, { 2081, 16, 63 } },     { 4295467008, { 8323, 16, 63 } },
		{ 8590417920, { 16645, 16, 63 } },    { 42951106560, { 20561, 16, 255 } },
		{ 128849141760, { 61681, 16, 255 } }, { 135291494400, { 64765, 16, 255 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vhd_geometry g = vhd_geometry(cases[i].size);

		assert_int_equal(g.cylinders, cases[i].g.cylinders);
		assert_int_equal(g.heads, cases[i].g.heads);
		assert_int_equal(g.sectors, cases[i].g.sectors);
	}
}

/* Never more than the disk, and not much less, up to where it ends. */
static void geometry_fits(void **state)
{
	(void)state;
	for (uint64_t size = MIB; size <= 2 * TIB; size += size / 7 / 512 * 512 + 512) {
		struct vhd_geometry g = vhd_geometry(size);
		uint64_t chs = 512ull * g.cylinders * g.heads * g.sectors;

		assert_true(chs <= size);
		assert_true(g.heads >= 4 && g.heads <= 16);
		if (size < 127 * GIB)
			assert_true(size - chs < 512ull * g.heads * g.sectors + 512ull * g.sectors);
		else
			assert_true(g.cylinders == 65535 || size < 128 * GIB);
	}
}

static uint64_t be(const unsigned char *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void footer_made(void **state)
{
	static const unsigned char id[16] = "0123456789abcdef";
	static const uint64_t sizes[] = { VHD_LEAST, 100 * MIB + 512, 10 * GIB, VHD_MOST };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char f[VHD_FOOTER_SIZE];
		uint64_t size = 0;

		vhd_footer_make(f, sizes[i], id, 946684800 + 12345);
		assert_int_equal(vhd_footer_parse(f, sizes[i] + 512, &size), VHD_FIXED);
		assert_int_equal(size, sizes[i]);
		assert_int_equal(be(f + 8, 4), 2);
		assert_int_equal(be(f + 12, 4), 0x10000);
		assert_int_equal(be(f + 16, 8), UINT64_MAX);
		assert_int_equal(be(f + 24, 4), 12345);
		assert_memory_equal(f + 28, "win ", 4);
		assert_int_equal(be(f + 40, 8), sizes[i]);
		assert_memory_equal(f + 68, id, 16);
		for (int j = 84; j < VHD_FOOTER_SIZE; j++)
			assert_int_equal(f[j], 0);
	}
}

/* A clock that was never set makes no date of the far future. */
static void footer_before_2000(void **state)
{
	unsigned char f[VHD_FOOTER_SIZE];

	(void)state;
	vhd_footer_make(f, MIB, (const unsigned char *)"0123456789abcdef", 12);
	assert_int_equal(be(f + 24, 4), 0);
}

static void damage(void **state)
{
	unsigned char f[VHD_FOOTER_SIZE];
	char text[96];

	(void)state;
	vhd_footer_make(f, 16 * MIB, (const unsigned char *)"0123456789abcdef", 0);
	assert_string_equal(vhd_footer_damage(f, 16 * MIB, text, sizeof(text)),
			    "it says 16777216 bytes, and there are 16776704 before it");
	f[100] = 1;
	vhd_footer_damage(f, 16 * MIB + 512, text, sizeof(text));
	assert_non_null(strstr(text, "its checksum is "));
	f[100] = 0;
	f[63] = 7; /* the disk type; and the checksum with it */
	f[67] -= 5;
	assert_string_equal(vhd_footer_damage(f, 16 * MIB + 512, text, sizeof(text)),
			    "its disk type is 7, and 2 is a fixed disk");
}

/* As sfdisk writes it for a disk of 64 MiB and one of 1 TiB. */
static void mbr(void **state)
{
	static const unsigned char small[16] = { 0,    0x20, 0x21, 0, 0x83, 0x28, 0x20, 0x08,
						 0x00, 0x08, 0,	   0, 0,    0xf8, 0x01, 0 };
	static const unsigned char large[16] = { 0,    0x20, 0x21, 0, 0x07, 0xfe, 0xff, 0xff,
						 0x00, 0x08, 0,	   0, 0x00, 0xf8, 0xff, 0x7f };
	unsigned char m[MBR_SIZE];

	(void)state;
	mbr_make(m, 64 * MIB, MBR_LINUX, 0x12345678);
	assert_memory_equal(m + 446, small, 16);
	assert_memory_equal(m + 440, "\x78\x56\x34\x12", 4);
	assert_int_equal(m[510], 0x55);
	assert_int_equal(m[511], 0xaa);
	for (int i = 462; i < 510; i++)
		assert_int_equal(m[i], 0);
	mbr_make(m, TIB, MBR_NTFS, 1);
	assert_memory_equal(m + 446, large, 16);
}

static void partition_sizes(void **state)
{
	(void)state;
	assert_int_equal(mbr_partition_size(0), 0);
	assert_int_equal(mbr_partition_size(MIB), 0);
	assert_int_equal(mbr_partition_size(MIB + 4095), 0);
	assert_int_equal(mbr_partition_size(MIB + 4096), 4096);
	assert_int_equal(mbr_partition_size(16 * MIB), 15 * MIB);
	assert_int_equal(mbr_partition_size(16 * MIB + 512), 15 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(geometry_as_qemu), cmocka_unit_test(geometry_fits),
		cmocka_unit_test(footer_made),	    cmocka_unit_test(footer_before_2000),
		cmocka_unit_test(damage),	    cmocka_unit_test(mbr),
		cmocka_unit_test(partition_sizes),
	};

	return cmocka_run_group_tests_name("vhd", tests, NULL, NULL);
}
