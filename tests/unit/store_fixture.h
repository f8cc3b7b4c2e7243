/* SPDX-License-Identifier: MIT */
/*
 * store_fixture.h - the request path from descriptors to calls of the service
 *
 * Queue, store, lease and map as they are, between a driver (payloads and
 * completions) and a service that the test plays.
 */
#ifndef UNIT_STORE_FIXTURE_H
#define UNIT_STORE_FIXTURE_H

#include <errno.h>
#include <stdlib.h>

#include "drive/lease.h"
#include "drive/queue.h"
#include "drive/store.h"

#include "fake_azure.h"
#include "fake_loop.h"

#define NUMBER 41
#define KIB 1024ull
#define DISK (1024 * KIB)
#define LONGEST (256 * KIB) /* of the requests here */
#define WAIT LOOP_MS(RETRY_MOST_MS + 1) /* until what failed was tried again */

static struct {
	struct lease lease;
	struct az_blob blob;
	struct store store;
	struct io_queue queue;
	unsigned char payload[CDRIVE_QUEUE_DEPTH][LONGEST]; /* by slot */
	bool done[CDRIVE_QUEUE_DEPTH];
	int status[CDRIVE_QUEUE_DEPTH];
	unsigned int completed;
	unsigned int troubles, cleared, lost;
	struct az_error trouble;
	char why[256];
	int payload_error; /* what the driver answers to copies */
	void (*ended)(unsigned int slot); /* is told of completions */
} t;

static struct store_buffers buffers;

/* --- the driver --------------------------------------------------------------- */

static unsigned char *payload_at(uint32_t tag, uint64_t len, uint64_t pos)
{
	unsigned int slot = tag & CDRIVE_TAG_SLOT_MASK;

	assert_true(slot < CDRIVE_QUEUE_DEPTH);
	assert_false(t.done[slot]); /* copying after completion would be -ESTALE */
	assert_true(pos + len <= io_bytes(&t.queue.ios[slot]));
	return t.payload[slot] + pos;
}

int link_payload_read(struct link *l, uint32_t tag, void *buf, size_t len, uint64_t pos)
{
	(void)l;
	if (!t.payload_error)
		memcpy(buf, payload_at(tag, len, pos), len);
	return t.payload_error;
}

int link_payload_write(struct link *l, uint32_t tag, const void *buf, size_t len, uint64_t pos)
{
	(void)l;
	if (!t.payload_error)
		memcpy(payload_at(tag, len, pos), buf, len);
	return t.payload_error;
}

int link_payload_zero(struct link *l, uint32_t tag, uint64_t len, uint64_t pos)
{
	(void)l;
	if (!t.payload_error)
		memset(payload_at(tag, len, pos), 0, len);
	return t.payload_error;
}

static void on_complete(void *arg, uint32_t tag, int status)
{
	unsigned int slot = tag & CDRIVE_TAG_SLOT_MASK;

	assert_ptr_equal(arg, &t);
	assert_false(t.done[slot]);
	t.done[slot] = true;
	t.status[slot] = status;
	t.completed++;
	if (t.ended)
		t.ended(slot);
}

/* --- as drive.c does ------------------------------------------------------------ */

static void on_held(void *arg)
{
	assert_ptr_equal(arg, &t);
	store_run(&t.store);
}

static void on_deadline(void *arg, uint64_t until)
{
	assert_ptr_equal(arg, &t);
	assert_int_equal(until, t.lease.until);
}

static void on_lost(void *arg, const char *why)
{
	assert_ptr_equal(arg, &t);
	if (t.lost++)
		return;
	snprintf(t.why, sizeof(t.why), "%s", why);
	lease_drop(&t.lease);
	io_queue_drop(&t.queue);
}

static void on_record(void *arg, uint64_t number, uint64_t raising_to)
{
	assert_ptr_equal(arg, &t);
	assert_true(!raising_to || raising_to == number + 1);
}

static void on_trouble(void *arg, struct retry *r, const char *what, const struct az_error *err)
{
	assert_ptr_equal(arg, &t);
	assert_non_null(what);
	if (!err) {
		t.cleared += r->counted;
		r->counted = false;
		return;
	}
	t.troubles++;
	t.trouble = *err;
	if (r->stuck)
		r->counted = true;
}

static void on_forgotten(void *arg)
{
	(void)arg; /* nothing is cached here */
}

static const struct lease_ops lease_ops = { .held = on_held,
					    .deadline = on_deadline,
					    .forgotten = on_forgotten,
					    .lost = on_lost,
					    .record = on_record,
					    .trouble = on_trouble };

/* Nothing here begins or ends a drive. */
int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	(void)loop, (void)s;
	fail();
	return -1;
}

static inline int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	memset(t.payload, 0x77, sizeof(t.payload));
	fake_loop_reset(1);
	fake_azure_reset();
	strcpy(t.blob.lease_id, "0123");
	lease_init(&t.lease, &fake_loop, NULL, &t.blob, &lease_ops, &t);
	t.lease.sequence.number = NUMBER;
	t.lease.sent_at = boot_clock();
	t.lease.until = boot_clock() + LEASE_CERTAIN_NS;
	t.store = (struct store){
		.loop = &fake_loop,
		.blob = &t.blob,
		.lease = &t.lease,
		.map = pagemap_new(DISK),
		.connections = 32,
		.buffers = &buffers,
		.trouble = on_trouble,
		.lost = on_lost,
		.arg = &t,
	};
	store_init(&t.store);
	t.store.doubts_number = NUMBER;
	io_queue_init(&t.queue, &store_ops, &t.store, on_complete, &t);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	store_stop(&t.store);
	pagemap_free(t.store.map);
	fake_azure_reset();
	return 0;
}

/* --- what became of it ---------------------------------------------------------- */

static inline void finished(unsigned int slot, int status)
{
	assert_true(t.done[slot]);
	assert_int_equal(t.status[slot], status);
}

static inline void all_bytes(unsigned int slot, uint64_t from, uint64_t to, unsigned char value)
{
	for (uint64_t i = from; i < to; i++)
		assert_int_equal(t.payload[slot][i], value);
}

static inline bool may_hold_data(uint64_t offset, uint64_t len)
{
	return pagemap_narrow(t.store.map, &offset, &len);
}

/* --- requests --------------------------------------------------------------------- */

/* A request, in bytes. */
static inline void request(unsigned int slot, uint32_t op, uint64_t offset, uint64_t len)
{
	t.done[slot] = false;
	io_queue_submit(&t.queue, &(struct cdrive_descriptor){ .sector = offset >> 9,
							       .sectors = (uint32_t)(len >> 9),
							       .tag = slot,
							       .op = op });
}

static inline struct az_call *only(enum fake_kind kind)
{
	assert_int_equal(fake_in_flight, 1);
	assert_int_equal(fake_calls->kind, kind);
	return fake_calls;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
