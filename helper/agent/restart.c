// SPDX-License-Identifier: MIT
#include "agent/restart.h"

#include "lib/loop.h"

unsigned int restart_delay_ms(const struct restart *r, uint64_t now)
{
	uint64_t oldest = r->starts[r->next];

	if (oldest && now - oldest < LOOP_SEC(RESTART_WINDOW_S))
		return RETRY_MOST_MS;
	return retry_limit_ms(r->failures);
}

void restart_started(struct restart *r, uint64_t now)
{
	r->starts[r->next] = now;
	r->next = (r->next + 1) % RESTART_STARTS;
}

void restart_succeeded(struct restart *r)
{
	r->failures = 0;
}

void restart_failed(struct restart *r)
{
	r->failures++;
}
