// SPDX-License-Identifier: MIT
#include "drive/queue.h"

#include <errno.h>
#include <string.h>

void io_queue_init(struct io_queue *q, const struct backend_ops *ops, void *backend,
		   void (*complete)(void *arg, uint32_t tag, int status), void *complete_arg)
{
	memset(q, 0, sizeof(*q));
	q->ops = ops;
	q->backend = backend;
	q->complete = complete;
	q->complete_arg = complete_arg;
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		q->ios[i].slot = i;
		q->ios[i].queue = q;
	}
}

static bool conflict(const struct io *a, const struct io *b)
{
	if (a->desc.op == CDRIVE_OP_READ && b->desc.op == CDRIVE_OP_READ)
		return false;
	return a->desc.sector < b->desc.sector + b->desc.sectors &&
	       b->desc.sector < a->desc.sector + a->desc.sectors;
}

static void count(struct io_counters *c, const struct cdrive_descriptor *desc)
{
	uint64_t bytes = (uint64_t)desc->sectors << 9;

	switch (desc->op) {
	case CDRIVE_OP_READ:
		c->reads++;
		c->read_bytes += bytes;
		break;
	case CDRIVE_OP_WRITE:
		c->writes++;
		c->written_bytes += bytes;
		break;
	case CDRIVE_OP_DISCARD:
		c->discards++;
		break;
	default:
		c->write_zeroes++;
		break;
	}
}

static bool valid(const struct io_queue *q, const struct cdrive_descriptor *desc)
{
	unsigned int slot = desc->tag & CDRIVE_TAG_SLOT_MASK;

	if (slot >= CDRIVE_QUEUE_DEPTH || q->ios[slot].busy || desc->op > CDRIVE_OP_WRITE_ZEROES ||
	    !desc->sectors)
		return false;
	return desc->op > CDRIVE_OP_WRITE || desc->sectors <= CDRIVE_MAX_TRANSFER >> 9;
}

static void unlink_io(struct io_queue *q, struct io *io)
{
	*(io->prev ? &io->prev->next : &q->first) = io->next;
	*(io->next ? &io->next->prev : &q->last) = io->prev;
	io->busy = false;
	q->in_flight--;
	if (io->blockers)
		q->waiting--;
}

static void make_ready(struct io_queue *q, struct io *io)
{
	io->next_ready = NULL;
	*(q->ready_last ? &q->ready_last->next_ready : &q->ready) = io;
	q->ready_last = io;
}

/*
 * Gives what is ready to the backend, which may end it at once and so make
 * more ready: that is then seen here, and not by a recursion.
 */
static void run(struct io_queue *q)
{
	if (q->running)
		return;
	q->running = true;
	while (q->ready) {
		struct io *io = q->ready;

		q->ready = io->next_ready;
		if (!q->ready)
			q->ready_last = NULL;
		q->ops->submit(q->backend, io);
	}
	q->running = false;
}

void io_queue_submit(struct io_queue *q, const struct cdrive_descriptor *desc)
{
	struct io *io;

	if (!valid(q, desc)) {
		q->complete(q->complete_arg, desc->tag, -EINVAL);
		return;
	}
	io = &q->ios[desc->tag & CDRIVE_TAG_SLOT_MASK];
	io->desc = *desc;
	io->busy = true;
	io->blockers = 0;
	for (const struct io *other = q->first; other; other = other->next)
		if (conflict(io, other))
			io->blockers++;
	io->prev = q->last;
	io->next = NULL;
	*(q->last ? &q->last->next : &q->first) = io;
	q->last = io;
	q->in_flight++;
	count(&q->counters, desc);
	if (io->blockers) {
		q->waiting++;
		return;
	}
	make_ready(q, io);
	run(q);
}

void io_done(struct io *io, int status)
{
	struct io_queue *q = io->queue;
	struct io *after = io->next;

	if (!io->busy)
		return;
	unlink_io(q, io);
	if (status) {
		q->counters.errors++;
		q->counters.failed_writes += io->desc.op != CDRIVE_OP_READ;
	}
	q->complete(q->complete_arg, io->desc.tag, status);
	for (; after; after = after->next) {
		if (!conflict(io, after) || --after->blockers)
			continue;
		q->waiting--;
		make_ready(q, after);
	}
	run(q);
}

void io_queue_fail(struct io_queue *q)
{
	for (const struct io *io = q->first; io; io = io->next) {
		q->counters.errors++;
		q->counters.failed_writes += io->desc.op != CDRIVE_OP_READ;
	}
	io_queue_drop(q);
}

void io_queue_drop(struct io_queue *q)
{
	q->ops->cancel(q->backend);
	while (q->first)
		unlink_io(q, q->first);
	q->ready = NULL;
	q->ready_last = NULL;
}
