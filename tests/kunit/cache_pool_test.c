// SPDX-License-Identifier: GPL-2.0-only
/* Who has how much of the cache. */
#include "cache.h"

#define SLOTS	300
#define SECTORS	(100000 * CHUNK)
#define SLOT	((u64)CDRIVE_CACHE_SLOT)

struct fixture {
	struct cdrive_pool *pool;
	struct cdrive_volume *volumes[3];
};

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->pool = cdrive_pool_new(SLOTS);
	KUNIT_ASSERT_NOT_NULL(test, f->pool);
	for (i = 0; i < ARRAY_SIZE(f->volumes); i++) {
		f->volumes[i] = test_volume(f->pool, SECTORS);
		KUNIT_ASSERT_NOT_NULL(test, f->volumes[i]);
	}
	test->priv = f;
	return 0;
}

static void end(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_info info = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(f->volumes); i++)
		if (f->volumes[i])
			cdrive_volume_free(f->volumes[i]);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.used, 0);
	KUNIT_EXPECT_EQ(test, info.reserved, 0);
	KUNIT_EXPECT_EQ(test, info.volumes, 0);
	cdrive_pool_free(f->pool);
}

static void expect_part(struct kunit *test, unsigned int i, u64 size, u64 used, u64 flags)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_counters counters;

	cdrive_volume_count(f->volumes[i], &counters);
	KUNIT_EXPECT_EQ(test, counters.size, size * SLOT);
	KUNIT_EXPECT_EQ(test, counters.used, used * SLOT);
	KUNIT_EXPECT_EQ(test, counters.flags, flags);
}

/* Slots are used from the front on; the memory of the map grows with them. */
static void grows(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_info before = {}, info = {};
	struct cdrive_extent extents[2];
	u64 generation = cdrive_volume_read(f->volumes[0], 0, 2 * CHUNK);

	cdrive_pool_info(f->pool, &before);
	KUNIT_EXPECT_EQ(test, cdrive_volume_fill(f->volumes[0], 0, 2 * CHUNK, generation,
						 extents), 2);
	KUNIT_EXPECT_EQ(test, extents[0].slot, 0);
	KUNIT_EXPECT_EQ(test, extents[1].slot, 1);
	test_enter(f->volumes[0], 0, 2 * CHUNK, generation, &extents[0], true);
	test_enter(f->volumes[0], 0, 2 * CHUNK, generation, &extents[1], true);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.slots, SLOTS);
	KUNIT_EXPECT_EQ(test, info.used, 2);
	KUNIT_EXPECT_EQ(test, info.volumes, 3);
	KUNIT_EXPECT_EQ(test, info.reserved, 0);
	KUNIT_EXPECT_GE(test, info.index_bytes,
			before.index_bytes + sizeof(struct cdrive_segment));
}

/* One alone may use all, and gives the others theirs when they come. */
static void shares(struct kunit *test)
{
	struct fixture *f = test->priv;

	expect_part(test, 0, SLOTS / 3, 0, 0);
	test_fill_chunks(f->volumes[0], 0, 2 * SLOTS);
	expect_part(test, 0, SLOTS / 3, SLOTS, 0);
	test_fill_chunks(f->volumes[1], 0, 2 * SLOTS);
	expect_part(test, 0, SLOTS / 3, SLOTS - SLOTS / 3, 0);
	expect_part(test, 1, SLOTS / 3, SLOTS / 3, 0);
	test_fill_chunks(f->volumes[2], 0, 2 * SLOTS);
	expect_part(test, 0, SLOTS / 3, SLOTS / 3, 0);
	expect_part(test, 2, SLOTS / 3, SLOTS / 3, 0);
}

/* A scan takes nothing of a working set that fits its part. */
static void scans_take_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;

	test_fill_chunks(f->volumes[0], 0, SLOTS / 3);
	test_fill_chunks(f->volumes[1], 0, 10 * SLOTS);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volumes[0], 0, SLOTS / 3), SLOTS / 3);
}

static void reservations(struct kunit *test)
{
	struct fixture *f = test->priv;

	test_fill_chunks(f->volumes[0], 0, SLOTS);
	/* Rounded up; what others have is theirs until it is asked for. */
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[1], 199 * SLOT + 1), 0);
	expect_part(test, 1, 200, 0, CDRIVE_CACHE_F_RESERVED);
	expect_part(test, 0, 50, SLOTS, 0);
	test_fill_chunks(f->volumes[1], 0, 250);
	expect_part(test, 1, 200, 200, CDRIVE_CACHE_F_RESERVED);
	expect_part(test, 0, 50, 100, 0);
	test_fill_chunks(f->volumes[2], 0, 250);
	expect_part(test, 1, 200, 200, CDRIVE_CACHE_F_RESERVED);
	expect_part(test, 2, 50, 50, 0);
	/* No more than there is; nothing changes then. */
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], 101 * SLOT), -ENOSPC);
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], U64_MAX - 1), -ENOSPC);
	expect_part(test, 0, 50, 50, 0);
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], 100 * SLOT), 0);
	expect_part(test, 2, 0, 50, 0);
	/* Its own counts as free: it may change. */
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[1], 120 * SLOT), 0);
	expect_part(test, 1, 120, 120, CDRIVE_CACHE_F_RESERVED);
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[1], CDRIVE_CACHE_SHARED), 0);
	expect_part(test, 1, 100, 120, 0);
}

/* A reservation is a limit, too, even if nobody has the rest. */
static void never_more_than_reserved(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], 10 * SLOT), 0);
	test_fill_chunks(f->volumes[0], 0, 30);
	expect_part(test, 0, 10, 10, CDRIVE_CACHE_F_RESERVED);
	KUNIT_EXPECT_EQ(test, test_fill(f->volumes[0], 1000 * CHUNK, 20 * CHUNK), 10);
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], 0), 0);
	expect_part(test, 0, 0, 0, CDRIVE_CACHE_F_RESERVED);
	KUNIT_EXPECT_EQ(test, test_fill(f->volumes[0], 0, CHUNK), 0);
}

/* Those without drive give first, and have no reservation. */
static void idle_gives_first(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[0], 50 * SLOT), 0);
	test_fill_chunks(f->volumes[0], 0, 50);
	test_fill_chunks(f->volumes[1], 0, SLOTS - 50);
	cdrive_pool_set_idle(f->pool, f->volumes[0], true);
	expect_part(test, 0, 0, 50, 0);
	test_fill_chunks(f->volumes[2], 0, 49);
	expect_part(test, 0, 0, 1, 0);
	expect_part(test, 1, SLOTS / 2, SLOTS - 50, 0);
	test_fill_chunks(f->volumes[2], 100, 2);
	expect_part(test, 0, 0, 0, 0);
	expect_part(test, 1, SLOTS / 2, SLOTS - 51, 0);
	cdrive_pool_set_idle(f->pool, f->volumes[0], false);
	expect_part(test, 0, SLOTS / 3, 0, 0);
}

/* Who has none to give, as all are pinned, is passed over; and then oneself gives. */
static void pinned_give_nothing(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	test_fill_chunks(f->volumes[0], 0, 180);
	test_fill_chunks(f->volumes[1], 0, 120);
	for (i = 0; i < 180; i++)
		KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volumes[0], i * CHUNK, 1));
	test_fill_chunks(f->volumes[2], 0, 25);
	expect_part(test, 0, SLOTS / 3, 180, 0);
	expect_part(test, 1, SLOTS / 3, 100, 0);
	expect_part(test, 2, SLOTS / 3, 20, 0);
	for (i = 0; i < 180; i++)
		cdrive_volume_unpin(f->volumes[0], i * CHUNK, 1);
	test_fill_chunks(f->volumes[2], 100, 10);
	expect_part(test, 0, SLOTS / 3, 170, 0);
}

static void too_many_volumes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_volume **more = kunit_kcalloc(test, CDRIVE_MAX_VOLUMES, sizeof(*more),
						    GFP_KERNEL);
	unsigned int n;

	KUNIT_ASSERT_NOT_NULL(test, more);
	for (n = 0; n < CDRIVE_MAX_VOLUMES; n++) {
		more[n] = cdrive_volume_new(f->pool, "x", CHUNK);
		if (!more[n])
			break;
	}
	KUNIT_EXPECT_EQ(test, n, CDRIVE_MAX_VOLUMES - 3);
	while (n)
		cdrive_volume_free(more[--n]);
}

/* --- sizes ------------------------------------------------------------------- */

static void shrinks(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_info info;
	struct cdrive_extent extent;
	u64 generation;

	test_fill_chunks(f->volumes[0], 0, 200);
	/* One that is being read, and one that is being written, beyond. */
	KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volumes[0], 150 * CHUNK, CHUNK));
	generation = cdrive_volume_read(f->volumes[1], 0, CHUNK);
	KUNIT_ASSERT_EQ(test, cdrive_volume_fill(f->volumes[1], 0, CHUNK, generation, &extent), 1);
	KUNIT_EXPECT_EQ(test, cdrive_pool_reserve(f->pool, f->volumes[2], 60 * SLOT), 0);
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, 59), -ENOSPC);
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, 100), 0);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.slots, 100);
	KUNIT_EXPECT_EQ(test, info.used, 102);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volumes[0], 0, 200), 100);
	/* Not used any more, not even by their own chunks. */
	KUNIT_EXPECT_EQ(test, test_fill(f->volumes[0], 150 * CHUNK, CHUNK), 0);
	cdrive_volume_unpin(f->volumes[0], 150 * CHUNK, CHUNK);
	test_enter(f->volumes[1], 0, CHUNK, generation, &extent, true);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.used, 100);
	KUNIT_EXPECT_FALSE(test, test_has(f->volumes[1], 0, CHUNK));
	/* And grows again, where those were. */
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, SLOTS), 0);
	test_fill_chunks(f->volumes[0], 0, 240);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volumes[0], 0, 240), 240);
}

/* Whole segments' memory is given back, and what was given back is used again. */
static void segments(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_info large = {}, small = {};
	u32 n = CDRIVE_SEGMENT_SLOTS + 10;

	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, 3 * CDRIVE_SEGMENT_SLOTS), 0);
	test_fill_chunks(f->volumes[0], 0, n);
	cdrive_pool_info(f->pool, &large);
	cdrive_volume_free(f->volumes[0]);
	f->volumes[0] = NULL;
	test_fill_chunks(f->volumes[1], 0, n);
	cdrive_pool_info(f->pool, &small);
	KUNIT_EXPECT_EQ(test, small.used, n);
	KUNIT_EXPECT_LT(test, small.index_bytes, large.index_bytes);
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, CDRIVE_SEGMENT_SLOTS), 0);
	cdrive_pool_info(f->pool, &large);
	KUNIT_EXPECT_EQ(test, large.index_bytes + sizeof(struct cdrive_segment), small.index_bytes);
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, 3 * CDRIVE_SEGMENT_SLOTS), 0);
	test_fill_chunks(f->volumes[1], 0, n);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volumes[1], 0, n), n);
}

/* The file system is full: slots that could not be written are not tried again. */
static void no_room_in_the_file(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_info info;
	struct cdrive_extent extent;
	u64 generation = cdrive_volume_read(f->volumes[0], 99 * CHUNK, CHUNK);

	test_fill_chunks(f->volumes[0], 0, 20);
	KUNIT_ASSERT_EQ(test, cdrive_volume_fill(f->volumes[0], 99 * CHUNK, CHUNK, generation,
						 &extent), 1);
	KUNIT_EXPECT_EQ(test, extent.slot, 20);
	cdrive_pool_stop_growing(f->pool);
	test_enter(f->volumes[0], 99 * CHUNK, CHUNK, generation, &extent, false);
	test_fill_chunks(f->volumes[0], 100, 50);
	test_fill_chunks(f->volumes[1], 100, 50);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.used, 20);
	expect_part(test, 0, 20 / 3, 14, 0);
	expect_part(test, 1, 20 / 3, 6, 0);
	/* Until its size is set anew. */
	KUNIT_EXPECT_EQ(test, cdrive_pool_resize(f->pool, SLOTS), 0);
	test_fill_chunks(f->volumes[1], 0, SLOTS);
	cdrive_pool_info(f->pool, &info);
	KUNIT_EXPECT_EQ(test, info.used, SLOTS);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(grows),
	KUNIT_CASE(shares),
	KUNIT_CASE(scans_take_nothing),
	KUNIT_CASE(reservations),
	KUNIT_CASE(never_more_than_reserved),
	KUNIT_CASE(idle_gives_first),
	KUNIT_CASE(pinned_give_nothing),
	KUNIT_CASE(too_many_volumes),
	KUNIT_CASE(shrinks),
	KUNIT_CASE(segments),
	KUNIT_CASE(no_room_in_the_file),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_cache_pool",
	.init = init,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
