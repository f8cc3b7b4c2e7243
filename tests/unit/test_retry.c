// SPDX-License-Identifier: MIT
/* When to try again: the bounds that helper/lib/retry.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/loop.h"
#include "lib/retry.h"

#define MS 1000000ull
#define SEC 1000000000ull

/* Failure by failure: what chance may choose from, and nothing beyond. */
static void doubles_up_to_a_bound(void **state)
{
	uint64_t most = RETRY_FIRST_MS;
	struct retry low = { 0 }, high = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 200; i++) {
		uint64_t now = i * MS;

		/* "chance" is taken modulo half the delay, plus one */
		assert_int_equal(retry_failed(&low, now, 0, 0), most / 2 * MS);
		assert_int_equal(retry_failed(&high, now, 0, (uint32_t)(most / 2)), most * MS);
		assert_int_equal(low.failures, i + 1);
		most = most * 2 < RETRY_MOST_MS ? most * 2 : RETRY_MOST_MS;
	}
}

static void any_chance_stays_in_bounds(void **state)
{
	uint32_t chance = 12345;

	(void)state;
	for (unsigned int i = 0; i < 10000; i++) {
		struct retry r = { .failures = i % 40 };
		uint64_t delay;

		chance = chance * 1664525 + 1013904223;
		delay = retry_failed(&r, SEC, 0, chance);
		assert_true(delay >= RETRY_FIRST_MS / 2 * MS);
		assert_true(delay <= RETRY_MOST_MS * MS);
	}
}

/* Half of the delay is chance: drives that fail together spread out. */
static void jitter_spreads(void **state)
{
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	for (uint32_t chance = 0; chance < 10000; chance++) {
		struct retry r = { .failures = 10 };
		uint64_t delay = retry_failed(&r, SEC, 0, chance);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_int_equal(least, RETRY_MOST_MS / 2 * MS);
	assert_int_equal(most, RETRY_MOST_MS * MS);
}

static void honours_retry_after(void **state)
{
	struct retry r = { 0 };

	(void)state;
	assert_int_equal(retry_failed(&r, SEC, 7, 0), 7 * SEC);
	/* The longer of the two counts. */
	r.failures = 10;
	assert_int_equal(retry_failed(&r, SEC, 1, 0), RETRY_MOST_MS / 2 * MS);
	assert_int_equal(retry_failed(&r, SEC, RETRY_AFTER_MOST_S, 0), RETRY_AFTER_MOST_S * SEC);
	/* It may not park a drive for an hour. */
	assert_int_equal(retry_failed(&r, SEC, 3600, 0), RETRY_AFTER_MOST_S * SEC);
	assert_int_equal(retry_failed(&r, SEC, UINT32_MAX, 0), RETRY_AFTER_MOST_S * SEC);
}

static void stuck_past_the_ceiling(void **state)
{
	uint64_t start = 1000 * SEC, ceiling = RETRY_CEILING_S * SEC;
	struct retry r = { 0 };

	(void)state;
	retry_failed(&r, start, 0, 0);
	assert_false(r.stuck);
	retry_failed(&r, start + ceiling - 1, 0, 0);
	assert_false(r.stuck);
	retry_failed(&r, start + ceiling, 0, 0);
	assert_true(r.stuck);
	retry_failed(&r, start + ceiling + 1, 0, 0);
	assert_true(r.stuck);
}

/* However many failures there are, it is the time that counts. */
static void many_failures_are_not_stuck(void **state)
{
	struct retry r = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 100000; i++)
		retry_failed(&r, SEC, 0, i);
	assert_false(r.stuck);
}

static void reset_starts_anew(void **state)
{
	struct retry r = { 0 };

	(void)state;
	retry_failed(&r, SEC, 0, 0);
	retry_failed(&r, 100 * SEC, 0, 0);
	assert_true(r.stuck);
	r.counted = true;
	retry_reset(&r);
	assert_false(r.stuck || r.counted);
	assert_int_equal(retry_failed(&r, 200 * SEC, 0, 0), RETRY_FIRST_MS / 2 * MS);
	assert_false(r.stuck);
	retry_failed(&r, 201 * SEC, 0, 0);
	assert_false(r.stuck);
}

/* What callers use: this moment, and a wait that is not the same each time. */
static void backs_off_from_now(void **state)
{
	uint64_t least = UINT64_MAX, most = 0, before = loop_now();
	struct retry r = { 0 };

	(void)state;
	retry_backoff(&r, 0);
	assert_true(r.since >= before && r.since <= loop_now());
	for (unsigned int i = 0; i < 1000; i++) {
		struct retry late = { .failures = 10, .since = r.since };
		uint64_t delay = retry_backoff(&late, 0);

		least = delay < least ? delay : least;
		most = delay > most ? delay : most;
	}
	assert_in_range(least, RETRY_MOST_MS / 2 * MS, RETRY_MOST_MS * 6 / 10 * MS);
	assert_in_range(most, RETRY_MOST_MS * 9 / 10 * MS, RETRY_MOST_MS * MS);
	assert_int_equal(retry_backoff(&r, 30), 30 * SEC);
}

static void limits(void **state)
{
	(void)state;
	assert_int_equal(retry_limit_ms(0), 0);
	assert_int_equal(retry_limit_ms(1), RETRY_FIRST_MS);
	assert_int_equal(retry_limit_ms(2), 2 * RETRY_FIRST_MS);
	assert_int_equal(retry_limit_ms(7), RETRY_MOST_MS);
	assert_int_equal(retry_limit_ms(UINT32_MAX), RETRY_MOST_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_a_bound),
		cmocka_unit_test(any_chance_stays_in_bounds),
		cmocka_unit_test(jitter_spreads),
		cmocka_unit_test(honours_retry_after),
		cmocka_unit_test(stuck_past_the_ceiling),
		cmocka_unit_test(many_failures_are_not_stuck),
		cmocka_unit_test(reset_starts_anew),
		cmocka_unit_test(backs_off_from_now),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
