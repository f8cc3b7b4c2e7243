/* SPDX-License-Identifier: MIT */
/*
 * rate.h - so much a second, and how long a call takes
 */
#ifndef DEVSTORE_RATE_H
#define DEVSTORE_RATE_H

#include <stdint.h>

/*
 * How long @amount must wait, in ns, at @rate a second (the generic cell rate
 * algorithm): *due is when all that was let through is due at this rate; a tenth of a
 * second's worth may run ahead of that.  A @rate of 0 is no limit.
 */
uint64_t ds_rate_take(uint64_t *due, double rate, double amount, uint64_t now);

/* splitmix64: the next of *seed's numbers; and one in (0, 1). */
uint64_t ds_rate_draw(uint64_t *seed);
double ds_rate_uniform(uint64_t *seed);
/* Nanoseconds, a minute at most, lognormal of this median and 99th percentile. */
uint64_t ds_rate_latency(uint64_t *seed, double median_ms, double p99_ms);

#endif
