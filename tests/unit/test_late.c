// SPDX-License-Identifier: MIT
/*
 * No write may land late (design.rst, "Rules that keep the data"): thousands of the
 * schedules of tests/late/schedule.h, with the service in memory.  It executes what it is sent,
 * refuses it by lease and number, loses answers, and executes what was lost at any
 * later time.  Unlike with a server, the blob is looked at after every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../late/schedule.h"
#include "fake_azure.h"
#include "fake_loop.h"

#define STRAYS 256u

/* A call that the service has, and whose end nobody waits for. */
struct stray {
	enum fake_kind kind;
	enum az_lease_action action;
	char lease_id[37];
	uint64_t first, n, number;
	uint64_t version[LATE_MOST];
};

static struct {
	struct world world;
	struct late_counts counts;
	uint64_t sector[LATE_SECTORS], number;
	enum { AVAILABLE, LEASED, EXPIRED, BROKEN } lease;
	char lease_id[37];
	struct stray stray[STRAYS];
	unsigned int strays;
	bool forgetful; /* a lease that was is answered for as if it had never been */
	bool unconditional; /* writes do not name a number */
	bool interrupted;
} m;

/* --- the service ---------------------------------------------------------------- */

static const char *execute_lease(const struct stray *s)
{
	bool mine = !strcmp(s->lease_id, m.lease_id);

	switch (s->action) {
	case AZ_LEASE_ACQUIRE:
		if (m.lease == LEASED && !mine)
			return "LeaseAlreadyPresent";
		break;
	case AZ_LEASE_RENEW:
		if (m.lease == AVAILABLE && m.forgetful)
			return "LeaseNotPresentWithLeaseOperation";
		if (m.lease == AVAILABLE || !mine)
			return "LeaseIdMismatchWithLeaseOperation";
		if (m.lease == BROKEN)
			return "LeaseIsBrokenAndCannotBeRenewed";
		break;
	case AZ_LEASE_RELEASE:
		if (m.lease == AVAILABLE || !mine)
			return "LeaseIdMismatchWithLeaseOperation";
		m.lease = AVAILABLE;
		return NULL;
	default:
		if (m.lease == AVAILABLE)
			return "LeaseNotPresentWithLeaseOperation";
		m.lease = BROKEN;
		return NULL;
	}
	m.lease = LEASED;
	memcpy(m.lease_id, s->lease_id, sizeof(m.lease_id));
	return NULL;
}

/* NULL, or the error.  Clearing is writing version 0. */
static const char *execute(const struct stray *s)
{
	bool write = s->kind == FAKE_PUT || s->kind == FAKE_CLEAR;

	if (s->kind == FAKE_LEASE)
		return execute_lease(s);
	if (s->lease_id[0] && m.lease != LEASED)
		return "LeaseNotPresentWithBlobOperation";
	if (s->lease_id[0] && strcmp(s->lease_id, m.lease_id) != 0)
		return "LeaseIdMismatchWithBlobOperation";
	if (!s->lease_id[0] && m.lease == LEASED && (write || s->kind == FAKE_RAISE))
		return "LeaseIdMissing";
	if (write && s->number != m.number && !m.unconditional)
		return "SequenceNumberConditionNotMet";
	if (s->kind == FAKE_RAISE)
		m.number = s->number > m.number ? s->number : m.number;
	for (uint64_t i = 0; write && i < s->n; i++)
		m.sector[s->first + i] = s->version[i];
	return NULL;
}

/* What was sent: the body is gone once the call has ended. */
static struct stray sent(const struct az_call *call)
{
	struct stray s = { .kind = call->kind,
			   .action = call->action,
			   .first = call->offset / LATE_SECTOR,
			   .n = call->len / LATE_SECTOR,
			   .number = call->number };

	memcpy(s.lease_id, call->lease_id, sizeof(s.lease_id));
	for (uint64_t i = 0; call->kind == FAKE_PUT && i < s.n; i++)
		s.version[i] = late_version(call->body + i * LATE_SECTOR);
	return s;
}

static void keep(const struct stray *s)
{
	if (m.strays < STRAYS)
		m.stray[m.strays++] = *s;
}

/* The body of an answer. */
static void say(const struct az_call *call)
{
	unsigned char data[LATE_MOST * LATE_SECTOR];

	for (uint64_t i = 0; call->kind == FAKE_GET && i < call->len / LATE_SECTOR; i++)
		late_fill(data + i * LATE_SECTOR, m.sector[call->offset / LATE_SECTOR + i]);
	if (call->kind == FAKE_GET)
		assert_int_equal(call->sink.write(call->sink.arg, data, call->len, 0), 0);
	for (uint64_t i = 0; call->kind == FAKE_RANGES && i < LATE_SECTORS; i++)
		if (m.sector[i])
			call->range(call->arg, i * LATE_SECTOR, LATE_SECTOR);
}

static void serve(struct az_call *call)
{
	struct stray s = sent(call);
	const char *error = execute(&s);

	if (error) {
		fake_fail(call, call->kind == FAKE_LEASE ? AZ_CONFLICT : AZ_PRECONDITION,
			  call->kind == FAKE_LEASE ? 409 : 412, error);
		return;
	}
	say(call);
	fake_ok_number(call, m.number);
}

/* --- the world ------------------------------------------------------------------- */

/* A repetition of other bytes is not sent. */
static unsigned int pending(struct world *w)
{
	struct az_call *call = fake_calls;

	(void)w;
	while (call) {
		if (!call->changed) {
			call = call->next;
			continue;
		}
		fake_changed(call);
		call = fake_calls;
	}
	return fake_in_flight;
}

static unsigned int strays(struct world *w)
{
	(void)w;
	return m.strays;
}

static void deal(struct world *w, unsigned int n, enum fate fate)
{
	static const enum az_class heard[FATES] = {
		[FATE_LOSE] = AZ_NO_RESPONSE, [FATE_LOSE_HALF] = AZ_CORRUPT,
		[FATE_LOSE_BUSY] = AZ_BUSY,   [FATE_HOLD] = AZ_NO_RESPONSE,
		[FATE_HOLD_BUSY] = AZ_BUSY,   [FATE_HOLD_SILENTLY] = AZ_NO_RESPONSE,
		[FATE_DROP] = AZ_UNREACHABLE, [FATE_DROP_BUSY] = AZ_BUSY,
	};
	struct az_call *call = fake_calls;
	struct stray s;

	(void)w;
	while (n--)
		call = call->next;
	if (fate == FATE_SERVE) {
		serve(call);
		return;
	}
	s = sent(call);
	if (fate <= FATE_LOSE_BUSY)
		execute(&s);
	else if (fate <= FATE_HOLD_SILENTLY)
		keep(&s);
	fake_fail(call, heard[fate], heard[fate] == AZ_BUSY ? 503 : 0, "");
}

static void release(struct world *w, unsigned int n, bool twice)
{
	const struct stray s = m.stray[n];
	const char *error = execute(&s);

	(void)w;
	if (s.kind == FAKE_PUT || s.kind == FAKE_CLEAR) {
		m.counts.released++;
		m.counts.landed += !error;
		m.counts.stale += error && !strncmp(error, "Seq", 3);
		m.counts.unleased += error && !strncmp(error, "Lease", 5);
	}
	if (twice)
		m.counts.twice++;
	else
		m.stray[n] = m.stray[--m.strays];
}

static bool pass(struct world *w)
{
	(void)w;
	return fake_loop_next();
}

static void run(struct world *w, const bool *until)
{
	while (!*until)
		w->step(w->arg);
}

static void interrupt(struct world *w)
{
	(void)w;
	m.interrupted = true;
}

static int look(struct world *w, uint64_t version[LATE_SECTORS])
{
	(void)w;
	memcpy(version, m.sector, sizeof(m.sector));
	return 0;
}

static void forget(struct world *w, const char *lease_id, bool expire)
{
	(void)w;
	if (m.lease == LEASED && expire)
		m.lease = EXPIRED;
	else if (!strcmp(lease_id, m.lease_id))
		m.lease = AVAILABLE;
}

static const struct world_ops world_ops = {
	.pending = pending,
	.deal = deal,
	.strays = strays,
	.release = release,
	.pass = pass,
	.run = run,
	.interrupt = interrupt,
	.look = look,
	.forget = forget,
};

/* --- in place of the library ------------------------------------------------------ */

int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	(void)loop;
	m.interrupted = false;
	while (!s->done && !m.interrupted)
		m.world.step(m.world.arg);
	return s->done ? 0 : -1;
}

struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint64_t len,
				   void (*range)(void *arg, uint64_t offset, uint64_t len),
				   az_done_fn done, void *arg)
{
	struct az_call *call = fake_of(c, fake_start(FAKE_RANGES, b, done, arg));

	(void)offset, (void)len;
	if (call)
		call->range = range;
	return call;
}

int az_client_new(struct az_client **out, struct loop *loop, const struct az_client_options *opt)
{
	(void)loop, (void)opt;
	*out = malloc(1); /* never looked into */
	return *out ? 0 : -ENOMEM;
}

void az_client_free(struct az_client *c)
{
	struct az_call *call, *next;

	for (call = fake_calls; call; call = next) {
		next = call->next;
		if (call->client == c)
			az_call_cancel(call);
	}
	free(c);
}

/* It had been sent. */
static void becomes_stray(struct az_call *call)
{
	struct stray s = sent(call);

	keep(&s);
	free(call);
}

/* --- runs --------------------------------------------------------------------------- */

static const char *history(uint64_t seed)
{
	static struct schedule schedule;

	fake_loop_reset(seed);
	fake_azure_reset();
	fake_cancelled = becomes_stray;
	memset(m.sector, 0, sizeof(m.sector));
	m.number = 0;
	m.lease = AVAILABLE;
	m.forgetful = seed % 2;
	m.lease_id[0] = '\0';
	m.strays = 0;
	m.world = (struct world){
		.ops = &world_ops, .loop = &fake_loop, .counts = &m.counts, .transparent = true
	};
	return schedule_run(&schedule, &m.world, seed, 0);
}

static void none_is_violated(uint64_t first, uint64_t count)
{
	memset(&m, 0, sizeof(m));
	for (uint64_t seed = first; seed < first + count; seed++) {
		const char *violation = history(seed);

		if (violation)
			fail_msg("seed %llu: %s", (unsigned long long)seed, violation);
		assert_string_equal(m.world.broken, "");
	}
}

static void nothing_lands_late(void **state)
{
	const struct late_counts *c = &m.counts;

	(void)state;
	none_is_violated(1, 5600);
	/* It did happen: strays that landed in time, and strays that could not. */
	assert_true(c->acked > 50000 && c->reads > 15000);
	assert_true(c->lost > 5000 && c->held > 5000);
	assert_true(c->landed > 1000 && c->stale > 4000 && c->unleased > 500);
	assert_true(c->twice > 1000 && c->resumed > 500 && c->usurped > 500);
	print_message(
		"# %llu acknowledged, %llu let go late: %llu landed, %llu stale, %llu unleased\n",
		(unsigned long long)c->acked, (unsigned long long)c->released,
		(unsigned long long)c->landed, (unsigned long long)c->stale,
		(unsigned long long)c->unleased);
}

/* The check would have seen it: without the number, there are violations. */
static void writes_without_a_number_land_late(void **state)
{
	unsigned int found = 0;
	uint64_t seed;

	(void)state;
	memset(&m, 0, sizeof(m));
	m.unconditional = true;
	for (seed = 1; seed <= 300; seed++) {
		const char *violation = history(seed);

		if (violation && !found++)
			print_message("# first with seed %llu: %s\n", (unsigned long long)seed,
				      violation);
	}
	assert_true(found >= 3);
}

static uint64_t first_seed, seeds;

static void chosen(void **state)
{
	(void)state;
	none_is_violated(first_seed, seeds);
}

/* test_late SEED [COUNT]: those schedules alone. */
int main(int argc, char **argv)
{
	const struct CMUnitTest one[] = { cmocka_unit_test(chosen) };
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_lands_late),
		cmocka_unit_test(writes_without_a_number_land_late),
	};

	if (argc > 1) {
		first_seed = strtoull(argv[1], NULL, 10);
		seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
		return cmocka_run_group_tests_name("late", one, NULL, NULL);
	}
	return cmocka_run_group_tests_name("late", tests, NULL, NULL);
}
