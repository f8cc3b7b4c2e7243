// SPDX-License-Identifier: MIT
#include "devstore/faults/rate.h"

#include <math.h>

#define SECOND 1e9

uint64_t ds_rate_take(uint64_t *due, double rate, double amount, uint64_t now)
{
	uint64_t ahead = now + (uint64_t)(SECOND / 10), wait;

	if (rate <= 0)
		return 0;
	if (*due < now)
		*due = now;
	wait = *due > ahead ? *due - ahead : 0;
	*due += (uint64_t)(amount / rate * SECOND);
	return wait;
}

uint64_t ds_rate_draw(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

double ds_rate_uniform(uint64_t *seed)
{
	return ((double)(ds_rate_draw(seed) >> 11) + 0.5) / 9007199254740992.0;
}

/* exp(mu + sigma N): its median is exp(mu), its 99th percentile
 * exp(mu + 2.326 sigma).  N by Box and Muller. */
uint64_t ds_rate_latency(uint64_t *seed, double median_ms, double p99_ms)
{
	double radius = sqrt(-2 * log(ds_rate_uniform(seed)));
	double normal = radius * cos(2 * M_PI * ds_rate_uniform(seed));
	double sigma = p99_ms > median_ms ? log(p99_ms / median_ms) / 2.3263479 : 0;
	double ms = median_ms * exp(sigma * normal);

	return (uint64_t)((ms < 60000 ? ms : 60000) * 1e6);
}
