/* SPDX-License-Identifier: MIT */
/*
 * pagemap.h - which parts of the blob may hold data
 *
 * What was never written reads as zeroes and need not be asked for.  The map
 * is conservative: a block (4 KiB) that is not in it certainly holds nothing;
 * one that is in it may.  It is a bitmap in leaves of 128 MiB of the blob each,
 * made when they are first needed, so a drive of 1 TiB takes 32 MiB when it is
 * fragmented, and 64 KiB when it is empty or nothing is known of it.  When there is no
 * memory for a leaf, its whole range counts as written.
 *
 * Offsets and lengths are bytes; they need not be aligned.
 */
#ifndef DRIVE_PAGEMAP_H
#define DRIVE_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

#define PAGEMAP_BLOCK 4096u

struct pagemap;

/* An empty map for @size bytes; NULL when there is no memory. */
struct pagemap *pagemap_new(uint64_t size);
void pagemap_free(struct pagemap *map);

/* Every block that the range touches may hold data. */
void pagemap_set(struct pagemap *map, uint64_t offset, uint64_t len);

/* Every block may: what a map begins with when nothing is known. */
void pagemap_fill(struct pagemap *map);

/* Every block that lies in the range whole holds nothing. */
void pagemap_clear(struct pagemap *map, uint64_t offset, uint64_t len);

/* The same, but for the blocks that are in @keep, a map of the same size (or NULL). */
void pagemap_clear_but(struct pagemap *map, uint64_t offset, uint64_t len,
		       const struct pagemap *keep);

/*
 * Narrows a range to the part that may hold data: from the first such block to
 * the last, within the range.  False when there is none.
 */
bool pagemap_narrow(const struct pagemap *map, uint64_t *offset, uint64_t *len);

#endif
