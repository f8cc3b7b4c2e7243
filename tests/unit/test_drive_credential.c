// SPDX-License-Identifier: MIT
/*
 * A drive's credential, from end to end: a SAS that is over, one that is refused, and the
 * service's clock (helper/drive/drive.c), between a driver and a service that the test plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "drive_fixture.h"

/* --- the SAS ------------------------------------------------------------------------------------- */

static void new_sas(const char *sas)
{
	json_t *m = json_pack("{s:s}", "sas", sas);

	assert_int_equal(runtime_send(t.agent, m), 0);
	json_decref(m);
	t.drive.channel.socket.fn(t.drive.channel.socket.arg, 0);
}

static void parks_without_a_sas(void **state)
{
	struct retry r = { 0 };

	(void)state;
	mounted();
	for (int i = 0; i < 39; i++) { /* 780 s */
		fake_loop_run(LOOP_SEC(20) + 2);
		serve();
		was_told(1, DEADLINE);
	}
	fake_loop_run(LOOP_SEC(21));
	assert_int_equal(t.told[t.n - 1], PARK_PATIENTLY);
	state_is(CDRIVE_STATE_PARKED);
	t.n = 0;
	while (fake_calls) /* sent in time, and too late */
		fake_fail(fake_calls, AZ_DENIED, 403, "AuthenticationFailed");
	a_call_fails(&r, AZ_DENIED);
	assert_non_null(strstr(drive_parked_because(&t.drive), "the SAS expired at 2027-01-15T"));
	fake_loop_run(LOOP_SEC(600));
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.n, 0);

	new_sas(LATER);
	assert_string_equal(t.drive.cred.sas, LATER);
	assert_int_equal(fake_calls->kind, FAKE_LEASE);
	serve();
	was_told(2, RESUME, DEADLINE);
	assert_true(t.until > boot_clock());
}

static struct az_result clock_refusal(void)
{
	struct az_result res = fake_error(AZ_DENIED, 403, "AuthenticationFailed");

	res.err.hint = AZ_HINT_CLOCK;
	return res;
}

/* This machine's clock is ahead, so the SAS has not begun; the agent makes another. */
static void opens_by_the_services_clock(void **state)
{
	(void)state;
	t.ahead = -600;
	t.refused = clock_refusal();
	t.corrected = "sp=rw&se=2027-01-15T08:20:00Z&sig=c2VjcmV0";
	mounted();
	assert_string_equal(t.drive.cred.sas, t.corrected);
	fake_loop_run(LOOP_SEC(1));
	assert_int_equal(agent_hears(), 0); /* it knows */
}

static void adopts_by_the_services_clock(void **state)
{
	(void)state;
	remember();
	t.ahead = 600;
	t.refused = clock_refusal();
	t.corrected = LATER;
	assert_null(open_drive(3));
	was_told(1, ADOPT);
}

/* The agent does not answer, or it was not the clock. */
static void does_not_open_all_the_same(void **state)
{
	uint64_t begun;

	(void)state;
	t.ahead = -600;
	t.refused = clock_refusal();
	begun = loop_now();
	is_error(open_drive(-1), 4, "clock");
	assert_true(loop_now() - begun < LOOP_SEC(15));
	assert_int_equal(agent_hears(), -600);
	close_drive();
	teardown(state);
	setup(state);
	t.refused = fake_error(AZ_DENIED, 403, "AuthenticationFailed");
	begun = loop_now();
	is_error(open_drive(-1), 4, "AuthenticationFailed");
	assert_true(loop_now() - begun < LOOP_SEC(1));
}

/* It changes while the drive is there: one of the two clocks was set. */
static void goes_on_by_the_services_clock(void **state)
{
	(void)state;
	mounted();
	t.ahead = 7200; /* the SAS is over by it */
	t.refused = clock_refusal();
	t.corrected = "sp=rw&se=2027-01-15T10:40:00Z&sig=c2VjcmV0";
	fake_loop_run(LOOP_SEC(11));
	state_is(CDRIVE_STATE_PARKED);
	was_told(1, PARK_PATIENTLY);
	assert_int_equal(agent_hears(), 7200);
	serve();
	assert_int_equal(t.told[0], RESUME);
	assert_string_equal(t.drive.cred.sas, t.corrected);
	/* And a jump of ours alone is none. */
	t.n = 0;
	fake_wall += 7200;
	t.ahead = 0;
	fake_loop_run(LOOP_SEC(11));
	serve();
	for (unsigned int i = 0; i < t.n; i++)
		assert_int_equal(t.told[i], DEADLINE);
	t.n = 0;
}

/* Refused before its time (a policy was changed, the key regenerated). */
static void a_new_sas_is_tried_at_once(void **state)
{
	(void)state;
	mounted();
	t.renewal = fake_error(AZ_DENIED, 403, "AuthenticationFailed");
	fake_loop_run(LOOP_SEC(21));
	serve();
	assert_int_equal(fake_in_flight, 0);
	t.renewal = (struct az_result){ 0 };
	t.n = 0;
	new_sas(LATER);
	serve();
	was_told(1, DEADLINE);
}

/* --- what it is parked for ------------------------------------------------------------------- */

/* No limit counts while the credential is refused, whatever else goes wrong. */
static void parks_for_a_credential(void **state)
{
	struct retry first = { .stuck = true }, second = { .stuck = true };

	(void)state;
	mounted();
	a_call_fails(&first, AZ_NO_RESPONSE);
	was_told(1, PARK);
	a_call_fails(&second, AZ_DENIED);
	was_told(1, PARK_PATIENTLY);
	a_call_fails(&first, AZ_NO_RESPONSE);
	a_call_fails(&first, AZ_DENIED); /* the same call, for another reason */
	was_told(0);
	drive_trouble(&t.drive, &second, "", NULL);
	was_told(0);
	a_call_fails(&first, AZ_NO_RESPONSE); /* it is taken, and then the service goes */
	was_told(1, PARK);
	a_call_fails(&first, AZ_DENIED);
	was_told(1, PARK_PATIENTLY);
	drive_trouble(&t.drive, &first, "", NULL);
	was_told(1, RESUME);
}

static void says_what_the_credential_needs(void **state)
{
	struct az_error refused = {
		.class = AZ_DENIED, .http = 403, .code = "AuthenticationFailed", .hint = AZ_HINT_SAS
	};
	struct retry r = { .stuck = true }, other = { 0 };

	(void)state;
	mounted();
	drive_trouble(&t.drive, &r, "write", &refused);
	assert_non_null(strstr(fake_logged, "waits for a credential, and no park limit counts"));
	state_is(CDRIVE_STATE_PARKED);
	assert_non_null(strstr(drive_parked_because(&t.drive),
			       "can't write: 403 AuthenticationFailed; if the account's key was "
			       "changed, end the drive's agent"));
	/* What else goes wrong does not hide it. */
	a_call_fails(&other, AZ_NO_RESPONSE);
	assert_non_null(strstr(drive_parked_because(&t.drive), "the drive's agent"));
	refused.hint = AZ_HINT_CLOCK;
	drive_trouble(&t.drive, &r, "write", &refused);
	assert_non_null(strstr(drive_parked_because(&t.drive), "clock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parks_without_a_sas),	     TEST(opens_by_the_services_clock),
		TEST(adopts_by_the_services_clock),  TEST(does_not_open_all_the_same),
		TEST(goes_on_by_the_services_clock), TEST(a_new_sas_is_tried_at_once),
		TEST(parks_for_a_credential),	     TEST(says_what_the_credential_needs),
	};

	return cmocka_run_group_tests_name("drive's credential", tests, NULL, NULL);
}
