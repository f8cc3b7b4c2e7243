// SPDX-License-Identifier: GPL-2.0-only
/* How many requests have failed: which count, and as what. */
#include <kunit/test.h>
#include <linux/blk-mq.h>

#include "failures.h"
#include "queue.h"

static u64 all(struct cdrive_failures *f)
{
	return atomic64_read(&f->all);
}

static u64 writes(struct cdrive_failures *f)
{
	return atomic64_read(&f->writes);
}

static void what_is_done_does_not_count(struct kunit *test)
{
	struct cdrive_failures f = {};

	cdrive_failures_count(&f, REQ_OP_READ, BLK_STS_OK);
	cdrive_failures_count(&f, REQ_OP_WRITE, BLK_STS_OK);
	cdrive_failures_count(&f, REQ_OP_DISCARD, BLK_STS_OK);
	cdrive_failures_count(&f, REQ_OP_WRITE_ZEROES, BLK_STS_OK);
	KUNIT_EXPECT_EQ(test, all(&f), 0);
	KUNIT_EXPECT_EQ(test, writes(&f), 0);
}

/* Whatever for; what had nothing to keep is no failed write. */
static void each_status_counts(struct kunit *test)
{
	static const blk_status_t statuses[] = {
		BLK_STS_IOERR, BLK_STS_NOSPC, BLK_STS_TIMEOUT, BLK_STS_TRANSPORT,
	};
	struct cdrive_failures f = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		cdrive_failures_count(&f, REQ_OP_READ, statuses[i]);
		cdrive_failures_count(&f, REQ_OP_DISCARD, statuses[i]);
		KUNIT_EXPECT_EQ(test, all(&f), 4 * i + 2);
		KUNIT_EXPECT_EQ(test, writes(&f), 2 * i);
		cdrive_failures_count(&f, REQ_OP_WRITE, statuses[i]);
		cdrive_failures_count(&f, REQ_OP_WRITE_ZEROES, statuses[i]);
		KUNIT_EXPECT_EQ(test, all(&f), 4 * i + 4);
		KUNIT_EXPECT_EQ(test, writes(&f), 2 * i + 2);
	}
}

/* Past the page cache: who wrote it knows.  A journal's own writes look alike. */
static void told_is_not_lost(struct kunit *test)
{
	blk_opf_t direct = REQ_OP_WRITE | REQ_SYNC | REQ_IDLE;
	struct cdrive_failures f = {};

	cdrive_failures_count(&f, direct, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, all(&f), 1);
	KUNIT_EXPECT_EQ(test, writes(&f), 0);
	cdrive_failures_count(&f, direct | REQ_META, BLK_STS_IOERR);
	cdrive_failures_count(&f, REQ_OP_WRITE | REQ_SYNC, BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, writes(&f), 2);
}

struct arrival {
	struct cdrive_queue queue;
	struct blk_mq_hw_ctx hctx;
	struct request rq;
	struct cdrive_rq crq;	/* the pdu, which follows it */
};

static blk_status_t arrive(struct arrival *a, blk_opf_t op)
{
	const struct blk_mq_queue_data data = { .rq = &a->rq, .last = true };

	a->hctx.driver_data = &a->queue;
	a->rq.cmd_flags = op;
	return cdrive_queue_rq(&a->hctx, &data);
}

/* A drive that is failing or fenced takes none. */
static void refused_on_arrival(struct kunit *test)
{
	struct arrival *a = kunit_kzalloc(test, sizeof(*a), GFP_KERNEL);
	struct cdrive_status status;

	KUNIT_ASSERT_NOT_NULL(test, a);
	cdrive_queue_init(&a->queue, 0, 1);
	cdrive_standing_park(&a->queue.standing, CDRIVE_PARK_ASKED);
	cdrive_standing_expire(&a->queue.standing);
	KUNIT_EXPECT_EQ(test, arrive(a, REQ_OP_READ), BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, arrive(a, REQ_OP_WRITE), BLK_STS_IOERR);
	cdrive_standing_end(&a->queue.standing, CDRIVE_STATE_FENCED);
	KUNIT_EXPECT_EQ(test, arrive(a, REQ_OP_DISCARD), BLK_STS_IOERR);
	KUNIT_EXPECT_EQ(test, arrive(a, REQ_OP_WRITE_ZEROES), BLK_STS_IOERR);
	/* What is no request of a drive is no failure of one. */
	KUNIT_EXPECT_EQ(test, arrive(a, REQ_OP_SECURE_ERASE), BLK_STS_NOTSUPP);
	cdrive_queue_get_status(&a->queue, &status);
	KUNIT_EXPECT_EQ(test, status.failed, 4);
	KUNIT_EXPECT_EQ(test, status.failed_writes, 2);
	KUNIT_EXPECT_EQ(test, status.in_flight, 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(what_is_done_does_not_count),
	KUNIT_CASE(each_status_counts),
	KUNIT_CASE(told_is_not_lost),
	KUNIT_CASE(refused_on_arrival),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_failures",
	.test_cases = cases,
};

kunit_test_suite(suite);
