/* SPDX-License-Identifier: GPL-2.0-only */
/* What tests of the cache's map share. */
#ifndef _TESTS_KUNIT_CACHE_H
#define _TESTS_KUNIT_CACHE_H

#include <kunit/test.h>

#include "cache/internal.h"

#define CHUNK		((u64)CDRIVE_CHUNK_SECTORS)
#define BLOCK		((u64)CDRIVE_BLOCK_SECTORS)
#define REGION		(CDRIVE_REGION_CHUNKS * CHUNK)

/* Of blocks that are entered: what they are does not matter. */
static inline u32 test_crc(u64 block)
{
	return cdrive_hash(block);
}

static inline void test_enter(struct cdrive_volume *volume, u64 sector, u32 sectors,
			      u64 generation, const struct cdrive_extent *extent, bool ok)
{
	u32 crc[CDRIVE_CACHE_BLOCKS];
	unsigned int i;

	for (i = 0; i < extent->blocks; i++)
		crc[i] = test_crc((u64)extent->chunk * CDRIVE_CACHE_BLOCKS + extent->block + i);
	cdrive_volume_enter(volume, sector, sectors, generation, extent, crc, ok);
}

/* A read that missed, all of it: how many extents were entered. */
static inline unsigned int test_fill(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	struct cdrive_extent *extents = kcalloc(CDRIVE_MAX_EXTENTS, sizeof(*extents), GFP_KERNEL);
	u64 generation = cdrive_volume_read(volume, sector, sectors);
	unsigned int n = cdrive_volume_fill(volume, sector, sectors, generation, extents), i;

	for (i = 0; i < n; i++)
		test_enter(volume, sector, sectors, generation, &extents[i], true);
	kfree(extents);
	return n;
}

static inline bool test_has(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	bool hit = cdrive_volume_hit(volume, sector, sectors);

	if (hit)
		cdrive_volume_unpin(volume, sector, sectors);
	return hit;
}

/* Chunks from one on, a fill for each. */
static inline void test_fill_chunks(struct cdrive_volume *volume, u32 chunk, u32 n)
{
	for (; n; n--, chunk++)
		test_fill(volume, chunk * CHUNK, CHUNK);
}

/* How many of them are there. */
static inline u32 test_count_chunks(struct cdrive_volume *volume, u32 chunk, u32 n)
{
	u32 there = 0;

	for (; n; n--, chunk++)
		there += test_has(volume, chunk * CHUNK, CHUNK);
	return there;
}

static inline struct cdrive_volume *test_volume(struct cdrive_pool *pool, u64 sectors)
{
	struct cdrive_volume *volume = cdrive_volume_new(pool, "https://a/b/c", sectors);

	if (volume)
		cdrive_pool_set_idle(pool, volume, false);
	return volume;
}

#endif
