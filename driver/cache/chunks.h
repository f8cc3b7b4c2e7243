/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * chunks.h - which slot holds a chunk: a hash table that grows by one bucket at a time
 *
 * (Linear hashing, Litwin 1980.)  The buckets' heads are in tables, each as large as all
 * before it; slots are chained by their numbers.  So it costs 4 to 8 bytes a slot, however
 * far apart the chunks are, and no operation is longer than a few steps.  An xarray costs 576
 * bytes a slot if every 64th chunk is cached.
 *
 * The caller has the volume's lock, but to initialise and free it.
 */
#ifndef _CDRIVE_CACHE_CHUNKS_H
#define _CDRIVE_CACHE_CHUNKS_H

#include <linux/log2.h>
#include <linux/types.h>

#include "slot.h"

#define CDRIVE_CHUNKS_FIRST	256	/* heads of the first table */
#define CDRIVE_CHUNKS_TABLES	18	/* 256 << 17 = CDRIVE_CACHE_MAX_SLOTS */

struct cdrive_chunks {
	u32 count;	/* of slots */
	u32 buckets;	/* that are used; room is for a power of two */
	u32 room;
	u32 *tables[CDRIVE_CHUNKS_TABLES];	/* slot + 1; 0: none */
};

/* May sleep.  False: no memory. */
bool cdrive_chunks_init(struct cdrive_chunks *chunks);
void cdrive_chunks_free(struct cdrive_chunks *chunks);

/*
 * What there is room for is used up: the table that makes more, which the caller allocates
 * (zeroed, this many heads) and adds without the lock and with it, respectively.  0: no need.
 * Without it chains get longer, nothing else.
 */
u32 cdrive_chunks_wants(const struct cdrive_chunks *chunks);
/* False: somebody else was first. */
bool cdrive_chunks_add_table(struct cdrive_chunks *chunks, u32 *table, u32 heads);

u32 cdrive_chunks_find(const struct cdrive_chunks *chunks, const struct cdrive_slots *slots,
		       u32 chunk);
/* The slot says which chunk.  It is not there yet; it is there. */
void cdrive_chunks_add(struct cdrive_chunks *chunks, const struct cdrive_slots *slots, u32 i);
void cdrive_chunks_remove(struct cdrive_chunks *chunks, const struct cdrive_slots *slots, u32 i);

#endif /* _CDRIVE_CACHE_CHUNKS_H */
