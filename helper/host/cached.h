/* SPDX-License-Identifier: MIT */
/*
 * cached.h - what a drive that is mounted has of the machine's cache, and what becomes of it
 */
#ifndef HOST_CACHED_H
#define HOST_CACHED_H

#include <stdint.h>

#include "host/mount.h"
#include "lib/text.h"

#define CACHE_UNSET UINT64_MAX /* of mount --cache: it shares what nobody has reserved */

/* Before the drive is made: the cache is there, and has what --cache asks for.  EXIT_OK,
 * or a status with its message; what is wrong with the cache itself is only noted. */
int cached_begin(struct mount *m);
/* A new drive may have so much; likewise. */
int cached_check(const struct mount *m);
/* What a new drive is asked for, into the request for its helper. */
void cached_request(const struct mount *m, json_t *request);
/* Of a drive that was there already, --cache holds from now on.  Likewise. */
int cached_change(const struct mount *m);
/* It is there, or is not to be. */
void cached_end(struct mount *m);

/* A drive has gone: if it was the last one, the cache is closed, until the next. */
void cached_put_away(void);

/* Adds who has reserved what: "/dev/cdrive0 has 6G, …". */
void cached_reserved(struct text *t);

#endif
