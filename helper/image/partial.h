/* SPDX-License-Identifier: MIT */
/*
 * partial.h - a file that is being downloaded: FILE.part
 *
 * It is FILE's data, sparse, and after it a journal: of which blob it is in
 * which state (ETag), and a byte for each piece that has arrived.  When all have,
 * the journal is cut off, the data flushed, and the file renamed to FILE; so FILE
 * is there whole, or as it was before.  The same download goes on with a
 * FILE.part that it left, unless the blob has changed since or the machine was
 * started anew: then what was not flushed may be lost, and it begins again.
 */
#ifndef IMAGE_PARTIAL_H
#define IMAGE_PARTIAL_H

#include "image/job.h"

struct partial {
	const char *file; /* the caller's */
	char *path; /* FILE.part */
	int fd; /* locked: one download at a time */
	uint64_t size; /* of the data */
	uint32_t count; /* of pieces */
	unsigned char *arrived; /* one each */
	bool resumed;
	bool whole; /* has no journal any more */
};

/* Opens or makes it, for @count pieces of the blob @url with @etag; p->arrived
 * tells which are there.  0 or -1. */
int partial_open(struct job *job, struct partial *p, const char *file, uint64_t size,
		 uint32_t count, const char *url, const char *etag);

/* sink: @len bytes at @offset; 0 or a negative errno. */
int partial_write(struct partial *p, const void *buf, size_t len, uint64_t offset);

/* Piece @index, @len bytes at @offset, is there. */
int partial_arrived(struct partial *p, uint32_t index, uint64_t offset, uint32_t len);

/* All are: makes it FILE.  0 or -1. */
int partial_finish(struct job *job, struct partial *p);

/* What to say of an error of writing; -1. */
int partial_failed(struct job *job, const struct partial *p, int err);

/* Frees; with @remove the file is deleted. */
void partial_close(struct partial *p, bool remove);

#endif
