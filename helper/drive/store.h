/* SPDX-License-Identifier: MIT */
/*
 * store.h - the backend that is a page blob
 *
 * Turns each request into calls of the service, one at a time:
 *
 *	read		Get Blob, of the part that may hold data; the rest is
 *			zeroes, and a range without data costs no call.  A small one that
 *			is late is asked for twice (hedge.h)
 *	write		Put Page, whole
 *	discard, zeroes	Clear Pages, of the part that may hold data; in parts when the
 *			service is too slow for the whole
 *
 * What may be sent waits in two lines, reads and writes, for
 *
 *	a connection			at most @connections calls are in flight
 *	congestion control		congestion.h
 *	the lease			reads need it; lease.h
 *	the lease and the number	writes; and that nothing in doubt overlaps, doubt.h
 *
 * A call that failed in a way that may pass is tried again, for ever: what ends that is
 * the drive's park limit.  Refused as one too many it goes to the head of its line.
 *
 * The sequence number is raised late.  A write in doubt is repeated under its number.
 * Only when something else overlaps it, when the list of doubts is full, or when nothing
 * has been written for a second is the number raised; before that, writes in flight are
 * waited for (up to STORE_DRAIN_S), as the service would refuse them afterwards.  Reads go
 * on all the while.
 *
 * Bodies are copied between service and request in pieces, so none has a buffer of
 * its size.  The exceptions: a write whose bytes changed while it was sent (an
 * application's O_DIRECT buffer) is repeated from a copy, one such at a time; and second
 * reads have small buffers of their own.
 */
#ifndef DRIVE_STORE_H
#define DRIVE_STORE_H

#include "azure/blob.h"
#include "drive/congestion.h"
#include "drive/doubt.h"
#include "drive/hedge.h"
#include "drive/io.h"
#include "drive/lease.h"
#include "drive/link.h"
#include "drive/pagemap.h"
#include "lib/loop.h"
#include "lib/retry.h"

/* How long a raise waits for writes in flight; and after the last write, with something
 * in doubt. */
#define STORE_DRAIN_S 5u
#define STORE_IDLE_S 1u

/* Second reads: how many at once, of up to so many bytes. */
#define STORE_HEDGES 8u
#define STORE_HEDGE_BYTES (64u << 10)

/* Clears are not made shorter than this. */
#define STORE_CLEAR_LEAST (4ull << 20)

struct store;

/* What the blob is asked for a request: an operation on it. */
struct blob_op {
	struct store *store;
	struct io *io;
	uint64_t offset, len; /* what is left to be done, within the blob */
	uint64_t part; /* of it, by the call under way */
	uint64_t number; /* that the write was last sent with */
	uint64_t started; /* when it was last sent */
	struct az_call *call;
	struct az_digest digest; /* of the body that was sent first */
	bool changed; /* the body was another meanwhile: it is sent from the copy */
	struct loop_timer timer; /* for the next try */
	struct loop_timer late; /* of a read */
	struct hedge_read *second; /* NULL: none is under way */
	struct retry retry;
	bool queued;
	struct blob_op *next; /* in its line */
};

struct line {
	struct blob_op *first, *last;
};

struct hedge_read {
	struct blob_op *op; /* NULL: free */
	struct az_call *call;
	uint64_t started;
	unsigned char data[STORE_HEDGE_BYTES];
};

/* What a request path needs room for now and then: there from the start, as memory may be
 * short when it is needed. */
struct store_buffers {
	unsigned char copy[CDRIVE_MAX_TRANSFER];
	struct hedge_read second[STORE_HEDGES];
};

struct store {
	struct loop *loop;
	struct az_client *client;
	struct az_blob *blob;
	struct link *link;
	struct lease *lease;
	struct pagemap *map;
	struct pagemap *sent; /* NULL, or: what is written and cleared is noted here */
	unsigned int connections; /* at most */
	struct store_buffers *buffers;
	/* A call failed and is tried again, as in lease_ops.trouble. */
	void (*trouble)(void *arg, struct retry *r, const char *what, const struct az_error *err);
	/* The blob is gone for good. */
	void (*lost)(void *arg, const char *why);
	void *arg;

	unsigned int active; /* calls in flight, */
	unsigned int writing; /* writes and clears among them */
	unsigned int reads_in_row; /* that were sent before a write that could have been */
	struct blob_op blob_ops[CDRIVE_QUEUE_DEPTH];
	struct line reads, writes;
	struct line copies; /* writes that wait for the copy */
	struct congestion congestion;
	struct loop_timer pace; /* until the next call may start */
	uint64_t served_at; /* when a call last succeeded */

	struct doubts doubts;
	uint64_t doubts_number; /* the number that they named */
	bool raise; /* the number is to be raised: no writes are started */
	struct loop_timer drain, idle;

	struct blob_op *copy_of; /* whose the copy is, or NULL */
	uint64_t clear_most; /* bytes of one Clear Pages */

	struct hedge hedge;
	uint64_t retries, raises, hedged, hedges_won;
};

extern const struct backend_ops store_ops;

/* The fields above active are set. */
void store_init(struct store *s);
/* Nothing happens any more. */
void store_stop(struct store *s);

/* Sends what waits, as far as it may be sent: after lease_ops.held(). */
void store_run(struct store *s);

/* --- between store.c and store_call.c ------------------------------------------ */

/* Starts @t's call; false: there was no memory. */
bool store_call(struct blob_op *t);

/* The call has ended: it is not in flight any more, nor is a second read. */
void store_called(struct blob_op *t, const struct az_result *res);

/* Ends what is in flight of it, without store_called(). */
void store_call_cancel(struct blob_op *t);

static inline bool blob_op_writes(const struct blob_op *t)
{
	return t->io->desc.op != CDRIVE_OP_READ;
}

static inline bool blob_op_clears(const struct blob_op *t)
{
	return t->io->desc.op == CDRIVE_OP_DISCARD || t->io->desc.op == CDRIVE_OP_WRITE_ZEROES;
}

#endif
