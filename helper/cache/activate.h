/* SPDX-License-Identifier: MIT */
/*
 * activate.h - the cache of the machine comes with its first drive and goes with the last
 *
 *	before a mount		cache_activate(): the driver is given the file, and the
 *				map from the index, which is removed before any drive can
 *				change what it tells of
 *	after an unmount	cache_deactivate(): when no drive uses it, the map is
 *				written to the index, and the file is closed, so that the
 *				file system below can be unmounted
 *
 * Mounts hold a lock, shared, from the one until their drive is there; who opens or closes
 * the cache holds it alone.  After a crash there is no index: the cache begins cold.
 * The cache is never a reason for a mount or unmount to fail.
 */
#ifndef CACHE_ACTIVATE_H
#define CACHE_ACTIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "cache/config.h"

#define CACHE_WARNING 512

struct cache_use {
	int lock; /* -1: none */
	int dev; /* /dev/cdrive-cache; -1: there is no cache */
	bool configured;
	struct cache_config config; /* if it is */
	char warning[CACHE_WARNING]; /* for people: "WHAT: WHY; WHAT TO DO"; "": none */
};

#define CACHE_USE_NONE ((struct cache_use){ .lock = -1, .dev = -1 })

/* Module cdrive is loaded, and the runtime directory there. */
void cache_activate(struct cache_use *u);
/* The drive is there, or won't be. */
void cache_release(struct cache_use *u);

/* @warning: of CACHE_WARNING bytes, "" when all is well. */
void cache_deactivate(char *warning);

/* The lock, for who changes the configuration: a descriptor, or -ETIMEDOUT. */
int cache_lock(void);

/*
 * Gives the driver a cache that was just made, or that is to be used at once.  Of one that
 * has an index the map is read.  0 or -errno with the reason in @why.  With the lock.
 */
int cache_open(int dev, const struct cache_config *c, char *why, size_t len);

/* Writes the index, and takes the cache from the driver.  With the lock. */
int cache_close(int dev, const struct cache_config *c, char *why, size_t len);

/* Why the cache began cold when it was opened the last time; false: it did not, or that is
 * not known. */
bool cache_began_cold(char *why, size_t len);

#endif
