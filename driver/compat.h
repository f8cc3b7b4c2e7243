/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - older kernels, adapted to the newest interface
 *
 * The driver is written for the newest kernel; what an older one lacks is made
 * up for here, and nowhere else.  Supported: 6.1 and all that follow.
 */
#ifndef _CDRIVE_COMPAT_H
#define _CDRIVE_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/hrtimer.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 14, 0) > LINUX_VERSION_CODE
#define CDRIVE_MQ_FLAGS	(BLK_MQ_F_SHOULD_MERGE | BLK_MQ_F_NO_SCHED_BY_DEFAULT)
#else
#define CDRIVE_MQ_FLAGS	BLK_MQ_F_NO_SCHED_BY_DEFAULT
#endif

#ifndef secs_to_jiffies	/* 6.13 */
#define secs_to_jiffies(secs) ((unsigned long)(secs) * HZ)
#endif

#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
static inline void
cdrive_compat_hrtimer_setup(struct hrtimer *timer,
			    enum hrtimer_restart (*function)(struct hrtimer *),
			    clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}

#undef hrtimer_setup
#define hrtimer_setup(timer, function, clock, mode) \
	cdrive_compat_hrtimer_setup(timer, function, clock, mode)
#endif

#if KERNEL_VERSION(6, 11, 0) > LINUX_VERSION_CODE
/*
 * Three times in what a disk's limits are:
 *
 * to 6.8	blk_mq_alloc_disk() takes no limits: they are set one by one, once
 *		there is a queue, and there is no max_user_sectors.
 * 6.9, 6.10	it takes them (27e32cd23fed), with max_user_sectors (c9c77418a986),
 *		but stable writes and the like are still flags of the queue, which
 *		struct queue_limits has no member for.
 * from 6.11	those are its member features (1122c0c1cc71, 1a02f3a73f8c).
 *
 * So up to 6.10 the driver fills in a structure of ours that has it all.
 */
#define BLK_FEAT_STABLE_WRITES	1u

struct cdrive_queue_limits {
	unsigned int logical_block_size;
	unsigned int physical_block_size;
	unsigned int io_min;
	unsigned int max_hw_sectors;
	unsigned int max_user_sectors;
	unsigned short max_segments;
	unsigned int max_segment_size;
	unsigned int max_hw_discard_sectors;
	unsigned int discard_granularity;
	unsigned int max_write_zeroes_sectors;
	unsigned int features;
};

#if KERNEL_VERSION(6, 9, 0) > LINUX_VERSION_CODE
static inline struct gendisk *
cdrive_compat_alloc_limited(struct blk_mq_tag_set *set,
			    const struct cdrive_queue_limits *lim, void *data)
{
	struct gendisk *disk = blk_mq_alloc_disk(set, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	blk_queue_logical_block_size(q, lim->logical_block_size);
	blk_queue_physical_block_size(q, lim->physical_block_size);
	blk_queue_io_min(q, lim->io_min);
	blk_queue_max_hw_sectors(q, lim->max_hw_sectors);
	q->limits.max_sectors = lim->max_user_sectors;
	blk_queue_max_segments(q, lim->max_segments);
	blk_queue_max_segment_size(q, lim->max_segment_size);
	blk_queue_max_discard_sectors(q, lim->max_hw_discard_sectors);
	q->limits.discard_granularity = lim->discard_granularity;
	blk_queue_max_write_zeroes_sectors(q, lim->max_write_zeroes_sectors);
	return disk;
}
#else
static inline struct gendisk *
cdrive_compat_alloc_limited(struct blk_mq_tag_set *set,
			    const struct cdrive_queue_limits *lim, void *data)
{
	struct queue_limits limits = {
		.logical_block_size = lim->logical_block_size,
		.physical_block_size = lim->physical_block_size,
		.io_min = lim->io_min,
		.max_hw_sectors = lim->max_hw_sectors,
		.max_user_sectors = lim->max_user_sectors,
		.max_segments = lim->max_segments,
		.max_segment_size = lim->max_segment_size,
		.max_hw_discard_sectors = lim->max_hw_discard_sectors,
		.discard_granularity = lim->discard_granularity,
		.max_write_zeroes_sectors = lim->max_write_zeroes_sectors,
	};

	return blk_mq_alloc_disk(set, &limits, data);
}
#endif

static inline struct gendisk *
cdrive_compat_alloc_disk(struct blk_mq_tag_set *set,
			 const struct cdrive_queue_limits *lim, void *data)
{
	struct gendisk *disk = cdrive_compat_alloc_limited(set, lim, data);
	struct request_queue *q;

	if (IS_ERR(disk))
		return disk;
	q = disk->queue;
	if (lim->features & BLK_FEAT_STABLE_WRITES)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
	return disk;
}

#define queue_limits cdrive_queue_limits

#undef blk_mq_alloc_disk
#define blk_mq_alloc_disk(set, lim, data) \
	cdrive_compat_alloc_disk(set, lim, data)
#endif

#if KERNEL_VERSION(6, 14, 0) > LINUX_VERSION_CODE
/*
 * crc32c() is in a module of its own there, which insmod does not bring; what it calls
 * is in the kernel.
 */
#include <crypto/hash.h>

struct cdrive_crc32c {
	struct crypto_shash *tfm;
};

static inline int cdrive_crc32c_init(struct cdrive_crc32c *c)
{
	struct crypto_shash *tfm = crypto_alloc_shash("crc32c", 0, 0);

	if (IS_ERR(tfm))
		return PTR_ERR(tfm);
	c->tfm = tfm;
	return 0;
}

static inline void cdrive_crc32c_exit(struct cdrive_crc32c *c)
{
	crypto_free_shash(c->tfm);
}

static inline u32 cdrive_crc32c(const struct cdrive_crc32c *c, u32 crc,
				const void *p, unsigned int len)
{
	SHASH_DESC_ON_STACK(shash, c->tfm);
	u32 *state = (u32 *)shash_desc_ctx(shash);

	shash->tfm = c->tfm;
	*state = crc;
	crypto_shash_update(shash, p, len);
	return *state;
}
#else
#include <linux/crc32c.h>

struct cdrive_crc32c {
};

static inline int cdrive_crc32c_init(struct cdrive_crc32c *c)
{
	return 0;
}

static inline void cdrive_crc32c_exit(struct cdrive_crc32c *c)
{
}

static inline u32 cdrive_crc32c(const struct cdrive_crc32c *c, u32 crc,
				const void *p, unsigned int len)
{
	return crc32c(crc, p, len);
}
#endif

#endif /* _CDRIVE_COMPAT_H */
