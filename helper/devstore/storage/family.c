// SPDX-License-Identifier: MIT
/*
 * family.c - a blob's files
 *
 * Opened when the blob is first used and closed when many others were used since.
 * Only what changes a blob needs to know its free slots, and first finishes what
 * a death may have left: a deleted version's blocks, blocks beyond a new end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devstore/storage/crc.h"
#include "devstore/storage/engine.h"

#define LOADED_MAX 64u /* at most four descriptors each */

void family_unload(struct storage *s, struct family *f)
{
	for (size_t i = 0; i < s->loaded_n; i++) {
		if (s->loaded[i] == f) {
			s->loaded[i] = s->loaded[--s->loaded_n];
			break;
		}
	}
	for (size_t i = 0; i < f->n; i++)
		table_close(&f->versions[i]->index);
	table_close(&f->desc);
	slots_forget(f);
	if (f->data_fd >= 0)
		close(f->data_fd);
	f->data_fd = -1;
	f->loaded = false;
	f->dirty = false;
}

static bool unsynced(const struct family *f)
{
	bool any = f->dirty || f->desc.unsynced || f->slots.limbo[0].n || f->slots.limbo[1].n;

	for (size_t i = 0; i < f->n; i++)
		any |= f->versions[i]->index.unsynced;
	return any;
}

int family_sync(struct family *f)
{
	int rc = table_sync(&f->desc);

	for (size_t i = 0; i < f->n && !rc; i++)
		rc = table_sync(&f->versions[i]->index);
	return rc;
}

/* --- the stamp ---------------------------------------------------------------------- */

/*
 * At the start of the data file, where no block is: what the last change of pages
 * brought along.  The journal of a durable storage has it, with the change; else it
 * is written here first, and the journal has it only in the end.
 */
struct stamp {
	uint64_t version, value;
	uint32_t crc; /* of these, and the blob's number */
	uint32_t zero;
};

static uint32_t stamp_crc(const struct family *f, const struct stamp *st)
{
	return crc32c(crc32c(0, &f->id, sizeof(f->id)), st, offsetof(struct stamp, crc));
}

int family_write_stamp(const struct storage_blob *v)
{
	struct stamp st = { .version = v->id, .value = v->stamp_next };

	st.crc = stamp_crc(v->family, &st);
	return write_all(v->family->data_fd, &st, sizeof(st), 0);
}

static int read_stamp(struct storage *s, struct family *f)
{
	struct storage_blob *v = family_live(f);
	struct stamp st = { 0 };
	int fd = v ? object_open(s, f->id, "data", O_RDONLY) : -ENOENT;
	int rc;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	rc = read_all(fd, &st, sizeof(st), 0);
	close(fd);
	if (!rc && st.version == v->id && st.crc == stamp_crc(f, &st) && st.value > v->stamp)
		v->stamp = st.value;
	return rc == -EBADMSG ? 0 : rc; /* an empty file */
}

int families_read_stamps(struct storage *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->containers[i]->n && !rc; k++)
			rc = read_stamp(s, s->containers[i]->families[k]);
	return rc;
}

/* --- opened and closed -------------------------------------------------------------- */

static void unload_oldest(struct storage *s)
{
	struct family *oldest = NULL;

	for (size_t i = 0; i < s->loaded_n; i++) {
		struct family *f = s->loaded[i];

		if ((!oldest || f->used < oldest->used) && !(s->journalled && unsynced(f)))
			oldest = f;
	}
	if (oldest && !(s->durable && family_sync(oldest)))
		family_unload(s, oldest);
}

static int make_room(struct storage *s)
{
	struct family **bigger;
	size_t cap;

	if (s->loaded_n >= LOADED_MAX)
		unload_oldest(s);
	/* All have something to sync: a rewrite of the journal does that. */
	if (s->loaded_n >= LOADED_MAX && s->journalled && !journal_compact(s))
		unload_oldest(s);
	if (s->loaded_n < s->loaded_cap)
		return 0;
	cap = s->loaded_cap * 2 + 8;
	bigger = realloc(s->loaded, cap * sizeof(struct family *));
	if (!bigger)
		return -ENOMEM;
	s->loaded = bigger;
	s->loaded_cap = cap;
	return 0;
}

int family_load(struct storage *s, struct family *f)
{
	int rc;

	f->used = ++s->clock;
	if (f->loaded)
		return 0;
	/* A file that is not there is an empty blob's, if others are. */
	rc = s->replaying ? 0 : storage_present(s);
	if (!rc)
		rc = make_room(s);
	if (rc)
		return rc;
	s->loaded[s->loaded_n++] = f;
	f->loaded = f->unfinished = true;
	f->data_fd = object_open(s, f->id, "data", O_RDWR);
	if (f->data_fd < 0 && f->data_fd != -ENOENT)
		rc = f->data_fd;
	if (!rc)
		rc = table_use(&f->desc);
	for (size_t i = 0; i < f->n && !rc; i++)
		rc = table_use(&f->versions[i]->index);
	if (rc)
		family_unload(s, f);
	return rc;
}

/* What a death, or a full disk, has left undone. */
static int finish(struct storage *s, struct family *f)
{
	int reaped = family_reap(s, f);
	int rc = family_live(f) ? pages_clear_beyond(family_live(f)) : 0;

	f->unfinished = rc || reaped;
	return s->failure ? -EIO : rc; /* versions that should go can wait */
}

int family_load_to_change(struct storage *s, struct family *f)
{
	int rc = s->failure ? -EIO : family_load(s, f);

	if (!rc)
		rc = slots_know(s, f);
	return !rc && f->unfinished ? finish(s, f) : rc;
}

/* --- what a deleted version leaves ----------------------------------------------- */

/*
 * The blocks of a version that goes: what the snapshot below it saw through it
 * moves there, what nobody needs is given up once the version is gone.  Every
 * step can be done again after a death in the middle: until J_GONE is in the
 * journal, a slot may be named by both indexes, which the comparison shows.
 */
struct reaping {
	struct storage *s;
	struct family *f;
	struct storage_blob *v, *below, *above;
};

typedef int (*reap_fn)(const struct reaping *r, uint64_t block, uint64_t entry);

static int for_each_entry(const struct reaping *r, reap_fn fn)
{
	const struct table *t = &r->v->index;

	for (uint64_t at = 0; (at = table_next(t, at)) != TABLE_NONE; at += TABLE_PAGE) {
		for (uint64_t b = at / 8; b < (at + TABLE_PAGE) / 8; b++) {
			uint64_t entry = table_get64(t, b);
			int rc = entry ? fn(r, b, entry) : 0;

			if (rc)
				return rc;
		}
	}
	return 0;
}

/* Where the version above has a block of its own, written over this one, what was
 * written into this one counts as written there. */
static void hand_up(const struct reaping *r, uint64_t block, uint64_t entry)
{
	struct desc mine, theirs;
	uint64_t e;

	if (!r->above || block_desc(r->f, block, entry, &mine) ||
	    block_entry(r->above, block, &e) || !e || e == entry ||
	    block_desc(r->f, block, e, &theirs))
		return;
	theirs.changed |= mine.changed;
	block_set_desc(r->f, block, e, theirs);
}

static int hand_on(const struct reaping *r, uint64_t block, uint64_t entry)
{
	uint64_t has = r->below ? table_get64(&r->below->index, block) : entry;
	int rc;

	if (has) {
		if (has != entry)
			hand_up(r, block, entry);
		return 0;
	}
	rc = table_reserve(&r->below->index, block * 8, 8);
	if (!rc)
		table_set64(&r->below->index, block, entry);
	return rc;
}

static int give_up(const struct reaping *r, uint64_t block, uint64_t entry)
{
	struct desc d;

	if ((r->below && table_get64(&r->below->index, block) == entry) ||
	    ENTRY_SLOT(entry) == HOLE_SLOT || block_desc(r->f, block, entry, &d))
		return 0;
	slots_give(r->s, r->f, ENTRY_SLOT(entry), false);
	return 0;
}

/* What moved is in no record: it must be on the disk before J_GONE can be. */
static int sync_moved(const struct reaping *r)
{
	int rc = table_apply(&r->f->desc);

	if (!rc && r->below)
		rc = table_apply(&r->below->index);
	if (!rc)
		rc = family_sync(r->f);
	return rc ? rc : objects_sync(r->s);
}

static int reap(const struct reaping *r)
{
	struct journal_record gone = { .type = J_GONE, .id = r->v->id };
	uint64_t at;
	int rc;

	r->f->dirty = true;
	rc = for_each_entry(r, hand_on);
	if (!rc && r->s->journalled)
		rc = sync_moved(r);
	if (!rc)
		rc = journal_append(&r->s->journal, gone, (struct journal_body){ 0 }, true, &at);
	if (rc)
		return rc;
	for_each_entry(r, give_up);
	rc = storage_commit(r->s);
	if (!rc)
		rc = catalog_take(r->s, &gone, NULL, at);
	return rc;
}

static struct storage_blob *first_dying(const struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->versions[i]->dying)
			return f->versions[i];
	return NULL;
}

int family_reap(struct storage *s, struct family *f)
{
	struct storage_blob *v;
	int rc = s->failure ? -EIO : family_load(s, f);

	if (!rc)
		rc = slots_know(s, f);
	/* What moves between indexes is in no record: those from before must not be
	 * applied on top of it. */
	if (!rc && (s->journalled || s->crowded) && first_dying(f))
		rc = journal_compact(s);
	while (!rc && (v = first_dying(f))) {
		struct reaping r = { s, f, v, NULL, NULL };

		if (v->at && !v->barrier)
			r.below = f->versions[v->at - 1];
		if (v->at + 1 < f->n && !f->versions[v->at + 1]->barrier)
			r.above = f->versions[v->at + 1];
		rc = reap(&r);
	}
	slots_trim(f);
	f->unfinished |= !!rc;
	return rc;
}
