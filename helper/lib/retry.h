/* SPDX-License-Identifier: MIT */
/*
 * retry.h - when to try again
 *
 * Exponential back-off with jitter: RETRY_FIRST_MS, doubled each time up to
 * RETRY_MOST_MS, of which half is random, so that drives that failed together
 * do not come back together.  What the service asks for by Retry-After is
 * honoured (up to RETRY_AFTER_MOST_S: it may not park a drive for an hour).
 * What has failed for RETRY_CEILING_S without success is stuck: that parks a
 * drive, while trying goes on (Documentation/design.rst, "Parking and fencing"),
 * and ends a transfer.
 */
#ifndef LIB_RETRY_H
#define LIB_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#define RETRY_FIRST_MS 100u
#define RETRY_MOST_MS 5000u
#define RETRY_AFTER_MOST_S 60u
#define RETRY_CEILING_S 30u

struct retry {
	unsigned int failures; /* in a row */
	uint64_t since; /* of the first of them, monotonic ns */
	bool stuck;
	bool counted; /* the caller's: it has acted on stuck, */
	bool credential; /* and on this: it was the credential that was refused */
};

/*
 * Notes a failure that happened now, and returns how many ns to wait before the next
 * try.  @retry_after: seconds that the service asked for, or 0.  r->stuck says whether
 * the ceiling is passed.
 */
uint64_t retry_backoff(struct retry *r, unsigned int retry_after);

/* The same without clock and random source: at @now (loop_now()), with the random number
 * @jitter. */
uint64_t retry_failed(struct retry *r, uint64_t now, unsigned int retry_after, uint32_t jitter);

/* The longest wait, in ms, after @failures of them in a row; 0 after none. */
unsigned int retry_limit_ms(unsigned int failures);

static inline void retry_reset(struct retry *r)
{
	*r = (struct retry){ 0 };
}

#endif
