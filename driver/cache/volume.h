/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * volume.h - what is cached of one drive: the map
 *
 * A volume maps chunks of its drive to slots of the pool (see pool.h), and knows which
 * sectors of each block are there, and the block's checksum.  It has a lock of its own,
 * below the drive's lock; none but the pool's is below it.  All is for process context.
 * Nothing here does I/O; what may sleep says so.
 *
 * What keeps it from being stale are generations (see generation.h):
 *
 *	a read arrives		its range's generation is noted: cdrive_volume_read()
 *	a write arrives		blocks that it touches are dropped, the generation raised:
 *				cdrive_volume_write()
 *	a write ends		the same again, before anybody is told that it ended:
 *				cdrive_volume_written().  Bytes read meanwhile may be old
 *	bytes are there		cdrive_volume_fill() gives slots to write them to, if the
 *				generation is still the one noted
 *	they were written	cdrive_volume_enter() enters them, if it still is
 *
 * "A write" is whatever changes the blob: writes, discards, writing of zeroes; and one
 * that failed, as it may have been carried out in part.
 *
 * A hit pins the slots that it reads: a pinned slot stays its chunk's, even when
 * all of its blocks are dropped.  A block that is being written is busy: nobody else
 * writes to it until that write ended, so that a late one can't overwrite a newer one.
 * Whoever reads compares checksums after reading.
 */
#ifndef _CDRIVE_CACHE_VOLUME_H
#define _CDRIVE_CACHE_VOLUME_H

#include <linux/limits.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/cdrive_cache.h>

struct cdrive_pool;
struct cdrive_volume;

/* A chunk's worth of a transfer, or less: whole blocks that adjoin in one slot. */
struct cdrive_extent {
	u32 slot;
	u32 chunk;
	u16 block;		/* the first, in the slot */
	u16 blocks;
};

/* 256 TiB, as chunks have numbers of 32 bits, of which the last is none. */
#define CDRIVE_MAX_VOLUME_SECTORS	((u64)U32_MAX * (CDRIVE_CACHE_SLOT / 512))

/* The most that a transfer touches, as it need not begin at a chunk. */
#define CDRIVE_MAX_EXTENTS	(CDRIVE_MAX_TRANSFER / CDRIVE_CACHE_SLOT + 1)

/*
 * May sleep.  Empty, without drive (see cdrive_pool_set_idle()), sharing; @sectors: size of
 * the drive.  NULL: no memory, there are 253 of them, or it is too large.
 */
struct cdrive_volume *cdrive_volume_new(struct cdrive_pool *pool, const char *name,
					u64 sectors);
/* May sleep.  Gives all slots back; nothing may be pinned or busy. */
void cdrive_volume_free(struct cdrive_volume *volume);

const char *cdrive_volume_name(const struct cdrive_volume *volume);
u64 cdrive_volume_sectors(const struct cdrive_volume *volume);

/*
 * The generation of a range, never 0: of a read for cdrive_volume_fill() and _enter() later
 * on; of a write for cdrive_volume_written(), to be noted after cdrive_volume_write().
 */
u64 cdrive_volume_read(struct cdrive_volume *volume, u64 sector, u32 sectors);

/* True: something was there, so that it is worth to be entered anew. */
bool cdrive_volume_write(struct cdrive_volume *volume, u64 sector, u32 sectors);
/*
 * @generation: as noted when the write arrived.  Returns the new one, with which its own bytes may
 * be entered; 0: they must not be, as another write to the range arrived or ended
 * meanwhile, and may have been carried out before or after this one.  (_fill() gives no
 * slots for 0.)
 */
u64 cdrive_volume_written(struct cdrive_volume *volume, u64 sector, u32 sectors, u64 generation);

/*
 * True: all of the range is there, and its slots are pinned until
 * cdrive_volume_unpin().  Counts a lookup, and the hit.
 */
bool cdrive_volume_hit(struct cdrive_volume *volume, u64 sector, u32 sectors);
/* Of a range that is pinned: where it is.  Returns how many there are. */
unsigned int cdrive_volume_locate(struct cdrive_volume *volume, u64 sector, u32 sectors,
				  struct cdrive_extent *extents);
/* Of blocks of a pinned slot that were read: they are what was written. */
bool cdrive_volume_verify(struct cdrive_volume *volume, const struct cdrive_extent *extent,
			  const u32 *crc);
/* They are not, or could not be read: these blocks are dropped. */
void cdrive_volume_drop(struct cdrive_volume *volume, const struct cdrive_extent *extent);
void cdrive_volume_unpin(struct cdrive_volume *volume, u64 sector, u32 sectors);

/*
 * Of every read, once, as it arrives: it continues a run of more than 4 MiB, which
 * passes by, unless cdrive_volume_set_fill_runs().
 */
bool cdrive_volume_is_run(struct cdrive_volume *volume, u64 sector, u32 sectors);
void cdrive_volume_set_fill_runs(struct cdrive_volume *volume, bool fill_runs);

/*
 * May sleep, and evict, of other volumes too.  Where to write the blocks of a range to, which are
 * busy from now on, and not there.  Returns how many extents there are, 0: none, as the
 * range has changed since @generation, as all is busy or pinned, or there is no room.
 * Chunks for which there is no room are left out, and so are blocks that are there, are being
 * read or written, or hold sectors that the range lacks.  Room is for CDRIVE_MAX_EXTENTS.
 * Counts a fill, or one that was skipped.
 */
unsigned int cdrive_volume_fill(struct cdrive_volume *volume, u64 sector, u32 sectors,
				u64 generation, struct cdrive_extent *extents);
/*
 * Those blocks were written, with these checksums: busy no more, and there, if
 * @ok and the range @sector, @sectors that they are of has not changed.  Of a block at an end of
 * that range, only its sectors in the range are there.
 */
void cdrive_volume_enter(struct cdrive_volume *volume, u64 sector, u32 sectors,
			 u64 generation, const struct cdrive_extent *extent,
			 const u32 *crc, bool ok);

enum cdrive_volume_event {
	CDRIVE_VOLUME_SKIPPED,
	CDRIVE_VOLUME_CHECKSUM_ERROR,
	CDRIVE_VOLUME_IO_ERROR,
};

/* Counts what the map doesn't see. */
void cdrive_volume_note(struct cdrive_volume *volume, enum cdrive_volume_event event);
/* All but CDRIVE_CACHE_F_WARM. */
void cdrive_volume_count(struct cdrive_volume *volume,
			 struct cdrive_cache_counters *counters);

/*
 * Of a volume without drive.  Export: up to @n entries from *@cursor on, those that are to
 * be kept longest first; how many, 0: there are no more; -EAGAIN: it has changed since the
 * first.  Import: one entry, in that order; may sleep; -EINVAL: out of bounds, or a
 * slot or chunk that is taken; -ENOMEM.
 */
int cdrive_volume_export(struct cdrive_volume *volume, u64 *cursor,
			 struct cdrive_cache_entry *entries, unsigned int n);
int cdrive_volume_import(struct cdrive_volume *volume,
			 const struct cdrive_cache_entry *entry);

#endif /* _CDRIVE_CACHE_VOLUME_H */
