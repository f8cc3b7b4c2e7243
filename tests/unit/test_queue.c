// SPDX-License-Identifier: MIT
/*
 * The overlap queue, with a backend that holds requests until the test ends them, at
 * once or in any order, and that checks at every hand-over that nothing earlier is
 * left that the request conflicts with (design.rst, "Rules that keep the data").
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drive/queue.h"

/* What the test knows of a slot. */
struct slot {
	struct cdrive_descriptor desc;
	bool outstanding; /* submitted, and not completed */
	uint64_t arrival;
	struct io *held; /* by the backend */
	int status; /* that it is ended with */
};

static struct {
	struct io_queue queue;
	struct slot slots[CDRIVE_QUEUE_DEPTH];
	uint64_t arrivals;
	unsigned int outstanding, held, most_held, completed, cancelled;
	int depth; /* of submit() within itself */
	unsigned int sync; /* of a hundred are ended within submit() */
	bool drop_in_submit;
	uint32_t last_tag;
	int last_status;
	uint64_t seed;
} t;

static uint32_t chance(uint32_t below)
{
	t.seed = t.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(t.seed >> 33) % below;
}

/* Said here in another way than in queue.c: sector by sector. */
static bool conflicting(const struct cdrive_descriptor *a, const struct cdrive_descriptor *b)
{
	const struct cdrive_descriptor *low = a->sector < b->sector ? a : b;
	const struct cdrive_descriptor *high = low == a ? b : a;

	if (a->op == CDRIVE_OP_READ && b->op == CDRIVE_OP_READ)
		return false;
	return high->sector - low->sector < low->sectors;
}

/* --- backend and driver ----------------------------------------------------- */

static void end(struct slot *s)
{
	struct io *io = s->held;

	s->held = NULL;
	t.held--;
	io_done(io, s->status);
}

static void submit(void *backend, struct io *io)
{
	struct slot *s = &t.slots[io->slot];

	assert_ptr_equal(backend, &t);
	assert_true(s->outstanding);
	assert_null(s->held);
	assert_memory_equal(&io->desc, &s->desc, sizeof(io->desc));
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		const struct slot *o = &t.slots[i];

		if (o->outstanding && o->arrival < s->arrival)
			assert_false(conflicting(&o->desc, &s->desc));
		if (o->held)
			assert_false(conflicting(&o->desc, &s->desc));
	}
	assert_int_equal(t.depth, 0); /* never from within itself */
	t.depth++;
	s->held = io;
	t.held++;
	t.most_held = t.held > t.most_held ? t.held : t.most_held;
	if (t.drop_in_submit)
		io_queue_drop(&t.queue);
	else if (chance(100) < t.sync)
		end(s);
	t.depth--;
}

static void cancel(void *backend)
{
	assert_ptr_equal(backend, &t);
	t.cancelled++;
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++)
		t.slots[i].held = NULL;
	t.held = 0;
}

static void complete(void *arg, uint32_t tag, int status)
{
	struct slot *s;

	assert_ptr_equal(arg, &t.last_tag);
	t.last_tag = tag;
	t.last_status = status;
	t.completed++;
	if (status == -EINVAL)
		return;
	s = &t.slots[tag & CDRIVE_TAG_SLOT_MASK];
	assert_true(s->outstanding); /* once each */
	assert_int_equal(tag, s->desc.tag);
	assert_int_equal(status, s->status);
	assert_null(s->held);
	s->outstanding = false;
	t.outstanding--;
}

static const struct backend_ops ops = { .submit = submit, .cancel = cancel };

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	io_queue_init(&t.queue, &ops, &t, complete, &t.last_tag);
	return 0;
}

static struct slot *request(unsigned int slot, uint32_t op, uint64_t sector, uint32_t sectors)
{
	struct slot *s = &t.slots[slot];

	assert_false(s->outstanding);
	s->desc = (struct cdrive_descriptor){
		.sector = sector,
		.sectors = sectors,
		.tag = slot | (uint32_t)t.arrivals << CDRIVE_TAG_SLOT_BITS,
		.op = op,
	};
	s->outstanding = true;
	s->arrival = t.arrivals++;
	t.outstanding++;
	io_queue_submit(&t.queue, &s->desc);
	return s;
}

/* --- random ------------------------------------------------------------------- */

/* What may be with the backend is there: nobody waits for nothing. */
static void nobody_waits_for_nothing(void)
{
	unsigned int waiting = 0;

	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		const struct slot *s = &t.slots[i];
		bool blocked = false;

		if (!s->outstanding || s->held)
			continue;
		for (unsigned int j = 0; j < CDRIVE_QUEUE_DEPTH && !blocked; j++)
			blocked = t.slots[j].outstanding && t.slots[j].arrival < s->arrival &&
				  conflicting(&t.slots[j].desc, &s->desc);
		assert_true(blocked);
		waiting++;
	}
	assert_int_equal(t.queue.waiting, waiting);
	assert_int_equal(t.queue.in_flight, t.outstanding);
}

static void some_request(uint64_t disk, uint32_t longest)
{
	unsigned int slot = chance(CDRIVE_QUEUE_DEPTH);

	while (t.slots[slot].outstanding)
		slot = (slot + 1) % CDRIVE_QUEUE_DEPTH;
	t.slots[slot].status = chance(10) ? 0 : -EIO;
	request(slot, chance(4), chance((uint32_t)disk), 1 + chance(longest));
}

static void end_some(void)
{
	unsigned int slot = chance(CDRIVE_QUEUE_DEPTH);

	while (!t.slots[slot].held)
		slot = (slot + 1) % CDRIVE_QUEUE_DEPTH;
	end(&t.slots[slot]);
}

static void run_random(uint64_t disk, uint32_t longest, unsigned int sync)
{
	unsigned int depth = 1 + chance(CDRIVE_QUEUE_DEPTH), submitted = 0;
	const struct io_counters *c = &t.queue.counters;

	t.sync = sync;
	for (int step = 0; step < 1500; step++) {
		if (t.outstanding < depth && chance(2)) {
			some_request(disk, longest);
			submitted++;
		} else if (t.held) {
			end_some();
		}
		nobody_waits_for_nothing();
	}
	while (t.held)
		end_some();
	assert_int_equal(t.outstanding, 0);
	assert_int_equal(t.queue.in_flight, 0);
	assert_int_equal(t.completed, submitted);
	assert_int_equal(c->reads + c->writes + c->discards + c->write_zeroes, submitted);
	assert_null(t.queue.first);
	assert_null(t.queue.last);
}

static void random_orders(void **state)
{
	static const struct {
		uint64_t disk;
		uint32_t longest;
		unsigned int sync;
	} kinds[] = {
		{ 64, 8, 0 }, /* many conflicts */
		{ 16, 16, 0 }, /* nearly all */
		{ 10000, 16, 0 }, /* few */
		{ 64, 8, 50 },	  { 64, 8, 100 }, { 200, 100, 20 },
	};

	for (uint64_t seed = 0; seed < 48; seed++) {
		setup(state);
		t.seed = seed;
		run_random(kinds[seed % 6].disk, kinds[seed % 6].longest, kinds[seed % 6].sync);
	}
}

/* --- cases ---------------------------------------------------------------- */

static void reads_run_together(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++)
		request(i, CDRIVE_OP_READ, 5, 10);
	assert_int_equal(t.held, CDRIVE_QUEUE_DEPTH);
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++)
		end(&t.slots[i]);
	assert_int_equal(t.completed, CDRIVE_QUEUE_DEPTH);
}

static void touching_is_not_overlapping(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_WRITE, 8, 8);
	request(1, CDRIVE_OP_WRITE, 0, 8);
	request(2, CDRIVE_OP_WRITE, 16, 8);
	assert_int_equal(t.held, 3);
	request(3, CDRIVE_OP_WRITE, 15, 2);
	assert_null(t.slots[3].held);
	assert_int_equal(t.queue.waiting, 1);
	end(&t.slots[2]);
	assert_null(t.slots[3].held); /* it waits for the other as well */
	end(&t.slots[0]);
	assert_non_null(t.slots[3].held);
	assert_int_equal(t.queue.waiting, 0);
}

/* read, write, read, of one place: three turns, though the reads don't conflict. */
static void a_read_does_not_overtake(void **state)
{
	(void)state;
	request(9, CDRIVE_OP_READ, 0, 8);
	request(3, CDRIVE_OP_WRITE, 4, 8);
	request(5, CDRIVE_OP_READ, 8, 8);
	assert_int_equal(t.held, 1);
	end(&t.slots[9]);
	assert_int_equal(t.held, 1);
	assert_non_null(t.slots[3].held);
	end(&t.slots[3]);
	assert_non_null(t.slots[5].held);
}

/* A failed one lets the next go too. */
static void failure_passes_on(void **state)
{
	(void)state;
	t.slots[0].status = -EIO;
	request(0, CDRIVE_OP_DISCARD, 0, 8);
	request(1, CDRIVE_OP_WRITE_ZEROES, 0, 8);
	end(&t.slots[0]);
	assert_int_equal(t.last_status, -EIO);
	assert_non_null(t.slots[1].held);
	assert_int_equal(t.queue.counters.errors, 1);
}

/* A full chain that ends at once, link by link: submit() is never nested. */
static void a_chain_is_no_recursion(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++)
		request(i, CDRIVE_OP_WRITE, 0, 8);
	assert_int_equal(t.held, 1);
	assert_int_equal(t.queue.waiting, CDRIVE_QUEUE_DEPTH - 1);
	t.sync = 100;
	end(&t.slots[0]);
	assert_int_equal(t.completed, CDRIVE_QUEUE_DEPTH);
	assert_int_equal(t.outstanding, 0);
}

static void huge_ranges(void **state)
{
	(void)state;
	request(0, CDRIVE_OP_DISCARD, 0, UINT32_MAX);
	request(1, CDRIVE_OP_READ, UINT32_MAX - 1ull, 8);
	request(2, CDRIVE_OP_READ, UINT32_MAX, 8);
	request(3, CDRIVE_OP_WRITE, (8ull << 31) - 8192, CDRIVE_MAX_TRANSFER >> 9);
	assert_null(t.slots[1].held);
	assert_non_null(t.slots[2].held);
	assert_non_null(t.slots[3].held);
	assert_int_equal(t.queue.counters.written_bytes, CDRIVE_MAX_TRANSFER);
}

static void refuse(struct cdrive_descriptor desc)
{
	unsigned int before = t.completed, in_flight = t.queue.in_flight;

	io_queue_submit(&t.queue, &desc);
	assert_int_equal(t.completed, before + 1);
	assert_int_equal(t.last_tag, desc.tag);
	assert_int_equal(t.last_status, -EINVAL);
	assert_int_equal(t.queue.in_flight, in_flight);
}

static void what_is_no_request(void **state)
{
	uint32_t too_long = (CDRIVE_MAX_TRANSFER >> 9) + 1;

	(void)state;
	refuse((struct cdrive_descriptor){ .sectors = 0 });
	refuse((struct cdrive_descriptor){ .sectors = 8, .op = CDRIVE_OP_WRITE_ZEROES + 1 });
	refuse((struct cdrive_descriptor){ .sectors = 8, .op = UINT32_MAX });
	refuse((struct cdrive_descriptor){ .sectors = too_long, .op = CDRIVE_OP_READ });
	refuse((struct cdrive_descriptor){ .sectors = too_long, .op = CDRIVE_OP_WRITE });
	refuse((struct cdrive_descriptor){ .sectors = 8, .tag = CDRIVE_QUEUE_DEPTH });
	refuse((struct cdrive_descriptor){ .sectors = 8, .tag = CDRIVE_TAG_SLOT_MASK });
	/* A slot that is taken, whatever the generation. */
	request(7, CDRIVE_OP_READ, 0, 8);
	refuse((struct cdrive_descriptor){ .sectors = 8, .tag = 7 });
	refuse((struct cdrive_descriptor){ .sectors = 8, .tag = 7 | 5 << CDRIVE_TAG_SLOT_BITS });
	end(&t.slots[7]);
	assert_int_equal(t.last_status, 0);
}

/* --- drop ------------------------------------------------------------------- */

static void drop_forgets_all(void **state)
{
	struct io *late;

	(void)state;
	for (unsigned int i = 0; i < 50; i++)
		request(i, CDRIVE_OP_WRITE, i / 2 * 8, 8);
	assert_int_equal(t.held, 25);
	late = t.slots[0].held;
	io_queue_drop(&t.queue);
	assert_int_equal(t.cancelled, 1);
	assert_int_equal(t.completed, 0);
	assert_int_equal(t.queue.in_flight, 0);
	assert_int_equal(t.queue.waiting, 0);
	io_done(late, 0); /* an end that comes too late is none */
	assert_int_equal(t.completed, 0);
	assert_int_equal(t.held, 0);

	/* And it goes on as if new. */
	memset(t.slots, 0, sizeof(t.slots));
	t.outstanding = 0;
	memset(&t.queue.counters, 0, sizeof(t.queue.counters));
	t.seed = 1;
	run_random(64, 8, 30);
}

/* As when the backend finds out that the drive is lost as it is given work. */
static void drop_from_within_submit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		request(i, CDRIVE_OP_WRITE, 0, 8);
	request(100, CDRIVE_OP_WRITE, 8, 8);
	t.drop_in_submit = true;
	end(&t.slots[0]);
	assert_int_equal(t.completed, 1);
	assert_int_equal(t.cancelled, 1);
	assert_int_equal(t.queue.in_flight, 0);
	assert_int_equal(t.queue.waiting, 0);
	assert_false(t.queue.running);
	assert_null(t.queue.ready);

	t.drop_in_submit = false;
	memset(t.slots, 0, sizeof(t.slots));
	request(0, CDRIVE_OP_WRITE, 0, 8);
	assert_non_null(t.slots[0].held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(random_orders, setup),
		cmocka_unit_test_setup(reads_run_together, setup),
		cmocka_unit_test_setup(touching_is_not_overlapping, setup),
		cmocka_unit_test_setup(a_read_does_not_overtake, setup),
		cmocka_unit_test_setup(failure_passes_on, setup),
		cmocka_unit_test_setup(a_chain_is_no_recursion, setup),
		cmocka_unit_test_setup(huge_ranges, setup),
		cmocka_unit_test_setup(what_is_no_request, setup),
		cmocka_unit_test_setup(drop_forgets_all, setup),
		cmocka_unit_test_setup(drop_from_within_submit, setup),
	};

	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
