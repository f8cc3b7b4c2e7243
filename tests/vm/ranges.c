// SPDX-License-Identifier: MIT
/*
 * ranges.c - a page blob in pieces, for ranges.t
 *
 * usage: ranges DIRECTORY ACCOUNT CONTAINER BLOB COUNT
 *
 * In the DIRECTORY of a devstore that is not running: every other page of 512 bytes is
 * written, from the start, until there are COUNT ranges. Page N holds N, again and again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/storage/storage.h"

#define PAGE 512u

static int fill(struct storage_blob *b, uint64_t count)
{
	uint64_t page[PAGE / sizeof(uint64_t)];
	int ret = 0;

	for (uint64_t n = 0; n < count && !ret; n++) {
		for (size_t i = 0; i < PAGE / sizeof(uint64_t); i++)
			page[i] = 2 * n;
		ret = storage_write(b, 2 * n * PAGE, page, PAGE);
	}
	return ret;
}

int main(int argc, char **argv)
{
	struct storage_blob *b;
	struct storage *s;
	int ret, closed;

	if (argc != 6) {
		fprintf(stderr, "usage: ranges DIRECTORY ACCOUNT CONTAINER BLOB COUNT\n");
		return 2;
	}
	ret = storage_open(&s, argv[1], false);
	if (ret) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-ret));
		return 1;
	}
	ret = storage_blob_get(s, &(struct storage_key){ argv[2], argv[3], argv[4], NULL }, &b);
	if (!ret) {
		ret = fill(b, strtoull(argv[5], NULL, 10));
		storage_blob_put(b);
	}
	closed = storage_close(s);
	ret = ret ? ret : closed;
	if (ret)
		fprintf(stderr, "%s: %s\n", argv[4], strerror(-ret));
	return ret != 0;
}
