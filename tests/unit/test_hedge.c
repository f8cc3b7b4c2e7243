// SPDX-License-Identifier: MIT
/* When a read is late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drive/hedge.h"

#define MS 1000000ull

static uint32_t seed = 1;

static unsigned int chance(unsigned int n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void nothing_is_late_before_it_is_known(void **state)
{
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < HEDGE_KNOWN; i++) {
		assert_int_equal(hedge_after(&h), 0);
		hedge_observe(&h, 20 * MS);
	}
	assert_true(hedge_after(&h) >= 20 * MS);
	assert_true(hedge_after(&h) <= 23 * MS);
}

/* 96 in 100 take 20 to 40 ms, the others 800: late is a little over 40. */
static void the_slow_few_are_late(void **state)
{
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		hedge_observe(&h, chance(100) < 96 ? (20 + chance(20)) * MS : 800 * MS);
	assert_true(hedge_after(&h) >= 38 * MS);
	assert_true(hedge_after(&h) <= 46 * MS);
}

/* A service that becomes ten times slower: after two thousand reads that is what is
 * usual. */
static void what_is_usual_changes(void **state)
{
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 5000; i++)
		hedge_observe(&h, 10 * MS);
	for (unsigned int i = 0; i < 2000; i++)
		hedge_observe(&h, 100 * MS);
	assert_true(hedge_after(&h) >= 100 * MS);
	for (unsigned int i = 0; i < 6000; i++)
		hedge_observe(&h, 10 * MS);
	assert_true(hedge_after(&h) <= 12 * MS);
}

static void a_fast_store_is_left_alone(void **state)
{
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		hedge_observe(&h, MS / 5);
	assert_int_equal(hedge_after(&h), HEDGE_LEAST_NS);
}

/* Whatever happens, at most one in twenty, and a few at once. */
static void one_in_twenty_at_the_most(void **state)
{
	unsigned int taken = 0, row = 0;
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100000; i++) {
		hedge_observe(&h, MS);
		taken += hedge_take(&h);
	}
	assert_true(taken <= 5000);
	assert_true(taken >= 4990);
	for (unsigned int i = 0; i < 1000; i++)
		hedge_observe(&h, MS);
	while (hedge_take(&h))
		row++;
	assert_true(row >= 7 && row <= 8);
}

static void extremes_have_a_bucket(void **state)
{
	static const uint64_t ns[] = { 0, 1, 1023, 1024, UINT64_MAX };
	struct hedge h = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 500; i++)
		hedge_observe(&h, ns[i % 5]);
	assert_true(hedge_after(&h) > HEDGE_LEAST_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_late_before_it_is_known),
		cmocka_unit_test(the_slow_few_are_late),
		cmocka_unit_test(what_is_usual_changes),
		cmocka_unit_test(a_fast_store_is_left_alone),
		cmocka_unit_test(one_in_twenty_at_the_most),
		cmocka_unit_test(extremes_have_a_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
