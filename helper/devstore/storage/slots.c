// SPDX-License-Identifier: MIT
/*
 * slots.c - places in a blob's data file
 *
 * Which slots are free is written nowhere: it is what no index names, and found
 * by reading them when a blob is first changed.  A slot that is given up keeps
 * its disk space for a while, to be taken again by the next write, and is punched
 * out of the file when too many such wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/storage/engine.h"

#define DIRTY_MAX 256u /* slots, 1 MiB */
#define GROW 64u /* slots the sets grow by, at least */

static void mark_used(const struct family *f, const struct table *index, struct bits *used)
{
	for (uint64_t at = 0; (at = table_next(index, at)) != TABLE_NONE; at += TABLE_PAGE) {
		for (unsigned int i = 0; i < TABLE_PAGE / 8; i++) {
			uint32_t slot = ENTRY_SLOT(table_get64(index, at / 8 + i));

			/* One beyond the file is damage, seen when it is read. */
			if (slot && slot < f->slots.n)
				bits_add(used, slot);
		}
	}
}

/* Gives the disk space of free slots back. */
static void punch(struct storage *s, struct family *f)
{
	struct slots *sl = &f->slots;
	size_t at = 0;

	while (!s->no_punch && (at = bits_next(&sl->dirty, at)) != BITS_NONE) {
		size_t n = bits_run(&sl->dirty, at, SIZE_MAX);

		if (fallocate(f->data_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)at * BLOCK_BYTES, (off_t)n * BLOCK_BYTES))
			s->no_punch = errno == EOPNOTSUPP;
		table_discard(&f->desc, at * 4, n * 4, false);
		for (size_t i = 0; i < n; i++)
			bits_del(&sl->dirty, at + i);
		at += n;
	}
}

int slots_know(struct storage *s, struct family *f)
{
	struct slots *sl = &f->slots;
	struct bits used = { 0 };
	struct stat st = { 0 };
	int rc = 0;

	if (sl->known)
		return 0;
	if (f->data_fd >= 0 && fstat(f->data_fd, &st))
		return -errno;
	sl->n = (uint32_t)((st.st_size + BLOCK_BYTES - 1) / BLOCK_BYTES);
	if (!sl->n)
		sl->n = 1;
	for (size_t i = f->n; i--;)
		blocks_unshare(f->versions[i]);
	rc = bits_grow(&used, sl->n);
	for (size_t i = 0; i < f->n && !rc; i++)
		mark_used(f, &f->versions[i]->index, &used);
	if (!rc)
		rc = bits_grow(&sl->free, sl->n);
	if (!rc)
		rc = bits_grow(&sl->dirty, sl->n);
	for (uint32_t i = 1; i < sl->n && !rc; i++) {
		if (bits_has(&used, i))
			continue;
		bits_add(&sl->free, i);
		bits_add(&sl->dirty, i);
	}
	bits_free(&used);
	sl->known = !rc;
	if (!rc && sl->dirty.count > DIRTY_MAX)
		punch(s, f);
	return rc;
}

int slots_take(struct family *f, uint32_t want, uint32_t *first)
{
	struct slots *sl = &f->slots;
	struct bits *from = sl->dirty.count ? &sl->dirty : &sl->free;
	size_t at, n;
	int rc;

	if (from->count) {
		at = bits_next(from, sl->cursor);
		if (at == BITS_NONE)
			at = bits_next(from, 0);
		n = bits_run(from, at, want);
		for (size_t i = 0; i < n; i++) {
			bits_del(&sl->free, at + i);
			bits_del(&sl->dirty, at + i);
		}
		*first = (uint32_t)at;
		sl->cursor = at + n;
		return (int)n;
	}
	if (want >= HOLE_SLOT - sl->n)
		return -ENOSPC;
	rc = bits_grow(&sl->free, sl->n + want + GROW);
	if (!rc)
		rc = bits_grow(&sl->dirty, sl->n + want + GROW);
	if (rc)
		return rc;
	*first = sl->n;
	sl->n += want;
	return (int)want;
}

static void release(struct storage *s, struct family *f, uint32_t slot)
{
	bits_add(&f->slots.free, slot);
	bits_add(&f->slots.dirty, slot);
	if (f->slots.dirty.count > (f->slots.keep > DIRTY_MAX ? f->slots.keep : DIRTY_MAX))
		punch(s, f);
}

void slots_give(struct storage *s, struct family *f, uint32_t slot, bool now)
{
	struct limbo *l = &f->slots.limbo[0];

	if (now || !s->journalled) {
		release(s, f, slot);
		return;
	}
	if (l->n == l->cap) {
		size_t cap = l->cap * 2 + 64;
		uint32_t *bigger = realloc(l->slots, cap * sizeof(*bigger));

		if (!bigger)
			return; /* found again when the blob is next opened */
		l->slots = bigger;
		l->cap = cap;
	}
	l->slots[l->n++] = slot;
}

void slots_committed(struct storage *s, struct family *f)
{
	struct slots *sl = &f->slots;

	struct limbo old = sl->limbo[1];

	/* A record that names a slot may have been committed without the disk knowing
	 * so yet, and then recovery looks whether the slot has what it says: only the
	 * commit after that one makes it free. */
	for (size_t i = 0; i < old.n; i++)
		release(s, f, old.slots[i]);
	old.n = 0;
	sl->limbo[1] = sl->limbo[0];
	sl->limbo[0] = old;
}

void slots_trim(struct family *f)
{
	struct slots *sl = &f->slots;

	/* But for the place of the stamp. */
	if (sl->known && sl->n > 1 && sl->free.count == sl->n - 1 &&
	    !ftruncate(f->data_fd, BLOCK_BYTES)) {
		slots_forget(f);
		sl->known = true;
		sl->n = 1;
	}
}

void slots_forget(struct family *f)
{
	bits_free(&f->slots.free);
	bits_free(&f->slots.dirty);
	free(f->slots.limbo[0].slots);
	free(f->slots.limbo[1].slots);
	f->slots = (struct slots){ 0 };
}
