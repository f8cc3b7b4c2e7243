/* SPDX-License-Identifier: MIT */
/*
 * download.h - from a blob, or a snapshot of one, to a local file
 *
 * The page ranges of the blob are fetched, in pieces of at most 4 MiB with their
 * checksums; the rest is holes of the file.  Every call
 * names the ETag that the blob had (If-Match), so that what arrives is one state
 * of it.  See partial.h for the file.
 */
#ifndef IMAGE_DOWNLOAD_H
#define IMAGE_DOWNLOAD_H

#include "image/job.h"

enum download_left {
	DOWNLOAD_NOTHING,
	DOWNLOAD_PART, /* FILE.part: the same download goes on with it */
	DOWNLOAD_WHOLE, /* FILE.part, which is whole; the error says what to do */
};

struct download {
	struct job *job;
	const char *file;

	/* what came of it */
	uint64_t size; /* of the file */
	uint64_t data; /* bytes of it that the blob holds */
	uint64_t skipped; /* bytes that were there, from an earlier download */
	enum download_left left; /* after a failure */
};

/* 0 or -1. */
int download_run(struct download *d);

#endif
