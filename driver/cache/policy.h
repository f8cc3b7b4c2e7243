/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy.h - which slot of a volume is given up: S3-FIFO (Yang et al., SOSP '23)
 *
 * What comes in goes to a small queue.  Who leaves it without a hit is gone, and
 * its chunk is remembered for a while; who had a hit, or comes back while it is remembered,
 * goes to the main queue, where a hit is good for another round.  So what is read once
 * passes through a tenth of the volume.  A hit sets one bit, and moves nothing.
 *
 * A slot of which nothing is left waits in a third queue, and is given up first; if
 * something is entered before that, it goes back to where it came from.
 *
 * The caller has the volume's lock.
 */
#ifndef _CDRIVE_CACHE_POLICY_H
#define _CDRIVE_CACHE_POLICY_H

#include <linux/types.h>

#include "slot.h"

/*
 * Chunks that were given up by the small queue: a table of short queues.  There is room for
 * as many as the volume has slots, to the next power of two.
 */
#define CDRIVE_GHOST_WAYS	8
#define CDRIVE_GHOST_FIRST	256	/* chunks, to begin with */

struct cdrive_ghosts {
	u32 size;	/* chunks */
	u32 *chunks;	/* + 1; 0: none */
};

struct cdrive_policy {
	struct cdrive_fifo queues[CDRIVE_QUEUES];
	struct cdrive_ghosts ghosts;
};

/* May sleep.  False: no memory. */
bool cdrive_policy_init(struct cdrive_policy *policy);
void cdrive_policy_free(struct cdrive_policy *policy);

/*
 * How many chunks a larger table of ghosts has to have; the caller allocates it, zeroed,
 * without the lock.  0: it is large enough.  What was remembered is forgotten.
 */
u32 cdrive_policy_wants_ghosts(const struct cdrive_policy *policy);
/* The table to be freed: the old one, or @chunks if somebody else was first. */
u32 *cdrive_policy_set_ghosts(struct cdrive_policy *policy, u32 *chunks, u32 size);

/* A slot that holds another chunk now. */
void cdrive_policy_add(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i);
/* The same, of what was kept: it had its hits before. */
void cdrive_policy_add_main(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i);
void cdrive_policy_remove(struct cdrive_policy *policy, const struct cdrive_slots *slots, u32 i);
/* Nothing is left in it, or something is again. */
void cdrive_policy_set_empty(struct cdrive_policy *policy, const struct cdrive_slots *slots,
			     u32 i, bool empty);

/* Removes one and says which; CDRIVE_NO_SLOT: those looked at are all pinned or busy. */
u32 cdrive_policy_evict(struct cdrive_policy *policy, const struct cdrive_slots *slots);

#endif /* _CDRIVE_CACHE_POLICY_H */
