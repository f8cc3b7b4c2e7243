/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h - older kernels, adapted to the newest interface
 *
 * The driver is written for the newest kernel; what an older one lacks is made
 * up for here, and nowhere else.  Supported: 6.1, 6.12 and later.
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

#ifndef BLK_FEAT_STABLE_WRITES	/* 6.11 */
/* Limits were set one by one, once there was a queue; struct queue_limits had
 * neither features nor max_user_sectors, nor max_hw_discard_sectors before it
 * was known to be different from max_discard_sectors.
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

#define queue_limits cdrive_queue_limits

static inline struct gendisk *
cdrive_compat_alloc_disk(struct blk_mq_tag_set *set,
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
	if (lim->features & BLK_FEAT_STABLE_WRITES)
		blk_queue_flag_set(QUEUE_FLAG_STABLE_WRITES, q);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, q);
	return disk;
}

#undef blk_mq_alloc_disk
#define blk_mq_alloc_disk(set, lim, data) \
	cdrive_compat_alloc_disk(set, lim, data)
#endif

#endif /* _CDRIVE_COMPAT_H */
