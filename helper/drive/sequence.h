/* SPDX-License-Identifier: MIT */
/*
 * sequence.h - the sequence number that every write names
 *
 * Raising the blob's number refuses for good what was sent with a smaller one
 * (Documentation/design.rst, "The sequence number").  The number is
 *
 *	settled		the blob has @number, and writes name it
 *	being raised	the service was asked for @raising_to, and may have done it;
 *			it is asked again until it answers
 *
 * Before a raise is asked for, ops->record() is told: a helper that follows must know
 * which numbers may be this drive's own.
 */
#ifndef DRIVE_SEQUENCE_H
#define DRIVE_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "drive/acknowledged.h"
#include "lib/loop.h"
#include "lib/retry.h"

enum sequence_state { SEQUENCE_SETTLED, SEQUENCE_RAISING };

/* How a raise went. */
enum sequence_answer {
	SEQUENCE_RAISED, /* @number is the new one */
	SEQUENCE_FOREIGN, /* the blob has a larger number: another has raised it */
	SEQUENCE_NO_BLOB, /* the blob was deleted */
	SEQUENCE_NO_LEASE, /* refused for the lease; it will be asked for again */
};

struct sequence_ops {
	void (*answered)(void *arg, enum sequence_answer answer);
	/* The number changes: @raising_to (0: none) may be in effect or not. */
	void (*record)(void *arg, uint64_t number, uint64_t raising_to);
	/* As in struct lease_ops. */
	void (*trouble)(void *arg, struct retry *r, const char *what, const struct az_error *err);
};

struct sequence {
	struct loop *loop;
	struct az_client *client;
	const struct az_blob *blob;
	const struct sequence_ops *ops;
	void *arg;

	enum sequence_state state;
	uint64_t number; /* confirmed */
	uint64_t raising_to; /* 0 when settled */
	struct acknowledged acknowledged; /* raises, and what names the number */
	bool paused; /* nothing is sent: there is no credential */
	struct az_call *call;
	struct loop_timer timer; /* for the next try */
	struct retry retry;
};

void sequence_init(struct sequence *s, struct loop *loop, struct az_client *client,
		   const struct az_blob *blob, const struct sequence_ops *ops, void *arg);

/* It is @number, and settled: no raise is in doubt. */
void sequence_settle(struct sequence *s, uint64_t number);

/* Raises it by one, which ops->answered() ends.  Nothing happens when it is not settled. */
void sequence_raise(struct sequence *s);

/* While paused nothing is sent.  Afterwards a raise that waited is. */
void sequence_pause(struct sequence *s, bool paused);

/* Ends the call and the timer. */
void sequence_stop(struct sequence *s);

static inline bool sequence_settled(const struct sequence *s)
{
	return s->state == SEQUENCE_SETTLED;
}

/* Whether @found is a number that this drive has given the blob since it was @since. */
static inline bool sequence_is_ours(const struct sequence *s, uint64_t since, uint64_t found)
{
	return found >= since &&
	       found <= (s->state == SEQUENCE_RAISING ? s->raising_to : s->number);
}

#endif
