// SPDX-License-Identifier: MIT
/* Taking a drive whose blob may be as it was left: the raise that proves it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lease_fixture.h"

/* The ETags that raises named, in order. */
static char matched[4][64];
static unsigned int n_matched;

static void note_raise(const struct az_call *call)
{
	if (call->kind == FAKE_RAISE)
		memcpy(matched[n_matched++], call->if_match, sizeof(call->if_match));
	else
		assert_string_equal(call->if_match, "");
}

static int left_with(void **state)
{
	setup(state);
	t.lease.etag = "\"0x8D1\"";
	t.answering = note_raise;
	n_matched = 0;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(7));
	return 0;
}

/* The raise says what it would do unasked; whether it is as it was is in the lease. */
static void acquires(bool unchanged)
{
	struct az_props props = { 0 };
	struct az_error err = { 0 };

	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), 0);
	assert_int_equal(t.played, t.scripted);
	assert_int_equal(t.lease.sequence.number, 8);
	assert_int_equal(t.number, 8);
	assert_int_equal(t.raising_to, 0);
	assert_null(t.blob.if_match);
	assert_string_equal(matched[0], "\"0x8D1\"");
	assert_int_equal(t.lease.unchanged, unchanged);
	is_held();
	nothing_goes_on();
}

static void as_it_was_left(void **state)
{
	(void)state;
	script(FAKE_RAISE, number(8));
	acquires(true);
	assert_int_equal(n_matched, 1);
}

static void written_to_since(void **state)
{
	(void)state;
	script(FAKE_RAISE, fake_error(AZ_PRECONDITION, 412, "ConditionNotMet"));
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	acquires(false);
	assert_int_equal(n_matched, 2);
	assert_string_equal(matched[1], "");
}

/* It was carried out, and asked for again: its own ETag is in its way then. */
static void answer_of_the_raise_is_lost(void **state)
{
	(void)state;
	script(FAKE_RAISE, fake_error(AZ_BUSY, 500, "InternalError"));
	script(FAKE_RAISE, fake_error(AZ_PRECONDITION, 412, "ConditionNotMet"));
	script(FAKE_PROPS, number(8));
	script(FAKE_RAISE, number(8));
	acquires(true);
	assert_string_equal(matched[1], "\"0x8D1\"");
	assert_string_equal(matched[2], "");
}

/* The same, but it was not carried out before somebody had written. */
static void busy_and_written_to(void **state)
{
	(void)state;
	script(FAKE_RAISE, fake_error(AZ_BUSY, 503, "ServerBusy"));
	script(FAKE_RAISE, fake_error(AZ_PRECONDITION, 412, "ConditionNotMet"));
	script(FAKE_PROPS, number(7));
	script(FAKE_RAISE, number(8));
	acquires(false);
}

/* What is no answer to the question is an error, and warms nothing. */
static void nobody_can_say(void **state)
{
	static const char *const codes[] = { "LeaseIdMismatchWithBlobOperation", "LeaseLost" };
	struct az_props props;
	struct az_error err;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		left_with(state);
		script(FAKE_RAISE, fake_error(AZ_PRECONDITION, 412, codes[i]));
		assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
		assert_string_equal(err.code, codes[i]);
		assert_false(t.lease.unchanged);
		assert_null(t.blob.if_match);
	}
	left_with(state);
	script(FAKE_RAISE, fake_error(AZ_PRECONDITION, 412, "ConditionNotMet"));
	script(FAKE_PROPS, fake_error(AZ_UNREACHABLE, 0, ""));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_int_equal(err.class, AZ_UNREACHABLE);
	assert_false(t.lease.unchanged);

	/* The number is not even the one that was asked for. */
	left_with(state);
	script(FAKE_RAISE, number(9));
	assert_int_equal(lease_acquire(&t.lease, false, &props, &err), -1);
	assert_false(t.lease.unchanged);
}

/* Who may have written while the lease was not ours nobody can say: told to who follows. */
static void is_interrupted(void **state)
{
	char why[128];

	(void)state;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(11));
	script(FAKE_RAISE, number(12));
	strcpy(t.blob.lease_id, "0123");
	assert_int_equal(lease_resume(&t.lease, 11, 0, &(struct az_props){ 0 },
				      &(struct az_error){ 0 }, why, sizeof(why)),
			 0);
	assert_false(t.lease.interrupted);

	setup(state);
	script(FAKE_LEASE, fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation"));
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, number(11));
	script(FAKE_RAISE, number(12));
	strcpy(t.blob.lease_id, "0123");
	assert_int_equal(lease_resume(&t.lease, 11, 0, &(struct az_props){ 0 },
				      &(struct az_error){ 0 }, why, sizeof(why)),
			 0);
	assert_true(t.lease.interrupted);
}

#define LEFT(fn) cmocka_unit_test_setup_teardown(fn, left_with, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LEFT(as_it_was_left),
		LEFT(written_to_since),
		LEFT(answer_of_the_raise_is_lost),
		LEFT(busy_and_written_to),
		TEST(nobody_can_say),
		TEST(is_interrupted),
	};

	return cmocka_run_group_tests_name("unchanged", tests, NULL, NULL);
}
