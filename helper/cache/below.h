/* SPDX-License-Identifier: MIT */
/*
 * below.h - what lies below a file or device
 *
 * The cache of a drive can't lie on a drive: its reads would wait for themselves.  Looked at
 * are partitions, what LVM, md and dm-crypt put together, loop devices and the
 * files they are of, and of overlay file systems the layer that is written to.
 */
#ifndef CACHE_BELOW_H
#define CACHE_BELOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether the file or directory @path, or the block device @dev, lies on a drive, whose name
 * ("cdrive0") is in @drive then.  @sysfs: "/sys". */
bool below_path(const char *sysfs, const char *path, char *drive, size_t len);
bool below_device(const char *sysfs, dev_t dev, char *drive, size_t len);

#endif
