// SPDX-License-Identifier: MIT
/*
 * catalog.c - containers, blobs and versions
 *
 * In memory, sorted arrays of pointers all the way: what a listing walks and a
 * look-up bisects.  Everything comes in by catalog_take(), record by record, so
 * that what is built when the storage opens is what was there when it closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/storage/engine.h"

/* Room for one more in an array of pointers. */
static int room(void *array, size_t n, size_t *cap)
{
	void **old = *(void ***)array, **bigger;

	if (n < *cap)
		return 0;
	bigger = realloc(old, (*cap * 2 + 8) * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	*cap = *cap * 2 + 8;
	*(void ***)array = bigger;
	return 0;
}

static void insert(void *array, size_t *n, size_t at, void *item)
{
	void **p = *(void ***)array;

	memmove(p + at + 1, p + at, (*n - at) * sizeof(*p));
	p[at] = item;
	++*n;
}

static void take_out(void *array, size_t *n, size_t at)
{
	void **p = *(void ***)array;

	--*n;
	memmove(p + at, p + at + 1, (*n - at) * sizeof(*p));
}

/* --- looking up ----------------------------------------------------------------- */

/* Where the element with that key is, or would be. */
static size_t search(const void *in, size_t n, const char *const key[], bool *found,
		     int (*compare)(const void *in, size_t i, const char *const key[]))
{
	size_t low = 0, high = n;

	*found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = compare(in, middle, key);

		if (!order) {
			*found = true;
			return middle;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int compare_container(const void *in, size_t i, const char *const key[])
{
	const struct container *c = ((const struct storage *)in)->containers[i];
	int order = strcmp(key[0], c->account);

	return order ? order : strcmp(key[1], c->name);
}

static size_t container_place(const struct storage *s, const char *account, const char *name,
			      bool *found)
{
	const char *const key[] = { account, name };

	return search(s, s->n, key, found, compare_container);
}

static int compare_family(const void *in, size_t i, const char *const key[])
{
	return strcmp(key[0], ((const struct container *)in)->families[i]->name);
}

static size_t family_place(const struct container *c, const char *name, bool *found)
{
	return search(c, c->n, &name, found, compare_family);
}

struct container *catalog_container(struct storage *s, const struct storage_key *key)
{
	bool found;
	size_t at = container_place(s, key->account, key->container, &found);

	return found ? s->containers[at] : NULL;
}

struct family *catalog_family(struct storage *s, const struct storage_key *key)
{
	struct container *c = catalog_container(s, key);
	bool found = false;
	size_t at = c ? family_place(c, key->blob, &found) : 0;

	return found ? c->families[at] : NULL;
}

struct storage_blob *family_live(const struct family *f)
{
	for (size_t i = f->n; i--;) {
		struct storage_blob *v = f->versions[i];

		if (!v->prepared && !v->dying)
			return v->snapshot ? NULL : v;
	}
	return NULL;
}

struct storage_blob *catalog_version(struct storage *s, const struct storage_key *key)
{
	struct family *f = catalog_family(s, key);

	if (!f || !key->snapshot)
		return f ? family_live(f) : NULL;
	for (size_t i = f->n; i--;) {
		struct storage_blob *v = f->versions[i];

		if (v->snapshot && !v->dying && !strcmp(v->snapshot, key->snapshot))
			return v;
	}
	return NULL;
}

/* --- taking records in ------------------------------------------------------------ */

void version_free(struct storage_blob *v)
{
	free(v->snapshot);
	free(v);
}

static void container_free(struct container *c)
{
	free(c->account);
	free(c->name);
	free(c->families);
	free(c);
}

static int take_container(struct storage *s, const struct journal_record *r, const char *name,
			  uint64_t at)
{
	struct container *c = calloc(1, sizeof(*c));
	size_t account = strnlen(name, r->name_len);
	bool found;

	if (!c)
		return -ENOMEM;
	c->id = r->id;
	c->meta_at = at;
	c->account = strndup(name, account);
	c->name = account < r->name_len ? strndup(name + account + 1, r->name_len - account - 1) :
					  NULL;
	if (!c->account || !c->name || room(&s->containers, s->n, &s->cap) ||
	    ids_add(&s->ids, r->id, ID_CONTAINER, c)) {
		container_free(c);
		return -ENOMEM;
	}
	account = container_place(s, c->account, c->name, &found);
	insert(&s->containers, &s->n, account, c);
	return 0;
}

static int take_family(struct storage *s, const struct journal_record *r, const char *name)
{
	struct container *c = ids_find(&s->ids, r->parent, ID_CONTAINER);
	struct family *f = calloc(1, sizeof(*f));
	bool found;

	if (!f || !c) {
		free(f);
		return c ? -ENOMEM : -EBADMSG;
	}
	f->id = r->id;
	f->container = c;
	f->data_fd = -1;
	f->name = strndup(name, r->name_len);
	table_init(&f->desc, s, f->id, "slots");
	if (!f->name || room(&c->families, c->n, &c->cap) ||
	    ids_add(&s->ids, r->id, ID_FAMILY, f)) {
		free(f->name);
		free(f);
		return -ENOMEM;
	}
	insert(&c->families, &c->n, family_place(c, f->name, &found), f);
	return 0;
}

static void number(struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->versions[i]->at = i;
}

/* A snapshot goes below the blob; a blob takes the place of the one there is,
 * and does not continue what was before.  (In a journal that was rewritten the
 * blob comes last, and every version says itself what it is.) */
static void place_version(struct family *f, struct storage_blob *v)
{
	struct storage_blob *live = family_live(f);

	if (live && v->snapshot) {
		/* What the blob did not continue, its snapshot does not. */
		v->barrier = live->barrier;
		live->barrier = false;
		insert(&f->versions, &f->n, live->at, v);
	} else {
		if (v->prepared)
			v->barrier = true;
		else if (live && !v->dying)
			live->dying = v->barrier = true;
		insert(&f->versions, &f->n, f->n, v);
	}
	number(f);
}

static int take_version(struct storage *s, const struct journal_record *r, const char *name,
			uint64_t at)
{
	struct family *f = ids_find(&s->ids, r->parent, ID_FAMILY);
	struct storage_blob *v = calloc(1, sizeof(*v));

	if (!f || !v) {
		free(v);
		return f ? -ENOMEM : -EBADMSG;
	}
	v->s = s;
	v->family = f;
	v->id = r->id;
	v->size = r->arg;
	v->meta_at = at;
	v->barrier = r->flags & J_BARRIER;
	v->dying = r->flags & J_IS_DYING;
	v->prepared = r->flags & J_PREPARED;
	v->snapshot = r->name_len ? strndup(name, r->name_len) : NULL;
	table_init(&v->index, s, v->id, "index");
	v->index.ready = !s->replaying; /* one that is new has no file yet */
	if ((r->name_len && !v->snapshot) || room(&f->versions, f->n, &f->cap) ||
	    ids_add(&s->ids, r->id, ID_VERSION, v)) {
		version_free(v);
		return -ENOMEM;
	}
	place_version(f, v);
	return 0;
}

/* Out of the family and, when nobody has it open, out of memory. */
static void drop_version(struct storage *s, struct storage_blob *v)
{
	ids_del(&s->ids, v->id);
	table_close(&v->index);
	v->family = NULL;
	v->dead = true;
	if (!v->refs)
		version_free(v);
}

static void version_gone(struct storage *s, struct storage_blob *v)
{
	struct family *f = v->family;

	if (v->at + 1 < f->n)
		f->versions[v->at + 1]->barrier |= v->barrier;
	take_out(&f->versions, &f->n, v->at);
	number(f);
	if (!s->replaying)
		object_remove(s, v->id, "index");
	drop_version(s, v);
}

static void family_gone(struct storage *s, struct family *f)
{
	struct container *c = f->container;
	bool found;

	take_out(&c->families, &c->n, family_place(c, f->name, &found));
	family_unload(s, f);
	while (f->n) {
		struct storage_blob *v = f->versions[--f->n];

		if (!s->replaying)
			object_remove(s, v->id, "index");
		drop_version(s, v);
	}
	if (!s->replaying) {
		object_remove(s, f->id, "slots");
		object_remove(s, f->id, "data");
	}
	ids_del(&s->ids, f->id);
	free(f->versions);
	free(f->name);
	free(f);
}

static void container_gone(struct storage *s, struct container *c)
{
	bool found;

	while (c->n)
		family_gone(s, c->families[c->n - 1]);
	take_out(&s->containers, &s->n, container_place(s, c->account, c->name, &found));
	ids_del(&s->ids, c->id);
	container_free(c);
}

static void snapshots_dying(struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		f->versions[i]->dying |= !!f->versions[i]->snapshot;
}

static void take_size(struct storage_blob *v, const struct journal_record *r, uint64_t at)
{
	v->size = r->arg;
	if (r->data_len)
		v->meta_at = at;
}

/* It was at the end already, and does not continue what it replaces. */
static void take_ready(struct storage_blob *v, uint64_t at)
{
	struct storage_blob *live = family_live(v->family);

	if (live)
		live->dying = true;
	v->prepared = false;
	v->meta_at = at;
}

static int take_change(struct storage *s, const struct journal_record *r, uint64_t at)
{
	struct storage_blob *v = ids_find(&s->ids, r->id, ID_VERSION);
	struct container *c = ids_find(&s->ids, r->id, ID_CONTAINER);
	struct family *f = ids_find(&s->ids, r->id, ID_FAMILY);

	if (r->type == J_META && c)
		c->meta_at = at;
	else if (r->type == J_DYING && f)
		snapshots_dying(f);
	else if (!v)
		return -EBADMSG;
	else if (r->type == J_META)
		v->meta_at = at;
	else if (r->type == J_SIZE)
		take_size(v, r, at);
	else if (r->type == J_READY)
		take_ready(v, at);
	else if (r->type == J_STAMP)
		v->stamp = v->stamp_saved = r->arg > v->stamp ? r->arg : v->stamp;
	else if (r->type == J_DYING)
		v->dying = true;
	else
		version_gone(s, v);
	return 0;
}

static int take_gone(struct storage *s, const struct journal_record *r)
{
	struct container *c = ids_find(&s->ids, r->id, ID_CONTAINER);
	struct family *f = ids_find(&s->ids, r->id, ID_FAMILY);

	if (r->type == J_CONTAINER_GONE && c)
		container_gone(s, c);
	else if (r->type == J_FAMILY_GONE && f)
		family_gone(s, f);
	else
		return -EBADMSG;
	return 0;
}

int catalog_take(struct storage *s, const struct journal_record *r, const char *name, uint64_t at)
{
	if (r->id >= s->next_id)
		s->next_id = r->id + 1;
	switch (r->type) {
	case J_CONTAINER:
		return take_container(s, r, name, at);
	case J_FAMILY:
		return take_family(s, r, name);
	case J_VERSION:
		return take_version(s, r, name, at);
	case J_META:
	case J_SIZE:
	case J_STAMP:
	case J_READY:
	case J_DYING:
	case J_GONE:
		return take_change(s, r, at);
	case J_CONTAINER_GONE:
	case J_FAMILY_GONE:
		return take_gone(s, r);
	default:
		return -EBADMSG;
	}
}

static void settle(struct storage *s, struct family *f)
{
	if (!f->n) {
		family_gone(s, f);
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		f->versions[i]->dying |= f->versions[i]->prepared;
		f->versions[i]->prepared = false;
	}
}

void catalog_settle(struct storage *s)
{
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = s->containers[i]->n; k--;)
			settle(s, s->containers[i]->families[k]);
}

void catalog_free(struct storage *s)
{
	s->replaying = true; /* the files stay */
	while (s->n)
		container_gone(s, s->containers[s->n - 1]);
	free(s->containers);
	ids_free(&s->ids);
}

/* --- listing ------------------------------------------------------------------------ */

struct listing {
	const char *prefix;
	const struct storage_key *after;
	bool (*each)(void *arg, const struct storage_key *key);
	void *arg;
};

static int match(const struct listing *l, const char *name)
{
	return l->prefix ? strncmp(name, l->prefix, strlen(l->prefix)) : 0;
}

/* Where to begin: at the marker or at the prefix, whichever is later. */
static const char *first_name(const struct listing *l, const char *after)
{
	const char *prefix = l->prefix ? l->prefix : "";

	return after && strcmp(after, prefix) > 0 ? after : prefix;
}

static void list_containers(struct storage *s, const char *account, const struct listing *l)
{
	const char *after = l->after ? l->after->container : NULL;
	const char *from = first_name(l, after);
	bool found;

	for (size_t i = container_place(s, account, from, &found); i < s->n; i++) {
		const struct container *c = s->containers[i];
		struct storage_key key = { c->account, c->name, NULL, NULL };

		if (strcmp(c->account, account) != 0 || match(l, c->name) > 0)
			return;
		if (match(l, c->name) || (after && !strcmp(c->name, after)))
			continue;
		if (!l->each(l->arg, &key))
			return;
	}
}

/* Whether the listing begins behind this version. */
static bool passed(const struct listing *l, const struct storage_blob *v)
{
	if (!l->after || !l->after->blob || strcmp(v->family->name, l->after->blob) != 0)
		return false;
	/* The blob itself comes last. */
	return !l->after->snapshot || (v->snapshot && strcmp(v->snapshot, l->after->snapshot) <= 0);
}

static bool list_family(const struct family *f, const struct listing *l)
{
	for (size_t i = 0; i < f->n; i++) {
		const struct storage_blob *v = f->versions[i];
		struct storage_key key = { f->container->account, f->container->name, f->name,
					   v->snapshot };

		if (!v->dying && !v->prepared && !passed(l, v) && !l->each(l->arg, &key))
			return false;
	}
	return true;
}

static void list_blobs(const struct container *c, const struct listing *l)
{
	const char *after = l->after ? l->after->blob : NULL;
	const char *from = first_name(l, after);
	bool found;

	for (size_t i = family_place(c, from, &found); i < c->n; i++) {
		int order = match(l, c->families[i]->name);

		if (order > 0 || (!order && !list_family(c->families[i], l)))
			return;
	}
}

int storage_list(struct storage *s, const struct storage_key *parent, const char *prefix,
		 const struct storage_key *after,
		 bool (*each)(void *arg, const struct storage_key *key), void *arg)
{
	const struct listing l = { prefix, after, each, arg };
	const struct container *c;

	if (!parent->container) {
		list_containers(s, parent->account, &l);
		return 0;
	}
	c = catalog_container(s, parent);
	if (!c)
		return -ENOENT;
	list_blobs(c, &l);
	return 0;
}
