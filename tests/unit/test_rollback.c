// SPDX-License-Identifier: MIT
/*
 * A blob that is older than what was acknowledged: what counts as that
 * (helper/drive/acknowledged.h), and where a lease looks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lease_fixture.h"

#define AT(second) "Sat, 28 Nov 2026 05:00:" #second " GMT"
#define AT_10 1795842010 /* of AT(10) */

static struct az_result version(const char *modified, const char *etag, uint64_t n)
{
	struct az_result res = number(n);

	snprintf(res.props.last_modified, sizeof(res.props.last_modified), "%s", modified);
	snprintf(res.props.etag, sizeof(res.props.etag), "%s", etag);
	return res;
}

/* --- what counts ------------------------------------------------------------------ */

static struct acknowledged a;

static void ends(const char *modified, const char *etag)
{
	const struct az_result res = version(modified, etag, 0);

	acknowledged_answered(&a, &res, false);
}

static void written(const char *modified, const char *etag)
{
	acknowledged_sent(&a);
	ends(modified, etag);
}

static bool before(const char *modified, const char *etag)
{
	const struct az_result res = version(modified, etag, 0);

	return acknowledged_before(&a, &a, &res.props);
}

static int nothing(void **state)
{
	(void)state;
	memset(&a, 0, sizeof(a));
	return 0;
}

static void older_is_before(void **state)
{
	(void)state;
	assert_false(before(AT(00), "\"0\"")); /* nothing is known yet */
	written(AT(10), "");
	assert_int_equal(a.modified, AT_10);
	assert_false(before(AT(10), ""));
	assert_false(before(AT(11), ""));
	assert_false(before("", ""));
	assert_false(before("yesterday", ""));
	assert_true(before(AT(04), ""));
	assert_true(before("Fri, 27 Nov 2026 05:00:10 GMT", ""));
}

/* Servers' clocks differ a little. */
static void a_second_is_no_time(void **state)
{
	(void)state;
	written(AT(10), "");
	assert_false(before(AT(09), ""));
	assert_false(before(AT(05), ""));
}

/* With an ETag nothing is left to guess. */
static void an_etag_tells(void **state)
{
	(void)state;
	written(AT(10), "\"1\"");
	assert_false(before(AT(10), "\"1\""));
	assert_false(before(AT(00), "\"1\"")); /* dated by another server */
	assert_true(before(AT(09), "\"0\""));
	assert_false(before(AT(10), "\"0\"")); /* a repetition that came late */
	assert_false(before(AT(11), "\"2\""));
}

/* Unless it need not be the last: several in flight, a loss, a doubt. */
static void an_etag_need_not_be_the_last(void **state)
{
	const struct az_result lost = fake_error(AZ_NO_RESPONSE, 0, "");
	const struct az_result res = version(AT(10), "\"1\"", 0);

	(void)state;
	acknowledged_sent(&a);
	acknowledged_sent(&a);
	ends(AT(10), "\"2\"");
	ends(AT(10), "\"1\"");
	assert_string_equal(a.etag, "");
	assert_false(before(AT(09), "\"2\""));
	acknowledged_sent(&a);
	acknowledged_answered(&a, &res, true);
	assert_string_equal(a.etag, "");
	written(AT(10), "\"3\"");
	assert_string_equal(a.etag, "\"3\"");
	acknowledged_sent(&a);
	assert_false(before(AT(09), "\"4\""));
	acknowledged_answered(&a, &lost, false);
	assert_false(before(AT(09), "\"4\""));
	acknowledged_sent(&a);
	acknowledged_answered(&a, NULL, true);
	written(AT(11), "\"5\"");
	assert_true(before(AT(10), "\"4\""));
}

/* The service's clock was ahead, and was set back: what it dates then is newer. */
static void the_last_counts(void **state)
{
	(void)state;
	written("Sat, 28 Nov 2026 06:00:00 GMT", "\"1\"");
	written(AT(10), "\"2\"");
	assert_false(before(AT(10), "\"2\""));
	acknowledged_sent(&a);
	assert_false(before(AT(10), "\"2\""));
}

/* What was acknowledged after the question was asked can't be in its answer. */
static void the_question_counts(void **state)
{
	const struct az_result answer = version(AT(10), "\"1\"", 0);
	struct acknowledged asked;

	(void)state;
	written(AT(10), "\"1\"");
	asked = a;
	written(AT(50), "\"2\"");
	assert_false(acknowledged_before(&asked, &a, &answer.props));
	assert_true(acknowledged_before(&a, &a, &answer.props));
}

/* --- where a lease looks ------------------------------------------------------------ */

static void wrote(const char *modified)
{
	const struct az_result res = version(modified, "", 0);

	lease_write_sent(&t.lease);
	lease_write_answered(&t.lease, &res, false);
}

/* The helper that follows must know, but not of every write. */
static void is_recorded(void **state)
{
	(void)state;
	wrote(AT(10));
	assert_int_equal(t.records, 1);
	wrote(AT(10));
	assert_int_equal(t.records, 1);
	wrote(AT(11));
	assert_int_equal(t.records, 2);
	assert_int_equal(t.number, NUMBER);
	lease_stop(&t.lease);
}

/* A lease that is rolled back with the blob can be renewed. */
static void noticed_by_a_renewal(void **state)
{
	const struct az_result now = version(AT(10), "", 0), then = version(AT(01), "", 0);

	(void)state;
	wrote(AT(10));
	lease_hurry(&t.lease);
	fake_answer(only(FAKE_LEASE), &now);
	is_held();
	lease_hurry(&t.lease);
	fake_answer(only(FAKE_LEASE), &then);
	is_lost("the blob was rolled back to an earlier state (it was modified last at Sat, 28 "
		"Nov 2026 05:00:01 GMT, and a write at 2026-11-28T05:00:10Z); writes");
	assert_int_equal(t.held, 1);
}

static void noticed_in_a_comparison(void **state)
{
	const struct az_result now = version(AT(10), "", NUMBER),
			       then = version(AT(01), "", NUMBER);

	for (int old = 0; old < 2; old++) {
		for (int forgotten = 0; forgotten < 2; forgotten++) {
			working(state);
			wrote(AT(10));
			if (forgotten) {
				lease_doubt(&t.lease);
				fake_fail(only(FAKE_LEASE), AZ_CONFLICT, 409,
					  "LeaseNotPresentWithLeaseOperation");
			} else {
				lease_doubt_number(&t.lease);
			}
			fake_ok(only(FAKE_LEASE));
			fake_answer(only(FAKE_PROPS), old ? &then : &now);
			if (old) {
				is_lost("rolled back");
			} else {
				is_held();
			}
			teardown(state);
		}
	}
}

static void noticed_by_the_number(void **state)
{
	(void)state;
	lease_doubt_number(&t.lease);
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER - 1);
	is_lost("rolled back to an earlier state, or another machine has made it anew (its "
		"sequence number is 40, and was 41)");
}

/* A raise dates the blob, too. */
static void a_raise_counts(void **state)
{
	const struct az_result raised = version(AT(10), "\"1\"", NUMBER + 1);
	const struct az_result then = version(AT(01), "\"0\"", 0);

	(void)state;
	lease_raise(&t.lease);
	fake_answer(only(FAKE_RAISE), &raised);
	is_held();
	lease_hurry(&t.lease);
	fake_answer(only(FAKE_LEASE), &then);
	is_lost("rolled back");
}

static int resume(char *why, size_t len)
{
	struct az_props props;
	struct az_error err;

	strcpy(t.blob.lease_id, "0123");
	return lease_resume(&t.lease, 11, 0, &props, &err, why, len);
}

static void noticed_by_the_next_helper(void **state)
{
	char why[400];

	(void)state;
	t.lease.sequence.acknowledged.modified = AT_10;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, version(AT(04), "\"0\"", 11));
	assert_int_equal(resume(why, sizeof(why)), -1);
	assert_non_null(strstr(why, "rolled back"));
	assert_int_equal(t.records, 0); /* nothing was raised */
}

static void the_next_helper_goes_on(void **state)
{
	char why[400];

	(void)state;
	t.lease.sequence.acknowledged.modified = AT_10;
	script(FAKE_LEASE, ok);
	script(FAKE_PROPS, version(AT(09), "\"0\"", 11));
	script(FAKE_RAISE, version(AT(20), "\"1\"", 12));
	assert_int_equal(resume(why, sizeof(why)), 0);
	assert_int_equal(t.lease.sequence.acknowledged.modified, AT_10 + 10);
}

#define COUNTS(fn) cmocka_unit_test_setup(fn, nothing)

int main(void)
{
	const struct CMUnitTest tests[] = {
		COUNTS(older_is_before),
		COUNTS(a_second_is_no_time),
		COUNTS(an_etag_tells),
		COUNTS(an_etag_need_not_be_the_last),
		COUNTS(the_last_counts),
		COUNTS(the_question_counts),
		WORKING(is_recorded),
		WORKING(noticed_by_a_renewal),
		cmocka_unit_test(noticed_in_a_comparison),
		WORKING(noticed_by_the_number),
		WORKING(a_raise_counts),
		TEST(noticed_by_the_next_helper),
		TEST(the_next_helper_goes_on),
	};

	return cmocka_run_group_tests_name("rollback", tests, NULL, NULL);
}
