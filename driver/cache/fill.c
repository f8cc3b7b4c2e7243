// SPDX-License-Identifier: GPL-2.0-only
#include "fill.h"

#include <linux/blk-mq.h>
#include <linux/kref.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "buffer.h"
#include "cache.h"
#include "compat.h"
#include "payload.h"
#include "queue.h"
#include "trace.h"

/* Whoever copies may be the one that reclaim waits for, or have the reserves at hand. */
#define CDRIVE_SHADOW_GFP	(GFP_NOWAIT | __GFP_NOWARN | __GFP_NORETRY | \
				 __GFP_NOMEMALLOC)

/* What a read's data was copied in may be so many pieces that don't adjoin. */
#define CDRIVE_SHADOW_PARTS	8

struct cdrive_part {
	u32 begin, end;		/* bytes of the request */
};

struct cdrive_shadow {
	struct cdrive_buffer *buffer;	/* whole blocks */
	u32 head;			/* in it, where the request begins */

	spinlock_t lock;		/* of the parts: several may copy */
	unsigned int parts;
	bool scattered;			/* too many */
	struct cdrive_part part[CDRIVE_SHADOW_PARTS];

	/* Once the request has ended: */
	bool write;
	u64 sector;
	u32 sectors;
	u64 generation;
	struct cdrive_cached *cached;
	struct llist_node node;		/* to be written, or written */
	atomic_t under_way;		/* writes, and one until all are submitted */
	int err;
	unsigned int count;
	struct cdrive_extent *extents;	/* these three: one allocation */
	u32 *crc;
	struct cdrive_io *ios;
};

static atomic_t cdrive_shadow_bytes = ATOMIC_INIT(0);

void cdrive_shadow_free(struct cdrive_shadow *shadow)
{
	if (!shadow)
		return;
	atomic_sub(shadow->buffer->len, &cdrive_shadow_bytes);
	cdrive_buffer_free(shadow->buffer);
	kfree(shadow->ios);
	kfree(shadow);
}

static struct cdrive_shadow *cdrive_shadow_new(u64 sector, u32 bytes)
{
	u32 head = (sector << SECTOR_SHIFT) % CDRIVE_CACHE_BLOCK;
	u32 len = round_up(head + bytes, CDRIVE_CACHE_BLOCK);
	struct cdrive_shadow *shadow = NULL;

	if (atomic_add_return(len, &cdrive_shadow_bytes) <= CDRIVE_MAX_SHADOWS)
		shadow = kzalloc(sizeof(*shadow), CDRIVE_SHADOW_GFP);
	if (shadow)
		shadow->buffer = cdrive_buffer_new(len, CDRIVE_SHADOW_GFP);
	if (!shadow || !shadow->buffer) {
		atomic_sub(len, &cdrive_shadow_bytes);
		kfree(shadow);
		return NULL;
	}
	shadow->head = head;
	spin_lock_init(&shadow->lock);
	return shadow;
}

/* What a write is, is settled here. */
static void cdrive_shadow_snapshot(struct cdrive_shadow *shadow, struct request *rq)
{
	struct iov_iter iter;

	cdrive_buffer_dest(shadow->buffer, shadow->head, blk_rq_bytes(rq), &iter);
	cdrive_payload_copy(rq, 0, &iter, true);
}

/* The request's, made if need be, or NULL. */
static struct cdrive_shadow *cdrive_shadow_of(struct request *rq, bool write)
{
	struct cdrive_rq *crq = blk_mq_rq_to_pdu(rq);
	struct cdrive_shadow *shadow, *made, *other;

	/* Another thread may have made it: with the cmpxchg() below. */
	shadow = smp_load_acquire(&crq->cache.shadow);
	if (shadow || !READ_ONCE(crq->cache.fills))
		return shadow;
	made = cdrive_shadow_new(blk_rq_pos(rq), blk_rq_bytes(rq));
	if (!made) {
		/* What is copied from now on is in no shadow. */
		WRITE_ONCE(crq->cache.fills, false);
		return NULL;
	}
	if (write)
		cdrive_shadow_snapshot(made, rq);
	/* Several may copy at once; the first one's is everybody's. */
	other = cmpxchg(&crq->cache.shadow, NULL, made);
	if (!other)
		return made;
	cdrive_shadow_free(made);
	return other;
}

/* Joins a part with those that it touches. */
static void cdrive_shadow_add_part(struct cdrive_shadow *shadow, u32 begin, u32 end)
{
	unsigned int i, n = 0;

	for (i = 0; i < shadow->parts; i++) {
		struct cdrive_part *part = &shadow->part[i];

		if (end < part->begin || begin > part->end) {
			shadow->part[n++] = *part;
			continue;
		}
		begin = min(begin, part->begin);
		end = max(end, part->end);
	}
	if (n < CDRIVE_SHADOW_PARTS)
		shadow->part[n++] = (struct cdrive_part){ begin, end };
	else
		shadow->scattered = true;
	shadow->parts = n;
}

static void cdrive_shadow_copied(struct cdrive_shadow *shadow, size_t pos, size_t n)
{
	spin_lock(&shadow->lock);
	if (n)
		cdrive_shadow_add_part(shadow, pos, pos + n);
	spin_unlock(&shadow->lock);
}

static bool cdrive_shadow_is_complete(const struct cdrive_shadow *shadow)
{
	if (shadow->write)
		return true;
	return !shadow->scattered && shadow->parts == 1 && !shadow->part[0].begin &&
	       shadow->part[0].end == shadow->sectors << SECTOR_SHIFT;
}

size_t cdrive_shadow_copy(struct request *rq, size_t pos, struct iov_iter *iter,
			  bool to_user)
{
	struct cdrive_shadow *shadow = cdrive_shadow_of(rq, to_user);
	struct iov_iter source;
	size_t n;

	if (!shadow)
		return cdrive_payload_copy(rq, pos, iter, to_user);
	n = cdrive_buffer_copy(shadow->buffer, shadow->head + pos,
			       blk_rq_bytes(rq) - pos, iter, to_user);
	if (to_user || !n)
		return n;
	cdrive_buffer_source(shadow->buffer, shadow->head + pos, n, &source);
	cdrive_payload_copy(rq, pos, &source, false);
	cdrive_shadow_copied(shadow, pos, n);
	return n;
}

void cdrive_shadow_reset(struct cdrive_shadow *shadow)
{
	shadow->parts = 0;
	shadow->scattered = false;
}

void cdrive_shadow_describe(struct cdrive_shadow *shadow, const struct cdrive_rq *crq)
{
	shadow->write = crq->desc.op == CDRIVE_OP_WRITE;
	shadow->sector = crq->desc.sector;
	shadow->sectors = crq->desc.sectors;
	shadow->generation = crq->cache.generation;
}

void cdrive_shadow_enter(struct cdrive_shadow *shadow, struct cdrive_cached *c)
{
	if (!cdrive_cached_begin(c)) {
		cdrive_shadow_free(shadow);
		return;
	}
	if (!shadow || !cdrive_shadow_is_complete(shadow)) {
		cdrive_volume_note(c->volume, CDRIVE_VOLUME_SKIPPED);
		cdrive_shadow_free(shadow);
		cdrive_cached_end(c);
		return;
	}
	shadow->cached = c;
	if (llist_add(&shadow->node, &c->shadows))
		queue_work(cdrive_cache_wq, &c->shadows_work);
}

static u64 cdrive_shadow_first(const struct cdrive_shadow *shadow)
{
	return shadow->sector / (CDRIVE_CACHE_BLOCK / SECTOR_SIZE);
}

static u32 cdrive_shadow_offset(const struct cdrive_shadow *shadow,
				const struct cdrive_extent *e)
{
	return (cdrive_extent_block(e) - cdrive_shadow_first(shadow)) *
	       CDRIVE_CACHE_BLOCK;
}

static void cdrive_shadow_failed(struct cdrive_cached *c, int err)
{
	if (err == -ENOSPC) {
		cdrive_pool_stop_growing(c->cache->pool);
	} else if (err != -EAGAIN && err != -ENOMEM) {
		cdrive_volume_note(c->volume, CDRIVE_VOLUME_IO_ERROR);
		cdrive_cache_error(c->cache);
	}
}

static void cdrive_shadow_end(struct cdrive_shadow *shadow)
{
	struct cdrive_cached *c = shadow->cached;

	cdrive_shadow_free(shadow);
	cdrive_cached_end(c);	/* and it may be gone */
}

/* It was written, or not. */
static void cdrive_shadow_finish(struct cdrive_shadow *shadow)
{
	struct cdrive_cached *c = shadow->cached;
	u32 *crc = shadow->crc;
	unsigned int i;

	for (i = 0; i < shadow->count; i++) {
		struct cdrive_extent *e = &shadow->extents[i];

		cdrive_volume_enter(c->volume, shadow->sector, shadow->sectors,
				    shadow->generation, e, crc, !shadow->err);
		crc += e->blocks;
	}
	if (shadow->err)
		cdrive_shadow_failed(c, shadow->err);
	trace_cdrive_cache_fill(c->queue->index, shadow->sector, shadow->sectors,
				shadow->err);
	cdrive_shadow_end(shadow);
}

static void cdrive_shadow_put(struct cdrive_shadow *shadow)
{
	struct cdrive_cached *c = shadow->cached;

	if (atomic_dec_and_test(&shadow->under_way) &&
	    llist_add(&shadow->node, &c->written))
		queue_work(cdrive_cache_wq, &c->written_work);
}

static void cdrive_shadow_io_done(struct cdrive_io *io, int err)
{
	struct cdrive_shadow *shadow = io->owner;

	if (err)
		WRITE_ONCE(shadow->err, err);
	cdrive_shadow_put(shadow);
}

/* Keeps where it goes, and makes what writing it there takes. */
static bool cdrive_shadow_place(struct cdrive_shadow *shadow,
				const struct cdrive_extent *extents, unsigned int n)
{
	unsigned int blocks = shadow->buffer->len / CDRIVE_CACHE_BLOCK;

	shadow->ios = kzalloc(n * (sizeof(*shadow->ios) + sizeof(*extents)) +
			      blocks * sizeof(*shadow->crc), CDRIVE_SHADOW_GFP);
	if (!shadow->ios)
		return false;
	shadow->crc = (void *)(shadow->ios + n);
	shadow->extents = (void *)(shadow->crc + blocks);
	memcpy(shadow->extents, extents, n * sizeof(*extents));
	shadow->count = n;
	return true;
}

/* Their checksums one after the other, as there may be gaps between extents. */
static void cdrive_shadow_sum(struct cdrive_shadow *shadow)
{
	u32 *crc = shadow->crc;
	unsigned int i;

	for (i = 0; i < shadow->count; i++) {
		struct cdrive_extent *e = &shadow->extents[i];

		cdrive_checksum(shadow->buffer->bvec, cdrive_shadow_offset(shadow, e),
				e->blocks, crc);
		crc += e->blocks;
	}
}

static void cdrive_shadow_write(struct cdrive_cached *c, struct cdrive_shadow *shadow)
{
	struct cdrive_span *spans = c->shadows_places.spans;
	unsigned int n, i;

	n = cdrive_spans(shadow->extents, shadow->count, cdrive_shadow_first(shadow),
			 spans);
	atomic_set(&shadow->under_way, n + 1);
	for (i = 0; i < n; i++) {
		struct cdrive_io *io = &shadow->ios[i];
		struct iov_iter iter;

		cdrive_buffer_source(shadow->buffer, spans[i].offset, spans[i].len,
				     &iter);
		io->owner = shadow;
		io->done = cdrive_shadow_io_done;
		cdrive_file_write(&c->cache->file, io, spans[i].pos, &iter);
	}
	cdrive_shadow_put(shadow);
}

static void cdrive_shadow_fill(struct cdrive_cached *c, struct cdrive_shadow *shadow)
{
	struct cdrive_extent *extents = c->shadows_places.extents;
	unsigned int n = 0, i;

	if (!cdrive_cache_has_failed(c->cache))
		n = cdrive_volume_fill(c->volume, shadow->sector, shadow->sectors,
				       shadow->generation, extents);
	if (n && cdrive_shadow_place(shadow, extents, n)) {
		cdrive_shadow_sum(shadow);
		cdrive_shadow_write(c, shadow);
		return;
	}
	for (i = 0; i < n; i++)
		cdrive_volume_enter(c->volume, shadow->sector, shadow->sectors,
				    shadow->generation, &extents[i], NULL, false);
	cdrive_shadow_end(shadow);
}

static void cdrive_shadows_work(struct work_struct *work)
{
	struct cdrive_cached *c = container_of(work, struct cdrive_cached,
					       shadows_work);
	struct llist_node *shadows = llist_reverse_order(llist_del_all(&c->shadows));
	unsigned int noio = memalloc_noio_save();
	struct cdrive_shadow *shadow, *next;
	struct blk_plug plug;

	blk_start_plug(&plug);
	llist_for_each_entry_safe(shadow, next, shadows, node)
		cdrive_shadow_fill(c, shadow);
	blk_finish_plug(&plug);
	memalloc_noio_restore(noio);
}

static void cdrive_written_work(struct work_struct *work)
{
	struct cdrive_cached *c = container_of(work, struct cdrive_cached,
					       written_work);
	struct llist_node *written = llist_del_all(&c->written);
	struct cdrive_shadow *shadow, *next;

	llist_for_each_entry_safe(shadow, next, written, node)
		cdrive_shadow_finish(shadow);
}

void cdrive_fills_init(struct cdrive_cached *c)
{
	init_llist_head(&c->shadows);
	init_llist_head(&c->written);
	INIT_WORK(&c->shadows_work, cdrive_shadows_work);
	INIT_WORK(&c->written_work, cdrive_written_work);
}

void cdrive_fills_stop(struct cdrive_cached *c)
{
	cancel_work_sync(&c->shadows_work);
	cancel_work_sync(&c->written_work);
}
