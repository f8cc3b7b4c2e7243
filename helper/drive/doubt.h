/* SPDX-License-Identifier: MIT */
/*
 * doubt.h - writes that may land yet
 *
 * A write whose answer was lost, or was no clear one, is in doubt: it was executed, or
 * never will be, or is still on its way and lands later.  Only a raised sequence number
 * ends that, as the service refuses then what names the old one.
 *
 * But raising costs: nothing may be in flight then, or it comes back refused.  And as long
 * as the range holds just those bytes, it harms nobody when they land once more.  So the
 * range, with the checksum of what was sent, is kept in a list:
 *
 *	the same bytes to the same range	may be sent at once, under the same number.
 *		When that is answered the write is done, and stays in the list
 *	anything else that overlaps		waits until the number is raised: else what is
 *		in doubt could land after it, and undo it
 *	the rest				is sent as if nothing were
 *
 * A raise that succeeded empties the list.  It happens before something overlaps, when the
 * list is full, or when there is nothing else to do (store.c).  A helper that adopts the
 * drive, and a machine that takes it over, raise the number first of all; so the list need
 * not outlive its helper.
 *
 * Documentation/design.rst, "Lost answers", has the argument; tests/late the schedules.
 */
#ifndef DRIVE_DOUBT_H
#define DRIVE_DOUBT_H

#include <stdbool.h>
#include <stdint.h>

/* A service that refuses one write in three seconds fills it in an hour. */
#define DOUBTS_MOST 1024u

struct doubts {
	struct doubt {
		uint64_t offset, len; /* bytes of the blob */
		const void *of; /* the request that it will be repeated for, or NULL */
	} list[DOUBTS_MOST];
	unsigned int n;
};

/* A write of @of to the range is in doubt.  A full list stays as it is: the number is to be
 * raised before anything else is sent. */
void doubts_add(struct doubts *d, uint64_t offset, uint64_t len, const void *of);

bool doubts_full(const struct doubts *d);

/* Whether something in doubt overlaps the range, but for what is @of's own. */
bool doubts_overlap(const struct doubts *d, uint64_t offset, uint64_t len, const void *of);

/* The request has ended, or its bytes are others now: what is in doubt of it is nobody's. */
void doubts_disown(struct doubts *d, const void *of);

/* The number was raised. */
void doubts_end(struct doubts *d);

#endif
