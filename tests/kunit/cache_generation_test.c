// SPDX-License-Identifier: GPL-2.0-only
/* What a write changes, and what it leaves alone. */
#include "cache.h"

#include "cache/runs.h"

#define REGIONS	5
#define SECTORS	((REGIONS - 1) * REGION + 3 * CHUNK + 5)	/* the last is not whole */

static int init(struct kunit *test)
{
	struct cdrive_generations *generations = kunit_kzalloc(test, sizeof(*generations),
							       GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, generations);
	KUNIT_ASSERT_TRUE(test, cdrive_generation_init(generations, SECTORS));
	test->priv = generations;
	return 0;
}

static void end(struct kunit *test)
{
	cdrive_generation_free(test->priv);
}

static void raise(struct cdrive_generations *generations, u64 sector, u32 sectors)
{
	struct cdrive_range range = cdrive_generation_range(generations, sector, sectors);

	cdrive_generation_raise(generations, range.head);
	cdrive_generation_raise(generations, range.tail);
	for (; range.regions; range.regions--)
		cdrive_generation_raise_region(generations, range.region++);
}

static void sizes(struct kunit *test)
{
	struct cdrive_generations *generations = test->priv;

	KUNIT_EXPECT_EQ(test, generations->regions, REGIONS);
	KUNIT_EXPECT_EQ(test, generations->blocks, SECTORS / BLOCK + 1);
	KUNIT_EXPECT_NE(test, cdrive_generation(generations, 0, 1), 0);
}

/* By blocks: neighbours of what was written are as they were. */
static void neighbours(struct kunit *test)
{
	struct cdrive_generations *generations = test->priv;
	u64 before = cdrive_generation(generations, 0, BLOCK);
	u64 behind = cdrive_generation(generations, 3 * BLOCK, BLOCK);
	u64 first = cdrive_generation(generations, BLOCK, 1);
	u64 second = cdrive_generation(generations, 2 * BLOCK + 7, 1);

	raise(generations, 2 * BLOCK - 1, 2);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, 0, BLOCK), before);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, 3 * BLOCK, BLOCK), behind);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, BLOCK, 1), first + 1);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, 2 * BLOCK + 7, 1), second + 1);
}

static void expect_range(struct kunit *test, u64 begin, u64 end, u64 head_end, u32 region,
			 u32 regions, u64 tail_begin)
{
	struct cdrive_range range = cdrive_generation_range(test->priv, begin, end - begin);

	KUNIT_EXPECT_EQ(test, range.head.begin, begin / BLOCK);
	KUNIT_EXPECT_EQ(test, range.head.end, head_end);
	KUNIT_EXPECT_EQ(test, range.regions, regions);
	if (regions)
		KUNIT_EXPECT_EQ(test, range.region, region);
	KUNIT_EXPECT_EQ(test, range.tail.begin, tail_begin);
	KUNIT_EXPECT_EQ(test, range.tail.end, DIV_ROUND_UP_ULL(end, BLOCK));
}

static void ranges(struct kunit *test)
{
	const u64 blocks = CDRIVE_REGION_BLOCKS;

	/* within a region; across a bound; one as a whole, with and without edges */
	expect_range(test, 5, 9, 2, 0, 0, 2);
	expect_range(test, REGION - 8, REGION + 8, blocks + 1, 0, 0, blocks + 1);
	expect_range(test, REGION, 2 * REGION, blocks, 1, 1, 2 * blocks);
	expect_range(test, REGION - 1, 2 * REGION + 1, blocks, 1, 1, 2 * blocks);
	expect_range(test, REGION + BLOCK, 2 * REGION - BLOCK, 2 * blocks - 1, 0, 0,
		     2 * blocks - 1);
	/* the last, which is not whole; all */
	expect_range(test, 4 * REGION, SECTORS, 4 * blocks, 4, 1, DIV_ROUND_UP_ULL(SECTORS, BLOCK));
	expect_range(test, 0, SECTORS, 0, 0, REGIONS, DIV_ROUND_UP_ULL(SECTORS, BLOCK));
}

/* Each block of a large range has another generation then, and none beside it. */
static void large(struct kunit *test)
{
	struct cdrive_generations *generations = test->priv;
	u64 begin = REGION - 3 * BLOCK, end = 3 * REGION + 2 * BLOCK, sector;
	u64 step = CHUNK - BLOCK;
	u64 *before = kunit_kcalloc(test, SECTORS / step + 1, sizeof(*before), GFP_KERNEL);
	u64 first = cdrive_generation(generations, 0, REGION), wrong = 0;
	u64 other = cdrive_generation(generations, 10 * BLOCK, 100 * BLOCK);

	KUNIT_ASSERT_NOT_NULL(test, before);
	for (sector = 0; sector < SECTORS; sector += step)
		before[sector / step] = cdrive_generation(generations, sector, 1);
	raise(generations, begin, end - begin);
	for (sector = begin - begin % step + step; sector < end; sector += step)
		wrong += cdrive_generation(generations, sector, 1) <= before[sector / step];
	KUNIT_EXPECT_EQ(test, wrong, 0);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, 10 * BLOCK, 100 * BLOCK), other);
	KUNIT_EXPECT_GT(test, cdrive_generation(generations, 0, REGION), first);
}

/* More blocks than counters: each is raised once, and counts once. */
static void many_blocks(struct kunit *test)
{
	struct cdrive_generations *generations = test->priv;
	u32 sectors = (CDRIVE_GENERATIONS + 100) * BLOCK;
	u64 all = cdrive_generation(generations, 0, sectors);

	cdrive_generation_raise(generations, (struct cdrive_blocks) { 0, sectors / BLOCK });
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, 0, sectors),
			all + CDRIVE_GENERATIONS);
}

/* A sum never falls, or comes back. */
static void epochs_come_round(struct kunit *test)
{
	struct cdrive_generations *generations = test->priv;
	u64 first = cdrive_generation(generations, REGION, 8), last;

	KUNIT_EXPECT_FALSE(test, cdrive_generation_raise_region(generations, 1));
	KUNIT_EXPECT_EQ(test, cdrive_epoch(generations, CDRIVE_REGION_CHUNKS), 1);
	generations->epochs[1] = U32_MAX;
	last = cdrive_generation(generations, REGION, 8);
	KUNIT_EXPECT_TRUE(test, cdrive_generation_raise_region(generations, 1));
	KUNIT_EXPECT_EQ(test, cdrive_epoch(generations, CDRIVE_REGION_CHUNKS), 0);
	KUNIT_EXPECT_EQ(test, cdrive_generation(generations, REGION, 8), last + 1);
	KUNIT_EXPECT_GT(test, last, first);
}

/* --- runs ------------------------------------------------------------------ */

static void long_runs(struct kunit *test)
{
	struct cdrive_runs *runs = kunit_kzalloc(test, sizeof(*runs), GFP_KERNEL);
	u64 sector;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	/* 4 MiB are no long run yet, and one sector more is. */
	for (sector = 0; sector < CDRIVE_LONG_RUN; sector += 256)
		KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 1000 + sector, 256));
	KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 1000 + sector, 1));
	KUNIT_EXPECT_TRUE(test, cdrive_runs_read(runs, 1000 + sector + 1, 256));
	/* Elsewhere, and there again, but not where it ended. */
	KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 0, 256));
	KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 1000 + sector, 256));
}

/* As many at once as are kept, and one more. */
static void runs_at_once(struct kunit *test)
{
	struct cdrive_runs *runs = kunit_kzalloc(test, sizeof(*runs), GFP_KERNEL);
	unsigned int run, round;

	KUNIT_ASSERT_NOT_NULL(test, runs);
	for (round = 0; round < 5; round++)
		for (run = 0; run < CDRIVE_RUNS; run++)
			KUNIT_EXPECT_EQ(test, round > 2,
					cdrive_runs_read(runs, (run << 20) + round * 4096, 4096));
	/* The one that rested longest makes room. */
	KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 99 << 20, 8));
	KUNIT_EXPECT_FALSE(test, cdrive_runs_read(runs, 5 * 4096, 4096));
	KUNIT_EXPECT_TRUE(test, cdrive_runs_read(runs, (7 << 20) + 5 * 4096, 4096));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(sizes),
	KUNIT_CASE(neighbours),
	KUNIT_CASE(ranges),
	KUNIT_CASE(large),
	KUNIT_CASE(many_blocks),
	KUNIT_CASE(epochs_come_round),
	KUNIT_CASE(long_runs),
	KUNIT_CASE(runs_at_once),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_cache_generation",
	.init = init,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
