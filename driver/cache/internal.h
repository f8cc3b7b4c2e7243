/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * internal.h - what the files of pool and volumes know of each other
 *
 * Locks: a volume's, then the pool's.  A volume's is never taken under another's: who needs a
 * slot of another volume asks the pool which one is to give, gets a reference to it, and takes its
 * lock alone.
 */
#ifndef _CDRIVE_CACHE_INTERNAL_H
#define _CDRIVE_CACHE_INTERNAL_H

#include <linux/atomic.h>
#include <linux/gfp.h>
#include <linux/kref.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "chunks.h"
#include "generation.h"
#include "policy.h"
#include "pool.h"
#include "runs.h"
#include "slot.h"
#include "volume.h"

/* A fill that gets no memory is skipped. */
#define CDRIVE_GFP_TRY		(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN)

#define CDRIVE_MAX_VOLUMES	(U8_MAX - CDRIVE_SLOT_VOLUMES + 1)

struct cdrive_pool {
	struct cdrive_slots slots;
	atomic_long_t bytes;	/* of memory */
	struct mutex mutex;	/* its size, and the parts of it */

	spinlock_t lock;	/* all that follows, and @owner of all slots */
	u32 size;
	u32 grown;	/* the first that nobody has had, if it isn't somebody's already */
	bool stopped;	/* @grown stays */
	u32 used;	/* by volumes */
	u32 reserved;
	u32 sharing;	/* drives */
	struct cdrive_fifo free;
	unsigned int count;	/* of volumes */
	struct cdrive_volume *volumes[CDRIVE_MAX_VOLUMES];
};

struct cdrive_volume {
	struct cdrive_pool *pool;
	struct kref ref;
	u64 sectors;
	u8 owner;	/* of its slots */

	/* The pool's lock: */
	u32 used;	/* slots, with those that are on their way */
	u32 size;	/* reserved slots, unless it shares */
	bool shares;
	bool idle;

	spinlock_t lock;	/* all that follows, and its slots */
	bool fill_runs;
	u32 changes;	/* of what is there, for who exports it */
	struct cdrive_chunks chunks;
	struct cdrive_policy policy;
	struct cdrive_runs runs;
	struct cdrive_cache_counters counters;
	struct cdrive_generations generations;
	char name[CDRIVE_MAX_NAME + 1];
};

/* --- pool.c ---------------------------------------------------------------- */

/* May sleep.  False: there are too many. */
bool cdrive_pool_add_volume(struct cdrive_pool *pool, struct cdrive_volume *volume);
/* It has no slots any more. */
void cdrive_pool_remove_volume(struct cdrive_pool *pool, struct cdrive_volume *volume);

/* May sleep.  Up to @n slots for a volume, which they are on their way to; how many. */
unsigned int cdrive_pool_take(struct cdrive_pool *pool, struct cdrive_volume *volume,
			      u32 *slots, unsigned int n);
/* May sleep.  That very slot; -ENOMEM, -EINVAL: it is another's, or out of bounds. */
int cdrive_pool_take_slot(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i);
/* One that was on its way arrives; false: it is out of bounds by now, and nobody's. */
bool cdrive_pool_attach(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i);
/* One of a volume, or on its way to it, is nobody's any more, or on its way to another. */
void cdrive_pool_release(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i);
void cdrive_pool_give(struct cdrive_pool *pool, struct cdrive_volume *from,
		      struct cdrive_volume *to, u32 i);

/* The pool's lock is held. */
void cdrive_pool_set_owner(struct cdrive_pool *pool, u32 i, u8 owner);
/* May sleep.  Of that slot, unless one of its slots is in use; all are out of bounds. */
void cdrive_pool_free_segment(struct cdrive_pool *pool, u32 i);

/* @size, @used, and whether it is reserved. */
void cdrive_pool_part(struct cdrive_pool *pool, const struct cdrive_volume *volume,
		      struct cdrive_cache_counters *counters);

/* --- entry.c ----------------------------------------------------------------- */

/* May sleep.  Larger tables, if the volume needs them. */
void cdrive_volume_grow(struct cdrive_volume *volume);
/*
 * The volume's lock is held.  A slot that is on its way becomes that of a chunk, in no
 * queue yet; false: it is out of bounds by now, and nobody's.
 */
bool cdrive_volume_attach(struct cdrive_volume *volume, u32 chunk, u32 i);

/* --- volume.c ---------------------------------------------------------------- */

void cdrive_volume_put(struct cdrive_volume *volume);
/* Gives up a slot, for @to (which may be itself) or for nobody (NULL). */
u32 cdrive_volume_evict(struct cdrive_volume *volume, struct cdrive_volume *to);
/* Forgets what is in a slot, and gives it back if nobody uses it. */
void cdrive_volume_vacate(struct cdrive_volume *volume, u32 i);

/* The volume's lock is held: */

static inline struct cdrive_cache_slot *
cdrive_volume_slot(const struct cdrive_volume *volume, u32 i)
{
	return cdrive_slot(&volume->pool->slots, i);
}

static inline u16 cdrive_block_mask(unsigned int block, unsigned int blocks)
{
	return (CDRIVE_ALL_BLOCKS >> (CDRIVE_CACHE_BLOCKS - blocks)) << block;
}

/* The slot of a chunk, or CDRIVE_NO_SLOT; what is no more there is forgotten. */
u32 cdrive_volume_find(struct cdrive_volume *volume, u32 chunk);
/* Which of these were there.  Then cdrive_volume_settle(). */
u16 cdrive_volume_forget(struct cdrive_volume *volume, u32 i, u16 blocks);
/* After every change: it goes to its queue, or it is not the volume's any more. */
void cdrive_volume_settle(struct cdrive_volume *volume, u32 i);

/* A range, chunk by chunk. */
struct cdrive_piece {
	u32 chunk;
	unsigned int block;	/* in the chunk */
	unsigned int blocks;
	u8 first;	/* sectors of the first block */
	u8 last;	/* and of the last one */
};

/* The first of a range, which is shorter then.  False: there is none. */
bool cdrive_piece_next(struct cdrive_piece *piece, u64 *sector, u32 *sectors);

/* Which sectors of a block of the chunk, which is one of the piece's. */
static inline u8 cdrive_piece_sectors(const struct cdrive_piece *piece, unsigned int block)
{
	u8 sectors = U8_MAX;

	if (block == piece->block)
		sectors &= piece->first;
	if (block == piece->block + piece->blocks - 1)
		sectors &= piece->last;
	return sectors;
}

#endif /* _CDRIVE_CACHE_INTERNAL_H */
