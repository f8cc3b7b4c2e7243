// SPDX-License-Identifier: MIT
#include "drive/congestion.h"

#include <math.h>
#include <string.h>

#include "lib/retry.h"

#define SECOND 1000000000ull
#define QUARTER (SECOND / 4)

/* What is served is known when so many calls were. */
#define ENOUGH 16

/* What may be started at once after a while without calls: so much time's worth. */
#define BURST_NS (SECOND / 50)

/* A drive that has started nothing for so long was idle. */
#define IDLE_NS (SECOND / 10)

/* How much of what was served is asked for after a refusal; after a second one within
 * SOON_NS; and after a third …  A first estimate is too high where the service lets bursts
 * pass. */
#define AFTER_REFUSAL 0.95
#define AFTER_SECOND 0.85
#define AGAIN 0.7
#define SOON_NS (SECOND * 2)

/*
 * Growth in a second at full rate.  Near the ceiling it goes with the ceiling's root, so
 * that of two drives at one account the slower catches up, and accelerates: as much again
 * after GROWTH_TIME_S, four times as much after twice that, in case that the ceiling was
 * none.  Elsewhere it is a part of the rate.
 */
#define GROWTH_TIME_S 4.0
#define GROWTH_NEAR 0.15
#define GROWTH_LEAST 0.006
#define GROWTH_FAR 0.15
#define NEAR_FROM 0.93
#define NEAR_TO 1.08

/* Beyond this nothing is limited any more, cost a second. */
#define UNLIMITED 100000.0

static double cost(uint64_t bytes)
{
	return bytes <= CONGESTION_UNIT ? 1.0 : (double)bytes / CONGESTION_UNIT;
}

uint64_t congestion_delay(const struct congestion *c, uint64_t now)
{
	uint64_t at = c->hold;

	if (c->rate > 0 && c->next > at)
		at = c->next;
	return at > now ? at - now : 0;
}

/* Measuring begins anew. */
static void forget(struct congestion *c, uint64_t now)
{
	memset(c->served, 0, sizeof(c->served));
	c->since = c->slot = now / QUARTER;
	c->begun = now;
}

void congestion_started(struct congestion *c, uint64_t now, uint64_t bytes)
{
	double interval;

	/* What was served while little was asked for shows nothing. */
	if (now - c->started > IDLE_NS)
		forget(c, now);
	c->started = now;
	if (c->rate <= 0)
		return;
	if (c->next + BURST_NS < now)
		c->next = now - BURST_NS;
	interval = cost(bytes) / c->rate;
	if (interval > 1 / CONGESTION_LEAST)
		interval = 1 / CONGESTION_LEAST;
	c->next += (uint64_t)(interval * SECOND);
}

/* --- what is served ------------------------------------------------------- */

/* Moves on to the quarter of @now; those in between served nothing. */
static void turn(struct congestion *c, uint64_t now)
{
	uint64_t slot = now / QUARTER;

	if (!c->since || slot - c->slot > 4 * CONGESTION_SLOTS)
		forget(c, now);
	while (c->slot < slot)
		c->served[++c->slot % CONGESTION_SLOTS] = (struct congestion_slot){ 0 };
}

/* Cost a second: of the quarters before this one, as many as it takes for ENOUGH calls. */
static double measured(const struct congestion *c, uint64_t now)
{
	unsigned int slots = 0, calls = 0;
	double sum = 0;

	if (c->slot == c->since) { /* only part of this one is known */
		uint64_t ns = now - c->begun < BURST_NS ? BURST_NS : now - c->begun;

		return c->served[c->slot % CONGESTION_SLOTS].cost * SECOND / (double)ns;
	}
	for (uint64_t s = c->slot - 1; s >= c->since; s--) {
		const struct congestion_slot *slot = &c->served[s % CONGESTION_SLOTS];

		sum += slot->cost;
		calls += slot->calls;
		if (++slots == CONGESTION_SLOTS - 1 || calls >= ENOUGH)
			break;
	}
	return sum * 4 / slots;
}

/* --- the rate ------------------------------------------------------------- */

static void grow(struct congestion *c, uint64_t now, double served)
{
	double t = (double)(now - c->decreased) / SECOND / GROWTH_TIME_S;
	double by = GROWTH_FAR * c->rate;

	/* As long as nothing is known, or far below, it doubles every second. */
	if (c->rate < c->ceiling / 2 || c->ceiling <= 0)
		by = c->rate;
	else if (c->rate > c->ceiling * NEAR_FROM && c->rate < c->ceiling * NEAR_TO)
		by = fmax(GROWTH_NEAR * sqrt(c->ceiling), GROWTH_LEAST * c->ceiling) * (1 + t * t);
	c->rate += by * served / c->rate;
	if (c->rate > UNLIMITED)
		c->rate = 0;
}

void congestion_served(struct congestion *c, uint64_t now, uint64_t bytes)
{
	double served = cost(bytes);

	turn(c, now);
	c->served[c->slot % CONGESTION_SLOTS].cost += served;
	c->served[c->slot % CONGESTION_SLOTS].calls++;
	if (c->rate > 0)
		grow(c, now, served);
}

static void decrease(struct congestion *c, uint64_t now)
{
	double served = measured(c, now);

	c->decreases = c->decreased && now - c->decreased < SOON_NS ? c->decreases + 1 : 0;
	c->decreased = now;
	if (c->next < now)
		c->next = now;
	c->ceiling = served > AGAIN * c->ceiling ? served : AGAIN * c->ceiling;
	if (c->rate <= 0 || served < c->rate)
		c->rate = served;
	c->rate *= !c->decreases ? AFTER_REFUSAL : c->decreases == 1 ? AFTER_SECOND : AGAIN;
	if (c->rate > CONGESTION_LEAST)
		return;
	/* Nothing is served: that does not show what would be too much. */
	c->rate = CONGESTION_LEAST;
	c->ceiling = 0;
}

void congestion_refused(struct congestion *c, uint64_t now, uint64_t started,
			unsigned int retry_after)
{
	uint64_t hold;

	c->refused++;
	if (retry_after > RETRY_AFTER_MOST_S)
		retry_after = RETRY_AFTER_MOST_S;
	hold = now + retry_after * SECOND;
	if (retry_after && hold > c->hold)
		c->hold = hold;
	turn(c, now);
	if (!c->decreased || started > c->decreased)
		decrease(c, now);
}
