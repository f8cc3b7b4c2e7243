// SPDX-License-Identifier: MIT
#include "drive/pagemap.h"

#include <stdlib.h>
#include <string.h>

#define WORDS 512 /* of a leaf: a page of memory */
#define LEAF_BLOCKS (WORDS * 64ull)
#define ALL ((uint64_t *)-1) /* a leaf for which there was no memory */

struct pagemap {
	uint64_t blocks;
	uint64_t leaves;
	uint64_t spare; /* leaves that may yet be made */
	uint64_t *leaf[];
};

static uint64_t leaves_of(uint64_t size)
{
	uint64_t blocks = (size + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK;

	return (blocks + LEAF_BLOCKS - 1) / LEAF_BLOCKS;
}

static uint64_t leaves_most(uint64_t size)
{
	uint64_t leaves = leaves_of(size);

	return leaves < PAGEMAP_LEAVES_MOST ? leaves : PAGEMAP_LEAVES_MOST;
}

size_t pagemap_memory(uint64_t size)
{
	/* 16 bytes are the C library's own. */
	return leaves_most(size) * (WORDS * sizeof(uint64_t) + 16);
}

struct pagemap *pagemap_new(uint64_t size)
{
	uint64_t leaves = leaves_of(size);
	struct pagemap *map = calloc(1, sizeof(*map) + leaves * sizeof(map->leaf[0]));

	if (!map)
		return NULL;
	map->blocks = (size + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK;
	map->leaves = leaves;
	map->spare = leaves_most(size);
	return map;
}

/* Empty; NULL: none is left, or there is no memory. */
static uint64_t *leaf_new(struct pagemap *map)
{
	uint64_t *leaf = map->spare ? calloc(WORDS, sizeof(*leaf)) : NULL;

	if (leaf)
		map->spare--;
	return leaf;
}

/* In its place there is @instead. */
static void leaf_drop(struct pagemap *map, uint64_t i, uint64_t *instead)
{
	if (map->leaf[i] && map->leaf[i] != ALL) {
		free(map->leaf[i]);
		map->spare++;
	}
	map->leaf[i] = instead;
}

void pagemap_free(struct pagemap *map)
{
	if (!map)
		return;
	for (uint64_t i = 0; i < map->leaves; i++)
		leaf_drop(map, i, NULL);
	free(map);
}

/* The bits of word @word that lie in blocks [first, end). */
static uint64_t mask(uint64_t word, uint64_t first, uint64_t end)
{
	uint64_t low = word * 64, bits = ~0ull;

	if (first > low)
		bits &= ~0ull << (first - low);
	if (end < low + 64)
		bits &= ~(~0ull << (end - low));
	return bits;
}

/* Words are numbered through all leaves.  Zero where there is no leaf. */
static uint64_t get_word(const struct pagemap *map, uint64_t word)
{
	const uint64_t *leaf = map->leaf[word / WORDS];

	if (leaf == ALL)
		return ~0ull;
	return leaf ? leaf[word % WORDS] : 0;
}

void pagemap_set(struct pagemap *map, uint64_t offset, uint64_t len)
{
	uint64_t first = offset / PAGEMAP_BLOCK;
	uint64_t end = (offset + len + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK;

	if (end > map->blocks)
		end = map->blocks;
	for (uint64_t w = first / 64; len && w * 64 < end; w++) {
		uint64_t **leaf = &map->leaf[w / WORDS];

		if (!*leaf) {
			*leaf = leaf_new(map);
			if (!*leaf)
				*leaf = ALL;
		}
		if (*leaf != ALL)
			(*leaf)[w % WORDS] |= mask(w, first, end);
	}
}

void pagemap_fill(struct pagemap *map)
{
	for (uint64_t i = 0; i < map->leaves; i++)
		leaf_drop(map, i, ALL);
}

/* A leaf of which bits are to be taken.  NULL: there is none, or no memory for it. */
static uint64_t *leaf_to_clear(struct pagemap *map, uint64_t i)
{
	if (map->leaf[i] == ALL) {
		uint64_t *leaf = leaf_new(map);

		if (!leaf)
			return NULL;
		memset(leaf, 0xff, WORDS * sizeof(*leaf));
		map->leaf[i] = leaf;
	}
	return map->leaf[i];
}

/* Takes blocks [first, end), which lie in leaf @i, out of the map. */
static void clear_in_leaf(struct pagemap *map, uint64_t i, uint64_t first, uint64_t end,
			  const struct pagemap *keep)
{
	bool kept = keep && keep->leaf[i];
	uint64_t *leaf;

	if (end - first == LEAF_BLOCKS && !kept) {
		leaf_drop(map, i, NULL);
		return;
	}
	leaf = leaf_to_clear(map, i);
	for (uint64_t w = first / 64; leaf && w * 64 < end; w++)
		leaf[w % WORDS] &= ~mask(w, first, end) | (kept ? get_word(keep, w) : 0);
}

void pagemap_clear_but(struct pagemap *map, uint64_t offset, uint64_t len,
		       const struct pagemap *keep)
{
	uint64_t first = (offset + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK;
	uint64_t end = (offset + len) / PAGEMAP_BLOCK;

	if (end > map->blocks)
		end = map->blocks;
	while (first < end) {
		uint64_t i = first / LEAF_BLOCKS, stop = (i + 1) * LEAF_BLOCKS;

		if (stop > end)
			stop = end;
		clear_in_leaf(map, i, first, stop, keep);
		first = stop;
	}
}

void pagemap_clear(struct pagemap *map, uint64_t offset, uint64_t len)
{
	pagemap_clear_but(map, offset, len, NULL);
}

bool pagemap_narrow(const struct pagemap *map, uint64_t *offset, uint64_t *len)
{
	uint64_t begin = *offset, stop = *offset + *len;
	uint64_t first = begin / PAGEMAP_BLOCK;
	uint64_t end = (stop + PAGEMAP_BLOCK - 1) / PAGEMAP_BLOCK;
	uint64_t lo = UINT64_MAX, hi = 0;

	if (end > map->blocks)
		end = map->blocks;
	for (uint64_t w = first / 64; w * 64 < end; w++) {
		uint64_t bits;

		if (!map->leaf[w / WORDS]) { /* the next leaf */
			w |= WORDS - 1;
			continue;
		}
		bits = get_word(map, w) & mask(w, first, end);
		if (!bits)
			continue;
		if (lo == UINT64_MAX)
			lo = w * 64 + (uint64_t)__builtin_ctzll(bits);
		hi = w * 64 + 64 - (uint64_t)__builtin_clzll(bits);
	}
	if (lo == UINT64_MAX)
		return false;
	lo *= PAGEMAP_BLOCK;
	hi *= PAGEMAP_BLOCK;
	*offset = lo > begin ? lo : begin;
	*len = (hi < stop ? hi : stop) - *offset;
	return true;
}
