/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tag.h - the arithmetic of tags and payload offsets
 *
 * A tag is what user space knows a request by: the request's slot (its blk-mq
 * tag) and the slot's generation, which is raised each time the slot's request
 * is sent to a helper.  22 bits of generation mean that a stale tag can match
 * again only after four million sends from that one slot.
 */
#ifndef _CDRIVE_TAG_H
#define _CDRIVE_TAG_H

#include <linux/build_bug.h>
#include <linux/log2.h>
#include <linux/cdrive.h>

static_assert((1U << CDRIVE_TAG_SLOT_BITS) >= CDRIVE_QUEUE_DEPTH);
static_assert((1 << CDRIVE_PAYLOAD_POS_BITS) >= CDRIVE_MAX_TRANSFER);
/* The drive's index is above position and tag, and loff_t has a sign. */
static_assert(CDRIVE_PAYLOAD_POS_BITS + CDRIVE_PAYLOAD_TAG_BITS +
	      const_ilog2(CDRIVE_MAX_DRIVES) < 63);

static inline u32 cdrive_tag(unsigned int slot, u32 generation)
{
	return generation << CDRIVE_TAG_SLOT_BITS | slot;
}

static inline unsigned int cdrive_tag_slot(u32 tag)
{
	return tag & CDRIVE_TAG_SLOT_MASK;
}

static inline u64 cdrive_payload_index(loff_t offset)
{
	return (u64)offset >> (CDRIVE_PAYLOAD_POS_BITS +
			       CDRIVE_PAYLOAD_TAG_BITS);
}

static inline u32 cdrive_payload_tag(loff_t offset)
{
	return (u64)offset >> CDRIVE_PAYLOAD_POS_BITS;
}

static inline u32 cdrive_payload_pos(loff_t offset)
{
	return offset & ((1U << CDRIVE_PAYLOAD_POS_BITS) - 1);
}

#endif /* _CDRIVE_TAG_H */
