/* SPDX-License-Identifier: MIT */
/*
 * blob_writer.h - writing a new blob as one transaction: from nothing to a drive
 *
 *	blob_writer_begin()	the blob is there, empty, and marked as unfinished
 *	blob_writer_send()	what holds data is written to it
 *	blob_writer_put()	single pages, of which a VHD's footer is the last
 *	blob_writer_commit()	it has what it should, and the mark goes
 *	blob_writer_abort()	or it is deleted again
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
 * then on.  Mark and number tell that a blob is still this writer's: no other is
 * finished or deleted.
 */
#ifndef IMAGE_BLOB_WRITER_H
#define IMAGE_BLOB_WRITER_H

#include "image/job.h"
#include "image/ranges.h"
#include "image/scan.h"

struct blob_writer {
	struct job *job;
	const char *mark;
	bool there; /* an unfinished blob is, or may be, which is ours */
	bool resumed; /* another has begun it */
	bool spoilt; /* what it holds is not what was sent; the error says what to do */
	bool unsure; /* after blob_writer_commit() failed: it may be finished all the same */
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

/* Creates it, of @size bytes.  @mark says what it is to be, and lives as long as
 * the writer.  -1 with BlobAlreadyExists when there is one; w->there tells
 * whether it was made nevertheless: when no answer came, that is looked up. */
int blob_writer_begin(struct blob_writer *w, struct job *job, uint64_t size, const char *mark);

/* Goes on with the one that is there, whose properties are @props. */
int blob_writer_resume(struct blob_writer *w, struct job *job, const struct az_props *props,
		       const char *mark);

/* Writes the runs of @scan, at @base in the blob, but for those that are there.
 * A blob that turns out too small for a pipe grows. */
int blob_writer_send(struct blob_writer *w, struct scan *scan, uint64_t base);

/* Writes @len bytes, at most 4 MiB. */
int blob_writer_put(struct blob_writer *w, uint64_t offset, const void *buf, uint32_t len);

/* Changes the size. */
int blob_writer_resize(struct blob_writer *w, uint64_t size);

/*
 * Checks that the blob holds what was sent; with @compare also reads it back,
 * for @compare to look at each piece as it arrives (nonzero: it is not what was
 * sent).  Then it is finished.  A signal that comes during the last call comes
 * too late; what became of it when no answer came is looked up.
 */
typedef int (*blob_compare_fn)(void *arg, uint64_t offset, const void *buf, size_t len);
int blob_writer_commit(struct blob_writer *w, blob_compare_fn compare, void *arg);

/* Deletes it, after whatever went wrong, if it is this writer's still; 0 when nothing of
 * ours is there. */
int blob_writer_abort(struct blob_writer *w);

void blob_writer_free(struct blob_writer *w);

#endif
