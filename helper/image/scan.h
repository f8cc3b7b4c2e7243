/* SPDX-License-Identifier: MIT */
/*
 * scan.h - the parts of a file that hold data
 *
 * A run is a stretch of 512-byte pages, of at most 4 MiB, that begins and ends
 * with a page that is not all zeroes and has no 4 KiB of zeroes in between: such
 * a gap costs more than a request.  Runs go on where the last one was cut at
 * 4 MiB, so that as few requests as 4 MiB allow move them.  Holes of the file
 * system (SEEK_DATA) are not read.  The file is read once, into the buffers that
 * are handed out.
 */
#ifndef IMAGE_SCAN_H
#define IMAGE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCAN_RUN (4u << 20)
#define SCAN_GAP 4096u

struct scan_buffer {
	struct scan_buffer *next;
};

struct scan {
	int fd;
	bool pipe;
	uint64_t end; /* of the file, or of what is wanted of it; of a pipe: UINT64_MAX */
	uint64_t pos; /* in the file, of the window's first byte */
	unsigned char *window;
	size_t have; /* bytes in it */
	uint64_t data_end; /* where the next hole is */
	uint64_t seen; /* bytes that were data to the file system, for progress */
	bool ended; /* a pipe's end has come */
	struct scan_buffer *free;
};

/* From @start to @end of @fd; of a pipe all. */
void scan_init(struct scan *s, int fd, bool pipe, uint64_t start, uint64_t end);
void scan_free(struct scan *s);

enum scan_result { SCAN_END, SCAN_RUN_FOUND, SCAN_WAIT, SCAN_PAUSE };

/*
 * The next run: in *@buf, which goes back by scan_recycle(), @len bytes that
 * are at @offset of the file.  Or the end; or SCAN_WAIT when a pipe has nothing
 * yet; or SCAN_PAUSE when so much was read without finding any that whoever waits
 * for more should have a turn first; or a negative errno: -ENODATA for a file that ended too early.
 * After the end s->pos is where it was, and s->have what a pipe had beyond its
 * last whole page.
 */
int scan_next(struct scan *s, unsigned char **buf, uint64_t *offset, uint32_t *len);
void scan_recycle(struct scan *s, unsigned char *buf);

/* Bytes from @start to @end that the file system does not know to be zero. */
uint64_t scan_estimate(int fd, uint64_t start, uint64_t end);

#endif
