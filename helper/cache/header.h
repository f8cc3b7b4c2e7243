/* SPDX-License-Identifier: MIT */
/*
 * header.h - the first CDRIVE_CACHE_HEADER bytes of a cache, which are not the driver's
 *
 * They say which cache it is, and whether what is in it can be used: the index that goes
 * with it (index.h) names the same @generation, which is another one each time the cache is
 * opened.  While it is open, and after a crash, there is no index that does.
 */
#ifndef CACHE_HEADER_H
#define CACHE_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <uuid/uuid.h>

enum cache_state {
	CACHE_NEW, /* nothing was ever in it */
	CACHE_OPEN, /* or left open by a crash */
	CACHE_CLOSED, /* with an index */
};

struct cache_header {
	uuid_t uuid;
	enum cache_state state;
	uint64_t generation;
	uint64_t size; /* as in struct cache_config */
};

/* Of the file @fd, which may be open with O_DIRECT.  0; -EBADMSG: there is none; or -errno.
 * What was written is durable. */
int cache_header_read(int fd, struct cache_header *h);
int cache_header_write(int fd, const struct cache_header *h);
/* There is none any more. */
int cache_header_wipe(int fd);

#endif
