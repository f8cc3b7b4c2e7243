/* SPDX-License-Identifier: MIT */
/*
 * queue.h - requests in order, overlapping ones one after the other
 *
 * Two requests conflict when they overlap and not both are reads.  A request
 * goes to the backend once no earlier one that it conflicts with is left.  A
 * drive has 128 at most, so a list in order of arrival is searched whole.
 */
#ifndef DRIVE_QUEUE_H
#define DRIVE_QUEUE_H

#include "drive/io.h"

struct io_counters {
	uint64_t reads, writes, discards, write_zeroes;
	uint64_t read_bytes, written_bytes;
	uint64_t errors, failed_writes; /* all; and all but reads */
};

struct io_queue {
	const struct backend_ops *ops;
	void *backend;
	/* Tells the driver; called once for each request.  Must not submit. */
	void (*complete)(void *arg, uint32_t tag, int status);
	void *complete_arg;

	struct io ios[CDRIVE_QUEUE_DEPTH];
	struct io *first, *last; /* in order of arrival */
	struct io *ready, *ready_last; /* to be given to the backend */
	bool running;
	unsigned int in_flight, waiting;
	struct io_counters counters;
};

void io_queue_init(struct io_queue *q, const struct backend_ops *ops, void *backend,
		   void (*complete)(void *arg, uint32_t tag, int status), void *complete_arg);

/*
 * Takes a request.  What can't be one (slot out of range or taken, operation,
 * length) is completed with -EINVAL.
 */
void io_queue_submit(struct io_queue *q, const struct cdrive_descriptor *desc);

/* Forgets all requests, and has the backend stop: the driver has failed them. */
void io_queue_drop(struct io_queue *q);
/* The same, of requests that the driver has failed: they count as such. */
void io_queue_fail(struct io_queue *q);

#endif
