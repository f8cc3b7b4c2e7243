// SPDX-License-Identifier: GPL-2.0-only
/* Which slot goes, and which slot a chunk is in. */
#include "cache.h"

#include <linux/prandom.h>

struct fixture {
	struct cdrive_slots slots;
	struct cdrive_policy policy;
	struct cdrive_chunks chunks;
};

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->slots.groups[0] = kunit_kcalloc(test, CDRIVE_GROUP_SEGMENTS, sizeof(void *),
					   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->slots.groups[0]);
	f->slots.groups[0][0] = kunit_kzalloc(test, sizeof(struct cdrive_segment), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, f->slots.groups[0][0]);
	KUNIT_ASSERT_TRUE(test, cdrive_policy_init(&f->policy));
	KUNIT_ASSERT_TRUE(test, cdrive_chunks_init(&f->chunks));
	test->priv = f;
	return 0;
}

static void end(struct kunit *test)
{
	struct fixture *f = test->priv;

	cdrive_policy_free(&f->policy);
	cdrive_chunks_free(&f->chunks);
}

static struct cdrive_cache_slot *add(struct fixture *f, u32 i, u32 chunk)
{
	struct cdrive_cache_slot *slot = cdrive_slot(&f->slots, i);

	slot->chunk = chunk;
	cdrive_policy_add(&f->policy, &f->slots, i);
	return slot;
}

static u32 evict(struct fixture *f)
{
	return cdrive_policy_evict(&f->policy, &f->slots);
}

/* --- the policy -------------------------------------------------------------- */

static void first_in_first_out(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	KUNIT_EXPECT_EQ(test, evict(f), CDRIVE_NO_SLOT);
	for (i = 0; i < 20; i++)
		add(f, i, i);
	for (i = 0; i < 20; i++)
		KUNIT_EXPECT_EQ(test, evict(f), i);
	KUNIT_EXPECT_EQ(test, evict(f), CDRIVE_NO_SLOT);
}

/* A hit in the small queue is good for the main one, and there for a round. */
static void hits_stay(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 20; i++)
		add(f, i, i)->hit = i == 3 || i == 4;
	for (i = 0; i < 18; i++) {
		u32 gone = evict(f);

		KUNIT_EXPECT_NE(test, gone, 3);
		KUNIT_EXPECT_NE(test, gone, 4);
	}
	KUNIT_EXPECT_EQ(test, f->policy.queues[CDRIVE_QUEUE_MAIN].count, 2);
	cdrive_slot(&f->slots, 3)->hit = true;
	KUNIT_EXPECT_EQ(test, evict(f), 4);
	KUNIT_EXPECT_EQ(test, evict(f), 3);
}

/* What is read once leaves by a tenth of all; the others don't move. */
static void scans_pass(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i, chunk;

	for (i = 0; i < 90; i++) {
		cdrive_slot(&f->slots, i)->chunk = i;
		cdrive_policy_add_main(&f->policy, &f->slots, i);
	}
	for (; i < 101; i++)
		add(f, i, 1000 + i);
	for (chunk = 2000; chunk < 3000; chunk++) {
		i = evict(f);
		KUNIT_ASSERT_NE(test, i, CDRIVE_NO_SLOT);
		KUNIT_EXPECT_GE(test, i, 90);
		add(f, i, chunk);
	}
	KUNIT_EXPECT_EQ(test, f->policy.queues[CDRIVE_QUEUE_MAIN].count, 90);
}

/* Who comes back soon after it was given up comes to stay; only once. */
static void ghosts_come_back(struct kunit *test)
{
	struct fixture *f = test->priv;

	add(f, 0, 77);
	KUNIT_EXPECT_EQ(test, evict(f), 0);
	add(f, 1, 78);
	KUNIT_EXPECT_FALSE(test, cdrive_slot(&f->slots, 1)->main);
	add(f, 0, 77);
	KUNIT_EXPECT_TRUE(test, cdrive_slot(&f->slots, 0)->main);
	KUNIT_EXPECT_EQ(test, evict(f), 1);
	KUNIT_EXPECT_EQ(test, evict(f), 0);
	/* Of the main queue nobody is remembered. */
	add(f, 0, 77);
	KUNIT_EXPECT_FALSE(test, cdrive_slot(&f->slots, 0)->main);
}

static void ghosts_are_forgotten(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 chunk, known = 0;

	for (chunk = 0; chunk < 10 * CDRIVE_GHOST_FIRST; chunk++) {
		add(f, 0, chunk);
		KUNIT_ASSERT_EQ(test, evict(f), 0);
	}
	for (chunk = 0; chunk < 10 * CDRIVE_GHOST_FIRST; chunk++) {
		add(f, 0, chunk);
		known += cdrive_slot(&f->slots, 0)->main;
		/* Out of the main queue, so that nothing is added. */
		cdrive_policy_remove(&f->policy, &f->slots, 0);
	}
	KUNIT_EXPECT_LE(test, known, CDRIVE_GHOST_FIRST);
	KUNIT_EXPECT_GT(test, known, CDRIVE_GHOST_FIRST / 2);
}

/* As many as the volume has slots; a table that is too small by then is given back. */
static void more_ghosts(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 *first = f->policy.ghosts.chunks, *larger, i;

	for (i = 0; i <= CDRIVE_GHOST_FIRST; i++) {
		KUNIT_EXPECT_EQ(test, cdrive_policy_wants_ghosts(&f->policy), 0);
		add(f, i, i);
	}
	KUNIT_ASSERT_EQ(test, cdrive_policy_wants_ghosts(&f->policy), 2 * CDRIVE_GHOST_FIRST);
	larger = kvcalloc(2 * CDRIVE_GHOST_FIRST, sizeof(u32), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, larger);
	KUNIT_EXPECT_PTR_EQ(test, cdrive_policy_set_ghosts(&f->policy, larger,
							   2 * CDRIVE_GHOST_FIRST), first);
	KUNIT_EXPECT_PTR_EQ(test, cdrive_policy_set_ghosts(&f->policy, first,
							   2 * CDRIVE_GHOST_FIRST), first);
	KUNIT_EXPECT_EQ(test, cdrive_policy_wants_ghosts(&f->policy), 0);
	kvfree(first);
}

static void pinned_and_busy(struct kunit *test)
{
	struct fixture *f = test->priv;

	add(f, 0, 0)->pins = 1;
	add(f, 1, 1)->busy = 1;
	add(f, 2, 2);
	cdrive_slot(&f->slots, 2)->hit = true;
	KUNIT_EXPECT_EQ(test, evict(f), 2);
	KUNIT_EXPECT_EQ(test, evict(f), CDRIVE_NO_SLOT);
	cdrive_slot(&f->slots, 0)->pins = 0;
	KUNIT_EXPECT_EQ(test, evict(f), 0);
	cdrive_slot(&f->slots, 1)->busy = 0;
	KUNIT_EXPECT_EQ(test, evict(f), 1);
}

/* However many had a hit, one is found in a bounded time. */
static void all_had_hits(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i, hits = 0;

	for (i = 0; i < CDRIVE_SEGMENT_SLOTS; i++)
		add(f, i, i)->hit = true;
	KUNIT_EXPECT_NE(test, evict(f), CDRIVE_NO_SLOT);
	for (i = 0; i < CDRIVE_SEGMENT_SLOTS; i++)
		hits += cdrive_slot(&f->slots, i)->hit;
	KUNIT_EXPECT_GT(test, hits, CDRIVE_SEGMENT_SLOTS / 2);
}

/* An empty one goes first, even if it had hits; filled again, it is what it was. */
static void empty_goes_first(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	for (i = 0; i < 4; i++)
		add(f, i, i);
	cdrive_slot(&f->slots, 2)->hit = true;
	cdrive_policy_set_empty(&f->policy, &f->slots, 2, true);
	cdrive_policy_set_empty(&f->policy, &f->slots, 2, true);
	cdrive_policy_set_empty(&f->policy, &f->slots, 3, true);
	cdrive_policy_set_empty(&f->policy, &f->slots, 3, false);
	KUNIT_EXPECT_EQ(test, evict(f), 2);
	cdrive_policy_add_main(&f->policy, &f->slots, 2);
	cdrive_policy_set_empty(&f->policy, &f->slots, 2, true);
	cdrive_policy_set_empty(&f->policy, &f->slots, 2, false);
	KUNIT_EXPECT_TRUE(test, cdrive_slot(&f->slots, 2)->queue == CDRIVE_QUEUE_MAIN);
	/* Pinned ones don't stop the others. */
	for (i = 0; i < 2; i++) {
		cdrive_slot(&f->slots, i)->pins = 1;
		cdrive_policy_set_empty(&f->policy, &f->slots, i, true);
	}
	KUNIT_EXPECT_EQ(test, evict(f), 3);
	KUNIT_EXPECT_EQ(test, evict(f), 2);
	KUNIT_EXPECT_EQ(test, evict(f), CDRIVE_NO_SLOT);
}

/* --- the table of chunks ----------------------------------------------------------- */

static bool chunks_agree(struct fixture *f, const u32 *chunk_of, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (chunk_of[i] && cdrive_chunks_find(&f->chunks, &f->slots, chunk_of[i]) != i)
			return false;
	return true;
}

/* In and out at random, with and without room for more buckets. */
static void chunks_at_random(struct kunit *test)
{
	struct fixture *f = test->priv;
	const u32 n = CDRIVE_SEGMENT_SLOTS;
	u32 *chunk_of = kunit_kcalloc(test, n, sizeof(*chunk_of), GFP_KERNEL);
	struct rnd_state rnd;
	u32 step, next = 1;

	KUNIT_ASSERT_NOT_NULL(test, chunk_of);
	prandom_seed_state(&rnd, 4711);
	for (step = 0; step < 20000; step++) {
		u32 i = prandom_u32_state(&rnd) % n;
		u32 heads = step > 10000 ? cdrive_chunks_wants(&f->chunks) : 0;

		if (heads) {
			u32 *table = kvcalloc(heads, sizeof(*table), GFP_KERNEL);

			KUNIT_ASSERT_NOT_NULL(test, table);
			KUNIT_EXPECT_FALSE(test, cdrive_chunks_add_table(&f->chunks, table,
									 heads / 2));
			KUNIT_EXPECT_TRUE(test, cdrive_chunks_add_table(&f->chunks, table, heads));
		}
		if (chunk_of[i]) {
			cdrive_chunks_remove(&f->chunks, &f->slots, i);
			KUNIT_EXPECT_EQ(test, cdrive_chunks_find(&f->chunks, &f->slots,
								 chunk_of[i]), CDRIVE_NO_SLOT);
		}
		/* Three out of four are in. */
		chunk_of[i] = prandom_u32_state(&rnd) % 4 ? next++ << step % 20 : 0;
		if (chunk_of[i] && cdrive_chunks_find(&f->chunks, &f->slots, chunk_of[i]) !=
				   CDRIVE_NO_SLOT)
			chunk_of[i] = 0;
		cdrive_slot(&f->slots, i)->chunk = chunk_of[i];
		if (chunk_of[i])
			cdrive_chunks_add(&f->chunks, &f->slots, i);
		if (step % 500 == 0)
			KUNIT_EXPECT_TRUE(test, chunks_agree(f, chunk_of, n));
	}
	KUNIT_EXPECT_TRUE(test, chunks_agree(f, chunk_of, n));
	KUNIT_EXPECT_GE(test, f->chunks.buckets, CDRIVE_SEGMENT_SLOTS / 2);
	KUNIT_EXPECT_GE(test, f->chunks.room, f->chunks.buckets);
}

/* The longest chain, with a bucket for each, is short. */
static void chains_are_short(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i, bucket, longest = 0;

	for (i = 0; i < CDRIVE_CHUNKS_FIRST; i++) {
		cdrive_slot(&f->slots, i)->chunk = i * 4096;
		cdrive_chunks_add(&f->chunks, &f->slots, i);
	}
	KUNIT_EXPECT_EQ(test, f->chunks.buckets, CDRIVE_CHUNKS_FIRST);
	KUNIT_EXPECT_EQ(test, cdrive_chunks_wants(&f->chunks), CDRIVE_CHUNKS_FIRST);
	for (bucket = 0; bucket < CDRIVE_CHUNKS_FIRST; bucket++) {
		u32 length = 0;

		for (i = f->chunks.tables[0][bucket]; i; i = cdrive_slot(&f->slots, i - 1)->chain)
			length++;
		longest = max(longest, length);
	}
	KUNIT_EXPECT_LE(test, longest, 8);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(first_in_first_out),
	KUNIT_CASE(hits_stay),
	KUNIT_CASE(scans_pass),
	KUNIT_CASE(ghosts_come_back),
	KUNIT_CASE(ghosts_are_forgotten),
	KUNIT_CASE(more_ghosts),
	KUNIT_CASE(pinned_and_busy),
	KUNIT_CASE(all_had_hits),
	KUNIT_CASE(empty_goes_first),
	KUNIT_CASE(chunks_at_random),
	KUNIT_CASE(chains_are_short),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_cache_policy",
	.init = init,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
