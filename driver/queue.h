/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.h - requests between the block layer and the helper
 *
 * A request that arrives waits in the drive's table (see table.h).  Forwarding
 * sends all that wait in as few messages as there can be; nothing is forwarded
 * unless the drive is live and the lease's deadline still to come.  Completion,
 * fencing and detaching take a request off the table and drop the table's
 * reference; a payload copy under way holds another.  Who drops the last one
 * ends the request, so its pages stay for as long as somebody copies.
 *
 * A completion that comes past the deadline is kept: the request stays on the
 * table with its status, and ends when a deadline is told that is still to come,
 * or fails with all the others.  It stays kept when another helper adopts the
 * drive; why: Documentation/design.rst, "The lease and its deadline".
 *
 * A read of what is cached (see cache/cache.h) is on the table, too, while it is read
 * from there.  Then it completes as if the helper had said so, past the deadline
 * or not; or it waits for the helper as if it had just arrived.
 *
 * Nothing here sleeps or enters memory reclaim: the request may be the one
 * that reclaim waits for.
 */
#ifndef _CDRIVE_QUEUE_H
#define _CDRIVE_QUEUE_H

#include <linux/blk-mq.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/cdrive.h>

#include "cache/request.h"
#include "failures.h"
#include "helper.h"
#include "state.h"
#include "table.h"

/*
 * The requests of one drive, and what decides where they go: its states and its
 * helper.  drive.c changes those two, under the lock that is here.
 */
struct cdrive_queue {
	unsigned int index;	/* the drive's */
	spinlock_t lock;	/* the drive's lock: of all that follows */
	struct cdrive_standing standing;
	struct cdrive_helper helper;
	struct cdrive_table table;
	struct cdrive_cached *cached;	/* its part of the cache, or NULL */
	struct cdrive_failures failures;	/* not under it */
	/* On cdrive_wq: a message could not be sent. */
	struct delayed_work resend_work;
};

/* For works that requests wait for: always has a thread to run on. */
extern struct workqueue_struct *cdrive_wq;

/* Of a drive that is live; @park_limit: see state.h. */
void cdrive_queue_init(struct cdrive_queue *queue, unsigned int index,
		       unsigned int park_limit);

/* What the block layer calls; the hardware queue's driver_data is the queue. */
blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd);
void cdrive_commit_rqs(struct blk_mq_hw_ctx *hctx);

/* What of a drive changes, as it was at one moment. */
struct cdrive_status {
	struct cdrive_standing standing;
	struct cdrive_helper helper;
	unsigned int in_flight;
	u64 failed;		/* see failures.h */
	u64 failed_writes;
};

void cdrive_queue_get_status(struct cdrive_queue *queue,
			     struct cdrive_status *status);

/* Under the lock: */
void cdrive_queue_forward(struct cdrive_queue *queue);
/* All there are, onto @ended, to fail. */
void cdrive_queue_take_all(struct cdrive_queue *queue, struct list_head *ended);
/* Returns how many there were. */
unsigned int cdrive_queue_take_kept(struct cdrive_queue *queue,
				    struct list_head *ended);

/* Not under it: ends requests that were taken as was said of each, or badly. */
void cdrive_queue_end(struct list_head *ended);
void cdrive_queue_fail(struct list_head *ended);

/*
 * Ends, or keeps, the requests named in @c.  0; -EPERM: not by the helper;
 * -ESTALE: some were not in flight.  A read that is said to be done, but lacks
 * data, fails.
 */
int cdrive_queue_complete(struct cdrive_queue *queue, u64 cookie,
			  const struct cdrive_completion *c, unsigned int n);

/* It was read from the cache, or could not be.  Drops the reading's reference. */
void cdrive_queue_read(struct cdrive_queue *queue, struct request *rq, bool ok);

/*
 * Keeps a request that was sent under @tag from ending.  -EPERM: asked for by
 * somebody who is not the helper; -ESTALE: it is not in flight.
 */
struct request *cdrive_queue_pin(struct cdrive_queue *queue, u64 cookie,
				 u32 tag);
void cdrive_queue_unpin(struct request *rq);
/* Of a pinned read, @n bytes were written. */
void cdrive_queue_filled(struct request *rq, size_t n);

#endif /* _CDRIVE_QUEUE_H */
