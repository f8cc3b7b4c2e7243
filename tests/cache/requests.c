// SPDX-License-Identifier: MIT
/* Requests, as the driver and clouddrived carry them out. */
#include "model.h"

static u64 sequence;

/* Before this one, of the same sectors, and not done: it has to wait. */
static bool must_wait(const struct request *r)
{
	const struct request *other;

	if (!model.ordered)
		return false;
	for (other = model.requests; other < model.requests + REQUESTS; other++)
		if (other->drive == r->drive && other->begin < r->begin &&
		    (other->kind == WRITE || (other->kind == MISS && r->kind == WRITE)) &&
		    other->done < other->sectors && overlaps(other, r->sector, r->sectors))
			return true;
	return false;
}

void request_changed(const struct request *by)
{
	struct request *r;

	for (r = model.requests; r < model.requests + REQUESTS; r++)
		if (r != by && r->kind != NONE && r->drive == by->drive &&
		    overlaps(r, by->sector, by->sectors))
			r->changed = true;
}

/* --- arrival ------------------------------------------------------------------ */

static struct request *new_request(struct drive *drive)
{
	struct request *r;

	for (r = model.requests; r < model.requests + REQUESTS; r++) {
		if (r->kind != NONE || r->running)
			continue;
		memset(r, 0, offsetof(struct request, extents));
		r->drive = drive;
		r->begin = ++sequence;
		r->arrival = model.now;
		return r;
	}
	return NULL;
}

/* Somewhere in a window, at blocks' bounds more often than not. */
static void choose_range(struct request *r)
{
	static const u32 first[WINDOWS] = { 0, CDRIVE_REGION_CHUNKS - WINDOW_CHUNKS / 2,
					    2 * CDRIVE_REGION_CHUNKS - WINDOW_CHUNKS / 2,
					    CHUNKS - WINDOW_CHUNKS };
	u64 from = (u64)first[chance(WINDOWS)] * CDRIVE_CHUNK_SECTORS;
	u32 room = min((u64)WINDOW_SECTORS, SECTORS - from);
	u32 at = chance(room);
	u32 most = chance(8) ? 3 * CDRIVE_BLOCK_SECTORS : WINDOW_SECTORS;
	u32 length = chance(most) + 1;

	if (chance(3)) {
		at -= at % CDRIVE_BLOCK_SECTORS;
		length = DIV_ROUND_UP(length, CDRIVE_BLOCK_SECTORS) * CDRIVE_BLOCK_SECTORS;
	}
	r->sector = from + at;
	r->sectors = min(length, room - at);
}

/* From one window to any other, or to the end. */
static void choose_large_range(struct request *r)
{
	struct request to = { .kind = NONE };

	choose_range(r);
	choose_range(&to);
	if (to.sector < r->sector)
		r->sector = to.sector - to.sector % CDRIVE_CHUNK_SECTORS;
	r->sectors = (u32)(max(to.sector + to.sectors, r->sector + r->sectors) - r->sector);
	if (!chance(4))
		r->sectors = (u32)(SECTORS - r->sector);
}

static void arrive_read(struct request *r)
{
	choose_range(r);
	model.counts.reads++;
	cdrive_volume_is_run(r->drive->volume, r->sector, r->sectors);
	r->generation = cdrive_volume_read(r->drive->volume, r->sector, r->sectors);
	r->filled = 0;
	r->kind = cdrive_volume_hit(r->drive->volume, r->sector, r->sectors) ? HIT : MISS;
	if (r->kind == HIT)
		r->n = cdrive_volume_locate(r->drive->volume, r->sector, r->sectors, r->extents);
}

static void arrive_write(struct request *r)
{
	r->discard = !chance(4);
	if (r->discard && chance(2))
		choose_large_range(r);
	else
		choose_range(r);
	r->kind = WRITE;
	r->version = ++model.versions;
	r->fails = !chance(16);
	model.counts.writes++;
	model.counts.discards += r->discard;
	r->there = cdrive_volume_write(r->drive->volume, r->sector, r->sectors);
	r->generation = cdrive_volume_read(r->drive->volume, r->sector, r->sectors);
	request_changed(r);
	r->changed = false;
}

void request_arrive(struct drive *drive)
{
	struct request *r = drive->attached ? new_request(drive) : NULL;

	if (!r)
		return;
	/* Under the drive's lock. */
	model.quiet = true;
	if (chance(model.calm))
		arrive_read(r);
	else
		arrive_write(r);
	model.quiet = false;
}

/* --- fills ------------------------------------------------------------------------ */

/* Nobody else writes to these blocks or reads them. */
static void check_alone(const struct request *r)
{
	const struct request *other;
	unsigned int i, j;

	for (other = model.requests; other < model.requests + REQUESTS; other++) {
		if (other == r || (other->kind != FILL && other->kind != HIT))
			continue;
		for (i = 0; i < r->n; i++)
			for (j = other->kind == FILL ? other->extent : 0; j < other->n; j++) {
				const struct cdrive_extent *a = &r->extents[i];
				const struct cdrive_extent *b = &other->extents[j];

				if (a->slot == b->slot && a->block < b->block + b->blocks &&
				    b->block < a->block + a->blocks)
					violated("a block that is in use is written to", r);
			}
	}
}

static void check_slots(const struct request *r)
{
	unsigned int i;

	for (i = 0; i < r->n; i++)
		if (r->extents[i].slot >= r->size)
			violated("a slot that is out of bounds is used", r);
}

/* The bytes are there: a read's, or a write's own. */
static void begin_fill(struct request *r)
{
	struct cdrive_extent extents[CDRIVE_MAX_EXTENTS];
	struct request *outer = model.filling;
	unsigned int n;

	model.filling = r;
	n = cdrive_volume_fill(r->drive->volume, r->sector, r->sectors, r->generation, extents);
	model.filling = outer;
	if (!n) {
		r->kind = NONE;
		return;
	}
	if (r->seen)
		violated("what has changed is written to the cache", r);
	memcpy(r->extents, extents, n * sizeof(*extents));
	r->n = n;
	r->extent = 0;
	r->done = 0;
	r->kind = FILL;
	r->fails = !chance(16);
	model.counts.fills++;
	check_slots(r);
	check_alone(r);
}

/* A block as the file gets it. */
static void block_of(const struct request *r, const struct cdrive_extent *extent, unsigned int i,
		     u32 *block)
{
	u64 sector = (u64)extent->chunk * CDRIVE_CHUNK_SECTORS +
		     (extent->block + i) * CDRIVE_BLOCK_SECTORS;
	unsigned int j;

	for (j = 0; j < CDRIVE_BLOCK_SECTORS; j++, sector++)
		block[j] = sector >= r->sector && sector < r->sector + r->sectors ?
				   r->data[sector - r->sector] :
				   0;
}

/* The file does with a block what it was told, or something else. */
static void file_write(u32 slot, unsigned int block, const u32 *data)
{
	u32 *to = model.file[slot][block];
	unsigned int n = CDRIVE_BLOCK_SECTORS;

	if (!model.honest && !chance(8)) {
		if (chance(2)) { /* late */
			model.late.pending = true;
			model.late.slot = slot;
			model.late.block = block;
			memcpy(model.late.data, data, sizeof(model.late.data));
			return;
		}
		n = chance(n);
	}
	memcpy(to, data, n * sizeof(*to));
}

static void step_fill(struct request *r)
{
	const struct cdrive_extent *extent = &r->extents[r->extent];
	u32 block[CDRIVE_BLOCK_SECTORS], crc[CDRIVE_CACHE_BLOCKS];
	bool ok = !r->fails && !r->aborted;
	unsigned int i;

	if (r->done < extent->blocks) {
		block_of(r, extent, r->done, block);
		if (ok || chance(2))
			file_write(extent->slot, extent->block + r->done, block);
		r->done++;
		return;
	}
	for (i = 0; i < extent->blocks; i++) {
		block_of(r, extent, i, block);
		crc[i] = checksum(block);
	}
	model.counts.entered += ok && !r->changed;
	r->extent++;
	r->done = 0;
	cdrive_volume_enter(r->drive->volume, r->sector, r->sectors, r->generation, extent, crc,
			    ok);
	if (r->extent == r->n)
		r->kind = NONE;
}

/* --- hits -------------------------------------------------------------------------- */

static bool verify(struct request *r)
{
	u32 crc[CDRIVE_CACHE_BLOCKS];
	unsigned int i, j;
	bool good = true;

	for (i = 0; i < r->n; i++) {
		const struct cdrive_extent *extent = &r->extents[i];

		for (j = 0; j < extent->blocks; j++) {
			u32 at = (extent->chunk * (u64)CDRIVE_CHUNK_SECTORS +
				  (extent->block + j) * CDRIVE_BLOCK_SECTORS) -
				 (r->sector - r->sector % CDRIVE_BLOCK_SECTORS);

			crc[j] = checksum(r->data + at);
		}
		if (cdrive_volume_verify(r->drive->volume, extent, crc))
			continue;
		good = false;
		cdrive_volume_drop(r->drive->volume, extent);
	}
	return good;
}

static void check_hit(struct request *r)
{
	u32 skip = r->sector % CDRIVE_BLOCK_SECTORS, i;

	for (i = 0; i < r->sectors; i++) {
		struct place *place = place_of(r->drive, r->sector + i);

		if (!blob_allows(r, place, r->sector + i, r->data[skip + i]))
			violated(STALE, r);
	}
	model.counts.hits++;
}

/* One block after the other; @data begins at a block's bound. */
static void step_hit(struct request *r)
{
	const struct cdrive_extent *extent = &r->extents[r->extent];
	bool good;

	if (r->extent < r->n) {
		memcpy(r->data + r->filled, model.file[extent->slot][extent->block + r->done],
		       sizeof(model.file[0][0]));
		r->filled += CDRIVE_BLOCK_SECTORS;
		if (++r->done == extent->blocks) {
			r->extent++;
			r->done = 0;
		}
		return;
	}
	good = r->aborted || verify(r);
	if (!good && model.honest)
		violated("a checksum is wrong, and the file is not", r);
	if (good && !r->aborted)
		check_hit(r);
	r->n = 0;
	cdrive_volume_unpin(r->drive->volume, r->sector, r->sectors);
	model.counts.wrong += !good;
	/* The helper has to be asked. */
	r->kind = good ? NONE : MISS;
	r->done = 0;
}

/* --- the service ----------------------------------------------------------------------- */

static void step_miss(struct request *r)
{
	u32 n = chance(r->sectors) + 1;

	if (r->aborted) {
		r->kind = NONE;
		return;
	}
	if (r->done < r->sectors) {
		if (must_wait(r))
			return;
		for (; n-- && r->done < r->sectors; r->done++)
			r->data[r->done] = place_of(r->drive, r->sector + r->done)->blob;
		return;
	}
	model.counts.misses++;
	begin_fill(r);
}

static void end_write(struct request *r)
{
	u32 i;

	places_of(r->drive, r->sector, r->sectors, blob_acknowledge, r);
	r->changed = false;
	model.quiet = true;
	r->generation =
		cdrive_volume_written(r->drive->volume, r->sector, r->sectors, r->generation);
	request_changed(r);
	model.quiet = false;
	if (!r->generation || r->fails || r->aborted || r->discard || (!r->there && chance(4))) {
		r->kind = NONE;
		return;
	}
	for (i = 0; i < r->sectors; i++)
		r->data[i] = r->version;
	begin_fill(r);
}

static void step_write(struct request *r)
{
	u32 n = chance(r->sectors) + 1;
	bool stops = r->aborted || (r->fails && !chance(4));

	if (r->done < r->sectors && !stops) {
		if (must_wait(r))
			return;
		n = min(n, r->sectors - r->done);
		places_of(r->drive, r->sector + r->done, n, blob_write, r);
		r->done += n;
		return;
	}
	end_write(r);
}

void request_step(struct request *r)
{
	if (r->running)
		return;
	r->running = true;
	switch (r->kind) {
	case NONE:
		break;
	case HIT:
		step_hit(r);
		break;
	case MISS:
		step_miss(r);
		break;
	case FILL:
		step_fill(r);
		break;
	case WRITE:
		step_write(r);
		break;
	}
	r->running = false;
}

void request_abort(struct drive *drive)
{
	struct request *r;

	for (r = model.requests; r < model.requests + REQUESTS; r++)
		if (r->kind != NONE && r->drive == drive)
			r->aborted = true;
}
