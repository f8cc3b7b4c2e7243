// SPDX-License-Identifier: MIT
/* Which parts of a drive may hold data, as its helper tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drive/data.h"

#define MIB (1ull << 20)

/* Asks until the end: the ranges as one list. */
static json_t *all(const struct pagemap *map, uint64_t size, unsigned int *asked)
{
	json_t *list = json_array();
	uint64_t from = 0;

	*asked = 0;
	while (from < size) {
		json_t *o = data_ranges(map, size, from);
		uint64_t next = (uint64_t)json_integer_value(json_object_get(o, "next"));

		assert_non_null(o);
		assert_true(next > from);
		json_array_extend(list, json_object_get(o, "ranges"));
		json_decref(o);
		from = next;
		++*asked;
	}
	return list;
}

static void range_is(const json_t *list, size_t n, uint64_t offset, uint64_t len)
{
	const json_t *range = json_array_get(list, n);

	assert_int_equal(json_integer_value(json_array_get(range, 0)), offset);
	assert_int_equal(json_integer_value(json_array_get(range, 1)), len);
}

static void nothing(void **state)
{
	struct pagemap *map = pagemap_new(100 * MIB);
	unsigned int asked;
	json_t *list = all(map, 100 * MIB, &asked);

	(void)state;
	assert_int_equal(json_array_size(list), 0);
	assert_int_equal(asked, 1);
	json_decref(list);
	pagemap_free(map);
}

static void what_adjoins_is_one(void **state)
{
	struct pagemap *map = pagemap_new(100 * MIB + 512);
	unsigned int asked;
	json_t *list;

	(void)state;
	pagemap_set(map, 3 * MIB, 6 * MIB);
	pagemap_set(map, 21 * MIB, 4096);
	pagemap_set(map, 23 * MIB, 4096);
	pagemap_set(map, 100 * MIB, 512);
	list = all(map, 100 * MIB + 512, &asked);
	assert_int_equal(json_array_size(list), 3);
	range_is(list, 0, 3 * MIB, 6 * MIB);
	range_is(list, 1, 21 * MIB, 2 * MIB + 4096); /* of one piece, from the first to the last */
	range_is(list, 2, 100 * MIB, 512);
	json_decref(list);
	pagemap_free(map);
}

/* A terabyte of which every other piece holds something: as many as a message has room for. */
static void in_parts(void **state)
{
	uint64_t size = 1024 * 1024 * MIB, sum = 0;
	struct pagemap *map = pagemap_new(size);
	unsigned int asked;
	json_t *list, *range, *o;
	size_t n;

	(void)state;
	for (uint64_t at = 0; at < 4096 * MIB; at += 8 * MIB)
		pagemap_set(map, at, 4096);
	pagemap_set(map, size - 4096, 4096);
	list = all(map, size, &asked);
	assert_int_equal(json_array_size(list), 513);
	assert_in_range(asked, 3, 20);
	json_array_foreach(list, n, range) {
		sum += (uint64_t)json_integer_value(json_array_get(range, 1));
	}
	assert_int_equal(sum, 513 * 4096);
	json_decref(list);

	pagemap_fill(map);
	o = data_ranges(map, size, 5 * MIB);
	assert_int_equal(json_array_size(json_object_get(o, "ranges")), 1);
	json_decref(o);
	o = data_ranges(map, size, size);
	assert_int_equal(json_integer_value(json_object_get(o, "next")), size);
	json_decref(o);
	pagemap_free(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(what_adjoins_is_one),
		cmocka_unit_test(in_parts),
	};

	return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
