/* SPDX-License-Identifier: MIT */
/*
 * ranges.h - a set of byte ranges, kept merged
 *
 * Made of what comes in roughly ascending order: page ranges of a blob, pieces
 * that were sent.  Adding at the end costs nothing, elsewhere a search and a
 * move.
 */
#ifndef IMAGE_RANGES_H
#define IMAGE_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t offset, len;
};

struct ranges {
	struct range *v;
	size_t n, cap;
	bool failed; /* memory was out: something is missing */
};

/* Overlapping and touching ranges become one. */
void ranges_add(struct ranges *r, uint64_t offset, uint64_t len);
void ranges_free(struct ranges *r);

/* Is all of it in the set? */
bool ranges_hold(const struct ranges *r, uint64_t offset, uint64_t len);

/* Bytes in the set. */
uint64_t ranges_total(const struct ranges *r);

#endif
