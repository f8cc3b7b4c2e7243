/* SPDX-License-Identifier: MIT */
/* filesystem.h - which file system a drive holds, and on which device */
#ifndef HOST_FILESYSTEM_H
#define HOST_FILESYSTEM_H

#include <stddef.h>

struct filesystem {
	char device[64]; /* the disk's, or its single partition's */
	char type[32]; /* as mount(8) calls it */
};

/*
 * Looks at a drive: its single partition when it has a partition table, else
 * the whole of it.  Needs no udev.  0, or -errno with "WHY; WHAT TO DO" in
 * @why.
 */
int filesystem_find(unsigned int index, struct filesystem *fs, char *why, size_t len);

#endif
