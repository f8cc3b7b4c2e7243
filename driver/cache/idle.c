// SPDX-License-Identifier: GPL-2.0-only
#include "idle.h"

#include <linux/blk_types.h>
#include <linux/err.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "cache.h"
#include "name.h"

/* Entries that are copied at once. */
#define CDRIVE_COPY_ENTRIES	40

static struct cdrive_cached *cdrive_idle_find(struct cdrive_cache *cache,
					      const char *name)
{
	struct cdrive_cached *c;

	list_for_each_entry(c, &cache->idle, link)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void cdrive_idle_free(struct cdrive_cache *cache, struct cdrive_cached *c)
{
	list_del_init(&c->link);
	cache->idle_count--;
	cdrive_cached_free(c);
}

void cdrive_idle_free_all(struct cdrive_cache *cache)
{
	struct cdrive_cached *c, *next;

	list_for_each_entry_safe(c, next, &cache->idle, link)
		cdrive_idle_free(cache, c);
}

void cdrive_idle_add(struct cdrive_cache *cache, struct cdrive_cached *c)
{
	struct cdrive_cached *old = cdrive_idle_find(cache, c->name);

	if (!old && cache->idle_count == CDRIVE_MAX_IDLE)
		old = list_first_entry(&cache->idle, struct cdrive_cached, link);
	if (old)
		cdrive_idle_free(cache, old);
	cdrive_pool_set_idle(cache->pool, c->volume, true);
	list_add_tail(&c->link, &cache->idle);
	cache->idle_count++;
}

struct cdrive_volume *cdrive_idle_take(struct cdrive_cache *cache, const char *name,
				       u64 sectors, const char *validator)
{
	struct cdrive_cached *c = cdrive_idle_find(cache, name);
	struct cdrive_volume *volume = NULL;

	if (!c)
		return NULL;
	if (*validator && !strcmp(c->validator, validator) && c->sectors == sectors)
		swap(volume, c->volume);
	cdrive_idle_free(cache, c);
	return volume;
}

static bool cdrive_idle_info_is_valid(const struct cdrive_cache_volume_info *info)
{
	return strnlen(info->name, sizeof(info->name)) < sizeof(info->name) &&
	       strnlen(info->validator, sizeof(info->validator)) <
		       sizeof(info->validator) &&
	       cdrive_name_is_valid(info->name);
}

static void cdrive_idle_describe(const struct cdrive_cached *c,
				 struct cdrive_cache_volume_info *info)
{
	info->sectors = c->sectors;
	strscpy_pad(info->name, c->name, sizeof(info->name));
	strscpy_pad(info->validator, c->validator, sizeof(info->validator));
}

int cdrive_idle_tell(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info)
{
	struct cdrive_cached *c;
	u32 number = 0;

	if (info->number == CDRIVE_CACHE_BY_NAME && !cdrive_idle_info_is_valid(info))
		return -EINVAL;
	list_for_each_entry(c, &cache->idle, link) {
		if (info->number == CDRIVE_CACHE_BY_NAME ?
			    !strcmp(c->name, info->name) : number == info->number) {
			info->number = number;
			cdrive_idle_describe(c, info);
			return 0;
		}
		number++;
	}
	return -ENOENT;
}

int cdrive_idle_export(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info)
{
	struct cdrive_cache_entry __user *to = u64_to_user_ptr(info->entries);
	struct cdrive_cache_entry *entries;
	struct cdrive_cached *c;
	u32 count = 0;
	int n = 1;

	if (!cdrive_idle_info_is_valid(info))
		return -EINVAL;
	c = cdrive_idle_find(cache, info->name);
	if (!c)
		return -ENOENT;
	entries = kcalloc(CDRIVE_COPY_ENTRIES, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	while (n > 0 && count < info->count) {
		n = cdrive_volume_export(c->volume, &info->cursor, entries,
					 min_t(u32, info->count - count,
					       CDRIVE_COPY_ENTRIES));
		if (n > 0 && copy_to_user(to + count, entries, n * sizeof(*entries)))
			n = -EFAULT;
		if (n > 0)
			count += n;
	}
	kfree(entries);
	if (n < 0)
		return n;
	info->count = count;
	cdrive_idle_describe(c, info);
	return 0;
}

/* An empty one, of which the file has what the entries will say. */
static struct cdrive_cached *cdrive_idle_make(struct cdrive_cache *cache,
					      const struct cdrive_cache_volume_info *info)
{
	struct cdrive_cached *c;

	if (!info->validator[0] || !info->sectors ||
	    info->sectors > LLONG_MAX >> SECTOR_SHIFT)
		return ERR_PTR(-EINVAL);
	c = cdrive_cached_new(cache, info->name, info->sectors);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->volume = cdrive_volume_new(cache->pool, c->name, c->sectors);
	if (!c->volume) {
		cdrive_cached_free(c);
		return ERR_PTR(-ENOMEM);
	}
	strscpy(c->validator, info->validator, sizeof(c->validator));
	cdrive_idle_add(cache, c);
	return c;
}

static int cdrive_idle_import_entries(struct cdrive_cached *c,
				      const struct cdrive_cache_entry __user *from,
				      u32 count)
{
	struct cdrive_cache_entry entry;
	int err = 0;

	for (; count && !err; count--, from++) {
		if (copy_from_user(&entry, from, sizeof(entry)))
			return -EFAULT;
		err = cdrive_volume_import(c->volume, &entry);
	}
	return err;
}

/* A map that is wrong in one entry is worth nothing. */
int cdrive_idle_import(struct cdrive_cache *cache, struct cdrive_cache_volume_info *info)
{
	struct cdrive_cached *c;
	int err;

	if (!cdrive_idle_info_is_valid(info))
		return -EINVAL;
	c = info->cursor ? cdrive_idle_find(cache, info->name) :
			   cdrive_idle_make(cache, info);
	if (IS_ERR_OR_NULL(c))
		return c ? PTR_ERR(c) : -ENOENT;
	err = cdrive_idle_import_entries(c, u64_to_user_ptr(info->entries),
					 info->count);
	if (err)
		cdrive_idle_free(cache, c);
	else
		info->cursor += info->count + 1;
	return err;
}
