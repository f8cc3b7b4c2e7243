/* SPDX-License-Identifier: MIT */
/*
 * hedge.h - when a read is late enough to be asked for a second time
 *
 * A service that answers most reads in 5 ms answers some in 200.  A read that is later
 * than nineteen in twenty are is asked for again, on another connection, and whichever
 * answer comes first serves ("hedged requests", Dean and Barroso, The Tail at Scale).
 * Writes never are: a second copy of one is what the sequence number is there to prevent.
 *
 * How late that is, the latencies of the last thousand or so reads tell: a histogram, an
 * eighth of a power of two a bucket, all of whose counts are halved when there are enough.
 * However they are distributed, at most one call in twenty is a second one: an allowance
 * grows by a twentieth with each read, so that a service which slows down as a whole gets
 * no second load on top.
 *
 * Pure arithmetic: the caller brings the latencies (ns).
 */
#ifndef DRIVE_HEDGE_H
#define DRIVE_HEDGE_H

#include <stdbool.h>
#include <stdint.h>

#define HEDGE_BUCKETS 256u
#define HEDGE_KNOWN 100u /* reads, before anything is said */
#define HEDGE_MOST 1000u /* reads in the histogram, before it is halved */
#define HEDGE_ALLOWANCE 8.0 /* second reads in a row at the most */
#define HEDGE_SHARE 0.05

/* A read is never late before: a wake-up on a busy machine takes that long. */
#define HEDGE_LEAST_NS 5000000ull

struct hedge {
	uint32_t count[HEDGE_BUCKETS];
	uint32_t total;
	double allowance;
};

/* After how many ns a read is late; 0: not known yet. */
uint64_t hedge_after(const struct hedge *h);

/* A read ended after @ns.  One whose second copy was faster counts with the time that it
 * had taken by then. */
void hedge_observe(struct hedge *h, uint64_t ns);

/* Whether another second read is allowed; it is counted. */
bool hedge_take(struct hedge *h);

#endif
