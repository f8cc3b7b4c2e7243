/* SPDX-License-Identifier: MIT */
/*
 * file.h - the file or device that the cache is in
 *
 * It is opened with O_DIRECT, as the driver wants it, and a device for nobody else
 * besides (O_EXCL).  Errors are sentences for people in @why: "WHAT: WHY; WHAT TO DO".
 */
#ifndef CACHE_FILE_H
#define CACHE_FILE_H

#include "cache/config.h"

/*
 * Where @where, a directory or block device, would have the cache: c->path and c->device.
 * Refused: what isn't there, and what lies on a drive.  0 or -errno.
 */
int cache_file_locate(const char *where, struct cache_config *c, char *why, size_t len);

/* Makes it, empty, of c->size, with a fresh c->uuid.  A descriptor, or -errno: -EBUSY: a
 * device that is in use, or holds something. */
int cache_file_make(struct cache_config *c, char *why, size_t len);

/* Opens the one that there is; @in_use: by the driver, which keeps others away from a device.
 * A descriptor, or -errno: -ESTALE: it is another. */
int cache_file_open(const struct cache_config *c, bool in_use, char *why, size_t len);

/* Makes it larger or smaller; only c->size may be more than it was before.  0 or -errno. */
int cache_file_resize(int fd, const struct cache_config *c, char *why, size_t len);

/* There is none any more: the file and its index are removed, a device's header is wiped. */
void cache_file_remove(const struct cache_config *c);

/* How much of the file is there, and how much room is left for more; 0: not known. */
uint64_t cache_file_room(const struct cache_config *c);

#endif
