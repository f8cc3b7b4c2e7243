/* SPDX-License-Identifier: GPL-2.0-only */
/* device.h - /dev/cdrive-cache; see uapi/linux/cdrive_cache.h */
#ifndef _CDRIVE_CACHE_DEVICE_H
#define _CDRIVE_CACHE_DEVICE_H

int cdrive_cache_device_init(void);
void cdrive_cache_device_exit(void);

#endif /* _CDRIVE_CACHE_DEVICE_H */
