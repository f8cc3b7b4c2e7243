/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cache.h - the machine's cache, and what of it is one drive's
 *
 * There is one cache at most, from its opening to its closing: a file (see file.h),
 * slots of it (pool.h), and what each drive has in it: its volume (volume.h).  hit.h
 * reads from it, fill.h writes to it; uapi/linux/cdrive_cache.h says what user space
 * may ask for.
 *
 * A mutex serialises what opens, closes and changes it.  It is above the drives' locks.
 * A drive knows its part by cdrive_queue's member cached, under its lock.  I/O of the
 * file counts as active: who takes the part away waits for that, and for nothing else.  A
 * request that outlives its part keeps the memory of it alone.
 */
#ifndef _CDRIVE_CACHE_CACHE_H
#define _CDRIVE_CACHE_CACHE_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "file.h"
#include "pool.h"
#include "speed.h"
#include "volume.h"

struct cdrive;
struct cdrive_queue;

/* So many errors of its file, and the cache is used no more. */
#define CDRIVE_CACHE_MAX_ERRORS	64

struct cdrive_cache {
	struct cdrive_file file;
	struct cdrive_pool *pool;
	struct list_head drives;	/* under the mutex, as the next two */
	struct list_head idle;		/* see idle.h; the oldest first */
	unsigned int idle_count;
	atomic64_t errors;
	bool failed;
	struct cdrive_speed speed;
	struct work_struct probe_work;	/* measures the file */
	unsigned long probing;		/* bit 0: it is to run, or runs */
	u64 probed;			/* when */
	loff_t probe_pos;
};

/* What one work needs to look a transfer up. */
struct cdrive_places {
	struct cdrive_extent extents[CDRIVE_MAX_EXTENTS];
	struct cdrive_span spans[CDRIVE_MAX_EXTENTS];
};

/* A drive's part. */
struct cdrive_cached {
	struct kref ref;
	refcount_t active;	/* I/O, and one for as long as there may be more */
	struct completion stopped;
	struct cdrive_cache *cache;
	struct cdrive_volume *volume;
	struct cdrive_queue *queue;	/* NULL: it has no drive */
	struct list_head link;		/* of those with, or without */
	const char *name;
	u64 sectors;
	char validator[CDRIVE_MAX_VALIDATOR + 1];	/* under the drive's lock */
	bool warm;
	unsigned int fill_runs;	/* under the mutex: so many want long runs cached */
	u64 service_ns;		/* how long its helper's reads take: an average */

	atomic64_t bypassed, bypassed_bytes;

	/* See hit.c and fill.c.  Each work has its own places. */
	struct llist_head hits, read, shadows, written;
	struct work_struct hits_work, read_work, shadows_work, written_work;
	struct cdrive_places hits_places, read_places, shadows_places;
};

/* For all its I/O: a slow file must not keep the driver's other works waiting. */
extern struct workqueue_struct *cdrive_cache_wq;

int cdrive_cache_init(void);
/* Only without drives. */
void cdrive_cache_exit(void);

/* What user space asks for; see uapi/linux/cdrive_cache.h. */
int cdrive_cache_open(const struct cdrive_cache_open *open);
int cdrive_cache_close(void);
int cdrive_cache_resize(u32 slots);
void cdrive_cache_info(struct cdrive_cache_info *info);
/* @entries is in user space. */
int cdrive_cache_volume(struct cdrive_cache_volume_info *info);
int cdrive_cache_export(struct cdrive_cache_volume_info *info);
int cdrive_cache_import(struct cdrive_cache_volume_info *info);

/*
 * Gives a drive its part, if there is a cache, and the drive may have some of it; what
 * was kept, if @validator ("": none) proves it right.  -EDQUOT: more would be reserved
 * than there is; for want of memory it goes without.
 */
int cdrive_cache_attach(struct cdrive *drive, const char *validator);
/* Waits for its I/O; keeps the volume if there is a validator that still holds. */
void cdrive_cache_detach(struct cdrive_queue *queue);
/* Another size.  -ENODEV: there is none to be had; -EDQUOT as above. */
int cdrive_cache_reserve(struct cdrive *drive, u64 size);

/* Under the drive's lock.  False: it has no part. */
bool cdrive_cache_count(struct cdrive_queue *queue,
			struct cdrive_cache_counters *counters);

/*
 * Long runs are cached, too, until that is given back: a reference to the drive's part.
 * NULL: it has none.
 */
struct cdrive_cached *cdrive_cached_fill_runs(struct cdrive_queue *queue);
void cdrive_cached_pass_runs(struct cdrive_cached *c);

/* May sleep.  One that is on no list, and has no volume yet; NULL: no memory. */
struct cdrive_cached *cdrive_cached_new(struct cdrive_cache *cache, const char *name,
					u64 sectors);
/* One that is on no list, nor active, with its volume. */
void cdrive_cached_free(struct cdrive_cached *c);
void cdrive_cached_put(struct cdrive_cached *c);

/* I/O begins; false: it may not any more.  And ends. */
static inline bool cdrive_cached_begin(struct cdrive_cached *c)
{
	return refcount_inc_not_zero(&c->active);
}

static inline void cdrive_cached_end(struct cdrive_cached *c)
{
	if (refcount_dec_and_test(&c->active))
		complete(&c->stopped);
}

/* The file has done something wrong, or not at all. */
void cdrive_cache_error(struct cdrive_cache *cache);

static inline bool cdrive_cache_has_failed(const struct cdrive_cache *cache)
{
	return READ_ONCE(cache->failed);
}

#endif /* _CDRIVE_CACHE_CACHE_H */
