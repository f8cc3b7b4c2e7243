// SPDX-License-Identifier: MIT
#include "lib/retry.h"

uint64_t retry_failed(struct retry *r, uint64_t now, unsigned int retry_after, uint32_t chance)
{
	unsigned int doublings = r->failures < 16 ? r->failures : 16;
	uint64_t ms = (uint64_t)RETRY_FIRST_MS << doublings;

	if (!r->failures++)
		r->since = now;
	if (now - r->since >= RETRY_CEILING_S * 1000000000ull)
		r->stuck = true;
	if (ms > RETRY_MOST_MS)
		ms = RETRY_MOST_MS;
	ms = ms / 2 + chance % (ms / 2 + 1);
	if (retry_after > RETRY_AFTER_MOST_S)
		retry_after = RETRY_AFTER_MOST_S;
	if (ms < retry_after * 1000ull)
		ms = retry_after * 1000ull;
	return ms * 1000000ull;
}
