/* SPDX-License-Identifier: MIT */
/*
 * geometry.h - the cylinders, heads and sectors that a VHD's footer claims
 *
 * "Virtual Hard Disk Image Format Specification", October 2006, appendix "CHS
 * Calculation".  Nothing reads a disk by them any more, but programs
 * compare them, and some (QEMU, for creators that it doesn't know) take the
 * disk's size from them.
 */
#ifndef VHD_GEOMETRY_H
#define VHD_GEOMETRY_H

#include <stdint.h>

struct vhd_geometry {
	uint16_t cylinders;
	uint8_t heads, sectors;
};

/* Of a disk of @size bytes.  What it makes is at most the size: the algorithm
 * rounds down, and ends at 127 GiB. */
struct vhd_geometry vhd_geometry(uint64_t size);

#endif
