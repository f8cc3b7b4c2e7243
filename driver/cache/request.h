/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * request.h - what becomes of a drive's requests, told to its part of the cache
 *
 *	arrives		cdrive_cached_arrive(): a read may be a hit; a read notes a
 *			generation, a write raises it (see volume.h)
 *	is sent		cdrive_cached_sent()
 *	is copied	cdrive_shadow_copy() in fill.h
 *	is answered	cdrive_cached_answered()
 *	is to end	cdrive_cached_leave(), in the lock hold that takes it off the
 *			table, however it ends; until then it counts as in flight
 *	has ended	cdrive_cached_fill(): what was copied is entered
 *
 * All under the drive's lock but the last.  Of a drive that has no part of a cache they
 * do nothing.
 */
#ifndef _CDRIVE_CACHE_REQUEST_H
#define _CDRIVE_CACHE_REQUEST_H

#include <linux/blk_types.h>
#include <linux/types.h>

#include "hit.h"

struct cdrive_cached;
struct cdrive_queue;
struct cdrive_rq;
struct cdrive_shadow;
struct cdrive_table;

/* What a request's pdu has for it. */
struct cdrive_cached_rq {
	struct cdrive_cached *cached;	/* whom it has told; a reference */
	bool fills;			/* it is worth to be entered */
	u64 generation;			/* of a read; of a write once it is to end */
	u64 sent_ns;
	struct cdrive_shadow *shadow;	/* see fill.h */
	struct cdrive_hit hit;
};

/* What of it outlives the request. */
struct cdrive_cached_rest {
	struct cdrive_cached *cached;
	struct cdrive_shadow *shadow;
	bool fills;
};

/* True: it is a hit, its I/O counts as active, and cdrive_hit_start() is to follow. */
bool cdrive_cached_arrive(struct cdrive_queue *queue, struct cdrive_rq *crq);
/* A hit that came to nothing: it is read like one that has just arrived. */
void cdrive_cached_miss(struct cdrive_queue *queue, struct cdrive_rq *crq);
void cdrive_cached_sent(struct cdrive_queue *queue, struct cdrive_rq *crq);
void cdrive_cached_answered(struct cdrive_queue *queue, struct cdrive_rq *crq);
void cdrive_cached_leave(struct cdrive_queue *queue, struct cdrive_rq *crq);

/* Who ends the request has no lock, and takes this with it before. */
struct cdrive_cached_rest cdrive_cached_take(struct cdrive_rq *crq, bool ok);
void cdrive_cached_fill(struct cdrive_cached_rest *rest);

/* All of it may be old, and is dropped. */
void cdrive_cached_forget(struct cdrive_queue *queue);

/* See cdrive_set_validator(). */
int cdrive_cached_set_validator(struct cdrive_queue *queue, const char *validator);

/* A part that is new: what is in flight has not told it that it arrived. */
void cdrive_cached_adopt(struct cdrive_cached *c, struct cdrive_table *table);

#endif /* _CDRIVE_CACHE_REQUEST_H */
