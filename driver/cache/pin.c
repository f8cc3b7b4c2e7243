// SPDX-License-Identifier: GPL-2.0-only
/* Hits: slots that are pinned while they are read. */
#include <linux/blk_types.h>

#include "internal.h"

static bool cdrive_volume_has(struct cdrive_volume *volume, const struct cdrive_piece *piece)
{
	u32 i = cdrive_volume_find(volume, piece->chunk);
	struct cdrive_cache_slot *slot;
	unsigned int block;

	if (i == CDRIVE_NO_SLOT)
		return false;
	slot = cdrive_volume_slot(volume, i);
	for (block = piece->block; block < piece->block + piece->blocks; block++)
		if (cdrive_piece_sectors(piece, block) & ~slot->sectors[block])
			return false;
	return true;
}

static bool cdrive_volume_has_all(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	struct cdrive_piece piece;

	while (cdrive_piece_next(&piece, &sector, &sectors))
		if (!cdrive_volume_has(volume, &piece))
			return false;
	return true;
}

bool cdrive_volume_hit(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	u64 bytes = (u64)sectors << SECTOR_SHIFT;
	struct cdrive_piece piece;
	bool hit;

	spin_lock(&volume->lock);
	volume->counters.lookups++;
	hit = cdrive_volume_has_all(volume, sector, sectors);
	if (hit) {
		volume->counters.hits++;
		volume->counters.hit_bytes += bytes;
		while (cdrive_piece_next(&piece, &sector, &sectors)) {
			u32 i = cdrive_volume_find(volume, piece.chunk);
			struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

			slot->pins++;
			slot->hit = true;
		}
	}
	spin_unlock(&volume->lock);
	return hit;
}

unsigned int cdrive_volume_locate(struct cdrive_volume *volume, u64 sector, u32 sectors,
				  struct cdrive_extent *extents)
{
	struct cdrive_piece piece;
	unsigned int n = 0;

	spin_lock(&volume->lock);
	for (; cdrive_piece_next(&piece, &sector, &sectors); n++)
		extents[n] = (struct cdrive_extent) {
			.slot = cdrive_chunks_find(&volume->chunks, &volume->pool->slots,
						   piece.chunk),
			.chunk = piece.chunk,
			.block = piece.block,
			.blocks = piece.blocks,
		};
	spin_unlock(&volume->lock);
	return n;
}

bool cdrive_volume_verify(struct cdrive_volume *volume, const struct cdrive_extent *extent,
			  const u32 *crc)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, extent->slot);
	bool good = true;
	unsigned int i;

	spin_lock(&volume->lock);
	for (i = 0; i < extent->blocks; i++)
		good &= slot->crc[extent->block + i] == crc[i];
	spin_unlock(&volume->lock);
	return good;
}

void cdrive_volume_drop(struct cdrive_volume *volume, const struct cdrive_extent *extent)
{
	spin_lock(&volume->lock);
	cdrive_volume_forget(volume, extent->slot, cdrive_block_mask(extent->block,
								     extent->blocks));
	cdrive_volume_settle(volume, extent->slot);
	spin_unlock(&volume->lock);
}

void cdrive_volume_unpin(struct cdrive_volume *volume, u64 sector, u32 sectors)
{
	struct cdrive_piece piece;

	spin_lock(&volume->lock);
	while (cdrive_piece_next(&piece, &sector, &sectors)) {
		u32 i = cdrive_chunks_find(&volume->chunks, &volume->pool->slots, piece.chunk);
		struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

		if (--slot->pins)
			continue;
		slot->held = 0;
		cdrive_volume_settle(volume, i);
	}
	spin_unlock(&volume->lock);
}
