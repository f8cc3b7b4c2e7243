// SPDX-License-Identifier: MIT
/* What a blob holds, and what a read of it may find. */
#include "model.h"

/* The first chunk of each window. */
static const u32 windows[WINDOWS] = {
	0,
	CDRIVE_REGION_CHUNKS - WINDOW_CHUNKS / 2,
	2 * CDRIVE_REGION_CHUNKS - WINDOW_CHUNKS / 2,
	CHUNKS - WINDOW_CHUNKS,
};

struct place *place_of(struct drive *drive, u64 sector)
{
	unsigned int i;

	for (i = 0; i < WINDOWS; i++) {
		u64 first = (u64)windows[i] * CDRIVE_CHUNK_SECTORS;

		if (sector >= first && sector < first + WINDOW_SECTORS)
			return &drive->places[i * WINDOW_SECTORS + sector - first];
	}
	return NULL;
}

void places_of(struct drive *drive, u64 sector, u32 sectors,
	       void (*call)(struct request *r, struct place *place, u64 sector), struct request *r)
{
	unsigned int i;

	for (i = 0; i < WINDOWS; i++) {
		u64 first = (u64)windows[i] * CDRIVE_CHUNK_SECTORS;
		u64 begin = max(first, sector);
		u64 end = min(first + WINDOW_SECTORS, sector + sectors);

		for (; begin < end; begin++)
			call(r, &drive->places[i * WINDOW_SECTORS + begin - first], begin);
	}
}

static void forget(struct place *place, u32 version)
{
	memmove(place->old + 1, place->old, sizeof(place->old) - sizeof(place->old[0]));
	place->old[0].version = version;
	place->old[0].until = model.now;
}

void blob_write(struct request *r, struct place *place, u64 sector)
{
	(void)sector;
	if (model.ordered)
		forget(place, place->blob);
	place->blob = r->version;
}

void blob_acknowledge(struct request *r, struct place *place, u64 sector)
{
	(void)sector;
	if (!model.ordered) {
		forget(place, place->acked);
		forget(place, r->version);
	}
	place->acked = place->blob;
}

bool overlaps(const struct request *r, u64 sector, u32 sectors)
{
	return r->sector < sector + sectors && sector < r->sector + r->sectors;
}

/* Somebody is writing it. */
static bool under_way(const struct drive *drive, u64 sector, u32 version)
{
	const struct request *r;

	for (r = model.requests; r < model.requests + REQUESTS; r++)
		if (r->kind == WRITE && r->drive == drive && r->version == version &&
		    overlaps(r, sector, 1))
			return true;
	return false;
}

bool blob_allows(const struct request *r, struct place *place, u64 sector, u32 version)
{
	unsigned int i;

	if (version == (model.ordered ? place->blob : place->acked))
		return true;
	for (i = 0; i < KNOWN && place->old[i].until >= r->arrival; i++)
		if (place->old[i].version == version)
			return true;
	/* It has changed so often that nobody knows. */
	if (i == KNOWN)
		return true;
	return !model.ordered && under_way(r->drive, sector, version);
}
