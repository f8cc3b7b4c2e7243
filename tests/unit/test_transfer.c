// SPDX-License-Identifier: MIT
/*
 * Pieces in flight (image/transfer.h), with a service of this test's: each call is answered
 * after a while, or fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "image/transfer.h"

struct fake_call {
	struct loop_timer timer;
	az_done_fn done;
	void *arg;
};

static struct job job;
static struct transfer *transfer;
static unsigned int left, busy, most, arrivals, failures;
static uint64_t latency, begun, area; /* call-nanoseconds in flight */
static uint64_t changed;
static bool wait_once;

static void account(void)
{
	uint64_t now = loop_now();

	area += busy * (now - changed);
	changed = now;
}

static void answer(void *arg)
{
	struct fake_call *call = arg;
	struct az_result res = { 0 };

	account();
	busy--;
	if (failures) {
		failures--;
		res.err.class = AZ_NO_RESPONSE;
	}
	call->done(call->arg, &res);
	free(call);
}

static enum transfer_next next(void *arg, struct piece *p)
{
	(void)arg;
	(void)p;
	if (!left)
		return TRANSFER_END;
	if (wait_once && left == 10)
		return TRANSFER_WAIT;
	left--;
	return TRANSFER_PIECE;
}

static struct az_call *start(void *arg, struct piece *p, az_done_fn done, void *done_arg)
{
	struct fake_call *call = calloc(1, sizeof(*call));

	(void)arg;
	(void)p;
	assert_non_null(call);
	account();
	if (++busy > most)
		most = busy;
	call->done = done;
	call->arg = done_arg;
	loop_timer_init(&call->timer, answer, call);
	loop_timer_arm(job.loop, &call->timer, latency);
	return (struct az_call *)(void *)call;
}

static int arrived(void *arg, struct piece *p)
{
	(void)arg;
	(void)p;
	arrivals++;
	return 0;
}

static const struct transfer_ops ops = { .next = next, .start = start, .arrived = arrived };

static void begin(unsigned int pieces, unsigned int connections, uint64_t latency_us)
{
	alarm(60); /* whatever hangs, the test ends */
	job = (struct job){ .connections = connections };
	assert_int_equal(loop_new(&job.loop), 0);
	left = pieces;
	latency = latency_us * 1000;
	busy = most = arrivals = failures = 0;
	area = 0;
	begun = changed = loop_now();
	wait_once = false;
}

static void end(unsigned int pieces)
{
	assert_int_equal(arrivals, pieces);
	assert_int_equal(busy, 0);
	assert_int_equal(left, 0);
	loop_free(job.loop);
}

/* However quick the answers are, nearly all connections have something to do. */
static void all_connections_are_used(void **state)
{
	static const uint64_t latencies[] = { 300, 800, 2000, 5000 };

	(void)state;
	for (size_t i = 0; i < sizeof(latencies) / sizeof(latencies[0]); i++) {
		begin(1000, 8, latencies[i]);
		assert_int_equal(transfer_run(&job, &ops, NULL, NULL), 0);
		assert_int_equal(most, 8);
		assert_true(area / (loop_now() - begun) >= 3);
		end(1000);
	}
}

static void fewer_pieces_than_connections(void **state)
{
	(void)state;
	for (unsigned int pieces = 0; pieces < 4; pieces++) {
		begin(pieces, 16, 1500);
		assert_int_equal(transfer_run(&job, &ops, NULL, NULL), 0);
		end(pieces);
	}
}

static void go_on(void *arg)
{
	(void)arg;
	wait_once = false;
	transfer_more(transfer);
}

static void waits_for_more(void **state)
{
	struct loop_timer timer;

	(void)state;
	begin(20, 4, 100);
	wait_once = true;
	loop_timer_init(&timer, go_on, NULL);
	loop_timer_arm(job.loop, &timer, 50000000);
	assert_int_equal(transfer_run(&job, &ops, NULL, &transfer), 0);
	assert_true(loop_now() - begun >= 50000000);
	end(20);
}

static void what_fails_is_sent_again(void **state)
{
	(void)state;
	begin(20, 4, 100);
	failures = 3;
	assert_int_equal(transfer_run(&job, &ops, NULL, NULL), 0);
	end(20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_connections_are_used),
		cmocka_unit_test(fewer_pieces_than_connections),
		cmocka_unit_test(waits_for_more),
		cmocka_unit_test(what_fails_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
