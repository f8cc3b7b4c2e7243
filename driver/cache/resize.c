// SPDX-License-Identifier: GPL-2.0-only
/* The pool's size changes: slot by slot, so that nobody waits. */
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/sched.h>

#include "internal.h"

/* One that is out of bounds: nobody's, or soon, as it is on its way or in use. */
static void cdrive_pool_vacate(struct cdrive_pool *pool, u32 i)
{
	struct cdrive_volume *volume = NULL;
	struct cdrive_cache_slot *slot = cdrive_slot(&pool->slots, i);

	spin_lock(&pool->lock);
	if (slot->owner == CDRIVE_SLOT_FREE)
		cdrive_pool_set_owner(pool, i, CDRIVE_SLOT_UNUSED);
	if (slot->owner >= CDRIVE_SLOT_VOLUMES) {
		volume = pool->volumes[slot->owner - CDRIVE_SLOT_VOLUMES];
		kref_get(&volume->ref);
	}
	spin_unlock(&pool->lock);
	if (!volume)
		return;
	cdrive_volume_vacate(volume, i);
	cdrive_volume_put(volume);
}

/* What was lost, as the file had no room for it, may be tried again. */
static void cdrive_pool_find(struct cdrive_pool *pool, u32 i)
{
	spin_lock(&pool->lock);
	if (i < pool->grown && cdrive_slot(&pool->slots, i)->owner == CDRIVE_SLOT_UNUSED)
		cdrive_pool_set_owner(pool, i, CDRIVE_SLOT_FREE);
	spin_unlock(&pool->lock);
}

static bool cdrive_pool_set_size(struct cdrive_pool *pool, u32 slots)
{
	bool fits;

	spin_lock(&pool->lock);
	fits = slots >= pool->reserved;
	if (fits) {
		WRITE_ONCE(pool->size, slots);
		pool->grown = min(pool->grown, slots);
		WRITE_ONCE(pool->stopped, false);
	}
	spin_unlock(&pool->lock);
	return fits;
}

int cdrive_pool_resize(struct cdrive_pool *pool, u32 slots)
{
	u32 segment, i;
	int err = 0;

	mutex_lock(&pool->mutex);
	if (!cdrive_pool_set_size(pool, slots))
		err = -ENOSPC;
	for (segment = 0; !err && segment < CDRIVE_CACHE_MAX_SLOTS;
	     segment += CDRIVE_SEGMENT_SLOTS) {
		cond_resched();
		if (!cdrive_segment(&pool->slots, segment))
			continue;
		for (i = segment; i < segment + CDRIVE_SEGMENT_SLOTS; i++) {
			if (i < slots)
				cdrive_pool_find(pool, i);
			else
				cdrive_pool_vacate(pool, i);
		}
		if (segment >= slots)
			cdrive_pool_free_segment(pool, segment);
	}
	mutex_unlock(&pool->mutex);
	return err;
}
