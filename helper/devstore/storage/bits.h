/* SPDX-License-Identifier: MIT */
/*
 * bits.h - a set of small numbers with a fast "next one from here"
 *
 * A bit each, and above them levels in which a bit says that a word of the
 * level below is not zero: looking for the only free slot of a terabyte reads a
 * few words.  All zeroes is an empty set.
 */
#ifndef DEVSTORE_BITS_H
#define DEVSTORE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_LEVELS 4
#define BITS_NONE SIZE_MAX

struct bits {
	uint64_t *level[BITS_LEVELS];
	size_t size; /* numbers below it have room */
	size_t count; /* members */
};

/* Room for the numbers below @size; -ENOMEM. */
int bits_grow(struct bits *b, size_t size);
void bits_free(struct bits *b);

/* No room means no member; only bits_add() needs room. */
bool bits_has(const struct bits *b, size_t i);
void bits_add(struct bits *b, size_t i);
void bits_del(struct bits *b, size_t i);

/* The first member from @from on, or BITS_NONE. */
size_t bits_next(const struct bits *b, size_t from);

/* The members from @from on, without a gap and at most @max: how many. */
size_t bits_run(const struct bits *b, size_t from, size_t max);

#endif
