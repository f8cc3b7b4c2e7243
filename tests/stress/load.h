/* SPDX-License-Identifier: MIT */
/*
 * load.h - the applications: threads that read and write a drive, and verify it
 *
 * Each has a part of the drive to itself and knows what must be there: sectors are
 * stamped with where they belong and their version.  What failed may have happened, or
 * not.
 */
#ifndef STRESS_LOAD_H
#define STRESS_LOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct load;

/* What whoever plays with the drive knows of it. */
struct weather {
	/* Odd: what is asked of the drive now must not end, neither well nor badly,
	 * while this stays the same. */
	atomic_uint still;
	/* Set before anything can fail, and after everything must. */
	atomic_bool may_fail, must_fail;
};

/* On /dev/cdrive@index, which is there. */
struct load *load_start(unsigned int index, uint64_t serial, uint64_t seed,
			struct weather *weather);

/* Requests that ended so far, well or badly. */
unsigned long load_ended(const struct load *l);

/* Gives up when an operation has been under way for too long. */
void load_check_stuck(const struct load *l);

/* Ends it: what is under way must end by itself. */
void load_stop(struct load *l);

#endif
