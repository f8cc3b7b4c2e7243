/* SPDX-License-Identifier: MIT */
/*
 * mapfill.h - fills the page map while the drive is used
 *
 * The list of page ranges is an optimisation: of a fragmented blob it takes minutes, and
 * a drive need not wait for it.  It begins with a map in which everything may hold data.
 * What the list says holds none is taken out, but for what was sent since the list was
 * begun, which it may not have seen.
 *
 * A list that fails is tried again for as long as the drive is there.
 */
#ifndef DRIVE_MAPFILL_H
#define DRIVE_MAPFILL_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/listing.h"
#include "drive/store.h"

struct mapfill {
	struct az_listing listing;
	struct store *store; /* its map, and what it sends */
	const char *name; /* the drive's, for the log */
	uint64_t at; /* all of the segment before is known */
	bool logged;
	bool filling;
};

/* Gives @s a full map of @size bytes, and begins.  0 or -ENOMEM. */
int mapfill_start(struct mapfill *f, struct store *s, uint64_t size, const char *name);

/* Ends it; the map stays as it is. */
void mapfill_stop(struct mapfill *f);

#endif
