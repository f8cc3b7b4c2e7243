// SPDX-License-Identifier: GPL-2.0-only
/* A volume's map, as user space keeps it while there is no driver. */
#include <linux/errno.h>
#include <linux/math.h>
#include <linux/sched.h>
#include <linux/string.h>

#include "internal.h"

#define STEPS	256	/* in one hold of the lock */

/*
 * A cursor is the volume's count of changes, and the next slot, or CDRIVE_NO_SLOT at the end:
 * those of the main queue, then of the small one.
 */
static u32 cdrive_kept_first(const struct cdrive_volume *volume)
{
	u32 i = volume->policy.queues[CDRIVE_QUEUE_MAIN].first;

	return i != CDRIVE_NO_SLOT ? i : volume->policy.queues[CDRIVE_QUEUE_SMALL].first;
}

static u32 cdrive_kept_next(const struct cdrive_volume *volume, u32 i)
{
	const struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	if (slot->next == CDRIVE_NO_SLOT && slot->queue == CDRIVE_QUEUE_MAIN)
		return volume->policy.queues[CDRIVE_QUEUE_SMALL].first;
	return slot->next;
}

static void cdrive_kept_describe(const struct cdrive_volume *volume, u32 i,
				 struct cdrive_cache_entry *entry)
{
	const struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	entry->slot = i;
	entry->chunk = slot->chunk;
	memcpy(entry->sectors, slot->sectors, sizeof(entry->sectors));
	memcpy(entry->crc, slot->crc, sizeof(entry->crc));
}

/* What a discard has dropped is not kept. */
static bool cdrive_kept_is_current(const struct cdrive_volume *volume, u32 i)
{
	const struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	return slot->epoch == cdrive_epoch(&volume->generations, slot->chunk) &&
	       cdrive_slot_blocks(slot);
}

/* As many as fit, of a few; how many, or -EAGAIN. */
static int cdrive_kept_export(struct cdrive_volume *volume, u64 *cursor,
			      struct cdrive_cache_entry *entries, unsigned int n)
{
	u32 i = *cursor ? *cursor : cdrive_kept_first(volume);
	unsigned int step;
	unsigned int count = 0;

	lockdep_assert_held(&volume->lock);
	if (*cursor && *cursor >> 32 != volume->changes)
		return -EAGAIN;
	for (step = 0; step < STEPS && i != CDRIVE_NO_SLOT && count < n; step++) {
		if (cdrive_kept_is_current(volume, i))
			cdrive_kept_describe(volume, i, &entries[count++]);
		i = cdrive_kept_next(volume, i);
	}
	*cursor = (u64)volume->changes << 32 | i;
	return count;
}

int cdrive_volume_export(struct cdrive_volume *volume, u64 *cursor,
			 struct cdrive_cache_entry *entries, unsigned int n)
{
	unsigned int count = 0;
	int added;

	do {
		cond_resched();
		spin_lock(&volume->lock);
		added = cdrive_kept_export(volume, cursor, entries + count, n - count);
		spin_unlock(&volume->lock);
		if (added < 0)
			return added;
		count += added;
	} while (count < n && (u32)*cursor != CDRIVE_NO_SLOT);
	return count;
}

/* Whether all that is there is of the drive. */
static bool cdrive_kept_fits(const struct cdrive_volume *volume,
			     const struct cdrive_cache_entry *entry)
{
	u64 sector = (u64)entry->chunk * CDRIVE_CHUNK_SECTORS;
	unsigned int block;
	bool any = false;

	for (block = 0; block < CDRIVE_CACHE_BLOCKS; block++) {
		u64 left = sector < volume->sectors ? volume->sectors - sector : 0;

		if (left < CDRIVE_BLOCK_SECTORS && entry->sectors[block] >> left)
			return false;
		any |= entry->sectors[block];
		sector += CDRIVE_BLOCK_SECTORS;
	}
	return any;
}

int cdrive_volume_import(struct cdrive_volume *volume, const struct cdrive_cache_entry *entry)
{
	struct cdrive_cache_slot *slot;
	int err;

	if (!cdrive_kept_fits(volume, entry))
		return -EINVAL;
	cdrive_volume_grow(volume);
	err = cdrive_pool_take_slot(volume->pool, volume, entry->slot);
	if (err)
		return err;
	err = -EINVAL;
	slot = cdrive_volume_slot(volume, entry->slot);
	spin_lock(&volume->lock);
	if (cdrive_volume_find(volume, entry->chunk) != CDRIVE_NO_SLOT) {
		cdrive_pool_release(volume->pool, volume, entry->slot);
	} else if (cdrive_volume_attach(volume, entry->chunk, entry->slot)) {
		memcpy(slot->sectors, entry->sectors, sizeof(slot->sectors));
		memcpy(slot->crc, entry->crc, sizeof(slot->crc));
		slot->written = true;
		cdrive_policy_add_main(&volume->policy, &volume->pool->slots, entry->slot);
		err = 0;
	}
	spin_unlock(&volume->lock);
	return err;
}
