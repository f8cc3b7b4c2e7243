// SPDX-License-Identifier: MIT
/*
 * pages.c - reading, writing and clearing pages
 *
 * Blocks are 4 KiB and change as a whole: part of one is read, verified and
 * written anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/storage/engine.h"

#define BEYOND ((uint64_t)UINT32_MAX * BLOCK_BYTES) /* of any blob's end */
#define SPAN_BLOCKS 512u /* so close lie a long clear's: in a page or two of the index */

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many blocks these bytes touch. */
static uint64_t blocks_in(uint64_t offset, uint64_t end)
{
	return offset < end ? (end - 1) / BLOCK_BYTES - offset / BLOCK_BYTES + 1 : 0;
}

/* The pages of @block within [@offset, @end). */
static uint8_t pages_within(uint64_t block, uint64_t offset, uint64_t end)
{
	uint64_t start = block * BLOCK_BYTES;
	uint64_t from = offset > start ? (offset - start) / PAGE_BYTES : 0;
	uint64_t to = end < start + BLOCK_BYTES ? (end - start) / PAGE_BYTES : BLOCK_PAGES;

	return (uint8_t)((ALL_PAGES >> (BLOCK_PAGES - to + from)) << from);
}

static int check(const struct storage_blob *b, uint64_t offset, uint64_t len, bool change)
{
	int rc;

	if (b->dead || b->dying)
		return -ENOENT;
	if (change && b->snapshot)
		return -EROFS;
	if (offset % PAGE_BYTES || len % PAGE_BYTES || offset > b->size || len > b->size - offset)
		return -EINVAL;
	if (!change)
		return family_load(b->s, b->family);
	rc = b->s->failure ? -EIO : storage_present_lately(b->s);
	if (!rc)
		rc = journal_tidy(b->s, false);
	return rc ? rc : family_load_to_change(b->s, b->family);
}

/* --- reading --------------------------------------------------------------------- */

/* A block that is there, verified. */
static int read_block(const struct family *f, uint64_t block, uint64_t entry, struct desc *d,
		      void *buf)
{
	uint32_t slot = ENTRY_SLOT(entry);
	int rc = block_desc(f, block, entry, d);

	if (!rc)
		rc = read_all(f->data_fd, buf, BLOCK_BYTES, (uint64_t)slot * BLOCK_BYTES);
	if (!rc && block_crc(f->id, block, slot, d->pages, buf) != ENTRY_CRC(entry))
		rc = -EBADMSG;
	return rc;
}

/* Part of a block. */
static int read_part(const struct storage_blob *b, uint64_t offset, void *buf, size_t len)
{
	unsigned char whole[BLOCK_BYTES];
	uint64_t entry;
	struct desc d;
	int rc = block_entry(b, offset / BLOCK_BYTES, &entry);

	if (!rc && !entry)
		memset(buf, 0, len);
	if (rc || !entry)
		return rc;
	rc = read_block(b->family, offset / BLOCK_BYTES, entry, &d, whole);
	if (!rc)
		memcpy(buf, whole + offset % BLOCK_BYTES, len);
	return rc;
}

/* Up to @max whole blocks that lie in a row in the file, or in no place at all, with
 * one read: how many. */
static int read_run(const struct storage_blob *b, uint64_t block, void *buf, unsigned int max)
{
	const struct family *f = b->family;
	uint64_t entries[BATCH_BLOCKS];
	unsigned int n = 1;
	int rc = block_entry(b, block, &entries[0]);

	if (rc)
		return rc;
	for (; n < max; n++) {
		rc = block_entry(b, block + n, &entries[n]);
		if (rc)
			return rc;
		if (ENTRY_SLOT(entries[n]) != (entries[0] ? ENTRY_SLOT(entries[0]) + n : 0))
			break;
	}
	if (!entries[0]) {
		memset(buf, 0, (size_t)n * BLOCK_BYTES);
		return (int)n;
	}
	rc = read_all(f->data_fd, buf, (size_t)n * BLOCK_BYTES,
		      (uint64_t)ENTRY_SLOT(entries[0]) * BLOCK_BYTES);
	for (unsigned int i = 0; i < n && !rc; i++) {
		const void *data = (char *)buf + (size_t)i * BLOCK_BYTES;
		struct desc d;

		rc = block_desc(f, block + i, entries[i], &d);
		if (!rc && block_crc(f->id, block + i, ENTRY_SLOT(entries[i]), d.pages, data) !=
				   ENTRY_CRC(entries[i]))
			rc = -EBADMSG;
	}
	return rc ? rc : (int)n;
}

int storage_read(struct storage_blob *b, uint64_t offset, void *buf, size_t len)
{
	unsigned char *p = buf, *end = p + len;
	int rc = check(b, offset, len, false);

	if (rc)
		return rc;
	while (p < end && rc >= 0) {
		size_t left = (size_t)(end - p), part = BLOCK_BYTES - offset % BLOCK_BYTES;

		if (part < BLOCK_BYTES || left < BLOCK_BYTES) {
			part = min64(part, left);
			rc = read_part(b, offset, p, part);
		} else {
			rc = read_run(b, offset / BLOCK_BYTES, p,
				      (unsigned int)min64(left / BLOCK_BYTES, BATCH_BLOCKS));
			part = rc < 0 ? 0 : (size_t)rc * BLOCK_BYTES;
		}
		p += part;
		offset += part;
	}
	if (rc < 0)
		memset(buf, 0, len); /* nothing of it, not even what was right */
	return rc < 0 ? rc : 0;
}

/* --- writing ----------------------------------------------------------------------- */

/* A batch with room for what is kept of a block that changes in part: the first and
 * the last. */
struct pages_batch {
	struct change *c, few[BATCH_BLOCKS];
	unsigned int n, cap, span, partial;
	unsigned char kept[2][BLOCK_BYTES];
};

/* For changes within @blocks in a row.  All of them become one, unless they are a
 * great many. */
static int batch_init(struct pages_batch *batch, uint64_t blocks)
{
	bool whole = blocks <= WHOLE_BLOCKS;

	batch->cap = whole ? (unsigned int)blocks : BATCH_BLOCKS;
	batch->span = whole ? WHOLE_BLOCKS : SPAN_BLOCKS;
	batch->n = batch->partial = 0;
	batch->c = batch->cap <= BATCH_BLOCKS ? batch->few :
						reallocarray(NULL, batch->cap, sizeof(*batch->c));
	return batch->c ? 0 : -ENOMEM;
}

static void batch_free(struct pages_batch *batch)
{
	if (batch->c != batch->few)
		free(batch->c);
}

static int flush(struct storage_blob *b, struct pages_batch *batch)
{
	int rc = batch->n ? blocks_change(b->s, b, batch->c, batch->n) : 0;

	batch->n = batch->partial = 0;
	return rc;
}

/* Pages @pages of a block change to @data (at its first page), or to nothing. */
static int add_part(struct storage_blob *b, struct pages_batch *batch, uint64_t block,
		    uint8_t pages, const unsigned char *data)
{
	struct change *c = &batch->c[batch->n];
	unsigned char *kept = batch->kept[batch->partial++];
	size_t from = (size_t)__builtin_ctz(pages) * PAGE_BYTES;
	size_t len = (size_t)__builtin_popcount(pages) * PAGE_BYTES;
	struct desc d = { 0 };
	uint64_t entry;
	int rc = block_entry(b, block, &entry);

	if (!rc && entry)
		rc = read_block(b->family, block, entry, &d, kept);
	if (rc)
		return rc;
	if (!entry)
		memset(kept, 0, BLOCK_BYTES);
	if (data)
		memcpy(kept + from, data, len);
	else
		memset(kept + from, 0, len);
	*c = (struct change){ .block = block, .data = kept, .written = data ? pages : 0 };
	c->pages = data ? d.pages | pages : d.pages & ~pages;
	/* Clearing what is clear changes nothing. */
	batch->n += data || c->pages != d.pages;
	return 0;
}

static int add(struct storage_blob *b, struct pages_batch *batch, uint64_t block, uint8_t pages,
	       const unsigned char *data)
{
	int rc = 0;

	if (batch->n == batch->cap || (pages != ALL_PAGES && batch->partial == 2) ||
	    (batch->n && block - batch->c[0].block >= batch->span))
		rc = flush(b, batch);
	if (rc)
		return rc;
	if (pages != ALL_PAGES)
		return add_part(b, batch, block, pages, data);
	batch->c[batch->n++] = (struct change){ .block = block,
						.data = data,
						.pages = data ? ALL_PAGES : 0,
						.written = data ? ALL_PAGES : 0 };
	return 0;
}

/* Changes were made or were none: the stamp is not the next one's. */
static int ended(struct storage_blob *b, int rc)
{
	b->stamp_next = 0;
	return rc;
}

int storage_write(struct storage_blob *b, uint64_t offset, const void *data, size_t len)
{
	const unsigned char *p = data;
	struct pages_batch batch;
	uint64_t end = offset + len;
	int rc = check(b, offset, len, true);

	if (!rc)
		rc = batch_init(&batch, blocks_in(offset, end));
	if (rc)
		return ended(b, rc);
	for (uint64_t at = offset; at < end && !rc;) {
		uint64_t next = min64((at / BLOCK_BYTES + 1) * BLOCK_BYTES, end);

		rc = add(b, &batch, at / BLOCK_BYTES, pages_within(at / BLOCK_BYTES, at, end), p);
		p += next - at;
		at = next;
	}
	if (!rc)
		rc = flush(b, &batch);
	batch_free(&batch);
	return ended(b, rc);
}

/* Clears without asking where the blob ends. */
static int clear(struct storage_blob *b, uint64_t offset, uint64_t end)
{
	uint64_t last = end / BLOCK_BYTES + !!(end % BLOCK_BYTES);
	struct pages_batch batch;
	int rc = batch_init(&batch, blocks_in(offset, end));

	if (rc)
		return rc;
	for (uint64_t block = offset / BLOCK_BYTES; !rc; block++) {
		uint64_t at = table_next(&b->index, block * 8);

		if (at != TABLE_NONE && at / 8 > block)
			block = at / 8;
		if (at == TABLE_NONE || block >= last)
			break;
		if (table_get64(&b->index, block))
			rc = add(b, &batch, block, pages_within(block, offset, end), NULL);
	}
	if (!rc)
		rc = flush(b, &batch);
	batch_free(&batch);
	if (rc)
		return rc;
	table_discard(&b->index, offset / BLOCK_BYTES * 8, (last - offset / BLOCK_BYTES) * 8, true);
	slots_trim(b->family);
	return 0;
}

int storage_clear(struct storage_blob *b, uint64_t offset, uint64_t len)
{
	struct journal_record r = { .type = J_STAMP, .id = b->id };
	int rc = check(b, offset, len, true);

	if (!rc && len)
		rc = clear(b, offset, offset + len);
	/* There was nothing to be cleared. */
	r.arg = b->stamp_next;
	if (!rc && r.arg)
		rc = record(b->s, r, NULL, (struct storage_meta){ 0 });
	return ended(b, rc);
}

int pages_clear_beyond(struct storage_blob *v)
{
	uint64_t whole = (v->size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
	int rc = clear(v, v->size, whole);

	/* A last block that is damaged stays so, and is never read. */
	if (rc && rc != -EBADMSG)
		return rc;
	return clear(v, whole, BEYOND);
}

int storage_resize(struct storage_blob *b, uint64_t size, const struct storage_meta *meta)
{
	struct journal_record r = { .type = J_SIZE, .id = b->id, .arg = size };
	uint64_t old = b->size;
	int rc = check(b, 0, 0, true);

	if (!rc && (size % PAGE_BYTES || size > BLOB_MAX))
		rc = -EINVAL;
	if (rc || (size == old && !meta))
		return rc;
	rc = record(b->s, r, NULL, meta ? *meta : (struct storage_meta){ 0 });
	/* From here on the new size holds; what lies beyond it goes now, or if that
	 * fails, before the blob is next changed. */
	if (!rc && size < old && pages_clear_beyond(b))
		b->family->unfinished = true;
	return rc;
}
