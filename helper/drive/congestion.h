/* SPDX-License-Identifier: MIT */
/*
 * congestion.h - how fast calls may be started: congestion control of one drive
 *
 * A page blob serves so many requests and bytes a second, and answers what goes beyond
 * with 503 ServerBusy or 500 OperationTimedOut.  Nobody says how many: it depends on the
 * account, its tier, and what others do with it.  So the drive finds out, as TCP does with
 * a network:
 *
 *	no limit	until the service refuses something
 *	refused		the rate becomes a little less than what was served in the last
 *			second or two.  What was started before that is not counted
 *			again; a refusal of what was started after it, and soon,
 *			makes the rate fall further
 *	served		the rate grows: fast while it is far below what was last seen to
 *			be too much, slowly near that, faster again beyond (as CUBIC's)
 *
 * Why a rate, and no window of calls in flight: at 5 ms a call, 500 calls a second are
 * two and a half calls in flight.  A window of two leaves a fifth of that unused, one of
 * three has a sixth refused.
 *
 * A call has a cost, as the service has limits for requests and for bytes: 1, or its
 * length by CONGESTION_UNIT where that is more.  Reads, writes and clears count alike.
 * The lease's calls do not take part: they are few, and must not wait.
 *
 * Pure arithmetic: the caller brings the time (monotonic, ns).
 */
#ifndef DRIVE_CONGESTION_H
#define DRIVE_CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

/* 60 MiB/s by 500 requests/s: what one request may carry on a standard page blob before
 * its bytes are the limit ("Scalability targets for Blob storage"). */
#define CONGESTION_UNIT 125829u

/* So many calls a second are started at the least, whatever they cost: what a service that
 * refuses everything is asked. */
#define CONGESTION_LEAST 1.0

#define CONGESTION_SLOTS 8u /* of measuring what is served */

struct congestion {
	double rate; /* cost a second; 0: no limit */
	double ceiling; /* what was served when something was last refused; 0: not known */
	uint64_t next; /* when the next call may start */
	uint64_t hold; /* nothing starts before: Retry-After */
	uint64_t started; /* when a call was last started */
	uint64_t decreased; /* when the rate was last made less */
	unsigned int decreases; /* in quick succession */

	/* What was served, by quarters of a second: a ring. */
	struct congestion_slot {
		double cost;
		unsigned int calls;
	} served[CONGESTION_SLOTS];
	uint64_t slot; /* the number of the quarter that is being filled */
	uint64_t since; /* the first quarter that is known, */
	uint64_t begun; /* and when in it measuring began */

	uint64_t refused; /* calls, ever */
};

/* How long to wait, in ns, before the next call may start; 0: it may now. */
uint64_t congestion_delay(const struct congestion *c, uint64_t now);

/* A call of @bytes is started. */
void congestion_started(struct congestion *c, uint64_t now, uint64_t bytes);

/* It was served. */
void congestion_served(struct congestion *c, uint64_t now, uint64_t bytes);

/* It was refused as one too many; it was started at @started.  @retry_after: seconds that
 * nothing is to be started, 0 when the service did not say. */
void congestion_refused(struct congestion *c, uint64_t now, uint64_t started,
			unsigned int retry_after);

#endif
