// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#define SMALL_DIVISOR	10	/* of the volume is the small queue's */
#define MAX_STEPS	256	/* of one eviction, as others wait for the lock */
#define MAX_IN_USE	64u	/* that are met in a queue */

bool cdrive_policy_init(struct cdrive_policy *policy)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_QUEUES; i++)
		cdrive_fifo_init(&policy->queues[i]);
	policy->ghosts.size = CDRIVE_GHOST_FIRST;
	policy->ghosts.chunks = kvcalloc(CDRIVE_GHOST_FIRST, sizeof(u32), GFP_KERNEL);
	return policy->ghosts.chunks;
}

void cdrive_policy_free(struct cdrive_policy *policy)
{
	kvfree(policy->ghosts.chunks);
}

/* --- ghosts ---------------------------------------------------------------- */

static u32 cdrive_policy_count(const struct cdrive_policy *policy)
{
	return policy->queues[CDRIVE_QUEUE_SMALL].count + policy->queues[CDRIVE_QUEUE_MAIN].count;
}

u32 cdrive_policy_wants_ghosts(const struct cdrive_policy *policy)
{
	u32 count = cdrive_policy_count(policy);

	return count > policy->ghosts.size ? roundup_pow_of_two(count) : 0;
}

u32 *cdrive_policy_set_ghosts(struct cdrive_policy *policy, u32 *chunks, u32 size)
{
	u32 *old = policy->ghosts.chunks;

	if (size <= policy->ghosts.size)
		return chunks;
	policy->ghosts.chunks = chunks;
	policy->ghosts.size = size;
	return old;
}

/* The short queue that a chunk belongs to; the newest is the first. */
static u32 *cdrive_ghosts_of(const struct cdrive_ghosts *ghosts, u32 chunk)
{
	u32 queues = ghosts->size / CDRIVE_GHOST_WAYS;

	return &ghosts->chunks[(cdrive_hash(chunk) & (queues - 1)) * CDRIVE_GHOST_WAYS];
}

static void cdrive_ghosts_add(struct cdrive_ghosts *ghosts, u32 chunk)
{
	u32 *ghost = cdrive_ghosts_of(ghosts, chunk);

	memmove(ghost + 1, ghost, (CDRIVE_GHOST_WAYS - 1) * sizeof(*ghost));
	*ghost = chunk + 1;
}

/* Whether it was remembered; it is not any more. */
static bool cdrive_ghosts_take(struct cdrive_ghosts *ghosts, u32 chunk)
{
	u32 *ghost = cdrive_ghosts_of(ghosts, chunk);
	unsigned int i;

	for (i = 0; i < CDRIVE_GHOST_WAYS; i++) {
		if (ghost[i] != chunk + 1)
			continue;
		memmove(ghost + i, ghost + i + 1,
			(CDRIVE_GHOST_WAYS - 1 - i) * sizeof(*ghost));
		ghost[CDRIVE_GHOST_WAYS - 1] = 0;
		return true;
	}
	return false;
}

/* --- queues ------------------------------------------------------------------ */

static void cdrive_policy_put(struct cdrive_policy *policy, const struct cdrive_slots *slots,
			      u32 i, enum cdrive_slot_queue queue)
{
	cdrive_slot(slots, i)->queue = queue;
	cdrive_fifo_add(&policy->queues[queue], slots, i);
}

void cdrive_policy_remove(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

	cdrive_fifo_remove(&policy->queues[slot->queue], slots, i);
	slot->queue = CDRIVE_QUEUE_NONE;
}

static void cdrive_policy_begin(struct cdrive_policy *policy, const struct cdrive_slots *slots,
				u32 i, bool main)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

	slot->hit = false;
	slot->main = main;
	cdrive_policy_put(policy, slots, i, main ? CDRIVE_QUEUE_MAIN : CDRIVE_QUEUE_SMALL);
}

void cdrive_policy_add(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i)
{
	bool known = cdrive_ghosts_take(&policy->ghosts, cdrive_slot(slots, i)->chunk);

	cdrive_policy_begin(policy, slots, i, known);
}

void cdrive_policy_add_main(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i)
{
	cdrive_policy_begin(policy, slots, i, true);
}

void cdrive_policy_set_empty(struct cdrive_policy *policy, const struct cdrive_slots *slots,
			     u32 i, bool empty)
{
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);
	bool was_empty = slot->queue == CDRIVE_QUEUE_EMPTY;

	if (empty == was_empty)
		return;
	cdrive_policy_remove(policy, slots, i);
	if (empty)
		cdrive_policy_put(policy, slots, i, CDRIVE_QUEUE_EMPTY);
	else
		cdrive_policy_put(policy, slots, i,
				  slot->main ? CDRIVE_QUEUE_MAIN : CDRIVE_QUEUE_SMALL);
}

/* --- eviction ------------------------------------------------------------------ */

/* One search for a slot that may go. */
struct cdrive_search {
	unsigned int steps;
	unsigned int in_use[CDRIVE_QUEUES];	/* that were met */
};

/* A queue of which many are pinned or busy is left alone. */
static bool cdrive_policy_may_have(const struct cdrive_policy *policy,
				   const struct cdrive_search *search,
				   enum cdrive_slot_queue queue)
{
	return search->in_use[queue] < min(policy->queues[queue].count, MAX_IN_USE);
}

static enum cdrive_slot_queue cdrive_policy_next(const struct cdrive_policy *policy,
						 const struct cdrive_search *search)
{
	bool small = cdrive_policy_may_have(policy, search, CDRIVE_QUEUE_SMALL);
	bool main = cdrive_policy_may_have(policy, search, CDRIVE_QUEUE_MAIN);

	if (cdrive_policy_may_have(policy, search, CDRIVE_QUEUE_EMPTY))
		return CDRIVE_QUEUE_EMPTY;
	if (small && (!main || policy->queues[CDRIVE_QUEUE_SMALL].count >
			       cdrive_policy_count(policy) / SMALL_DIVISOR))
		return CDRIVE_QUEUE_SMALL;
	return main ? CDRIVE_QUEUE_MAIN : CDRIVE_QUEUE_NONE;
}

/* Looks at the first of a queue.  True: it may go.  Else it has another place now. */
static bool cdrive_policy_step(struct cdrive_policy *policy, const struct cdrive_slots *slots,
			       struct cdrive_search *search, enum cdrive_slot_queue queue)
{
	u32 i = policy->queues[queue].first;
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);
	bool in_use = slot->pins || slot->busy;
	bool stays = slot->hit && queue != CDRIVE_QUEUE_EMPTY;

	/* With so many hits any will do. */
	if (!in_use && (!stays || search->steps > MAX_STEPS))
		return true;
	search->in_use[queue] += in_use;
	cdrive_policy_remove(policy, slots, i);
	if (stays) {
		slot->main = true;
		slot->hit = false;
		queue = CDRIVE_QUEUE_MAIN;
	}
	cdrive_policy_put(policy, slots, i, queue);
	return false;
}

u32 cdrive_policy_evict(struct cdrive_policy *policy, const struct cdrive_slots *slots)
{
	struct cdrive_search search = {};
	enum cdrive_slot_queue queue;
	u32 i;

	do {
		search.steps++;
		queue = cdrive_policy_next(policy, &search);
		if (queue == CDRIVE_QUEUE_NONE)
			return CDRIVE_NO_SLOT;
	} while (!cdrive_policy_step(policy, slots, &search, queue));

	i = policy->queues[queue].first;
	cdrive_policy_remove(policy, slots, i);
	if (queue == CDRIVE_QUEUE_SMALL)
		cdrive_ghosts_add(&policy->ghosts, cdrive_slot(slots, i)->chunk);
	return i;
}
