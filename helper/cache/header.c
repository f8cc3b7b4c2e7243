// SPDX-License-Identifier: MIT
#include "cache/header.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc64.h"

#define MAGIC "clouddrive cache"
#define VERSION 1
#define BLOCK 4096 /* what O_DIRECT wants at most, of all disks there are */

struct on_disk {
	char magic[16];
	uint32_t version;
	uint32_t state;
	uint8_t uuid[16];
	uint64_t generation;
	uint64_t size;
	uint64_t crc; /* of what comes before it */
};

union block {
	struct on_disk header;
	char bytes[BLOCK];
};

static uint64_t crc_of(const struct on_disk *d)
{
	return crc64(0, d, offsetof(struct on_disk, crc));
}

static union block *block_new(void)
{
	void *p;

	if (posix_memalign(&p, BLOCK, BLOCK))
		return NULL;
	memset(p, 0, BLOCK);
	return p;
}

static int write_block(int fd, const union block *b)
{
	ssize_t n = pwrite(fd, b, BLOCK, 0);

	if (n != BLOCK)
		return n < 0 ? -errno : -EIO;
	return fdatasync(fd) ? -errno : 0;
}

static int parse(const struct on_disk *d, struct cache_header *h)
{
	if (memcmp(d->magic, MAGIC, sizeof(d->magic)) != 0 || d->version != VERSION ||
	    d->crc != crc_of(d) || d->state > CACHE_CLOSED)
		return -EBADMSG;
	*h = (struct cache_header){
		.state = d->state,
		.generation = d->generation,
		.size = d->size,
	};
	memcpy(h->uuid, d->uuid, sizeof(h->uuid));
	return 0;
}

int cache_header_read(int fd, struct cache_header *h)
{
	union block *b = block_new();
	ssize_t n;
	int err;

	if (!b)
		return -ENOMEM;
	n = pread(fd, b, BLOCK, 0);
	if (n < 0)
		err = -errno;
	else
		err = n == BLOCK ? parse(&b->header, h) : -EBADMSG;
	free(b);
	return err;
}

int cache_header_write(int fd, const struct cache_header *h)
{
	union block *b = block_new();
	int err;

	if (!b)
		return -ENOMEM;
	b->header = (struct on_disk){
		.magic = MAGIC,
		.version = VERSION,
		.state = h->state,
		.generation = h->generation,
		.size = h->size,
	};
	memcpy(b->header.uuid, h->uuid, sizeof(b->header.uuid));
	b->header.crc = crc_of(&b->header);
	err = write_block(fd, b);
	free(b);
	return err;
}

int cache_header_wipe(int fd)
{
	union block *b = block_new();
	int err = b ? write_block(fd, b) : -ENOMEM;

	free(b);
	return err;
}
