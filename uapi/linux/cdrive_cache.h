/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The cache of a machine's drives
 * ===============================
 *
 * Reads are cached in a regular file or on a block device: one cache for all drives
 * of the machine.  The driver fills it, keeps the map of it in memory, and serves
 * hits itself.  User space chooses the file and the limits, and keeps the map
 * when no drive is there (see "Warm").
 *
 * The file consists of a header, CDRIVE_CACHE_HEADER bytes that are user space's, and
 * of slots of CDRIVE_CACHE_SLOT bytes.  A slot holds a chunk of a drive: that many
 * bytes, at a multiple of as many.  Of each of its blocks of CDRIVE_CACHE_BLOCK bytes
 * it is known which sectors are there, and the CRC32C of the block as it was written,
 * with zeroes where sectors are not there.  What doesn't match is not there.
 *
 * Control goes by ioctl(2) on /dev/cdrive-cache, which needs CAP_SYS_ADMIN to be
 * opened; errors are those of ioctl(2), and a message in the kernel's log says what was
 * wrong with the file.
 *
 * CDRIVE_CACHE_OPEN: the file is the cache from now on.  It must be open for reading
 * and writing with O_DIRECT, on a file system or device that can do that, and not on
 * a drive of this driver, however far below.  -EBUSY: there is one.  Drives that are
 * attached get their parts of it at once.
 * CDRIVE_CACHE_CLOSE: there is none any more: hits under way end, drives go on without,
 * and what was kept for drives that are gone is forgotten.  -ENOENT: there was none.
 * CDRIVE_CACHE_RESIZE: so many slots; what is in slots beyond is dropped.
 * CDRIVE_CACHE_GET: sizes and state.
 * CDRIVE_CACHE_RESERVE: how much one drive may have (see "Volumes").
 * CDRIVE_CACHE_FILL_RUNS: long runs of reads of that drive are cached, too, until this
 * open file is closed.
 *
 * Volumes
 * -------
 *
 * What is cached of one drive is a volume, named as the drive is (CDRIVE_A_NAME).
 * A drive without a name has none.  CDRIVE_CMD_ATTACH says how much of the cache is
 * reserved for it (CDRIVE_A_CACHE_SIZE, bytes; 0: it gets none of it); without the
 * attribute it shares what nobody has reserved: each that shares has an equal
 * part, and may use what the others leave.  -ENOSPC: more would be reserved than there
 * is.
 *
 * Warm
 * ----
 *
 * A volume outlives its drive if the drive's helper has said what proves later on that
 * nobody has written to the blob since: a validator, a string (an entity tag, say)
 * that means nothing to the driver.  CDRIVE_PAYLOAD_VALIDATOR keeps it with the
 * volume; a write that arrives after that drops it.  Who attaches a drive of the same
 * name and says the validator (CDRIVE_A_CACHE_VALIDATOR), as it has proven it, gets
 * the volume as it is; else it begins empty.  CDRIVE_CACHE_VOLUME tells the validator
 * of a volume without drive.
 *
 * CDRIVE_CACHE_EXPORT reads the map of a volume that has no drive but a validator, in
 * pieces; CDRIVE_CACHE_IMPORT makes such a volume of what was read, in a cache of the
 * same content.  To be read in pieces by one at a time: -EAGAIN: it has changed
 * since the first piece.
 */
#ifndef _UAPI_LINUX_CDRIVE_CACHE_H
#define _UAPI_LINUX_CDRIVE_CACHE_H

#include <linux/cdrive.h>
#include <linux/ioctl.h>
#include <linux/types.h>

#define CDRIVE_CACHE_NAME	"cdrive-cache"

#define CDRIVE_CACHE_HEADER	1048576		/* bytes */
#define CDRIVE_CACHE_SLOT	65536		/* bytes */
#define CDRIVE_CACHE_BLOCK	4096		/* bytes */
#define CDRIVE_CACHE_BLOCKS	(CDRIVE_CACHE_SLOT / CDRIVE_CACHE_BLOCK)
#define CDRIVE_CACHE_MIN_SLOTS	256		/* 16 MiB */
#define CDRIVE_CACHE_MAX_SLOTS	33554432	/* 2 TiB */
#define CDRIVE_CACHE_SHARED	(~0ULL)		/* of a reservation: none */

enum cdrive_cache_state {
	CDRIVE_CACHE_NONE,	/* no file */
	CDRIVE_CACHE_ON,
	CDRIVE_CACHE_FAILED,	/* too many errors: not used any more */
};

/**
 * struct cdrive_cache_open - CDRIVE_CACHE_OPEN, CDRIVE_CACHE_RESIZE
 * @fd: the file; not of RESIZE
 * @slots: how many it may have, whether they are there yet or not
 */
struct cdrive_cache_open {
	__s32 fd;
	__u32 slots;
};

/**
 * struct cdrive_cache_info - CDRIVE_CACHE_GET
 * @state: enum cdrive_cache_state
 * @slots: what it may have
 * @used: slots that hold something
 * @reserved: slots that drives have reserved
 * @index_bytes: memory of the map, as it is now
 * @errors: of the file, since it was opened
 * @volumes: of drives, and kept for them
 */
struct cdrive_cache_info {
	__u32 state;
	__u32 slots;
	__u32 used;
	__u32 reserved;
	__u64 index_bytes;
	__u64 errors;
	__u32 volumes;
	__u32 pad;
};

/**
 * struct cdrive_cache_reserve - CDRIVE_CACHE_RESERVE, CDRIVE_CACHE_FILL_RUNS
 * @index: the drive's
 * @pad: 0
 * @size: bytes, or CDRIVE_CACHE_SHARED; not of FILL_RUNS
 */
struct cdrive_cache_reserve {
	__u32 index;
	__u32 pad;
	__u64 size;
};

/**
 * struct cdrive_cache_counters - CDRIVE_A_CACHE_COUNTERS, of one drive
 * @size: bytes that it may have: reserved, or its part
 * @used: bytes of slots that are its
 * @lookups: reads that were looked up
 * @hits: of these, served from the cache
 * @hit_bytes: bytes of those
 * @fills: reads and writes that were entered
 * @skipped: that were not: room, load, a write in between, a long run
 * @evictions: slots that were given up for others
 * @invalidations: writes and discards that dropped something
 * @checksum_errors: blocks that were not what had been written
 * @io_errors: reads and writes of the file that failed
 * @bypassed: hits that were not taken, as the file was slower than the service
 * @flags: enum cdrive_cache_flags
 */
struct cdrive_cache_counters {
	__u64 size;
	__u64 used;
	__u64 lookups;
	__u64 hits;
	__u64 hit_bytes;
	__u64 fills;
	__u64 skipped;
	__u64 evictions;
	__u64 invalidations;
	__u64 checksum_errors;
	__u64 io_errors;
	__u64 bypassed;
	__u64 flags;
};

enum cdrive_cache_flags {
	CDRIVE_CACHE_F_RESERVED	= 1 << 0,	/* its size is reserved */
	CDRIVE_CACHE_F_WARM	= 1 << 1,	/* it began with what was kept */
};

/**
 * struct cdrive_cache_entry - what one slot holds
 * @slot: its number
 * @chunk: of the drive, in units of CDRIVE_CACHE_SLOT bytes
 * @sectors: of each block, which are there: bit 0 is the first
 * @crc: of each block, if a sector of it is there
 */
struct cdrive_cache_entry {
	__u32 slot;
	__u32 chunk;
	__u8 sectors[CDRIVE_CACHE_BLOCKS];
	__u32 crc[CDRIVE_CACHE_BLOCKS];
};

/**
 * struct cdrive_cache_volume_info - VOLUME, EXPORT, IMPORT
 * @number: VOLUME: which, from 0 on, of those without drive: -ENOENT after the last;
 *	CDRIVE_CACHE_BY_NAME: the one of @name.  Told by VOLUME otherwise
 * @count: entries that @entries has room for (EXPORT) or brings (IMPORT); what was read
 * @cursor: EXPORT: 0 to begin with, then as it was given back; the last piece has a
 *	@count of 0.  IMPORT: 0 makes the volume, else the same volume gets more
 * @sectors: size of the drive
 * @entries: points to struct cdrive_cache_entry[]
 * @name: of the drive
 * @validator: of the volume
 */
struct cdrive_cache_volume_info {
	__u32 number;
	__u32 count;
	__u64 cursor;
	__u64 sectors;
	__u64 entries;
	__u8 name[CDRIVE_MAX_NAME + 1];
	__u8 validator[CDRIVE_MAX_VALIDATOR + 1];
};

#define CDRIVE_CACHE_BY_NAME	(~0U)

#define CDRIVE_CACHE_OPEN	_IOW(0xCD, 0xD0, struct cdrive_cache_open)
#define CDRIVE_CACHE_CLOSE	_IO(0xCD, 0xD1)
#define CDRIVE_CACHE_RESIZE	_IOW(0xCD, 0xD2, struct cdrive_cache_open)
#define CDRIVE_CACHE_GET	_IOR(0xCD, 0xD3, struct cdrive_cache_info)
#define CDRIVE_CACHE_RESERVE	_IOW(0xCD, 0xD4, struct cdrive_cache_reserve)
#define CDRIVE_CACHE_FILL_RUNS	_IOW(0xCD, 0xD5, struct cdrive_cache_reserve)
#define CDRIVE_CACHE_VOLUME	_IOWR(0xCD, 0xD6, struct cdrive_cache_volume_info)
#define CDRIVE_CACHE_EXPORT	_IOWR(0xCD, 0xD7, struct cdrive_cache_volume_info)
#define CDRIVE_CACHE_IMPORT	_IOWR(0xCD, 0xD8, struct cdrive_cache_volume_info)

#endif /* _UAPI_LINUX_CDRIVE_CACHE_H */
