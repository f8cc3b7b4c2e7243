// SPDX-License-Identifier: GPL-2.0-only
#include "policy.h"

#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#define SMALL_DIVISOR	10	/* of the volume is the small queue's */
#define MAX_STEPS	256	/* of one eviction, as others wait for the lock */
#define MAX_PINNED	8	/* empty ones that are looked at */

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

static enum cdrive_slot_queue cdrive_policy_next(const struct cdrive_policy *policy, bool empty)
{
	u32 small = policy->queues[CDRIVE_QUEUE_SMALL].count;
	u32 main = policy->queues[CDRIVE_QUEUE_MAIN].count;

	if (empty && policy->queues[CDRIVE_QUEUE_EMPTY].count)
		return CDRIVE_QUEUE_EMPTY;
	if (small && (!main || small > (small + main) / SMALL_DIVISOR))
		return CDRIVE_QUEUE_SMALL;
	return main ? CDRIVE_QUEUE_MAIN : CDRIVE_QUEUE_NONE;
}

/*
 * Looks at the first of a queue.  True: it may go.  Else it has another place now.  @patient:
 * a hit is good for another round.
 */
static bool cdrive_policy_step(struct cdrive_policy *policy, const struct cdrive_slots *slots,
			       enum cdrive_slot_queue queue, bool patient)
{
	u32 i = policy->queues[queue].first;
	struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

	if (!slot->pins && !slot->busy && !(patient && slot->hit && queue != CDRIVE_QUEUE_EMPTY))
		return true;
	cdrive_policy_remove(policy, slots, i);
	if (queue == CDRIVE_QUEUE_EMPTY) {
		cdrive_policy_put(policy, slots, i, queue);
	} else {
		slot->main |= slot->hit;
		slot->hit = false;
		cdrive_policy_put(policy, slots, i,
				  slot->main ? CDRIVE_QUEUE_MAIN : CDRIVE_QUEUE_SMALL);
	}
	return false;
}

u32 cdrive_policy_evict(struct cdrive_policy *policy, const struct cdrive_slots *slots)
{
	unsigned int step;

	for (step = 0; step < 2 * MAX_STEPS; step++) {
		enum cdrive_slot_queue queue = cdrive_policy_next(policy, step < MAX_PINNED);
		u32 i;

		if (queue == CDRIVE_QUEUE_NONE)
			break;
		if (!cdrive_policy_step(policy, slots, queue, step < MAX_STEPS))
			continue;
		i = policy->queues[queue].first;
		cdrive_policy_remove(policy, slots, i);
		if (queue == CDRIVE_QUEUE_SMALL)
			cdrive_ghosts_add(&policy->ghosts, cdrive_slot(slots, i)->chunk);
		return i;
	}
	return CDRIVE_NO_SLOT;
}
