// SPDX-License-Identifier: MIT
#include "lib/retry.h"

#include <sys/random.h>

#include "lib/loop.h"

unsigned int retry_limit_ms(unsigned int failures)
{
	unsigned int ms = RETRY_FIRST_MS;

	if (!failures)
		return 0;
	while (--failures && ms < RETRY_MOST_MS)
		ms *= 2;
	return ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
}

uint64_t retry_failed(struct retry *r, uint64_t now, unsigned int retry_after, uint32_t jitter)
{
	uint64_t ms;

	if (!r->failures++)
		r->since = now;
	if (now - r->since >= LOOP_SEC(RETRY_CEILING_S))
		r->stuck = true;
	ms = retry_limit_ms(r->failures);
	ms = ms / 2 + jitter % (ms / 2 + 1);
	if (retry_after > RETRY_AFTER_MOST_S)
		retry_after = RETRY_AFTER_MOST_S;
	if (ms < retry_after * 1000ull)
		ms = retry_after * 1000ull;
	return LOOP_MS(ms);
}

uint64_t retry_backoff(struct retry *r, unsigned int retry_after)
{
	uint64_t now = loop_now();
	uint32_t jitter;

	/* The kernel's random numbers may not be ready when a machine starts. */
	if (getrandom(&jitter, sizeof(jitter), GRND_NONBLOCK) != sizeof(jitter))
		jitter = (uint32_t)now;
	return retry_failed(r, now, retry_after, jitter);
}
