// SPDX-License-Identifier: MIT
/* bits.c - a set of small numbers */
#include "devstore/storage/bits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t words(size_t size, int level)
{
	for (int i = 0; i <= level; i++)
		size = (size + 63) / 64;
	return size;
}

int bits_grow(struct bits *b, size_t size)
{
	if (size <= b->size)
		return 0;
	if (size < b->size * 2)
		size = b->size * 2;
	size = (size + 63) / 64 * 64;
	for (int i = 0; i < BITS_LEVELS; i++) {
		size_t had = b->size ? words(b->size, i) : 0, want = words(size, i);
		uint64_t *bigger = realloc(b->level[i], want * sizeof(*bigger));

		if (!bigger)
			return -ENOMEM; /* a level that is too large does no harm */
		memset(bigger + had, 0, (want - had) * sizeof(*bigger));
		b->level[i] = bigger;
	}
	b->size = size;
	return 0;
}

void bits_free(struct bits *b)
{
	for (int i = 0; i < BITS_LEVELS; i++)
		free(b->level[i]);
	*b = (struct bits){ 0 };
}

bool bits_has(const struct bits *b, size_t i)
{
	return i < b->size && b->level[0][i / 64] >> (i % 64) & 1;
}

void bits_add(struct bits *b, size_t i)
{
	if (bits_has(b, i))
		return;
	b->count++;
	for (int l = 0; l < BITS_LEVELS; l++, i /= 64)
		b->level[l][i / 64] |= 1ull << (i % 64);
}

void bits_del(struct bits *b, size_t i)
{
	if (!bits_has(b, i))
		return;
	b->count--;
	for (int l = 0; l < BITS_LEVELS; l++, i /= 64) {
		b->level[l][i / 64] &= ~(1ull << (i % 64));
		if (b->level[l][i / 64])
			break;
	}
}

size_t bits_next(const struct bits *b, size_t from)
{
	size_t at = from;
	int l = 0;

	if (from >= b->size)
		return BITS_NONE;
	/* Up, until a word has a member at or after @at ... */
	for (;;) {
		size_t n = words(b->size, l);
		uint64_t word = at / 64 < n ? b->level[l][at / 64] & ~0ull << (at % 64) : 0;

		if (word) {
			at = at / 64 * 64 + (size_t)__builtin_ctzll(word);
			break;
		}
		at = at / 64 + 1;
		if (at >= n)
			return BITS_NONE;
		if (l < BITS_LEVELS - 1)
			l++;
		else
			at *= 64; /* the top is searched word by word */
	}
	/* ... and down again to it. */
	while (l--)
		at = at * 64 + (size_t)__builtin_ctzll(b->level[l][at]);
	return at;
}

size_t bits_run(const struct bits *b, size_t from, size_t max)
{
	size_t n = 0;

	while (n < max && bits_has(b, from + n))
		n++;
	return n;
}
