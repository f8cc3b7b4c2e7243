// SPDX-License-Identifier: GPL-2.0-only
#include "volume.h"

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "internal.h"

/* --- slots --------------------------------------------------------------------- */

u16 cdrive_volume_forget(struct cdrive_volume *volume, u32 i, u16 blocks)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);
	u16 there = cdrive_slot_blocks(slot) & blocks;
	unsigned int block;

	for (block = 0; block < CDRIVE_CACHE_BLOCKS; block++)
		if (there & 1 << block)
			slot->sectors[block] = 0;
	if (slot->pins)
		slot->held |= there;
	if (there)
		volume->changes++;
	return there;
}

static void cdrive_volume_detach(struct cdrive_volume *volume, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	cdrive_volume_forget(volume, i, CDRIVE_ALL_BLOCKS);
	cdrive_chunks_remove(&volume->chunks, &volume->pool->slots, i);
	if (slot->queue != CDRIVE_QUEUE_NONE)
		cdrive_policy_remove(&volume->policy, &volume->pool->slots, i);
	volume->changes++;
}

void cdrive_volume_settle(struct cdrive_volume *volume, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);
	struct cdrive_pool *pool = volume->pool;
	bool empty = !cdrive_slot_blocks(slot) && !slot->busy;

	/* Out of bounds, or the file had no room for it. */
	if (empty && !slot->pins &&
	    (i >= READ_ONCE(pool->size) || (READ_ONCE(pool->stopped) && !slot->written))) {
		cdrive_volume_detach(volume, i);
		cdrive_pool_release(pool, volume, i);
		return;
	}
	cdrive_policy_set_empty(&volume->policy, &pool->slots, i, empty);
}

u32 cdrive_volume_find(struct cdrive_volume *volume, u32 chunk)
{
	u32 i = cdrive_chunks_find(&volume->chunks, &volume->pool->slots, chunk);
	u32 epoch = cdrive_epoch(&volume->generations, chunk);
	struct cdrive_cache_slot *slot;

	if (i == CDRIVE_NO_SLOT)
		return i;
	slot = cdrive_volume_slot(volume, i);
	if (slot->epoch != epoch) {
		slot->epoch = epoch;
		cdrive_volume_forget(volume, i, CDRIVE_ALL_BLOCKS);
		cdrive_volume_settle(volume, i);
		/* It may be gone, if it is out of bounds. */
		return cdrive_chunks_find(&volume->chunks, &volume->pool->slots, chunk);
	}
	return i;
}

u32 cdrive_volume_evict(struct cdrive_volume *volume, struct cdrive_volume *to)
{
	struct cdrive_pool *pool = volume->pool;
	u32 i;

	spin_lock(&volume->lock);
	i = cdrive_policy_evict(&volume->policy, &pool->slots);
	if (i != CDRIVE_NO_SLOT) {
		if (cdrive_slot_blocks(cdrive_volume_slot(volume, i)))
			volume->counters.evictions++;
		cdrive_volume_detach(volume, i);
		if (to)
			cdrive_pool_give(pool, volume, to, i);
		else
			cdrive_pool_release(pool, volume, i);
	}
	spin_unlock(&volume->lock);
	return i;
}

void cdrive_volume_vacate(struct cdrive_volume *volume, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	spin_lock(&volume->lock);
	if (slot->owner == volume->owner) {
		cdrive_volume_forget(volume, i, CDRIVE_ALL_BLOCKS);
		if (slot->pins || slot->busy) {
			cdrive_volume_settle(volume, i);
		} else {
			cdrive_volume_detach(volume, i);
			cdrive_pool_release(volume->pool, volume, i);
		}
	}
	spin_unlock(&volume->lock);
}

/* --- life -------------------------------------------------------------------- */

static void cdrive_volume_release(struct kref *ref)
{
	struct cdrive_volume *volume = container_of(ref, struct cdrive_volume, ref);

	cdrive_policy_free(&volume->policy);
	cdrive_chunks_free(&volume->chunks);
	cdrive_generation_free(&volume->generations);
	kvfree(volume);
}

void cdrive_volume_put(struct cdrive_volume *volume)
{
	kref_put(&volume->ref, cdrive_volume_release);
}

static size_t cdrive_volume_bytes(const struct cdrive_volume *volume)
{
	return sizeof(*volume) + (volume->generations.regions + volume->chunks.room +
				  volume->policy.ghosts.size) * sizeof(u32);
}

struct cdrive_volume *cdrive_volume_new(struct cdrive_pool *pool, const char *name, u64 sectors)
{
	struct cdrive_volume *volume;

	if (sectors > CDRIVE_MAX_VOLUME_SECTORS)
		return NULL;
	volume = kvzalloc(sizeof(*volume), GFP_KERNEL);
	if (!volume)
		return NULL;
	kref_init(&volume->ref);
	spin_lock_init(&volume->lock);
	volume->pool = pool;
	volume->sectors = sectors;
	volume->shares = true;
	volume->idle = true;
	strscpy(volume->name, name, sizeof(volume->name));
	if (!cdrive_chunks_init(&volume->chunks) || !cdrive_policy_init(&volume->policy) ||
	    !cdrive_generation_init(&volume->generations, sectors) ||
	    !cdrive_pool_add_volume(pool, volume)) {
		cdrive_volume_put(volume);
		return NULL;
	}
	atomic_long_add(cdrive_volume_bytes(volume), &pool->bytes);
	return volume;
}

/* Gives a slot back.  False: there is none. */
static bool cdrive_volume_give_back(struct cdrive_volume *volume)
{
	unsigned int queue;
	u32 i = CDRIVE_NO_SLOT;

	spin_lock(&volume->lock);
	for (queue = 0; queue < CDRIVE_QUEUES && i == CDRIVE_NO_SLOT; queue++)
		i = volume->policy.queues[queue].first;
	if (i != CDRIVE_NO_SLOT) {
		cdrive_volume_detach(volume, i);
		cdrive_pool_release(volume->pool, volume, i);
	}
	spin_unlock(&volume->lock);
	return i != CDRIVE_NO_SLOT;
}

void cdrive_volume_free(struct cdrive_volume *volume)
{
	while (cdrive_volume_give_back(volume))
		cond_resched();
	cdrive_pool_set_idle(volume->pool, volume, true);
	atomic_long_sub(cdrive_volume_bytes(volume), &volume->pool->bytes);
	cdrive_pool_remove_volume(volume->pool, volume);
	cdrive_volume_put(volume);
}

const char *cdrive_volume_name(const struct cdrive_volume *volume)
{
	return volume->name;
}

u64 cdrive_volume_sectors(const struct cdrive_volume *volume)
{
	return volume->sectors;
}

/* --- ranges ---------------------------------------------------------------------- */

bool cdrive_piece_next(struct cdrive_piece *piece, u64 *sector, u32 *sectors)
{
	u32 begin = *sector % CDRIVE_CHUNK_SECTORS;
	u32 end = min(begin + *sectors, (u32)CDRIVE_CHUNK_SECTORS);

	if (!*sectors)
		return false;
	piece->chunk = *sector / CDRIVE_CHUNK_SECTORS;
	piece->block = begin / CDRIVE_BLOCK_SECTORS;
	piece->blocks = DIV_ROUND_UP(end, CDRIVE_BLOCK_SECTORS) - piece->block;
	piece->first = U8_MAX << begin % CDRIVE_BLOCK_SECTORS;
	piece->last = U8_MAX >> (-end % CDRIVE_BLOCK_SECTORS);
	*sector += end - begin;
	*sectors -= end - begin;
	return true;
}

u64 cdrive_volume_read(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	u64 generation;

	spin_lock(&volume->lock);
	generation = cdrive_generation(&volume->generations, sector, sectors);
	spin_unlock(&volume->lock);
	return generation;
}

/* --- writes ------------------------------------------------------------------------ */

/* Whether something was there. */
static bool cdrive_volume_drop_blocks(struct cdrive_volume *volume, struct cdrive_blocks blocks)
{
	bool there = false;

	while (blocks.begin < blocks.end) {
		unsigned int block = blocks.begin % CDRIVE_CACHE_BLOCKS;
		unsigned int n = min_t(u64, CDRIVE_CACHE_BLOCKS - block,
				       blocks.end - blocks.begin);
		u32 i = cdrive_volume_find(volume, blocks.begin / CDRIVE_CACHE_BLOCKS);

		blocks.begin += n;
		if (i == CDRIVE_NO_SLOT)
			continue;
		there |= cdrive_volume_forget(volume, i, cdrive_block_mask(block, n));
		cdrive_volume_settle(volume, i);
	}
	return there;
}

static bool cdrive_volume_drop_regions(struct cdrive_volume *volume, u32 region, u32 regions)
{
	for (; regions; regions--, region++) {
		u64 begin = (u64)region * CDRIVE_REGION_BLOCKS;

		if (cdrive_generation_raise_region(&volume->generations, region))
			cdrive_volume_drop_blocks(volume, (struct cdrive_blocks) {
						  begin, begin + CDRIVE_REGION_BLOCKS });
	}
	return volume->chunks.count;
}

/* Drops what is there, and raises the generation. */
static bool cdrive_volume_change(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	struct cdrive_generations *generations = &volume->generations;
	struct cdrive_range range = cdrive_generation_range(generations, sector, sectors);
	bool there;

	cdrive_generation_raise(generations, range.head);
	cdrive_generation_raise(generations, range.tail);
	there = cdrive_volume_drop_blocks(volume, range.head);
	there |= cdrive_volume_drop_blocks(volume, range.tail);
	if (range.regions)
		there |= cdrive_volume_drop_regions(volume, range.region, range.regions);
	return there;
}

bool cdrive_volume_write(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	bool there;

	spin_lock(&volume->lock);
	there = cdrive_volume_change(volume, sector, sectors);
	volume->counters.invalidations += there;
	spin_unlock(&volume->lock);
	return there;
}

u64 cdrive_volume_written(struct cdrive_volume *volume, u64 sector, u32 sectors, u64 generation)
{
	bool alone;

	spin_lock(&volume->lock);
	alone = generation == cdrive_generation(&volume->generations, sector, sectors);
	cdrive_volume_change(volume, sector, sectors);
	generation = cdrive_generation(&volume->generations, sector, sectors);
	spin_unlock(&volume->lock);
	return alone ? generation : 0;
}

/* --- counters ------------------------------------------------------------------------ */

bool cdrive_volume_is_run(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	bool is_long;

	spin_lock(&volume->lock);
	is_long = cdrive_runs_read(&volume->runs, sector, sectors) && !volume->fill_runs;
	spin_unlock(&volume->lock);
	return is_long;
}

void cdrive_volume_set_fill_runs(struct cdrive_volume *volume, bool fill_runs)
{
	spin_lock(&volume->lock);
	volume->fill_runs = fill_runs;
	spin_unlock(&volume->lock);
}

void cdrive_volume_note(struct cdrive_volume *volume, enum cdrive_volume_event event)
{
	spin_lock(&volume->lock);
	switch (event) {
	case CDRIVE_VOLUME_SKIPPED:
		volume->counters.skipped++;
		break;
	case CDRIVE_VOLUME_CHECKSUM_ERROR:
		volume->counters.checksum_errors++;
		break;
	case CDRIVE_VOLUME_IO_ERROR:
		volume->counters.io_errors++;
		break;
	}
	spin_unlock(&volume->lock);
}

void cdrive_volume_count(struct cdrive_volume *volume, struct cdrive_cache_counters *counters)
{
	spin_lock(&volume->lock);
	*counters = volume->counters;
	spin_unlock(&volume->lock);
	cdrive_pool_part(volume->pool, volume, counters);
}
