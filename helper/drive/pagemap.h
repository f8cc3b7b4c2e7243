/* SPDX-License-Identifier: MIT */
/*
 * pagemap.h - which parts of the blob may hold data
 *
 * What was never written reads as zeroes and need not be asked for.  The map
 * is conservative: a block (4 KiB) that is not in it certainly holds nothing;
 * one that is in it may.  It is a bitmap in leaves of 128 MiB of the blob each,
 * made when they are first needed: where a range holds both, data and nothing.  Where it
 * holds only one of them, it takes 8 bytes.  At most PAGEMAP_LEAVES_MOST are made, as
 * that much memory is reserved (lib/heap.h); when they are spent, or there is no memory
 * for one, its whole range counts as written, and is read from the service.
 *
 * Offsets and lengths are bytes; they need not be aligned.
 */
#ifndef DRIVE_PAGEMAP_H
#define DRIVE_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGEMAP_BLOCK 4096u

/* 4 MiB of memory, for 128 GiB of blob that are fragmented throughout. */
#define PAGEMAP_LEAVES_MOST 1024u

struct pagemap;

/* An empty map for @size bytes; NULL when there is no memory. */
struct pagemap *pagemap_new(uint64_t size);
void pagemap_free(struct pagemap *map);

/* Bytes that a map of @size bytes takes at most, besides what pagemap_new() took. */
size_t pagemap_memory(uint64_t size);

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
