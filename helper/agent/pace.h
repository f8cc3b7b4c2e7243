/* SPDX-License-Identifier: MIT */
/*
 * pace.h - when an agent acts: pure arithmetic
 */
#ifndef AGENT_PACE_H
#define AGENT_PACE_H

#include <stdint.h>

/* How long tokens live unless told otherwise: the paper's "20 to 30 minutes"
 * that a drive outlives its agent follow from this and the sixth. */
#define PACE_LIFETIME_S 1800

/* A fresh token this often: after 1/6 of the lifetime, but at most every second. */
unsigned int pace_refresh_s(unsigned int lifetime_s);

/*
 * New helpers: the first at once; after failures later and later, up to 5 s; and
 * one that dies again and again soon after it began waits as long.
 */
#define PACE_MOST_MS 5000
#define PACE_STARTS 5
#define PACE_WINDOW_S 10

struct pace {
	unsigned int failures; /* starts in a row that did not get the drive */
	uint64_t starts[PACE_STARTS]; /* when, ns; a ring */
	unsigned int next;
};

/* How long to wait with the next start, in ms. */
unsigned int pace_delay_ms(const struct pace *p, uint64_t now);
void pace_started(struct pace *p, uint64_t now);
void pace_succeeded(struct pace *p);
void pace_failed(struct pace *p);

#endif
