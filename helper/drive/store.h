/* SPDX-License-Identifier: MIT */
/*
 * store.h - the backend that is a page blob
 *
 * Turns each request into at most one call of the service at a time:
 *
 *	read		Get Blob, of the part that may hold data; the rest is
 *			zeroes, and a range without data costs no call
 *	write		Put Page, whole
 *	discard, zeroes	Clear Pages, of the part that may hold data
 *
 * A transfer waits for a connection (at most @connections are used at once) and
 * for the right to write (lease.h); when its call failed in a way that may pass
 * it waits and is tried again, for ever: what ends that is the drive's park
 * limit.  A write whose answer was lost is sent again only under a raised
 * sequence number.  Bodies are copied between service and request in pieces,
 * so no transfer has a buffer of its size.
 */
#ifndef DRIVE_STORE_H
#define DRIVE_STORE_H

#include "azure/client.h"
#include "drive/io.h"
#include "drive/link.h"
#include "drive/lease.h"
#include "drive/pagemap.h"
#include "lib/retry.h"
#include "lib/loop.h"

struct store;

struct transfer {
	struct store *store;
	struct io *io;
	uint64_t offset, len; /* of the call, within the blob */
	uint64_t number; /* that the write was last sent with */
	struct az_call *call;
	struct loop_timer timer; /* for the next try */
	struct retry retry;
	bool queued;
	struct transfer *next; /* in the line for a connection */
};

struct store {
	struct loop *loop;
	struct az_client *client;
	struct az_blob *blob;
	struct link *link;
	struct lease *lease;
	struct pagemap *map;
	unsigned int connections; /* at most */
	unsigned int active; /* calls in flight */
	struct transfer transfers[CDRIVE_QUEUE_DEPTH];
	struct transfer *first, *last; /* the line */
	uint64_t retries;

	/* A call failed and is tried again, as in lease_ops.trouble. */
	void (*trouble)(void *arg, struct retry *r, const char *what, const struct az_error *err);
	/* The blob is gone for good. */
	void (*lost)(void *arg, const char *why);
	void *arg;
};

extern const struct backend_ops store_ops;

void store_init(struct store *s);

/* Sends what waits, as far as it may be sent: after lease_ops.held(). */
void store_run(struct store *s);

#endif
