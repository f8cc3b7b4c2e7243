// SPDX-License-Identifier: GPL-2.0-only
/* Copies of a request's data: which bytes, whatever they are cut into. */
#include <kunit/test.h>
#include <linux/blk-mq.h>
#include <linux/prandom.h>
#include <linux/uio.h>

#include "payload.h"

/* Pieces of a request, as block layer and page cache may cut it. */
#define PIECES 5
static const struct { unsigned int offset, len; } pieces[PIECES] = {
	{ 0, 512 }, { 1024, 512 }, { 512, 3584 }, { 0, 4096 }, { 2048, 1536 },
};

#define LENGTH (512 + 512 + 3584 + 4096 + 1536)

struct fixture {
	struct request rq;
	struct bio bio;
	struct bio_vec bvecs[PIECES];
	u8 *pages[PIECES];
	u8 model[LENGTH];
	u8 user[LENGTH + 1];
};

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	test->priv = f;
	for (i = 0; i < PIECES; i++) {
		/* Of this size an allocation is a page. */
		f->pages[i] = kunit_kzalloc(test, PAGE_SIZE, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, f->pages[i]);
		KUNIT_ASSERT_TRUE(test, PAGE_ALIGNED(f->pages[i]));
		f->bvecs[i] = (struct bio_vec){
			.bv_page = virt_to_page(f->pages[i]),
			.bv_offset = pieces[i].offset,
			.bv_len = pieces[i].len,
		};
	}
	f->bio.bi_io_vec = f->bvecs;
	f->bio.bi_vcnt = PIECES;
	f->bio.bi_iter.bi_size = LENGTH;
	f->rq.bio = &f->bio;
	f->rq.__data_len = LENGTH;
	return 0;
}

/* Between the pages and @flat, all of the request. */
static void flatten(struct fixture *f, u8 *flat, bool to_pages)
{
	unsigned int i;

	for (i = 0; i < PIECES; i++) {
		u8 *data = f->pages[i] + pieces[i].offset;

		if (to_pages)
			memcpy(data, flat, pieces[i].len);
		else
			memcpy(flat, data, pieces[i].len);
		flat += pieces[i].len;
	}
}

static size_t copy(struct fixture *f, size_t pos, size_t len, bool to_user)
{
	struct kvec vec[2];
	struct iov_iter iter;

	/* In two, so that neither side's pieces end where the other's do. */
	vec[0].iov_base = f->user;
	vec[0].iov_len = len / 3;
	vec[1].iov_base = f->user + len / 3;
	vec[1].iov_len = len - len / 3;
	iov_iter_kvec(&iter, to_user ? ITER_DEST : ITER_SOURCE, vec, 2, len);
	return cdrive_payload_copy(&f->rq, pos, &iter, to_user);
}

static void fill(u8 *data, size_t len, u32 seed)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, seed);
	prandom_bytes_state(&rnd, data, len);
}

static void expect_read(struct kunit *test, size_t pos, size_t len)
{
	struct fixture *f = test->priv;
	size_t n = min(len, LENGTH - pos);

	memset(f->user, 0xee, sizeof(f->user));
	KUNIT_EXPECT_EQ(test, copy(f, pos, len, true), n);
	KUNIT_EXPECT_MEMEQ(test, f->user, f->model + pos, n);
	KUNIT_EXPECT_EQ(test, f->user[n], 0xee);
}

static void expect_written(struct kunit *test, size_t pos, size_t len, u32 seed)
{
	struct fixture *f = test->priv;
	size_t n = min(len, LENGTH - pos);
	u8 *found = kunit_kmalloc(test, LENGTH, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, found);
	fill(f->user, sizeof(f->user), seed);
	memcpy(f->model + pos, f->user, n);
	KUNIT_EXPECT_EQ(test, copy(f, pos, len, false), n);
	flatten(f, found, false);
	KUNIT_EXPECT_MEMEQ(test, found, f->model, LENGTH);
	kunit_kfree(test, found);
}

/* Positions next to where something begins or ends. */
static const size_t edges[] = {
	0, 1, 511, 512, 513, 1023, 1024, 1025, 4607, 4608, 4609, 8703, 8704,
	8705, LENGTH - 513, LENGTH - 512, LENGTH - 1,
};

static void reads(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int from, to;

	fill(f->model, LENGTH, 1);
	flatten(f, f->model, true);
	for (from = 0; from < ARRAY_SIZE(edges); from++) {
		for (to = from + 1; to < ARRAY_SIZE(edges); to++)
			expect_read(test, edges[from], edges[to] - edges[from]);
		expect_read(test, edges[from], LENGTH - edges[from]);
		expect_read(test, edges[from], 1);
	}
}

static void writes(struct kunit *test)
{
	struct fixture *f = test->priv;
	unsigned int from, to;

	flatten(f, f->model, true);
	for (from = 0; from < ARRAY_SIZE(edges); from++) {
		for (to = from + 1; to < ARRAY_SIZE(edges); to++)
			expect_written(test, edges[from],
				       edges[to] - edges[from],
				       from * 100 + to);
		expect_written(test, edges[from], LENGTH - edges[from], from);
		expect_written(test, edges[from], 1, from);
	}
}

/* Short at the end of the request, and nothing past it. */
static void past_the_end(struct kunit *test)
{
	struct fixture *f = test->priv;

	fill(f->model, LENGTH, 2);
	flatten(f, f->model, true);
	expect_read(test, LENGTH - 100, 200);
	expect_read(test, LENGTH - 1, 2);
	expect_written(test, LENGTH - 100, 200, 3);
	KUNIT_EXPECT_EQ(test, copy(f, LENGTH, 1, true), 0);
	KUNIT_EXPECT_EQ(test, copy(f, LENGTH + 4096, 1, true), 0);
	KUNIT_EXPECT_EQ(test, copy(f, LENGTH, 1, false), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(reads),
	KUNIT_CASE(writes),
	KUNIT_CASE(past_the_end),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_payload",
	.init = init,
	.test_cases = cases,
};

kunit_test_suite(suite);
