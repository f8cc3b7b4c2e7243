// SPDX-License-Identifier: GPL-2.0-only
/* What was read or written comes into the cache. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "internal.h"

void cdrive_volume_grow(struct cdrive_volume *volume)
{
	u32 heads, ghosts;
	u32 *table, *old;

	spin_lock(&volume->lock);
	heads = cdrive_chunks_wants(&volume->chunks);
	ghosts = cdrive_policy_wants_ghosts(&volume->policy);
	spin_unlock(&volume->lock);

	table = heads ? kvcalloc(heads, sizeof(*table), CDRIVE_GFP_TRY) : NULL;
	if (table) {
		bool added;

		spin_lock(&volume->lock);
		added = cdrive_chunks_add_table(&volume->chunks, table, heads);
		spin_unlock(&volume->lock);
		if (added)
			atomic_long_add(heads * sizeof(*table), &volume->pool->bytes);
		else
			kvfree(table);
	}
	table = ghosts ? kvcalloc(ghosts, sizeof(*table), CDRIVE_GFP_TRY) : NULL;
	if (table) {
		u32 before;

		spin_lock(&volume->lock);
		before = volume->policy.ghosts.size;
		old = cdrive_policy_set_ghosts(&volume->policy, table, ghosts);
		if (old != table)
			atomic_long_add((ghosts - before) * sizeof(*table), &volume->pool->bytes);
		spin_unlock(&volume->lock);
		kvfree(old);
	}
}

/* How many slots a range needs more. */
static unsigned int cdrive_volume_lacks(struct cdrive_volume *volume, u64 sector, u32 sectors,
					u64 generation)
{
	struct cdrive_piece piece;
	unsigned int n = 0;

	spin_lock(&volume->lock);
	if (cdrive_generation(&volume->generations, sector, sectors) == generation)
		while (cdrive_piece_next(&piece, &sector, &sectors))
			n += cdrive_volume_find(volume, piece.chunk) == CDRIVE_NO_SLOT;
	spin_unlock(&volume->lock);
	return n;
}

bool cdrive_volume_attach(struct cdrive_volume *volume, u32 chunk, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);

	if (!cdrive_pool_attach(volume->pool, volume, i))
		return false;
	slot->chunk = chunk;
	slot->epoch = cdrive_epoch(&volume->generations, chunk);
	slot->queue = CDRIVE_QUEUE_NONE;
	cdrive_chunks_add(&volume->chunks, &volume->pool->slots, i);
	volume->changes++;
	return true;
}

/* Which blocks of a piece are worth to be written to its slot. */
static u16 cdrive_volume_wanted(const struct cdrive_cache_slot *slot,
				const struct cdrive_piece *piece)
{
	unsigned int block;
	u16 wanted = 0;

	for (block = piece->block; block < piece->block + piece->blocks; block++) {
		u8 there = slot->sectors[block];
		u8 sectors = cdrive_piece_sectors(piece, block);

		/* Not what is there already, or more of it; nor what is being read. */
		if (there && (there == sectors || there & ~sectors || slot->pins))
			continue;
		wanted |= 1 << block;
	}
	return wanted & ~slot->busy & ~slot->held;
}

/* Extents for these blocks, which are busy then; how many. */
static unsigned int cdrive_volume_begin(struct cdrive_volume *volume, u32 i, u16 wanted,
					struct cdrive_extent *extents, unsigned int room)
{
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, i);
	unsigned int n = 0, block = 0;

	while (wanted >> block && n < room) {
		unsigned int blocks = 0;

		while (!(wanted & 1 << block))
			block++;
		while (wanted & 1 << (block + blocks))
			blocks++;
		extents[n++] = (struct cdrive_extent) {
			.slot = i,
			.chunk = slot->chunk,
			.block = block,
			.blocks = blocks,
		};
		cdrive_volume_forget(volume, i, cdrive_block_mask(block, blocks));
		slot->busy |= cdrive_block_mask(block, blocks);
		block += blocks;
	}
	return n;
}

/* Slots on their way that are left over are given back; the first of them is @taken. */
struct cdrive_supply {
	const u32 *taken;
	unsigned int n;
};

static u32 cdrive_volume_slot_for(struct cdrive_volume *volume, u32 chunk,
				  struct cdrive_supply *supply)
{
	u32 i = cdrive_volume_find(volume, chunk);

	while (i == CDRIVE_NO_SLOT && supply->n) {
		if (cdrive_volume_attach(volume, chunk, *supply->taken)) {
			i = *supply->taken;
			cdrive_policy_add(&volume->policy, &volume->pool->slots, i);
		}
		supply->taken++;
		supply->n--;
	}
	return i;
}

static unsigned int cdrive_volume_begin_all(struct cdrive_volume *volume, u64 sector, u32 sectors,
					    struct cdrive_supply *supply,
					    struct cdrive_extent *extents)
{
	struct cdrive_piece piece;
	unsigned int n = 0;

	while (n < CDRIVE_MAX_EXTENTS && cdrive_piece_next(&piece, &sector, &sectors)) {
		u32 i = cdrive_volume_slot_for(volume, piece.chunk, supply);
		u16 wanted;

		if (i == CDRIVE_NO_SLOT || i >= READ_ONCE(volume->pool->size))
			continue;
		wanted = cdrive_volume_wanted(cdrive_volume_slot(volume, i), &piece);
		n += cdrive_volume_begin(volume, i, wanted, extents + n, CDRIVE_MAX_EXTENTS - n);
		cdrive_volume_settle(volume, i);
	}
	return n;
}

unsigned int cdrive_volume_fill(struct cdrive_volume *volume, u64 sector, u32 sectors,
				u64 generation, struct cdrive_extent *extents)
{
	u32 taken[CDRIVE_MAX_EXTENTS];
	struct cdrive_supply supply = { .taken = taken };
	unsigned int n = 0;

	cdrive_volume_grow(volume);
	supply.n = cdrive_volume_lacks(volume, sector, sectors, generation);
	supply.n = cdrive_pool_take(volume->pool, volume, taken, supply.n);

	spin_lock(&volume->lock);
	if (cdrive_generation(&volume->generations, sector, sectors) == generation)
		n = cdrive_volume_begin_all(volume, sector, sectors, &supply, extents);
	if (n)
		volume->counters.fills++;
	else
		volume->counters.skipped++;
	for (; supply.n; supply.n--)
		cdrive_pool_release(volume->pool, volume, *supply.taken++);
	spin_unlock(&volume->lock);
	return n;
}

/* The piece of a range that is in a chunk. */
static struct cdrive_piece cdrive_piece_of(u64 sector, u32 sectors, u32 chunk)
{
	u64 begin = max(sector, (u64)chunk * CDRIVE_CHUNK_SECTORS);
	u32 length = sector + sectors - begin;
	struct cdrive_piece piece;

	cdrive_piece_next(&piece, &begin, &length);
	return piece;
}

void cdrive_volume_enter(struct cdrive_volume *volume, u64 sector, u32 sectors,
			 u64 generation, const struct cdrive_extent *extent,
			 const u32 *crc, bool ok)
{
	struct cdrive_piece piece = cdrive_piece_of(sector, sectors, extent->chunk);
	struct cdrive_cache_slot *slot = cdrive_volume_slot(volume, extent->slot);
	unsigned int i;

	spin_lock(&volume->lock);
	if (ok)
		slot->written = true;
	slot->busy &= ~cdrive_block_mask(extent->block, extent->blocks);
	if (ok && extent->slot < READ_ONCE(volume->pool->size) &&
	    cdrive_generation(&volume->generations, sector, sectors) == generation) {
		for (i = extent->block; i < extent->block + extent->blocks; i++) {
			slot->sectors[i] = cdrive_piece_sectors(&piece, i);
			slot->crc[i] = crc[i - extent->block];
		}
		volume->changes++;
	}
	cdrive_volume_settle(volume, extent->slot);
	spin_unlock(&volume->lock);
}
