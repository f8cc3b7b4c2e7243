// SPDX-License-Identifier: MIT
#include "store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "report.h"

struct store *store_new(void)
{
	struct store *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t attr;

	if (s == MAP_FAILED)
		give_up("no memory for a store");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&s->lock, &attr);
	return s;
}

/* A process that was killed with the lock leaves an entry or a sector half done, of a
 * request that is carried out again. */
static void lock(struct store *s)
{
	if (pthread_mutex_lock(&s->lock) == EOWNERDEAD)
		pthread_mutex_consistent(&s->lock);
}

static void unlock(struct store *s)
{
	pthread_mutex_unlock(&s->lock);
}

void store_reset(struct store *s, unsigned int index)
{
	lock(s);
	s->index = index;
	s->epoch++;
	memset(s->now, 0, sizeof(s->now));
	memset(s->before, 0, sizeof(s->before));
	s->order = 0;
	s->last = 0;
	s->news = false;
	memset(s->data, 0, sizeof(s->data));
	unlock(s);
}

uint32_t store_take_over(struct store *s)
{
	uint32_t epoch;

	lock(s);
	epoch = ++s->epoch;
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		struct store_entry *e = &s->now[i];

		/* What did not come yet of the one before the last is still to come. */
		if (e->progress == STORE_OPEN || e->progress == STORE_ENDING)
			s->before[i] = *e;
		e->progress = STORE_NONE;
	}
	s->last = 0;
	s->news = false;
	unlock(s);
	return epoch;
}

static bool same(const struct cdrive_descriptor *a, const struct cdrive_descriptor *b)
{
	return a->sector == b->sector && a->sectors == b->sectors && a->op == b->op;
}

/* Whether @d is one that the last helper had, and now has its turn. */
static bool is_replay(struct store *s, struct store_entry *before,
		      const struct cdrive_descriptor *d)
{
	bool certain = before->progress == STORE_OPEN;

	if (before->progress == STORE_NONE)
		return false;
	if (!same(&before->d, d)) {
		if (certain)
			complain(
				"cdrive%u: slot %u had %u at %llu+%u, and is replayed as %u at %llu+%u",
				s->index, d->tag & CDRIVE_TAG_SLOT_MASK, before->d.op,
				before->d.sector, before->d.sectors, d->op, d->sector, d->sectors);
		return false;
	}
	if (before->order > s->last && !s->news)
		return true;
	if (certain)
		complain("cdrive%u: request %u of sector %llu is replayed after %s %u", s->index,
			 before->order, d->sector, s->news ? "new ones, and" : "request", s->last);
	return certain;
}

static bool is_valid(const struct cdrive_descriptor *d)
{
	return (d->tag & CDRIVE_TAG_SLOT_MASK) < CDRIVE_QUEUE_DEPTH && d->sectors &&
	       d->sector < STORE_SECTORS && d->sectors <= STORE_SECTORS - d->sector &&
	       d->op <= CDRIVE_OP_WRITE_ZEROES && !d->flags;
}

void store_arrived(struct store *s, uint32_t epoch, const struct cdrive_descriptor *d)
{
	unsigned int slot = d->tag & CDRIVE_TAG_SLOT_MASK;
	struct store_entry *e, *before;

	if (!is_valid(d)) {
		complain("cdrive%u: a request %u at %llu+%u, tag %#x", s->index, d->op, d->sector,
			 d->sectors, d->tag);
		return;
	}
	lock(s);
	e = &s->now[slot];
	before = &s->before[slot];
	if (epoch == s->epoch) {
		atomic_fetch_add(&s->requests, 1);
		if (e->progress == STORE_OPEN)
			complain("cdrive%u: slot %u is used again, its request is not done",
				 s->index, slot);
		e->d = *d;
		e->stored = false;
		e->sending = 0;
		if (is_replay(s, before, d)) {
			atomic_fetch_add(&s->replayed, 1);
			e->order = s->last = before->order;
		} else {
			e->order = ++s->order;
			s->news = true;
		}
		before->progress = STORE_NONE;
		e->progress = STORE_OPEN;
	}
	unlock(s);
}

/* Under the lock; NULL when it is no more. */
static struct store_entry *find(struct store *s, uint32_t epoch, uint32_t tag)
{
	struct store_entry *e = &s->now[tag & CDRIVE_TAG_SLOT_MASK];

	return epoch == s->epoch && e->d.tag == tag ? e : NULL;
}

bool store_carry_out(struct store *s, uint32_t epoch, const struct cdrive_descriptor *d,
		     unsigned char *buf)
{
	unsigned char *at = s->data + d->sector * SECTOR;
	size_t len = (size_t)d->sectors * SECTOR;
	struct store_entry *e;
	bool done;

	lock(s);
	e = find(s, epoch, d->tag);
	done = e && e->progress == STORE_OPEN;
	if (done && d->op == CDRIVE_OP_READ) {
		memcpy(buf, at, len);
	} else if (done && !e->stored) {
		e->stored = true;
		if (d->op == CDRIVE_OP_WRITE)
			memcpy(at, buf, len);
		else
			memset(at, 0, len);
	}
	unlock(s);
	return done;
}

bool store_progress(struct store *s, uint32_t epoch, uint32_t tag, enum store_progress progress)
{
	struct store_entry *e;

	lock(s);
	e = find(s, epoch, tag);
	if (e && progress == STORE_ENDING)
		e->sending++;
	else if (e && progress == STORE_OPEN)
		e->sending--;
	/* What one thread could not send, another may be sending, or have sent. */
	if (e && e->progress != STORE_DONE && (progress != STORE_OPEN || !e->sending))
		e->progress = progress;
	unlock(s);
	return e;
}
