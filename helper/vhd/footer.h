/* SPDX-License-Identifier: MIT */
/*
 * footer.h - the footer of a VHD: the last 512 bytes of the file or blob
 *
 * "Virtual Hard Disk Image Format Specification", October 2006, section "Hard
 * Disk Footer Format".  Big-endian.  A drive is a fixed VHD: data, then footer.
 */
#ifndef VHD_FOOTER_H
#define VHD_FOOTER_H

#include <stdint.h>

#define VHD_FOOTER_SIZE 512

enum vhd_kind {
	VHD_NONE, /* no footer: a raw image */
	VHD_FIXED,
	VHD_DYNAMIC,
	VHD_DIFFERENCING,
	VHD_DAMAGED, /* a footer, but its checksum, type or size is wrong */
};

/* What the last 512 bytes of @total bytes are.  @size is set to the disk's size
 * in bytes for VHD_FIXED. */
enum vhd_kind vhd_footer_parse(const unsigned char footer[VHD_FOOTER_SIZE], uint64_t total,
			       uint64_t *size);

#endif
