// SPDX-License-Identifier: MIT
/*
 * Range tracking, against a model with one byte for each block, and with memory
 * that runs out: the map is compiled in here with an allocator that can fail.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int allocations_left = -1; /* -1: as many as are asked for */

static void *failing_calloc(size_t n, size_t size)
{
	if (!allocations_left)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return calloc(n, size);
}

#define calloc failing_calloc
#include "drive/pagemap.c"
#undef calloc

#define LEAF (LEAF_BLOCKS * PAGEMAP_BLOCK) /* bytes */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % below;
}

/* --- the model ------------------------------------------------------------ */

struct model {
	uint64_t size, blocks;
	unsigned char *may; /* 1: may hold data */
};

static void model_set(struct model *m, uint64_t offset, uint64_t len)
{
	for (uint64_t b = 0; b < m->blocks; b++)
		if (b * PAGEMAP_BLOCK < offset + len && offset < (b + 1) * PAGEMAP_BLOCK && len)
			m->may[b] = 1;
}

static void model_clear(struct model *m, uint64_t offset, uint64_t len)
{
	for (uint64_t b = 0; b < m->blocks; b++)
		if (b * PAGEMAP_BLOCK >= offset && (b + 1) * PAGEMAP_BLOCK <= offset + len)
			m->may[b] = 0;
}

static bool model_narrow(const struct model *m, uint64_t *offset, uint64_t *len)
{
	uint64_t lo = UINT64_MAX, hi = 0, end = *offset + *len;

	for (uint64_t b = *offset / PAGEMAP_BLOCK; b < m->blocks && b * PAGEMAP_BLOCK < end; b++) {
		uint64_t first = b * PAGEMAP_BLOCK, last = first + PAGEMAP_BLOCK;

		if (!m->may[b])
			continue;
		if (lo == UINT64_MAX)
			lo = first > *offset ? first : *offset;
		hi = last < end ? last : end;
	}
	if (lo == UINT64_MAX)
		return false;
	*offset = lo;
	*len = hi - lo;
	return true;
}

static void same_answer(const struct pagemap *map, const struct model *m, uint64_t offset,
			uint64_t len)
{
	uint64_t o = offset, l = len, mo = offset, ml = len;
	bool has = pagemap_narrow(map, &o, &l);

	assert_int_equal(has, model_narrow(m, &mo, &ml));
	assert_int_equal(o, mo);
	assert_int_equal(l, ml);
}

static void same_blocks(const struct pagemap *map, const struct model *m)
{
	for (uint64_t b = 0; b < m->blocks; b++) {
		uint64_t o = b * PAGEMAP_BLOCK, l = 512;

		assert_int_equal(pagemap_narrow(map, &o, &l), m->may[b]);
	}
}

/* A range of the disk, 512-aligned, with a taste for edges. */
static void some_range(const struct model *m, uint64_t *offset, uint64_t *len)
{
	uint64_t sectors = m->size / 512, a = chance(sectors), most;

	if (!chance(3))
		a -= a % 8; /* a block's edge */
	if (!chance(8))
		a -= a % (64 * 8); /* a word's */
	most = sectors - a;
	*offset = a * 512;
	*len = (1 + (chance(4) ? chance(most < 64 ? most : 64) : chance(most))) * 512;
	if (!chance(10))
		*len = m->size - *offset;
}

static void against_model(uint64_t size, unsigned int steps)
{
	struct model m = { .size = size, .blocks = (size + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK };
	struct pagemap *map = pagemap_new(size);

	m.may = calloc(m.blocks, 1);
	assert_non_null(map);
	assert_non_null(m.may);
	for (unsigned int i = 0; i < steps; i++) {
		uint64_t offset, len;

		some_range(&m, &offset, &len);
		switch (chance(3)) {
		case 0:
			model_set(&m, offset, len);
			pagemap_set(map, offset, len);
			break;
		case 1:
			model_clear(&m, offset, len);
			pagemap_clear(map, offset, len);
			break;
		default:
			same_answer(map, &m, offset, len);
			break;
		}
	}
	same_blocks(map, &m);
	same_answer(map, &m, 0, size);
	pagemap_free(map);
	free(m.may);
}

static void random_small(void **state)
{
	(void)state;
	for (seed = 1; seed < 40; seed++)
		against_model((1 + chance(3000)) * 512, 400);
}

/* More than one leaf, and a last one that is not whole. */
static void random_leaves(void **state)
{
	(void)state;
	for (seed = 100; seed < 104; seed++)
		against_model(2 * LEAF + (1 + chance(10000)) * 512, 300);
}

/* --- cases ---------------------------------------------------------------- */

static void empty_has_nothing(void **state)
{
	static const uint64_t sizes[] = { 0, 512, 4096, 4608, LEAF, LEAF + 512, 8ull << 40 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct pagemap *map = pagemap_new(sizes[i]);
		uint64_t offset = 0, len = sizes[i];

		assert_false(pagemap_narrow(map, &offset, &len));
		assert_int_equal(len, sizes[i]);
		pagemap_free(map);
	}
	pagemap_free(NULL);
}

/* One byte touches its block; a block less one byte is not cleared. */
static void rounds_to_the_safe_side(void **state)
{
	struct pagemap *map = pagemap_new(1 << 20);
	uint64_t offset = 0, len = 1 << 20;

	(void)state;
	pagemap_set(map, 8191, 2);
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, 4096);
	assert_int_equal(len, 8192);
	pagemap_clear(map, 4097, 8191);
	offset = 0, len = 1 << 20;
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, 4096);
	assert_int_equal(len, 4096);
	pagemap_clear(map, 4096, 4095);
	assert_true(pagemap_narrow(map, &offset, &len));
	pagemap_clear(map, 4096, 4096);
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_free(map);
}

static void empty_ranges_do_nothing(void **state)
{
	struct pagemap *map = pagemap_new(1 << 20);
	uint64_t offset = 0, len = 1 << 20;

	(void)state;
	pagemap_set(map, 4096, 0);
	pagemap_set(map, 5000, 0);
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_set(map, 0, 1 << 20);
	pagemap_clear(map, 4096, 0);
	pagemap_clear(map, 5000, 0);
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(len, 1 << 20);
	pagemap_free(map);
}

/* What lies past the end is no business of the map's. */
static void past_the_end(void **state)
{
	struct pagemap *map = pagemap_new(10000); /* two blocks and a bit */
	uint64_t offset = 0, len = 10000;

	(void)state;
	pagemap_set(map, 12288, 4096);
	pagemap_set(map, 1 << 30, 4096);
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_set(map, 8192, 1 << 30);
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, 8192);
	assert_int_equal(len, 10000 - 8192);
	pagemap_clear(map, 0, 1 << 30);
	offset = 0, len = 10000;
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_free(map);
}

static void a_range_over_leaves(void **state)
{
	struct pagemap *map = pagemap_new(3 * LEAF);
	uint64_t offset = 0, len = 3 * LEAF;

	(void)state;
	pagemap_set(map, LEAF - 4096, LEAF + 8192);
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, LEAF - 4096);
	assert_int_equal(len, LEAF + 8192);
	pagemap_clear(map, LEAF, LEAF);
	offset = 0, len = 3 * LEAF;
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(len, LEAF + 8192); /* one range: from the first to the last */
	offset = LEAF, len = LEAF;
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_free(map);
}

/* The largest page blob; memory only where there is data. */
static void eight_tebibytes(void **state)
{
	uint64_t size = 8ull << 40, offset = 0, len = size;
	struct pagemap *map = pagemap_new(size);

	(void)state;
	assert_non_null(map);
	pagemap_set(map, size - 512, 512);
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, size - 4096);
	assert_int_equal(len, 4096);
	pagemap_set(map, 5ull << 40, 1);
	offset = 0, len = size;
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, 5ull << 40);
	assert_int_equal(len, 3ull << 40);
	pagemap_clear(map, 0, size);
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_free(map);
}

/* --- without memory --------------------------------------------------------- */

static void no_memory_for_a_map(void **state)
{
	(void)state;
	allocations_left = 0;
	assert_null(pagemap_new(1 << 20));
	allocations_left = -1;
}

static void narrowed(const struct pagemap *map, uint64_t offset, uint64_t len, uint64_t first,
		     uint64_t bytes)
{
	bool data = pagemap_narrow(map, &offset, &len);

	assert_int_equal(data, bytes != 0);
	if (!data)
		return;
	assert_int_equal(offset, first);
	assert_int_equal(len, bytes);
}

/* A leaf that can't be made counts as written, and goes on to while there is no memory to
 * know better. */
static void no_memory_for_a_leaf(void **state)
{
	struct pagemap *map = pagemap_new(3 * LEAF);

	(void)state;
	allocations_left = 0;
	pagemap_set(map, LEAF + 65536, 4096);
	pagemap_clear(map, LEAF, 4096);
	narrowed(map, 0, 3 * LEAF, LEAF, LEAF);
	narrowed(map, LEAF + 1024, 512, LEAF + 1024, 512);
	narrowed(map, 0, LEAF, 0, 0);
	allocations_left = -1;
	pagemap_clear(map, LEAF, 8192);
	narrowed(map, 0, 3 * LEAF, LEAF + 8192, LEAF - 8192);
	pagemap_clear(map, 0, 3 * LEAF);
	narrowed(map, 0, 3 * LEAF, 0, 0);
	pagemap_free(map);
}

/* Nothing is known; then that there is no data, but where something was sent meanwhile. */
static void from_all_to_nothing(void **state)
{
	struct pagemap *map = pagemap_new(3 * LEAF + 8192), *sent = pagemap_new(3 * LEAF + 8192);

	(void)state;
	pagemap_fill(map);
	pagemap_fill(map);
	narrowed(map, 0, 3 * LEAF + 8192, 0, 3 * LEAF + 8192);
	pagemap_set(sent, LEAF + 4096, 4096);
	pagemap_set(sent, 3 * LEAF, 512);
	pagemap_clear_but(map, 0, 2 * LEAF, sent);
	narrowed(map, 0, 2 * LEAF, LEAF + 4096, 4096);
	narrowed(map, 0, 3 * LEAF, LEAF + 4096, 2 * LEAF - LEAF + LEAF - 4096);
	pagemap_clear_but(map, 2 * LEAF + 512, LEAF + 8192 - 512, sent);
	narrowed(map, 2 * LEAF, LEAF, 2 * LEAF, 4096);
	narrowed(map, 2 * LEAF + 4096, LEAF + 4096, 3 * LEAF, 4096);
	pagemap_clear(map, 0, 3 * LEAF + 8192);
	narrowed(map, 0, 3 * LEAF + 8192, 0, 0);
	pagemap_free(map);
	pagemap_free(sent);
}

/* Memory that runs out in the middle of a range loses nothing of it. */
static void no_memory_half_way(void **state)
{
	struct pagemap *map = pagemap_new(4 * LEAF);
	uint64_t offset = 0, len = 4 * LEAF;

	(void)state;
	allocations_left = 1;
	pagemap_set(map, LEAF / 2, 2 * LEAF);
	allocations_left = -1;
	assert_true(pagemap_narrow(map, &offset, &len));
	assert_int_equal(offset, LEAF / 2);
	assert_int_equal(len, 2 * LEAF + LEAF / 2); /* to the end of the third */
	offset = 3 * LEAF, len = LEAF;
	assert_false(pagemap_narrow(map, &offset, &len));
	pagemap_free(map);
}

/* As much memory as was reserved, and no more; what is given back can be used again. */
static void no_more_than_was_reserved(void **state)
{
	const uint64_t n = PAGEMAP_LEAVES_MOST + 3;
	struct pagemap *map = pagemap_new(n * LEAF);

	(void)state;
	assert_true(pagemap_memory(n * LEAF) >= PAGEMAP_LEAVES_MOST * WORDS * 8ull);
	assert_int_equal(pagemap_memory(n * LEAF), pagemap_memory(8 * n * LEAF));
	assert_true(pagemap_memory(LEAF) < 2 * WORDS * 8ull);
	allocations_left = PAGEMAP_LEAVES_MOST + 1; /* one more than may be */
	for (uint64_t i = 0; i < n; i++)
		pagemap_set(map, i * LEAF + 8192, 4096);
	assert_int_equal(allocations_left, 1);
	narrowed(map, (n - 4) * LEAF, LEAF, (n - 4) * LEAF + 8192, 4096);
	narrowed(map, (n - 3) * LEAF, 3 * LEAF, (n - 3) * LEAF, 3 * LEAF);
	pagemap_clear(map, 0, LEAF);
	pagemap_clear(map, (n - 1) * LEAF, 4096);
	assert_int_equal(allocations_left, 0);
	narrowed(map, (n - 1) * LEAF, LEAF, (n - 1) * LEAF + 4096, LEAF - 4096);
	allocations_left = -1;
	pagemap_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_small),
		cmocka_unit_test(random_leaves),
		cmocka_unit_test(empty_has_nothing),
		cmocka_unit_test(rounds_to_the_safe_side),
		cmocka_unit_test(empty_ranges_do_nothing),
		cmocka_unit_test(past_the_end),
		cmocka_unit_test(a_range_over_leaves),
		cmocka_unit_test(eight_tebibytes),
		cmocka_unit_test(no_memory_for_a_map),
		cmocka_unit_test(no_memory_for_a_leaf),
		cmocka_unit_test(from_all_to_nothing),
		cmocka_unit_test(no_memory_half_way),
		cmocka_unit_test(no_more_than_was_reserved),
	};

	return cmocka_run_group_tests_name("pagemap", tests, NULL, NULL);
}
