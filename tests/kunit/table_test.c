// SPDX-License-Identifier: GPL-2.0-only
/* A drive's requests: what waits, what is the helper's, and in what order. */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "table.h"
#include "tag.h"

/* Requests know by their sector how many came before them. */
struct fixture {
	struct cdrive_table table;
	struct cdrive_rq rqs[CDRIVE_QUEUE_DEPTH];
	struct cdrive_descriptor desc[CDRIVE_MAX_BATCH + 1];
	u64 arrivals;
};

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	cdrive_table_init(&f->table);
	test->priv = f;
	return 0;
}

static struct cdrive_rq *arrive(struct fixture *f, unsigned int slot)
{
	struct cdrive_rq *crq = &f->rqs[slot];

	crq->desc = (struct cdrive_descriptor){
		.sector = ++f->arrivals,
		.sectors = 8,
		.op = CDRIVE_OP_WRITE,
	};
	cdrive_table_add(&f->table, crq, slot);
	return crq;
}

/* As the driver does; how many. */
static unsigned int send(struct fixture *f)
{
	unsigned int n = cdrive_table_batch(&f->table), i;

	cdrive_table_describe(&f->table, f->desc, n);
	for (i = 0; i < n; i++)
		cdrive_table_send_first(&f->table);
	return n;
}

static void end(struct fixture *f, struct cdrive_rq *crq)
{
	LIST_HEAD(ended);

	cdrive_table_take(&f->table, crq, &ended);
	list_del(&crq->link);
}

static void expect_counts(struct kunit *test, unsigned int unsent,
			  unsigned int in_flight)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, f->table.unsent_count, unsent);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&f->table.unsent), unsent);
	KUNIT_EXPECT_EQ(test, f->table.in_flight, in_flight);
	KUNIT_EXPECT_EQ(test, list_count_nodes(&f->table.unsent) +
			      list_count_nodes(&f->table.sent) +
			      list_count_nodes(&f->table.kept), in_flight);
}

/* --- batches ------------------------------------------------------------- */

static void empty(struct kunit *test)
{
	struct fixture *f = test->priv;

	expect_counts(test, 0, 0);
	KUNIT_EXPECT_EQ(test, cdrive_table_batch(&f->table), 0);
	KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, 0));
}

/* Whatever the slots are, and however many: one message takes a full queue. */
static void batch_in_order_of_arrival(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i;

	for (i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		/* An odd factor goes through all of them. */
		arrive(f, i * 37 % CDRIVE_QUEUE_DEPTH);
		KUNIT_EXPECT_EQ(test, cdrive_table_batch(&f->table), i + 1);
	}
	KUNIT_ASSERT_EQ(test, cdrive_table_batch(&f->table), CDRIVE_MAX_BATCH);

	f->desc[CDRIVE_MAX_BATCH].sector = 4711;
	KUNIT_EXPECT_EQ(test, send(f), CDRIVE_MAX_BATCH);
	for (i = 0; i < CDRIVE_MAX_BATCH; i++) {
		struct cdrive_rq *crq = cdrive_table_find(&f->table,
							  f->desc[i].tag);

		KUNIT_EXPECT_EQ(test, f->desc[i].sector, i + 1);
		KUNIT_EXPECT_EQ(test, f->desc[i].sectors, 8);
		KUNIT_EXPECT_EQ(test, f->desc[i].op, CDRIVE_OP_WRITE);
		KUNIT_EXPECT_EQ(test, f->desc[i].flags, 0);
		KUNIT_ASSERT_NOT_NULL(test, crq);
		KUNIT_EXPECT_EQ(test, crq->desc.sector, i + 1);
	}
	KUNIT_EXPECT_EQ(test, f->desc[CDRIVE_MAX_BATCH].sector, 4711);
	expect_counts(test, 0, CDRIVE_QUEUE_DEPTH);
}

/* Fewer than there are: the others wait on, as they were. */
static void part_of_a_batch(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int i;

	for (i = 0; i < 5; i++)
		arrive(f, i);
	cdrive_table_describe(&f->table, f->desc, 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test, cdrive_table_send_first(&f->table),
				    &f->rqs[i]);
	expect_counts(test, 2, 5);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table,
						  f->rqs[3].desc.tag));
	KUNIT_EXPECT_EQ(test, send(f), 2);
	KUNIT_EXPECT_EQ(test, f->desc[0].sector, 4);
	KUNIT_EXPECT_EQ(test, f->desc[1].sector, 5);
}

/* A message that could not be sent: the next has other tags, in case. */
static void described_again(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 lost;

	arrive(f, 7);
	cdrive_table_describe(&f->table, f->desc, 1);
	lost = f->desc[0].tag;
	expect_counts(test, 1, 1);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, lost));
	KUNIT_EXPECT_EQ(test, send(f), 1);
	KUNIT_EXPECT_NE(test, f->desc[0].tag, lost);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, lost));
	KUNIT_EXPECT_PTR_EQ(test,
			    cdrive_table_find(&f->table, f->desc[0].tag),
			    &f->rqs[7]);
}

/* --- tags ------------------------------------------------------------------ */

static void only_what_was_sent_is_found(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_rq *crq = arrive(f, 12);
	u32 tag;

	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, crq->desc.tag));
	send(f);
	tag = crq->desc.tag;
	KUNIT_EXPECT_EQ(test, cdrive_tag_slot(tag), 12);
	KUNIT_EXPECT_PTR_EQ(test, cdrive_table_find(&f->table, tag), crq);
	/* The slot alone is not enough. */
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, 12));
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table,
						  tag + CDRIVE_TAG_SLOT_MASK + 1));
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, tag + 1));
	end(f, crq);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, tag));
	/* The slot's next request is another. */
	arrive(f, 12);
	send(f);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, tag));
}

static void slots_that_are_not(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int slot;

	for (slot = CDRIVE_QUEUE_DEPTH; slot <= CDRIVE_TAG_SLOT_MASK; slot++)
		KUNIT_EXPECT_NULL(test,
				  cdrive_table_find(&f->table,
						    cdrive_tag(slot, 1)));
}

static void generations_come_round(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 tags[3];
	unsigned int i;

	f->table.slots[9].generation = U32_MAX - 1;
	for (i = 0; i < ARRAY_SIZE(tags); i++) {
		struct cdrive_rq *crq = arrive(f, 9);

		send(f);
		tags[i] = crq->desc.tag;
		KUNIT_EXPECT_EQ(test, cdrive_tag_slot(tags[i]), 9);
		KUNIT_EXPECT_PTR_EQ(test, cdrive_table_find(&f->table, tags[i]),
				    crq);
		end(f, crq);
	}
	KUNIT_EXPECT_NE(test, tags[0], tags[1]);
	KUNIT_EXPECT_NE(test, tags[1], tags[2]);
	KUNIT_EXPECT_NE(test, tags[0], tags[2]);
}

/* --- the end of a request ---------------------------------------------------- */

static void kept_is_nobodys(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_rq *crq = arrive(f, 0), *other = arrive(f, 1);

	send(f);
	cdrive_table_keep(&f->table, crq);
	KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, crq->desc.tag));
	expect_counts(test, 0, 2);
	/* Another helper gets what was not completed, and no more. */
	KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
	expect_counts(test, 1, 2);
	KUNIT_EXPECT_EQ(test, send(f), 1);
	KUNIT_EXPECT_EQ(test, f->desc[0].sector, other->desc.sector);
	end(f, crq);
	expect_counts(test, 0, 1);
}

static void take_all(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_rq *crq;
	unsigned int i, n = 0;
	LIST_HEAD(ended);

	for (i = 0; i < 4; i++)
		arrive(f, i);
	send(f);
	cdrive_table_keep(&f->table, &f->rqs[2]);
	for (; i < 6; i++)
		arrive(f, i);

	cdrive_table_take_all(&f->table, &ended);
	expect_counts(test, 0, 0);
	list_for_each_entry(crq, &ended, link) {
		KUNIT_EXPECT_EQ(test, refcount_read(&crq->ref), 1);
		n++;
	}
	KUNIT_EXPECT_EQ(test, n, 6);
	for (i = 0; i < 6; i++) {
		KUNIT_EXPECT_NULL(test, f->table.slots[i].crq);
		KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table,
							  f->rqs[i].desc.tag));
	}
	/* The table can be used on. */
	arrive(f, 3);
	expect_counts(test, 1, 1);
}

/* --- replay -------------------------------------------------------------------- */

static void replay_in_order_of_arrival(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 old[6];
	unsigned int i;

	for (i = 0; i < 6; i++)
		arrive(f, 10 - i);
	send(f);
	for (i = 0; i < 6; i++)
		old[i] = f->desc[i].tag;
	end(f, &f->rqs[9]);	/* the second */
	for (i = 0; i < 3; i++)
		arrive(f, i);	/* never sent: 7, 8, 9 */

	KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
	expect_counts(test, 8, 8);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, old[i]));
	KUNIT_EXPECT_EQ(test, send(f), 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, f->desc[i].sector, i ? i + 2 : 1);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_NULL(test, cdrive_table_find(&f->table, old[i]));
}

/* Nothing has changed when a copy is under way. */
static void no_replay_under_a_copy(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_rq *copied;
	unsigned int i;

	for (i = 0; i < 3; i++)
		arrive(f, i);
	send(f);
	copied = &f->rqs[1];
	refcount_inc(&copied->ref);
	arrive(f, 3);

	KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), -EBUSY);
	expect_counts(test, 1, 4);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_PTR_EQ(test,
				    cdrive_table_find(&f->table,
						      f->rqs[i].desc.tag),
				    &f->rqs[i]);
	KUNIT_EXPECT_FALSE(test, refcount_dec_and_test(&copied->ref));
	KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
	expect_counts(test, 4, 4);
}

/* --- all of it, at random ---------------------------------------------------------- */

/* Arrivals are in order, sent before unsent: what replay relies on. */
static bool in_order(struct cdrive_table *t)
{
	struct cdrive_rq *crq;
	u64 last = 0;

	list_for_each_entry(crq, &t->sent, link) {
		if (crq->desc.sector <= last || !crq->sent ||
		    cdrive_table_find(t, crq->desc.tag) != crq)
			return false;
		last = crq->desc.sector;
	}
	list_for_each_entry(crq, &t->unsent, link) {
		if (crq->desc.sector <= last || crq->sent ||
		    cdrive_table_find(t, crq->desc.tag))
			return false;
		last = crq->desc.sector;
	}
	return true;
}

static void random_step(struct kunit *test, struct rnd_state *rnd)
{
	struct fixture *f = test->priv;
	unsigned int slot = prandom_u32_state(rnd) % CDRIVE_QUEUE_DEPTH;
	struct cdrive_rq *crq = f->table.slots[slot].crq;

	switch (prandom_u32_state(rnd) % 16) {
	case 0:
		KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
		break;
	case 1 ... 4:
		send(f);
		break;
	case 5 ... 6:
		if (crq && crq->sent)
			cdrive_table_keep(&f->table, crq);
		break;
	case 7 ... 8:
		if (crq && crq->sent)
			end(f, crq);
		break;
	case 9 ... 10:
		if (!list_empty(&f->table.kept))
			end(f, list_first_entry(&f->table.kept,
						struct cdrive_rq, link));
		break;
	default:
		if (!crq)
			arrive(f, slot);
	}
}

static void at_random(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct rnd_state rnd;
	unsigned int i, slot, used;

	prandom_seed_state(&rnd, 4711);
	for (i = 0; i < 20000; i++) {
		random_step(test, &rnd);
		if (!in_order(&f->table))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, 20000);
	for (slot = 0, used = 0; slot < CDRIVE_QUEUE_DEPTH; slot++)
		used += !!f->table.slots[slot].crq;
	expect_counts(test, f->table.unsent_count, used);
}

/* Once sent, and again when sent to another helper; a write has nothing to get. */
static void reads_want_their_data(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_rq *read = arrive(f, 3), *write = arrive(f, 4);
	int times = 2;

	read->desc.op = CDRIVE_OP_READ;
	while (times--) {
		send(f);
		KUNIT_EXPECT_FALSE(test, cdrive_table_is_filled(read));
		KUNIT_EXPECT_TRUE(test, cdrive_table_is_filled(write));
		atomic_add(8 * 512 - 1, &read->filled);
		KUNIT_EXPECT_FALSE(test, cdrive_table_is_filled(read));
		atomic_inc(&read->filled);
		KUNIT_EXPECT_TRUE(test, cdrive_table_is_filled(read));
		KUNIT_EXPECT_EQ(test, cdrive_table_replay(&f->table), 0);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(empty),
	KUNIT_CASE(batch_in_order_of_arrival),
	KUNIT_CASE(part_of_a_batch),
	KUNIT_CASE(described_again),
	KUNIT_CASE(only_what_was_sent_is_found),
	KUNIT_CASE(slots_that_are_not),
	KUNIT_CASE(generations_come_round),
	KUNIT_CASE(kept_is_nobodys),
	KUNIT_CASE(take_all),
	KUNIT_CASE(replay_in_order_of_arrival),
	KUNIT_CASE(no_replay_under_a_copy),
	KUNIT_CASE(reads_want_their_data),
	KUNIT_CASE(at_random),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_table",
	.init = init,
	.test_cases = cases,
};

kunit_test_suite(suite);
