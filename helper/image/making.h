/* SPDX-License-Identifier: MIT */
/*
 * making.h - a blob that is being made, from nothing to a drive
 *
 *	making_begin()	the blob is there, empty, and marked as unfinished
 *	making_send()	what holds data is written to it
 *	making_put()	single pages, of which a VHD's footer is the last
 *	making_finish()	it has what it should, and the mark goes
 *
 * Until the last step it is nobody's drive: mount and download refuse it.  The
 * mark is in the metadata that the blob is created with, and goes by one call
 * that is made only if the blob is as it was when it was checked (If-Match); so
 * there is no moment, however the work ends, at which half of it passes for the
 * whole.
 *
 * Every write names the blob's sequence number, which begins at random: what was
 * meant for a blob of the same name that was deleted meanwhile is refused.  Who
 * goes on with another's unfinished blob raises the number first, and so does
 * mount: whatever the first one still sends, or has on the way, is refused from
 * then on.  Mark and number are what tells that a blob is still this making's:
 * nothing else is finished, or deleted.
 */
#ifndef IMAGE_MAKING_H
#define IMAGE_MAKING_H

#include "image/job.h"
#include "image/ranges.h"
#include "image/scan.h"

struct making {
	struct job *job;
	const char *mark;
	bool there; /* an unfinished blob is, or may be, which is ours */
	bool resumed; /* another has begun it */
	bool spoilt; /* what it holds is not what was sent; the error says what to do */
	bool unsure; /* after making_finish() failed: it may be finished all the same */
	uint64_t size; /* of the blob, now */
	uint64_t sequence;
	struct ranges present; /* what it held when it was found */
	struct ranges sent; /* what it must hold */
	uint64_t pages; /* of 512 bytes, that were written */
	char etag[64];

	/* while sending */
	struct scan *scan;
	uint64_t base; /* of the scanned file in the blob */
	struct transfer *transfer;
	struct loop_fd watch; /* of a pipe */
	struct piece *held; /* needs a larger blob */
	uint64_t skipped; /* bytes that were there */
	uint64_t on_the_way; /* bytes in flight */
	struct loop_timer breath; /* the loop turns, though nothing is found to send */
};

/* Makes it, of @size bytes.  @mark says what it is to be, and lives as long as
 * the making.  -1 with BlobAlreadyExists when there is one; m->there tells
 * whether it was made nevertheless: when no answer came, that is looked up. */
int making_begin(struct making *m, struct job *job, uint64_t size, const char *mark);

/* Goes on with the one that is there, whose properties are @props. */
int making_resume(struct making *m, struct job *job, const struct az_props *props,
		  const char *mark);

/* Writes the runs of @scan, at @base in the blob, but for those that are there.
 * A blob that turns out too small for a pipe grows. */
int making_send(struct making *m, struct scan *scan, uint64_t base);

/* Writes @len bytes, at most 4 MiB. */
int making_put(struct making *m, uint64_t offset, const void *buf, uint32_t len);

/* Changes the size. */
int making_resize(struct making *m, uint64_t size);

/*
 * Checks that the blob holds what was sent; with @compare also reads it back,
 * for @compare to look at each piece as it arrives (nonzero: it is not what was
 * sent).  Then it is finished.  A signal that comes during the last call comes
 * too late; what became of it when no answer came is looked up.
 */
typedef int (*making_compare_fn)(void *arg, uint64_t offset, const void *buf, size_t len);
int making_finish(struct making *m, making_compare_fn compare, void *arg);

/* Deletes it, after whatever went wrong, if it is this making's still; 0 when nothing of
 * ours is there. */
int making_undo(struct making *m);

void making_free(struct making *m);

#endif
