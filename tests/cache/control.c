// SPDX-License-Identifier: MIT
/* Drives come and go, and the pool gets other sizes. */
#include <stdio.h>

#include "model.h"

static bool is_quiet(const struct drive *drive)
{
	const struct request *r;

	for (r = model.requests; r < model.requests + REQUESTS; r++)
		if (r->drive == drive && r->kind != NONE)
			return false;
	return true;
}

static void new_volume(struct drive *drive)
{
	drive->volume = cdrive_volume_new(model.pool, "drive", SECTORS);
	assert(drive->volume);
}

static void attach(struct drive *drive)
{
	if (drive->foreign && !model.trusting) {
		cdrive_volume_free(drive->volume);
		new_volume(drive);
		model.counts.cold++;
	}
	drive->foreign = false;
	cdrive_pool_set_idle(model.pool, drive->volume, false);
	drive->attached = true;
	model.counts.attached++;
}

/* Another machine's. */
static void write_foreign(struct drive *drive)
{
	u32 i, from = chance(PLACES), n = chance(PLACES - from) + 1;
	u32 version = ++model.versions;

	for (i = from; i < from + n; i++) {
		drive->places[i].blob = version;
		drive->places[i].acked = version;
	}
	drive->foreign = true;
}

/* The module is unloaded and loaded again, for this volume; the others don't move meanwhile. */
static void keep(struct drive *drive)
{
	static struct cdrive_cache_entry entries[SLOTS];
	unsigned int n = 0, i;
	u64 cursor = 0;
	int more;

	model.quiet = true;
	do {
		more = cdrive_volume_export(drive->volume, &cursor, entries + n,
					    1 + chance(SLOTS - n));
		assert(more >= 0);
		n += (unsigned int)more;
	} while (more && n < SLOTS);
	cdrive_volume_free(drive->volume);
	new_volume(drive);
	for (i = 0; i < n; i++)
		if (cdrive_volume_import(drive->volume, &entries[i]))
			violated("what was exported is refused", NULL);
		else
			model.counts.imported++;
	model.quiet = false;
}

static void step_detached(struct drive *drive)
{
	if (!is_quiet(drive))
		return;
	if (!drive->volume->idle) {
		cdrive_pool_set_idle(model.pool, drive->volume, true);
		return;
	}
	switch (chance(4)) {
	case 0:
		write_foreign(drive);
		break;
	case 1:
		keep(drive);
		break;
	default:
		attach(drive);
	}
}

/* As after that many discards. */
static void age(struct cdrive_volume *volume)
{
	struct cdrive_generations *generations = &volume->generations;

	generations->epochs[chance(generations->regions)] = U32_MAX;
}

static void step_pool(struct drive *drive)
{
	u32 slots;

	switch (chance(5)) {
	case 0:
		slots = 8 + chance(SLOTS - 8);
		model.counts.resizes += !cdrive_pool_resize(model.pool, slots);
		break;
	case 1:
		cdrive_pool_reserve(model.pool, drive->volume,
				    chance(2) ? CDRIVE_CACHE_SHARED :
						chance(SLOTS * CDRIVE_CACHE_SLOT / 2));
		break;
	case 2:
		if (!chance(4))
			cdrive_pool_stop_growing(model.pool);
		break;
	case 3:
		age(drive->volume);
		break;
	default:
		cdrive_volume_set_fill_runs(drive->volume, chance(2));
	}
}

void control_step(void)
{
	struct drive *drive = &model.drives[chance(DRIVES)];

	if (model.depth) {
		if (drive->attached && !model.pool->mutex.held)
			step_pool(drive);
		return;
	}
	if (!drive->attached) {
		step_detached(drive);
	} else if (!chance(6)) {
		/* Fenced, or detached. */
		request_abort(drive);
		drive->attached = false;
	} else if (!chance(4)) {
		step_pool(drive);
	}
	audit();
}

void control_begin(void)
{
	unsigned int i, j;

	memset(model.requests, 0, sizeof(model.requests));
	memset(model.file, 0, sizeof(model.file));
	memset(model.drives, 0, sizeof(model.drives));
	model.late.pending = false;
	model.now = 1;
	model.pool = cdrive_pool_new(8 + chance(SLOTS - 8));
	for (i = 0; i < DRIVES; i++) {
		struct drive *drive = &model.drives[i];

		for (j = 0; j < PLACES; j++) {
			drive->places[j].blob = 1;
			drive->places[j].acked = 1;
		}
		new_volume(drive);
		attach(drive);
	}
}

void control_end(void)
{
	struct request *r;
	unsigned int i;

	for (i = 0; i < DRIVES; i++)
		request_abort(&model.drives[i]);
	for (i = 0; i < DRIVES; i++)
		model.drives[i].attached = false;
	for (i = 0; i < DRIVES; i++)
		while (!is_quiet(&model.drives[i]))
			for (r = model.requests; r < model.requests + REQUESTS; r++)
				request_step(r);
	audit();
	for (i = 0; i < DRIVES; i++)
		cdrive_volume_free(model.drives[i].volume);
	audit();
	cdrive_pool_free(model.pool);
}
