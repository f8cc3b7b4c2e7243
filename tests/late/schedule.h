/* SPDX-License-Identifier: MIT */
/*
 * schedule.h - one random history of a blob, and what must be true of it
 *
 * Up to three machines mount one blob, by turns and by force, and read, write and
 * discard in it, overlapping, many at once.  Answers are lost; calls are held
 * and let go later, in another order, or twice; helpers die and are followed by
 * others; leases end.  Throughout:
 *
 *  - a sector holds what was acknowledged last, or what a request in flight
 *    would make of it, and nothing else;
 *  - a read answers what was acknowledged last;
 *  - a machine that takes the blob over finds everything that the one before it
 *    was told had been written, and from then on nothing of that one lands, nor
 *    is anything of it acknowledged;
 *  - in the end, once all that was held has been let go, the blob holds on
 *    every sector what was acknowledged last.
 *
 * One thing is not asked for: a call that was *answered* is not repeated.  No
 * condition could tell a repetition under the same number from the first.
 */
#ifndef LATE_SCHEDULE_H
#define LATE_SCHEDULE_H

#include "machine.h"
#include "world.h"

#define MACHINES 3u
#define MAYBE_MOST 64u
#define UNKNOWN_MOST 8u

struct schedule {
	struct world *world;
	struct late_counts *counts;
	uint64_t dice;

	/* what kind it is */
	unsigned int machines, depth, luck, steps;
	/* One step in so many; 0: never. */
	unsigned int deaths, takeovers, forgets, scribbles;
	bool forces; /* machines mount by force */

	struct machine machine[MACHINES];
	struct machine *to_open; /* as soon as nobody is being waited for */
	bool to_force, to_close;
	bool opening; /* somebody is */
	/* Once ending, nothing goes wrong any more, and then nobody asks for more. */
	enum { LATE_ALONG, LATE_ENDING, LATE_LETTING_GO } phase;
	bool stop; /* world->ops->run() */
	unsigned int step, grace; /* steps so far; and since ending */

	/* what the blob holds */
	uint64_t versions;
	uint64_t acked[LATE_SECTORS];
	struct {
		unsigned int n;
		uint64_t version[MAYBE_MOST];
	} maybe[LATE_SECTORS]; /* of machines that lost it; nobody knows */
	struct machine_slot unknown[UNKNOWN_MOST]; /* acknowledged, as one of several versions */
	unsigned int unknowns;

	char violation[256]; /* the first */
};

/* Runs the schedule of @seed in @world, whose blob is empty; NULL, or what was
 * violated.  @steps: 0 for as many as the seed says. */
const char *schedule_run(struct schedule *s, struct world *world, uint64_t seed,
			 unsigned int steps);

#endif
