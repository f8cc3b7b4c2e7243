// SPDX-License-Identifier: GPL-2.0-only
#include "pool.h"

#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"

#define GROW_STEPS	1024	/* that are looked at in one hold of the lock */

/* --- segments -------------------------------------------------------------- */

static struct cdrive_segment ***cdrive_pool_group(struct cdrive_pool *pool, u32 i)
{
	return &pool->slots.groups[i / CDRIVE_SEGMENT_SLOTS / CDRIVE_GROUP_SEGMENTS];
}

/* May sleep.  There is a segment for that slot afterwards; false: no memory. */
static bool cdrive_pool_add_segment(struct cdrive_pool *pool, u32 i)
{
	size_t group_size = CDRIVE_GROUP_SEGMENTS * sizeof(struct cdrive_segment *);
	struct cdrive_segment ***group = cdrive_pool_group(pool, i);
	struct cdrive_segment **added_group = kvzalloc(group_size, CDRIVE_GFP_TRY);
	struct cdrive_segment *added = kvzalloc(sizeof(*added), CDRIVE_GFP_TRY);
	struct cdrive_segment **segment;
	bool there;

	spin_lock(&pool->lock);
	if (!*group && added_group) {
		*group = added_group;
		added_group = NULL;
		atomic_long_add(group_size, &pool->bytes);
	}
	segment = *group ? &(*group)[i / CDRIVE_SEGMENT_SLOTS % CDRIVE_GROUP_SEGMENTS] : NULL;
	if (segment && !*segment && added) {
		*segment = added;
		added = NULL;
		atomic_long_add(sizeof(*added), &pool->bytes);
	}
	there = segment && *segment;
	spin_unlock(&pool->lock);
	kvfree(added);
	kvfree(added_group);
	return there;
}

void cdrive_pool_free_segment(struct cdrive_pool *pool, u32 i)
{
	struct cdrive_segment **group, *segment = NULL;

	spin_lock(&pool->lock);
	group = *cdrive_pool_group(pool, i);
	if (cdrive_segment(&pool->slots, i) && !cdrive_segment(&pool->slots, i)->in_use) {
		segment = cdrive_segment(&pool->slots, i);
		group[i / CDRIVE_SEGMENT_SLOTS % CDRIVE_GROUP_SEGMENTS] = NULL;
		atomic_long_sub(sizeof(*segment), &pool->bytes);
	}
	spin_unlock(&pool->lock);
	kvfree(segment);
}

/* --- owners -------------------------------------------------------------------- */

void cdrive_pool_set_owner(struct cdrive_pool *pool, u32 i, u8 owner)
{
	struct cdrive_segment *segment = cdrive_segment(&pool->slots, i);
	struct cdrive_cache_slot *slot = cdrive_slot(&pool->slots, i);

	lockdep_assert_held(&pool->lock);
	if (slot->owner == CDRIVE_SLOT_FREE)
		cdrive_fifo_remove(&pool->free, &pool->slots, i);
	segment->in_use += (owner != CDRIVE_SLOT_UNUSED) - (slot->owner != CDRIVE_SLOT_UNUSED);
	slot->owner = owner;
	if (owner == CDRIVE_SLOT_FREE)
		cdrive_fifo_add(&pool->free, &pool->slots, i);
}

/* Slots that a volume has, or has no more. */
static void cdrive_pool_count(struct cdrive_pool *pool, struct cdrive_volume *volume, int n)
{
	pool->used += n;
	volume->used += n;
}

bool cdrive_pool_attach(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i)
{
	bool fits;

	spin_lock(&pool->lock);
	fits = i < pool->size;
	cdrive_pool_set_owner(pool, i, fits ? volume->owner : CDRIVE_SLOT_UNUSED);
	if (!fits)
		cdrive_pool_count(pool, volume, -1);
	spin_unlock(&pool->lock);
	return fits;
}

void cdrive_pool_release(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(&pool->slots, i);
	bool lost;

	spin_lock(&pool->lock);
	/* From @grown on they are found again; what has no room is better not. */
	lost = i >= pool->grown || (pool->stopped && !slot->written);
	cdrive_pool_set_owner(pool, i, lost ? CDRIVE_SLOT_UNUSED : CDRIVE_SLOT_FREE);
	cdrive_pool_count(pool, volume, -1);
	spin_unlock(&pool->lock);
}

void cdrive_pool_give(struct cdrive_pool *pool, struct cdrive_volume *from,
		      struct cdrive_volume *to, u32 i)
{
	spin_lock(&pool->lock);
	cdrive_pool_set_owner(pool, i, CDRIVE_SLOT_TAKEN);
	cdrive_pool_count(pool, from, -1);
	cdrive_pool_count(pool, to, 1);
	spin_unlock(&pool->lock);
}

/* --- parts --------------------------------------------------------------------- */

/* How many slots there are to be had. */
static u32 cdrive_pool_capacity(const struct cdrive_pool *pool)
{
	return pool->stopped ? pool->used + pool->free.count : pool->size;
}

static u32 cdrive_pool_part_of(const struct cdrive_pool *pool, const struct cdrive_volume *volume)
{
	u32 capacity = cdrive_pool_capacity(pool);

	lockdep_assert_held(&pool->lock);
	if (!volume->shares)
		return volume->size;
	if (volume->idle || capacity <= pool->reserved)
		return 0;
	return (capacity - pool->reserved) / pool->sharing;
}

/* And never more than that. */
static u32 cdrive_pool_most(const struct cdrive_pool *pool, const struct cdrive_volume *volume)
{
	return volume->shares ? pool->size : volume->size;
}

void cdrive_pool_part(struct cdrive_pool *pool, const struct cdrive_volume *volume,
		      struct cdrive_cache_counters *counters)
{
	spin_lock(&pool->lock);
	counters->size = (u64)cdrive_pool_part_of(pool, volume) * CDRIVE_CACHE_SLOT;
	counters->used = (u64)volume->used * CDRIVE_CACHE_SLOT;
	counters->flags = volume->shares ? 0 : CDRIVE_CACHE_F_RESERVED;
	spin_unlock(&pool->lock);
}

static void cdrive_pool_set_part(struct cdrive_pool *pool, struct cdrive_volume *volume,
				 bool idle, bool shares, u32 size)
{
	pool->reserved -= volume->size;
	pool->sharing -= !volume->idle && volume->shares;
	volume->idle = idle;
	volume->shares = shares;
	volume->size = size;
	pool->reserved += size;
	pool->sharing += !idle && shares;
}

/* It has no more than it may have, but for what is pinned or busy. */
static void cdrive_pool_trim(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	bool more = true;

	while (more) {
		spin_lock(&pool->lock);
		more = volume->used > cdrive_pool_most(pool, volume);
		spin_unlock(&pool->lock);
		if (more && cdrive_volume_evict(volume, NULL) == CDRIVE_NO_SLOT)
			return;
		cond_resched();
	}
}

int cdrive_pool_reserve(struct cdrive_pool *pool, struct cdrive_volume *volume, u64 size)
{
	bool shares = size == CDRIVE_CACHE_SHARED;
	u64 slots = shares ? 0 : size / CDRIVE_CACHE_SLOT + !!(size % CDRIVE_CACHE_SLOT);
	int err = 0;

	mutex_lock(&pool->mutex);
	spin_lock(&pool->lock);
	if (slots > pool->size - (pool->reserved - volume->size))
		err = -ENOSPC;
	else
		cdrive_pool_set_part(pool, volume, volume->idle, shares, slots);
	spin_unlock(&pool->lock);
	if (!err)
		cdrive_pool_trim(pool, volume);
	mutex_unlock(&pool->mutex);
	return err;
}

void cdrive_pool_set_idle(struct cdrive_pool *pool, struct cdrive_volume *volume, bool idle)
{
	mutex_lock(&pool->mutex);
	spin_lock(&pool->lock);
	if (idle)
		cdrive_pool_set_part(pool, volume, true, true, 0);
	else
		cdrive_pool_set_part(pool, volume, false, volume->shares, volume->size);
	spin_unlock(&pool->lock);
	mutex_unlock(&pool->mutex);
}

/* --- who gets a slot ------------------------------------------------------------- */

/* Removes the next that nobody has had.  *@segment: what has to be added first. */
static u32 cdrive_pool_grow(struct cdrive_pool *pool, u32 *segment)
{
	unsigned int step;

	for (step = 0; step < GROW_STEPS && !pool->stopped && pool->grown < pool->size; step++) {
		if (!cdrive_segment(&pool->slots, pool->grown)) {
			*segment = pool->grown;
			break;
		}
		if (cdrive_slot(&pool->slots, pool->grown++)->owner == CDRIVE_SLOT_UNUSED)
			return pool->grown - 1;
	}
	return CDRIVE_NO_SLOT;
}

/* One that nobody has, if the volume may have more; else CDRIVE_NO_SLOT. */
static u32 cdrive_pool_take_unused(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	u32 i, segment;
	bool again;

	do {
		segment = CDRIVE_NO_SLOT;
		i = CDRIVE_NO_SLOT;
		spin_lock(&pool->lock);
		again = volume->used < cdrive_pool_most(pool, volume);
		if (again) {
			i = pool->free.first;
			if (i == CDRIVE_NO_SLOT)
				i = cdrive_pool_grow(pool, &segment);
			again = i == CDRIVE_NO_SLOT && !pool->stopped && pool->grown < pool->size;
		}
		if (i != CDRIVE_NO_SLOT) {
			cdrive_pool_set_owner(pool, i, CDRIVE_SLOT_TAKEN);
			cdrive_pool_count(pool, volume, 1);
		}
		spin_unlock(&pool->lock);
		if (segment != CDRIVE_NO_SLOT && !cdrive_pool_add_segment(pool, segment))
			again = false;
	} while (again);
	return i;
}

/*
 * Whose turn it is to give a slot to another: the one that is furthest above its part, but
 * less than *@excess, which it is then.  With a reference, or NULL.
 */
static struct cdrive_volume *cdrive_pool_giver(struct cdrive_pool *pool,
					       const struct cdrive_volume *to, s64 *excess)
{
	struct cdrive_volume *giver = NULL;
	s64 most = 0;
	unsigned int i, found = 0;

	spin_lock(&pool->lock);
	for (i = 0; i < CDRIVE_MAX_VOLUMES && found < pool->count; i++) {
		struct cdrive_volume *volume = pool->volumes[i];
		s64 above;

		if (!volume)
			continue;
		found++;
		above = (s64)volume->used - cdrive_pool_part_of(pool, volume);
		/* Those without drive first. */
		if (volume->idle && volume->used)
			above += CDRIVE_CACHE_MAX_SLOTS;
		if (volume != to && above > most && above < *excess) {
			giver = volume;
			most = above;
		}
	}
	if (giver)
		kref_get(&giver->ref);
	spin_unlock(&pool->lock);
	*excess = most;
	return giver;
}

static u32 cdrive_pool_take_from_others(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	struct cdrive_volume *giver;
	u32 i = CDRIVE_NO_SLOT;
	s64 excess = S64_MAX;

	while (i == CDRIVE_NO_SLOT && (giver = cdrive_pool_giver(pool, volume, &excess))) {
		i = cdrive_volume_evict(giver, volume);
		cdrive_volume_put(giver);
	}
	return i;
}

static u32 cdrive_pool_take_one(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	u32 i = cdrive_pool_take_unused(pool, volume);
	bool may, has_part;

	if (i != CDRIVE_NO_SLOT)
		return i;
	spin_lock(&pool->lock);
	may = volume->used < cdrive_pool_most(pool, volume);
	has_part = volume->used >= cdrive_pool_part_of(pool, volume);
	spin_unlock(&pool->lock);
	if (may && !has_part)
		i = cdrive_pool_take_from_others(pool, volume);
	return i != CDRIVE_NO_SLOT ? i : cdrive_volume_evict(volume, volume);
}

unsigned int cdrive_pool_take(struct cdrive_pool *pool, struct cdrive_volume *volume,
			      u32 *slots, unsigned int n)
{
	unsigned int taken;

	for (taken = 0; taken < n; taken++) {
		slots[taken] = cdrive_pool_take_one(pool, volume);
		if (slots[taken] == CDRIVE_NO_SLOT)
			break;
	}
	return taken;
}

int cdrive_pool_take_slot(struct cdrive_pool *pool, struct cdrive_volume *volume, u32 i)
{
	struct cdrive_cache_slot *slot;
	int err = -EINVAL;

	if (i >= READ_ONCE(pool->size))
		return -EINVAL;
	if (!cdrive_segment(&pool->slots, i) && !cdrive_pool_add_segment(pool, i))
		return -ENOMEM;
	spin_lock(&pool->lock);
	slot = cdrive_segment(&pool->slots, i) ? cdrive_slot(&pool->slots, i) : NULL;
	if (slot && i < pool->size && slot->owner <= CDRIVE_SLOT_FREE) {
		cdrive_pool_set_owner(pool, i, CDRIVE_SLOT_TAKEN);
		cdrive_pool_count(pool, volume, 1);
		err = 0;
	}
	spin_unlock(&pool->lock);
	return err;
}

/* --- the pool -------------------------------------------------------------------- */

struct cdrive_pool *cdrive_pool_new(u32 slots)
{
	struct cdrive_pool *pool = kvzalloc(sizeof(*pool), GFP_KERNEL);

	if (!pool)
		return NULL;
	spin_lock_init(&pool->lock);
	mutex_init(&pool->mutex);
	cdrive_fifo_init(&pool->free);
	pool->size = slots;
	atomic_long_set(&pool->bytes, sizeof(*pool));
	return pool;
}

void cdrive_pool_free(struct cdrive_pool *pool)
{
	unsigned int group, i;

	for (group = 0; group < CDRIVE_GROUPS; group++) {
		if (!pool->slots.groups[group])
			continue;
		for (i = 0; i < CDRIVE_GROUP_SEGMENTS; i++)
			kvfree(pool->slots.groups[group][i]);
		kvfree(pool->slots.groups[group]);
	}
	kvfree(pool);
}

bool cdrive_pool_add_volume(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	unsigned int i;

	spin_lock(&pool->lock);
	for (i = 0; i < CDRIVE_MAX_VOLUMES && pool->volumes[i]; i++)
		;
	if (i < CDRIVE_MAX_VOLUMES) {
		volume->owner = CDRIVE_SLOT_VOLUMES + i;
		pool->volumes[i] = volume;
		pool->count++;
	}
	spin_unlock(&pool->lock);
	return i < CDRIVE_MAX_VOLUMES;
}

void cdrive_pool_remove_volume(struct cdrive_pool *pool, struct cdrive_volume *volume)
{
	spin_lock(&pool->lock);
	pool->volumes[volume->owner - CDRIVE_SLOT_VOLUMES] = NULL;
	pool->count--;
	spin_unlock(&pool->lock);
}

void cdrive_pool_stop_growing(struct cdrive_pool *pool)
{
	spin_lock(&pool->lock);
	pool->stopped = true;
	spin_unlock(&pool->lock);
}

void cdrive_pool_info(struct cdrive_pool *pool, struct cdrive_cache_info *info)
{
	spin_lock(&pool->lock);
	info->slots = pool->size;
	info->used = pool->used;
	info->reserved = pool->reserved;
	info->index_bytes = atomic_long_read(&pool->bytes);
	info->volumes = pool->count;
	spin_unlock(&pool->lock);
}
