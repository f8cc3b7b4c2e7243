/* SPDX-License-Identifier: GPL-2.0-only */
/* buffer.h - private pages for whole blocks, and the checksums of blocks */
#ifndef _CDRIVE_CACHE_BUFFER_H
#define _CDRIVE_CACHE_BUFFER_H

#include <linux/bvec.h>
#include <linux/gfp.h>
#include <linux/types.h>

struct iov_iter;

struct cdrive_buffer {
	u32 len;
	unsigned int pages;
	struct bio_vec bvec[];	/* the pages */
};

/* Zeroes at its ends, anything between; NULL: no memory. */
struct cdrive_buffer *cdrive_buffer_new(u32 len, gfp_t gfp);
void cdrive_buffer_free(struct cdrive_buffer *buffer);

/* Of @len bytes from @offset on: to be read from, or written to. */
void cdrive_buffer_source(struct cdrive_buffer *buffer, u32 offset, u32 len,
			  struct iov_iter *iter);
void cdrive_buffer_dest(struct cdrive_buffer *buffer, u32 offset, u32 len,
			struct iov_iter *iter);

/*
 * Copies at most @len bytes between it, from @offset on, and @iter.  Returns how many
 * there were: less where user memory faults.
 */
size_t cdrive_buffer_copy(struct cdrive_buffer *buffer, u32 offset, size_t len,
			  struct iov_iter *iter, bool to_iter);

/* May sleep.  Around all uses of what follows. */
int cdrive_checksum_init(void);
void cdrive_checksum_exit(void);

/* The CRC32C of each of the blocks that begin @offset bytes into the segments. */
void cdrive_checksum(const struct bio_vec *bvec, size_t offset,
		     unsigned int blocks, u32 *crc);

#endif /* _CDRIVE_CACHE_BUFFER_H */
