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
 * or fails with all the others.
 * It stays kept when another helper adopts the drive.  To send it again would
 * be right, too, but it would have to take its old place among those sent; and
 * there is no need: what was carried out before the lease came into doubt, or
 * after, is carried out, as long as nobody else has written to the blob, and if
 * somebody has then no helper will tell a deadline, but fence the drive.
 *
 * Nothing here sleeps or enters memory reclaim: the request may be the one
 * that reclaim waits for.
 */
#ifndef _CDRIVE_QUEUE_H
#define _CDRIVE_QUEUE_H

#include <linux/blk-mq.h>
#include <linux/cdrive.h>

struct cdrive;
struct cdrive_rq;

blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd);
void cdrive_commit_rqs(struct blk_mq_hw_ctx *hctx);

/* Under the drive's lock: */
void cdrive_queue_forward(struct cdrive *drive);
/* Returns how many there were. */
unsigned int cdrive_queue_take_kept(struct cdrive *drive,
				    struct list_head *ended);

/* Not under it: ends requests that were taken as was said of each, or badly. */
void cdrive_queue_end(struct list_head *ended);
void cdrive_queue_fail(struct list_head *ended);

/*
 * Ends, or keeps, the requests named in @c.  0; -EPERM: not from the helper;
 * -ESTALE: some were not in flight.  A read that is said to be done, but lacks
 * data, fails.
 */
int cdrive_queue_complete(struct cdrive *drive, u64 cookie,
			  const struct cdrive_completion *c, unsigned int n);

/*
 * Keeps a request that was sent under @tag from ending.  -EPERM: asked for by
 * somebody who is not the helper; -ESTALE: it is not in flight.
 */
struct request *cdrive_queue_pin(struct cdrive *drive, u64 cookie, u32 tag);
void cdrive_queue_unpin(struct request *rq);
/* Of a pinned read, @n bytes were written. */
void cdrive_queue_filled(struct request *rq, size_t n);

#endif /* _CDRIVE_QUEUE_H */
