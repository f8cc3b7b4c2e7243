// SPDX-License-Identifier: GPL-2.0-only
#include "queue.h"

#include "compat.h"
#include "lease.h"
#include "message.h"
#include "trace.h"

/* How soon to try again when a message to the helper could not be sent: its
 * socket's buffer was full, or there was no memory.
 */
#define CDRIVE_RESEND_MS 10

struct workqueue_struct *cdrive_wq;

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
static int cdrive_queue_forward_batch(struct cdrive_queue *queue)
{
	struct cdrive_table *table = &queue->table;
	unsigned int n = cdrive_table_batch(table);
	struct cdrive_descriptor *desc;
	struct sk_buff *skb;
	int err;

	skb = cdrive_nl_request_new(queue->index, n, &desc);
	if (!skb)
		return -ENOMEM;
	cdrive_table_describe(table, desc, n);
	err = cdrive_nl_request_send(&queue->helper, skb);
	if (err)
		return err;
	while (n--) {
		struct cdrive_rq *crq = cdrive_table_send_first(table);

		cdrive_cached_sent(queue, crq);
		trace_cdrive_request_forward(queue->index, crq);
	}
	return 0;
}

/*
 * Sends all that waits, in one message at a time.  When a message can't be
 * sent its requests stay where they are: the next completion tries again, and
 * so does resend_work, in case there is nothing left to complete.
 */
void cdrive_queue_forward(struct cdrive_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	while (queue->table.unsent_count &&
	       cdrive_standing_forwards(&queue->standing, cdrive_lease_now())) {
		if (cdrive_queue_forward_batch(queue)) {
			mod_delayed_work(cdrive_wq, &queue->resend_work,
					 msecs_to_jiffies(CDRIVE_RESEND_MS));
			break;
		}
	}
}

static void cdrive_resend_work(struct work_struct *work)
{
	struct cdrive_queue *queue = container_of(to_delayed_work(work),
						  struct cdrive_queue,
						  resend_work);

	spin_lock(&queue->lock);
	cdrive_queue_forward(queue);
	spin_unlock(&queue->lock);
}

void cdrive_queue_init(struct cdrive_queue *queue, unsigned int index,
		       unsigned int park_limit)
{
	queue->index = index;
	spin_lock_init(&queue->lock);
	cdrive_standing_init(&queue->standing, park_limit);
	cdrive_table_init(&queue->table);
	INIT_DELAYED_WORK(&queue->resend_work, cdrive_resend_work);
}

void cdrive_queue_get_status(struct cdrive_queue *queue,
			     struct cdrive_status *status)
{
	spin_lock(&queue->lock);
	*status = (struct cdrive_status){
		.standing = queue->standing,
		.helper = queue->helper,
		.in_flight = queue->table.in_flight,
		.failed = atomic64_read(&queue->failures.all),
		.failed_writes = atomic64_read(&queue->failures.writes),
	};
	spin_unlock(&queue->lock);
}

blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd)
{
	struct cdrive_queue *queue = hctx->driver_data;
	struct request *rq = bd->rq;
	struct cdrive_rq *crq = cdrive_rq(rq);
	int op = cdrive_op(rq);

	if (op < 0)
		return BLK_STS_NOTSUPP;

	spin_lock(&queue->lock);
	if (!cdrive_standing_takes(&queue->standing)) {
		spin_unlock(&queue->lock);
		cdrive_failures_count(&queue->failures, rq->cmd_flags, BLK_STS_IOERR);
		return BLK_STS_IOERR;
	}
	blk_mq_start_request(rq);
	crq->desc = (struct cdrive_descriptor){
		.sector = blk_rq_pos(rq),
		.sectors = blk_rq_sectors(rq),
		.op = op,
	};
	if (cdrive_cached_arrive(queue, crq)) {
		cdrive_table_add_reading(&queue->table, crq, rq->tag);
		cdrive_hit_start(queue->cached, crq);
	} else {
		cdrive_table_add(&queue->table, crq, rq->tag);
	}
	trace_cdrive_request_start(queue->index, crq);
	if (bd->last)
		cdrive_queue_forward(queue);
	spin_unlock(&queue->lock);
	return BLK_STS_OK;
}

/* The block layer said there was more to come, and then there was not. */
void cdrive_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct cdrive_queue *queue = hctx->driver_data;

	spin_lock(&queue->lock);
	cdrive_queue_forward(queue);
	spin_unlock(&queue->lock);
}

void cdrive_queue_unpin(struct request *rq)
{
	struct cdrive_queue *queue = rq->mq_hctx->driver_data;
	struct cdrive_rq *crq = cdrive_rq(rq);
	struct cdrive_cached_rest rest;

	if (!refcount_dec_and_test(&crq->ref))
		return;
	cdrive_failures_count(&queue->failures, rq->cmd_flags, crq->status);
	rest = cdrive_cached_take(crq, crq->status == BLK_STS_OK);
	blk_mq_end_request(rq, crq->status);
	cdrive_cached_fill(&rest);
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

static blk_status_t cdrive_queue_status(struct cdrive_queue *queue,
					const struct cdrive_rq *crq, s32 status)
{
	if (!status && !cdrive_table_is_filled(crq)) {
		pr_err_ratelimited("cdrive%u: read of %u sectors at %llu: its helper has completed it without all of its data\n",
				   queue->index, crq->desc.sectors,
				   crq->desc.sector);
		return BLK_STS_IOERR;
	}
	return cdrive_status(status);
}

/* Takes a request whose status is known off the drive. */
static void cdrive_queue_take(struct cdrive_queue *queue, struct cdrive_rq *crq,
			      struct list_head *ended)
{
	cdrive_cached_leave(queue, crq);
	cdrive_table_take(&queue->table, crq, ended);
	trace_cdrive_request_complete(queue->index, crq);
}

void cdrive_queue_take_all(struct cdrive_queue *queue, struct list_head *ended)
{
	struct cdrive_rq *crq;

	lockdep_assert_held(&queue->lock);

	cdrive_table_take_all(&queue->table, ended);
	list_for_each_entry(crq, ended, link)
		cdrive_cached_leave(queue, crq);
}

static void cdrive_queue_keep(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	cdrive_table_keep(&queue->table, crq);
	trace_cdrive_request_keep(queue->index, crq);
}

unsigned int cdrive_queue_take_kept(struct cdrive_queue *queue,
				    struct list_head *ended)
{
	struct cdrive_rq *crq, *next;
	unsigned int n = 0;

	lockdep_assert_held(&queue->lock);

	list_for_each_entry_safe(crq, next, &queue->table.kept, link) {
		cdrive_queue_take(queue, crq, ended);
		n++;
	}
	return n;
}

int cdrive_queue_complete(struct cdrive_queue *queue, u64 cookie,
			  const struct cdrive_completion *c, unsigned int n)
{
	LIST_HEAD(ended);
	bool keep;
	int err = 0;

	spin_lock(&queue->lock);
	if (!cdrive_helper_is(&queue->helper, cookie)) {
		spin_unlock(&queue->lock);
		return -EPERM;
	}
	keep = !cdrive_standing_completes(&queue->standing, cdrive_lease_now());
	for (; n--; c++) {
		struct cdrive_rq *crq = cdrive_table_find(&queue->table, c->tag);

		if (!crq) {
			err = -ESTALE;
			continue;
		}
		crq->status = cdrive_queue_status(queue, crq, c->status);
		cdrive_cached_answered(queue, crq);
		if (keep)
			cdrive_queue_keep(queue, crq);
		else
			cdrive_queue_take(queue, crq, &ended);
	}
	cdrive_queue_forward(queue);
	spin_unlock(&queue->lock);

	cdrive_queue_end(&ended);
	return err;
}

void cdrive_queue_read(struct cdrive_queue *queue, struct request *rq, bool ok)
{
	struct cdrive_rq *crq = cdrive_rq(rq);
	LIST_HEAD(ended);

	spin_lock(&queue->lock);
	if (crq->reading && !ok) {
		cdrive_cached_miss(queue, crq);
		cdrive_table_stop_reading(&queue->table, crq);
		cdrive_queue_forward(queue);
		spin_unlock(&queue->lock);
		return;
	}
	if (crq->reading) {
		crq->status = BLK_STS_OK;
		if (cdrive_standing_completes(&queue->standing, cdrive_lease_now()))
			cdrive_queue_take(queue, crq, &ended);
		else
			cdrive_queue_keep(queue, crq);
	}
	spin_unlock(&queue->lock);
	cdrive_queue_end(&ended);
	cdrive_queue_unpin(rq);
}

struct request *cdrive_queue_pin(struct cdrive_queue *queue, u64 cookie, u32 tag)
{
	struct request *rq = ERR_PTR(-EPERM);
	struct cdrive_rq *crq;

	spin_lock(&queue->lock);
	if (cdrive_helper_is(&queue->helper, cookie)) {
		crq = cdrive_table_find(&queue->table, tag);
		if (crq)
			refcount_inc(&crq->ref);
		rq = crq ? cdrive_rq_request(crq) : ERR_PTR(-ESTALE);
	}
	spin_unlock(&queue->lock);
	return rq;
}
