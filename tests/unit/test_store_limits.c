// SPDX-License-Identifier: MIT
/*
 * A service at its limit, or too slow: what it refuses, long clears, late reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* A service that is too slow for the whole gets halves. */
static void long_clears_are_halved(void **state)
{
	uint64_t most = 0, at = 0;

	(void)state;
	pagemap_free(t.store.map);
	t.store.map = pagemap_new(64ull << 20);
	pagemap_fill(t.store.map);
	request(0, CDRIVE_OP_DISCARD, 0, 64ull << 20);
	for (unsigned int i = 0; i < 200 && !t.done[0]; i++) {
		struct az_call *call = fake_find(FAKE_CLEAR);

		if (!call) {
			fake_loop_next();
			continue;
		}
		assert_int_equal(call->number, NUMBER);
		assert_int_equal(call->offset, at);
		t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
		if (call->len > (10ull << 20)) {
			fake_loop_run(LOOP_SEC(3));
			fake_fail(call, i % 2 ? AZ_NO_RESPONSE : AZ_BUSY, i % 2 ? 0 : 500, "");
			continue;
		}
		most = call->len > most ? call->len : most;
		at += call->len;
		fake_loop_run(LOOP_SEC(2));
		fake_ok(call);
	}
	finished(0, 0);
	assert_int_equal(at, 64ull << 20);
	assert_int_equal(most, 8ull << 20);
	assert_false(may_hold_data(0, 64ull << 20));
}

/* A service that is used at its limit is no trouble: what it refused goes first. */
static void refused_as_one_too_many(void **state)
{
	struct az_result busy = fake_error(AZ_BUSY, 503, "ServerBusy");

	(void)state;
	t.store.connections = 4;
	for (unsigned int i = 0; i < 100; i++)
		request(i, CDRIVE_OP_WRITE, i * 4 * KIB, 4096);
	for (unsigned int i = 0; i < 2000 && t.completed < 100; i++) {
		t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
		fake_loop_run(LOOP_MS(5));
		if (!fake_calls)
			continue;
		if (i % 10 == 9)
			fake_answer(fake_calls, &busy);
		else
			fake_ok(fake_calls);
	}
	assert_int_equal(t.completed, 100);
	assert_true(t.store.congestion.refused > 5);
	assert_int_equal(t.troubles, 0);
	assert_int_equal(t.store.raises, 0);
	for (unsigned int i = 0; i < 100; i++)
		finished(i, 0);
}

/* One that refuses everything is: after a while that parks the drive. */
static void refused_altogether(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	for (unsigned int i = 0; i < 200 && !t.store.blob_ops[0].retry.stuck; i++) {
		t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
		if (fake_find(FAKE_PUT))
			fake_fail(fake_find(FAKE_PUT), AZ_BUSY, 503, "ServerBusy");
		else
			fake_loop_next();
	}
	assert_true(t.store.blob_ops[0].retry.stuck);
	assert_true(t.troubles > 0);
	while (!fake_find(FAKE_PUT))
		fake_loop_next();
	fake_ok(fake_find(FAKE_PUT));
	finished(0, 0);
	assert_int_equal(t.cleared, 1);
}

/* --- reads that are late --------------------------------------------------------- */

static void know_reads(uint64_t ns)
{
	for (unsigned int i = 0; i < 1000; i++)
		hedge_observe(&t.store.hedge, ns);
}

static void answer_read(struct az_call *call, unsigned char value)
{
	unsigned char data[4096];

	memset(data, value, sizeof(data));
	assert_int_equal(call->sink.write(call->sink.arg, data, call->len, 0), 0);
	fake_ok(call);
}

static void a_late_read_is_asked_for_twice(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, DISK);
	know_reads(LOOP_MS(20));
	for (int second = 0; second < 2; second++) {
		request(0, CDRIVE_OP_READ, 0, 4096);
		fake_loop_run(LOOP_MS(15));
		assert_int_equal(fake_in_flight, 1);
		fake_loop_run(LOOP_MS(15));
		assert_int_equal(fake_in_flight, 2);
		assert_int_equal(t.store.active, 2);
		answer_read(second ? fake_calls->next : fake_calls, 0x10 + second);
		finished(0, 0);
		all_bytes(0, 0, 4096, 0x10 + second);
		assert_int_equal(fake_in_flight, 0);
		assert_int_equal(t.store.active, 0);
		assert_int_equal(t.store.hedges_won, second);
	}
	assert_int_equal(t.store.hedged, 2);
}

/* The second fails: the first is waited for.  The first fails: it is asked for anew. */
static void one_of_two_reads_fails(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, DISK);
	know_reads(LOOP_MS(20));
	request(0, CDRIVE_OP_READ, 0, 4096);
	fake_loop_run(LOOP_MS(30));
	fake_fail(fake_calls->next, AZ_CORRUPT, 206, "");
	assert_int_equal(fake_in_flight, 1);
	fake_fail(fake_calls, AZ_NO_RESPONSE, 0, "");
	while (!fake_calls)
		fake_loop_next();
	answer_read(only(FAKE_GET), 0x42);
	finished(0, 0);
	all_bytes(0, 0, 4096, 0x42);
	request(0, CDRIVE_OP_READ, 0, 4096);
	fake_loop_run(LOOP_MS(30));
	assert_int_equal(fake_in_flight, 2);
	io_queue_drop(&t.queue);
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.store.active, 0);
}

static void writes_and_long_reads_never_are(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, DISK);
	know_reads(LOOP_MS(20));
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	request(1, CDRIVE_OP_DISCARD, 16 * KIB, 4096);
	request(2, CDRIVE_OP_READ, 64 * KIB, 128 * KIB);
	fake_loop_run(LOOP_SEC(2));
	assert_int_equal(fake_in_flight, 3);
	assert_int_equal(t.store.hedged, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(long_clears_are_halved), TEST(refused_as_one_too_many),
		TEST(refused_altogether),     TEST(a_late_read_is_asked_for_twice),
		TEST(one_of_two_reads_fails), TEST(writes_and_long_reads_never_are),
	};

	return cmocka_run_group_tests_name("store limits", tests, NULL, NULL);
}
