// SPDX-License-Identifier: GPL-2.0-only
#include "disk.h"

#include <linux/backing-dev.h>
#include <linux/blk-mq.h>
#include <linux/module.h>
#include <linux/sizes.h>

#include "compat.h"
#include "index.h"
#include "queue.h"
#include "state.h"
#include "table.h"

#define CDRIVE_NO_INDEX	((void *)-1L)

/* The last opener of a disk that was added is gone; so may be the drive. */
static void cdrive_free_disk(struct gendisk *disk)
{
	if (disk->private_data != CDRIVE_NO_INDEX)
		cdrive_index_free((unsigned long)disk->private_data);
}

static const struct block_device_operations cdrive_fops = {
	.owner = THIS_MODULE,
	.free_disk = cdrive_free_disk,
};

bool cdrive_disk_is_one(const struct gendisk *disk)
{
	return disk->fops == &cdrive_fops;
}

/*
 * A request is not late because the block layer thinks so: it may wait for a
 * helper, or for the service.  What bounds the wait is the park limit.
 */
static enum blk_eh_timer_return cdrive_timeout(struct request *rq)
{
	return BLK_EH_RESET_TIMER;
}

static int cdrive_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			    unsigned int index)
{
	hctx->driver_data = data;
	return 0;
}

static const struct blk_mq_ops cdrive_mq_ops = {
	.init_hctx = cdrive_init_hctx,
	.queue_rq = cdrive_queue_rq,
	.commit_rqs = cdrive_commit_rqs,
	.timeout = cdrive_timeout,
};

/*
 * Pages of a page blob have 512 bytes, so that is the logical block; the
 * service keeps them in larger units, and 4096 is what file systems like.  A
 * completed write is durable: no write cache is declared, and the block layer
 * drops flushes.  Pages must not change while they are sent, as a checksum
 * travels ahead of them.
 */
static const struct queue_limits cdrive_limits = {
	.logical_block_size = SECTOR_SIZE,
	.physical_block_size = 4096,
	.io_min = 4096,
	.max_hw_sectors = CDRIVE_MAX_TRANSFER >> SECTOR_SHIFT,
	.max_user_sectors = CDRIVE_MAX_TRANSFER >> SECTOR_SHIFT,
	.max_segments = USHRT_MAX,
	.max_segment_size = UINT_MAX,
	.max_hw_discard_sectors = UINT_MAX >> SECTOR_SHIFT,
	.discard_granularity = SECTOR_SIZE,
	.max_write_zeroes_sectors = UINT_MAX >> SECTOR_SHIFT,
	.features = BLK_FEAT_STABLE_WRITES,
};

int cdrive_disk_alloc(struct cdrive_disk *d)
{
	struct blk_mq_tag_set *set = &d->tag_set;
	struct queue_limits lim = cdrive_limits;
	struct gendisk *disk;
	int err;

	set->ops = &cdrive_mq_ops;
	set->nr_hw_queues = 1;	/* one helper, with one socket */
	set->queue_depth = CDRIVE_QUEUE_DEPTH;
	set->numa_node = NUMA_NO_NODE;
	set->cmd_size = sizeof(struct cdrive_rq);
	set->flags = CDRIVE_MQ_FLAGS;
	set->driver_data = d->queue;
	err = blk_mq_alloc_tag_set(set);
	if (err)
		return err;

	disk = blk_mq_alloc_disk(set, &lim, d);
	if (IS_ERR(disk)) {
		blk_mq_free_tag_set(set);
		return PTR_ERR(disk);
	}
	snprintf(disk->disk_name, sizeof(disk->disk_name), "cdrive%u",
		 d->index);
	disk->fops = &cdrive_fops;
	disk->private_data = (void *)(unsigned long)d->index;
	set_capacity(disk, d->sectors);
	set_disk_ro(disk, d->read_only);
	d->gendisk = disk;
	return 0;
}

int cdrive_disk_add(struct cdrive_disk *d,
		    const struct attribute_group **groups)
{
	int err;

	err = device_add_disk(NULL, d->gendisk, groups);
	if (err) {
		pr_err("cdrive%u: the disk can't be added: %d\n", d->index,
		       err);
		return err;
	}
	/* The latency of a service: read ahead a whole transfer.  Adding the
	 * disk would undo this on some kernels.
	 */
	d->gendisk->bdi->ra_pages = CDRIVE_MAX_TRANSFER >> PAGE_SHIFT;
	d->added = true;
	return 0;
}

void cdrive_disk_del(struct cdrive_disk *d)
{
	if (!d->added)
		return;
	blk_mark_disk_dead(d->gendisk);
	del_gendisk(d->gendisk);
}

void cdrive_disk_free(struct cdrive_disk *d)
{
	if (!d->gendisk)
		return;
	/* Whether cdrive_free_disk() is called for one whose adding failed
	 * depends on how far it came.
	 */
	if (!d->added) {
		d->gendisk->private_data = CDRIVE_NO_INDEX;
		cdrive_index_free(d->index);
	}
	put_disk(d->gendisk);
	blk_mq_free_tag_set(&d->tag_set);
}

void cdrive_disk_uevent(struct cdrive_disk *d, enum cdrive_state state)
{
	char var[32];
	char *envp[2] = {};

	/* A change ahead of add_work is not told: KOBJ_ADD is still to come. */
	if (!READ_ONCE(d->added))
		return;
	envp[0] = var;
	snprintf(var, sizeof(var), "CDRIVE_STATE=%s", cdrive_state_name(state));
	kobject_uevent_env(&disk_to_dev(d->gendisk)->kobj, KOBJ_CHANGE, envp);
}
