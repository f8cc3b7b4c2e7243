/* SPDX-License-Identifier: MIT */
/*
 * create.h - a new drive, with a file system
 *
 * A VHD has a master boot record, a partition and a footer; in a raw blob the file
 * system is all there is.  The blob is written by blob_writer.h, and deleted again if
 * that fails.
 */
#ifndef IMAGE_CREATE_H
#define IMAGE_CREATE_H

#include "image/job.h"
#include "image/mkfs.h"

struct create {
	struct job *job;
	uint64_t size; /* of the disk */
	bool vhd;
	const struct mkfs *mkfs; /* NULL: without a file system */
	const char *label; /* or NULL */

	/* what came of it */
	uint64_t blob_size;
	uint64_t pages; /* written, of 512 bytes */
	bool left; /* after a failure: an unfinished blob, which could not be deleted */
};

/* 0 or -1. */
int create_run(struct create *c);

#endif
