// SPDX-License-Identifier: GPL-2.0-only
#include "cache.h"

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "buffer.h"
#include "drive.h"
#include "drives.h"
#include "fill.h"
#include "idle.h"
#include "queue.h"
#include "request.h"

struct workqueue_struct *cdrive_cache_wq;

static DEFINE_MUTEX(cdrive_cache_mutex);
static struct cdrive_cache *cdrive_cache;	/* NULL: there is none */

void cdrive_cache_error(struct cdrive_cache *cache)
{
	if (atomic64_inc_return(&cache->errors) != CDRIVE_CACHE_MAX_ERRORS)
		return;
	WRITE_ONCE(cache->failed, true);
	pr_err("cdrive: %u errors of the cache's file: it is not used any more, drives go on without\n",
	       CDRIVE_CACHE_MAX_ERRORS);
}

/* --- a drive's part --------------------------------------------------------- */

static void cdrive_cached_release(struct kref *ref)
{
	struct cdrive_cached *c = container_of(ref, struct cdrive_cached, ref);

	kfree(c->name);
	kvfree(c);
}

void cdrive_cached_put(struct cdrive_cached *c)
{
	kref_put(&c->ref, cdrive_cached_release);
}

struct cdrive_cached *cdrive_cached_new(struct cdrive_cache *cache,
					const char *name, u64 sectors)
{
	struct cdrive_cached *c = kvzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	kref_init(&c->ref);
	refcount_set(&c->active, 1);
	init_completion(&c->stopped);
	c->cache = cache;
	c->sectors = sectors;
	c->name = kstrdup(name, GFP_KERNEL);
	INIT_LIST_HEAD(&c->link);
	cdrive_hits_init(c);
	cdrive_fills_init(c);
	if (!c->name) {
		cdrive_cached_put(c);
		return NULL;
	}
	return c;
}

void cdrive_cached_free(struct cdrive_cached *c)
{
	if (c->volume)
		cdrive_volume_free(c->volume);
	c->volume = NULL;
	cdrive_cached_put(c);
}

/* Nothing of it is active any more. */
static void cdrive_cached_stop(struct cdrive_cached *c)
{
	struct cdrive_queue *queue = c->queue;

	spin_lock(&queue->lock);
	queue->cached = NULL;
	spin_unlock(&queue->lock);
	cdrive_cached_end(c);
	wait_for_completion(&c->stopped);
	cdrive_hits_stop(c);
	cdrive_fills_stop(c);
	c->queue = NULL;
}

/* --- attaching and detaching ------------------------------------------------------- */

/* -EDQUOT: more would be reserved than there is. */
static int cdrive_cached_reserve(struct cdrive_cached *c, u64 size)
{
	int err = cdrive_pool_reserve(c->cache->pool, c->volume, size);

	return err == -ENOSPC ? -EDQUOT : err;
}

/* Its volume, which may be warm. */
static int cdrive_cached_set_volume(struct cdrive_cached *c, const char *validator,
				    u64 size)
{
	struct cdrive_pool *pool = c->cache->pool;

	c->volume = cdrive_idle_take(c->cache, c->name, c->sectors, validator);
	c->warm = c->volume;
	if (!c->volume)
		c->volume = cdrive_volume_new(pool, c->name, c->sectors);
	if (!c->volume)
		return -ENOMEM;
	cdrive_volume_set_fill_runs(c->volume, false);
	cdrive_pool_set_idle(pool, c->volume, false);
	return cdrive_cached_reserve(c, size);
}

/* From now on its requests tell their part; those in flight are told of. */
static int cdrive_cached_start(struct cdrive_cached *c, struct cdrive_queue *queue)
{
	int err = 0;

	spin_lock(&queue->lock);
	if (queue->standing.state == CDRIVE_STATE_GONE) {
		err = -ENODEV;
	} else {
		c->queue = queue;
		queue->cached = c;
		cdrive_cached_adopt(c, &queue->table);
	}
	spin_unlock(&queue->lock);
	return err;
}

/* With the mutex held.  It has none yet. */
static int cdrive_cache_give(struct cdrive *drive, const char *validator)
{
	struct cdrive_cache *cache = cdrive_cache;
	struct cdrive_cached *c;
	int err;

	if (!cache || !drive->disk.name[0] || !drive->cache_size)
		return 0;
	c = cdrive_cached_new(cache, drive->disk.name, drive->disk.sectors);
	if (!c)
		return -ENOMEM;
	err = cdrive_cached_set_volume(c, validator, drive->cache_size);
	if (!err)
		err = cdrive_cached_start(c, &drive->queue);
	if (err)
		cdrive_cached_free(c);
	else
		list_add_tail(&c->link, &cache->drives);
	return err;
}

int cdrive_cache_attach(struct cdrive *drive, const char *validator)
{
	int err;

	mutex_lock(&cdrive_cache_mutex);
	err = cdrive_cache_give(drive, validator);
	mutex_unlock(&cdrive_cache_mutex);
	if (!err || err == -EDQUOT)
		return err;
	pr_warn("cdrive%u: has none of the cache (%d)\n", drive->index, err);
	return 0;
}

void cdrive_cache_detach(struct cdrive_queue *queue)
{
	struct cdrive_cached *c;

	mutex_lock(&cdrive_cache_mutex);
	c = queue->cached;
	if (c) {
		list_del_init(&c->link);
		cdrive_cached_stop(c);
		if (c->validator[0])
			cdrive_idle_add(c->cache, c);
		else
			cdrive_cached_free(c);
	}
	mutex_unlock(&cdrive_cache_mutex);
}

static void cdrive_cached_drop(struct cdrive_cached *c)
{
	list_del_init(&c->link);
	cdrive_cached_stop(c);
	cdrive_cached_free(c);
}

static int cdrive_cache_reserve_locked(struct cdrive *drive, u64 size)
{
	struct cdrive_cached *c = drive->queue.cached;
	u64 before = drive->cache_size;
	int err = 0;

	if (c && size)
		err = cdrive_cached_reserve(c, size);
	if (err)
		return err;
	if (c && !size)
		cdrive_cached_drop(c);
	drive->cache_size = size;
	if (!c)
		err = cdrive_cache_give(drive, "");
	if (err)
		drive->cache_size = before;
	return err;
}

int cdrive_cache_reserve(struct cdrive *drive, u64 size)
{
	int err = -ENODEV;

	mutex_lock(&cdrive_cache_mutex);
	if (cdrive_cache && drive->disk.name[0])
		err = cdrive_cache_reserve_locked(drive, size);
	mutex_unlock(&cdrive_cache_mutex);
	return err;
}

struct cdrive_cached *cdrive_cached_fill_runs(struct cdrive_queue *queue)
{
	struct cdrive_cached *c;

	mutex_lock(&cdrive_cache_mutex);
	c = queue->cached;
	if (c) {
		kref_get(&c->ref);
		if (!c->fill_runs++)
			cdrive_volume_set_fill_runs(c->volume, true);
	}
	mutex_unlock(&cdrive_cache_mutex);
	return c;
}

void cdrive_cached_pass_runs(struct cdrive_cached *c)
{
	mutex_lock(&cdrive_cache_mutex);
	if (!--c->fill_runs && c->volume)
		cdrive_volume_set_fill_runs(c->volume, false);
	mutex_unlock(&cdrive_cache_mutex);
	cdrive_cached_put(c);
}

bool cdrive_cache_count(struct cdrive_queue *queue,
			struct cdrive_cache_counters *counters)
{
	struct cdrive_cached *c = queue->cached;
	u64 bypassed;

	lockdep_assert_held(&queue->lock);

	if (!c)
		return false;
	cdrive_volume_count(c->volume, counters);
	/* What the volume takes for a hit. */
	bypassed = atomic64_read(&c->bypassed);
	counters->hits -= min(counters->hits, bypassed);
	counters->hit_bytes -= min_t(u64, counters->hit_bytes,
				     atomic64_read(&c->bypassed_bytes));
	counters->bypassed = bypassed;
	if (c->warm)
		counters->flags |= CDRIVE_CACHE_F_WARM;
	return true;
}

/* --- the machine's -------------------------------------------------------------------- */

static void cdrive_cache_free(struct cdrive_cache *cache)
{
	if (cache->pool)
		cdrive_pool_free(cache->pool);
	if (cache->file.file)
		cdrive_file_close(&cache->file);
	cdrive_checksum_exit();
	kfree(cache);
}

static struct cdrive_cache *cdrive_cache_new(const struct cdrive_cache_open *open)
{
	struct cdrive_cache *cache = kzalloc(sizeof(*cache), GFP_KERNEL);
	int err;

	if (!cache)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&cache->drives);
	INIT_LIST_HEAD(&cache->idle);
	INIT_WORK(&cache->probe_work, cdrive_probe_work);
	err = cdrive_checksum_init();
	if (err) {
		kfree(cache);
		return ERR_PTR(err);
	}
	err = cdrive_file_open(&cache->file, open->fd, open->slots,
			       &cache->speed.latency);
	if (!err) {
		cache->pool = cdrive_pool_new(open->slots);
		if (!cache->pool)
			err = -ENOMEM;
	}
	if (err) {
		cdrive_cache_free(cache);
		return ERR_PTR(err);
	}
	return cache;
}

static bool cdrive_cache_slots_are_valid(u32 slots)
{
	return slots >= CDRIVE_CACHE_MIN_SLOTS && slots <= CDRIVE_CACHE_MAX_SLOTS;
}

/* One that was there before: it has what it wants, if that is to be had. */
static void cdrive_cache_attach_old(struct cdrive *drive)
{
	int err = 0;

	mutex_lock(&cdrive_cache_mutex);
	if (!drive->queue.cached)
		err = cdrive_cache_give(drive, "");
	mutex_unlock(&cdrive_cache_mutex);
	if (err)
		pr_warn("cdrive%u: has none of the cache (%d)\n", drive->index, err);
}

int cdrive_cache_open(const struct cdrive_cache_open *open)
{
	struct cdrive_cache *cache;
	int err = 0;

	if (!cdrive_cache_slots_are_valid(open->slots))
		return -EINVAL;
	mutex_lock(&cdrive_cache_mutex);
	if (cdrive_cache) {
		err = -EBUSY;
	} else {
		cache = cdrive_cache_new(open);
		if (IS_ERR(cache))
			err = PTR_ERR(cache);
		else
			cdrive_cache = cache;
	}
	mutex_unlock(&cdrive_cache_mutex);
	if (err)
		return err;
	pr_info("cdrive: the cache has %u slots\n", open->slots);
	cdrive_for_each(cdrive_cache_attach_old);
	return 0;
}

static void cdrive_cache_end(struct cdrive_cache *cache)
{
	struct cdrive_cached *c, *next;

	list_for_each_entry_safe(c, next, &cache->drives, link)
		cdrive_cached_drop(c);
	cdrive_idle_free_all(cache);
	cancel_work_sync(&cache->probe_work);
	cdrive_cache_free(cache);
}

int cdrive_cache_close(void)
{
	struct cdrive_cache *cache;

	mutex_lock(&cdrive_cache_mutex);
	cache = cdrive_cache;
	cdrive_cache = NULL;
	if (cache)
		cdrive_cache_end(cache);
	mutex_unlock(&cdrive_cache_mutex);
	if (!cache)
		return -ENOENT;
	pr_info("cdrive: the cache is closed\n");
	return 0;
}

int cdrive_cache_resize(u32 slots)
{
	int err = -ENOENT;

	if (!cdrive_cache_slots_are_valid(slots))
		return -EINVAL;
	mutex_lock(&cdrive_cache_mutex);
	if (cdrive_cache) {
		err = cdrive_file_check_size(&cdrive_cache->file, slots);
		if (!err)
			err = cdrive_pool_resize(cdrive_cache->pool, slots);
	}
	mutex_unlock(&cdrive_cache_mutex);
	return err;
}

void cdrive_cache_info(struct cdrive_cache_info *info)
{
	memset(info, 0, sizeof(*info));
	mutex_lock(&cdrive_cache_mutex);
	if (cdrive_cache) {
		cdrive_pool_info(cdrive_cache->pool, info);
		info->state = cdrive_cache_has_failed(cdrive_cache) ?
				      CDRIVE_CACHE_FAILED : CDRIVE_CACHE_ON;
		info->errors = atomic64_read(&cdrive_cache->errors);
	}
	mutex_unlock(&cdrive_cache_mutex);
}

/* All of these ask for what is there. */
static int cdrive_cache_ask(struct cdrive_cache_volume_info *info,
			    int (*ask)(struct cdrive_cache *cache,
				       struct cdrive_cache_volume_info *info))
{
	int err = -ENOENT;

	mutex_lock(&cdrive_cache_mutex);
	if (cdrive_cache)
		err = ask(cdrive_cache, info);
	mutex_unlock(&cdrive_cache_mutex);
	return err;
}

int cdrive_cache_volume(struct cdrive_cache_volume_info *info)
{
	return cdrive_cache_ask(info, cdrive_idle_tell);
}

int cdrive_cache_export(struct cdrive_cache_volume_info *info)
{
	return cdrive_cache_ask(info, cdrive_idle_export);
}

int cdrive_cache_import(struct cdrive_cache_volume_info *info)
{
	return cdrive_cache_ask(info, cdrive_idle_import);
}

int cdrive_cache_init(void)
{
	cdrive_cache_wq = alloc_workqueue("cdrive_cache",
					  WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	return cdrive_cache_wq ? 0 : -ENOMEM;
}

void cdrive_cache_exit(void)
{
	cdrive_cache_close();
	destroy_workqueue(cdrive_cache_wq);
}
