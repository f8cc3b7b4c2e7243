// SPDX-License-Identifier: MIT
/* Waiting in a job (image/job.h): what ends it, and that no signal is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "image/job.h"

static struct job job;

static int set_up(void **state)
{
	(void)state;
	alarm(60); /* whatever hangs, the test ends */
	job = (struct job){ 0 };
	return loop_new(&job.loop) || job_start(&job);
}

static int tear_down(void **state)
{
	(void)state;
	job_end(&job);
	loop_free(job.loop);
	return 0;
}

static void a_pause_ends(void **state)
{
	(void)state;
	assert_int_equal(job_pause(&job, LOOP_MS(1)), 0);
	assert_int_equal(job.error.failure, JOB_OK);
}

static void a_signal_ends_a_pause(void **state)
{
	(void)state;
	raise(SIGTERM);
	assert_int_equal(job_pause(&job, LOOP_MS(50000)), -1);
	assert_int_equal(job.error.failure, JOB_INTERRUPTED);
	assert_int_equal(job.signal, SIGTERM);
}

/* The time is up in the very turn of the loop that the signal comes in. */
static void a_signal_with_the_end_is_not_lost(void **state)
{
	(void)state;
	raise(SIGINT);
	assert_int_equal(job_pause(&job, 0), -1);
	assert_int_equal(job.error.failure, JOB_INTERRUPTED);
	assert_int_equal(job.signal, SIGINT);
}

/* What undoes the work waits, too. */
static void the_next_wait_is_another(void **state)
{
	(void)state;
	raise(SIGHUP);
	assert_int_equal(job_pause(&job, 0), -1);
	assert_int_equal(job_pause(&job, LOOP_MS(1)), 0);
	assert_int_equal(job.error.failure, JOB_INTERRUPTED);
}

static struct az_result answers[4];
static int asked;

static void answer(void *arg)
{
	struct az_sync *sync = arg;

	az_sync_done(sync, &answers[asked++]);
}

/* Nobody else calls here: a timer is the service. */
static struct az_call *start_call(struct job *j, void *arg, struct az_sync *sync)
{
	struct loop_timer *timer = arg;

	loop_timer_init(timer, answer, sync);
	loop_timer_arm(j->loop, timer, 0);
	return (struct az_call *)timer;
}

static struct az_result refused(enum az_class class, const char *code)
{
	struct az_result res = { .err = { .class = class, .http = 409, .sent = true } };

	snprintf(res.err.code, sizeof(res.err.code), "%s", code);
	return res;
}

/* What was refused for what ends by itself was not done: it is asked for again, also by
 * who asks once; what may have been done is not. */
static void in_progress_is_waited_for(void **state)
{
	struct loop_timer timer;
	struct az_result res;

	(void)state;
	asked = 0;
	answers[0] = refused(AZ_CONFLICT, "ContainerBeingDeleted");
	answers[1] = refused(AZ_CONFLICT, "PendingCopyOperation");
	answers[2] = (struct az_result){ 0 };
	assert_int_equal(job_call_once(&job, start_call, &timer, &res), 0);
	assert_int_equal(asked, 3);
	asked = 0;
	assert_int_equal(job_call(&job, start_call, &timer, &res), 0);
	assert_int_equal(asked, 3);
	asked = 0;
	answers[0] = refused(AZ_BUSY, "ServerBusy");
	assert_int_equal(job_call_once(&job, start_call, &timer, &res), -1);
	assert_int_equal(asked, 1);
	assert_int_equal(job.error.failure, JOB_SERVICE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_pause_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_signal_ends_a_pause, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_signal_with_the_end_is_not_lost, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_next_wait_is_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_progress_is_waited_for, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
