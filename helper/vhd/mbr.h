/* SPDX-License-Identifier: MIT */
/*
 * mbr.h - the first sector of a disk with one partition
 *
 * The partition begins at 1 MiB, as every partitioner of the last fifteen years
 * has it: aligned to any block size and to the pages of the cache.
 */
#ifndef VHD_MBR_H
#define VHD_MBR_H

#include <stdint.h>

#define MBR_SIZE 512
#define MBR_START (1u << 20) /* of the partition, in bytes */

#define MBR_NTFS 0x07
#define MBR_LINUX 0x83

/* The bytes of a disk of @size that its partition has: all after MBR_START, in
 * whole blocks of 4 KiB.  0 when there is no room for one. */
uint64_t mbr_partition_size(uint64_t size);

/* Makes the sector.  @signature tells disks apart, and must not be 0. @size: of
 * the disk, at most 2 TiB, which is what the table can express. */
void mbr_make(unsigned char mbr[MBR_SIZE], uint64_t size, uint8_t type, uint32_t signature);

#endif
