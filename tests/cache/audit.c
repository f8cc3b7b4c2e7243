// SPDX-License-Identifier: MIT
/* Whether queues, tables and counts agree. */
#include "model.h"

static unsigned int audit_queues(const struct cdrive_volume *volume)
{
	const struct cdrive_slots *slots = &volume->pool->slots;
	unsigned int queue, all = 0;

	for (queue = 0; queue < CDRIVE_QUEUES; queue++) {
		const struct cdrive_fifo *fifo = &volume->policy.queues[queue];
		u32 i, last = CDRIVE_NO_SLOT, n = 0;

		for (i = fifo->first; i != CDRIVE_NO_SLOT; i = cdrive_slot(slots, i)->next, n++) {
			const struct cdrive_cache_slot *slot = cdrive_slot(slots, i);

			if (slot->prev != last || slot->queue != queue)
				violated("a queue is broken", NULL);
			if (slot->owner != volume->owner)
				violated("a slot is in another's queue", NULL);
			if (cdrive_chunks_find(&volume->chunks, slots, slot->chunk) != i)
				violated("a slot is not found by its chunk", NULL);
			if ((queue == CDRIVE_QUEUE_EMPTY) !=
			    (!cdrive_slot_blocks(slot) && !slot->busy))
				violated("an empty slot is in the wrong queue", NULL);
			if (cdrive_slot_blocks(slot) & (slot->busy | slot->held))
				violated("a block is there that is being written", NULL);
			last = i;
		}
		if (fifo->last != last || fifo->count != n)
			violated("a queue is miscounted", NULL);
		all += n;
	}
	if (volume->chunks.count != all)
		violated("a table of chunks is miscounted", NULL);
	return all;
}

/* Slots that the file has, by who has them. */
static void audit_owners(u32 *of)
{
	u32 i;

	memset(of, 0, (U8_MAX + 1) * sizeof(*of));
	for (i = 0; i < SLOTS; i++) {
		const struct cdrive_cache_slot *slot;

		if (!cdrive_segment(&model.pool->slots, i))
			continue;
		slot = cdrive_slot(&model.pool->slots, i);
		of[slot->owner]++;
		if (i >= model.pool->size && slot->owner != CDRIVE_SLOT_UNUSED && !slot->pins &&
		    !slot->busy)
			violated("a slot that is out of bounds is somebody's", NULL);
	}
}

static void audit_pool(void)
{
	const struct cdrive_pool *pool = model.pool;
	u32 of[U8_MAX + 1], i, used = 0, reserved = 0, sharing = 0, count = 0;

	audit_owners(of);
	for (i = 0; i < CDRIVE_MAX_VOLUMES; i++) {
		const struct cdrive_volume *volume = pool->volumes[i];

		if (!volume)
			continue;
		count++;
		used += volume->used;
		reserved += volume->size;
		sharing += volume->shares && !volume->idle;
		if (of[volume->owner] != audit_queues(volume) || of[volume->owner] != volume->used)
			violated("a volume's slots are miscounted", NULL);
	}
	if (used != pool->used || reserved != pool->reserved || sharing != pool->sharing ||
	    count != pool->count)
		violated("the pool is miscounted", NULL);
	if (of[CDRIVE_SLOT_FREE] != pool->free.count || of[CDRIVE_SLOT_TAKEN])
		violated("slots are lost", NULL);
	if (reserved > pool->size)
		violated("more is reserved than there is", NULL);
}

void audit(void)
{
	model.quiet = true;
	audit_pool();
	model.quiet = false;
}
