// SPDX-License-Identifier: MIT
/* A profile's limits, with a clock that is passed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "devstore/faults/profile.h"

#define MS 1000000ull
#define S 1000000000ull
#define NOW (100 * S)

static struct ds_limits *limits;

static void use(const char *name)
{
	ds_limits_free(limits);
	assert_non_null(ds_profile_find(name));
	limits = ds_limits_new(ds_profile_find(name), 7);
	assert_non_null(limits);
}

static int end(void **state)
{
	(void)state;
	ds_limits_free(limits);
	limits = NULL;
	return 0;
}

static struct ds_plan call(const char *blob, enum ds_op op, uint64_t bytes, uint64_t now)
{
	const struct ds_event e = { .op = op, .container = "c", .blob = blob, .bytes = bytes };
	struct ds_plan plan = { 0 };

	ds_limits_apply(limits, &e, now, &plan);
	return plan;
}

/* How many calls of @bytes are let through in ten seconds, with twice as many as may be
 * asked for, one at a time. */
static unsigned int let_through(const char *profile, uint64_t bytes, double rate)
{
	uint64_t step = (uint64_t)(1e9 / rate / 2);
	unsigned int n = 0;

	use(profile);
	for (uint64_t t = 0; t < 10 * S; t += step)
		n += !call("disk", OP_PutPage, bytes, NOW + t).status;
	return n;
}

static void near(double got, double wanted)
{
	if (got < wanted * 0.98 || got > wanted * 1.02)
		fail_msg("%f, not %f", got, wanted);
}

static void of_a_blob(void **state)
{
	(void)state;
	near(let_through("standard", 4096, 500), 5000);
	near(let_through("standard", 1u << 20, 60), 600);
	near(let_through("standard", 4u << 20, 15), 150);
	near(let_through("premium-p30", 4096, 5000), 50000);
	near(let_through("premium-p30", 1u << 20, 190), 10 * 200e6 / 1048576);
	/* 1 MiB is four of 256 KiB: 125 of the 500 a second, but 100 MB */
	near(let_through("premium-p10", 1u << 20, 95), 10 * 100e6 / 1048576);
	/* 25 MB a second would be 83 of these; 120 requests are 60, as each is two. */
	near(let_through("premium-p4", 300000, 60), 600);
}

static void blobs_are_apart(void **state)
{
	(void)state;
	use("standard");
	for (int i = 0; i < 40; i++) {
		assert_int_equal(call("a", OP_PutPage, 512, NOW).status, 0);
		assert_int_equal(call("b", OP_GetBlob, 512, NOW).status, 0);
	}
	for (int i = 0; i < 60; i++)
		call("a", OP_PutPage, 512, NOW);
	assert_int_not_equal(call("a", OP_PutPage, 512, NOW).status, 0);
	assert_int_equal(call("b", OP_PutPage, 512, NOW).status, 0);
	/* A tenth of a second's worth may come at once, and is there again later. */
	assert_int_equal(call("a", OP_PutPage, 512, NOW + 100 * MS).status, 0);
}

/* What is beyond the account's is refused, however many blobs there are. */
static void of_the_account(void **state)
{
	unsigned int n = 0;

	(void)state;
	use("standard");
	for (unsigned int i = 0; i < 60000; i++) {
		char blob[16];

		snprintf(blob, sizeof(blob), "%u", i % 200);
		n += !call(blob, OP_GetBlobProperties, 0, NOW + i * (S / 60000)).status;
	}
	near(n, 20000 + 2000); /* a second of it, and what may run ahead */
}

static void refusals(void **state)
{
	unsigned int busy = 0, timed_out = 0;

	(void)state;
	use("standard");
	for (int i = 0; i < 10050; i++) {
		struct ds_plan plan = call("a", OP_PutPage, 512, NOW);

		busy += plan.status == 503;
		timed_out += plan.status == 500 && plan.timed_out;
	}
	assert_in_range(busy + timed_out, 9998, 10000);
	assert_in_range(timed_out, 400, 600); /* one in twenty */
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void latency(void **state)
{
	static uint64_t took[10000];

	(void)state;
	use("standard");
	for (int i = 0; i < 10000; i++)
		took[i] = call("a", OP_GetBlob, 512, NOW + (uint64_t)i * S).delay;
	qsort(took, 10000, sizeof(*took), by_size);
	assert_in_range(took[5000], 7600000, 8400000);
	assert_in_range(took[9900], 50 * MS, 70 * MS);
	assert_int_equal(ds_limits_list(limits, 10000), 500 * MS);
	assert_int_equal(ds_limits_list(limits, 0), 0);
}

static void seeded(void **state)
{
	uint64_t first[100];

	(void)state;
	use("standard");
	for (int i = 0; i < 100; i++)
		first[i] = call("a", OP_GetBlob, 512, NOW).delay;
	use("standard");
	for (int i = 0; i < 100; i++)
		assert_int_equal(call("a", OP_GetBlob, 512, NOW).delay, first[i]);
}

static void names(void **state)
{
	(void)state;
	assert_null(ds_profile_find("premium"));
	assert_null(ds_profile_find("premium-p70"));
	assert_null(ds_profile_find(""));
	assert_non_null(ds_profile_find("premium-p60"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(of_a_blob, end),
		cmocka_unit_test_teardown(blobs_are_apart, end),
		cmocka_unit_test_teardown(of_the_account, end),
		cmocka_unit_test_teardown(refusals, end),
		cmocka_unit_test_teardown(latency, end),
		cmocka_unit_test_teardown(seeded, end),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
