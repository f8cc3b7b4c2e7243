/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * file.h - the cache's file, and its I/O, which is direct and asynchronous
 *
 * I/O is submitted by works that may sleep, in memalloc_noio_save(), as what it makes
 * room for may be waiting for it.
 */
#ifndef _CDRIVE_CACHE_FILE_H
#define _CDRIVE_CACHE_FILE_H

#include <linux/fs.h>
#include <linux/types.h>

#include "volume.h"

struct iov_iter;
struct page;

struct cdrive_file {
	struct file *file;
	u32 align;	/* a mask: memory and lengths that it can't do otherwise */
};

/* One read or write of it. */
struct cdrive_io {
	struct kiocb iocb;
	size_t len;
	bool write;
	void *owner;	/* the caller's */
	/* In any context, perhaps before it was submitted altogether. */
	void (*done)(struct cdrive_io *io, int err);
};

/* What adjoins both in the file and in the drive. */
struct cdrive_span {
	loff_t pos;	/* in the file */
	u32 offset;	/* in the transfer's blocks */
	u32 len;
};

/* Bytes of the file that so many slots need. */
static inline u64 cdrive_file_size(u32 slots)
{
	return CDRIVE_CACHE_HEADER + (u64)slots * CDRIVE_CACHE_SLOT;
}

/*
 * Takes a reference to the file of @fd, if it can be the cache of so many @slots, and
 * reads its first block: in @latency, how many nanoseconds that took.
 */
int cdrive_file_open(struct cdrive_file *f, int fd, u32 slots, u64 *latency);
void cdrive_file_close(struct cdrive_file *f);
/* -ENOSPC: a device with less room. */
int cdrive_file_check_size(const struct cdrive_file *f, u32 slots);

/*
 * Calls @io->done once: 0; -ENOSPC: the file can't grow any more; -EAGAIN: its file
 * system is frozen; or another error.
 */
void cdrive_file_read(struct cdrive_file *f, struct cdrive_io *io, loff_t pos,
		      struct iov_iter *iter);
void cdrive_file_write(struct cdrive_file *f, struct cdrive_io *io, loff_t pos,
		       struct iov_iter *iter);

/* Waits for it: one block.  Returns nanoseconds, or an error. */
s64 cdrive_file_probe(struct cdrive_file *f, loff_t pos);

/* Where an extent's first block is. */
static inline loff_t cdrive_extent_pos(const struct cdrive_extent *e)
{
	return CDRIVE_CACHE_HEADER + (loff_t)e->slot * CDRIVE_CACHE_SLOT +
	       e->block * CDRIVE_CACHE_BLOCK;
}

/* The first of its blocks, counted from the beginning of the drive. */
static inline u64 cdrive_extent_block(const struct cdrive_extent *e)
{
	return (u64)e->chunk * CDRIVE_CACHE_BLOCKS + e->block;
}

/*
 * Joins extents of a transfer, whose first block is @first, to as few spans as there can
 * be.  Returns how many there are.
 */
unsigned int cdrive_spans(const struct cdrive_extent *e, unsigned int n, u64 first,
			  struct cdrive_span *spans);

#endif /* _CDRIVE_CACHE_FILE_H */
