/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hit.h - reads that are served from the cache's file
 *
 * The file is read straight into a request's pages, by a work: submitting may sleep.
 * Whose ends are not blocks', or whose memory the file can't take, goes by private pages.
 * Each block is verified before the request may end; what is not as it was written
 * is read once more to private pages, as whoever reads may be writing to his
 * buffer at the same time.
 *
 * The request is on the drive's table (see table.h) meanwhile, and has a reference for
 * the reading.  Its slots are pinned.
 */
#ifndef _CDRIVE_CACHE_HIT_H
#define _CDRIVE_CACHE_HIT_H

#include <linux/atomic.h>
#include <linux/bvec.h>
#include <linux/llist.h>

#include "file.h"

struct cdrive_buffer;
struct cdrive_cached;
struct cdrive_rq;

struct cdrive_hit {
	struct llist_node node;	/* to be submitted, or read */
	atomic_t under_way;	/* reads, and one until all are submitted */
	int err;
	u64 began;
	bool again;		/* was not what had been written */
	struct cdrive_buffer *buffer;	/* NULL: it is read to the request's pages */
	unsigned int segments;
	struct bio_vec *bvec;	/* the buffer's, or segment, or more */
	struct bio_vec segment;
	struct cdrive_io *ios;	/* io, or more */
	struct cdrive_io io;
};

/* A drive's part is new. */
void cdrive_hits_init(struct cdrive_cached *c);
/* No more of them is active. */
void cdrive_hits_stop(struct cdrive_cached *c);

/* Under the drive's lock.  cdrive_queue_read() is called when it was. */
void cdrive_hit_start(struct cdrive_cached *c, struct cdrive_rq *crq);

/* The range is pinned: has the file measured there, unless it was just now. */
void cdrive_hit_probe(struct cdrive_cached *c, struct cdrive_rq *crq);
void cdrive_probe_work(struct work_struct *work);

#endif /* _CDRIVE_CACHE_HIT_H */
