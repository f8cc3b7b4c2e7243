/* SPDX-License-Identifier: GPL-2.0-only */
/* disk.h - the disk that the block layer sees */
#ifndef _CDRIVE_DISK_H
#define _CDRIVE_DISK_H

#include <linux/blk-mq.h>
#include <linux/cdrive.h>

struct attribute_group;
struct cdrive_queue;

struct cdrive_disk {
	unsigned int index;	/* of cdriveN */
	char name[CDRIVE_MAX_NAME + 1];	/* "": it has none */
	u64 sectors;
	bool read_only;
	struct cdrive_queue *queue;	/* where its requests go */

	struct blk_mq_tag_set tag_set;
	struct gendisk *gendisk;
	bool added;		/* settled once cdrive_disk_add() has returned */
};

/* Makes the block layer's queue and disk; nobody sees them yet. */
int cdrive_disk_alloc(struct cdrive_disk *d);

/* Shows the disk.  Reads from it (partitions), so the helper must be served. */
int cdrive_disk_add(struct cdrive_disk *d,
		    const struct attribute_group **groups);

/* Takes the disk away.  The drive is gone already: no I/O is waited for. */
void cdrive_disk_del(struct cdrive_disk *d);

/* Drops the disk, if there is one, when nobody uses the drive any more. */
void cdrive_disk_free(struct cdrive_disk *d);

/* It is one of this driver's. */
bool cdrive_disk_is_one(const struct gendisk *disk);

/* Tells udev of a change of state. */
void cdrive_disk_uevent(struct cdrive_disk *d, enum cdrive_state state);

#endif /* _CDRIVE_DISK_H */
