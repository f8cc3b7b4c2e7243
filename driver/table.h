/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.h - the requests of one drive that have not ended
 *
 * A request has a slot (its blk-mq tag) and is on one of four lists:
 *
 *	reading	it is being read from the cache (see cache/hit.h)
 *	unsent	it waits to be sent to the helper
 *	sent	it is the helper's to carry out, under the tag it was sent with
 *	kept	the helper has completed it, past the lease's deadline
 *
 * All of @sent arrived before all of @unsent, and both are in order of arrival,
 * so that a new helper, which gets all of @sent anew, gets them in that order.
 * A request that is on @kept is of no concern to any helper any more, and one that is
 * on @reading not yet: if it can't be read, it goes behind all that wait.
 *
 * A copy of a request's data under way holds a reference to it, another one
 * belongs to the table: who drops the last one ends the request.
 *
 * Nothing here knows of disks, messages or states, nothing sleeps, and the
 * caller has the drive's lock; references alone are dropped without it.
 */
#ifndef _CDRIVE_TABLE_H
#define _CDRIVE_TABLE_H

#include <linux/atomic.h>
#include <linux/blk_types.h>
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/cdrive.h>

#include "cache/request.h"

/* What the driver keeps of a request: the pdu that the block layer allocates. */
struct cdrive_rq {
	struct list_head link;	/* one of the lists, or one of the ended */
	refcount_t ref;
	bool sent;		/* on that list */
	bool reading;		/* on that list */
	blk_status_t status;	/* once kept, or off the lists */
	atomic_t filled;	/* bytes written to a read, since it was sent */
	struct cdrive_descriptor desc;	/* its tag: as last sent */
	struct cdrive_cached_rq cache;	/* nothing of it concerns the table */
};

struct cdrive_slot {
	struct cdrive_rq *crq;	/* NULL while free */
	u32 generation;
};

struct cdrive_table {
	struct list_head kept;
	struct list_head sent;
	struct list_head unsent;
	struct list_head reading;
	unsigned int unsent_count;
	unsigned int in_flight;	/* on the four lists */
	struct cdrive_slot slots[CDRIVE_QUEUE_DEPTH];
};

void cdrive_table_init(struct cdrive_table *t);

/* One more that waits; the caller has described it, but for its tag. */
void cdrive_table_add(struct cdrive_table *t, struct cdrive_rq *crq,
		      unsigned int slot);

/* One more that is being read from the cache, with a reference for that; */
void cdrive_table_add_reading(struct cdrive_table *t, struct cdrive_rq *crq,
			      unsigned int slot);
/* which is dropped when it has to wait for a helper after all. */
void cdrive_table_stop_reading(struct cdrive_table *t, struct cdrive_rq *crq);

/* How many of those that wait go into the next message. */
unsigned int cdrive_table_batch(const struct cdrive_table *t);

/* Gives the first @n that wait new tags, and describes them to @desc. */
void cdrive_table_describe(struct cdrive_table *t,
			   struct cdrive_descriptor *desc, unsigned int n);

/* The first that waits, which is sent now. */
struct cdrive_rq *cdrive_table_send_first(struct cdrive_table *t);

/* The one that was sent under @tag and is the helper's still, or NULL. */
struct cdrive_rq *cdrive_table_find(struct cdrive_table *t, u32 tag);

/*
 * False for a read of which the helper has written less than all: what it has
 * not written is whatever the pages held before.  (Bytes are counted, not
 * looked for: what is written twice counts twice.)
 */
bool cdrive_table_is_filled(const struct cdrive_rq *crq);

/* Completed by the helper, or read, but its status must wait. */
void cdrive_table_keep(struct cdrive_table *t, struct cdrive_rq *crq);

/* Off the table, onto @ended: one that does not wait; and all there are. */
void cdrive_table_take(struct cdrive_table *t, struct cdrive_rq *crq,
		       struct list_head *ended);
void cdrive_table_take_all(struct cdrive_table *t, struct list_head *ended);

/*
 * What was sent waits again, ahead of what did already.  Tags change when they
 * are sent again, so nothing of the old helper's can match; only a copy that is
 * under way has looked its tag up already, and would write old data over new:
 * -EBUSY, and nothing has changed.
 */
int cdrive_table_replay(struct cdrive_table *t);

#endif /* _CDRIVE_TABLE_H */
