// SPDX-License-Identifier: MIT
/*
 * blocks.c - entries, descriptions, one batch of changed blocks
 *
 * The checksum in an entry covers the block's data, its number, its slot, its
 * blob and which of its pages hold data; the description of a slot carries a tag
 * made of all that and of the entry.  Whatever bit flips, in the data, in an index
 * or in a description, the three don't fit together any more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "devstore/storage/engine.h"
#include "devstore/storage/crc.h"

uint32_t block_crc(uint64_t family, uint64_t block, uint32_t slot, uint8_t pages, const void *data)
{
	const uint64_t where[] = { family, block, (uint64_t)pages << 32 | slot };

	return crc32c(crc32c(0, where, sizeof(where)), data, BLOCK_BYTES);
}

uint64_t block_hole(const struct family *f, uint64_t block)
{
	const uint64_t where[] = { f->id, block };

	return ENTRY(HOLE_SLOT, crc32c(0, where, sizeof(where)));
}

/* --- descriptions: the pages, those written, and 16 bits of tag ------------------- */

static uint16_t tag(const struct family *f, uint64_t block, uint64_t entry, struct desc d)
{
	const uint64_t where[] = { f->id, block, entry, (uint64_t)d.changed << 8 | d.pages };
	uint32_t crc = crc32c(0, where, sizeof(where));

	return (uint16_t)(crc ^ crc >> 16);
}

static uint32_t packed(const struct family *f, uint64_t block, uint64_t entry, struct desc d)
{
	return (uint32_t)tag(f, block, entry, d) << 16 | (uint32_t)d.changed << 8 | d.pages;
}

int block_desc(const struct family *f, uint64_t block, uint64_t entry, struct desc *d)
{
	uint32_t v = table_get32(&f->desc, ENTRY_SLOT(entry));

	*d = (struct desc){ (uint8_t)v, (uint8_t)(v >> 8) };
	return d->pages && v == packed(f, block, entry, *d) ? 0 : -EBADMSG;
}

void block_set_desc(struct family *f, uint64_t block, uint64_t entry, struct desc d)
{
	table_set32(&f->desc, ENTRY_SLOT(entry), packed(f, block, entry, d));
}

/* --- entries -------------------------------------------------------------------------- */

/* The version that @v's blocks continue in, or NULL. */
static const struct storage_blob *after(const struct storage_blob *v)
{
	const struct family *f = v->family;

	if (v->at + 1 == f->n || f->versions[v->at + 1]->barrier)
		return NULL;
	return f->versions[v->at + 1];
}

int block_entry(const struct storage_blob *v, uint64_t block, uint64_t *entry)
{
	uint64_t e = 0;

	for (; v && !e; v = after(v)) {
		e = table_get64(&v->index, block);
		if (e && ENTRY_SLOT(e) == HOLE_SLOT) {
			*entry = 0;
			return e == block_hole(v->family, block) ? 0 : -EBADMSG;
		}
	}
	*entry = e;
	return !e || ENTRY_SLOT(e) ? 0 : -EBADMSG;
}

uint64_t block_next(const struct storage_blob *v, uint64_t block)
{
	uint64_t first = TABLE_NONE;

	for (; v; v = after(v)) {
		uint64_t at = table_next(&v->index, block * 8);

		if (at < first)
			first = at;
	}
	if (first == TABLE_NONE)
		return TABLE_NONE;
	return first / 8 > block ? first / 8 : block;
}

void blocks_unshare(struct storage_blob *v)
{
	struct table *t = &v->index;

	if (!after(v))
		return;
	for (uint64_t at = 0; (at = table_next(t, at)) != TABLE_NONE; at += TABLE_PAGE) {
		for (uint64_t b = at / 8; b < (at + TABLE_PAGE) / 8; b++) {
			uint64_t mine = table_get64(t, b), next;

			if (mine && !block_entry(after(v), b, &next) && next == mine)
				table_set64(t, b, 0);
		}
	}
}

/* --- a batch of changes ------------------------------------------------------------------ */

/*
 * New data goes to free slots; then the stamp, descriptions, the old entries to the
 * newest snapshot where it has none, and last the new entries, each a single store.  A
 * process that dies on the way leaves every block as it was or as it shall be,
 * and slots that no index names; or, between the last two steps, an entry that
 * snapshot and blob both have (blocks_unshare()).
 */
struct batch {
	struct storage *s;
	struct family *f;
	struct storage_blob *v, *snap;
	struct change *c;
	unsigned int n;
};

/* Finds out what is there now. */
static int look(const struct batch *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		struct change *c = &b->c[i];
		uint64_t below = b->snap ? table_get64(&b->snap->index, c->block) : 1;
		struct desc d = { 0 };

		c->old = table_get64(&b->v->index, c->block);
		c->push = !below;
		c->sound = c->old && !block_desc(b->f, c->block, c->old, &d);
		c->entry = 0;
		c->desc.pages = c->pages;
		c->desc.changed = c->push ? c->written : c->written | d.changed;
	}
	return 0;
}

static void give_back(const struct batch *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		if (b->c[i].entry)
			slots_give(b->s, b->f, ENTRY_SLOT(b->c[i].entry), true);
		b->c[i].entry = 0;
	}
}

/* Gives the changes from @i on a slot in a row each: how many of them got one. */
static int place(const struct batch *b, unsigned int i, uint32_t *slot)
{
	unsigned int want = 0;
	int n;

	while (i + want < b->n && want < BATCH_BLOCKS && b->c[i + want].pages)
		want++;
	n = slots_take(b->f, want, slot);
	for (int k = 0; k < n; k++) {
		struct change *c = &b->c[i + (unsigned int)k];

		c->entry = ENTRY(*slot + (uint32_t)k,
				 block_crc(b->f->id, c->block, *slot + (uint32_t)k, c->pages,
					   c->data));
	}
	return n;
}

static int write_run(const struct batch *b, unsigned int i, unsigned int n, uint32_t slot)
{
	struct iovec iov[BATCH_BLOCKS];
	int parts = 0;

	for (; n--; i++) {
		const unsigned char *data = b->c[i].data;

		if (parts &&
		    (char *)iov[parts - 1].iov_base + iov[parts - 1].iov_len == (char *)data)
			iov[parts - 1].iov_len += BLOCK_BYTES;
		else
			iov[parts++] = (struct iovec){ (void *)data, BLOCK_BYTES };
	}
	return writev_all(b->f->data_fd, iov, parts, (uint64_t)slot * BLOCK_BYTES);
}

/* Writes the data of all changes that have some. */
static int write_data(const struct batch *b)
{
	for (unsigned int i = 0; i < b->n;) {
		uint32_t slot;
		int n, rc;

		if (!b->c[i].pages) {
			i++;
			continue;
		}
		n = place(b, i, &slot);
		rc = n < 0 ? n : write_run(b, i, (unsigned int)n, slot);
		if (rc)
			return rc;
		i += (unsigned int)n;
	}
	return 0;
}

static int make_room(const struct batch *b)
{
	uint64_t first = b->c[0].block, len = (b->c[b->n - 1].block - first + 1) * 8;
	bool push = false;
	int rc = 0;

	for (unsigned int i = 0; i < b->n && !rc; i++) {
		push |= b->c[i].push;
		if (b->c[i].entry)
			rc = table_reserve(&b->f->desc, ENTRY_SLOT(b->c[i].entry) * 4ull, 4);
	}
	if (!rc)
		rc = table_reserve(&b->v->index, first * 8, len);
	if (!rc && push)
		rc = table_reserve(&b->snap->index, first * 8, len);
	return rc;
}

static uint64_t pushed(const struct batch *b, const struct change *c)
{
	return c->old ? c->old : block_hole(b->f, c->block);
}

static int to_journal(const struct batch *b)
{
	struct journal_block few[BATCH_BLOCKS * 2], *blocks = few;
	struct journal_record r = { .type = J_INDEX, .id = b->v->id, .arg = b->v->stamp_next };
	bool frees = true;
	uint32_t n = 0;
	int rc;

	if (b->n > BATCH_BLOCKS)
		blocks = reallocarray(NULL, b->n, 2 * sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;

	for (unsigned int i = 0; i < b->n; i++) {
		const struct change *c = &b->c[i];

		frees &= !c->push && !c->entry;
		if (c->push)
			blocks[n++] = (struct journal_block){ c->block, pushed(b, c), 0, 1 };
		blocks[n++] = (struct journal_block){
			c->block, c->entry,
			c->entry ? packed(b->f, c->block, c->entry, c->desc) : 0, 0
		};
	}
	r.parent = b->snap ? b->snap->id : 0;
	r.data_len = n * (uint32_t)sizeof(*blocks);
	rc = journal_append(&b->s->journal, r, (struct journal_body){ NULL, blocks }, frees, NULL);
	if (blocks != few)
		free(blocks);
	return rc;
}

static void switch_over(const struct batch *b)
{
	for (unsigned int i = 0; i < b->n; i++) {
		const struct change *c = &b->c[i];

		if (c->entry)
			block_set_desc(b->f, c->block, c->entry, c->desc);
		if (c->push)
			table_set64(&b->snap->index, c->block, pushed(b, c));
		table_set64(&b->v->index, c->block, c->entry);
	}
	/* A slot whose description doesn't fit may be somebody else's. */
	for (unsigned int i = 0; i < b->n; i++)
		if (b->c[i].sound && !b->c[i].push)
			slots_give(b->s, b->f, ENTRY_SLOT(b->c[i].old), false);
}

/* As much as was written now is what the next write may want to take. */
static void keep_for_next(const struct batch *b)
{
	unsigned int written = 0;

	for (unsigned int i = 0; i < b->n; i++)
		written += !!b->c[i].entry;
	if (written)
		b->f->slots.keep = written;
}

int blocks_change(struct storage *s, struct storage_blob *v, struct change *c, unsigned int n)
{
	struct family *f = v->family;
	struct batch b = { s, f, v, NULL, c, n };
	int rc = 0;

	if (v->at && !v->barrier)
		b.snap = f->versions[v->at - 1];
	if (f->data_fd < 0) {
		f->data_fd = object_open(s, f->id, "data", O_RDWR | O_CREAT);
		if (f->data_fd < 0)
			return f->data_fd;
	}
	f->dirty = true;
	look(&b);
	rc = write_data(&b);
	if (!rc)
		rc = make_room(&b);
	if (!rc && s->journalled)
		rc = to_journal(&b);
	else if (!rc && v->stamp_next)
		rc = family_write_stamp(v);
	if (rc) {
		give_back(&b);
		return rc;
	}
	if (v->stamp_next)
		v->stamp = v->stamp_next;
	v->stamp_next = 0;
	keep_for_next(&b);
	switch_over(&b);
	return 0;
}
