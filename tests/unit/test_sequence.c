// SPDX-License-Identifier: MIT
/* Raising the sequence number after a lost answer: "The sequence number" in design.rst. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lease_fixture.h"

/* --- the sequence number ------------------------------------------------------ */

static void a_lost_answer_raises(void **state)
{
	struct az_call *call;

	(void)state;
	lease_raise(&t.lease);
	is_raising();
	assert_int_equal(t.number, NUMBER);
	assert_int_equal(t.raising_to, NUMBER + 1);
	call = only(FAKE_RAISE);
	assert_int_equal(call->number, NUMBER + 1);
	assert_string_equal(call->lease_id, "0123");
	assert_int_equal(t.held, 0);
	fake_ok_number(call, NUMBER + 1);
	assert_int_equal(t.held, 1);
	assert_int_equal(t.lease.sequence.number, NUMBER + 1);
	assert_int_equal(t.number, NUMBER + 1);
	assert_int_equal(t.raising_to, 0);
}

/* However often it is asked for meanwhile, it is one raise. */
static void one_raise_for_many(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		lease_raise(&t.lease);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	is_held();
	assert_int_equal(fake_started, 1);
	lease_raise(&t.lease);
	assert_int_equal(only(FAKE_RAISE)->number, NUMBER + 2);
}

static void a_lost_raise_is_repeated(void **state)
{
	(void)state;
	lease_raise(&t.lease);
	for (int i = 0; i < 5; i++) {
		struct az_call *call = fake_find(FAKE_RAISE);

		assert_int_equal(call->number, NUMBER + 1);
		fake_fail(call, AZ_NO_RESPONSE, 0, "");
		assert_null(fake_find(FAKE_RAISE));
		is_raising();
		/* Another doubt adds nothing. */
		lease_raise(&t.lease);
		assert_null(fake_find(FAKE_RAISE));
		fake_loop_run(LOOP_MS(RETRY_MOST_MS + 1));
	}
	assert_int_equal(t.held, 0);
	assert_int_equal(t.troubles, 5);
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	is_held();
	assert_int_equal(t.held, 1);
}

static void a_larger_number_is_lost(void **state)
{
	struct az_error err;

	(void)state;
	lease_raise(&t.lease);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 2);
	is_lost("another machine");
	assert_int_equal(t.held, 0);
	/* And it stays so. */
	lease_raise(&t.lease);
	lease_doubt(&t.lease);
	assert_true(lease_release(&t.lease, 10, &err));
	nothing_goes_on();
	assert_int_equal(t.lost, 1);
}

static void raise_without_memory(void **state)
{
	(void)state;
	fake_no_memory = true;
	lease_raise(&t.lease);
	is_raising();
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
	lease_raise(&t.lease);
	fake_fail(only(FAKE_RAISE), AZ_PRECONDITION, 412, "LeaseLost");
	assert_int_equal(t.lease.state, LEASE_DOUBTED);
	fake_ok(only(FAKE_LEASE));
	is_raising();
	assert_int_equal(t.held, 0);
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	is_held();
	assert_int_equal(t.held, 1);
}

/* Raised while the lease is in doubt: it is the lease that is waited for. */
static void raised_in_doubt(void **state)
{
	(void)state;
	lease_raise(&t.lease);
	lease_doubt(&t.lease);
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.lease.state, LEASE_DOUBTED);
	assert_int_equal(t.held, 0);
	fake_ok(only(FAKE_LEASE));
	is_held();
	assert_int_equal(t.held, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORKING(a_lost_answer_raises),	   WORKING(one_raise_for_many),
		WORKING(a_lost_raise_is_repeated), WORKING(a_larger_number_is_lost),
		WORKING(raise_without_memory),	   WORKING(a_raise_without_the_lease),
		WORKING(raised_in_doubt),
	};

	return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
