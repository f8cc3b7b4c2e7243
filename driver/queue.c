// SPDX-License-Identifier: GPL-2.0-only
#include "queue.h"

#include "compat.h"
#include "drive.h"
#include "lease.h"
#include "netlink.h"
#include "state.h"
#include "table.h"
#include "trace.h"

/* How soon to try again when a message to the helper could not be sent: its
 * socket's buffer was full, or there was no memory.
 */
#define CDRIVE_RESEND_MS 10

static struct cdrive_rq *cdrive_rq(struct request *rq)
{
	return blk_mq_rq_to_pdu(rq);
}

static struct request *cdrive_rq_request(struct cdrive_rq *crq)
{
	return blk_mq_rq_from_pdu(crq);
}

static int cdrive_op(struct request *rq)
{
	switch (req_op(rq)) {
	case REQ_OP_READ:
		return CDRIVE_OP_READ;
	case REQ_OP_WRITE:
		return CDRIVE_OP_WRITE;
	case REQ_OP_DISCARD:
		return CDRIVE_OP_DISCARD;
	case REQ_OP_WRITE_ZEROES:
		return CDRIVE_OP_WRITE_ZEROES;
	default:
		return -EOPNOTSUPP;
	}
}

/* One message with the first that wait, after which they are sent. */
static int cdrive_queue_forward_batch(struct cdrive *drive)
{
	struct cdrive_table *table = &drive->table;
	unsigned int n = cdrive_table_batch(table);
	struct cdrive_descriptor *desc;
	struct sk_buff *skb;
	int err;

	skb = cdrive_nl_request_new(drive->index, n, &desc);
	if (!skb)
		return -ENOMEM;
	cdrive_table_describe(table, desc, n);
	err = cdrive_nl_request_send(drive, skb);
	if (err)
		return err;
	while (n--)
		trace_cdrive_request_forward(drive->index,
					     cdrive_table_send_first(table));
	return 0;
}

/*
 * Sends all that waits, in one message at a time.  When a message can't be
 * sent its requests stay where they are: the next completion tries again, and
 * so does resend_work, in case there is nothing left to complete.
 */
void cdrive_queue_forward(struct cdrive *drive)
{
	lockdep_assert_held(&drive->lock);

	while (drive->table.unsent_count &&
	       cdrive_standing_forwards(&drive->standing, cdrive_lease_now())) {
		if (cdrive_queue_forward_batch(drive)) {
			mod_delayed_work(cdrive_wq, &drive->resend_work,
					 msecs_to_jiffies(CDRIVE_RESEND_MS));
			break;
		}
	}
}

blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd)
{
	struct cdrive *drive = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	struct cdrive_rq *crq = cdrive_rq(rq);
	int op = cdrive_op(rq);

	if (op < 0)
		return BLK_STS_NOTSUPP;

	spin_lock(&drive->lock);
	if (!cdrive_standing_takes(&drive->standing)) {
		spin_unlock(&drive->lock);
		return BLK_STS_IOERR;
	}
	blk_mq_start_request(rq);
	crq->desc = (struct cdrive_descriptor){
		.sector = blk_rq_pos(rq),
		.sectors = blk_rq_sectors(rq),
		.op = op,
	};
	cdrive_table_add(&drive->table, crq, rq->tag);
	trace_cdrive_request_start(drive->index, crq);
	if (bd->last)
		cdrive_queue_forward(drive);
	spin_unlock(&drive->lock);
	return BLK_STS_OK;
}

/* The block layer said there was more to come, and then there was not. */
void cdrive_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct cdrive *drive = hctx->queue->queuedata;

	spin_lock(&drive->lock);
	cdrive_queue_forward(drive);
	spin_unlock(&drive->lock);
}

void cdrive_queue_unpin(struct request *rq)
{
	struct cdrive_rq *crq = cdrive_rq(rq);

	if (refcount_dec_and_test(&crq->ref))
		blk_mq_end_request(rq, crq->status);
}

void cdrive_queue_filled(struct request *rq, size_t n)
{
	atomic_add(n, &cdrive_rq(rq)->filled);
}

void cdrive_queue_end(struct list_head *ended)
{
	struct cdrive_rq *crq, *next;

	list_for_each_entry_safe(crq, next, ended, link)
		cdrive_queue_unpin(cdrive_rq_request(crq));
}

void cdrive_queue_fail(struct list_head *ended)
{
	struct cdrive_rq *crq;

	list_for_each_entry(crq, ended, link)
		crq->status = BLK_STS_IOERR;
	cdrive_queue_end(ended);
}

/*
 * The block layer gives some statuses a meaning of its own (try again, no
 * resources), and a helper must not be able to say them.
 */
static blk_status_t cdrive_status(s32 status)
{
	switch (status) {
	case 0:
		return BLK_STS_OK;
	case -ENOSPC:
	case -ETIMEDOUT:
	case -ENOLINK:
		return errno_to_blk_status(status);
	default:
		return BLK_STS_IOERR;
	}
}

static blk_status_t cdrive_queue_status(struct cdrive *drive,
					const struct cdrive_rq *crq, s32 status)
{
	if (!status && !cdrive_table_is_filled(crq)) {
		pr_err_ratelimited("cdrive%u: read of %u sectors at %llu: its helper has completed it without all of its data\n",
				   drive->index, crq->desc.sectors,
				   crq->desc.sector);
		return BLK_STS_IOERR;
	}
	return cdrive_status(status);
}

/* Takes a request whose status is known off the drive. */
static void cdrive_queue_take(struct cdrive *drive, struct cdrive_rq *crq,
			      struct list_head *ended)
{
	cdrive_table_take(&drive->table, crq, ended);
	trace_cdrive_request_complete(drive->index, crq);
}

static void cdrive_queue_keep(struct cdrive *drive, struct cdrive_rq *crq)
{
	cdrive_table_keep(&drive->table, crq);
	trace_cdrive_request_keep(drive->index, crq);
}

unsigned int cdrive_queue_take_kept(struct cdrive *drive,
				    struct list_head *ended)
{
	struct cdrive_rq *crq, *next;
	unsigned int n = 0;

	lockdep_assert_held(&drive->lock);

	list_for_each_entry_safe(crq, next, &drive->table.kept, link) {
		cdrive_queue_take(drive, crq, ended);
		n++;
	}
	return n;
}

int cdrive_queue_complete(struct cdrive *drive, u64 cookie,
			  const struct cdrive_completion *c, unsigned int n)
{
	LIST_HEAD(ended);
	bool keep;
	int err = 0;

	spin_lock(&drive->lock);
	if (!cdrive_is_helper(drive, cookie)) {
		spin_unlock(&drive->lock);
		return -EPERM;
	}
	keep = !cdrive_standing_completes(&drive->standing, cdrive_lease_now());
	for (; n--; c++) {
		struct cdrive_rq *crq = cdrive_table_find(&drive->table, c->tag);

		if (!crq) {
			err = -ESTALE;
			continue;
		}
		crq->status = cdrive_queue_status(drive, crq, c->status);
		if (keep)
			cdrive_queue_keep(drive, crq);
		else
			cdrive_queue_take(drive, crq, &ended);
	}
	cdrive_queue_forward(drive);
	spin_unlock(&drive->lock);

	cdrive_queue_end(&ended);
	return err;
}

struct request *cdrive_queue_pin(struct cdrive *drive, u64 cookie, u32 tag)
{
	struct request *rq = ERR_PTR(-EPERM);
	struct cdrive_rq *crq;

	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie)) {
		crq = cdrive_table_find(&drive->table, tag);
		if (crq)
			refcount_inc(&crq->ref);
		rq = crq ? cdrive_rq_request(crq) : ERR_PTR(-ESTALE);
	}
	spin_unlock(&drive->lock);
	return rq;
}
