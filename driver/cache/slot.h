/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slot.h - what is known of a slot of the file, and queues of slots
 *
 * Slots are named by their numbers.  What is known of them is in segments, which are
 * allocated as slots come into use.  A slot is nobody's, or it is on its way to a
 * volume, or a volume's: then all of it belongs to that volume's lock.  @owner changes under the
 * pool's lock, and also under the volume's if it is or becomes a volume's.
 */
#ifndef _CDRIVE_CACHE_SLOT_H
#define _CDRIVE_CACHE_SLOT_H

#include <linux/limits.h>
#include <linux/types.h>
#include <linux/cdrive_cache.h>

#define CDRIVE_NO_SLOT		U32_MAX
#define CDRIVE_ALL_BLOCKS	U16_MAX
#define CDRIVE_BLOCK_SECTORS	8
#define CDRIVE_CHUNK_SECTORS	(CDRIVE_CACHE_BLOCKS * CDRIVE_BLOCK_SECTORS)

enum cdrive_slot_owner {
	CDRIVE_SLOT_UNUSED,	/* nobody's, and it never was, or it is out of bounds */
	CDRIVE_SLOT_FREE,	/* in the pool's queue */
	CDRIVE_SLOT_TAKEN,	/* on its way to a volume, which counts it already */
	CDRIVE_SLOT_VOLUMES,	/* this and all that follow: of that volume */
};

enum cdrive_slot_queue {
	CDRIVE_QUEUE_NONE,
	CDRIVE_QUEUE_SMALL,
	CDRIVE_QUEUE_MAIN,
	CDRIVE_QUEUE_EMPTY,
	CDRIVE_QUEUES,
};

/* There is one for every 64 KiB of the cache: mind its size. */
struct cdrive_cache_slot {
	u32 crc[CDRIVE_CACHE_BLOCKS];
	u8 sectors[CDRIVE_CACHE_BLOCKS];	/* which are there */
	u32 chunk;
	u32 epoch;	/* of its region, when last looked at; see generation.h */
	u32 next;	/* in its queue */
	u32 prev;
	u32 chain;	/* see chunks.h */
	u16 busy;	/* blocks that are being written to the file */
	u16 held;	/* dropped while pinned: somebody may be reading them */
	u16 pins;
	u8 owner;	/* enum cdrive_slot_owner */
	u8 queue : 2;	/* enum cdrive_slot_queue */
	u8 main : 1;	/* goes to that queue when it is not empty any more */
	u8 hit : 1;	/* since it came to its place in the queue */
	u8 written : 1;	/* the file has room for it */
};

#define CDRIVE_SEGMENT_SLOTS	1024
#define CDRIVE_GROUP_SEGMENTS	1024
#define CDRIVE_GROUPS	(CDRIVE_CACHE_MAX_SLOTS / CDRIVE_SEGMENT_SLOTS / CDRIVE_GROUP_SEGMENTS)

struct cdrive_segment {
	u32 in_use;	/* slots that are not CDRIVE_SLOT_UNUSED */
	struct cdrive_cache_slot slots[CDRIVE_SEGMENT_SLOTS];
};

struct cdrive_slots {
	struct cdrive_segment **groups[CDRIVE_GROUPS];
};

/* NULL: not there yet. */
static inline struct cdrive_segment *cdrive_segment(const struct cdrive_slots *slots, u32 i)
{
	struct cdrive_segment **group = slots->groups[i / CDRIVE_SEGMENT_SLOTS /
						      CDRIVE_GROUP_SEGMENTS];

	return group ? group[i / CDRIVE_SEGMENT_SLOTS % CDRIVE_GROUP_SEGMENTS] : NULL;
}

/* Of a slot that is in use. */
static inline struct cdrive_cache_slot *cdrive_slot(const struct cdrive_slots *slots, u32 i)
{
	return &cdrive_segment(slots, i)->slots[i % CDRIVE_SEGMENT_SLOTS];
}

/* Which blocks have a sector that is there. */
static inline u16 cdrive_slot_blocks(const struct cdrive_cache_slot *slot)
{
	unsigned int block;
	u16 there = 0;

	for (block = 0; block < CDRIVE_CACHE_BLOCKS; block++)
		if (slot->sectors[block])
			there |= 1 << block;
	return there;
}

/* Neighbours have nothing in common. */
static inline u32 cdrive_hash(u32 x)
{
	x ^= x >> 16;
	x *= 0x85ebca6b;
	x ^= x >> 13;
	x *= 0xc2b2ae35;
	return x ^ x >> 16;
}

struct cdrive_fifo {
	u32 first;
	u32 last;
	u32 count;
};

static inline void cdrive_fifo_init(struct cdrive_fifo *fifo)
{
	fifo->first = CDRIVE_NO_SLOT;
	fifo->last = CDRIVE_NO_SLOT;
	fifo->count = 0;
}

static inline void cdrive_fifo_add(struct cdrive_fifo *fifo, const struct cdrive_slots *slots,
				   u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

	slot->next = CDRIVE_NO_SLOT;
	slot->prev = fifo->last;
	if (fifo->last == CDRIVE_NO_SLOT)
		fifo->first = i;
	else
		cdrive_slot(slots, fifo->last)->next = i;
	fifo->last = i;
	fifo->count++;
}

static inline void cdrive_fifo_remove(struct cdrive_fifo *fifo, const struct cdrive_slots *slots,
				      u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

	if (slot->prev == CDRIVE_NO_SLOT)
		fifo->first = slot->next;
	else
		cdrive_slot(slots, slot->prev)->next = slot->next;
	if (slot->next == CDRIVE_NO_SLOT)
		fifo->last = slot->prev;
	else
		cdrive_slot(slots, slot->next)->prev = slot->prev;
	fifo->count--;
}

#endif /* _CDRIVE_CACHE_SLOT_H */
