// SPDX-License-Identifier: GPL-2.0-only
#include "generation.h"

#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

bool cdrive_generation_init(struct cdrive_generations *generations, u64 sectors)
{
	generations->blocks = DIV_ROUND_UP_ULL(sectors, CDRIVE_BLOCK_SECTORS);
	generations->regions = DIV_ROUND_UP_ULL(generations->blocks, CDRIVE_REGION_BLOCKS);
	generations->epochs = kvcalloc(generations->regions, sizeof(u32), GFP_KERNEL);
	return generations->epochs;
}

void cdrive_generation_free(struct cdrive_generations *generations)
{
	kvfree(generations->epochs);
}

static struct cdrive_blocks cdrive_blocks(u64 sector, u32 sectors)
{
	return (struct cdrive_blocks) {
		.begin = sector / CDRIVE_BLOCK_SECTORS,
		.end = DIV_ROUND_UP_ULL(sector + sectors, CDRIVE_BLOCK_SECTORS),
	};
}

u64 cdrive_generation(const struct cdrive_generations *generations, u64 sector, u32 sectors)
{
	struct cdrive_blocks blocks = cdrive_blocks(sector, sectors);
	u64 n = min_t(u64, blocks.end - blocks.begin, CDRIVE_GENERATIONS);
	u32 region = blocks.begin / CDRIVE_REGION_BLOCKS;
	u32 last = (blocks.end - 1) / CDRIVE_REGION_BLOCKS;
	u64 sum = generations->base + 1, i;

	for (i = 0; i < n; i++)
		sum += generations->counters[(blocks.begin + i) % CDRIVE_GENERATIONS];
	for (; region <= last; region++)
		sum += generations->epochs[region];
	return sum;
}

struct cdrive_range cdrive_generation_range(const struct cdrive_generations *generations,
					    u64 sector, u32 sectors)
{
	struct cdrive_blocks all = cdrive_blocks(sector, sectors);
	u32 region = DIV_ROUND_UP_ULL(all.begin, CDRIVE_REGION_BLOCKS);
	/* The last region ends where the drive does. */
	u32 end = all.end == generations->blocks ? generations->regions :
						   all.end / CDRIVE_REGION_BLOCKS;
	struct cdrive_range range = { .head = all, .tail = { all.end, all.end } };

	if (region < end) {
		range.region = region;
		range.regions = end - region;
		range.head.end = (u64)region * CDRIVE_REGION_BLOCKS;
		range.tail.begin = min((u64)end * CDRIVE_REGION_BLOCKS, all.end);
	}
	return range;
}

void cdrive_generation_raise(struct cdrive_generations *generations, struct cdrive_blocks blocks)
{
	u64 n = min_t(u64, blocks.end - blocks.begin, CDRIVE_GENERATIONS);
	u64 i;

	for (i = 0; i < n; i++)
		generations->counters[(blocks.begin + i) % CDRIVE_GENERATIONS]++;
}

bool cdrive_generation_raise_region(struct cdrive_generations *generations, u32 region)
{
	if (++generations->epochs[region])
		return false;
	generations->base += 1ULL << 32;
	return true;
}
