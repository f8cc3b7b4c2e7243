// SPDX-License-Identifier: GPL-2.0-only
#include "chunks.h"

#include <linux/mm.h>
#include <linux/slab.h>

bool cdrive_chunks_init(struct cdrive_chunks *chunks)
{
	chunks->count = 0;
	chunks->buckets = 1;
	chunks->room = CDRIVE_CHUNKS_FIRST;
	chunks->tables[0] = kvcalloc(CDRIVE_CHUNKS_FIRST, sizeof(u32), GFP_KERNEL);
	return chunks->tables[0];
}

void cdrive_chunks_free(struct cdrive_chunks *chunks)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_CHUNKS_TABLES; i++)
		kvfree(chunks->tables[i]);
}

u32 cdrive_chunks_wants(const struct cdrive_chunks *chunks)
{
	if (chunks->count < chunks->room || chunks->room >= CDRIVE_CACHE_MAX_SLOTS)
		return 0;
	return chunks->room;
}

/* Which of the tables a bucket's head is in: 0 is as large as 1. */
static unsigned int cdrive_chunks_table(u32 bucket)
{
	return bucket < CDRIVE_CHUNKS_FIRST ? 0 : ilog2(bucket / CDRIVE_CHUNKS_FIRST) + 1;
}

bool cdrive_chunks_add_table(struct cdrive_chunks *chunks, u32 *table, u32 heads)
{
	if (chunks->room != heads)
		return false;
	chunks->tables[cdrive_chunks_table(heads)] = table;
	chunks->room += heads;
	return true;
}

static u32 *cdrive_chunks_head(const struct cdrive_chunks *chunks, u32 bucket)
{
	if (bucket < CDRIVE_CHUNKS_FIRST)
		return &chunks->tables[0][bucket];
	return &chunks->tables[cdrive_chunks_table(bucket)][bucket - rounddown_pow_of_two(bucket)];
}

static u32 cdrive_chunks_bucket(const struct cdrive_chunks *chunks, u32 chunk)
{
	u32 half = rounddown_pow_of_two(chunks->buckets);
	u32 bucket = cdrive_hash(chunk) & (2 * half - 1);

	return bucket < chunks->buckets ? bucket : bucket & (half - 1);
}

u32 cdrive_chunks_find(const struct cdrive_chunks *chunks, const struct cdrive_slots *slots,
		       u32 chunk)
{
	u32 i = *cdrive_chunks_head(chunks, cdrive_chunks_bucket(chunks, chunk));

	while (i) {
		const struct cdrive_cache_slot *slot = cdrive_slot(slots, i - 1);

		if (slot->chunk == chunk)
			return i - 1;
		i = slot->chain;
	}
	return CDRIVE_NO_SLOT;
}

/* One more bucket takes its share of the one that it was part of. */
static void cdrive_chunks_split(struct cdrive_chunks *chunks, const struct cdrive_slots *slots)
{
	u32 added = chunks->buckets++;
	u32 *to = cdrive_chunks_head(chunks, added);
	u32 *from = cdrive_chunks_head(chunks, added - rounddown_pow_of_two(added));

	while (*from) {
		u32 i = *from;
		struct cdrive_cache_slot *slot = cdrive_slot(slots, i - 1);

		if (cdrive_chunks_bucket(chunks, slot->chunk) == added) {
			*from = slot->chain;
			slot->chain = *to;
			*to = i;
		} else {
			from = &slot->chain;
		}
	}
}

void cdrive_chunks_add(struct cdrive_chunks *chunks, const struct cdrive_slots *slots, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);
	u32 *head = cdrive_chunks_head(chunks, cdrive_chunks_bucket(chunks, slot->chunk));

	slot->chain = *head;
	*head = i + 1;
	chunks->count++;
	if (chunks->count > chunks->buckets && chunks->buckets < chunks->room)
		cdrive_chunks_split(chunks, slots);
}

void cdrive_chunks_remove(struct cdrive_chunks *chunks, const struct cdrive_slots *slots, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);
	u32 *link = cdrive_chunks_head(chunks, cdrive_chunks_bucket(chunks, slot->chunk));

	while (*link != i + 1)
		link = &cdrive_slot(slots, *link - 1)->chain;
	*link = slot->chain;
	chunks->count--;
}
