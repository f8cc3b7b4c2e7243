// SPDX-License-Identifier: MIT
#include "vhd/mbr.h"

#include <string.h>

#define AT_SIGNATURE 440
#define AT_TABLE 446

/* The geometry that PC BIOSes pretend ("LBA assist"), which partitioners use. */
#define HEADS 255u
#define SECTORS 63u

uint64_t mbr_partition_size(uint64_t size)
{
	return size <= MBR_START ? 0 : (size - MBR_START) & ~4095ull;
}

static void le32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		p[i] = (unsigned char)v;
}

/* Head, sector with the cylinder's upper two bits, cylinder; FE FF FF is "past
 * what can be said", and the LBA fields count. */
static void chs(unsigned char *p, uint32_t lba)
{
	uint32_t cylinder = lba / (HEADS * SECTORS);

	if (cylinder > 1023) {
		p[0] = 0xfe;
		p[1] = 0xff;
		p[2] = 0xff;
		return;
	}
	p[0] = (unsigned char)(lba / SECTORS % HEADS);
	p[1] = (unsigned char)((lba % SECTORS + 1) | (cylinder >> 2 & 0xc0));
	p[2] = (unsigned char)cylinder;
}

void mbr_make(unsigned char mbr[MBR_SIZE], uint64_t size, uint8_t type, uint32_t signature)
{
	uint32_t first = MBR_START / 512;
	uint32_t count = (uint32_t)(mbr_partition_size(size) / 512);
	unsigned char *entry = mbr + AT_TABLE;

	memset(mbr, 0, MBR_SIZE);
	le32(mbr + AT_SIGNATURE, signature);
	chs(entry + 1, first);
	entry[4] = type;
	chs(entry + 5, first + count - 1);
	le32(entry + 8, first);
	le32(entry + 12, count);
	mbr[510] = 0x55;
	mbr[511] = 0xaa;
}
