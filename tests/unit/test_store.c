// SPDX-License-Identifier: MIT
/*
 * The page-blob backend, request by request: which calls it makes, when, with
 * which sequence number, and what it does about each way they can end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* --- reads ---------------------------------------------------------------- */

static void unwritten_costs_nothing(void **state)
{
	(void)state;
	request(3, CDRIVE_OP_READ, 64 * KIB, 128 * KIB);
	finished(3, 0);
	all_bytes(3, 0, 128 * KIB, 0);
	all_bytes(3, 128 * KIB, LONGEST, 0x77);
	assert_int_equal(fake_started, 0);
}

/* Past the lease somebody else may have written, and a service that is not
 * asked can't say so: nothing is answered, nothing is sent. */
static void nothing_past_the_lease(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 768 * KIB, 4 * KIB);
	fake_loop_run(LOOP_SEC(LEASE_S + 1));
	request(3, CDRIVE_OP_READ, 64 * KIB, 128 * KIB);
	request(4, CDRIVE_OP_DISCARD, 256 * KIB, 64 * KIB);
	request(5, CDRIVE_OP_READ, 768 * KIB, 4 * KIB);
	request(6, CDRIVE_OP_WRITE, 512 * KIB, 4 * KIB);
	assert_int_equal(t.completed, 0);
	assert_int_equal(fake_started, 0);
	t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
	on_held(&t);
	finished(3, 0);
	finished(4, 0);
	all_bytes(3, 0, 128 * KIB, 0);
	assert_int_equal(fake_in_flight, 2);
	fake_ok(fake_find(FAKE_GET));
	fake_ok(fake_find(FAKE_PUT));
	finished(5, 0);
	finished(6, 0);
}

/* Nothing is sent with an expired SAS; it goes out when there is another. */
static void nothing_without_a_credential(void **state)
{
	(void)state;
	lease_pause(&t.lease, true);
	request(3, CDRIVE_OP_WRITE, 64 * KIB, 4 * KIB);
	fake_loop_run(LOOP_SEC(5));
	assert_int_equal(fake_started, 0);
	lease_pause(&t.lease, false);
	fake_ok(fake_find(FAKE_PUT));
	finished(3, 0);
	only(FAKE_LEASE);
}

/* What lies between the first and the last block that may hold data is read. */
static void partly_written_is_narrowed(void **state)
{
	struct az_call *call;
	char data[12 * KIB];

	(void)state;
	pagemap_set(t.store.map, 72 * KIB, 4 * KIB);
	pagemap_set(t.store.map, 80 * KIB, 4 * KIB);
	request(3, CDRIVE_OP_READ, 64 * KIB, 64 * KIB);
	call = only(FAKE_GET);
	assert_int_equal(call->offset, 72 * KIB);
	assert_int_equal(call->len, 12 * KIB);
	assert_string_equal(call->lease_id, "0123");
	memset(data, 0x11, sizeof(data));
	/* In pieces, as it comes off the wire. */
	assert_int_equal(call->sink.write(call->sink.arg, data, 5000, 0), 0);
	assert_int_equal(call->sink.write(call->sink.arg, data, sizeof(data) - 5000, 5000), 0);
	assert_false(t.done[3]);
	fake_ok(call);
	finished(3, 0);
	all_bytes(3, 0, 8 * KIB, 0);
	all_bytes(3, 8 * KIB, 20 * KIB, 0x11);
	all_bytes(3, 20 * KIB, 64 * KIB, 0);
}

static void read_within_a_block(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, 512);
	request(0, CDRIVE_OP_READ, 1024, 512);
	assert_int_equal(only(FAKE_GET)->offset, 1024);
	assert_int_equal(fake_calls->len, 512);
}

/* Nothing unverified is served: a bad checksum means again. */
static void a_corrupt_read_is_repeated(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, DISK);
	request(0, CDRIVE_OP_READ, 0, 4096);
	fake_fail(only(FAKE_GET), AZ_CORRUPT, 206, "");
	assert_false(t.done[0]);
	assert_int_equal(t.lease.state, LEASE_HELD); /* a read raises nothing */
	fake_loop_run(WAIT);
	fake_ok(only(FAKE_GET));
	finished(0, 0);
}

static void copying_fails(void **state)
{
	(void)state;
	t.payload_error = -ESTALE;
	request(0, CDRIVE_OP_READ, 0, 4096);
	finished(0, -ESTALE);
	pagemap_set(t.store.map, 4096, 4096);
	request(1, CDRIVE_OP_READ, 0, 12288);
	finished(1, -ESTALE);
	assert_int_equal(fake_started, 0);
}

/* --- writes --------------------------------------------------------------- */

static void a_write_is_one_call(void **state)
{
	struct az_call *call;
	char body[8192];

	(void)state;
	request(5, CDRIVE_OP_WRITE, 12 * KIB, 8 * KIB);
	call = only(FAKE_PUT);
	assert_int_equal(call->offset, 12 * KIB);
	assert_int_equal(call->len, 8 * KIB);
	assert_int_equal(call->number, NUMBER);
	assert_string_equal(call->lease_id, "0123");
	for (int i = 0; i < 2; i++) { /* for the checksum, and for sending */
		assert_int_equal(call->source.read(call->source.arg, body, 8000, 0), 0);
		assert_int_equal(call->source.read(call->source.arg, body + 8000, 192, 8000), 0);
		assert_memory_equal(body, t.payload[5], sizeof(body));
	}
	/* It may be applied and never answered. */
	assert_true(may_hold_data(12 * KIB, 8 * KIB));
	assert_false(t.done[5]);
	fake_ok(call);
	finished(5, 0);
	assert_false(may_hold_data(0, 12 * KIB));
}

/* It was never sent: the number stays. */
static void unreachable_is_known(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_UNREACHABLE, 0, "");
	assert_int_equal(t.lease.state, LEASE_HELD);
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.troubles, 1);
	fake_loop_run(WAIT);
	assert_int_equal(only(FAKE_PUT)->number, NUMBER);
	fake_ok(fake_calls);
	finished(0, 0);
}

/* --- clearing --------------------------------------------------------------- */

static void clears_what_is_there(void **state)
{
	struct az_call *call;

	(void)state;
	request(0, CDRIVE_OP_DISCARD, 0, DISK);
	finished(0, 0);
	request(1, CDRIVE_OP_WRITE_ZEROES, 0, DISK);
	finished(1, 0);
	assert_int_equal(fake_started, 0);

	pagemap_set(t.store.map, 100 * KIB, 12 * KIB);
	request(2, CDRIVE_OP_DISCARD, 0, DISK);
	call = only(FAKE_CLEAR);
	assert_int_equal(call->offset, 100 * KIB);
	assert_int_equal(call->len, 12 * KIB);
	assert_int_equal(call->number, NUMBER);
	assert_true(may_hold_data(0, DISK)); /* until it is done */
	fake_ok(call);
	finished(2, 0);
	assert_false(may_hold_data(0, DISK));
}

/* A part of a block: the rest of it may still hold data. */
static void clears_a_part_of_a_block(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 0, 16 * KIB);
	request(0, CDRIVE_OP_WRITE_ZEROES, 512, 8 * KIB);
	assert_int_equal(only(FAKE_CLEAR)->offset, 512);
	assert_int_equal(fake_calls->len, 8 * KIB);
	fake_ok(fake_calls);
	assert_true(may_hold_data(0, 512));
	assert_false(may_hold_data(4096, 4096));
	assert_true(may_hold_data(8 * KIB, 512));
}

/* --- what the service can say ------------------------------------------------- */

static void denied_is_waited_out(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	for (int i = 0; i < 30; i++) {
		fake_fail(only(FAKE_PUT), AZ_DENIED, 403, "AuthenticationFailed");
		assert_int_equal(t.troubles, i + 1);
		assert_int_equal(t.trouble.class, AZ_DENIED);
		assert_true(t.store.blob_ops[0].retry.stuck); /* it parks at once */
		t.lease.until = boot_clock() + LEASE_CERTAIN_NS; /* renewed */
		fake_loop_run(WAIT);
	}
	assert_int_equal(t.lease.state, LEASE_HELD);
	assert_int_equal(t.cleared, 0);
	fake_ok(only(FAKE_PUT));
	finished(0, 0);
	assert_int_equal(t.cleared, 1);
	assert_int_equal(t.store.retries, 30);
}

static void deleted_is_lost(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	request(2, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(fake_calls, AZ_NOT_FOUND, 404, "BlobNotFound");
	assert_int_equal(t.lost, 1);
	assert_int_equal(fake_in_flight, 0);
	assert_null(fake_loop.timers);
	assert_int_equal(t.completed, 0); /* the driver has failed them */
	assert_int_equal(t.store.active, 0);
}

static void a_lease_that_expired(void **state)
{
	static const char *const codes[] = { "LeaseLost", "LeaseNotPresentWithBlobOperation" };

	for (int i = 0; i < 4; i++) {
		setup(state);
		pagemap_set(t.store.map, 0, DISK);
		request(0, i < 2 ? CDRIVE_OP_WRITE : CDRIVE_OP_READ, 0, 4096);
		fake_fail(fake_calls, AZ_PRECONDITION, 412, codes[i % 2]);
		assert_int_equal(t.lease.state, LEASE_DOUBTED);
		fake_loop_run(LOOP_SEC(5));
		assert_int_equal(only(FAKE_LEASE)->action, AZ_LEASE_RENEW);
		fake_ok(fake_calls);
		/* Refused means not applied: the number stays. */
		assert_int_equal(fake_in_flight, 1);
		if (i < 2)
			assert_int_equal(only(FAKE_PUT)->number, NUMBER);
		fake_ok(fake_calls);
		finished(0, 0);
		teardown(state);
	}
	setup(state);
}

static void a_lease_that_was_taken(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	fake_fail(fake_calls, AZ_PRECONDITION, 412, "LeaseIdMismatchWithBlobOperation");
	fake_fail(fake_find(FAKE_LEASE), AZ_CONFLICT, 409, "LeaseIdMismatchWithLeaseOperation");
	assert_int_equal(t.lost, 1);
	assert_int_equal(fake_in_flight, 0);
	assert_null(fake_loop.timers);
	assert_int_equal(t.completed, 0);
}

/* Our own number refused, and no raise of ours under way: it is compared. */
static void our_number_refused(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet");
	assert_int_equal(t.lease.state, LEASE_DOUBTED_NUMBER);
	fake_ok(only(FAKE_LEASE));
	assert_int_equal(t.lease.state, LEASE_COMPARING);
	fake_ok_number(only(FAKE_PROPS), NUMBER);
	assert_int_equal(t.lease.state, LEASE_HELD);
	fake_loop_run(WAIT);
	fake_ok(only(FAKE_PUT));
	finished(0, 0);

	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet");
	fake_ok(only(FAKE_LEASE));
	fake_ok_number(only(FAKE_PROPS), NUMBER + 1);
	assert_int_equal(t.lost, 1);
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.completed, 1);
}

/* Nothing went wrong at the service: memory was out, or a body was damaged. */
static void our_own_failures_are_repeated(void **state)
{
	static const struct {
		enum az_class class;
		long http;
		const char *code;
	} errors[] = { { AZ_LOCAL, 0, "" },
		       { AZ_REFUSED, 400, "Md5Mismatch" },
		       { AZ_REFUSED, 400, "Crc64Mismatch" } };

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct az_result res = fake_error(errors[i].class, errors[i].http, errors[i].code);

		request(0, CDRIVE_OP_WRITE, 0, 4096);
		res.err.sent = errors[i].http != 0;
		fake_answer(only(FAKE_PUT), &res);
		assert_false(t.done[0]);
		fake_loop_run(WAIT);
		assert_int_equal(only(FAKE_PUT)->number, NUMBER);
		fake_ok(fake_calls);
		finished(0, 0);
	}
}

/* What can't heal fails, and only that request. */
static void refused_fails(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	request(1, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_REFUSED, 413, "RequestBodyTooLarge");
	finished(0, -EIO);
	assert_non_null(strstr(fake_logged, "413 RequestBodyTooLarge"));
	fake_ok(only(FAKE_PUT));
	finished(1, 0);
}

static void honours_retry_after(void **state)
{
	struct az_result busy = fake_error(AZ_BUSY, 503, "ServerBusy");

	(void)state;
	busy.err.retry_after = 17;
	pagemap_set(t.store.map, 0, DISK);
	request(0, CDRIVE_OP_READ, 0, 4096);
	fake_answer(only(FAKE_GET), &busy);
	fake_loop_run(LOOP_SEC(17) - LOOP_MS(1));
	assert_int_equal(fake_in_flight, 0);
	fake_loop_run(LOOP_MS(2));
	only(FAKE_GET);
}

/* --- the line ----------------------------------------------------------------- */

static void no_more_connections_than_said(void **state)
{
	(void)state;
	t.store.connections = 4;
	for (unsigned int i = 0; i < 20; i++)
		request(i, CDRIVE_OP_WRITE, i * 8 * KIB, 4096);
	for (unsigned int i = 0; i < 20; i++) {
		unsigned int left = 20 - i;

		assert_int_equal(fake_in_flight, left < 4 ? left : 4);
		assert_int_equal(fake_calls->offset, i * 8 * KIB); /* first come, first served */
		fake_ok(fake_calls);
		assert_int_equal(t.completed, i + 1);
	}
	assert_int_equal(t.store.active, 0);
}

/* What waits to be tried again takes no connection from others. */
static void waiting_takes_no_connection(void **state)
{
	(void)state;
	t.store.connections = 1;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_UNREACHABLE, 0, "");
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	assert_int_equal(only(FAKE_PUT)->offset, 64 * KIB);
}

static void without_memory(void **state)
{
	(void)state;
	fake_no_memory = true;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	assert_int_equal(t.trouble.class, AZ_LOCAL);
	assert_int_equal(t.store.active, 0);
	assert_false(t.done[0]);
	fake_no_memory = false;
	fake_loop_run(WAIT);
	fake_ok(only(FAKE_PUT));
	finished(0, 0);
}

static void cancel_stops_all(void **state)
{
	(void)state;
	t.store.connections = 2;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_UNREACHABLE, 0, "");
	for (unsigned int i = 1; i < 10; i++)
		request(i, CDRIVE_OP_WRITE, i * 8 * KIB, 4096);
	assert_int_equal(fake_in_flight, 2);
	io_queue_drop(&t.queue);
	assert_int_equal(fake_in_flight, 0);
	assert_null(fake_loop.timers);
	assert_int_equal(t.completed, 0);
	/* And then everything works as before. */
	for (unsigned int i = 0; i < 10; i++)
		request(i, CDRIVE_OP_WRITE, i * 8 * KIB, 4096);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	while (fake_calls)
		fake_ok(fake_calls);
	assert_int_equal(t.completed, 10);
	assert_int_equal(t.store.active, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unwritten_costs_nothing),
		TEST(nothing_past_the_lease),
		TEST(nothing_without_a_credential),
		TEST(partly_written_is_narrowed),
		TEST(read_within_a_block),
		TEST(a_corrupt_read_is_repeated),
		TEST(copying_fails),
		TEST(a_write_is_one_call),
		TEST(unreachable_is_known),
		TEST(clears_what_is_there),
		TEST(clears_a_part_of_a_block),
		TEST(denied_is_waited_out),
		TEST(deleted_is_lost),
		cmocka_unit_test_teardown(a_lease_that_expired, teardown),
		TEST(a_lease_that_was_taken),
		TEST(our_number_refused),
		TEST(our_own_failures_are_repeated),
		TEST(refused_fails),
		TEST(honours_retry_after),
		TEST(no_more_connections_than_said),
		TEST(waiting_takes_no_connection),
		TEST(without_memory),
		TEST(cancel_stops_all),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
