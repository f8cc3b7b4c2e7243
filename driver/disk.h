/* SPDX-License-Identifier: GPL-2.0-only */
/* disk.h - the disk that the block layer sees */
#ifndef _CDRIVE_DISK_H
#define _CDRIVE_DISK_H

#include <linux/cdrive.h>

struct cdrive;

/* Makes queue and disk; nobody sees them yet. */
int cdrive_disk_alloc(struct cdrive *drive);

/* Shows the disk.  Reads from it (partitions), so the helper must be served. */
int cdrive_disk_add(struct cdrive *drive);

/* Takes the disk away.  The drive is gone already: no I/O is waited for. */
void cdrive_disk_del(struct cdrive *drive);

/* Drops the disk, if there is one, when nobody uses the drive any more. */
void cdrive_disk_free(struct cdrive *drive);

/* Tells udev of a change of state. */
void cdrive_disk_uevent(struct cdrive *drive, enum cdrive_state state);

#endif /* _CDRIVE_DISK_H */
