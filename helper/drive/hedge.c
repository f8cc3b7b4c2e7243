// SPDX-License-Identifier: MIT
#include "drive/hedge.h"

/* Eight buckets for each power of two, from 2^10 ns on. */
#define FIRST_BIT 10u
#define PARTS 8u

static unsigned int bucket(uint64_t ns)
{
	unsigned int bit, b;

	if (ns < 1ull << FIRST_BIT)
		return 0;
	bit = 63 - (unsigned int)__builtin_clzll(ns);
	b = (bit - FIRST_BIT) * PARTS + (unsigned int)((ns >> (bit - 3)) & (PARTS - 1));
	return b < HEDGE_BUCKETS ? b : HEDGE_BUCKETS - 1;
}

/* Where the bucket ends. */
static uint64_t above(unsigned int b)
{
	unsigned int bit = b / PARTS + FIRST_BIT;

	return (1ull << bit) + (((uint64_t)(b % PARTS) + 1) << (bit - 3));
}

uint64_t hedge_after(const struct hedge *h)
{
	uint32_t later = 0;
	unsigned int b;
	uint64_t ns;

	if (h->total < HEDGE_KNOWN)
		return 0;
	for (b = HEDGE_BUCKETS - 1; b; b--) {
		later += h->count[b];
		if (later > h->total * HEDGE_SHARE)
			break;
	}
	ns = above(b);
	return ns < HEDGE_LEAST_NS ? HEDGE_LEAST_NS : ns;
}

void hedge_observe(struct hedge *h, uint64_t ns)
{
	h->count[bucket(ns)]++;
	h->allowance += HEDGE_SHARE;
	if (h->allowance > HEDGE_ALLOWANCE)
		h->allowance = HEDGE_ALLOWANCE;
	if (++h->total < HEDGE_MOST)
		return;
	h->total = 0;
	for (unsigned int i = 0; i < HEDGE_BUCKETS; i++) {
		h->count[i] /= 2;
		h->total += h->count[i];
	}
}

bool hedge_take(struct hedge *h)
{
	if (h->allowance < 1)
		return false;
	h->allowance -= 1;
	return true;
}
