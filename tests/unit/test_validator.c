// SPDX-License-Identifier: MIT
/* What is cached of a drive: how it is attached to it, and what is told before it is detached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drive_fixture.h"

#include "drive/validator.h"

#define ETAG "\"0x8D1\""

/* --- mounting -------------------------------------------------------------------------- */

static json_t *open_with(json_int_t size, const char *kept)
{
	return open_as(json_pack("{s:s, s:s, s:I, s:s*}", "url", URL, "sas", SAS, "cache", size,
				 "cache_validator", kept));
}

static void shares_the_rest(void **state)
{
	(void)state;
	mounted();
	assert_int_equal(t.cache_size, -1);
	assert_string_equal(t.validator, "");
	assert_string_equal(t.drive.cache_start, "nothing of it was kept");
}

static void begins_warm(void **state)
{
	(void)state;
	assert_null(open_with(1 << 20, ETAG));
	was_told(1, ATTACH);
	assert_int_equal(t.cache_size, 1 << 20);
	assert_string_equal(t.validator, ETAG);
	assert_string_equal(t.drive.cache_start, "warm");
}

static void begins_cold(void **state)
{
	(void)state;
	t.raise = fake_error(AZ_PRECONDITION, 412, "ConditionNotMet");
	assert_null(open_with(0, ETAG));
	was_told(1, ATTACH);
	assert_int_equal(t.cache_size, 0);
	assert_string_equal(t.validator, "");
	assert_non_null(strstr(t.drive.cache_start, "has changed"));
	keeps(8);
}

/* What the drive has is the driver's, and stays it. */
static void adopted_as_it_is(void **state)
{
	(void)state;
	remember();
	assert_null(open_as(json_pack("{s:s, s:s, s:i, s:I, s:s}", "url", URL, "sas", SAS, "adopt",
				      3, "cache", (json_int_t)5, "cache_validator", ETAG)));
	was_told(1, ADOPT);
	assert_int_equal(t.validators, 0);
	assert_null(t.drive.cache_start);
}

static void too_much_is_reserved(void **state)
{
	(void)state;
	t.attach_answer = -ENOSPC;
	t.drives = 3;
	is_error(open_with(1ll << 40, NULL), EXIT_FAILED, "--cache: less than that is left");
	/* The lease was given back. */
	close_drive();
	assert_int_equal(t.releases, 1);
}

static void too_many_drives(void **state)
{
	(void)state;
	t.attach_answer = -ENOSPC;
	t.drives = CDRIVE_MAX_DRIVES;
	is_error(open_with(1 << 20, NULL), EXIT_FAILED, "all 16 drives");
}

/* --- unmounting ------------------------------------------------------------------------- */

static struct validator v;
static unsigned int n_done;

static void done(void *arg)
{
	assert_ptr_equal(arg, &v);
	n_done++;
}

static void tell(void)
{
	n_done = 0;
	validator_tell(&v, done, &v);
}

static void unmounting(void)
{
	mounted();
	serve(); /* the list of page ranges */
	t.validators = 0;
	snprintf(t.props.props.etag, sizeof(t.props.props.etag), "%s", ETAG);
	validator_init(&v, &t.drive);
}

static void is_told(void **state)
{
	(void)state;
	unmounting();
	tell();
	assert_int_equal(n_done, 0);
	assert_int_equal(fake_find(FAKE_PROPS)->client, t.drive.client);
	assert_string_equal(fake_find(FAKE_PROPS)->lease_id, t.drive.blob.lease_id);
	serve();
	assert_int_equal(n_done, 1);
	assert_string_equal(t.validator, ETAG);

	/* It could not be detached, and nothing was written since. */
	tell();
	assert_int_equal(n_done, 1);
	assert_null(fake_calls);

	/* Something was. */
	t.drive.queue.counters.discards++;
	snprintf(t.props.props.etag, sizeof(t.props.props.etag), "\"0x8D2\"");
	tell();
	assert_string_equal(t.validator, "");
	serve();
	assert_int_equal(n_done, 1);
	assert_string_equal(t.validator, "\"0x8D2\"");
}

/* What is asked for must not be older than what is cached. */
static void a_write_comes_meanwhile(void **state)
{
	(void)state;
	unmounting();
	tell();
	t.drive.queue.counters.writes++;
	serve();
	assert_int_equal(n_done, 1);
	assert_string_equal(t.validator, "");
}

/* It knows it in the driver only. */
static void a_write_is_in_flight(void **state)
{
	(void)state;
	unmounting();
	tell();
	t.validator_answer = -EBUSY;
	serve();
	assert_int_equal(n_done, 1);
	assert_false(v.told);
	assert_string_equal(t.validator, "");
}

static void nothing_is_cached(void **state)
{
	(void)state;
	unmounting();
	t.validator_answer = -ENODEV;
	tell();
	assert_int_equal(n_done, 1);
	assert_null(fake_calls);
}

static void a_dead_service(void **state)
{
	uint64_t began;

	(void)state;
	unmounting();
	tell();
	began = fake_now;
	while (!n_done)
		assert_true(fake_loop_next());
	assert_true(fake_now - began <= LOOP_MS(VALIDATOR_MS) + 1);
	assert_null(fake_find(FAKE_PROPS));
	assert_string_equal(t.validator, "");
}

static void a_service_that_refuses(void **state)
{
	(void)state;
	unmounting();
	t.props = fake_error(AZ_BUSY, 503, "ServerBusy");
	tell();
	serve();
	assert_int_equal(n_done, 1);
	assert_string_equal(t.validator, "");
}

/* A snapshot never changes: the service is not asked again. */
static void of_a_snapshot(void **state)
{
	struct link_cache cache;

	(void)state;
	unmounting();
	t.drive.url.snapshot = strdup("2026-01-01T00:00:00.0000000Z");
	lease_not_needed(&t.drive.lease);
	snprintf(t.drive.etag, sizeof(t.drive.etag), "%s", ETAG);
	tell();
	assert_int_equal(n_done, 1);
	assert_null(fake_find(FAKE_PROPS));
	assert_string_equal(t.validator, ETAG);

	/* And when it is mounted again. */
	snprintf(t.drive.kept, sizeof(t.drive.kept), "%s", ETAG);
	cache = validator_proven(&t.drive);
	assert_string_equal(cache.validator, ETAG);
	snprintf(t.drive.kept, sizeof(t.drive.kept), "\"of another\"");
	cache = validator_proven(&t.drive);
	assert_null(cache.validator);
}

/* Where it would prove nothing. */
static void proves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		if (i)
			setup(state);
		unmounting();
		switch (i) {
		case 0:
			state_is(CDRIVE_STATE_PARKED);
			break;
		case 1:
			t.drive.lease.interrupted = true;
			break;
		case 2:
			t.drive.store.doubts.n = 1;
			break;
		case 3:
			t.drive.lease.sequence.state = SEQUENCE_RAISING;
			break;
		case 4:
			drive_lost(&t.drive, "another has it");
			break;
		}
		tell();
		assert_int_equal(n_done, 1);
		assert_int_equal(t.validators, 0);
		assert_null(fake_find(FAKE_PROPS));
		t.drive.store.doubts.n = 0;
		if (i < 4)
			teardown(state);
	}
}

/* A helper that follows one whose lease was forgotten for a while knows of it. */
static void interrupted_before(void **state)
{
	(void)state;
	t.interrupted = true;
	remember();
	assert_null(open_drive(3));
	validator_init(&v, &t.drive);
	tell();
	assert_int_equal(n_done, 1);
	assert_int_equal(t.validators, 0);
	assert_true(notes_interrupted(&t.memory));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shares_the_rest),
		TEST(begins_warm),
		TEST(begins_cold),
		TEST(adopted_as_it_is),
		TEST(too_much_is_reserved),
		TEST(too_many_drives),
		TEST(is_told),
		TEST(a_write_comes_meanwhile),
		TEST(a_write_is_in_flight),
		TEST(nothing_is_cached),
		TEST(a_dead_service),
		TEST(a_service_that_refuses),
		TEST(of_a_snapshot),
		TEST(proves_nothing),
		TEST(interrupted_before),
	};

	return cmocka_run_group_tests_name("validator", tests, NULL, NULL);
}
