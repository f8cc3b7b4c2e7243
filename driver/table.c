// SPDX-License-Identifier: GPL-2.0-only
#include "table.h"

#include <linux/minmax.h>

#include "tag.h"

void cdrive_table_init(struct cdrive_table *t)
{
	INIT_LIST_HEAD(&t->kept);
	INIT_LIST_HEAD(&t->sent);
	INIT_LIST_HEAD(&t->unsent);
	INIT_LIST_HEAD(&t->reading);
}

/* Of a request that is on the table, sent or not. */
static struct cdrive_slot *cdrive_table_slot(struct cdrive_table *t,
					     const struct cdrive_rq *crq)
{
	return &t->slots[cdrive_tag_slot(crq->desc.tag)];
}

static void cdrive_table_take_slot(struct cdrive_table *t, struct cdrive_rq *crq,
				   unsigned int slot)
{
	crq->sent = false;
	crq->reading = false;
	crq->desc.tag = cdrive_tag(slot, t->slots[slot].generation);
	t->slots[slot].crq = crq;
	t->in_flight++;
}

void cdrive_table_add(struct cdrive_table *t, struct cdrive_rq *crq,
		      unsigned int slot)
{
	refcount_set(&crq->ref, 1);
	cdrive_table_take_slot(t, crq, slot);
	list_add_tail(&crq->link, &t->unsent);
	t->unsent_count++;
}

void cdrive_table_add_reading(struct cdrive_table *t, struct cdrive_rq *crq,
			      unsigned int slot)
{
	refcount_set(&crq->ref, 2);
	cdrive_table_take_slot(t, crq, slot);
	crq->reading = true;
	list_add_tail(&crq->link, &t->reading);
}

void cdrive_table_stop_reading(struct cdrive_table *t, struct cdrive_rq *crq)
{
	refcount_dec(&crq->ref);
	crq->reading = false;
	list_move_tail(&crq->link, &t->unsent);
	t->unsent_count++;
}

unsigned int cdrive_table_batch(const struct cdrive_table *t)
{
	return min_t(unsigned int, t->unsent_count, CDRIVE_MAX_BATCH);
}

void cdrive_table_describe(struct cdrive_table *t,
			   struct cdrive_descriptor *desc, unsigned int n)
{
	struct cdrive_rq *crq;

	list_for_each_entry(crq, &t->unsent, link) {
		struct cdrive_slot *slot = cdrive_table_slot(t, crq);

		if (!n--)
			break;
		crq->desc.tag = cdrive_tag(slot - t->slots, ++slot->generation);
		*desc++ = crq->desc;
	}
}

struct cdrive_rq *cdrive_table_send_first(struct cdrive_table *t)
{
	struct cdrive_rq *crq = list_first_entry(&t->unsent, struct cdrive_rq,
						 link);

	crq->sent = true;
	atomic_set(&crq->filled, 0);
	list_move_tail(&crq->link, &t->sent);
	t->unsent_count--;
	return crq;
}

struct cdrive_rq *cdrive_table_find(struct cdrive_table *t, u32 tag)
{
	unsigned int slot = cdrive_tag_slot(tag);
	struct cdrive_rq *crq;

	if (slot >= CDRIVE_QUEUE_DEPTH)
		return NULL;
	crq = t->slots[slot].crq;
	if (!crq || !crq->sent || crq->desc.tag != tag)
		return NULL;
	return crq;
}

bool cdrive_table_is_filled(const struct cdrive_rq *crq)
{
	return crq->desc.op != CDRIVE_OP_READ ||
	       (u32)atomic_read(&crq->filled) >> SECTOR_SHIFT >= crq->desc.sectors;
}

void cdrive_table_keep(struct cdrive_table *t, struct cdrive_rq *crq)
{
	crq->sent = false;
	crq->reading = false;
	list_move_tail(&crq->link, &t->kept);
}

void cdrive_table_take(struct cdrive_table *t, struct cdrive_rq *crq,
		       struct list_head *ended)
{
	cdrive_table_slot(t, crq)->crq = NULL;
	crq->reading = false;
	t->in_flight--;
	list_move_tail(&crq->link, ended);
}

void cdrive_table_take_all(struct cdrive_table *t, struct list_head *ended)
{
	struct cdrive_rq *crq;

	list_splice_tail_init(&t->kept, ended);
	list_splice_tail_init(&t->sent, ended);
	list_splice_tail_init(&t->unsent, ended);
	list_splice_tail_init(&t->reading, ended);
	list_for_each_entry(crq, ended, link) {
		cdrive_table_slot(t, crq)->crq = NULL;
		crq->reading = false;
	}
	t->unsent_count = 0;
	t->in_flight = 0;
}

int cdrive_table_replay(struct cdrive_table *t)
{
	struct cdrive_rq *crq;
	unsigned int n = 0;

	list_for_each_entry(crq, &t->sent, link) {
		if (refcount_read(&crq->ref) > 1)
			return -EBUSY;
		n++;
	}
	list_for_each_entry(crq, &t->sent, link)
		crq->sent = false;
	list_splice_init(&t->sent, &t->unsent);
	t->unsent_count += n;
	return 0;
}
