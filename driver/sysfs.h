/* SPDX-License-Identifier: GPL-2.0-only */
/* sysfs.h - /sys/block/cdriveN/cdrive/, see Documentation/ABI/ */
#ifndef _CDRIVE_SYSFS_H
#define _CDRIVE_SYSFS_H

#include <linux/sysfs.h>

extern const struct attribute_group *cdrive_sysfs_groups[];

#endif /* _CDRIVE_SYSFS_H */
