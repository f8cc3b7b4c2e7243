/* SPDX-License-Identifier: MIT */
/*
 * upload.h - from a local file to a blob
 *
 * The blob is written by blob_writer.h, with the file's footer, where it is a
 * VHD, as the last page.  An upload that was interrupted leaves the unfinished
 * blob, with the file's identity as its mark (size, inode, times); the same
 * upload again sends what is missing.  What is there was sent from that very
 * file, and its checksum verified by the service; nothing but a change of the
 * file could make it wrong, and that changes its identity.  Nothing is left of
 * an upload that can't be gone on with: from a pipe, of a file that changed, or of
 * a block device, whose changes nobody sees.
 */
#ifndef IMAGE_UPLOAD_H
#define IMAGE_UPLOAD_H

#include "image/file.h"
#include "image/job.h"

enum upload_left {
	UPLOAD_NOTHING, /* of ours, or nothing that the error does not tell of */
	UPLOAD_RESUMABLE, /* an unfinished blob: the same upload goes on with it */
	UPLOAD_TAKEN, /* the same, and it is another run's now */
	UPLOAD_UNSURE, /* the same, or it is whole: no answer came to the last call */
	UPLOAD_REST, /* what may be ours and unfinished, and could not be deleted */
};

struct upload {
	struct job *job;
	struct image_file *file;
	bool verify; /* read it back, and compare */

	/* what came of it */
	uint64_t size; /* of the blob */
	uint64_t pages; /* written, of 512 bytes */
	uint64_t skipped; /* bytes that were there, from an earlier upload */
	enum upload_left left; /* after a failure */
};

/* 0 or -1. */
int upload_run(struct upload *u);

#endif
