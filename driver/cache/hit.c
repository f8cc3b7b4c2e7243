// SPDX-License-Identifier: GPL-2.0-only
#include "hit.h"

#include <linux/blk-mq.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "buffer.h"
#include "cache.h"
#include "compat.h"
#include "payload.h"
#include "queue.h"
#include "trace.h"

/* Between two measurements of a file that is slow. */
#define CDRIVE_PROBE_NS	(100 * NSEC_PER_MSEC)

static struct request *cdrive_hit_request(struct cdrive_rq *crq)
{
	return blk_mq_rq_from_pdu(crq);
}

static u64 cdrive_hit_first(const struct cdrive_rq *crq)
{
	return crq->desc.sector / (CDRIVE_CACHE_BLOCK / SECTOR_SIZE);
}

/* Of the blocks that it touches. */
static u32 cdrive_hit_bytes(const struct cdrive_rq *crq)
{
	u64 end = crq->desc.sector + crq->desc.sectors;

	end = DIV_ROUND_UP(end, CDRIVE_CACHE_BLOCK / SECTOR_SIZE);
	return (end - cdrive_hit_first(crq)) * CDRIVE_CACHE_BLOCK;
}

/* Of its first sector in its first block. */
static u32 cdrive_hit_head(const struct cdrive_rq *crq)
{
	return (crq->desc.sector << SECTOR_SHIFT) % CDRIVE_CACHE_BLOCK;
}

/* The request's pages. */
static int cdrive_hit_map(struct cdrive_rq *crq)
{
	struct request *rq = cdrive_hit_request(crq);
	struct cdrive_hit *hit = &crq->cache.hit;
	struct req_iterator iter;
	unsigned int i = 0;
	struct bio_vec bv;

	hit->segments = 0;
	rq_for_each_bvec(bv, rq, iter)
		hit->segments++;
	hit->bvec = &hit->segment;
	if (hit->segments > 1)
		hit->bvec = kmalloc_array(hit->segments, sizeof(*hit->bvec),
					  GFP_NOIO | __GFP_NOWARN);
	if (!hit->bvec)
		return -ENOMEM;
	rq_for_each_bvec(bv, rq, iter)
		hit->bvec[i++] = bv;
	return 0;
}

static bool cdrive_hit_is_aligned(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	u32 align = c->cache->file.align;
	struct req_iterator iter;
	struct bio_vec bv;

	if (cdrive_hit_head(crq) ||
	    cdrive_hit_bytes(crq) != crq->desc.sectors << SECTOR_SHIFT)
		return false;
	rq_for_each_bvec(bv, cdrive_hit_request(crq), iter)
		if ((bv.bv_offset | bv.bv_len) & align)
			return false;
	return true;
}

/* Where to read to. */
static int cdrive_hit_prepare(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	struct cdrive_hit *hit = &crq->cache.hit;

	hit->buffer = NULL;
	hit->bvec = NULL;
	if (!hit->again && cdrive_hit_is_aligned(c, crq))
		return cdrive_hit_map(crq);
	hit->buffer = cdrive_buffer_new(cdrive_hit_bytes(crq),
					GFP_NOIO | __GFP_NOWARN);
	if (!hit->buffer)
		return -ENOMEM;
	hit->bvec = hit->buffer->bvec;
	hit->segments = hit->buffer->pages;
	return 0;
}

static void cdrive_hit_put(struct cdrive_rq *crq)
{
	struct cdrive_hit *hit = &crq->cache.hit;
	struct cdrive_cached *c = crq->cache.cached;

	if (!atomic_dec_and_test(&hit->under_way))
		return;
	cdrive_speed_end(&c->cache->speed, hit->began, ktime_get_ns());
	if (llist_add(&hit->node, &c->read))
		queue_work(cdrive_cache_wq, &c->read_work);
}

static void cdrive_hit_io_done(struct cdrive_io *io, int err)
{
	struct cdrive_rq *crq = io->owner;

	if (err)
		WRITE_ONCE(crq->cache.hit.err, err);
	cdrive_hit_put(crq);
}

/* All its spans; an error, too, ends in cdrive_hit_put(). */
static void cdrive_hit_submit_spans(struct cdrive_cached *c,
				    struct cdrive_rq *crq, unsigned int spans)
{
	struct cdrive_hit *hit = &crq->cache.hit;
	u32 len = cdrive_hit_bytes(crq);
	unsigned int i;

	atomic_add(spans, &hit->under_way);
	for (i = 0; i < spans; i++) {
		struct cdrive_span *span = &c->hits_places.spans[i];
		struct cdrive_io *io = &hit->ios[i];
		struct iov_iter iter;

		iov_iter_bvec(&iter, ITER_DEST, hit->bvec, hit->segments, len);
		iov_iter_advance(&iter, span->offset);
		iov_iter_truncate(&iter, span->len);
		io->owner = crq;
		io->done = cdrive_hit_io_done;
		cdrive_file_read(&c->cache->file, io, span->pos, &iter);
	}
}

static int cdrive_hit_submit(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	struct cdrive_places *places = &c->hits_places;
	struct cdrive_hit *hit = &crq->cache.hit;
	unsigned int n;
	int err;

	err = cdrive_hit_prepare(c, crq);
	if (err)
		return err;
	n = cdrive_volume_locate(c->volume, crq->desc.sector, crq->desc.sectors,
				 places->extents);
	n = cdrive_spans(places->extents, n, cdrive_hit_first(crq), places->spans);
	if (n > 1)
		hit->ios = kmalloc_array(n, sizeof(*hit->ios),
					 GFP_NOIO | __GFP_NOWARN);
	if (!hit->ios)
		return -ENOMEM;
	cdrive_hit_submit_spans(c, crq, n);
	return 0;
}

/* All that came meanwhile, as one batch for the device. */
static void cdrive_hits_work(struct work_struct *work)
{
	struct cdrive_cached *c = container_of(work, struct cdrive_cached,
					       hits_work);
	struct llist_node *hits = llist_reverse_order(llist_del_all(&c->hits));
	unsigned int noio = memalloc_noio_save();
	struct cdrive_rq *crq, *next;
	struct blk_plug plug;

	blk_start_plug(&plug);
	llist_for_each_entry_safe(crq, next, hits, cache.hit.node) {
		struct cdrive_hit *hit = &crq->cache.hit;
		int err;

		hit->err = 0;
		hit->ios = &hit->io;
		hit->began = ktime_get_ns();
		atomic_set(&hit->under_way, 1);
		cdrive_speed_begin(&c->cache->speed, hit->began);
		err = cdrive_hit_submit(c, crq);
		/* What was submitted may have ended, and badly. */
		if (err)
			hit->err = err;
		cdrive_hit_put(crq);
	}
	blk_finish_plug(&plug);
	memalloc_noio_restore(noio);
}

static void cdrive_hit_queue(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	if (llist_add(&crq->cache.hit.node, &c->hits))
		queue_work(cdrive_cache_wq, &c->hits_work);
}

void cdrive_hit_start(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	crq->cache.hit.again = false;
	cdrive_hit_queue(c, crq);
}

static void cdrive_hit_free(struct cdrive_hit *hit)
{
	if (hit->ios != &hit->io)
		kfree(hit->ios);
	if (!hit->buffer && hit->bvec != &hit->segment)
		kfree(hit->bvec);
	cdrive_buffer_free(hit->buffer);
}

/* These blocks are not as they were written, not all of them. */
static void cdrive_hit_drop(struct cdrive_cached *c, const struct cdrive_extent *e,
			    const u32 *crc)
{
	struct cdrive_extent block = *e;

	for (block.blocks = 1; block.block < e->block + e->blocks; block.block++) {
		if (cdrive_volume_verify(c->volume, &block, crc++))
			continue;
		cdrive_volume_drop(c->volume, &block);
		cdrive_volume_note(c->volume, CDRIVE_VOLUME_CHECKSUM_ERROR);
		cdrive_cache_error(c->cache);
	}
}

/* @drop: of what is not as it was written, this is the last word. */
static bool cdrive_hit_verify(struct cdrive_cached *c, struct cdrive_rq *crq, bool drop)
{
	struct cdrive_extent *e = c->read_places.extents;
	struct cdrive_hit *hit = &crq->cache.hit;
	u64 first = cdrive_hit_first(crq);
	u32 crc[CDRIVE_CACHE_BLOCKS];
	bool good = true;
	unsigned int n;

	n = cdrive_volume_locate(c->volume, crq->desc.sector, crq->desc.sectors, e);
	for (; n--; e++) {
		size_t offset = (cdrive_extent_block(e) - first) * CDRIVE_CACHE_BLOCK;

		cdrive_checksum(hit->bvec, offset, e->blocks, crc);
		if (cdrive_volume_verify(c->volume, e, crc))
			continue;
		good = false;
		if (!drop)
			break;
		cdrive_hit_drop(c, e, crc);
	}
	return good;
}

/* From private pages, if that is where it is. */
static void cdrive_hit_deliver(struct cdrive_rq *crq)
{
	struct cdrive_buffer *buffer = crq->cache.hit.buffer;
	struct iov_iter iter;

	if (!buffer)
		return;
	cdrive_buffer_source(buffer, cdrive_hit_head(crq),
			     crq->desc.sectors << SECTOR_SHIFT, &iter);
	cdrive_payload_copy(cdrive_hit_request(crq), 0, &iter, false);
}

/*
 * -ENOMEM is nobody's fault.  A file that can't read drops nothing: what is there may be
 * read yet, or be dropped when it is evicted.
 */
static void cdrive_hit_failed(struct cdrive_cached *c, struct cdrive_rq *crq, int err)
{
	trace_cdrive_cache_fail(c->queue->index, crq, err);
	if (err == -ENOMEM || err == -EBADMSG)
		return;
	cdrive_volume_note(c->volume, CDRIVE_VOLUME_IO_ERROR);
	cdrive_cache_error(c->cache);
}

/* It was read, or could not be.  False: it is read once more. */
static bool cdrive_hit_end(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	struct cdrive_hit *hit = &crq->cache.hit;
	int err = hit->err;

	if (!err && !cdrive_hit_verify(c, crq, hit->buffer)) {
		if (!hit->buffer) {
			cdrive_hit_free(hit);
			hit->again = true;
			return false;
		}
		err = -EBADMSG;
	}
	if (err)
		cdrive_hit_failed(c, crq, err);
	else
		cdrive_hit_deliver(crq);
	cdrive_hit_free(hit);
	cdrive_volume_unpin(c->volume, crq->desc.sector, crq->desc.sectors);
	cdrive_queue_read(c->queue, cdrive_hit_request(crq), !err);
	cdrive_cached_end(c);	/* and it may be gone */
	return true;
}

static void cdrive_read_work(struct work_struct *work)
{
	struct cdrive_cached *c = container_of(work, struct cdrive_cached,
					       read_work);
	struct llist_node *read = llist_reverse_order(llist_del_all(&c->read));
	struct cdrive_rq *crq, *next;

	llist_for_each_entry_safe(crq, next, read, cache.hit.node)
		if (!cdrive_hit_end(c, crq))
			cdrive_hit_queue(c, crq);
}

void cdrive_hits_init(struct cdrive_cached *c)
{
	init_llist_head(&c->hits);
	init_llist_head(&c->read);
	INIT_WORK(&c->hits_work, cdrive_hits_work);
	INIT_WORK(&c->read_work, cdrive_read_work);
}

void cdrive_hits_stop(struct cdrive_cached *c)
{
	cancel_work_sync(&c->hits_work);
	cancel_work_sync(&c->read_work);
}

void cdrive_hit_probe(struct cdrive_cached *c, struct cdrive_rq *crq)
{
	struct cdrive_cache *cache = c->cache;
	struct cdrive_extent e;

	if (ktime_get_ns() - READ_ONCE(cache->probed) < CDRIVE_PROBE_NS ||
	    test_and_set_bit(0, &cache->probing))
		return;
	cdrive_volume_locate(c->volume, crq->desc.sector, 1, &e);
	cache->probe_pos = cdrive_extent_pos(&e);
	queue_work(cdrive_cache_wq, &cache->probe_work);
}

void cdrive_probe_work(struct work_struct *work)
{
	struct cdrive_cache *cache = container_of(work, struct cdrive_cache,
						  probe_work);
	s64 took = cdrive_file_probe(&cache->file, cache->probe_pos);

	if (took >= 0)
		cdrive_speed_sample(&cache->speed, took);
	else if (took != -ENOMEM)
		cdrive_cache_error(cache);
	WRITE_ONCE(cache->probed, ktime_get_ns());
	clear_bit_unlock(0, &cache->probing);
}
