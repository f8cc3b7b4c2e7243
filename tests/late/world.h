/* SPDX-License-Identifier: MIT */
/*
 * world.h - what lies between the machines and their blob, and time
 *
 * A schedule (schedule.h) decides what becomes of each call; a world makes it
 * so.  There are two: real.c, where calls go by HTTP through a proxy to a server,
 * and tests/unit/test_late.c, where the service is a few lines in memory.
 *
 * Nothing happens by itself: a world calls step() whenever all that could be
 * done has been done, and each step lets one thing happen.  Time too stands
 * still until a step lets it pass.  So a schedule depends on its seed alone.
 */
#ifndef LATE_WORLD_H
#define LATE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "lib/loop.h"

#define LATE_SECTORS 64u
#define LATE_MOST 16u /* sectors of a request */

/* What becomes of a call. */
enum fate {
	FATE_SERVE, /* it is executed, and the answer arrives */
	/* it is executed, but the connection is cut, the answer is cut short, or
	 * somebody on the way says 503 */
	FATE_LOSE,
	FATE_LOSE_HALF,
	FATE_LOSE_BUSY,
	/* it becomes a stray: the connection is cut, somebody says 503, or nothing
	 * is heard of it */
	FATE_HOLD,
	FATE_HOLD_BUSY,
	FATE_HOLD_SILENTLY,
	/* it is never executed: the connection is cut, or 503 */
	FATE_DROP,
	FATE_DROP_BUSY,
	FATES
};

struct late_counts {
	uint64_t schedules, steps;
	uint64_t acked, reads; /* writes acknowledged; reads compared */
	uint64_t scribbled; /* whose bytes changed on the way, of the writes */
	uint64_t served, lost, held, dropped; /* calls, by fate */
	uint64_t released; /* held writes that were let go, of which */
	uint64_t landed; /*     were executed */
	uint64_t stale; /*      were refused for their number */
	uint64_t unleased; /*   were refused for their lease */
	uint64_t twice; /* copies among them */
	uint64_t deaths, resumed, opened, forced, failed, fenced, forgotten, usurped, looks;
};

struct world;

struct world_ops {
	/* Calls that wait for their fate; strays. */
	unsigned int (*pending)(struct world *w);
	void (*deal)(struct world *w, unsigned int call, enum fate fate);
	unsigned int (*strays)(struct world *w);
	/* Lets a stray go, and keeps a copy of it. */
	void (*release)(struct world *w, unsigned int stray, bool twice);
	/* Time goes on to the next timer; false: there is none. */
	bool (*pass)(struct world *w);
	/* Lets step() be called until @until is true. */
	void (*run)(struct world *w, const bool *until);
	/* Whoever waits for a call has waited in vain. */
	void (*interrupt)(struct world *w);
	/* What the blob's sectors hold, as somebody apart reads it; 0 or -1. */
	int (*look)(struct world *w, uint64_t version[LATE_SECTORS]);
	/* The lease ends: by release, or by expiry, where that can be made. */
	void (*forget)(struct world *w, const char *lease_id, bool expire);
};

struct world {
	const struct world_ops *ops;
	struct loop *loop;
	struct az_blob blob; /* the drive's, without a lease */
	void (*step)(void *arg);
	void *arg;
	struct late_counts *counts;
	bool transparent; /* a look costs nothing */
	char broken[512]; /* the world itself failed: nothing is proved */
};

#endif
