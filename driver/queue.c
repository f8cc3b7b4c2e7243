// SPDX-License-Identifier: GPL-2.0-only
#include "queue.h"

#include "compat.h"
#include "drive.h"
#include "lease.h"
#include "netlink.h"
#include "tag.h"
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

static void cdrive_describe(struct cdrive_descriptor *desc, struct request *rq)
{
	*desc = (struct cdrive_descriptor){
		.sector = blk_rq_pos(rq),
		.sectors = blk_rq_sectors(rq),
		.tag = cdrive_rq(rq)->tag,
		.op = cdrive_op(rq),
	};
}

/* Whatever the state says: it follows the clock, and may be late. */
static bool cdrive_queue_past_deadline(struct cdrive *drive)
{
	return cdrive_lease_is_over(drive->lease_until, cdrive_lease_now());
}

/*
 * Sends all that waits, in one message at a time.  When a message can't be
 * sent its requests stay where they are: the next completion tries again, and
 * so does resend_work, in case there is nothing left to complete.
 */
void cdrive_queue_forward(struct cdrive *drive)
{
	lockdep_assert_held(&drive->lock);

	while (drive->state == CDRIVE_STATE_LIVE && drive->unsent_count &&
	       !cdrive_queue_past_deadline(drive)) {
		unsigned int n = min_t(unsigned int, drive->unsent_count,
				       CDRIVE_MAX_BATCH);
		struct cdrive_descriptor *desc;
		struct cdrive_rq *crq;
		struct sk_buff *skb;
		unsigned int i = 0;

		skb = cdrive_nl_request_new(drive, n, &desc);
		if (!skb)
			goto later;
		list_for_each_entry(crq, &drive->unsent, link) {
			struct request *rq = cdrive_rq_request(crq);
			struct cdrive_slot *slot = &drive->slots[rq->tag];

			if (i == n)
				break;
			crq->tag = cdrive_tag(rq->tag, ++slot->generation);
			cdrive_describe(&desc[i++], rq);
		}
		if (cdrive_nl_request_send(drive, skb))
			goto later;
		while (n--) {
			crq = list_first_entry(&drive->unsent,
					       struct cdrive_rq, link);
			crq->sent = true;
			list_move_tail(&crq->link, &drive->sent);
			drive->unsent_count--;
			trace_cdrive_request_forward(drive->index, crq->tag,
						     cdrive_rq_request(crq));
		}
	}
	return;

later:
	mod_delayed_work(cdrive_wq, &drive->resend_work,
			 msecs_to_jiffies(CDRIVE_RESEND_MS));
}

blk_status_t cdrive_queue_rq(struct blk_mq_hw_ctx *hctx,
			     const struct blk_mq_queue_data *bd)
{
	struct cdrive *drive = hctx->queue->queuedata;
	struct request *rq = bd->rq;
	struct cdrive_rq *crq = cdrive_rq(rq);

	if (cdrive_op(rq) < 0)
		return BLK_STS_NOTSUPP;

	spin_lock(&drive->lock);
	if (drive->state > CDRIVE_STATE_PARKED) {
		spin_unlock(&drive->lock);
		return BLK_STS_IOERR;
	}
	blk_mq_start_request(rq);
	refcount_set(&crq->ref, 1);
	crq->sent = false;
	drive->slots[rq->tag].rq = rq;
	list_add_tail(&crq->link, &drive->unsent);
	drive->unsent_count++;
	drive->in_flight++;
	trace_cdrive_request_start(drive->index, rq);
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

/*
 * A new helper gets what the old one had not completed, ahead of what waits.
 * Tags change when they are sent again, so nothing of the old helper's can
 * match; only a copy that is under way has looked its tag up already, and
 * would write old data over new: -EBUSY.
 */
int cdrive_queue_replay(struct cdrive *drive)
{
	struct cdrive_rq *crq;
	unsigned int n = 0;

	lockdep_assert_held(&drive->lock);

	list_for_each_entry(crq, &drive->sent, link) {
		if (refcount_read(&crq->ref) > 1)
			return -EBUSY;
		n++;
	}
	list_for_each_entry(crq, &drive->sent, link)
		crq->sent = false;
	list_splice_init(&drive->sent, &drive->unsent);
	drive->unsent_count += n;
	return 0;
}

void cdrive_queue_take_all(struct cdrive *drive, struct list_head *ended)
{
	struct cdrive_rq *crq;

	lockdep_assert_held(&drive->lock);

	list_splice_tail_init(&drive->kept, ended);
	list_splice_tail_init(&drive->sent, ended);
	list_splice_tail_init(&drive->unsent, ended);
	list_for_each_entry(crq, ended, link)
		drive->slots[cdrive_rq_request(crq)->tag].rq = NULL;
	drive->unsent_count = 0;
	drive->in_flight = 0;
}

void cdrive_queue_unpin(struct request *rq)
{
	struct cdrive_rq *crq = cdrive_rq(rq);

	if (refcount_dec_and_test(&crq->ref))
		blk_mq_end_request(rq, crq->status);
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

static struct request *cdrive_queue_find(struct cdrive *drive, u32 tag)
{
	unsigned int slot = cdrive_tag_slot(tag);
	struct request *rq;

	lockdep_assert_held(&drive->lock);

	if (slot >= CDRIVE_QUEUE_DEPTH)
		return NULL;
	rq = drive->slots[slot].rq;
	if (!rq || !cdrive_rq(rq)->sent || cdrive_rq(rq)->tag != tag)
		return NULL;
	return rq;
}

/* Takes a request whose status is known off the drive. */
static void cdrive_queue_take(struct cdrive *drive, struct cdrive_rq *crq,
			      struct list_head *ended)
{
	struct request *rq = cdrive_rq_request(crq);

	lockdep_assert_held(&drive->lock);

	drive->slots[rq->tag].rq = NULL;
	drive->in_flight--;
	list_move_tail(&crq->link, ended);
	trace_cdrive_request_complete(drive->index, crq->tag, rq,
				      blk_status_to_errno(crq->status));
}

static void cdrive_queue_keep(struct cdrive *drive, struct cdrive_rq *crq)
{
	lockdep_assert_held(&drive->lock);

	crq->sent = false;
	list_move_tail(&crq->link, &drive->kept);
	trace_cdrive_request_keep(drive->index, crq->tag, cdrive_rq_request(crq),
				  blk_status_to_errno(crq->status));
}

unsigned int cdrive_queue_take_kept(struct cdrive *drive,
				    struct list_head *ended)
{
	struct cdrive_rq *crq, *next;
	unsigned int n = 0;

	list_for_each_entry_safe(crq, next, &drive->kept, link) {
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
	keep = cdrive_queue_past_deadline(drive);
	for (; n--; c++) {
		struct request *rq = cdrive_queue_find(drive, c->tag);

		if (!rq) {
			err = -ESTALE;
			continue;
		}
		cdrive_rq(rq)->status = cdrive_status(c->status);
		if (keep)
			cdrive_queue_keep(drive, cdrive_rq(rq));
		else
			cdrive_queue_take(drive, cdrive_rq(rq), &ended);
	}
	if (drive->unsent_count)
		cdrive_queue_forward(drive);
	spin_unlock(&drive->lock);

	cdrive_queue_end(&ended);
	return err;
}

struct request *cdrive_queue_pin(struct cdrive *drive, u32 tag)
{
	struct request *rq;

	spin_lock(&drive->lock);
	rq = cdrive_queue_find(drive, tag);
	if (rq)
		refcount_inc(&cdrive_rq(rq)->ref);
	spin_unlock(&drive->lock);
	return rq;
}
