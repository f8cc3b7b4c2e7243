// SPDX-License-Identifier: GPL-2.0-only
#include "request.h"

#include <linux/minmax.h>
#include <linux/sizes.h>

#include "cache.h"
#include "fill.h"
#include "queue.h"

/* The part that it has told, if that is the drive's still. */
static struct cdrive_cached *cdrive_cached_of(struct cdrive_queue *queue,
					      struct cdrive_rq *crq)
{
	struct cdrive_cached *c = queue->cached;

	return c && c == crq->cache.cached ? c : NULL;
}

/*
 * A file that is much slower than the service is not read, as long as there is a service
 * to ask instead.  What it takes is then measured by other reads than a request's.
 */
static bool cdrive_cached_bypasses(struct cdrive_queue *queue,
				   struct cdrive_cached *c, struct cdrive_rq *crq,
				   u64 now)
{
	struct cdrive_cache *cache = c->cache;

	if (likely(!cdrive_speed_is_slow(&cache->speed, c->service_ns,
					 ktime_get_ns())) ||
	    !cdrive_standing_forwards(&queue->standing, now))
		return false;
	cdrive_hit_probe(c, crq);
	cdrive_volume_unpin(c->volume, crq->desc.sector, crq->desc.sectors);
	atomic64_inc(&c->bypassed);
	atomic64_add((u64)crq->desc.sectors << SECTOR_SHIFT, &c->bypassed_bytes);
	return true;
}

static void cdrive_cached_note(struct cdrive_cached *c, struct cdrive_rq *crq,
			       bool fills)
{
	crq->cache.fills = fills && !cdrive_cache_has_failed(c->cache);
	if (crq->cache.fills)
		crq->cache.generation = cdrive_volume_read(c->volume,
							   crq->desc.sector,
							   crq->desc.sectors);
	else
		cdrive_volume_note(c->volume, CDRIVE_VOLUME_SKIPPED);
}

static bool cdrive_cached_arrive_read(struct cdrive_queue *queue,
				      struct cdrive_cached *c,
				      struct cdrive_rq *crq)
{
	u64 sector = crq->desc.sector, now = cdrive_lease_now();
	u32 sectors = crq->desc.sectors;
	bool run, hit = false;

	run = cdrive_volume_is_run(c->volume, sector, sectors);
	if (!cdrive_cache_has_failed(c->cache) &&
	    cdrive_standing_completes(&queue->standing, now))
		hit = cdrive_volume_hit(c->volume, sector, sectors);
	if (hit && !cdrive_cached_bypasses(queue, c, crq, now)) {
		refcount_inc(&c->active);	/* not 0: it is the drive's */
		return true;
	}
	cdrive_cached_note(c, crq, !run && !hit);
	return false;
}

/* Of a discard nothing is entered: what a block then holds is for the service to say. */
static void cdrive_cached_arrive_write(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	u64 sector = crq->desc.sector;
	u32 sectors = crq->desc.sectors;

	c->validator[0] = '\0';
	crq->cache.fills = cdrive_volume_write(c->volume, sector, sectors) &&
			   crq->desc.op == CDRIVE_OP_WRITE &&
			   !cdrive_cache_has_failed(c->cache);
	/* Of what is not entered it is no matter whether it was alone; 0 is none. */
	crq->cache.generation = crq->cache.fills ?
			cdrive_volume_read(c->volume, sector, sectors) : 0;
}

bool cdrive_cached_arrive(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	struct cdrive_cached *c = queue->cached;

	crq->cache.cached = c;
	crq->cache.fills = false;
	crq->cache.shadow = NULL;
	if (!c)
		return false;
	kref_get(&c->ref);
	if (crq->desc.op == CDRIVE_OP_READ)
		return cdrive_cached_arrive_read(queue, c, crq);
	cdrive_cached_arrive_write(c, crq);
	return false;
}

void cdrive_cached_miss(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	struct cdrive_cached *c = cdrive_cached_of(queue, crq);

	if (c)
		cdrive_cached_note(c, crq, true);
}

void cdrive_cached_sent(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	if (!queue->cached)
		return;
	crq->cache.sent_ns = ktime_get_ns();
	/* What another helper has copied counts no more than what it has filled. */
	if (crq->cache.shadow)
		cdrive_shadow_reset(crq->cache.shadow);
}

void cdrive_cached_answered(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	struct cdrive_cached *c = cdrive_cached_of(queue, crq);

	if (c && crq->desc.op == CDRIVE_OP_READ && !crq->status &&
	    crq->cache.sent_ns)
		c->service_ns = cdrive_average(c->service_ns,
					       ktime_get_ns() - crq->cache.sent_ns);
}

void cdrive_cached_leave(struct cdrive_queue *queue, struct cdrive_rq *crq)
{
	struct cdrive_cached *c = cdrive_cached_of(queue, crq);

	if (c && crq->desc.op != CDRIVE_OP_READ)
		crq->cache.generation = cdrive_volume_written(c->volume,
							      crq->desc.sector,
							      crq->desc.sectors,
							      crq->cache.generation);
}

struct cdrive_cached_rest cdrive_cached_take(struct cdrive_rq *crq, bool ok)
{
	struct cdrive_cached_rest rest = {
		.cached = crq->cache.cached,
		.shadow = crq->cache.shadow,
		.fills = ok && READ_ONCE(crq->cache.fills),
	};

	if (rest.shadow)
		cdrive_shadow_describe(rest.shadow, crq);
	crq->cache.cached = NULL;
	crq->cache.shadow = NULL;
	return rest;
}

void cdrive_cached_fill(struct cdrive_cached_rest *rest)
{
	if (!rest->cached)
		return;
	if (rest->fills)
		cdrive_shadow_enter(rest->shadow, rest->cached);
	else
		cdrive_shadow_free(rest->shadow);
	cdrive_cached_put(rest->cached);
}

static bool cdrive_cached_is_written_to(const struct cdrive_table *table)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		const struct cdrive_rq *crq = table->slots[i].crq;

		if (crq && crq->desc.op != CDRIVE_OP_READ)
			return true;
	}
	return false;
}

/* Pieces that are whole regions, so that each is a matter of their number. */
#define CDRIVE_FORGET_SECTORS	SZ_2G

/*
 * A read that the helper or the file has under way began before, and may end with what was
 * there then; but of what it brings nothing is entered any more.
 */
void cdrive_cached_forget(struct cdrive_queue *queue)
{
	struct cdrive_cached *c = queue->cached;
	u64 sector, left;

	if (!c)
		return;
	c->validator[0] = '\0';
	for (sector = 0; sector < c->sectors; sector += CDRIVE_FORGET_SECTORS) {
		left = c->sectors - sector;
		cdrive_volume_write(c->volume, sector,
				    min_t(u64, left, CDRIVE_FORGET_SECTORS));
	}
}

int cdrive_cached_set_validator(struct cdrive_queue *queue, const char *validator)
{
	struct cdrive_cached *c = queue->cached;

	if (!c)
		return -ENODEV;
	if (cdrive_cached_is_written_to(&queue->table))
		return -EBUSY;
	strscpy(c->validator, validator, sizeof(c->validator));
	return 0;
}

/*
 * A write that has not ended may yet change what is read from now on.  A read may have been
 * answered before the last write ended, of which this part knows nothing.
 */
void cdrive_cached_adopt(struct cdrive_cached *c, struct cdrive_table *table)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		struct cdrive_rq *crq = table->slots[i].crq;

		if (!crq)
			continue;
		if (crq->desc.op == CDRIVE_OP_READ) {
			WRITE_ONCE(crq->cache.fills, false);
			continue;
		}
		if (crq->cache.cached)
			cdrive_cached_put(crq->cache.cached);
		crq->cache.cached = c;
		kref_get(&c->ref);
		cdrive_cached_arrive_write(c, crq);
		WRITE_ONCE(crq->cache.fills, false);
	}
}
