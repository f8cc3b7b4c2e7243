/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * idle.h - volumes without drive: what was cached of drives that are gone
 *
 * Each has a validator that may prove it right, and is the only one of its name.  The
 * caller has the cache's mutex.
 */
#ifndef _CDRIVE_CACHE_IDLE_H
#define _CDRIVE_CACHE_IDLE_H

#include <linux/types.h>

struct cdrive_cache;
struct cdrive_cache_volume_info;
struct cdrive_cached;
struct cdrive_volume;

/* No more are kept: the oldest goes. */
#define CDRIVE_MAX_IDLE	64

/* Takes it over, with its volume, in place of one of the same name. */
void cdrive_idle_add(struct cdrive_cache *cache, struct cdrive_cached *c);
/*
 * The volume that was kept under that name, if @validator proves it right, and if not,
 * NULL, and nothing is kept under that name any more.
 */
struct cdrive_volume *cdrive_idle_take(struct cdrive_cache *cache, const char *name,
				       u64 sectors, const char *validator);
void cdrive_idle_free_all(struct cdrive_cache *cache);

/* May sleep.  See uapi/linux/cdrive_cache.h; entries are in user space. */
int cdrive_idle_tell(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info);
int cdrive_idle_export(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info);
int cdrive_idle_import(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info);

#endif /* _CDRIVE_CACHE_IDLE_H */
