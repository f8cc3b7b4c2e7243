// SPDX-License-Identifier: MIT
#include "vhd/geometry.h"

#define MOST_CYLINDERS 65535u

/* The appendix's own steps and constants, in its order. */
struct vhd_geometry vhd_geometry(uint64_t size)
{
	uint64_t total = size / 512;
	uint32_t sectors, heads, tracks;

	if (total > (uint64_t)MOST_CYLINDERS * 16 * 255)
		total = (uint64_t)MOST_CYLINDERS * 16 * 255;
	if (total >= (uint64_t)MOST_CYLINDERS * 16 * 63) {
		sectors = 255;
		heads = 16;
		tracks = (uint32_t)(total / sectors);
	} else {
		sectors = 17;
		tracks = (uint32_t)(total / sectors);
		heads = (tracks + 1023) / 1024;
		if (heads < 4)
			heads = 4;
		if (tracks >= heads * 1024 || heads > 16) {
			sectors = 31;
			heads = 16;
			tracks = (uint32_t)(total / sectors);
		}
		if (tracks >= heads * 1024) {
			sectors = 63;
			heads = 16;
			tracks = (uint32_t)(total / sectors);
		}
	}
	return (struct vhd_geometry){
		.cylinders = (uint16_t)(tracks / heads),
		.heads = (uint8_t)heads,
		.sectors = (uint8_t)sectors,
	};
}
