/* SPDX-License-Identifier: MIT */
/*
 * transfer.h - pieces of a blob on their way, many at once
 *
 * As many calls are kept in flight as the job has connections, each moving one
 * piece (at most 4 MiB).  A call that fails in a way that passes is repeated
 * after a pause (lib/retry.h); the transfer is given up when nothing has
 * succeeded for RETRY_CEILING_S.  So a piece may be moved twice: the caller must
 * allow for that.  Order is not kept.
 */
#ifndef IMAGE_TRANSFER_H
#define IMAGE_TRANSFER_H

#include "image/job.h"

struct piece {
	uint64_t offset; /* in the blob */
	uint32_t len;
	uint32_t index; /* the caller's */
	unsigned char *buf; /* the caller's: what to send */
	void *owner; /* the caller's */
};

enum transfer_next {
	TRANSFER_FAILED = -1, /* after job_fail() */
	TRANSFER_END = 0,
	TRANSFER_PIECE = 1,
	TRANSFER_WAIT = 2, /* not now: transfer_more() will say when */
};

struct transfer_ops {
	enum transfer_next (*next)(void *arg, struct piece *p);
	struct az_call *(*start)(void *arg, struct piece *p, az_done_fn done, void *done_arg);
	/* It has arrived.  0, or -1 after job_fail(). */
	int (*arrived)(void *arg, struct piece *p);
	/* It is not wanted any more: the transfer has ended early. NULL: nothing to do. */
	void (*dropped)(void *arg, struct piece *p);
	/* What to say of a call that failed locally (AZ_LOCAL): after job_fail().  NULL:
	 * the client's own words. */
	void (*failed)(void *arg, struct piece *p);
};

struct transfer;

/* Until next() says that it is the end and all has arrived; 0 or -1, when no
 * call is in flight any more, either.  *@self is valid meanwhile. */
int transfer_run(struct job *job, const struct transfer_ops *ops, void *arg,
		 struct transfer **self);

/* After TRANSFER_WAIT: there is more. */
void transfer_more(struct transfer *t);

#endif
