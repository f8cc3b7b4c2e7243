// SPDX-License-Identifier: MIT
#include "vhd/footer.h"

#include <endian.h>
#include <string.h>

#define AT_SIZE 48 /* "Current Size" */
#define AT_TYPE 60
#define AT_CHECKSUM 64

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

/* One's complement of the sum of all bytes but the checksum's own. */
static uint32_t checksum(const unsigned char *footer)
{
	uint32_t sum = 0;

	for (int i = 0; i < VHD_FOOTER_SIZE; i++)
		if (i < AT_CHECKSUM || i >= AT_CHECKSUM + 4)
			sum += footer[i];
	return ~sum;
}

enum vhd_kind vhd_footer_parse(const unsigned char footer[VHD_FOOTER_SIZE], uint64_t total,
			       uint64_t *size)
{
	uint64_t current = be64(footer + AT_SIZE);

	if (memcmp(footer, "conectix", 8) != 0)
		return VHD_NONE;
	if (be32(footer + AT_CHECKSUM) != checksum(footer))
		return VHD_DAMAGED;
	switch (be32(footer + AT_TYPE)) {
	case 2:
		break;
	case 3:
		return VHD_DYNAMIC;
	case 4:
		return VHD_DIFFERENCING;
	default:
		return VHD_DAMAGED;
	}
	if (!current || current % 512 || total < VHD_FOOTER_SIZE ||
	    current > total - VHD_FOOTER_SIZE)
		return VHD_DAMAGED;
	*size = current;
	return VHD_FIXED;
}
