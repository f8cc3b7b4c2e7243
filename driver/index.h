/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * index.h - the numbers in the names of disks
 *
 * They are taken by drives, and by disks that were detached by force and are
 * still open.  A file system keeps the name of its disk in use until it is gone
 * (ext4's journal, say), so the next drive must not have the same.
 */
#ifndef _CDRIVE_INDEX_H
#define _CDRIVE_INDEX_H

/* The lowest that is free, or -ENOSPC; one caller at a time. */
int cdrive_index_take(void);

/* The disk of that index is gone for good. */
void cdrive_index_free(unsigned int index);

/* Without drives: for disks whose last opener is just going. */
void cdrive_index_wait_for_all(void);

#endif /* _CDRIVE_INDEX_H */
