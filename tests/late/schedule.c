// SPDX-License-Identifier: MIT
#include "schedule.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct store_buffers buffers[MACHINES];

#define GRACE 20000u /* steps that an end may take, when nothing goes wrong any more */

static uint32_t chance(struct schedule *s, uint32_t below)
{
	s->dice = s->dice * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(s->dice >> 33) % below;
}

/* One in @n; never for 0. */
static bool one_in(struct schedule *s, uint32_t n)
{
	return n && !chance(s, n);
}

__attribute__((format(printf, 2, 3))) static void violated(struct schedule *s, const char *fmt, ...)
{
	va_list ap;

	if (s->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->violation, sizeof(s->violation), fmt, ap);
	va_end(ap);
}

static bool over(const struct schedule *s)
{
	return s->violation[0] || s->world->broken[0];
}

static unsigned int index_of(const struct machine *m)
{
	const struct schedule *s = m->arg;

	return (unsigned int)(m - s->machine);
}

/* --- what the blob may hold ----------------------------------------------------- */

static bool changes(const struct machine_slot *slot, unsigned int sector)
{
	return slot->busy && slot->desc.op != CDRIVE_OP_READ && sector >= slot->desc.sector &&
	       sector < slot->desc.sector + slot->desc.sectors;
}

/* Whether the buffer holds, or has held, that version. */
static bool was(const struct machine_slot *slot, uint64_t version)
{
	for (unsigned int i = 0; i < slot->olders; i++)
		if (slot->older[i] == version)
			return true;
	return slot->version == version;
}

/* What a machine that has not been taken over from has in flight may land. */
static bool in_flight(const struct schedule *s, unsigned int sector, uint64_t version)
{
	for (unsigned int i = 0; i < s->machines; i++) {
		const struct machine *m = &s->machine[i];

		for (unsigned int slot = 0; !m->usurped && slot < MACHINE_DEPTH; slot++)
			if (changes(&m->slot[slot], sector) && was(&m->slot[slot], version))
				return true;
	}
	return false;
}

static bool may_hold(const struct schedule *s, unsigned int sector, uint64_t version)
{
	if (version == s->acked[sector] || in_flight(s, sector, version))
		return true;
	for (unsigned int i = 0; i < s->maybe[sector].n; i++)
		if (version == s->maybe[sector].version[i])
			return true;
	return false;
}

/* One version, whole. */
static bool has_landed(const struct machine_slot *slot, const uint64_t version[LATE_SECTORS])
{
	uint64_t there = version[slot->desc.sector];

	for (uint64_t i = 0; i < slot->desc.sectors; i++)
		if (version[slot->desc.sector + i] != there)
			return false;
	return was(slot, there);
}

/* Before anything else happens.  False: nobody could look. */
static bool get_to_know(struct schedule *s)
{
	uint64_t version[LATE_SECTORS];

	if (!s->unknowns)
		return true;
	if (s->world->ops->look(s->world, version))
		return false;
	while (s->unknowns) {
		const struct machine_slot *slot = &s->unknown[--s->unknowns];

		if (!has_landed(slot, version))
			violated(
				s,
				"sector %llu holds version %lld, none of those that were acknowledged last",
				(unsigned long long)slot->desc.sector,
				(long long)version[slot->desc.sector]);
		for (unsigned int i = 0; i < slot->desc.sectors; i++)
			s->acked[slot->desc.sector + i] = version[slot->desc.sector];
	}
	return true;
}

/* Reads the blob past all machines, and compares.  False: that failed. */
static bool look(struct schedule *s, uint64_t version[LATE_SECTORS], const char *when)
{
	if (!get_to_know(s) || s->world->ops->look(s->world, version))
		return false;
	s->counts->looks++;
	for (unsigned int i = 0; i < LATE_SECTORS; i++) {
		if (may_hold(s, i, version[i]))
			continue;
		violated(s, "%s: sector %u holds version %lld, %lld was acknowledged last", when, i,
			 (long long)version[i], (long long)s->acked[i]);
		return false;
	}
	return true;
}

/* --- what machines tell ----------------------------------------------------------- */

static void usurp(struct schedule *s, struct machine *m, const uint64_t version[LATE_SECTORS])
{
	if (m->usurped || (m->state != MACHINE_LIVE && m->state != MACHINE_DEAD))
		return;
	m->usurped = true;
	s->counts->usurped++;
	for (unsigned int i = 0; i < MACHINE_DEPTH; i++)
		m->slot[i].landed = m->slot[i].busy && has_landed(&m->slot[i], version);
}

/* From here on the blob is @m's, and nobody else's writes land. */
static void settled(struct machine *m)
{
	struct schedule *s = m->arg;
	uint64_t version[LATE_SECTORS];

	if (m->usurped && m->resuming)
		violated(s, "machine %u resumed, though another had mounted the blob since",
			 index_of(m));
	m->usurped = false;
	if (!look(s, version, "when it was taken over"))
		return;
	for (unsigned int i = 0; i < s->machines; i++)
		if (&s->machine[i] != m)
			usurp(s, &s->machine[i], version);
	memcpy(s->acked, version, sizeof(s->acked));
	for (unsigned int i = 0; i < LATE_SECTORS; i++)
		s->maybe[i].n = 0;
}

static void read_ended(struct schedule *s, const struct machine *m, const struct machine_slot *slot)
{
	if (m->usurped) /* it may be stale: design.rst, "The lease and its deadline" */
		return;
	s->counts->reads++;
	for (unsigned int i = 0; i < slot->desc.sectors; i++) {
		uint64_t at = slot->desc.sector + i;
		uint64_t version = late_version(slot->data + i * (size_t)LATE_SECTOR);

		if (version != s->acked[at])
			violated(
				s,
				"machine %u read version %lld in sector %llu, %lld was acknowledged last",
				index_of(m), (long long)version, (unsigned long long)at,
				(long long)s->acked[at]);
	}
}

static void write_ended(struct schedule *s, const struct machine *m,
			const struct machine_slot *slot)
{
	if (m->usurped) {
		/* A discard of what holds nothing needs no service. */
		if (slot->desc.op == CDRIVE_OP_WRITE && !slot->landed)
			violated(
				s,
				"machine %u was told that version %lld is written, though it had lost the blob",
				index_of(m), (long long)slot->version);
		return;
	}
	s->counts->acked++;
	for (unsigned int i = 0; i < slot->desc.sectors; i++)
		s->acked[slot->desc.sector + i] = slot->version;
	if (!slot->olders)
		return;
	/* Which one of its versions it is must be looked up: from then on that one. */
	s->counts->scribbled++;
	if (s->unknowns < UNKNOWN_MOST)
		s->unknown[s->unknowns++] = *slot;
	else
		snprintf(s->world->broken, sizeof(s->world->broken), "UNKNOWN_MOST");
}

static void ended(struct machine *m, unsigned int slot, int status)
{
	struct schedule *s = m->arg;

	if (status)
		violated(s, "machine %u: a request failed with %d", index_of(m), status);
	else if (m->slot[slot].desc.op == CDRIVE_OP_READ)
		read_ended(s, m, &m->slot[slot]);
	else
		write_ended(s, m, &m->slot[slot]);
}

static void add_maybe(struct schedule *s, uint64_t sector, uint64_t version)
{
	__typeof__(&s->maybe[0]) maybe = &s->maybe[sector];

	if (maybe->n < MAYBE_MOST)
		maybe->version[maybe->n++] = version;
	else
		snprintf(s->world->broken, sizeof(s->world->broken), "MAYBE_MOST");
}

static void failed(struct machine *m, unsigned int slot)
{
	const struct machine_slot *t = &m->slot[slot];
	struct schedule *s = m->arg;

	if (m->usurped)
		return; /* it is known: see settled() */
	for (unsigned int i = 0; i < t->desc.sectors && t->desc.op != CDRIVE_OP_READ; i++) {
		add_maybe(s, t->desc.sector + i, t->version);
		for (unsigned int k = 0; k < t->olders; k++)
			add_maybe(s, t->desc.sector + i, t->older[k]);
	}
}

static const struct machine_ops machine_ops = {
	.settled = settled,
	.ended = ended,
	.failed = failed,
};

/* --- things that happen ------------------------------------------------------------- */

static void new_request(struct schedule *s)
{
	struct machine *m = &s->machine[chance(s, s->machines)];
	uint32_t sectors = 1 + chance(s, LATE_MOST), kind = chance(s, 16);
	uint32_t op = kind < 10 ? CDRIVE_OP_WRITE :
		      kind < 14 ? CDRIVE_OP_READ :
		      kind < 15 ? CDRIVE_OP_DISCARD :
				  CDRIVE_OP_WRITE_ZEROES;

	if (m->state != MACHINE_LIVE || m->busy >= s->depth)
		return;
	machine_submit(m, op, chance(s, LATE_SECTORS - sectors + 1), sectors,
		       op == CDRIVE_OP_WRITE ? ++s->versions : 0);
}

static void scribble(struct schedule *s)
{
	struct machine *m = &s->machine[chance(s, s->machines)];
	unsigned int slot = chance(s, MACHINE_DEPTH);

	for (unsigned int i = 0; i < MACHINE_DEPTH; i++, slot = (slot + 1) % MACHINE_DEPTH) {
		struct machine_slot *t = &m->slot[slot];

		if (!t->busy || t->desc.op != CDRIVE_OP_WRITE || t->olders == MACHINE_OLDER)
			continue;
		machine_scribble(m, slot, ++s->versions);
		return;
	}
}

static void deal(struct schedule *s)
{
	unsigned int n = s->world->ops->pending(s->world);
	enum fate fate = FATE_SERVE;

	if (!n)
		return;
	n = chance(s, n);
	/* A mount needs several calls to go well, one after the other. */
	if (s->phase == LATE_ALONG && chance(s, s->opening ? 300 : 100) < 100 - s->luck)
		fate = FATE_LOSE + chance(s, FATES - FATE_LOSE);
	if (fate == FATE_SERVE)
		s->counts->served++;
	else if (fate <= FATE_LOSE_BUSY)
		s->counts->lost++;
	else if (fate <= FATE_HOLD_SILENTLY)
		s->counts->held++;
	else
		s->counts->dropped++;
	s->world->ops->deal(s->world, n, fate);
}

static void release(struct schedule *s, unsigned int twice)
{
	unsigned int n = s->world->ops->strays(s->world);
	bool copy;

	if (!n)
		return;
	copy = one_in(s, twice);
	s->world->ops->release(s->world, chance(s, n), copy);
}

static void die(struct schedule *s)
{
	struct machine *m = &s->machine[chance(s, s->machines)];

	if (m->state != MACHINE_LIVE && m->state != MACHINE_OPENING)
		return;
	s->counts->deaths++;
	machine_die(m);
}

/* The service ends the lease of whoever has it. */
static void forget(struct schedule *s)
{
	struct machine *m = &s->machine[chance(s, s->machines)];

	if (m->state != MACHINE_LIVE && m->state != MACHINE_DEAD)
		return;
	s->counts->forgotten++;
	s->world->ops->forget(s->world, m->record.lease_id, chance(s, 2));
}

/* Somebody wants to mount, to resume or to unmount; see act(). */
static void take_turns(struct schedule *s)
{
	struct machine *m = &s->machine[chance(s, s->machines)];
	unsigned int up = 0;

	for (unsigned int i = 0; i < s->machines; i++)
		up += s->machine[i].state == MACHINE_LIVE || s->machine[i].state == MACHINE_DEAD;
	s->to_close = m->state == MACHINE_LIVE;
	if (s->to_close) {
		if (m->busy || !one_in(s, s->takeovers))
			return;
	} else if (m->state == MACHINE_DEAD) {
		if (!one_in(s, 8))
			return;
	} else if (!one_in(s, up ? s->takeovers : 4)) {
		return;
	}
	s->to_open = m;
	s->to_force = s->forces && chance(s, 4);
	s->stop = true;
}

static bool anybody_busy(const struct schedule *s)
{
	for (unsigned int i = 0; i < s->machines; i++)
		if (s->machine[i].busy)
			return true;
	return false;
}

static void step_to_the_end(struct schedule *s)
{
	if (++s->grace > GRACE)
		violated(s, "it comes to no end");
	else if (s->world->ops->pending(s->world))
		deal(s);
	else if (!s->opening && !anybody_busy(s))
		s->stop = true;
	else if (!s->world->ops->pass(s->world))
		violated(s, "it waits for nothing");
}

static void step_let_go(struct schedule *s)
{
	if (s->world->ops->pending(s->world))
		deal(s);
	else if (s->world->ops->strays(s->world))
		release(s, ++s->grace < GRACE ? 3 : 0);
	else
		s->stop = true;
}

static void step_along(struct schedule *s)
{
	uint64_t version[LATE_SECTORS];

	switch (chance(s, 16)) {
	case 0 ... 4:
		new_request(s);
		break;
	case 5 ... 6:
		release(s, 4);
		break;
	case 7:
		s->world->ops->pass(s->world);
		break;
	default:
		deal(s);
		break;
	}
	if (one_in(s, s->scribbles))
		scribble(s);
	if (one_in(s, s->deaths))
		die(s);
	if (one_in(s, s->forgets))
		forget(s);
	if (s->world->transparent || one_in(s, 50))
		look(s, version, "on the way");
	if (!s->opening)
		take_turns(s);
}

static void step(void *arg)
{
	struct schedule *s = arg;

	s->counts->steps++;
	if (!get_to_know(s))
		return;
	if (over(s)) {
		s->stop = true;
		s->world->ops->interrupt(s->world);
		return;
	}
	if (s->phase == LATE_ALONG && s->step++ >= s->steps) {
		s->phase = LATE_ENDING;
		s->stop = true;
		return;
	}
	if (s->phase == LATE_ALONG)
		step_along(s);
	else if (s->phase == LATE_ENDING)
		step_to_the_end(s);
	else
		step_let_go(s);
}

/* --- what is waited for --------------------------------------------------------------- */

static void open_or_close(struct schedule *s, struct machine *m, bool force)
{
	bool resumes = m->state == MACHINE_DEAD;
	int err = 0;

	s->opening = true;
	if (m->state == MACHINE_LIVE)
		machine_close(m);
	else
		err = machine_open(m, force);
	s->opening = false;
	if (m->state == MACHINE_LIVE && resumes)
		s->counts->resumed++;
	else if (m->state == MACHINE_LIVE)
		s->counts->opened++, s->counts->forced += force;
	else
		s->counts->failed += err < 0;
	/* Somebody else has it; or its agent tries no longer. */
	if (m->state == MACHINE_DEAD && (err == -2 || s->phase == LATE_ENDING || one_in(s, 4))) {
		s->counts->fenced++;
		machine_fence(m);
	}
}

static void run(struct schedule *s)
{
	s->stop = over(s);
	s->world->ops->run(s->world, &s->stop);
}

static void go_on(struct schedule *s)
{
	while (s->phase == LATE_ALONG && !over(s)) {
		struct machine *m = s->to_open;

		s->to_open = NULL;
		if (m && (m->state == MACHINE_LIVE) == s->to_close)
			open_or_close(s, m, s->to_force);
		if (s->phase == LATE_ALONG)
			run(s);
	}
}

/* Nothing goes wrong any more: whoever can go on does, and somebody can. */
static void come_to_an_end(struct schedule *s)
{
	unsigned int live = 0;

	s->phase = LATE_ENDING;
	for (unsigned int i = 0; i < s->machines && !over(s); i++)
		if (s->machine[i].state == MACHINE_DEAD)
			open_or_close(s, &s->machine[i], false);
	run(s);
	for (unsigned int i = 0; i < s->machines; i++)
		live += s->machine[i].state == MACHINE_LIVE && !s->machine[i].usurped;
	if (!live && !over(s))
		open_or_close(s, &s->machine[0], true);
	run(s);
	/* What is still under way lands now, if it can. */
	s->phase = LATE_LETTING_GO;
	run(s);
}

/* --- schedules ------------------------------------------------------------------------- */

/* What kind of history: of one machine or of several, with much or little luck. */
static void choose(struct schedule *s, uint64_t seed, unsigned int steps)
{
	static const unsigned int luck[] = { 95, 85, 70, 50 };

	s->dice = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned int i = 0; i < 4; i++)
		chance(s, 2);
	s->machines = 1 + chance(s, MACHINES);
	s->depth = 1 + chance(s, MACHINE_DEPTH);
	s->luck = luck[chance(s, 4)];
	s->steps = steps ? steps : 400 + chance(s, 560);
	s->deaths = chance(s, 2) ? 80 : 0;
	s->takeovers = s->machines > 1 ? 20 + chance(s, 100) : 0;
	s->scribbles = chance(s, 2) ? 10 : 0;
	s->forgets = chance(s, 4) ? 0 : 100;
	s->forces = s->machines > 1 || chance(s, 2);
	for (unsigned int i = 0; i < s->machines; i++) {
		s->machine[i].ops = &machine_ops;
		s->machine[i].arg = s;
		s->machine[i].world = s->world;
		s->machine[i].buffers = &buffers[i];
		s->machine[i].connections = 1 + chance(s, 32);
	}
}

const char *schedule_run(struct schedule *s, struct world *world, uint64_t seed, unsigned int steps)
{
	uint64_t version[LATE_SECTORS];

	memset(s, 0, sizeof(*s));
	s->world = world;
	s->counts = world->counts;
	world->step = step;
	world->arg = s;
	choose(s, seed, steps);
	s->counts->schedules++;
	s->to_open = &s->machine[0];
	go_on(s);
	come_to_an_end(s);
	if (!over(s))
		look(s, version, "in the end");
	if (s->machines == 1 && !s->forgets && !s->forces && s->machine[0].why[0])
		violated(s, "the only machine gave its drive up: %s", s->machine[0].why);
	for (unsigned int i = 0; i < s->machines; i++)
		machine_free(&s->machine[i]);
	return s->violation[0] ? s->violation : NULL;
}
