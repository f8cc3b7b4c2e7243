/* SPDX-License-Identifier: MIT */
/*
 * model.h - the driver's map of the cache, against a blob and a file that are modelled
 *
 * Drives on one pool read, write and discard at random, many requests at once; each is
 * carried out in small steps, one after the other by chance, and others run also where
 * the map's code holds no lock.  Of a drive, a few windows of some chunks each are used: its
 * begin, around the bounds of regions, its end; discards go from one to another.
 *
 * A sector holds a version.  A hit that verifies must find on each sector
 *
 *  - ordered (a request waits for what overlaps it, as clouddrived does): what the
 *    blob held at some moment while the read was under way;
 *  - else: what was acknowledged last, or what a write that was under way meanwhile writes.
 *
 * The file is honest, or it loses writes, carries them out late or in part, and forgets.  With
 * an honest one no checksum may ever be wrong.
 */
#ifndef TESTS_CACHE_MODEL_H
#define TESTS_CACHE_MODEL_H

#include "internal.h"

#define DRIVES 3u
#define WINDOWS 4u
#define WINDOW_CHUNKS 4u
#define WINDOW_SECTORS (WINDOW_CHUNKS * CDRIVE_CHUNK_SECTORS)
#define PLACES (WINDOWS * WINDOW_SECTORS)
#define REQUESTS 24u
#define SLOTS 64u /* at most */
#define KNOWN 12u
#define CHUNKS (2 * CDRIVE_REGION_CHUNKS + 100)
#define SECTORS (CHUNKS * CDRIVE_CHUNK_SECTORS - 37)

/* Of a sector of a blob. */
struct place {
	u32 blob; /* what it holds */
	u32 acked;
	/* What may not be read any more, since when; the newest first. */
	struct {
		u32 version;
		u64 until;
	} old[KNOWN];
};

struct drive {
	struct cdrive_volume *volume;
	bool attached, foreign; /* somebody else has written meanwhile */
	struct place places[PLACES];
};

enum kind { NONE, HIT, MISS, FILL, WRITE };

struct request {
	enum kind kind;
	bool running; /* further up on the stack */
	bool changed; /* its range was, since @generation was noted */
	/* The same, and the pool's size, when the map last looked: */
	bool seen;
	u32 size;
	bool there, discard, fails, aborted;
	struct drive *drive;
	u64 sector, begin, arrival, generation;
	u32 sectors, done, version;
	unsigned int n, extent;
	struct cdrive_extent extents[CDRIVE_MAX_EXTENTS];
	u32 filled; /* of @data, by a hit */
	u32 data[WINDOW_SECTORS + CDRIVE_BLOCK_SECTORS];
};

/* A write that the file carries out later. */
struct late {
	bool pending;
	u32 slot;
	unsigned int block;
	u32 data[CDRIVE_BLOCK_SECTORS];
};

struct counts {
	u64 steps, reads, hits, misses, writes, discards, fills, entered, wrong;
	u64 resizes, attached, cold, imported, nested;
};

struct model {
	struct cdrive_pool *pool;
	struct drive drives[DRIVES];
	struct request requests[REQUESTS];
	u32 file[SLOTS][CDRIVE_CACHE_BLOCKS][CDRIVE_BLOCK_SECTORS];
	struct late late;
	struct request *filling; /* by cdrive_volume_fill() */
	u64 dice, now;
	u32 versions;
	u32 calm; /* one request in so many is a write */
	bool ordered, honest, quiet; /* nobody else runs now */
	bool stale; /* alone is looked for */
	bool trusting; /* to be caught: takes any volume for current */
	unsigned int depth; /* steps within steps */
	struct counts counts;
};

extern struct model model;

u32 chance(u32 n);
#define STALE "a hit is stale"
void violated(const char *what, const struct request *r);

/* --- blob.c --- */

/* The place of a sector, or NULL. */
struct place *place_of(struct drive *drive, u64 sector);
/* Calls for each place of a range; with its sector. */
void places_of(struct drive *drive, u64 sector, u32 sectors,
	       void (*call)(struct request *r, struct place *place, u64 sector), struct request *r);
void blob_write(struct request *r, struct place *place, u64 sector);
void blob_acknowledge(struct request *r, struct place *place, u64 sector);
bool blob_allows(const struct request *r, struct place *place, u64 sector, u32 version);
bool overlaps(const struct request *r, u64 sector, u32 sectors);

/* --- requests.c --- */

void request_arrive(struct drive *drive);
void request_step(struct request *r);
/* All of a drive's: fenced. */
void request_abort(struct drive *drive);
/* They have to be told of a change. */
void request_changed(const struct request *by);

/* --- control.c --- */

/* One that concerns drives and the pool as a whole. */
void control_step(void);
/* A schedule begins, and ends. */
void control_begin(void);
void control_end(void);

/* --- audit.c --- */

/* The map is what it should be, whatever happened. */
void audit(void);

/* --- main.c --- */

u32 checksum(const u32 *sectors);

#endif
