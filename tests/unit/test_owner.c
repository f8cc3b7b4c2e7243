// SPDX-License-Identifier: MIT
/* Taking, resuming and giving back a drive, and the sequence number: rule 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "owner_fixture.h"

/* --- beginning ---------------------------------------------------------------- */

static void acquires_and_raises(void **state)
{
	struct az_props props = { 0 };
	struct az_error err = { 0 };

	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	assert_int_equal(owner_acquire(&t.owner, false, &props, &err), 0);
	assert_int_equal(t.played, 3);
	assert_int_equal(strlen(t.blob.lease_id), 36);
	assert_int_equal(props.sequence_number, 7);
	assert_int_equal(owner_sequence(&t.owner), 8);
	assert_int_equal(t.owner.state, OWNER_HELD);
	assert_int_equal(t.owner.lease_until, owner_clock() + OWNER_CERTAIN_NS);
	assert_int_equal(t.number, 8);
	assert_int_equal(t.raising_to, 0);
	assert_int_equal(t.records, 2);
	owner_start(&t.owner);
	owner_stop(&t.owner);
	nothing_goes_on();
}

/* No lease: nothing more is tried, and there is nothing to release. */
static void leased_elsewhere(void **state)
{
	struct az_props props;
	struct az_error err;

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	assert_int_equal(owner_acquire(&t.owner, false, &props, &err), -1);
	assert_string_equal(err.code, "LeaseAlreadyPresent");
	assert_string_equal(t.blob.lease_id, "");
	assert_true(owner_release(&t.owner, 10, &err));
	assert_int_equal(fake_started, 1);
}

/* The lease is there and has to be released when what follows fails. */
static void acquired_half_way(void **state)
{
	struct az_props props;
	struct az_error err;

	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(9));
	assert_int_equal(owner_acquire(&t.owner, false, &props, &err), -1);
	assert_int_equal(err.class, AZ_CORRUPT);
	script(FAKE_LEASE, ok);
	assert_true(owner_release(&t.owner, 10, &err));
	assert_int_equal(t.played, 4);
	nothing_goes_on();
}

static void acquire_without_memory(void **state)
{
	struct az_props props;
	struct az_error err;

	(void)state;
	fake_no_memory = true;
	assert_int_equal(owner_acquire(&t.owner, false, &props, &err), -1);
	assert_int_equal(err.class, AZ_LOCAL);
	assert_string_equal(t.blob.lease_id, "");
}

/* --- going on for a helper that died ---------------------------------------- */

static int resume(uint64_t mine, uint64_t raising_to, char *why)
{
	struct az_props props;
	struct az_error err;

	strcpy(t.blob.lease_id, "0123");
	why[0] = '\0';
	return owner_resume(&t.owner, mine, raising_to, &props, &err, why, 128);
}

/* A renewal proves that the blob is as it was left; strays die of the raise. */
static void resumes_by_renewal(void **state)
{
	char why[128];

	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(12));
	script(FAKE_RAISE, number(13));
	assert_int_equal(resume(11, 12, why), 0);
	assert_int_equal(owner_sequence(&t.owner), 13);
	assert_string_equal(t.blob.lease_id, "0123");
}

static void resumes_by_acquiring(void **state)
{
	char why[128];

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(11));
	script(FAKE_RAISE, number(12));
	assert_int_equal(resume(11, 0, why), 0);
	assert_int_equal(owner_sequence(&t.owner), 12);
	assert_string_equal(t.blob.lease_id, "0123");
}

static void resume_finds_another(void **state)
{
	static const struct {
		uint64_t raising_to, found;
	} cases[] = { { 0, 12 }, { 0, 10 }, { 12, 11 }, { 12, 12 } };
	char why[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		script(FAKE_LEASE,
		       fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
		script(FAKE_LEASE, ok);
		script(FAKE_PROPS, number(cases[i].found));
		assert_int_equal(resume(11, cases[i].raising_to, why), -1);
		assert_non_null(strstr(why, "another machine"));
		assert_int_equal(t.records, 0); /* nothing was raised */
	}
	setup(state);
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation"));
	assert_int_equal(resume(11, 0, why), -1);
	assert_int_equal(t.played, 1);
}

/* --- the sequence number ------------------------------------------------------ */

static void a_lost_answer_raises(void **state)
{
	struct az_call *call;

	(void)state;
	owner_doubt_write(&t.owner, NUMBER);
	assert_int_equal(t.owner.state, OWNER_RAISING);
	assert_int_equal(t.number, NUMBER);
	assert_int_equal(t.raising_to, NUMBER + 1);
	call = only(FAKE_RAISE);
	assert_int_equal(call->number, NUMBER + 1);
	assert_string_equal(call->lease_id, "0123");
	assert_int_equal(t.held, 0);
	fake_ok_number(call, NUMBER + 1);
	assert_int_equal(t.held, 1);
	assert_int_equal(owner_sequence(&t.owner), NUMBER + 1);
	assert_int_equal(t.number, NUMBER + 1);
	assert_int_equal(t.raising_to, 0);
}

/* However many answers are lost of one number, one raise kills all strays. */
static void one_raise_for_many(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		owner_doubt_write(&t.owner, NUMBER);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	owner_doubt_write(&t.owner, NUMBER);
	assert_int_equal(t.owner.state, OWNER_HELD);
	assert_int_equal(fake_started, 1);
	owner_doubt_write(&t.owner, NUMBER + 1);
	assert_int_equal(only(FAKE_RAISE)->number, NUMBER + 2);
}

static void a_lost_raise_is_repeated(void **state)
{
	(void)state;
	owner_doubt_write(&t.owner, NUMBER);
	for (int i = 0; i < 5; i++) {
		struct az_call *call = fake_find(FAKE_RAISE);

		assert_int_equal(call->number, NUMBER + 1);
		fake_fail(call, AZ_NO_ANSWER, 0, "");
		assert_null(fake_find(FAKE_RAISE));
		assert_int_equal(t.owner.state, OWNER_RAISING);
		/* Another doubt adds nothing. */
		owner_doubt_write(&t.owner, NUMBER);
		assert_null(fake_find(FAKE_RAISE));
		fake_loop_run(LOOP_MS(RETRY_MOST_MS + 1));
	}
	assert_int_equal(t.held, 0);
	assert_int_equal(t.troubles, 5);
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.owner.state, OWNER_HELD);
	assert_int_equal(t.held, 1);
}

static void a_larger_number_is_lost(void **state)
{
	struct az_error err;

	(void)state;
	owner_doubt_write(&t.owner, NUMBER);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 2);
	is_lost("another machine");
	assert_int_equal(t.held, 0);
	/* And it stays so. */
	owner_doubt_write(&t.owner, NUMBER);
	owner_doubt_lease(&t.owner);
	assert_true(owner_release(&t.owner, 10, &err));
	nothing_goes_on();
	assert_int_equal(t.lost, 1);
}

static void raise_without_memory(void **state)
{
	(void)state;
	fake_no_memory = true;
	owner_doubt_write(&t.owner, NUMBER);
	assert_int_equal(t.owner.state, OWNER_RAISING);
	assert_int_equal(t.trouble.class, AZ_LOCAL);
	fake_no_memory = false;
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.held, 1);
}

/* The service knows no such lease any more: ask about that, then raise again. */
static void a_raise_without_the_lease(void **state)
{
	(void)state;
	owner_doubt_write(&t.owner, NUMBER);
	fake_fail(only(FAKE_RAISE), AZ_PRECONDITION, 412, "LeaseLost");
	assert_int_equal(t.owner.state, OWNER_DOUBTFUL);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.owner.state, OWNER_RAISING);
	assert_int_equal(t.held, 0);
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.owner.state, OWNER_HELD);
	assert_int_equal(t.held, 1);
}

/* Raised while the lease is in doubt: it is the lease that is waited for. */
static void raised_in_doubt(void **state)
{
	(void)state;
	owner_doubt_lease(&t.owner);
	owner_doubt_write(&t.owner, NUMBER);
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.owner.state, OWNER_DOUBTFUL);
	assert_int_equal(t.held, 0);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.owner.state, OWNER_HELD);
	assert_int_equal(t.held, 1);
}

/* --- the end ------------------------------------------------------------------ */

static void release_ends_everything(void **state)
{
	struct az_error err;

	(void)state;
	owner_doubt_write(&t.owner, NUMBER);
	fake_loop_run(LOOP_SEC(OWNER_RENEW_S) + 2);
	script(FAKE_LEASE, ok);
	assert_int_equal(fake_in_flight, 2); /* a raise and a renewal */
	assert_true(owner_release(&t.owner, 10, &err));
	assert_int_equal(t.played, 1);
	nothing_goes_on();
}

/* A service that does not answer does not keep an unmount from ending. */
static void release_gives_up(void **state)
{
	uint64_t now = fake_now;
	struct az_error err;

	(void)state;
	assert_false(owner_release(&t.owner, 10, &err));
	assert_int_equal(fake_now / LOOP_SEC(1), now / LOOP_SEC(1) + 10);
	assert_string_equal(err.message, "gave up waiting");
	nothing_goes_on();
}

static void release_is_refused(void **state)
{
	struct az_error err;

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_DENIED, 403, "AuthenticationFailed"));
	assert_false(owner_release(&t.owner, 10, &err));
	assert_string_equal(err.code, "AuthenticationFailed");
	nothing_goes_on();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acquires_and_raises),
		TEST(leased_elsewhere),
		TEST(acquired_half_way),
		TEST(acquire_without_memory),
		TEST(resumes_by_renewal),
		TEST(resumes_by_acquiring),
		TEST(resume_finds_another),
		WORKING(a_lost_answer_raises),
		WORKING(one_raise_for_many),
		WORKING(a_lost_raise_is_repeated),
		WORKING(a_larger_number_is_lost),
		WORKING(raise_without_memory),
		WORKING(a_raise_without_the_lease),
		WORKING(raised_in_doubt),
		WORKING(release_ends_everything),
		WORKING(release_gives_up),
		WORKING(release_is_refused),
	};

	return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
