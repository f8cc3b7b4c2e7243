// SPDX-License-Identifier: GPL-2.0-only
/* One volume: what is entered is there, and what is written to is not. */
#include "cache.h"

#define SLOTS	64
#define SECTORS	(3 * REGION + 10 * CHUNK + 13)

struct fixture {
	struct cdrive_pool *pool;
	struct cdrive_volume *volume;
	struct cdrive_extent extents[CDRIVE_MAX_EXTENTS];
};

static int init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, f);
	f->pool = cdrive_pool_new(SLOTS);
	KUNIT_ASSERT_NOT_NULL(test, f->pool);
	f->volume = test_volume(f->pool, SECTORS);
	KUNIT_ASSERT_NOT_NULL(test, f->volume);
	test->priv = f;
	return 0;
}

static void end(struct kunit *test)
{
	struct fixture *f = test->priv;

	cdrive_volume_free(f->volume);
	cdrive_pool_free(f->pool);
}

/* Begins a fill: what is entered later on, or not. */
static unsigned int begin(struct fixture *f, u64 sector, u32 sectors, u64 *generation)
{
	*generation = cdrive_volume_read(f->volume, sector, sectors);
	return cdrive_volume_fill(f->volume, sector, sectors, *generation, f->extents);
}

static u64 counter(struct fixture *f, u64 offset)
{
	struct cdrive_cache_counters counters;

	cdrive_volume_count(f->volume, &counters);
	return *(u64 *)((char *)&counters + offset);
}

#define counted(f, name)	counter(f, offsetof(struct cdrive_cache_counters, name))

static void name_and_size(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_STREQ(test, cdrive_volume_name(f->volume), "https://a/b/c");
	KUNIT_EXPECT_EQ(test, cdrive_volume_sectors(f->volume), SECTORS);
}

/* The end of the largest there may be, and one that is larger. */
static void large_drives(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 sectors = CDRIVE_MAX_VOLUME_SECTORS;
	struct cdrive_volume *volume = test_volume(f->pool, sectors);

	KUNIT_EXPECT_NULL(test, cdrive_volume_new(f->pool, "x", sectors + 1));
	KUNIT_EXPECT_NULL(test, cdrive_volume_new(f->pool, "x", U64_MAX));
	KUNIT_ASSERT_NOT_NULL(test, volume);
	KUNIT_EXPECT_EQ(test, test_fill(volume, sectors - CHUNK, CHUNK), 1);
	KUNIT_EXPECT_TRUE(test, test_has(volume, sectors - CHUNK, CHUNK));
	cdrive_volume_write(volume, sectors - U32_MAX, U32_MAX);
	KUNIT_EXPECT_FALSE(test, test_has(volume, sectors - 1, 1));
	cdrive_volume_free(volume);
}

/* --- what is there ------------------------------------------------------------ */

static void filled_and_hit(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 sector = 2 * CHUNK - 3 * BLOCK;
	u32 crc[CDRIVE_CACHE_BLOCKS], i;

	KUNIT_EXPECT_FALSE(test, test_has(f->volume, sector, 8 * BLOCK));
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, sector, 8 * BLOCK), 2);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_hit(f->volume, sector, 8 * BLOCK));
	KUNIT_EXPECT_EQ(test, cdrive_volume_locate(f->volume, sector, 8 * BLOCK, f->extents), 2);
	KUNIT_EXPECT_EQ(test, f->extents[0].chunk, 1);
	KUNIT_EXPECT_EQ(test, f->extents[0].block, CDRIVE_CACHE_BLOCKS - 3);
	KUNIT_EXPECT_EQ(test, f->extents[0].blocks, 3);
	KUNIT_EXPECT_EQ(test, f->extents[1].chunk, 2);
	KUNIT_EXPECT_EQ(test, f->extents[1].block, 0);
	KUNIT_EXPECT_EQ(test, f->extents[1].blocks, 5);
	for (i = 0; i < 5; i++)
		crc[i] = test_crc(2 * CDRIVE_CACHE_BLOCKS + i);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_verify(f->volume, &f->extents[1], crc));
	crc[4]++;
	KUNIT_EXPECT_FALSE(test, cdrive_volume_verify(f->volume, &f->extents[1], crc));
	cdrive_volume_drop(f->volume, &f->extents[1]);
	cdrive_volume_unpin(f->volume, sector, 8 * BLOCK);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 2 * CHUNK, BLOCK));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, sector, 3 * BLOCK));
	KUNIT_EXPECT_EQ(test, counted(f, lookups), 4);
	KUNIT_EXPECT_EQ(test, counted(f, hits), 2);
	KUNIT_EXPECT_EQ(test, counted(f, hit_bytes), 11 * CDRIVE_CACHE_BLOCK);
	KUNIT_EXPECT_EQ(test, counted(f, fills), 1);
}

/* A block of which some sectors are there; more of it, less of it, other ones. */
static void parts_of_blocks(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 2, 3), 1);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 2, 3));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 4, 1));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 1, 3));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 4, 2));
	/* Neither less nor other ones. */
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 2, 3), 0);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 3, 2), 0);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 4, 4), 0);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 2, 3));
	/* More, at both ends of a range. */
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 1, 2 * BLOCK), 1);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 1, 2 * BLOCK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 0, 2));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 2 * BLOCK, 2));
	/* The end of the drive. */
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, SECTORS - 13, 13), 1);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, SECTORS - 1, 1));
}

/* Only what is not there yet is written, in as many pieces. */
static void holes_are_filled(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 generation;

	test_fill(f->volume, 3 * BLOCK, BLOCK);
	test_fill(f->volume, 7 * BLOCK, 2 * BLOCK);
	KUNIT_EXPECT_EQ(test, begin(f, 0, CHUNK, &generation), 3);
	KUNIT_EXPECT_EQ(test, f->extents[0].block, 0);
	KUNIT_EXPECT_EQ(test, f->extents[0].blocks, 3);
	KUNIT_EXPECT_EQ(test, f->extents[1].block, 4);
	KUNIT_EXPECT_EQ(test, f->extents[1].blocks, 3);
	KUNIT_EXPECT_EQ(test, f->extents[2].block, 9);
	KUNIT_EXPECT_EQ(test, f->extents[2].blocks, 7);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 0, CHUNK));
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[0], true);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[1], true);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[2], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, CHUNK));
	/* The whole of a transfer that has more holes than there is room for. */
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 0, CHUNK), 0);
}

static void many_holes(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 generation;
	u32 i, n;

	for (i = 0; i < 20 * CDRIVE_CACHE_BLOCKS; i += 2)
		test_fill(f->volume, i * BLOCK, BLOCK);
	n = begin(f, 0, 20 * CHUNK, &generation);
	KUNIT_EXPECT_EQ(test, n, CDRIVE_MAX_EXTENTS);
	for (i = 0; i < n; i++)
		test_enter(f->volume, 0, 20 * CHUNK, generation, &f->extents[i], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, 8 * CHUNK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 9 * CHUNK, CHUNK));
}

/* --- writes --------------------------------------------------------------------- */

static void writes_drop(struct kunit *test)
{
	struct fixture *f = test->priv;

	test_fill(f->volume, 0, 2 * CHUNK);
	KUNIT_EXPECT_FALSE(test, cdrive_volume_write(f->volume, 5 * CHUNK, CHUNK));
	KUNIT_EXPECT_TRUE(test, cdrive_volume_write(f->volume, CHUNK - 1, 2));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, CHUNK - BLOCK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, CHUNK - BLOCK, 1));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, CHUNK + BLOCK - 1, 1));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, CHUNK + BLOCK, CHUNK - BLOCK));
	KUNIT_EXPECT_EQ(test, counted(f, invalidations), 1);
}

/* Before, while and after its bytes are written to the file: they are not entered. */
static void writes_in_between(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 generation = cdrive_volume_read(f->volume, 0, CHUNK);

	cdrive_volume_write(f->volume, BLOCK, 1);
	KUNIT_EXPECT_EQ(test, cdrive_volume_fill(f->volume, 0, CHUNK, generation, f->extents), 0);
	KUNIT_EXPECT_EQ(test, counted(f, skipped), 1);

	KUNIT_EXPECT_EQ(test, begin(f, 0, CHUNK, &generation), 1);
	cdrive_volume_write(f->volume, BLOCK, 1);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[0], true);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 0, BLOCK));

	/* The end of a write counts, too. */
	KUNIT_EXPECT_EQ(test, begin(f, 0, CHUNK, &generation), 1);
	cdrive_volume_written(f->volume, BLOCK, 1, 0);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[0], true);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 0, BLOCK));

	/* And one elsewhere does not; nor is anything there if it could not be written. */
	KUNIT_EXPECT_EQ(test, begin(f, 0, CHUNK, &generation), 1);
	cdrive_volume_write(f->volume, CHUNK, CHUNK);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[0], false);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 0, BLOCK));
	KUNIT_EXPECT_EQ(test, begin(f, 0, CHUNK, &generation), 1);
	test_enter(f->volume, 0, CHUNK, generation, &f->extents[0], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, CHUNK));
}

/* What was written is entered anew, unless it was not alone. */
static void written_anew(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 first, second, generation;

	test_fill(f->volume, 0, CHUNK);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_write(f->volume, 0, BLOCK));
	first = cdrive_volume_read(f->volume, 0, BLOCK);
	generation = cdrive_volume_written(f->volume, 0, BLOCK, first);
	KUNIT_EXPECT_NE(test, generation, 0);
	KUNIT_EXPECT_EQ(test, cdrive_volume_fill(f->volume, 0, BLOCK, generation, f->extents), 1);
	test_enter(f->volume, 0, BLOCK, generation, &f->extents[0], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, CHUNK));

	cdrive_volume_write(f->volume, 0, BLOCK);
	first = cdrive_volume_read(f->volume, 0, BLOCK);
	cdrive_volume_write(f->volume, 1, 1);
	second = cdrive_volume_read(f->volume, 1, 1);
	KUNIT_EXPECT_EQ(test, cdrive_volume_written(f->volume, 0, BLOCK, first), 0);
	KUNIT_EXPECT_EQ(test, cdrive_volume_written(f->volume, 1, 1, second), 0);
	KUNIT_EXPECT_EQ(test, cdrive_volume_fill(f->volume, 0, BLOCK, 0, f->extents), 0);
}

static void large_discards(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 i;

	/* On both sides of regions' bounds, and within. */
	for (i = 0; i < 4; i++)
		test_fill(f->volume, i * REGION, CHUNK);
	for (i = 1; i < 4; i++)
		test_fill(f->volume, i * REGION - 2 * CHUNK, 2 * CHUNK);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_write(f->volume, REGION - CHUNK,
						    REGION + 2 * CHUNK));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, CHUNK));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, REGION - 2 * CHUNK, CHUNK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, REGION - CHUNK, CHUNK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, REGION, CHUNK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 2 * REGION - 2 * CHUNK, CHUNK));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 2 * REGION, CHUNK));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 3 * REGION - 2 * CHUNK, 3 * CHUNK));
	/* To the end, which is in a region that is not whole. */
	test_fill(f->volume, SECTORS - 13, 13);
	cdrive_volume_write(f->volume, 3 * REGION, SECTORS - 3 * REGION);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, SECTORS - 13, 13));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 3 * REGION, CHUNK));
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, REGION, CHUNK), 1);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, REGION, CHUNK));
}

/* A slot that nobody looked at since its epoch was current before. */
static void epoch_comes_round(struct kunit *test)
{
	struct fixture *f = test->priv;

	test_fill(f->volume, REGION, CHUNK);
	f->volume->generations.epochs[1] = U32_MAX;
	cdrive_volume_write(f->volume, REGION, REGION);
	KUNIT_EXPECT_EQ(test, f->volume->generations.epochs[1], 0);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, REGION, CHUNK));
}

/* --- pinned and busy ---------------------------------------------------------------- */

/* A block that is read is not written to until then, whatever becomes of it. */
static void pinned_blocks(struct kunit *test)
{
	struct fixture *f = test->priv;
	u32 crc = test_crc(2);
	u64 generation;

	test_fill(f->volume, 0, 4 * BLOCK);
	KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volume, 2 * BLOCK, BLOCK));
	KUNIT_ASSERT_EQ(test, cdrive_volume_locate(f->volume, 2 * BLOCK, BLOCK, f->extents), 1);
	cdrive_volume_write(f->volume, 0, 4 * BLOCK);
	/* It is what the reader expects, still. */
	KUNIT_EXPECT_TRUE(test, cdrive_volume_verify(f->volume, &f->extents[0], &crc));
	KUNIT_EXPECT_EQ(test, begin(f, 0, 4 * BLOCK, &generation), 0);
	/* What was not there may be. */
	KUNIT_EXPECT_EQ(test, begin(f, 8 * BLOCK, BLOCK, &generation), 1);
	test_enter(f->volume, 8 * BLOCK, BLOCK, generation, &f->extents[0], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 8 * BLOCK, BLOCK));
	cdrive_volume_unpin(f->volume, 2 * BLOCK, BLOCK);
	KUNIT_EXPECT_EQ(test, begin(f, 0, 4 * BLOCK, &generation), 1);
	test_enter(f->volume, 0, 4 * BLOCK, generation, &f->extents[0], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 0, 4 * BLOCK));
}

/* A part of a block that is read is not replaced by more of it. */
static void pinned_parts(struct kunit *test)
{
	struct fixture *f = test->priv;

	test_fill(f->volume, 2, 2);
	KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volume, 2, 1));
	KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volume, 3, 1));
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 0, 8), 0);
	cdrive_volume_unpin(f->volume, 2, 1);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 0, 8), 0);
	cdrive_volume_unpin(f->volume, 3, 1);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 0, 8), 1);
}

static void busy_blocks(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_extent busy;
	u64 first, second;

	KUNIT_ASSERT_EQ(test, begin(f, 4 * BLOCK, BLOCK, &first), 1);
	busy = f->extents[0];
	KUNIT_EXPECT_EQ(test, begin(f, 4 * BLOCK, BLOCK, &second), 0);
	KUNIT_EXPECT_EQ(test, begin(f, 3 * BLOCK, 3 * BLOCK, &second), 2);
	test_enter(f->volume, 3 * BLOCK, 3 * BLOCK, second, &f->extents[0], true);
	test_enter(f->volume, 3 * BLOCK, 3 * BLOCK, second, &f->extents[1], true);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 3 * BLOCK, 3 * BLOCK));
	test_enter(f->volume, 4 * BLOCK, BLOCK, first, &busy, true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 3 * BLOCK, 3 * BLOCK));
}

/* More than there is room for: some chunks are left out, and none that is in use goes. */
static void all_in_use(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 generation;
	u32 n, i;

	test_fill(f->volume, 0, 40 * CHUNK);
	KUNIT_ASSERT_TRUE(test, cdrive_volume_hit(f->volume, 0, 40 * CHUNK));
	n = begin(f, 100 * CHUNK, 60 * CHUNK, &generation);
	KUNIT_EXPECT_EQ(test, n, SLOTS - 40);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 200 * CHUNK, CHUNK), 0);
	for (i = 0; i < n; i++)
		test_enter(f->volume, 100 * CHUNK, 60 * CHUNK, generation, &f->extents[i], true);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 100 * CHUNK, 24 * CHUNK));
	cdrive_volume_unpin(f->volume, 0, 40 * CHUNK);
	KUNIT_EXPECT_EQ(test, test_fill(f->volume, 200 * CHUNK, CHUNK), 1);
	KUNIT_EXPECT_EQ(test, counted(f, evictions), 1);
}

static void events(struct kunit *test)
{
	struct fixture *f = test->priv;
	u64 sector;

	cdrive_volume_note(f->volume, CDRIVE_VOLUME_SKIPPED);
	cdrive_volume_note(f->volume, CDRIVE_VOLUME_IO_ERROR);
	cdrive_volume_note(f->volume, CDRIVE_VOLUME_IO_ERROR);
	cdrive_volume_note(f->volume, CDRIVE_VOLUME_CHECKSUM_ERROR);
	KUNIT_EXPECT_EQ(test, counted(f, skipped), 1);
	KUNIT_EXPECT_EQ(test, counted(f, io_errors), 2);
	KUNIT_EXPECT_EQ(test, counted(f, checksum_errors), 1);
	for (sector = 0; sector < 2 * CDRIVE_LONG_RUN; sector += 8192)
		cdrive_volume_is_run(f->volume, sector, 8192);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_is_run(f->volume, sector, 8192));
	cdrive_volume_set_fill_runs(f->volume, true);
	KUNIT_EXPECT_FALSE(test, cdrive_volume_is_run(f->volume, sector + 8192, 8192));
	cdrive_volume_set_fill_runs(f->volume, false);
	KUNIT_EXPECT_TRUE(test, cdrive_volume_is_run(f->volume, sector + 16384, 8192));
}

/* --- what is kept ------------------------------------------------------------------- */

static struct cdrive_cache_entry *export(struct kunit *test, u64 *cursor, int *n)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_entry *entries = kunit_kcalloc(test, SLOTS, sizeof(*entries),
							   GFP_KERNEL);
	int more;

	KUNIT_ASSERT_NOT_NULL(test, entries);
	*cursor = 0;
	*n = 0;
	do {
		more = cdrive_volume_export(f->volume, cursor, entries + *n, 7);
		KUNIT_ASSERT_GE(test, more, 0);
		*n += more;
	} while (more);
	return entries;
}

static void kept(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_entry *entries;
	u64 cursor;
	int n, i;

	test_fill_chunks(f->volume, 0, 50);
	test_fill(f->volume, SECTORS - 5, 5);
	test_fill(f->volume, REGION, CHUNK);
	cdrive_volume_write(f->volume, 3 * CHUNK, CHUNK);
	cdrive_volume_write(f->volume, REGION, REGION);
	test_has(f->volume, 49 * CHUNK, CHUNK);
	entries = export(test, &cursor, &n);
	KUNIT_ASSERT_EQ(test, n, 50);
	/* It says where it was. */
	test_fill(f->volume, 3 * CHUNK, CHUNK);
	KUNIT_EXPECT_EQ(test, cdrive_volume_export(f->volume, &cursor, entries, 1), -EAGAIN);

	cdrive_volume_free(f->volume);
	f->volume = cdrive_volume_new(f->pool, "x", SECTORS);
	KUNIT_ASSERT_NOT_NULL(test, f->volume);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &entries[i]), 0);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volume, 0, 50), 49);
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 3 * CHUNK, 1));
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, SECTORS - 5, 5));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, SECTORS - 6, 1));
	KUNIT_EXPECT_EQ(test, counted(f, used), 50ULL * CDRIVE_CACHE_SLOT);
	/* The others are handed out, and none of these. */
	test_fill_chunks(f->volume, 100, SLOTS - 50);
	KUNIT_EXPECT_EQ(test, test_count_chunks(f->volume, 0, 50), 49);
}

static void not_imported(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct cdrive_cache_entry entry = { .slot = 3, .chunk = 5, .sectors = { 1 } };
	struct cdrive_cache_entry other = entry;

	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &entry), 0);
	KUNIT_EXPECT_TRUE(test, test_has(f->volume, 5 * CHUNK, 1));
	KUNIT_EXPECT_FALSE(test, test_has(f->volume, 5 * CHUNK + 1, 1));
	/* Taken: the slot, the chunk. */
	other.chunk = 6;
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
	other = entry;
	other.slot = 4;
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
	KUNIT_EXPECT_EQ(test, counted(f, used), CDRIVE_CACHE_SLOT);
	/* Out of bounds: slot, chunk, sectors of the last block; nothing there. */
	other = (struct cdrive_cache_entry) { .slot = SLOTS, .chunk = 6, .sectors = { 1 } };
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
	other = (struct cdrive_cache_entry) { .slot = 7, .chunk = U32_MAX, .sectors = { 1 } };
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
	other = (struct cdrive_cache_entry) {
		.slot = 7,
		.chunk = SECTORS / CHUNK,
		.sectors = { 0xff, 0x20 },
	};
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
	other.sectors[1] = 0x1f;
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), 0);
	other = (struct cdrive_cache_entry) { .slot = 8, .chunk = 9 };
	KUNIT_EXPECT_EQ(test, cdrive_volume_import(f->volume, &other), -EINVAL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(name_and_size),
	KUNIT_CASE(large_drives),
	KUNIT_CASE(filled_and_hit),
	KUNIT_CASE(parts_of_blocks),
	KUNIT_CASE(holes_are_filled),
	KUNIT_CASE(many_holes),
	KUNIT_CASE(writes_drop),
	KUNIT_CASE(writes_in_between),
	KUNIT_CASE(written_anew),
	KUNIT_CASE(large_discards),
	KUNIT_CASE(epoch_comes_round),
	KUNIT_CASE(pinned_blocks),
	KUNIT_CASE(pinned_parts),
	KUNIT_CASE(busy_blocks),
	KUNIT_CASE(all_in_use),
	KUNIT_CASE(events),
	KUNIT_CASE(kept),
	KUNIT_CASE(not_imported),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_cache_map",
	.init = init,
	.exit = end,
	.test_cases = cases,
};

kunit_test_suite(suite);
