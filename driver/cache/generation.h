/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * generation.h - whether anything was written to a range since
 *
 * Each write raises a counter for each of its blocks; there are CDRIVE_GENERATIONS
 * counters, and blocks with the same remainder share one.  A drive's regions
 * of 32 MiB have an epoch each: whatever covers a region as a whole raises that and no counters,
 * so that the cost of a discard has a bound.  The generation of a range is the
 * sum of all that concern it: none of them ever falls, so a sum that is the same
 * means that none has changed.  (Counters have 64 bits.  Epochs have 32, as each slot has
 * one, too: see cdrive_generation_raise_region().)
 *
 * The caller has the volume's lock.
 */
#ifndef _CDRIVE_CACHE_GENERATION_H
#define _CDRIVE_CACHE_GENERATION_H

#include <linux/types.h>

#include "slot.h"

#define CDRIVE_GENERATIONS	4096
#define CDRIVE_REGION_CHUNKS	512	/* 32 MiB: few enough to look at all of them */
#define CDRIVE_REGION_BLOCKS	(CDRIVE_REGION_CHUNKS * CDRIVE_CACHE_BLOCKS)

struct cdrive_generations {
	u64 blocks;	/* of the drive, the last may be less than one */
	u32 regions;
	u32 *epochs;
	u64 base;	/* what all sums have more, since an epoch came round */
	u64 counters[CDRIVE_GENERATIONS];
};

/* Blocks from one on and to another, exclusively. */
struct cdrive_blocks {
	u64 begin;
	u64 end;
};

/* A range, as far as it covers regions as a whole, and what is before and behind. */
struct cdrive_range {
	struct cdrive_blocks head;
	u32 region;
	u32 regions;
	struct cdrive_blocks tail;
};

/* May sleep.  False: no memory. */
bool cdrive_generation_init(struct cdrive_generations *generations, u64 sectors);
void cdrive_generation_free(struct cdrive_generations *generations);

/* Of a range, which is one of the drive's; never 0. */
u64 cdrive_generation(const struct cdrive_generations *generations, u64 sector, u32 sectors);
struct cdrive_range cdrive_generation_range(const struct cdrive_generations *generations,
					    u64 sector, u32 sectors);
/* Not of regions. */
void cdrive_generation_raise(struct cdrive_generations *generations, struct cdrive_blocks blocks);
/*
 * What was entered in a region under another epoch is not there.  True: the epoch has come round,
 * and might be that of a slot that nobody has looked at for so long: all of them have to be.
 */
bool cdrive_generation_raise_region(struct cdrive_generations *generations, u32 region);

/* Of the region of a chunk. */
static inline u32 cdrive_epoch(const struct cdrive_generations *generations, u32 chunk)
{
	return generations->epochs[chunk / CDRIVE_REGION_CHUNKS];
}

#endif /* _CDRIVE_CACHE_GENERATION_H */
