/* SPDX-License-Identifier: MIT */
/*
 * clock.h - time that goes when it is told to, for a program on the real loop
 *
 * The program is linked with --wrap for clock_gettime, epoll_pwait2 and getrandom:
 * our own code sees a clock that stands still but for a microsecond a look, so that
 * time-outs, back-off and leases cost no time, and chance that is the seed's.
 * (libcurl, a shared library, keeps the real clock: nothing here takes so long that
 * it would notice.)
 */
#ifndef LATE_CLOCK_H
#define LATE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock_ops {
	/* Whether somebody outside of this process is about to be heard. */
	bool (*busy)(void *arg);
	/* The loop would sleep: there is nothing to do. */
	void (*idle)(void *arg);
	/* Nobody was heard. */
	void (*silence)(void *arg);
};

/* Whoever is told from here on; NULL: the loop sleeps as ever, and time goes on. */
void clock_take(const struct clock_ops *ops, void *arg);

/* What chance begins with. */
void clock_chance(uint64_t seed);

/* In idle(): to the time that the loop would sleep until; false: for ever. */
bool clock_pass(void);

#endif
