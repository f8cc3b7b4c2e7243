// SPDX-License-Identifier: MIT
/* Keeping the lease, and finding out when it is lost: "The lease and its deadline" in design.rst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lease_fixture.h"

/* --- the lease ------------------------------------------------------------------ */

static void renewed_every_20_s(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) - 1);
	assert_int_equal(fake_in_flight, 0);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t sent;
		struct az_call *call;

		fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
		call = only(FAKE_LEASE);
		assert_int_equal(call->action, AZ_LEASE_RENEW);
		assert_int_equal(call->seconds, LEASE_S);
		assert_string_equal(call->lease_id, "0123");
		sent = t.lease.sent_at;
		assert_true(sent <= fake_now);
		fake_loop_run(LOOP_SEC(3)); /* of travel */
		fake_ok(call);
		/* Counted from before it was sent, and told to the driver. */
		assert_int_equal(t.lease.until, sent + LEASE_CERTAIN_NS);
		assert_int_equal(t.deadline, t.lease.until);
		assert_int_equal(t.deadlines, i + 1);
	}
	is_held();
	assert_int_equal(t.lost + t.troubles, 0);
}

/* Tried again soon, and the lease is not believed to be longer for it. */
static void renewal_fails_for_a_while(void **state)
{
	uint64_t until = t.lease.until;

	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	for (int i = 0; i < 4; i++) {
		fake_fail(only(FAKE_LEASE), AZ_BUSY, 503, "ServerBusy");
		assert_int_equal(t.lease.until, until);
		is_held();
		fake_loop_run(LOOP_MS(RETRY_MOST_MS + 1));
	}
	assert_int_equal(t.troubles, 4);
	assert_false(t.stuck);
	fake_ok(only(FAKE_LEASE));
	assert_true(t.lease.until > until);
	assert_int_equal(t.cleared, 0);
	assert_int_equal(t.lease.retry.failures, 0);
}

/* A refusal is reported, never given up on, and told to be over when it is. */
static void denied_for_long(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	for (int i = 0; i < 40; i++) {
		fake_fail(only(FAKE_LEASE), AZ_DENIED, 403, "AuthenticationFailed");
		fake_loop_run(LOOP_MS(RETRY_MOST_MS + 1));
	}
	assert_int_equal(t.troubles, 40);
	assert_int_equal(t.trouble.class, AZ_DENIED);
	assert_true(t.stuck);
	assert_int_equal(t.lost, 0);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.cleared, 1);
}

static void renew_without_memory(void **state)
{
	(void)state;
	fake_no_memory = true;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	assert_int_equal(t.trouble.class, AZ_LOCAL);
	fake_no_memory = false;
	fake_loop_run(LOOP_SEC(1) + 2);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.lost, 0);
}

static void doubt_is_settled_by_renewal(void **state)
{
	(void)state;
	lease_doubt(&t.lease);
	lease_doubt(&t.lease);
	assert_int_equal(t.lease.state, LEASE_DOUBTED);
	assert_int_equal(only(FAKE_LEASE)->action, AZ_LEASE_RENEW);
	fake_ok(fake_calls);
	is_held();
	assert_int_equal(t.held, 1);
}

/* The number is in doubt too: it may be ours, or the one we are raising it to. */
static void a_doubtful_number(void **state)
{
	static const struct {
		bool raising;
		uint64_t found;
		bool ours;
	} cases[] = {
		{ false, NUMBER, true }, { false, NUMBER + 1, false }, { false, NUMBER - 1, false },
		{ true, NUMBER, true },	 { true, NUMBER + 1, true },   { true, NUMBER + 2, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		working(state);
		if (cases[i].raising)
			lease_raise(&t.lease);
		lease_doubt_number(&t.lease);
		fake_ok(fake_find(FAKE_LEASE));
		assert_int_equal(t.lease.state, LEASE_COMPARING);
		fake_ok_number(fake_find(FAKE_PROPS), cases[i].found);
		if (!cases[i].ours) {
			is_lost("another machine");
			continue;
		}
		cases[i].raising ? is_raising() : is_held();
		/* The next doubt is of the lease alone. */
		if (cases[i].raising)
			fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
		lease_doubt(&t.lease);
		fake_ok(only(FAKE_LEASE));
		is_held();
		teardown(state);
	}
}

static void compare_without_memory(void **state)
{
	(void)state;
	lease_doubt_number(&t.lease);
	fake_no_memory = true;
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.trouble.class, AZ_LOCAL);
	fake_no_memory = false;
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	is_held();
}

/* It is read while we raise it: the old one is ours, and the new one. */
static void raised_while_it_is_read(void **state)
{
	for (uint64_t found = NUMBER - 1; found <= NUMBER + 2; found++) {
		for (int answered = 0; answered < 2; answered++) {
			working(state);
			lease_raise(&t.lease);
			lease_doubt_number(&t.lease);
			fake_ok(fake_find(FAKE_LEASE));
			if (answered)
				fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
			lease_raise(&t.lease); /* none is begun now */
			fake_ok_number(fake_find(FAKE_PROPS), found);
			if (found < NUMBER || found > NUMBER + 1) {
				is_lost("another machine");
				continue;
			}
			answered ? is_held() : is_raising();
			teardown(state);
		}
	}
}

/* Doubt while a renewal is on its way: its answer settles it, no second call. */
static void doubt_joins_a_renewal(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	lease_doubt(&t.lease);
	assert_int_equal(t.lease.state, LEASE_DOUBTED);
	fake_ok(only(FAKE_LEASE));
	is_held();
}

/* The service forgot the lease: the same id again, if the number is still ours. */
static void forgotten_and_ours(void **state)
{
	struct az_call *call;

	(void)state;
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	call = only(FAKE_LEASE);
	assert_int_equal(call->action, AZ_LEASE_ACQUIRE);
	assert_string_equal(call->lease_id, "0123");
	assert_int_equal(t.lease.state, LEASE_FORGOTTEN);
	assert_int_equal(t.forgotten, 1); /* before it can be held again */
	/* The answer is lost: the same again. */
	fake_fail(call, AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	call = only(FAKE_LEASE);
	assert_int_equal(call->action, AZ_LEASE_ACQUIRE);
	fake_ok(call);
	assert_int_equal(t.lease.state, LEASE_REACQUIRED);
	fake_fail(only(FAKE_PROPS), AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(2 * RETRY_FIRST_MS + 1));
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	is_held();
	assert_int_equal(t.held, 1);
	assert_int_equal(t.forgotten, 3);
	/* From here on it is a renewal again. */
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	assert_int_equal(only(FAKE_LEASE)->action, AZ_LEASE_RENEW);
}

/* The periodic renewal finds it, not a write. */
static void forgotten_between_writes(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	assert_int_equal(t.lease.state, LEASE_FORGOTTEN); /* nothing is sent meanwhile */
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	is_held();
}

static void forgotten_and_taken(void **state)
{
	static const uint64_t found[] = { NUMBER + 1, NUMBER - 1, 0, UINT64_MAX };

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		working(state);
		lease_doubt(&t.lease);
		fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
		fake_ok(only(FAKE_LEASE));
		fake_ok_number(only(FAKE_PROPS), found[i]);
		is_lost("another machine");
	}
}

/* A raise of our own in doubt: N+1 may be ours or another's, so it is lost. */
static void forgotten_while_raising(void **state)
{
	working(state);
	lease_raise(&t.lease);
	fake_fail(only(FAKE_RAISE), AZ_NO_RESPONSE, 0, "");
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	is_lost("another machine"); /* nothing is acquired */
}

/* The other way round: no raise is sent, nor recorded for a helper that follows, as it
 * would look like another machine's. */
static void no_raise_while_acquiring(void **state)
{
	for (uint64_t found = NUMBER; found <= NUMBER + 1; found++) {
		unsigned int records;

		working(state);
		lease_doubt(&t.lease);
		fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
		records = t.records;
		lease_raise(&t.lease);
		fake_ok(only(FAKE_LEASE));
		lease_raise(&t.lease);
		fake_ok_number(only(FAKE_PROPS), found);
		assert_int_equal(t.records, records);
		if (found != NUMBER) {
			is_lost("another machine");
			continue;
		}
		assert_int_equal(t.lease.state, LEASE_HELD);
		lease_raise(&t.lease);
		fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	}
}

static void taken_or_broken(void **state)
{
	static const char *const codes[] = {
		"LeaseIdMismatchWithLeaseOperation",
		"LeaseIsBrokenAndCannotBeRenewed",
		"LeaseIsBreakingAndCannotBeAcquired",
		"LeaseAlreadyPresent",
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		working(state);
		lease_raise(&t.lease); /* ends with it */
		fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
		fake_fail(fake_find(FAKE_LEASE), AZ_CONFLICT, 409, codes[i]);
		is_lost("another client");
		assert_int_equal(t.held, 0);
	}
}

/* Forgotten, and somebody else was faster. */
static void taken_before_acquiring(void **state)
{
	(void)state;
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseAlreadyPresent");
	is_lost("another client");
}

static void deleted(void **state)
{
	(void)state;
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_NOT_FOUND, 404, "BlobNotFound");
	is_lost("deleted");

	working(state);
	lease_raise(&t.lease);
	fake_fail(only(FAKE_RAISE), AZ_NOT_FOUND, 404, "BlobNotFound");
	is_lost("deleted");

	working(state);
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	fake_ok(only(FAKE_LEASE));
	fake_fail(only(FAKE_PROPS), AZ_NOT_FOUND, 404, "BlobNotFound");
	is_lost("deleted");
}

/* --- the deadline ---------------------------------------------------------------- */

static void no_answer_no_deadline(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	fake_fail(only(FAKE_LEASE), AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(RETRY_MOST_MS));
	fake_fail(only(FAKE_LEASE), AZ_BUSY, 503, "ServerBusy");
	assert_int_equal(t.deadlines, 0);
	assert_true(lease_certain(&t.lease));
	fake_loop_run(LOOP_SEC(LEASE_S));
	assert_false(lease_certain(&t.lease));
	assert_int_equal(t.deadlines, 0);
}

/* Half a second before the service could give the lease away. */
static void certain_until_the_margin(void **state)
{
	(void)state;
	fake_loop_run(LOOP_MS(59499));
	assert_true(lease_certain(&t.lease));
	fake_loop_run(LOOP_MS(1));
	assert_false(lease_certain(&t.lease));
}

/* An acquired lease is not ours before the number has been compared. */
static void no_deadline_while_comparing(void **state)
{
	(void)state;
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.deadlines, 0);
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	assert_int_equal(t.deadlines, 1);
}

/* The answer took nearly as long as the lease: the next renewal is due already. */
static void a_slow_answer(void **state)
{
	uint64_t sent;

	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	sent = t.lease.sent_at;
	fake_loop_run(LOOP_SEC(50));
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.deadline, sent + LEASE_CERTAIN_NS);
	assert_true(lease_certain(&t.lease));
	fake_loop_run(2);
	assert_int_equal(only(FAKE_LEASE)->action, AZ_LEASE_RENEW);
	assert_true(t.lease.sent_at > sent + LOOP_SEC(50));
}

/* The timers stood still, the lease did not. */
static void suspended(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(10));
	fake_suspended += LOOP_SEC(3600);
	assert_false(lease_certain(&t.lease));
	assert_false(lease_may_send(&t.lease));
	assert_int_equal(fake_in_flight, 0);
	lease_hurry(&t.lease); /* the driver parks, which tells us */
	fake_ok(only(FAKE_LEASE));
	assert_true(lease_certain(&t.lease));
	assert_int_equal(t.deadline, boot_clock() + LEASE_CERTAIN_NS);
	assert_int_equal(t.held, 1);
}

/* Suspended while a renewal was on its way: what it extended is over already. */
static void suspended_in_a_renewal(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	fake_suspended += LOOP_SEC(3600);
	fake_ok(only(FAKE_LEASE));
	assert_false(lease_certain(&t.lease));
	assert_true(t.deadline < boot_clock());
	fake_loop_run(2); /* and the next is sent at once */
	fake_ok(only(FAKE_LEASE));
	assert_true(lease_certain(&t.lease));
	assert_true(t.deadline > boot_clock());
}

/* Its connection is dead, too, but that takes long to be noticed. */
static void suspended_and_no_answer(void **state)
{
	struct az_call *old;

	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	old = only(FAKE_LEASE);
	fake_loop_run(LOOP_SEC(10));
	lease_hurry(&t.lease);
	assert_ptr_equal(only(FAKE_LEASE), old); /* its answer may yet help */
	fake_suspended += LOOP_SEC(3600);
	lease_hurry(&t.lease);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(fake_started, 2);
	assert_int_equal(t.deadline, boot_clock() + LEASE_CERTAIN_NS);
}

/* Somebody else had it while we slept. */
static void suspended_and_taken(void **state)
{
	(void)state;
	fake_suspended += LOOP_SEC(3600);
	lease_hurry(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation");
	is_lost("another client");
	lease_hurry(&t.lease);
	nothing_goes_on();
}

/* --- no credential ---------------------------------------------------------------- */

static void silent_sends_nothing(void **state)
{
	struct az_error err;

	(void)state;
	lease_pause(&t.lease, true);
	fake_loop_run(LOOP_SEC(300));
	lease_raise(&t.lease);
	lease_doubt(&t.lease);
	lease_hurry(&t.lease);
	fake_loop_run(LOOP_SEC(300));
	assert_int_equal(fake_started, 0);
	assert_false(lease_release(&t.lease, 10, &err));
	assert_int_equal(fake_started, 0);
	assert_non_null(strstr(err.message, "expired"));
}

static void silence_ends(void **state)
{
	(void)state;
	lease_pause(&t.lease, true);
	lease_raise(&t.lease);
	fake_loop_run(LOOP_SEC(300));
	lease_pause(&t.lease, false);
	assert_int_equal(fake_in_flight, 2);
	assert_int_equal(fake_calls->kind, FAKE_LEASE); /* it comes first */
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	fake_ok(only(FAKE_LEASE));
	is_held();
	assert_true(lease_may_send(&t.lease));
	assert_true(t.held > 0);
	/* Renewals go on. */
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	only(FAKE_LEASE);
}

/* Refused on its way out, then silenced: what waited to be repeated waits. */
static void silenced_while_trying(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	lease_raise(&t.lease);
	lease_pause(&t.lease, true);
	fake_fail(fake_find(FAKE_LEASE), AZ_DENIED, 403, "AuthenticationFailed");
	fake_fail(fake_find(FAKE_RAISE), AZ_DENIED, 403, "AuthenticationFailed");
	fake_loop_run(LOOP_SEC(300));
	assert_int_equal(fake_in_flight, 0);
	lease_pause(&t.lease, false);
	assert_int_equal(fake_in_flight, 2);
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	fake_ok(only(FAKE_LEASE));
	is_held();
}

/* The number is not asked for without a credential, but afterwards. */
static void silenced_while_in_doubt(void **state)
{
	(void)state;
	lease_doubt_number(&t.lease);
	lease_pause(&t.lease, true);
	fake_ok(only(FAKE_LEASE));
	fake_loop_run(LOOP_SEC(300));
	assert_int_equal(fake_in_flight, 0);
	lease_pause(&t.lease, false);
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	is_held();
	assert_int_equal(t.held, 1);
}

/* A lease that is acquired anew is compared first: nothing is raised under it. */
static void silence_ends_while_reacquiring(void **state)
{
	(void)state;
	lease_doubt(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	lease_pause(&t.lease, true);
	lease_raise(&t.lease);
	fake_fail(only(FAKE_LEASE), AZ_DENIED, 403, "AuthenticationFailed");
	lease_pause(&t.lease, false);
	assert_int_equal(only(FAKE_LEASE)->action, AZ_LEASE_ACQUIRE);
}

/* Whether the service has executed it nobody knows: what may be there is given back. */
static void interrupted_and_released(struct az_result answer)
{
	struct az_props props;
	struct az_error err;

	t.interrupted = true;
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_string_equal(err.message, "interrupted");
	assert_int_equal(strlen(t.blob.lease_id), 36);
	script(FAKE_LEASE, answer);
	assert_true(lease_release(&t.lease, 10, &err));
	assert_int_equal(t.played, 1);
	nothing_goes_on();
}

static void acquire_interrupted(void **state)
{
	(void)state;
	interrupted_and_released(ok);
}

static void acquire_interrupted_in_time(void **state)
{
	(void)state;
	interrupted_and_released(fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKING(renewed_every_20_s),
		WORKING(renewal_fails_for_a_while),
		WORKING(denied_for_long),
		WORKING(renew_without_memory),
		WORKING(doubt_is_settled_by_renewal),
		TEST(acquire_interrupted),
		TEST(acquire_interrupted_in_time),
		TEST(a_doubtful_number),
		WORKING(compare_without_memory),
		WORKING(raised_while_it_is_read),
		WORKING(doubt_joins_a_renewal),
		WORKING(forgotten_and_ours),
		WORKING(forgotten_between_writes),
		TEST(forgotten_and_taken),
		TEST(forgotten_while_raising),
		TEST(no_raise_while_acquiring),
		TEST(taken_or_broken),
		WORKING(taken_before_acquiring),
		WORKING(deleted),
		WORKING(no_answer_no_deadline),
		WORKING(certain_until_the_margin),
		WORKING(no_deadline_while_comparing),
		WORKING(a_slow_answer),
		WORKING(suspended),
		WORKING(suspended_in_a_renewal),
		WORKING(suspended_and_no_answer),
		WORKING(suspended_and_taken),
		WORKING(silent_sends_nothing),
		WORKING(silence_ends),
		WORKING(silenced_while_trying),
		WORKING(silenced_while_in_doubt),
		WORKING(silence_ends_while_reacquiring),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
