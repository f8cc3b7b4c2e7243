/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.h - requests between the block layer and the helper
 *
 * A request that arrives takes its slot and waits on the drive's unsent list.
 * Forwarding sends all that wait in one message and moves them to the sent
 * list; nothing is forwarded unless the drive is live.  Completion, fencing
 * and detaching take a request off its list and drop its first reference;
 * a payload copy under way holds another.  Who drops the last one ends the
 * request, so its pages stay for as long as somebody copies.
 *
 * Nothing here sleeps or enters memory reclaim: the request may be the one
 * that reclaim waits for.
 */
#ifndef _CDRIVE_QUEUE_H
#define _CDRIVE_QUEUE_H

#include <linux/blk-mq.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/cdrive.h>

struct cdrive;

struct cdrive_rq {
	struct list_head link;	/* sent, unsent, or a list of the ended */
	refcount_t ref;
	bool sent;
	u32 tag;		/* as last sent */
	blk_status_t status;	/* once off the lists */
};

blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd);
void cdrive_commit_rqs(struct blk_mq_hw_ctx *hctx);

/* Under the drive's lock: */
void cdrive_queue_forward(struct cdrive *drive);
int cdrive_queue_replay(struct cdrive *drive);
void cdrive_queue_take_all(struct cdrive *drive, struct list_head *ended);

/* Not under it: fails requests that were taken. */
void cdrive_queue_fail(struct list_head *ended);

/*
 * Ends the requests named in @c.  0; -EPERM: not from the helper; -ESTALE:
 * some were not in flight.
 */
int cdrive_queue_complete(struct cdrive *drive, u32 portid,
			  const struct cdrive_completion *c, unsigned int n);

/* Keeps a request that was sent under @tag from ending; NULL: there is none. */
struct request *cdrive_queue_pin(struct cdrive *drive, u32 tag);
void cdrive_queue_unpin(struct request *rq);

#endif /* _CDRIVE_QUEUE_H */
