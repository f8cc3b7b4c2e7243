// SPDX-License-Identifier: GPL-2.0-only
/* The deadline's arithmetic, and the clock that it goes by. */
#include <kunit/test.h>
#include <linux/timekeeping.h>

#include "lease.h"

static void over_at_the_deadline(struct kunit *test)
{
	static const u64 untils[] = { 1, 1000, NSEC_PER_SEC, S64_MAX };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(untils); i++) {
		KUNIT_EXPECT_FALSE(test,
				   cdrive_lease_is_over(untils[i],
							untils[i] - 1));
		KUNIT_EXPECT_TRUE(test,
				  cdrive_lease_is_over(untils[i], untils[i]));
		KUNIT_EXPECT_TRUE(test, cdrive_lease_is_over(untils[i],
							     S64_MAX));
	}
	KUNIT_EXPECT_TRUE(test, cdrive_lease_is_over(0, 0));
}

static void none_is_never_over(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, cdrive_lease_is_over(CDRIVE_LEASE_NONE, 0));
	KUNIT_EXPECT_FALSE(test,
			   cdrive_lease_is_over(CDRIVE_LEASE_NONE, S64_MAX));
}

/* However far the clock was moved by hours of suspension, it is over. */
static void over_after_suspension(struct kunit *test)
{
	u64 now = 5 * NSEC_PER_SEC, until = now + 60 * NSEC_PER_SEC, slept;

	for (slept = NSEC_PER_SEC; slept < S64_MAX / 4; slept *= 2)
		KUNIT_EXPECT_EQ(test, cdrive_lease_is_over(until, now + slept),
				slept >= 60 * NSEC_PER_SEC);
}

static void what_is_left(struct kunit *test)
{
	const u64 ms = NSEC_PER_MSEC;

	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(7 * ms, 2 * ms), 5);
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(2 * ms, 7 * ms), -5);
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(2 * ms, 2 * ms), 0);
	/* Towards 0. */
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(2 * ms, ms + 1), 0);
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(ms + 1, 2 * ms), 0);
	/* As far apart as can be told. */
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(S64_MAX, 0),
			S64_MAX / NSEC_PER_MSEC);
	KUNIT_EXPECT_EQ(test, cdrive_lease_left_ms(0, S64_MAX),
			-(S64_MAX / NSEC_PER_MSEC));
}

static void timer(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, ktime_to_ns(cdrive_lease_expiry(0)), 0);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(cdrive_lease_expiry(1234)), 1234);
	KUNIT_EXPECT_EQ(test, ktime_to_ns(cdrive_lease_expiry(S64_MAX)),
			S64_MAX);
}

static void set_clock_forward(struct kunit *test, time64_t seconds)
{
	struct timespec64 ts;

	ktime_get_real_ts64(&ts);
	ts.tv_sec += seconds;
	KUNIT_ASSERT_EQ(test, do_settimeofday64(&ts), 0);
}

/* Setting the time of day moves no deadline. */
static void clock_is_not_set(struct kunit *test)
{
	const time64_t day = 86400;
	u64 before = cdrive_lease_now(), after;

	set_clock_forward(test, day);
	after = cdrive_lease_now();
	set_clock_forward(test, -day);

	KUNIT_EXPECT_GE(test, after, before);
	KUNIT_EXPECT_LT(test, after - before, day / 2 * NSEC_PER_SEC);
	KUNIT_EXPECT_GE(test, cdrive_lease_now(), after);
}

/* The one that goes on in suspension. */
static void clock_is_boottime(struct kunit *test)
{
	u64 before = ktime_get_boottime_ns(), now = cdrive_lease_now();

	KUNIT_EXPECT_LE(test, before, now);
	KUNIT_EXPECT_LE(test, now, ktime_get_boottime_ns());
}

static struct kunit_case cases[] = {
	KUNIT_CASE(over_at_the_deadline),
	KUNIT_CASE(none_is_never_over),
	KUNIT_CASE(over_after_suspension),
	KUNIT_CASE(what_is_left),
	KUNIT_CASE(timer),
	KUNIT_CASE(clock_is_not_set),
	KUNIT_CASE(clock_is_boottime),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_lease",
	.test_cases = cases,
};

kunit_test_suite(suite);
