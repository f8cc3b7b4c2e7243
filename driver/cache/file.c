// SPDX-License-Identifier: GPL-2.0-only
#include "file.h"

#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/uio.h>

#include "compat.h"
#include "disk.h"

/* The device that it is, or is on; NULL: it is on none, or on several. */
static struct block_device *cdrive_file_device(const struct file *file)
{
	struct inode *inode = file_inode(file);

	return S_ISBLK(inode->i_mode) ? I_BDEV(file->f_mapping->host) :
					inode->i_sb->s_bdev;
}

static const char *cdrive_file_refusal(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct block_device *bdev;

	if (!S_ISREG(inode->i_mode) && !S_ISBLK(inode->i_mode))
		return "neither a regular file nor a block device";
	if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) !=
	    (FMODE_READ | FMODE_WRITE))
		return "not open for reading and writing";
	if (!(file->f_flags & O_DIRECT))
		return "not open for direct I/O (O_DIRECT)";
	if (!file->f_op->read_iter || !file->f_op->write_iter)
		return "of a file system that can't do asynchronous I/O";
	bdev = cdrive_file_device(file);
	if (!bdev)
		return NULL;
	if (cdrive_disk_is_one(bdev->bd_disk))
		return "on a drive of this driver";
	if (bdev_logical_block_size(bdev) > CDRIVE_CACHE_BLOCK)
		return "on a device with blocks of more than 4096 bytes";
	return NULL;
}

int cdrive_file_check_size(const struct cdrive_file *f, u32 slots)
{
	struct inode *inode = file_inode(f->file);

	if (!S_ISBLK(inode->i_mode) ||
	    bdev_nr_bytes(cdrive_file_device(f->file)) >= cdrive_file_size(slots))
		return 0;
	pr_err("cdrive: the cache's device has less than %llu bytes\n",
	       cdrive_file_size(slots));
	return -ENOSPC;
}

/* Memory that starts or ends elsewhere goes by private pages. */
static u32 cdrive_file_align(struct file *file)
{
	struct block_device *bdev = cdrive_file_device(file);

	if (!bdev)
		return CDRIVE_CACHE_BLOCK - 1;
	return bdev_dma_alignment(bdev) | (bdev_logical_block_size(bdev) - 1);
}

/* The best of a few, as one may have waited for something else. */
static int cdrive_file_measure(struct cdrive_file *f, u64 *latency)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		s64 took = cdrive_file_probe(f, 0);

		if (took < 0)
			return took;
		if (!i || took < *latency)
			*latency = took;
	}
	return 0;
}

int cdrive_file_open(struct cdrive_file *f, int fd, u32 slots, u64 *latency)
{
	struct file *file = fget(fd);
	const char *refusal;
	int err;

	if (!file)
		return -EBADF;
	refusal = cdrive_file_refusal(file);
	if (refusal) {
		pr_err("cdrive: the file can't be the cache: it is %s\n", refusal);
		fput(file);
		return -EINVAL;
	}
	*f = (struct cdrive_file){
		.file = file,
		.align = cdrive_file_align(file),
	};
	err = cdrive_file_check_size(f, slots);
	if (!err)
		err = cdrive_file_measure(f, latency);
	if (err)
		cdrive_file_close(f);
	return err;
}

void cdrive_file_close(struct cdrive_file *f)
{
	fput(f->file);
	f->file = NULL;
}

/*
 * A file system that is frozen lets no write begin.  As the one who ends a write may
 * be another than who began it, lockdep is told that nobody has begun one.
 */
static bool cdrive_file_start_write(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	if (!S_ISREG(file_inode(file)->i_mode))
		return true;
	if (!sb_start_write_trylock(sb))
		return false;
	__sb_writers_release(sb, SB_FREEZE_WRITE);
	return true;
}

static void cdrive_file_end_write(struct file *file)
{
	struct super_block *sb = file_inode(file)->i_sb;

	if (!S_ISREG(file_inode(file)->i_mode))
		return;
	__sb_writers_acquired(sb, SB_FREEZE_WRITE);
	sb_end_write(sb);
}

/* A write is short where a file system is full; a read, behind the end of the file. */
static void cdrive_io_complete(struct kiocb *iocb, long ret)
{
	struct cdrive_io *io = container_of(iocb, struct cdrive_io, iocb);

	if (io->write)
		cdrive_file_end_write(iocb->ki_filp);
	if (ret >= 0)
		ret = ret == io->len ? 0 : io->write ? -ENOSPC : -EIO;
	io->done(io, ret);
}

static void cdrive_io_init(struct cdrive_io *io, struct cdrive_file *f,
			   loff_t pos, struct iov_iter *iter, bool write)
{
	io->len = iov_iter_count(iter);
	io->write = write;
	io->iocb = (struct kiocb){
		.ki_filp = f->file,
		.ki_pos = pos,
		.ki_flags = IOCB_DIRECT,
		.ki_complete = cdrive_io_complete,
	};
}

void cdrive_file_read(struct cdrive_file *f, struct cdrive_io *io, loff_t pos,
		      struct iov_iter *iter)
{
	ssize_t ret;

	cdrive_io_init(io, f, pos, iter, false);
	ret = f->file->f_op->read_iter(&io->iocb, iter);
	if (ret != -EIOCBQUEUED)
		cdrive_io_complete(&io->iocb, ret);
}

void cdrive_file_write(struct cdrive_file *f, struct cdrive_io *io, loff_t pos,
		       struct iov_iter *iter)
{
	ssize_t ret;

	cdrive_io_init(io, f, pos, iter, true);
	if (!cdrive_file_start_write(f->file)) {
		io->done(io, -EAGAIN);
		return;
	}
	io->iocb.ki_flags |= IOCB_WRITE;
	ret = f->file->f_op->write_iter(&io->iocb, iter);
	if (ret != -EIOCBQUEUED)
		cdrive_io_complete(&io->iocb, ret);
}

s64 cdrive_file_probe(struct cdrive_file *f, loff_t pos)
{
	struct page *page = alloc_page(GFP_NOIO);
	struct bio_vec bvec = {
		.bv_page = page,
		.bv_len = CDRIVE_CACHE_BLOCK,
	};
	struct kiocb iocb = {
		.ki_filp = f->file,
		.ki_pos = pos,
		.ki_flags = IOCB_DIRECT,
	};
	struct iov_iter iter;
	unsigned int noio;
	u64 start;
	s64 ret;

	if (!page)
		return -ENOMEM;
	iov_iter_bvec(&iter, ITER_DEST, &bvec, 1, bvec.bv_len);
	noio = memalloc_noio_save();
	start = ktime_get_ns();
	ret = f->file->f_op->read_iter(&iocb, &iter);
	memalloc_noio_restore(noio);
	__free_page(page);
	return ret < 0 ? ret : ktime_get_ns() - start;
}

unsigned int cdrive_spans(const struct cdrive_extent *e, unsigned int n, u64 first,
			  struct cdrive_span *spans)
{
	struct cdrive_span *span = spans - 1;
	unsigned int i;

	for (i = 0; i < n; i++, e++) {
		u32 offset = (cdrive_extent_block(e) - first) * CDRIVE_CACHE_BLOCK;
		loff_t pos = cdrive_extent_pos(e);

		if (!i || pos != span->pos + span->len ||
		    offset != span->offset + span->len)
			*++span = (struct cdrive_span){ .pos = pos, .offset = offset };
		span->len += e->blocks * CDRIVE_CACHE_BLOCK;
	}
	return span + 1 - spans;
}
