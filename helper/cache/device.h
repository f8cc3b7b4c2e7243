/* SPDX-License-Identifier: MIT */
/*
 * device.h - /dev/cdrive-cache: what is said to the driver about the cache
 *
 * Protocol: uapi/linux/cdrive_cache.h.  Functions return 0 or a negative errno.
 */
#ifndef CACHE_DEVICE_H
#define CACHE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/cdrive_cache.h>

/* A descriptor; -ENOENT: the module is not loaded, or is one of before there was a cache. */
int cache_device_open(void);

int cache_device_info(int dev, struct cdrive_cache_info *info);
int cache_device_set(int dev, int fd, uint32_t slots);
int cache_device_resize(int dev, uint32_t slots);
int cache_device_close(int dev);
int cache_device_reserve(int dev, unsigned int index, uint64_t size);
int cache_device_fill_runs(int dev, unsigned int index);

/* Of volumes without drive: the @number'th (v->name, sectors, validator); -ENOENT after the
 * last. */
int cache_device_volume(int dev, uint32_t number, struct cdrive_cache_volume_info *v);
/* The next entries of v->name: up to @n, as v->count says; 0 after the last. */
int cache_device_export(int dev, struct cdrive_cache_volume_info *v, struct cdrive_cache_entry *e,
			uint32_t n);
/* Makes the volume (v->cursor 0), or gives it more. */
int cache_device_import(int dev, struct cdrive_cache_volume_info *v,
			const struct cdrive_cache_entry *e, uint32_t n);

/* The validator of the volume @name that has no drive; "": there is none. */
int cache_device_validator(int dev, const char *name, char validator[CDRIVE_MAX_VALIDATOR + 1]);

#endif
