// SPDX-License-Identifier: MIT
#include "vhd/footer.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "vhd/geometry.h"

/* "Hard Disk Footer Format" */
#define AT_FEATURES 8
#define AT_VERSION 12
#define AT_DATA_OFFSET 16
#define AT_TIME 24
#define AT_CREATOR 28
#define AT_CREATOR_VERSION 32
#define AT_CREATOR_HOST 36
#define AT_ORIGINAL_SIZE 40
#define AT_SIZE 48 /* "Current Size" */
#define AT_GEOMETRY 56
#define AT_TYPE 60
#define AT_CHECKSUM 64
#define AT_ID 68

#define TYPE_FIXED 2u
#define TYPE_DYNAMIC 3u
#define TYPE_DIFFERENCING 4u

#define EPOCH_2000 946684800

static uint32_t be32(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static uint64_t be64(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static void put32(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, sizeof(v));
}

static void put64(unsigned char *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

/* One's complement of the sum of all bytes but the checksum's own. */
static uint32_t checksum(const unsigned char *footer)
{
	uint32_t sum = 0;

	for (int i = 0; i < VHD_FOOTER_SIZE; i++)
		if (i < AT_CHECKSUM || i >= AT_CHECKSUM + 4)
			sum += footer[i];
	return ~sum;
}

static int size_fits(const unsigned char *footer, uint64_t total)
{
	uint64_t size = be64(footer + AT_SIZE);

	return size && size % 512 == 0 && total >= VHD_FOOTER_SIZE &&
	       size <= total - VHD_FOOTER_SIZE;
}

enum vhd_kind vhd_footer_parse(const unsigned char footer[VHD_FOOTER_SIZE], uint64_t total,
			       uint64_t *size)
{
	if (memcmp(footer, "conectix", 8) != 0)
		return VHD_NONE;
	if (be32(footer + AT_CHECKSUM) != checksum(footer))
		return VHD_DAMAGED;
	switch (be32(footer + AT_TYPE)) {
	case TYPE_FIXED:
		break;
	case TYPE_DYNAMIC:
		return VHD_DYNAMIC;
	case TYPE_DIFFERENCING:
		return VHD_DIFFERENCING;
	default:
		return VHD_DAMAGED;
	}
	if (!size_fits(footer, total))
		return VHD_DAMAGED;
	*size = be64(footer + AT_SIZE);
	return VHD_FIXED;
}

const char *vhd_footer_damage(const unsigned char footer[VHD_FOOTER_SIZE], uint64_t total,
			      char *buf, size_t len)
{
	uint32_t type = be32(footer + AT_TYPE);

	if (be32(footer + AT_CHECKSUM) != checksum(footer))
		snprintf(buf, len, "its checksum is %08x, its content's %08x",
			 be32(footer + AT_CHECKSUM), checksum(footer));
	else if (type < TYPE_FIXED || type > TYPE_DIFFERENCING)
		snprintf(buf, len, "its disk type is %u, and 2 is a fixed disk", type);
	else
		snprintf(buf, len, "it says %llu bytes, and there are %llu before it",
			 (unsigned long long)be64(footer + AT_SIZE),
			 (unsigned long long)(total - VHD_FOOTER_SIZE));
	return buf;
}

void vhd_footer_make(unsigned char footer[VHD_FOOTER_SIZE], uint64_t size,
		     const unsigned char id[16], int64_t now)
{
	struct vhd_geometry g = vhd_geometry(size);

	memset(footer, 0, VHD_FOOTER_SIZE);
	put64(footer, 0x636f6e6563746978); /* "conectix" */
	put32(footer + AT_FEATURES, 2); /* reserved, always set */
	put32(footer + AT_VERSION, 0x00010000);
	put64(footer + AT_DATA_OFFSET, UINT64_MAX); /* a fixed disk has no headers */
	put32(footer + AT_TIME, now > EPOCH_2000 ? (uint32_t)(now - EPOCH_2000) : 0);
	put32(footer + AT_CREATOR, 0x77696e20); /* "win " */
	put32(footer + AT_CREATOR_VERSION, 0x000a0000);
	put32(footer + AT_CREATOR_HOST, 0x5769326b); /* "Wi2k" */
	put64(footer + AT_ORIGINAL_SIZE, size);
	put64(footer + AT_SIZE, size);
	footer[AT_GEOMETRY] = (unsigned char)(g.cylinders >> 8);
	footer[AT_GEOMETRY + 1] = (unsigned char)g.cylinders;
	footer[AT_GEOMETRY + 2] = g.heads;
	footer[AT_GEOMETRY + 3] = g.sectors;
	put32(footer + AT_TYPE, TYPE_FIXED);
	memcpy(footer + AT_ID, id, 16);
	put32(footer + AT_CHECKSUM, checksum(footer));
}
