/* SPDX-License-Identifier: MIT */
/*
 * config.h - where the machine's cache is, and how large: /etc/clouddrive/cache.conf
 *
 * Written by `clouddrivectl init-cache`, and root's.  JSON:
 *
 *	{"path": "/var/cache/drives/clouddrive.cache", "device": false,
 *	 "size": BYTES, "uuid": "…"}
 *
 * The uuid is in the cache's header, too (header.h): what has another one is not touched.
 * $CLOUDDRIVE_CONFIG_DIR and $CLOUDDRIVE_STATE_DIR name other directories, for tests.
 */
#ifndef CACHE_CONFIG_H
#define CACHE_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uuid/uuid.h>

#define CACHE_FILE "clouddrive.cache" /* in the directory that the user names */

#define CACHE_SIZE_LEAST (16ull << 20)
#define CACHE_SIZE_MOST (2ull << 40)

struct cache_config {
	char path[PATH_MAX]; /* absolute; of the file, or the device */
	bool device;
	uint64_t size; /* bytes that drives may have, without the header */
	uuid_t uuid;
};

/* 0; -ENOENT: no cache is configured; -EBADMSG: it makes no sense; or another -errno. */
int cache_config_load(struct cache_config *c);
/* Whole or not at all, and durable. */
int cache_config_save(const struct cache_config *c);
int cache_config_remove(void);
/* For messages. */
const char *cache_config_path(char *buf, size_t len);

/* Where the index is kept while no drive is mounted (index.h), into @buf of PATH_MAX. */
const char *cache_index_path(const struct cache_config *c, char *buf);

/*
 * A file of root's with what @write puts into it (0 or -errno), in place of the old one: the
 * one or the other, also after a power failure.  Its directory is made if need be.
 */
int cache_replace(const char *path, int (*write)(int fd, void *arg), void *arg);

uint32_t cache_slots(uint64_t size);

/* Memory of the driver's map when all slots are taken. */
uint64_t cache_map_memory(uint64_t size);

#endif
