// SPDX-License-Identifier: MIT
#include "agent/pace.h"

#include "lib/loop.h"

#define FIRST_MS 100

unsigned int pace_refresh_s(unsigned int lifetime_s)
{
	unsigned int s = lifetime_s / 6;

	return s ? s : 1;
}

unsigned int pace_delay_ms(const struct pace *p, uint64_t now)
{
	uint64_t oldest = p->starts[p->next];
	unsigned int ms = 0;

	if (oldest && now - oldest < LOOP_SEC(PACE_WINDOW_S))
		return PACE_MOST_MS;
	for (unsigned int i = 0; i < p->failures && ms < PACE_MOST_MS; i++)
		ms = ms ? 2 * ms : FIRST_MS;
	return ms < PACE_MOST_MS ? ms : PACE_MOST_MS;
}

void pace_started(struct pace *p, uint64_t now)
{
	p->starts[p->next] = now;
	p->next = (p->next + 1) % PACE_STARTS;
}

void pace_succeeded(struct pace *p)
{
	p->failures = 0;
}

void pace_failed(struct pace *p)
{
	p->failures++;
}
