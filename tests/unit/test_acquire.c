// SPDX-License-Identifier: MIT
/* Taking, resuming and giving back a drive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lease_fixture.h"

/* --- beginning ---------------------------------------------------------------- */

static void acquires_and_raises(void **state)
{
	struct az_props props = { 0 };
	struct az_error err = { 0 };

	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), 0);
	assert_int_equal(t.played, 3);
	assert_int_equal(strlen(t.blob.lease_id), 36);
	assert_int_equal(props.sequence_number, 7);
	assert_int_equal(t.lease.sequence.number, 8);
	is_held();
	assert_int_equal(t.lease.until, boot_clock() + LEASE_CERTAIN_NS);
	assert_int_equal(t.number, 8);
	assert_int_equal(t.raising_to, 0);
	assert_int_equal(t.records, 2);
	lease_start(&t.lease);
	lease_stop(&t.lease);
	nothing_goes_on();
}

/* No lease: nothing more is tried, and there is nothing to release. */
static void leased_elsewhere(void **state)
{
	struct az_props props;
	struct az_error err;

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_string_equal(err.code, "LeaseAlreadyPresent");
	assert_string_equal(t.blob.lease_id, "");
	assert_true(lease_release(&t.lease, 10, &err));
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
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_int_equal(err.class, AZ_CORRUPT);
	script(FAKE_LEASE, ok);
	assert_true(lease_release(&t.lease, 10, &err));
	assert_int_equal(t.played, 4);
	nothing_goes_on();
}

static void acquire_without_memory(void **state)
{
	struct az_props props;
	struct az_error err;

	(void)state;
	fake_no_memory = true;
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_int_equal(err.class, AZ_LOCAL);
	assert_string_equal(t.blob.lease_id, "");
}

/* --- by force ------------------------------------------------------------------- */

static const char *acquire_by_force(int expected)
{
	static struct az_error err;
	struct az_props props;

	assert_int_equal(lease_acquire(&t.lease, true, &props, &err), expected);
	return err.code;
}

/* Which leases were asked for, in order. */
static enum az_lease_action asked[8];
static unsigned int n_asked;

static void note_lease(const struct az_call *call)
{
	if (call->kind != FAKE_LEASE)
		return;
	asked[n_asked++] = call->action;
	/* The id that acquiring proposes is the same each time, and a fresh one. */
	assert_int_equal(strlen(call->lease_id), 36);
}

static int by_force(void **state)
{
	setup(state);
	n_asked = 0;
	t.answering = note_lease;
	return 0;
}

static void force_breaks_and_acquires(void **state)
{
	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	script(FAKE_LEASE, ok);
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	acquire_by_force(0);
	assert_int_equal(t.played, 5);
	assert_int_equal(n_asked, 3);
	assert_int_equal(asked[1], AZ_LEASE_BREAK);
	assert_int_equal(asked[2], AZ_LEASE_ACQUIRE);
	assert_int_equal(t.lease.sequence.number, 8);
	/* A break makes nothing ours. */
	assert_int_equal(t.deadlines, 1);
}

static void force_breaks_nothing_that_is_free(void **state)
{
	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	acquire_by_force(0);
	assert_int_equal(n_asked, 1);
}

/* It was broken for us, and somebody else acquired it: theirs is not broken. */
static void force_and_somebody_faster(void **state)
{
	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	script(FAKE_LEASE, ok);
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	assert_string_equal(acquire_by_force(-1), "LeaseAlreadyPresent");
	assert_int_equal(n_asked, 3);
	assert_string_equal(t.blob.lease_id, "");
	nothing_goes_on();
}

/* The other released it between our two calls. */
static void force_and_already_free(void **state)
{
	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	acquire_by_force(0);
	assert_int_equal(t.played, 5);
}

static void force_is_refused(void **state)
{
	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	script(FAKE_LEASE, fake_error(AZ_DENIED, 403, "AuthorizationPermissionMismatch"));
	assert_string_equal(acquire_by_force(-1), "AuthorizationPermissionMismatch");
	assert_int_equal(n_asked, 2);
	assert_string_equal(t.blob.lease_id, "");
}

/* Other refusals are not what force is for. */
static void force_is_for_leases(void **state)
{
	static const char *const codes[] = { "BlobArchived", "InvalidBlobType",
					     "LeaseIsBreakingAndCannotBeAcquired" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		by_force(state);
		script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, codes[i]));
		assert_string_equal(acquire_by_force(-1), codes[i]);
		assert_int_equal(n_asked, 1);
	}
}

/* --- a service that is busy -------------------------------------------------------- */

static void busy_is_waited_out(void **state)
{
	uint64_t began = fake_now;
	struct az_result busy = fake_error(AZ_BUSY, 503, "ServerBusy");
	struct az_props props;
	struct az_error err;

	(void)state;
	busy.err.retry_after = 3;
	script(FAKE_LEASE, busy);
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, busy);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, fake_error(AZ_BUSY, 500, "InternalError"));
	script(FAKE_RAISE, number(8));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), 0);
	assert_int_equal(t.played, 6);
	assert_true(fake_now - began >= LOOP_SEC(6));
	assert_true(fake_now - began < LOOP_SEC(8));
	/* Counted from the request that succeeded, not from the first. */
	assert_int_equal(t.lease.until, began + LOOP_SEC(3) + 1 + LEASE_CERTAIN_NS);
	nothing_goes_on();
}

/* A portal's page, a copy that is pending. */
static void what_passes_is_waited_out(void **state)
{
	struct az_result portal = fake_error(AZ_CORRUPT, 302, "");
	struct az_props props;
	struct az_error err;

	(void)state;
	portal.err.hint = AZ_HINT_NOT_BLOB_SERVICE;
	script(FAKE_LEASE, portal);
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "PendingCopyOperation"));
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, portal);
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, portal);
	script(FAKE_RAISE, number(8));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), 0);
	assert_int_equal(t.played, 7);
	nothing_goes_on();
}

static void busy_for_too_long(void **state)
{
	uint64_t began = fake_now;
	struct az_result busy = fake_error(AZ_BUSY, 503, "ServerBusy");
	struct az_props props;
	struct az_error err;

	(void)state;
	busy.err.retry_after = 4;
	for (int i = 0; i < 3; i++)
		script(FAKE_LEASE, busy);
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_string_equal(err.code, "ServerBusy");
	assert_int_equal(t.played, 3);
	assert_int_equal((fake_now - began) / LOOP_SEC(1), 8);

	/* One that asks for more time than is waited in all is not waited for. */
	setup(state);
	busy.err.retry_after = 11;
	script(FAKE_LEASE, busy);
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_int_equal(t.played, 1);
	nothing_goes_on();
}

/* Nor anything but "busy". */
static void unreachable_is_told_at_once(void **state)
{
	static const enum az_class classes[] = { AZ_UNREACHABLE, AZ_NO_RESPONSE, AZ_UNTRUSTED,
						 AZ_CORRUPT, AZ_DENIED };
	struct az_props props;
	struct az_error err;

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		setup(state);
		script(FAKE_LEASE, fake_error(classes[i], 0, ""));
		assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
		assert_int_equal(fake_started, 1);
	}
}

/* --- going on for a helper that died ---------------------------------------- */

static int resume(uint64_t mine, uint64_t raising_to, char *why)
{
	struct az_props props;
	struct az_error err;

	strcpy(t.blob.lease_id, "0123");
	why[0] = '\0';
	return lease_resume(&t.lease, mine, raising_to, &props, &err, why, 128);
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
	assert_int_equal(t.lease.sequence.number, 13);
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
	assert_int_equal(t.lease.sequence.number, 12);
	assert_int_equal(t.forgotten, 1);
	assert_string_equal(t.blob.lease_id, "0123");
}

static void resume_finds_another(void **state)
{
	static const struct {
		uint64_t raising_to, found;
		bool renewed; /* a helper before this one acquired, and died */
	} cases[] = { { 0, 12, false }, { 0, 10, false }, { 0, 12, true },
		      { 0, 10, true },	{ 12, 10, true }, { 12, 13, true } };
	char why[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		if (!cases[i].renewed)
			script(FAKE_LEASE,
			       fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
		script(FAKE_LEASE, ok);
		script(FAKE_PROPS, number(cases[i].found));
		assert_int_equal(resume(11, cases[i].raising_to, why), -1);
		assert_non_null(strstr(why, "another machine"));
		assert_int_equal(t.records, 0); /* nothing was raised */
	}
}

/* A lease is not even acquired where the number could not tell any more. */
static void resume_cannot_know(void **state)
{
	char why[128];

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
	assert_int_equal(resume(11, 12, why), -1);
	assert_non_null(strstr(why, "nobody can say"));
	assert_int_equal(fake_started, 1);
}

/* What is certain is told from what may heal: the device is fenced, or tried again. */
static void resume_fails(void **state)
{
	static const struct {
		enum az_class class;
		long http;
		const char *code, *why;
	} cases[] = {
		{ AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation", "took or broke" },
		{ AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed", "took or broke" },
		{ AZ_NOT_FOUND, 404, "BlobNotFound", "deleted" },
		{ AZ_UNREACHABLE, 0, "", "" },
		{ AZ_NO_RESPONSE, 0, "", "" },
		{ AZ_DENIED, 403, "AuthenticationFailed", "" },
		{ AZ_CORRUPT, 200, "", "" },
	};
	char why[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int step = 0; step < 3; step++) {
			bool certain;

			setup(state);
			if (step)
				script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409,
							      "LeaseNotPresentWithLeaseOperation"));
			if (step == 2)
				script(FAKE_LEASE, ok);
			script(step == 2 ? FAKE_PROPS : FAKE_LEASE,
			       fake_error(cases[i].class, cases[i].http, cases[i].code));
			assert_int_equal(resume(11, 0, why), -1);
			/* A lease error of a read says nothing of whose it is. */
			certain = step < 2 || cases[i].class == AZ_NOT_FOUND;
			assert_int_equal(t.played, t.scripted);
			if (*cases[i].why && certain)
				assert_non_null(strstr(why, cases[i].why));
			else
				assert_string_equal(why, "");
		}
	}
}

/* Forgotten, and somebody else was faster. */
static void resume_comes_second(void **state)
{
	char why[128];

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent"));
	assert_int_equal(resume(11, 0, why), -1);
	assert_non_null(strstr(why, "took or broke"));
}

/* --- the end ------------------------------------------------------------------ */

static void release_ends_everything(void **state)
{
	struct az_error err;

	(void)state;
	lease_raise(&t.lease);
	fake_loop_run(LOOP_SEC(LEASE_RENEW_S) + 2);
	script(FAKE_LEASE, ok);
	assert_int_equal(fake_in_flight, 2); /* a raise and a renewal */
	assert_true(lease_release(&t.lease, 10, &err));
	assert_int_equal(t.played, 1);
	nothing_goes_on();
}

/* A service that does not answer does not keep an unmount from ending. */
static void release_gives_up(void **state)
{
	uint64_t now = fake_now;
	struct az_error err;

	(void)state;
	assert_false(lease_release(&t.lease, 10, &err));
	assert_int_equal(fake_now / LOOP_SEC(1), now / LOOP_SEC(1) + 10);
	assert_string_equal(err.message, "gave up waiting");
	nothing_goes_on();
}

static void release_is_refused(void **state)
{
	struct az_error err;

	(void)state;
	script(FAKE_LEASE, fake_error(AZ_DENIED, 403, "AuthenticationFailed"));
	assert_false(lease_release(&t.lease, 10, &err));
	assert_string_equal(err.code, "AuthenticationFailed");
	nothing_goes_on();
}

#define BY_FORCE(fn) cmocka_unit_test_setup_teardown(fn, by_force, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(acquires_and_raises),
		TEST(leased_elsewhere),
		TEST(acquired_half_way),
		TEST(acquire_without_memory),
		BY_FORCE(force_breaks_and_acquires),
		BY_FORCE(force_breaks_nothing_that_is_free),
		BY_FORCE(force_and_somebody_faster),
		BY_FORCE(force_and_already_free),
		BY_FORCE(force_is_refused),
		BY_FORCE(force_is_for_leases),
		TEST(busy_is_waited_out),
		TEST(what_passes_is_waited_out),
		TEST(busy_for_too_long),
		TEST(unreachable_is_told_at_once),
		TEST(resumes_by_renewal),
		TEST(resumes_by_acquiring),
		TEST(resume_finds_another),
		TEST(resume_cannot_know),
		TEST(resume_fails),
		TEST(resume_comes_second),
		WORKING(release_ends_everything),
		WORKING(release_gives_up),
		WORKING(release_is_refused),
	};

	return cmocka_run_group_tests_name("acquire", tests, NULL, NULL);
}
