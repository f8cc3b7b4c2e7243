// SPDX-License-Identifier: MIT
/* ranges.c - which pages hold data, what differs between versions, copies */
#include <errno.h>
#include <stdlib.h>

#include "devstore/storage/engine.h"

#define COPY_BYTES (256u * 1024)

/* Pages of one kind in a row, put together until one of another kind comes. */
struct run {
	uint64_t start, end;
	bool cleared, stopped;
	bool (*each)(void *arg, uint64_t offset, uint64_t len, bool cleared);
	void *arg;
};

static void run_end(struct run *r)
{
	if (r->end > r->start && !r->stopped)
		r->stopped = !r->each(r->arg, r->start, r->end - r->start, r->cleared);
	r->start = r->end = 0;
}

static void run_add(struct run *r, uint64_t start, uint64_t end, bool cleared)
{
	if (r->end != start || r->cleared != cleared || r->end == r->start) {
		run_end(r);
		r->start = start;
		r->cleared = cleared;
	}
	r->end = end;
}

/* The pages of @block that are both of these masks and within [@from, @to). */
static void run_add_pages(struct run *r, uint64_t block, uint8_t data, uint8_t cleared,
			  uint64_t from, uint64_t to)
{
	for (unsigned int i = 0; i < BLOCK_PAGES; i++) {
		uint64_t at = block * BLOCK_BYTES + i * PAGE_BYTES;

		if (at >= from && at < to && (data | cleared) >> i & 1)
			run_add(r, at, at + PAGE_BYTES, cleared >> i & 1);
	}
}

static int pages_of(const struct storage_blob *v, uint64_t block, uint64_t *entry, uint8_t *pages)
{
	uint64_t left = block * BLOCK_BYTES < v->size ? v->size - block * BLOCK_BYTES : 0;
	struct desc d = { 0 };
	int rc = block_entry(v, block, entry);

	if (!rc && *entry)
		rc = block_desc(v->family, block, *entry, &d);
	/* What lies beyond a version's end is not its own but a later one's. */
	*pages = left < BLOCK_BYTES ? d.pages & ((1u << left / PAGE_BYTES) - 1) : d.pages;
	return rc;
}

static int check(const struct storage_blob *b, uint64_t offset, uint64_t len)
{
	if (b->dead || b->dying)
		return -ENOENT;
	if (offset % PAGE_BYTES || len % PAGE_BYTES || offset > b->size || len > b->size - offset)
		return -EINVAL;
	return family_load(b->s, b->family);
}

/* --- ranges ------------------------------------------------------------------------ */

static int ranges(const struct storage_blob *b, uint64_t offset, uint64_t end, struct run *r)
{
	uint64_t block = offset / BLOCK_BYTES;
	int rc = 0;

	while (!rc && !r->stopped && (block = block_next(b, block)) != TABLE_NONE &&
	       block * BLOCK_BYTES < end) {
		uint64_t entry;
		uint8_t pages;

		rc = pages_of(b, block, &entry, &pages);
		if (!rc)
			run_add_pages(r, block, pages, 0, offset, end);
		block++;
	}
	if (!rc)
		run_end(r);
	return rc;
}

struct plain {
	bool (*each)(void *arg, uint64_t offset, uint64_t len);
	void *arg;
};

static bool plain_each(void *arg, uint64_t offset, uint64_t len, bool cleared)
{
	const struct plain *p = arg;

	(void)cleared;
	return p->each(p->arg, offset, len);
}

int storage_ranges(struct storage_blob *b, uint64_t offset, uint64_t len,
		   bool (*each)(void *arg, uint64_t offset, uint64_t len), void *arg)
{
	struct plain p = { each, arg };
	struct run r = { .each = plain_each, .arg = &p };
	int rc = check(b, offset, len);

	return rc ? rc : ranges(b, offset, offset + len, &r);
}

/* --- what differs --------------------------------------------------------------------- */

/* Which pages of a block were written from @older to @b: what the slots on the way
 * say, each of what was written since the snapshot below it. */
static int written(const struct storage_blob *b, const struct storage_blob *older, uint64_t block,
		   uint8_t *pages)
{
	const struct family *f = b->family;

	*pages = 0;
	for (size_t i = older->at; i < b->at; i++) {
		const struct storage_blob *above = f->versions[i + 1];
		struct desc d = { 0 };
		uint64_t entry;
		int rc;

		if (above->barrier) {
			*pages = ALL_PAGES; /* replaced as a whole */
			return 0;
		}
		if (!table_get64(&f->versions[i]->index, block))
			continue;
		rc = block_entry(above, block, &entry);
		if (!rc && entry)
			rc = block_desc(f, block, entry, &d);
		if (rc)
			return rc;
		*pages |= d.changed;
	}
	return 0;
}

static int diff_block(const struct storage_blob *b, const struct storage_blob *older,
		      uint64_t block, uint8_t *data, uint8_t *cleared)
{
	uint64_t now, then;
	uint8_t has, had, changed;
	int rc = pages_of(b, block, &now, &has);

	if (!rc)
		rc = pages_of(older, block, &then, &had);
	if (!rc)
		rc = written(b, older, block, &changed);
	if (rc)
		return rc;
	/* What a page at the old end held no data of is not unwritten for that. */
	*data = has & (changed | (uint8_t)~had);
	*cleared = had & (uint8_t)~has;
	return 0;
}

static bool replaced(const struct storage_blob *b, const struct storage_blob *older)
{
	for (size_t i = older->at + 1; i <= b->at; i++)
		if (b->family->versions[i]->barrier)
			return true;
	return false;
}

/* The first block from @block on that may differ: one of which a version below @b
 * keeps what it was. */
static uint64_t next_changed(const struct storage_blob *b, const struct storage_blob *older,
			     uint64_t block)
{
	uint64_t first = TABLE_NONE;

	if (replaced(b, older)) {
		uint64_t x = block_next(b, block), y = block_next(older, block);

		return x < y ? x : y;
	}
	for (size_t i = older->at; i < b->at; i++) {
		uint64_t at = table_next(&b->family->versions[i]->index, block * 8);

		first = at < first ? at : first;
	}
	if (first == TABLE_NONE)
		return TABLE_NONE;
	return first / 8 > block ? first / 8 : block;
}

int storage_diff(struct storage_blob *b, struct storage_blob *older, uint64_t offset, uint64_t len,
		 bool (*each)(void *arg, uint64_t offset, uint64_t len, bool cleared), void *arg)
{
	struct run r = { .each = each, .arg = arg };
	uint64_t block = offset / BLOCK_BYTES;
	int rc = check(b, offset, len);

	if (!rc)
		rc = check(older, 0, 0);
	if (!rc && (older->family != b->family || older->at > b->at))
		rc = -EINVAL;
	while (!rc && !r.stopped && (block = next_changed(b, older, block)) != TABLE_NONE &&
	       block * BLOCK_BYTES < offset + len) {
		uint8_t data, cleared;

		rc = diff_block(b, older, block, &data, &cleared);
		if (!rc)
			run_add_pages(&r, block, data, cleared, offset, offset + len);
		block++;
	}
	if (!rc)
		run_end(&r);
	return rc;
}

/* --- copying ---------------------------------------------------------------------------- */

struct copying {
	struct storage_blob *to, *from;
	uint64_t position, left;
	unsigned char *buf;
	int rc;
};

/* One range of data, as far as @left goes, and the gap before it. */
static bool copy_range(void *arg, uint64_t offset, uint64_t len, bool cleared)
{
	struct copying *c = arg;

	(void)cleared;
	c->rc = storage_clear(c->to, c->position, offset - c->position);
	c->position = offset;
	while (!c->rc && len && c->left) {
		size_t n = COPY_BYTES - offset % COPY_BYTES;

		n = n < len ? n : len;
		n = n < c->left ? n : c->left;
		c->rc = storage_read(c->from, offset, c->buf, n);
		if (!c->rc)
			c->rc = storage_write(c->to, offset, c->buf, n);
		if (c->rc)
			break;
		offset += n, len -= n, c->left -= n;
		c->position = offset;
	}
	return !c->rc && c->left;
}

int storage_copy(struct storage_blob *to, struct storage_blob *from, uint64_t *position,
		 uint64_t max)
{
	struct copying c = { to, from, *position, max / PAGE_BYTES * PAGE_BYTES, NULL, 0 };
	struct run r = { .each = copy_range, .arg = &c };
	int rc = check(from, *position, 0);

	if (!rc && (to->size < from->size || !c.left))
		rc = -EINVAL;
	if (rc)
		return rc;
	c.buf = malloc(COPY_BYTES);
	if (!c.buf)
		return -ENOMEM;
	rc = ranges(from, *position, from->size, &r);
	if (!rc)
		rc = c.rc;
	if (!rc && !r.stopped) {
		rc = storage_clear(to, c.position, from->size - c.position);
		c.position = from->size;
	}
	*position = c.position;
	free(c.buf);
	return rc;
}
