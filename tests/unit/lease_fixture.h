/* SPDX-License-Identifier: MIT */
/*
 * lease_fixture.h - a lease (helper/drive/lease.h) between a service that
 * answers what the test says and a clock that the test moves
 */
#ifndef UNIT_LEASE_FIXTURE_H
#define UNIT_LEASE_FIXTURE_H

#include <errno.h>

#include "drive/acquire.h"

#include "fake_azure.h"
#include "fake_loop.h"

#define NUMBER 41 /* ours, where a test begins as a helper at work */

static struct {
	struct lease lease;
	struct az_blob blob;
	unsigned int held, lost, troubles, cleared;
	char why[256];
	uint64_t deadline; /* last told */
	unsigned int forgotten;
	unsigned int deadlines;
	uint64_t number, raising_to; /* last recorded */
	unsigned int records;
	struct az_error trouble;
	bool stuck;
	/* What az_sync_wait() gets, in order; AZ_OK ones with .number */
	struct {
		enum fake_kind kind;
		struct az_result res;
	} script[8];
	unsigned int scripted, played;
	bool interrupted; /* once, in place of what is next in the script */
	void (*answering)(const struct az_call *call); /* is told of what is answered */
} t;

static void is_held(void)
{
	assert_int_equal(t.lease.state, LEASE_HELD);
	assert_int_equal(t.lease.sequence.state, SEQUENCE_SETTLED);
}

static void is_raising(void)
{
	assert_int_equal(t.lease.state, LEASE_HELD);
	assert_int_equal(t.lease.sequence.state, SEQUENCE_RAISING);
	assert_false(lease_may_send(&t.lease));
}

static void held(void *arg)
{
	assert_ptr_equal(arg, &t);
	is_held();
	t.held++;
}

static void deadline(void *arg, uint64_t until)
{
	assert_ptr_equal(arg, &t);
	assert_int_equal(until, t.lease.until);
	/* Never longer than what was asked for when it was asked for. */
	assert_true(until <= t.lease.sent_at + LOOP_SEC(LEASE_S) - LOOP_MS(LEASE_MARGIN_MS));
	t.deadline = until;
	t.deadlines++;
}

static void lost(void *arg, const char *why)
{
	assert_ptr_equal(arg, &t);
	assert_int_equal(t.lease.state, LEASE_LOST);
	t.lost++;
	snprintf(t.why, sizeof(t.why), "%s", why);
}

static void record(void *arg, uint64_t number, uint64_t raising_to)
{
	assert_ptr_equal(arg, &t);
	/* Before it is asked for, so that a helper that follows knows of it. */
	assert_null(fake_find(FAKE_RAISE));
	t.number = number;
	t.raising_to = raising_to;
	t.records++;
}

static void trouble(void *arg, struct retry *r, const char *what, const struct az_error *err)
{
	assert_ptr_equal(arg, &t);
	assert_non_null(what);
	if (err) {
		t.troubles++;
		t.trouble = *err;
		t.stuck = r->stuck;
	} else {
		t.cleared++;
	}
}

static void forgotten(void *arg)
{
	(void)arg;
	t.forgotten++;
}

static const struct lease_ops ops = { .held = held,
				      .deadline = deadline,
				      .forgotten = forgotten,
				      .lost = lost,
				      .record = record,
				      .trouble = trouble };

/* Plays the script; without one, time passes until something gives up. */
int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	assert_ptr_equal(loop, &fake_loop);
	if (t.interrupted) {
		t.interrupted = false;
		return -ECANCELED;
	}
	while (!s->done) {
		if (t.played < t.scripted && fake_calls) {
			assert_null(fake_calls->next);
			assert_int_equal(fake_calls->kind, t.script[t.played].kind);
			if (t.answering)
				t.answering(fake_calls);
			fake_answer(fake_calls, &t.script[t.played++].res);
		} else {
			assert_true(fake_loop_next());
		}
	}
	return 0;
}

static inline void script(enum fake_kind kind, struct az_result res)
{
	t.script[t.scripted].kind = kind;
	t.script[t.scripted++].res = res;
}

static inline struct az_result number(uint64_t n)
{
	return (struct az_result){ .props = { .has_sequence_number = true, .sequence_number = n } };
}

static const struct az_result ok;

static inline int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	fake_loop_reset(1);
	fake_azure_reset();
	lease_init(&t.lease, &fake_loop, NULL, &t.blob, &ops, &t);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	fake_azure_reset();
	return 0;
}

/* A helper at work: it has the lease, and NUMBER. */
static inline int working(void **state)
{
	setup(state);
	strcpy(t.blob.lease_id, "0123");
	t.lease.sequence.number = NUMBER;
	t.lease.sent_at = boot_clock();
	t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
	lease_start(&t.lease);
	return 0;
}

static inline struct az_call *only(enum fake_kind kind)
{
	assert_int_equal(fake_in_flight, 1);
	assert_int_equal(fake_calls->kind, kind);
	return fake_calls;
}

static void nothing_goes_on(void)
{
	assert_int_equal(fake_in_flight, 0);
	assert_null(fake_loop.timers);
}

static inline void is_lost(const char *word)
{
	assert_int_equal(t.lease.state, LEASE_LOST);
	assert_int_equal(t.lost, 1);
	assert_non_null(strstr(t.why, word));
	nothing_goes_on();
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define WORKING(fn) cmocka_unit_test_setup_teardown(fn, working, teardown)

#endif
