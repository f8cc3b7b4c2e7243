// SPDX-License-Identifier: MIT
/*
 * Writes in doubt: what is repeated, what waits for a raise of the number, and when
 * that comes (drive/doubt.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

/* --- doubt ------------------------------------------------------------------ */

/* The write at slot @slot is in doubt, and done. */
static void done_and_in_doubt(unsigned int slot, uint64_t offset, uint64_t len)
{
	request(slot, CDRIVE_OP_WRITE, offset, len);
	fake_fail(only(FAKE_PUT), AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_ok(only(FAKE_PUT));
	finished(slot, 0);
	assert_int_equal(t.store.doubts.n, 1);
}

/* The same bytes again, under the same number; and all else goes on. */
static void a_lost_answer_is_repeated(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 512 * KIB, 8192);
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_NO_RESPONSE, 0, "");
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	request(2, CDRIVE_OP_DISCARD, 512 * KIB, 4096);
	request(3, CDRIVE_OP_READ, 516 * KIB, 4096);
	assert_int_equal(fake_in_flight, 3);
	while (fake_calls)
		fake_ok(fake_calls);
	assert_int_equal(t.completed, 3);
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	assert_int_equal(only(FAKE_PUT)->number, NUMBER);
	assert_false(fake_calls->changed);
	fake_ok(fake_calls);
	finished(0, 0);
	assert_int_equal(t.store.raises, 0);
}

/* Rule 2, the heart of it. */
static void what_overlaps_waits_for_a_raise(void **state)
{
	static const uint32_t ops[] = { CDRIVE_OP_WRITE, CDRIVE_OP_DISCARD,
					CDRIVE_OP_WRITE_ZEROES };

	for (unsigned int i = 0; i < 6; i++) {
		struct az_call *raise;

		setup(state);
		pagemap_set(t.store.map, 512 * KIB, 4096);
		done_and_in_doubt(0, 64 * KIB, 8192);
		/* A read sees the same bytes however often they land. */
		request(1, CDRIVE_OP_READ, 64 * KIB, 8192);
		fake_ok(only(FAKE_GET));
		finished(1, 0);
		request(2, ops[i % 3], i < 3 ? 68 * KIB : 60 * KIB, 8192);
		raise = only(FAKE_RAISE);
		assert_int_equal(raise->number, NUMBER + 1);
		/* Reads go on meanwhile, other writes don't. */
		request(3, CDRIVE_OP_READ, 512 * KIB, 512);
		request(4, CDRIVE_OP_WRITE, 256 * KIB, 4096);
		assert_int_equal(fake_in_flight, 2);
		while (fake_find(FAKE_GET))
			fake_ok(fake_find(FAKE_GET));
		fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
		assert_int_equal(t.store.doubts.n, 0);
		for (struct az_call *c = fake_calls; c; c = c->next)
			assert_true(c->kind == FAKE_GET || c->number == NUMBER + 1);
		while (fake_calls)
			fake_ok(fake_calls);
		for (unsigned int slot = 0; slot < 5; slot++)
			finished(slot, 0);
		teardown(state);
	}
	setup(state);
}

/* What is in flight would come back refused: it is waited for. */
static void a_raise_waits_for_writes_in_flight(void **state)
{
	(void)state;
	done_and_in_doubt(0, 0, 4096);
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	request(2, CDRIVE_OP_WRITE, 0, 4096);
	assert_int_equal(only(FAKE_PUT)->offset, 64 * KIB);
	request(3, CDRIVE_OP_WRITE, 128 * KIB, 4096);
	assert_int_equal(fake_in_flight, 1);
	fake_ok(fake_calls);
	finished(1, 0);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(fake_in_flight, 2);
	while (fake_calls)
		fake_ok(fake_calls);
	finished(2, 0);
	finished(3, 0);
	assert_int_equal(t.store.raises, 1);
}

/* But not for ever: then it is refused, which says that it was not applied. */
static void a_write_that_was_overtaken(void **state)
{
	struct az_call *slow;

	(void)state;
	for (int answered = 0; answered < 2; answered++) {
		setup(state);
		done_and_in_doubt(0, 0, 4096);
		request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
		slow = only(FAKE_PUT);
		request(2, CDRIVE_OP_WRITE, 0, 4096);
		fake_loop_run(LOOP_SEC(STORE_DRAIN_S) - LOOP_MS(1));
		only(FAKE_PUT);
		fake_loop_run(LOOP_MS(2));
		assert_int_equal(fake_in_flight, 2);
		if (answered)
			fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
		fake_fail(slow, AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet");
		if (!answered) {
			assert_int_equal(t.lease.sequence.state, SEQUENCE_RAISING);
			assert_int_equal(t.lease.state, LEASE_HELD); /* no doubt of the lease */
			fake_loop_run(WAIT);
			fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
		}
		assert_int_equal(fake_in_flight, 2);
		assert_int_equal(fake_calls->number, NUMBER + 1);
		assert_int_equal(fake_calls->next->number, NUMBER + 1);
		while (fake_calls)
			fake_ok(fake_calls);
		finished(1, 0);
		finished(2, 0);
		assert_int_equal(t.store.raises, 1);
		teardown(state);
	}
	setup(state);
}

/* The number was raised while the answer was on its way: no doubt is left of it. */
static void an_answer_lost_under_the_old_number(void **state)
{
	struct az_call *slow;

	(void)state;
	done_and_in_doubt(0, 0, 4096);
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	slow = only(FAKE_PUT);
	request(2, CDRIVE_OP_WRITE, 0, 4096);
	fake_loop_run(LOOP_SEC(STORE_DRAIN_S) + LOOP_MS(1));
	fake_ok_number(fake_find(FAKE_RAISE), NUMBER + 1);
	fake_ok(fake_calls->next);
	fake_fail(slow, AZ_NO_RESPONSE, 0, "");
	assert_int_equal(t.store.doubts.n, 0);
	fake_loop_run(WAIT);
	assert_int_equal(only(FAKE_PUT)->number, NUMBER + 1);
	fake_ok(fake_calls);
	finished(1, 0);
	fake_loop_run(LOOP_SEC(10));
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.store.raises, 1);
}

static void nothing_to_do_is_the_time_to_raise(void **state)
{
	(void)state;
	done_and_in_doubt(0, 0, 4096);
	fake_loop_run(LOOP_SEC(STORE_IDLE_S) - LOOP_MS(10));
	request(1, CDRIVE_OP_WRITE, 64 * KIB, 4096);
	fake_loop_run(LOOP_MS(100));
	fake_ok(only(FAKE_PUT));
	fake_loop_run(LOOP_SEC(STORE_IDLE_S) - LOOP_MS(10));
	assert_int_equal(fake_in_flight, 0);
	fake_loop_run(LOOP_MS(20));
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	fake_loop_run(LOOP_SEC(100));
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.store.raises, 1);
}

static void a_long_list_is_ended(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DOUBTS_MOST; i++)
		doubts_add(&t.store.doubts, (1 << 20) + i * 512ull, 512, NULL);
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	fake_ok(only(FAKE_PUT));
	finished(0, 0);
	assert_int_equal(t.store.doubts.n, 0);
}

/* A repetition that is lost, too, is the same doubt. */
static void lost_again_and_again(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	for (unsigned int i = 0; i < 50; i++) {
		fake_fail(only(FAKE_PUT), AZ_NO_RESPONSE, 0, "");
		t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
		assert_int_equal(t.store.doubts.n, t.store.raises ? 0 : 1);
		for (unsigned int n = 0; n < 20 && !fake_find(FAKE_PUT); n++) {
			fake_loop_next();
			if (fake_find(FAKE_RAISE))
				fake_ok_number(fake_find(FAKE_RAISE),
					       fake_find(FAKE_RAISE)->number);
		}
		t.store.raises = 0;
	}
	fake_ok(only(FAKE_PUT));
	finished(0, 0);
}

static void every_way_not_to_know(void **state)
{
	static const enum az_class classes[] = { AZ_NO_RESPONSE, AZ_BUSY, AZ_CORRUPT };
	static const uint32_t ops[] = { CDRIVE_OP_WRITE, CDRIVE_OP_DISCARD,
					CDRIVE_OP_WRITE_ZEROES };

	for (unsigned int i = 0; i < 9; i++) {
		setup(state);
		pagemap_set(t.store.map, 0, DISK);
		request(0, ops[i / 3], 0, 4096);
		fake_fail(fake_calls, classes[i % 3], 0, "");
		assert_int_equal(t.store.doubts.n, 1);
		fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
		assert_int_equal(fake_calls->number, NUMBER);
		fake_ok(fake_calls);
		finished(0, 0);
		request(1, CDRIVE_OP_WRITE, 0, 512);
		fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
		assert_int_equal(only(FAKE_PUT)->number, NUMBER + 1);
		fake_ok(fake_calls);
		finished(1, 0);
		teardown(state);
	}
	setup(state);
}

/* The application wrote to its buffer before the repetition: other bytes are another
 * write, and wait for a raise; from then on a copy is sent. */
static void a_repetition_of_other_bytes(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 64 * KIB);
	fake_fail(only(FAKE_PUT), AZ_NO_RESPONSE, 0, "");
	t.payload[0][100] ^= 1;
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_changed(only(FAKE_PUT));
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(only(FAKE_PUT)->number, NUMBER + 1);
	assert_ptr_equal(fake_calls->source.memory, buffers.copy);
	t.payload[0][100] ^= 3;
	assert_int_equal(buffers.copy[100], 0x77 ^ 1);
	fake_fail(fake_calls, AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(2 * RETRY_FIRST_MS + 1));
	assert_false(only(FAKE_PUT)->changed);
	assert_int_equal(fake_calls->number, NUMBER + 1);
	fake_ok(fake_calls);
	finished(0, 0);
	assert_null(t.store.copy_of);
	assert_int_equal(t.store.raises, 1);
}

/* It was found by the service, which compares with the checksum: nothing is in doubt, and
 * nobody is told of trouble. */
static void bytes_that_change_while_they_are_sent(void **state)
{
	static const char *const codes[] = { "Md5Mismatch", "Crc64Mismatch" };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		request(0, CDRIVE_OP_WRITE, 0, 64 * KIB);
		request(1, CDRIVE_OP_WRITE, 64 * KIB, 64 * KIB);
		fake_fail(fake_calls, AZ_REFUSED, 400, codes[i]);
		fake_fail(fake_calls, AZ_REFUSED, 400, codes[i]);
		/* One copy at a time; the other is sent when it is free. */
		assert_ptr_equal(only(FAKE_PUT)->source.memory, buffers.copy);
		fake_ok(fake_calls);
		finished(0, 0);
		assert_ptr_equal(only(FAKE_PUT)->source.memory, buffers.copy);
		assert_int_equal(fake_calls->offset, 64 * KIB);
		fake_ok(fake_calls);
		finished(1, 0);
		assert_int_equal(t.troubles, 0);
		assert_int_equal(t.store.doubts.n, 0);
	}
	/* A copy that does not arrive whole is something else. */
	request(0, CDRIVE_OP_WRITE, 0, 64 * KIB);
	fake_fail(only(FAKE_PUT), AZ_REFUSED, 400, "Md5Mismatch");
	fake_fail(only(FAKE_PUT), AZ_REFUSED, 400, "Md5Mismatch");
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.troubles, 1);
	fake_loop_run(WAIT);
	fake_ok(only(FAKE_PUT));
	finished(0, 0);
}

/* Who was told that a write failed must not find it done later. */
static void a_failure_ends_its_doubt(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	fake_fail(only(FAKE_PUT), AZ_NO_RESPONSE, 0, "");
	fake_loop_run(LOOP_MS(RETRY_FIRST_MS + 1));
	fake_fail(only(FAKE_PUT), AZ_REFUSED, 413, "RequestBodyTooLarge");
	finished(0, -EIO);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	assert_int_equal(t.store.doubts.n, 0);
}

/* The driver fails what was in flight, and goes on later. */
static void what_was_cancelled_is_in_doubt(void **state)
{
	(void)state;
	pagemap_set(t.store.map, 64 * KIB, 4096);
	request(0, CDRIVE_OP_WRITE, 0, 4096);
	request(1, CDRIVE_OP_READ, 64 * KIB, 4096);
	io_queue_drop(&t.queue);
	assert_int_equal(fake_in_flight, 0);
	assert_int_equal(t.store.doubts.n, 1);
	request(2, CDRIVE_OP_WRITE, 512 * KIB, 4096);
	fake_ok_number(only(FAKE_RAISE), NUMBER + 1);
	fake_ok(only(FAKE_PUT));
	finished(2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_lost_answer_is_repeated),
		cmocka_unit_test_teardown(what_overlaps_waits_for_a_raise, teardown),
		TEST(a_raise_waits_for_writes_in_flight),
		cmocka_unit_test_teardown(a_write_that_was_overtaken, teardown),
		TEST(an_answer_lost_under_the_old_number),
		TEST(nothing_to_do_is_the_time_to_raise),
		TEST(a_long_list_is_ended),
		TEST(lost_again_and_again),
		cmocka_unit_test_teardown(every_way_not_to_know, teardown),
		TEST(a_repetition_of_other_bytes),
		TEST(bytes_that_change_while_they_are_sent),
		TEST(a_failure_ends_its_doubt),
		TEST(what_was_cancelled_is_in_doubt),
	};

	return cmocka_run_group_tests_name("store doubt", tests, NULL, NULL);
}
