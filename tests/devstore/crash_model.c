// SPDX-License-Identifier: MIT
/* crash_model.c - what a storage must hold, and whether it does */
#include "crash_model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char buf[PAGES * PAGE];

uint64_t model_random(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 8) % below;
}

/* --- operations ----------------------------------------------------------------- */

static struct op choose_pages(struct op op, const struct state *state, uint64_t *seed)
{
	uint32_t longest = model_random(seed, 6) ? 20 : 1200;

	op.page = (uint32_t)model_random(seed, state->live.pages);
	if (model_random(seed, 2))
		op.page &= ~7u;
	op.pages = 1 + (uint32_t)model_random(seed, longest);
	if (op.pages > state->live.pages - op.page)
		op.pages = (uint32_t)state->live.pages - op.page;
	return op;
}

struct op model_choose(const struct state *state, uint32_t number, uint64_t *seed)
{
	struct op op = { .number = number };
	uint64_t what = model_random(seed, 100);

	if (what < 62) {
		op.kind = what < 45 ? WRITE : CLEAR;
		return choose_pages(op, state, seed);
	}
	if (what < 72)
		op.kind = SNAPSHOT;
	else if (what < 80)
		op.kind = UNSNAP;
	else if (what < 84)
		op.kind = RESIZE;
	else if (what < 86)
		op.kind = REPLACE;
	else if (what < 87)
		op.kind = PURGE;
	else if (what < 94)
		op.kind = SET_META;
	else
		op.kind = SET_OTHER;
	if (op.kind == UNSNAP && !state->snapshots)
		op.kind = SNAPSHOT;
	if (op.kind == SNAPSHOT && state->snapshots == SNAPSHOTS)
		op.kind = UNSNAP;
	op.which = op.kind == UNSNAP ? (uint32_t)model_random(seed, state->snapshots) : 0;
	op.pages = 1 + (uint32_t)model_random(seed, PAGES);
	return op;
}

static void forget(struct version *v, uint32_t page, uint32_t pages)
{
	memset(v->page + page, 0, pages * sizeof(*v->page));
}

void model_apply(struct state *state, const struct op *op)
{
	struct version *live = &state->live;

	switch (op->kind) {
	case WRITE:
		for (uint32_t i = 0; i < op->pages; i++)
			live->page[op->page + i] = op->number;
		break;
	case CLEAR:
		forget(live, op->page, op->pages);
		break;
	case RESIZE:
		forget(live, op->pages, PAGES - op->pages);
		live->pages = op->pages;
		break;
	case SNAPSHOT:
		state->snapshot[state->snapshots] = *live;
		state->snapshot[state->snapshots++].name = op->number;
		break;
	case UNSNAP:
		state->snapshots--;
		memmove(&state->snapshot[op->which], &state->snapshot[op->which + 1],
			(state->snapshots - op->which) * sizeof(*live));
		break;
	case PURGE:
		state->snapshots = 0;
		break;
	case REPLACE:
		forget(live, 0, PAGES);
		live->pages = PAGES;
		live->meta = op->number;
		break;
	case SET_META:
		*(op->number % 2 ? &state->container_meta : &live->meta) = op->number;
		break;
	default:
		state->other = state->other ? 0 : op->number;
	}
}

static void page_fill(unsigned char *p, uint32_t number, uint32_t page)
{
	uint64_t word = (uint64_t)number << 32 | page;

	for (unsigned int i = 0; i < PAGE; i += sizeof(word))
		memcpy(p + i, &word, sizeof(word));
}

static int perform_write(struct storage_blob *b, const struct op *op)
{
	for (uint32_t i = 0; i < op->pages; i++)
		page_fill(buf + i * PAGE, op->number, op->page + i);
	return storage_write(b, (uint64_t)op->page * PAGE, buf, (size_t)op->pages * PAGE);
}

static int perform_other(struct storage *s, const struct state *state, const struct op *op)
{
	const struct storage_key key = { "account", "container", "other", NULL };
	const struct storage_meta meta = { &op->number, sizeof(op->number) };
	struct storage_blob *b;
	int rc;

	if (state->other)
		return storage_blob_delete(s, &key);
	rc = storage_blob_create(s, &key, 1u << 20, meta);
	if (!rc)
		rc = storage_blob_get(s, &key, &b);
	if (rc)
		return rc;
	storage_blob_put(b);
	return 0;
}

/* Every other time it is written first, and then appears as a whole. */
static int perform_replace(struct storage *s, const struct storage_key *key,
			   struct storage_meta meta, bool prepared)
{
	struct storage_blob *b;
	int rc;

	if (!prepared)
		return storage_blob_create(s, key, (uint64_t)PAGES * PAGE, meta);
	rc = storage_blob_prepare(s, key, (uint64_t)PAGES * PAGE, &b);
	if (rc)
		return rc;
	rc = storage_write(b, 0, buf, (size_t)PAGES / 2 * PAGE);
	if (!rc)
		rc = storage_clear(b, 0, (uint64_t)PAGES * PAGE);
	if (!rc)
		rc = storage_blob_publish(b, meta);
	if (rc)
		storage_blob_discard(b);
	else
		storage_blob_put(b);
	return rc;
}

static int perform_name(struct storage *s, const struct state *state, const struct op *op)
{
	uint64_t number = op->number;
	const struct storage_meta meta = { &number, sizeof(number) };
	char name[16];
	struct storage_key key = { "account", "container", "disk", NULL };

	switch (op->kind) {
	case SNAPSHOT:
		number = state->live.meta;
		key.snapshot = name;
		snprintf(name, sizeof(name), "%010u", op->number);
		return storage_snapshot(s, &key, meta);
	case UNSNAP:
		key.snapshot = name;
		snprintf(name, sizeof(name), "%010" PRIu64, state->snapshot[op->which].name);
		return storage_blob_delete(s, &key);
	case PURGE:
		return storage_blob_purge(s, &key, true);
	case REPLACE:
		return perform_replace(s, &key, meta, op->number % 2);
	case SET_META:
		key.blob = op->number % 2 ? NULL : key.blob;
		return storage_meta_set(s, &key, meta);
	default:
		return perform_other(s, state, op);
	}
}

int model_perform(struct storage *s, const struct state *state, const struct op *op)
{
	const struct storage_key key = { "account", "container", "disk", NULL };
	struct storage_blob *b;
	int rc;

	if (op->kind > RESIZE)
		return perform_name(s, state, op);
	rc = storage_blob_get(s, &key, &b);
	if (rc)
		return rc;
	if (op->kind == WRITE)
		rc = perform_write(b, op);
	else if (op->kind == CLEAR)
		rc = storage_clear(b, (uint64_t)op->page * PAGE, (uint64_t)op->pages * PAGE);
	else
		rc = storage_resize(b, (uint64_t)op->pages * PAGE, NULL);
	storage_blob_put(b);
	return rc;
}

int model_begin(struct storage *s, struct state *state)
{
	const uint64_t zero = 0;
	const struct storage_meta meta = { &zero, sizeof(zero) };
	const struct storage_key container = { "account", "container", NULL, NULL };
	const struct storage_key blob = { "account", "container", "disk", NULL };
	int rc = storage_container_create(s, &container, meta);

	memset(state, 0, sizeof(*state));
	state->live.pages = PAGES;
	return rc ? rc : storage_blob_create(s, &blob, (uint64_t)PAGES * PAGE, meta);
}

/* --- reading it back ----------------------------------------------------------------- */

static bool bad(const char *what, uint64_t where, int rc)
{
	fprintf(stderr, "# %s, %" PRIu64 ": %s\n", what, where, strerror(-rc));
	return false;
}

static bool has(void *arg, uint64_t offset, uint64_t len)
{
	unsigned char *set = arg;

	memset(set + offset / PAGE, 1, len / PAGE);
	return true;
}

static bool read_pages(struct storage_blob *b, struct version *v)
{
	unsigned char set[PAGES] = { 0 }, want[PAGE];
	int rc = storage_read(b, 0, buf, (size_t)v->pages * PAGE);

	if (!rc)
		rc = storage_ranges(b, 0, (uint64_t)v->pages * PAGE, has, set);
	if (rc)
		return bad("reading a version", v->name, rc);
	for (uint32_t i = 0; i < v->pages; i++) {
		uint64_t word;

		memcpy(&word, buf + i * PAGE, sizeof(word));
		v->page[i] = (uint32_t)(word >> 32);
		if (v->page[i])
			page_fill(want, v->page[i], i);
		else
			memset(want, 0, PAGE);
		if (memcmp(want, buf + i * PAGE, PAGE) != 0 || set[i] != !!v->page[i])
			return bad("torn or foreign data in page", i, 0);
	}
	return true;
}

static bool read_meta(struct storage *s, const struct storage_key *key, uint64_t *meta)
{
	void *data = NULL;
	size_t len;
	int rc = storage_meta_get(s, key, &data, &len);

	*meta = 0;
	if (!rc)
		memcpy(meta, data, len < sizeof(*meta) ? len : sizeof(*meta));
	free(data);
	return rc ? bad("reading metadata", 0, rc) : true;
}

struct reading {
	struct storage *s;
	struct state *state;
	bool good;
};

static bool read_version(void *arg, const struct storage_key *key)
{
	struct reading *r = arg;
	struct state *state = r->state;
	struct version *v = key->snapshot ? &state->snapshot[state->snapshots] : &state->live;
	struct storage_blob *b;

	if (!strcmp(key->blob, "other")) {
		r->good &= read_meta(r->s, key, &state->other);
		return r->good;
	}
	if ((key->snapshot && state->snapshots++ == SNAPSHOTS) || storage_blob_get(r->s, key, &b))
		return r->good = bad("too much there", 0, 0);
	v->name = key->snapshot ? strtoull(key->snapshot, NULL, 10) : 0;
	v->pages = storage_blob_size(b) / PAGE;
	r->good &= read_meta(r->s, key, &v->meta) && read_pages(b, v);
	storage_blob_put(b);
	return r->good;
}

bool model_read(struct storage *s, struct state *state)
{
	const struct storage_key container = { "account", "container", NULL, NULL };
	struct reading r = { s, state, true };
	int rc;

	memset(state, 0, sizeof(*state));
	rc = storage_list(s, &container, NULL, NULL, read_version, &r);
	if (rc)
		return bad("listing", 0, rc);
	return r.good && read_meta(s, &container, &state->container_meta);
}

bool model_matches(const struct state *seen, const struct state *state, const struct op *partial)
{
	struct state mixed = *state;

	if (partial && (partial->kind == WRITE || partial->kind == CLEAR)) {
		uint32_t new = partial->kind == WRITE ? partial->number : 0;

		for (uint32_t i = partial->page; i < partial->page + partial->pages; i++)
			if (seen->live.page[i] == new)
				mixed.live.page[i] = new;
	}
	/* What is left behind of snapshots that went is nothing to compare. */
	memset(&mixed.snapshot[mixed.snapshots], 0,
	       (SNAPSHOTS - mixed.snapshots) * sizeof(mixed.live));
	return !memcmp(seen, &mixed, sizeof(mixed));
}
