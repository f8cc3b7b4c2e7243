// SPDX-License-Identifier: MIT
/* The page ranges of a blob in segments, against services that take their time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "azure/listing.h"

#include "fake_azure.h"

#define GIB (1ull << 30)

static struct {
	struct az_blob blob;
	struct az_listing listing;
	uint64_t ranges, bytes, end; /* what range() was told */
	uint64_t begun, listed; /* segments, bytes */
	unsigned int failures;
	bool patient, done;
	struct az_error err;
} t;

struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint64_t len, void (*range)(void *arg, uint64_t, uint64_t),
				   az_done_fn done, void *arg)
{
	struct az_call *call = fake_start(FAKE_RANGES, b, done, arg);

	(void)c;
	if (call) {
		call->offset = offset;
		call->len = len;
		call->range = range;
	}
	return call;
}

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	t.ranges++;
	t.bytes += len;
	t.end = offset + len;
}

static void on_begins(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	assert_int_equal(offset, t.listed);
	t.begun = offset + len;
}

static void on_listed(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	assert_int_equal(offset, t.listed);
	t.listed += len;
	assert_int_equal(t.listed, t.begun);
}

static bool on_failed(void *arg, const struct az_error *err, const struct retry *retry)
{
	(void)arg;
	t.failures++;
	t.err = *err;
	return t.patient || !retry->stuck;
}

static void on_done(void *arg, const struct az_error *err)
{
	(void)arg;
	assert_false(t.done);
	t.done = true;
	t.err = *err;
}

static const struct az_listing_ops ops = { .range = on_range,
					   .begins = on_begins,
					   .listed = on_listed,
					   .failed = on_failed,
					   .done = on_done };

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	fake_loop_reset(1);
	fake_azure_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	az_listing_stop(&t.listing);
	assert_int_equal(fake_in_flight, 0);
	return 0;
}

static void start(uint64_t size)
{
	az_listing_start(&t.listing, &fake_loop, NULL, &t.blob, size, &ops, NULL);
	assert_int_equal(fake_started, 0);
	fake_loop_next();
}

/* A service that lists a GiB in @ns, and says 500 where that takes longer than its own
 * limit (0: it has none). */
static void serve(uint64_t per_gib, uint64_t limit)
{
	for (unsigned int calls = 0; !t.done && calls < 10000; calls++) {
		struct az_call *call = fake_find(FAKE_RANGES);
		unsigned int failures;
		uint64_t takes, until;

		if (!call) {
			assert_true(fake_loop_next());
			continue;
		}
		takes = (uint64_t)((double)call->len / GIB * (double)per_gib);
		failures = t.failures;
		until = fake_now + (limit && takes > limit ? limit : takes);
		while (fake_now < until && t.failures == failures)
			fake_loop_run(until - fake_now < LOOP_MS(50) ? until - fake_now :
								       LOOP_MS(50));
		if (t.failures != failures)
			continue; /* it was given up meanwhile */
		if (limit && takes > limit) {
			fake_fail(call, AZ_BUSY, 500, "OperationTimedOut");
			continue;
		}
		call->range(call->arg, call->offset, 512);
		fake_ok(call);
	}
	assert_true(t.done);
}

static void a_blob_with_nothing_in_it_takes_one_call(void **state)
{
	(void)state;
	start(10 * GIB);
	serve(LOOP_MS(1), 0);
	assert_int_equal(t.err.class, AZ_OK);
	assert_int_equal(fake_started, 1);
	assert_int_equal(t.listed, 10 * GIB);
	assert_int_equal(t.ranges, 1);
}

static void quick_segments_grow(void **state)
{
	(void)state;
	start(8192 * GIB);
	serve(LOOP_MS(1), 0);
	assert_int_equal(t.listed, 8192 * GIB);
	assert_true(fake_started <= 20);
}

/* 20 s a GiB: a whole of 64 GiB takes no service 21 minutes. */
static void a_slow_list_is_asked_for_in_parts(void **state)
{
	uint64_t begun;

	(void)state;
	start(64 * GIB);
	begun = fake_now;
	serve(LOOP_SEC(20), LOOP_SEC(25));
	assert_int_equal(t.err.class, AZ_OK);
	assert_int_equal(t.listed, 64 * GIB);
	assert_true(t.failures <= 10);
	assert_true(fake_now - begun <= LOOP_SEC(64 * 20 + 200));
}

/* Nothing is heard at all of a list that is too long. */
static void a_list_without_answer_is_given_up(void **state)
{
	(void)state;
	start(16 * GIB);
	serve(LOOP_SEC(60), 0);
	assert_int_equal(t.err.class, AZ_OK);
	assert_int_equal(t.listed, 16 * GIB);
}

static void an_outage_ends_it_or_not(void **state)
{
	(void)state;
	for (int patient = 0; patient < 2; patient++) {
		setup(NULL);
		t.patient = patient;
		start(GIB);
		for (unsigned int i = 0; !t.done && i < 100; i++) {
			struct az_call *call = fake_find(FAKE_RANGES);

			if (call)
				fake_fail(call, AZ_UNREACHABLE, 0, "");
			else
				assert_true(fake_loop_next());
		}
		assert_int_equal(t.done, !patient);
		assert_int_equal(t.err.class, AZ_UNREACHABLE);
		if (!patient)
			continue;
		serve(LOOP_MS(1), 0);
		assert_int_equal(t.err.class, AZ_OK);
		assert_int_equal(t.listed, GIB);
	}
}

static void memory_that_is_out_is_waited_for(void **state)
{
	(void)state;
	fake_no_memory = true;
	t.patient = true;
	start(GIB);
	fake_loop_run(LOOP_SEC(10));
	assert_true(t.failures > 2);
	fake_no_memory = false;
	serve(LOOP_MS(1), 0);
	assert_int_equal(t.listed, GIB);
}

static void stopping_it_ends_all(void **state)
{
	(void)state;
	start(GIB);
	assert_int_equal(fake_in_flight, 1);
	az_listing_stop(&t.listing);
	az_listing_stop(&t.listing);
	assert_int_equal(fake_in_flight, 0);
	assert_false(fake_loop_next());
	assert_false(t.done);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_blob_with_nothing_in_it_takes_one_call),
		TEST(quick_segments_grow),
		TEST(a_slow_list_is_asked_for_in_parts),
		TEST(a_list_without_answer_is_given_up),
		TEST(an_outage_ends_it_or_not),
		TEST(memory_that_is_out_is_waited_for),
		TEST(stopping_it_ends_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
