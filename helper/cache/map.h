/* SPDX-License-Identifier: MIT */
/*
 * map.h - from the driver's map to the index file (index.h), and back
 *
 * Written are volumes without drive that have a validator: of the others nobody could prove
 * later that they are what the blob holds.
 */
#ifndef CACHE_MAP_H
#define CACHE_MAP_H

#include "cache/index.h"

/* Writes the file @fd, which is empty, by /dev/cdrive-cache @dev.  0 or -errno. */
int map_export(int dev, int fd, const struct index_id *id);

/* Reads it.  Slots from @slots on are left out.  0 or -errno, as index_read(): the driver
 * may have a part of it then. */
int map_import(int dev, int fd, const struct index_id *id, uint32_t slots, const char **why);

#endif
