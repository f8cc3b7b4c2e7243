// SPDX-License-Identifier: MIT
/* A drive whose park limit has passed (helper/drive/expiry.c), and how it goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive_fixture.h"

static void write_something(uint32_t tag)
{
	t.ops->request(t.arg, &(struct cdrive_descriptor){
				      .sectors = 8, .op = CDRIVE_OP_WRITE, .tag = tag });
}

/* What was sent may land yet: the number is raised, and only then the driver is told. */
static void goes_on_past_the_limit(void **state)
{
	(void)state;
	mounted();
	write_something(1);
	assert_int_equal(fake_in_flight, 1);
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	assert_int_equal(t.drive.queue.in_flight, 0);
	assert_int_equal(t.drive.queue.counters.failed_writes, 1);
	assert_int_equal(fake_in_flight, 1);
	assert_int_equal(fake_calls->kind, FAKE_RAISE);
	assert_int_equal(t.memory.raising_to, 9);
	was_told(0);
	state_is(CDRIVE_STATE_FAILING);
	serve();
	was_told(1, GO_ON);
	keeps(9);
	state_is(CDRIVE_STATE_LIVE);
	assert_null(drive_parked_because(&t.drive));
	write_something(2);
	assert_int_equal(fake_calls->number, 9);
	serve();
	was_told(0);
}

/* It is asked for until it succeeds, and says why it can't. */
static void waits_past_the_limit(void **state)
{
	(void)state;
	mounted();
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	for (int i = 0; i < 200 && !t.n; i++) {
		fake_fail(fake_calls, AZ_NO_RESPONSE, 0, "");
		while (!fake_calls)
			assert_true(fake_loop_next());
	}
	was_told(1, PARK);
	assert_non_null(strstr(drive_parked_because(&t.drive), "raise the sequence number"));
	/* The renewals failed, too. */
	while (t.told[t.n ? t.n - 1 : 0] != GO_ON) {
		serve();
		assert_true(t.told[t.n - 1] == GO_ON || fake_loop_next());
	}
	keeps(9);
}

/* What was being raised as the limit passed may be in doubt since before. */
static void is_raising_at_the_limit(void **state)
{
	(void)state;
	mounted();
	lease_raise(&t.drive.lease);
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	serve();
	was_told(1, GO_ON);
	keeps(9);
}

static void is_lost_past_the_limit(void **state)
{
	(void)state;
	mounted();
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	drive_lost(&t.drive, "somebody else has it");
	was_told(1, FENCE);
	fake_loop_run(LOOP_SEC(100));
	assert_int_equal(fake_in_flight, 0);
	was_told(0);
}

/* A snapshot has no number; its properties are asked for instead. */
static void a_snapshot_goes_on(void **state)
{
	(void)state;
	mounted();
	lease_stop(&t.drive.lease);
	t.drive.lease.state = LEASE_UNNEEDED;
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	assert_non_null(fake_find(FAKE_PROPS));
	fake_fail(fake_find(FAKE_PROPS), AZ_NO_RESPONSE, 0, "");
	was_told(0);
	while (!fake_find(FAKE_PROPS))
		assert_true(fake_loop_next());
	serve();
	was_told(1, GO_ON);
	state_is(CDRIVE_STATE_LIVE);
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_FAILING);
	t.props = fake_error(AZ_NOT_FOUND, 404, "BlobNotFound");
	serve();
	was_told(1, FENCE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_on_past_the_limit),  TEST(waits_past_the_limit),
		TEST(is_raising_at_the_limit), TEST(is_lost_past_the_limit),
		TEST(a_snapshot_goes_on),
	};

	return cmocka_run_group_tests_name("expiry", tests, NULL, NULL);
}
