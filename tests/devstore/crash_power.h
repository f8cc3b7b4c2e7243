/* SPDX-License-Identifier: MIT */
/*
 * crash_power.h - a disk that loses its power
 *
 * What was synced is kept in a second directory, "disk": this program brings its
 * own fdatasync(), fsync() and syncfs().  Losing the power makes the first
 * directory what a disk may hold then: of each file what was synced and any of the
 * 512-byte sectors changed since, of each directory the names that were synced and
 * any that came or went since.
 */
#ifndef CRASH_POWER_H
#define CRASH_POWER_H

#include <stdint.h>

/* From here on syncs are recorded, and everything there counts as synced. */
void power_on(const char *dir, const char *disk);
/* In another process, once the one that wrote has ended. */
void power_lost(const char *dir, const char *disk, uint64_t *seed);

#endif
