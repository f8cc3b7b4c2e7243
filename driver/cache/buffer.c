// SPDX-License-Identifier: GPL-2.0-only
#include "buffer.h"

#include <linux/highmem.h>
#include <linux/slab.h>
#include <linux/uio.h>
#include <linux/cdrive_cache.h>

#include "compat.h"

struct cdrive_buffer *cdrive_buffer_new(u32 len, gfp_t gfp)
{
	unsigned int pages = DIV_ROUND_UP(len, PAGE_SIZE);
	struct cdrive_buffer *buffer;

	buffer = kmalloc(struct_size(buffer, bvec, pages), gfp);
	if (!buffer)
		return NULL;
	buffer->len = len;
	for (buffer->pages = 0; buffer->pages < pages; buffer->pages++) {
		unsigned int i = buffer->pages;
		bool end = !i || i == pages - 1;
		struct page *page = alloc_page(end ? gfp | __GFP_ZERO : gfp);

		if (!page) {
			cdrive_buffer_free(buffer);
			return NULL;
		}
		buffer->bvec[i] = (struct bio_vec){
			.bv_page = page,
			.bv_len = min_t(u32, len - i * PAGE_SIZE, PAGE_SIZE),
		};
	}
	return buffer;
}

void cdrive_buffer_free(struct cdrive_buffer *buffer)
{
	unsigned int i;

	if (!buffer)
		return;
	for (i = 0; i < buffer->pages; i++)
		__free_page(buffer->bvec[i].bv_page);
	kfree(buffer);
}

static void cdrive_buffer_iter(struct cdrive_buffer *buffer, u32 offset, u32 len,
			       struct iov_iter *iter, unsigned int direction)
{
	iov_iter_bvec(iter, direction, buffer->bvec, buffer->pages, buffer->len);
	iov_iter_advance(iter, offset);
	iov_iter_truncate(iter, len);
}

void cdrive_buffer_source(struct cdrive_buffer *buffer, u32 offset, u32 len,
			  struct iov_iter *iter)
{
	cdrive_buffer_iter(buffer, offset, len, iter, ITER_SOURCE);
}

void cdrive_buffer_dest(struct cdrive_buffer *buffer, u32 offset, u32 len,
			struct iov_iter *iter)
{
	cdrive_buffer_iter(buffer, offset, len, iter, ITER_DEST);
}

size_t cdrive_buffer_copy(struct cdrive_buffer *buffer, u32 offset, size_t len,
			  struct iov_iter *iter, bool to_iter)
{
	size_t done = 0;

	len = min_t(size_t, len, iov_iter_count(iter));
	while (done < len) {
		struct page *page = buffer->bvec[offset >> PAGE_SHIFT].bv_page;
		size_t in_page = offset_in_page(offset);
		size_t part = min(len - done, PAGE_SIZE - in_page), n;

		if (to_iter)
			n = copy_page_to_iter(page, in_page, part, iter);
		else
			n = copy_page_from_iter(page, in_page, part, iter);
		done += n;
		offset += n;
		if (n < part)
			break;
	}
	return done;
}

/* --- checksums ------------------------------------------------------------- */

static struct cdrive_crc32c cdrive_checksums;

int cdrive_checksum_init(void)
{
	return cdrive_crc32c_init(&cdrive_checksums);
}

void cdrive_checksum_exit(void)
{
	cdrive_crc32c_exit(&cdrive_checksums);
}

/* A segment may be of several pages. */
static u32 cdrive_checksum_part(u32 crc, const struct bio_vec *bvec, size_t offset,
				size_t len)
{
	size_t start = bvec->bv_offset + offset;

	while (len) {
		size_t n = min(len, PAGE_SIZE - offset_in_page(start));
		void *page = kmap_local_page(bvec->bv_page + (start >> PAGE_SHIFT));

		crc = cdrive_crc32c(&cdrive_checksums, crc,
				    page + offset_in_page(start), n);
		kunmap_local(page);
		start += n;
		len -= n;
	}
	return crc;
}

void cdrive_checksum(const struct bio_vec *bvec, size_t offset,
		     unsigned int blocks, u32 *crc)
{
	while (blocks--) {
		size_t left = CDRIVE_CACHE_BLOCK, n;

		for (*crc = ~0; left; left -= n, offset += n) {
			while (offset >= bvec->bv_len)
				offset -= bvec++->bv_len;
			n = min(left, bvec->bv_len - offset);
			*crc = cdrive_checksum_part(*crc, bvec, offset, n);
		}
		*crc = ~*crc;
		crc++;
	}
}
