/* SPDX-License-Identifier: MIT */
/*
 * footer.h - the footer of a VHD: the last 512 bytes of the file or blob
 *
 * "Virtual Hard Disk Image Format Specification", October 2006, section "Hard
 * Disk Footer Format".  Big-endian.  A drive is a fixed VHD: data, then footer.
 */
#ifndef VHD_FOOTER_H
#define VHD_FOOTER_H

#include <stddef.h>
#include <stdint.h>

#define VHD_FOOTER_SIZE 512

/* The disks that are made here; what others made may have other sizes. */
#define VHD_LEAST (16ull << 20)
#define VHD_MOST (1ull << 40)

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

/* What is wrong with one that is VHD_DAMAGED ("its checksum is ffffe494, its
 * content's ffffe490"); into @buf, which is returned. */
const char *vhd_footer_damage(const unsigned char footer[VHD_FOOTER_SIZE], uint64_t total,
			      char *buf, size_t len);

/*
 * The footer of a fixed disk of @size bytes, made @now (seconds of the epoch),
 * with @id, a UUID of its own.
 *
 * It names Hyper-V ("win ") as its creator.  That is what says that the size is
 * the size: QEMU takes it from the geometry, which is rounded, where it doesn't
 * know the creator, and so cuts off the disk's end.
 */
void vhd_footer_make(unsigned char footer[VHD_FOOTER_SIZE], uint64_t size,
		     const unsigned char id[16], int64_t now);

#endif
