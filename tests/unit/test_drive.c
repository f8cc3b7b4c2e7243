// SPDX-License-Identifier: MIT
/*
 * A drive from end to end (helper/drive/open.c, drive.c) between a driver and a
 * service that the test plays: what is told to the driver, and when; and what becomes
 * of a drive that is adopted.
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

/* --- beginning ---------------------------------------------------------------------------- */

static void mounts(void **state)
{
	(void)state;
	mounted();
	assert_int_equal(t.until, boot_clock() + LEASE_CERTAIN_NS);
	says_fenced(NULL);
	/* Every renewal is told. */
	fake_loop_run(LOOP_SEC(21));
	serve();
	was_told(1, DEADLINE);
	assert_int_equal(t.until, t.drive.lease.until);
	assert_true(t.until > boot_clock() + LOOP_SEC(58));
}

/* What is read on the way may take half as long as a lease. */
static void renews_while_it_opens(void **state)
{
	(void)state;
	t.footer_takes = LOOP_SEC(25);
	mounted();
	assert_true(t.until > boot_clock() + LOOP_SEC(50));
}

/* The list of page ranges keeps nobody waiting: until it is there all may hold data. */
static void mounts_without_a_list(void **state)
{
	uint64_t offset = SIZE / 2, len = 4096;

	(void)state;
	t.listing_hangs = true;
	mounted();
	fake_loop_run(LOOP_SEC(5));
	serve();
	assert_true(pagemap_narrow(t.drive.store.map, &offset, &len));
	pagemap_set(t.drive.store.sent, SIZE / 4, 4096); /* something is written meanwhile */
	fake_loop_run(LOOP_SEC(40)); /* it was given up, and is asked for again */
	serve();
	assert_int_equal(t.drive.state, CDRIVE_STATE_LIVE);
	t.listing_hangs = false;
	fake_loop_run(LOOP_SEC(10));
	serve();
	assert_false(t.drive.mapfill.filling);
	assert_false(pagemap_narrow(t.drive.store.map, &offset, &len));
	offset = 0, len = SIZE;
	assert_true(pagemap_narrow(t.drive.store.map, &offset, &len));
	assert_int_equal(offset, 0);
	assert_int_equal(len, SIZE / 4 + 4096);
}

/* And meanwhile somebody may take it by force. */
static void lost_while_it_opens(void **state)
{
	(void)state;
	t.footer_takes = LOOP_SEC(25);
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation");
	is_error(open_drive(-1), 5, "took or broke");
	was_told(0);
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
}

static void leased_elsewhere(void **state)
{
	(void)state;
	t.lease = fake_error(AZ_CONFLICT, 409, "LeaseAlreadyPresent");
	is_error(open_drive(-1), 5,
		 "disk: leased by another client (409 LeaseAlreadyPresent); use");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
}

/* What a copy has not brought yet, or never will, must not be taken for the disk. */
static void is_the_destination_of_a_copy(void **state)
{
	(void)state;
	snprintf(t.props.props.copy_status, sizeof(t.props.props.copy_status), "pending");
	t.props.props.copy_done = 1 << 20;
	t.props.props.copy_total = SIZE;
	is_error(open_drive(-1), 6, "a copy to it is under way (1048576 of 67108864 bytes)");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
}

static void is_a_copy_that_failed(void **state)
{
	static const char *const statuses[] = { "failed", "aborted" };

	for (size_t i = 0; i < 2; i++) {
		setup(state);
		snprintf(t.props.props.copy_status, sizeof(t.props.props.copy_status), "%s",
			 statuses[i]);
		snprintf(t.props.props.copy_why, sizeof(t.props.props.copy_why),
			 "500 InternalError \"gone\"");
		t.props.props.size = 0; /* as the service leaves it */
		is_error(open_drive(-1), 8, "delete it, then copy again");
		was_told(0);
		teardown(state);
	}
}

/* It may have begun after the blob was looked at, and before it was leased. */
static void becomes_the_destination_of_a_copy(void **state)
{
	(void)state;
	t.copy_begins = true;
	is_error(open_drive(-1), 6, "a copy to it is under way");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 1);
}

static void is_a_copy_that_ended(void **state)
{
	(void)state;
	snprintf(t.props.props.copy_status, sizeof(t.props.props.copy_status), "success");
	mounted();
}

/* --- adopting -------------------------------------------------------------------------------- */

static void adopts(void **state)
{
	(void)state;
	remember();
	assert_null(open_drive(3));
	was_told(1, ADOPT);
	assert_int_equal(t.until, t.drive.lease.until);
	assert_int_equal(t.drive.lease.sequence.number, 8);
	says_fenced(NULL);
	keeps(8);
}

/* Whoever looks must find a device that fails, not one that waits. */
static void adopts_what_is_lost(void **state)
{
	static const struct {
		enum az_class class;
		long http;
		const char *code, *why;
	} cases[] = {
		{ AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation", "took or broke" },
		{ AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed", "took or broke" },
		{ AZ_NOT_FOUND, 404, "BlobNotFound", "deleted" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setup(state);
		remember();
		t.renewal = fake_error(cases[i].class, cases[i].http, cases[i].code);
		assert_null(open_drive(3));
		was_told(2, ADOPT, FENCE);
		assert_int_equal(t.until, 0);
		says_fenced(cases[i].why);
		/* What was in flight comes first, and is for nobody. */
		t.ops->request(t.arg, &(struct cdrive_descriptor){ .sectors = 8 });
		state_is(CDRIVE_STATE_FENCED);
		fake_loop_run(LOOP_SEC(100));
		assert_int_equal(fake_in_flight, 0);
		assert_int_equal(t.drive.queue.in_flight, 0);
		was_told(0);
		assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
		teardown(state);
		assert_int_equal(t.releases, 0);
	}
}

/* The service forgot the lease, and the number is another's. */
static void adopts_anothers(void **state)
{
	(void)state;
	remember();
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseNotPresentWithLeaseOperation");
	t.props.props.sequence_number = 8;
	assert_null(open_drive(3));
	was_told(2, ADOPT, FENCE);
	says_fenced("another machine");
}

/* What the helper before had been told is in the blob is not. */
static void adopts_what_was_rolled_back(void **state)
{
	(void)state;
	t.acknowledged = 1795842010; /* 2026-11-28T05:00:10Z */
	remember();
	snprintf(t.props.props.last_modified, sizeof(t.props.props.last_modified),
		 "Sat, 28 Nov 2026 04:50:00 GMT");
	assert_null(open_drive(3));
	was_told(2, ADOPT, FENCE);
	says_fenced("rolled back to an earlier state");
}

/* And what this one is told, the next one knows. */
static void keeps_what_is_acknowledged(void **state)
{
	struct az_result res = { 0 };

	(void)state;
	mounted();
	snprintf(res.props.last_modified, sizeof(res.props.last_modified),
		 "Sat, 28 Nov 2026 05:00:10 GMT");
	t.ops->request(t.arg, &(struct cdrive_descriptor){ .sectors = 8, .op = CDRIVE_OP_WRITE });
	fake_answer(fake_find(FAKE_PUT), &res);
	assert_int_equal(notes_modified(&t.memory), 1795842010);
	assert_int_equal(t.memory.sequence_number, 8);
}

/* What may heal is for the agent to try again: nothing has changed. */
static void adopts_later(void **state)
{
	(void)state;
	remember();
	t.renewal = fake_error(AZ_UNREACHABLE, 0, "");
	is_error(open_drive(3), 7, "can't resume the lease");
	close_drive();
	was_told(0);
	assert_int_equal(t.releases, 0);
	assert_int_equal(t.memory.sequence_number, 7);
	assert_string_equal(t.memory.lease_id, LEASE);
}

static void is_fenced_already(void **state)
{
	(void)state;
	remember();
	t.adopt_answer = -ENOLINK;
	is_error(open_drive(3), 1, "fenced");
}

static void knows_nothing(void **state)
{
	(void)state;
	is_error(open_drive(3), 1, "before it had told the driver");
	assert_int_equal(fake_started, 0);
}

/* The device's number may have been given away. */
static void is_another_blobs(void **state)
{
	(void)state;
	remember();
	strcpy(t.name, DEVNAME "2");
	is_error(open_drive(3), 1, "another blob");
	assert_int_equal(fake_started, 0);
}

/* Nothing may be raised under a helper that lives. */
static void has_a_helper(void **state)
{
	(void)state;
	remember();
	t.remember_answer = -EPERM;
	is_error(open_drive(3), 6, "has a helper");
	assert_int_equal(fake_started, 0);
}

/* --- /run/clouddrive ---------------------------------------------------------------------------- */

static void without_directory(void)
{
	assert_int_equal(rmdir(t.dir), 0);
}

static void adopts_without_directory(void **state)
{
	(void)state;
	remember();
	without_directory();
	assert_null(open_drive(3));
	was_told(1, ADOPT);
	says_fenced(NULL);
	keeps(8);
}

/* Files can be made in a full directory, but nothing can be written to them. */
static void fill_directory(bool full)
{
	struct rlimit limit;

	signal(SIGXFSZ, full ? SIG_IGN : SIG_DFL);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = full ? 0 : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void works_with_a_full_directory(void **state)
{
	(void)state;
	fill_directory(true);
	mounted();
	keeps(8);
	assert_null(runtime_load(3));
	lease_raise(&t.drive.lease);
	fake_loop_run(LOOP_SEC(1));
	serve();
	keeps(9);
	fill_directory(false);
}

static void adopts_with_a_full_directory(void **state)
{
	(void)state;
	remember();
	fill_directory(true);
	assert_null(open_drive(3));
	fill_directory(false);
	was_told(1, ADOPT);
	says_fenced(NULL);
	keeps(8);
}

/* --- parking ----------------------------------------------------------------------------------- */

/* The driver is told of our reasons, once each way, whatever state it tells. */
static void parks_for_trouble(void **state)
{
	struct retry first = { .stuck = true }, second = { .stuck = true };

	(void)state;
	mounted();
	a_call_fails(&first, AZ_NO_RESPONSE);
	a_call_fails(&first, AZ_NO_RESPONSE);
	a_call_fails(&second, AZ_NO_RESPONSE);
	was_told(1, PARK);
	drive_trouble(&t.drive, &first, "", NULL);
	was_told(0);
	/* Over before the state has come. */
	drive_trouble(&t.drive, &second, "", NULL);
	was_told(1, RESUME);
	state_is(CDRIVE_STATE_PARKED);
	state_is(CDRIVE_STATE_LIVE);
	was_told(0);
	assert_int_equal(t.drive.state, CDRIVE_STATE_LIVE);
}

static void says_why(void **state)
{
	struct retry r = { .stuck = true };

	(void)state;
	mounted();
	assert_null(drive_parked_because(&t.drive));
	a_call_fails(&r, AZ_NO_RESPONSE);
	state_is(CDRIVE_STATE_PARKED);
	assert_non_null(strstr(drive_parked_because(&t.drive), "can't write: no answer"));
	drive_trouble(&t.drive, &r, "", NULL);
	state_is(CDRIVE_STATE_LIVE);
	assert_null(drive_parked_because(&t.drive));
}

/* Parked by the deadline: to ask for the opposite would be no use, to renew is. */
static void parks_for_the_deadline(void **state)
{
	(void)state;
	mounted();
	fake_suspended += LOOP_SEC(3600);
	state_is(CDRIVE_STATE_PARKED);
	was_told(0);
	assert_non_null(strstr(drive_parked_because(&t.drive), "lease"));
	assert_int_equal(fake_in_flight, 1);
	serve();
	was_told(1, DEADLINE);
	assert_true(t.until > boot_clock());
	state_is(CDRIVE_STATE_LIVE);
	was_told(0);
}

static void lost(void **state)
{
	(void)state;
	mounted();
	t.renewal = fake_error(AZ_CONFLICT, 409, "LeaseIsBrokenAndCannotBeRenewed");
	fake_loop_run(LOOP_SEC(21));
	serve();
	was_told(1, FENCE);
	assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
	assert_non_null(strstr(t.drive.last_error, "took or broke"));
	state_is(CDRIVE_STATE_LIVE); /* an old one, still on its way */
	assert_int_equal(t.drive.state, CDRIVE_STATE_FENCED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mounts),
		TEST(renews_while_it_opens),
		TEST(mounts_without_a_list),
		TEST(lost_while_it_opens),
		TEST(leased_elsewhere),
		TEST(is_the_destination_of_a_copy),
		cmocka_unit_test(is_a_copy_that_failed),
		TEST(becomes_the_destination_of_a_copy),
		TEST(is_a_copy_that_ended),
		TEST(adopts),
		cmocka_unit_test(adopts_what_is_lost),
		TEST(adopts_anothers),
		TEST(adopts_what_was_rolled_back),
		TEST(keeps_what_is_acknowledged),
		TEST(adopts_later),
		TEST(is_fenced_already),
		TEST(knows_nothing),
		TEST(is_another_blobs),
		TEST(has_a_helper),
		TEST(adopts_without_directory),
		TEST(works_with_a_full_directory),
		TEST(adopts_with_a_full_directory),
		TEST(parks_for_trouble),
		TEST(says_why),
		TEST(parks_for_the_deadline),
		TEST(lost),
	};

	return cmocka_run_group_tests_name("drive", tests, NULL, NULL);
}
