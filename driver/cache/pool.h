/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pool.h - the slots of the machine's cache, and who has them
 *
 * Slots that nobody has yet are taken from the front of the file on, so that the file
 * grows as it is used.  When all are taken, a volume gets room by giving up a slot of
 * its own if it has its part or more, else from the volume that is furthest above its
 * part.  A part is what is reserved for the volume (and it never has more), or an equal
 * one of what nobody has reserved.  A volume without drive has no part: it is the first to give.
 *
 * The pool's lock is below volumes' locks; a volume's lock is never taken under another's.
 */
#ifndef _CDRIVE_CACHE_POOL_H
#define _CDRIVE_CACHE_POOL_H

#include <linux/types.h>
#include <linux/cdrive_cache.h>

struct cdrive_pool;
struct cdrive_volume;

/* May sleep.  NULL: no memory. */
struct cdrive_pool *cdrive_pool_new(u32 slots);
/* All its volumes are gone. */
void cdrive_pool_free(struct cdrive_pool *pool);

/*
 * May sleep.  So many slots: what is in slots beyond is dropped, and their slots are no
 * more used once they aren't pinned or busy.  -ENOSPC: more are reserved.
 */
int cdrive_pool_resize(struct cdrive_pool *pool, u32 slots);

/*
 * The part of a volume: bytes, rounded up to slots, or CDRIVE_CACHE_SHARED; what it has
 * above a reservation it gives up.  -ENOSPC: so much is not left to be reserved.
 */
int cdrive_pool_reserve(struct cdrive_pool *pool, struct cdrive_volume *volume, u64 size);
/* Whether a drive uses the volume: one without has no part, and no reservation. */
void cdrive_pool_set_idle(struct cdrive_pool *pool, struct cdrive_volume *volume, bool idle);

/* No more than this many slots have room in the file, from the front on. */
void cdrive_pool_stop_growing(struct cdrive_pool *pool);

/* @slots, @used, @reserved, @index_bytes, @volumes */
void cdrive_pool_info(struct cdrive_pool *pool, struct cdrive_cache_info *info);

#endif /* _CDRIVE_CACHE_POOL_H */
