/* SPDX-License-Identifier: MIT */
/*
 * crash_model.h - what a storage must hold, and whether it does
 *
 * One blob with its snapshots and metadata, and a second blob that comes and goes.
 * A page is known by the number of the operation that wrote it: all its bytes are
 * made of that number.
 */
#ifndef CRASH_MODEL_H
#define CRASH_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devstore/storage/storage.h"

#define PAGE 512u
#define PAGES 4608u /* more than a page of an index is for */
#define SNAPSHOTS 5u

struct version {
	uint64_t pages, name, meta; /* pages: its size */
	uint32_t page[PAGES]; /* who wrote it; 0: holds no data */
};

struct state {
	struct version live, snapshot[SNAPSHOTS];
	uint64_t snapshots, container_meta;
	uint64_t other; /* the second blob: who made it, 0: nobody */
};

enum kind { WRITE, CLEAR, RESIZE, SNAPSHOT, UNSNAP, PURGE, REPLACE, SET_META, SET_OTHER, KINDS };

struct op {
	enum kind kind;
	uint32_t number; /* its own */
	uint32_t page, pages; /* WRITE, CLEAR; RESIZE: to pages */
	uint32_t which; /* UNSNAP */
};

/* Random, the same for a seed. */
uint64_t model_random(uint64_t *seed, uint64_t below);

/* An operation that makes sense in @state. */
struct op model_choose(const struct state *state, uint32_t number, uint64_t *seed);
void model_apply(struct state *state, const struct op *op);
int model_perform(struct storage *s, const struct state *state, const struct op *op);

/* Makes container and blob where they are missing. */
int model_begin(struct storage *s, struct state *state);

/* Reads all of it.  False, with a line on standard error: something in it is what
 * nobody wrote. */
bool model_read(struct storage *s, struct state *state);

/* Whether @seen is @state, or @state with part of @partial's pages (may be NULL). */
bool model_matches(const struct state *seen, const struct state *state, const struct op *partial);

#endif
