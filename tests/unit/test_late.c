// SPDX-License-Identifier: MIT
/*
 * No write may land late (DESIGN.md, rule 2): the whole request path against a
 * service that executes what it is sent, refuses it by its conditions, loses
 * answers, and executes what was lost at any later time.
 *
 * Every write puts a version of its own into each of its sectors.  What was
 * acknowledged must be there, and stay: a sector that no request in hand may
 * change holds the acknowledged version after every step, whatever strays land.
 * Now and then the helper dies, and one that follows is given the requests that
 * were in flight, as the driver does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define SECTORS 256u
#define MOST 16u /* sectors of a request */

/* A call that the service has, and whose end nobody waits for. */
struct stray {
	enum fake_kind kind;
	uint64_t first, n, number;
	uint64_t version[MOST];
};

static struct {
	/* the service */
	uint64_t sector[SECTORS], number;
	struct stray stray[64];
	unsigned int strays, landed, refused;
	/* what it ought to hold */
	uint64_t acked[SECTORS], versions;
	/* the driver: requests in order of arrival */
	struct {
		bool busy;
		uint64_t arrival;
		struct cdrive_descriptor desc;
		uint64_t version;
	} slot[CDRIVE_QUEUE_DEPTH];
	uint64_t arrivals;
	unsigned int busy, lost_answers, deaths;
} m;

/* --- the service -------------------------------------------------------------- */

/* False: refused.  Clearing is writing version 0. */
static bool execute(const struct stray *s)
{
	if (s->kind == FAKE_RAISE) {
		m.number = s->number > m.number ? s->number : m.number;
		return true;
	}
	if (s->kind != FAKE_PUT && s->kind != FAKE_CLEAR)
		return true;
	if (s->number != m.number)
		return false;
	for (uint64_t i = 0; i < s->n; i++)
		m.sector[s->first + i] = s->kind == FAKE_PUT ? s->version[i] : 0;
	return true;
}

/* What was sent: the body is gone once the call has ended. */
static struct stray sent(const struct az_call *call)
{
	struct stray s = { .kind = call->kind,
			   .first = call->offset / 512,
			   .n = call->len / 512,
			   .number = call->number };
	unsigned char body[MOST * 512];

	if (call->kind == FAKE_PUT) {
		assert_int_equal(call->source.read(call->source.arg, body, call->len, 0), 0);
		for (uint64_t i = 0; i < s.n; i++)
			memcpy(&s.version[i], body + i * 512, 8);
	}
	return s;
}

static void keep(const struct stray *s)
{
	if (m.strays < 64)
		m.stray[m.strays++] = *s;
}

/* A stray lands, or is lost at last. */
static void land(void)
{
	unsigned int i;

	if (!m.strays)
		return;
	i = fake_chance(m.strays);
	if (fake_chance(4)) {
		bool done = execute(&m.stray[i]);

		m.landed += done;
		m.refused += !done;
	}
	m.stray[i] = m.stray[--m.strays];
}

static void serve(struct az_call *call)
{
	unsigned char data[MOST * 512] = { 0 };

	if (call->kind == FAKE_GET) {
		for (uint64_t i = 0; i < call->len / 512; i++)
			memcpy(data + i * 512, &m.sector[call->offset / 512 + i], 8);
		assert_int_equal(call->sink.write(call->sink.arg, data, call->len, 0), 0);
	} else {
		struct stray s = sent(call);

		if (!execute(&s)) {
			fake_fail(call, AZ_PRECONDITION, 412, "SequenceNumberConditionNotMet");
			return;
		}
	}
	fake_ok_number(call, m.number);
}

/* The answer is lost; the call was executed, or will be later, or never. */
static void lose_answer(struct az_call *call)
{
	static const enum az_class classes[] = { AZ_NO_ANSWER, AZ_BUSY, AZ_CORRUPT };
	struct stray s = sent(call);

	m.lost_answers++;
	if (fake_chance(2))
		keep(&s);
	else
		execute(&s);
	fake_fail(call, classes[fake_chance(3)], 0, "");
}

static void answer_one(unsigned int luck)
{
	struct az_call *call = fake_calls;

	for (unsigned int n = fake_chance(fake_in_flight); n; n--)
		call = call->next;
	if (fake_chance(100) < luck)
		serve(call);
	else if (fake_chance(4))
		lose_answer(call);
	else
		fake_fail(call, AZ_UNREACHABLE, 0, "");
}

/* --- the driver --------------------------------------------------------------- */

static void send_request(unsigned int slot)
{
	t.done[slot] = false;
	io_queue_submit(&t.queue, &m.slot[slot].desc);
}

static void new_request(void)
{
	unsigned int slot = fake_chance(CDRIVE_QUEUE_DEPTH);
	uint32_t sectors = 1 + fake_chance(MOST);

	while (m.slot[slot].busy)
		slot = (slot + 1) % CDRIVE_QUEUE_DEPTH;
	m.busy++;
	m.slot[slot].busy = true;
	m.slot[slot].arrival = m.arrivals++;
	m.slot[slot].desc =
		(struct cdrive_descriptor){ .sector = fake_chance(SECTORS - sectors + 1),
					    .sectors = sectors,
					    .tag = slot,
					    .op = fake_chance(8) ? fake_chance(2) :
								   CDRIVE_OP_DISCARD };
	m.slot[slot].version = m.slot[slot].desc.op == CDRIVE_OP_WRITE ? ++m.versions : 0;
	memset(t.payload[slot], 0, MOST * 512);
	for (uint32_t i = 0; i < sectors; i++)
		memcpy(t.payload[slot] + i * 512ul, &m.slot[slot].version, 8);
	send_request(slot);
}

static void ended(unsigned int slot)
{
	const struct cdrive_descriptor *desc = &m.slot[slot].desc;

	assert_true(m.slot[slot].busy);
	assert_int_equal(t.status[slot], 0);
	for (uint64_t i = 0; i < desc->sectors; i++) {
		uint64_t s = desc->sector + i;

		if (desc->op == CDRIVE_OP_READ)
			assert_memory_equal(t.payload[slot] + i * 512, &m.acked[s], 8);
		else
			m.acked[s] = m.slot[slot].version;
		assert_int_equal(m.sector[s], m.acked[s]); /* it is durable */
	}
	m.slot[slot].busy = false;
	m.busy--;
}

/* What no request in hand may change is as it was acknowledged. */
static void nothing_landed_late(void)
{
	bool may_change[SECTORS] = { false };

	for (unsigned int slot = 0; slot < CDRIVE_QUEUE_DEPTH; slot++)
		for (uint64_t i = 0; m.slot[slot].busy && i < m.slot[slot].desc.sectors; i++)
			may_change[m.slot[slot].desc.sector + i] |= m.slot[slot].desc.op != 0;
	for (unsigned int s = 0; s < SECTORS; s++)
		if (!may_change[s])
			assert_int_equal(m.sector[s], m.acked[s]);
}

/* --- the helper's death --------------------------------------------------------- */

static void becomes_stray(struct az_call *call)
{
	if (call->kind == FAKE_PUT || call->kind == FAKE_CLEAR || call->kind == FAKE_RAISE) {
		struct stray s = sent(call);

		keep(&s);
	}
	free(call);
}

/* The next one raises the number (owner_resume()), and gets what was in flight. */
static void helper_dies(void)
{
	fake_cancelled = becomes_stray;
	io_queue_drop(&t.queue);
	owner_stop(&t.owner);
	fake_cancelled = NULL;
	m.deaths++;

	t.owner.state = OWNER_HELD;
	t.owner.raising_to = 0;
	m.number++;
	t.owner.number = m.number;
	owner_start(&t.owner);
	for (uint64_t next = 0; next < m.arrivals; next++)
		for (unsigned int slot = 0; slot < CDRIVE_QUEUE_DEPTH; slot++)
			if (m.slot[slot].busy && m.slot[slot].arrival == next)
				send_request(slot);
}

/* --- runs ----------------------------------------------------------------------- */

static void run(uint64_t seed, unsigned int luck, unsigned int deaths)
{
	unsigned int depth;

	setup(NULL);
	memset(&m, 0, sizeof(m));
	fake_seed = seed;
	m.number = NUMBER;
	t.ended = ended;
	t.store.connections = 1 + fake_chance(32);
	depth = 1 + fake_chance(40);
	owner_start(&t.owner);
	for (unsigned int step = 0; step < 1200; step++) {
		switch (fake_chance(8)) {
		case 0:
		case 1:
		case 2:
			if (m.busy < depth)
				new_request();
			break;
		case 3:
			land();
			break;
		case 4:
			fake_loop_next();
			break;
		default:
			if (fake_calls)
				answer_one(luck);
			break;
		}
		if (deaths && !fake_chance(deaths))
			helper_dies();
		nothing_landed_late();
	}
	/* Everything ends once the service does as it should. */
	for (unsigned int step = 0; m.busy; step++) {
		assert_true(step < 10000);
		if (fake_calls)
			answer_one(100);
		else
			assert_true(fake_loop_next());
		nothing_landed_late();
	}
	while (m.strays) {
		land();
		nothing_landed_late();
	}
	assert_int_equal(t.lost, 0);
	teardown(NULL);
}

static void nothing_lands_late(void **state)
{
	static const unsigned int luck[] = { 100, 95, 80, 50, 20 };
	unsigned int lost_answers = 0, landed = 0, refused = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		run(seed, luck[seed % 5], 0);
		lost_answers += m.lost_answers;
		landed += m.landed;
		refused += m.refused;
	}
	/* It did happen: strays that landed in time, and strays that could not. */
	assert_true(lost_answers > 1000);
	assert_true(landed > 100);
	assert_true(refused > 100);
}

static void nothing_lands_late_after_a_death(void **state)
{
	unsigned int deaths = 0, refused = 0;

	(void)state;
	for (uint64_t seed = 1000; seed < 1060; seed++) {
		run(seed, seed % 2 ? 90 : 60, 100);
		deaths += m.deaths;
		refused += m.refused;
	}
	assert_true(deaths > 100);
	assert_true(refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lands_late),
		cmocka_unit_test(nothing_lands_late_after_a_death),
	};

	return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
