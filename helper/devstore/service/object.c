// SPDX-License-Identifier: MIT
/*
 * object.c - the objects in memory: by key, counted, the idle ones a while
 */
#include "devstore/service/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/date.h"

#define SLOTS 4096u
#define MAX_IDLE 512u
/* Of .NET's clock, which starts in the year 1: Azure's ETags are its times. */
#define ETAG_EPOCH 621355968000000000ull

int ds_objects_init(struct ds_objects *o, struct storage *storage)
{
	*o = (struct ds_objects){ .storage = storage };
	o->slots = calloc(SLOTS, sizeof(struct ds_object *));
	return o->slots ? 0 : -ENOMEM;
}

static uint32_t hash_text(uint32_t h, const char *s)
{
	for (; s && *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	return (h ^ 0xff) * 16777619u;
}

static uint32_t hash_key(const struct storage_key *k)
{
	uint32_t h = 2166136261u;

	h = hash_text(h, k->account);
	h = hash_text(h, k->container);
	h = hash_text(h, k->blob);
	h = hash_text(h, k->snapshot);
	return h ^ h >> 16;
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool same_key(const struct storage_key *a, const struct storage_key *b)
{
	return same(a->blob, b->blob) && same(a->snapshot, b->snapshot) &&
	       same(a->container, b->container) && same(a->account, b->account);
}

static struct ds_object *find(struct ds_objects *o, const struct storage_key *key, uint32_t hash)
{
	for (struct ds_object *obj = o->slots[hash % SLOTS]; obj; obj = obj->chain)
		if (obj->hash == hash && same_key(&obj->key, key))
			return obj;
	return NULL;
}

static void unchain(struct ds_objects *o, struct ds_object *obj)
{
	struct ds_object **p = &o->slots[obj->hash % SLOTS];

	while (*p && *p != obj)
		p = &(*p)->chain;
	if (!*p)
		return;
	*p = obj->chain;
	o->count--;
}

static void chain(struct ds_objects *o, struct ds_object *obj)
{
	obj->chain = o->slots[obj->hash % SLOTS];
	o->slots[obj->hash % SLOTS] = obj;
	o->count++;
}

static void destroy(struct ds_object *obj)
{
	if (obj->data)
		storage_blob_put(obj->data);
	for (size_t i = 0; i < DS_TEXTS; i++)
		free(obj->text[i]);
	free(obj->metadata);
	free(obj->policies);
	free((char *)obj->key.account);
	free((char *)obj->key.container);
	free((char *)obj->key.blob);
	free((char *)obj->key.snapshot);
	free(obj);
}

/* --- the idle ones, newest first ------------------------------------------------ */

static void leave_idle(struct ds_objects *o, struct ds_object *obj)
{
	*(obj->newer ? &obj->newer->older : &o->newest) = obj->older;
	*(obj->older ? &obj->older->newer : &o->oldest) = obj->newer;
	obj->newer = obj->older = NULL;
	o->idle--;
}

static void enter_idle(struct ds_objects *o, struct ds_object *obj)
{
	obj->older = o->newest;
	*(o->newest ? &o->newest->newer : &o->oldest) = obj;
	o->newest = obj;
	o->idle++;
}

static void drop_idle(struct ds_objects *o, struct ds_object *obj)
{
	leave_idle(o, obj);
	unchain(o, obj);
	destroy(obj);
}

void ds_object_put(struct ds_objects *o, struct ds_object *obj)
{
	if (!obj || --obj->refs)
		return;
	if (obj->gone) {
		destroy(obj);
		return;
	}
	enter_idle(o, obj);
	while (o->idle > MAX_IDLE)
		drop_idle(o, o->oldest);
}

void ds_objects_free(struct ds_objects *o)
{
	while (o->oldest)
		drop_idle(o, o->oldest);
	free(o->slots);
	o->slots = NULL;
}

/* --- finding ---------------------------------------------------------------------- */

static char *copy_text(const char *s, bool *failed)
{
	char *copy = s ? strdup(s) : NULL;

	*failed |= s && !copy;
	return copy;
}

struct ds_object *ds_object_new(struct ds_objects *o, const struct storage_key *key,
				enum ds_type type)
{
	struct ds_object *obj = calloc(1, sizeof(*obj));
	bool failed = false;

	if (!obj)
		return NULL;
	obj->key.account = copy_text(key->account, &failed);
	obj->key.container = copy_text(key->container, &failed);
	obj->key.blob = copy_text(key->blob, &failed);
	obj->key.snapshot = copy_text(key->snapshot, &failed);
	if (failed) {
		destroy(obj);
		return NULL;
	}
	obj->hash = hash_key(key);
	obj->type = type;
	obj->refs = 1;
	obj->gone = true;
	ds_object_touch(o, obj);
	obj->created = obj->modified;
	return obj;
}

/* The ETag that the record or the last write of pages gave it. */
static int read_etag(struct ds_objects *o, struct ds_object *obj)
{
	uint64_t stamp;
	int err = storage_stamp_of(o->storage, &obj->key, &stamp);

	if (err)
		return err;
	if (stamp > obj->etag) {
		obj->etag = stamp;
		obj->modified = (int64_t)(stamp - ETAG_EPOCH);
	}
	if (obj->etag > o->last_etag)
		o->last_etag = obj->etag;
	if (!obj->marked)
		return 0;
	obj->marked = false;
	ds_object_touch(o, obj);
	obj->marked = ds_object_save(o, obj) != 0; /* again the next time */
	return 0;
}

static int load(struct ds_objects *o, const struct storage_key *key, struct ds_object **out)
{
	struct ds_object *obj;
	void *data;
	size_t len;
	int err;

	err = storage_meta_get(o->storage, key, &data, &len);
	if (err)
		return err;
	obj = ds_object_new(o, key, DS_CONTAINER);
	if (!obj) {
		free(data);
		return -ENOMEM;
	}
	err = ds_object_decode(obj, data, len);
	free(data);
	obj->gone = false;
	if (!err)
		err = read_etag(o, obj);
	if (err) {
		destroy(obj);
		return err;
	}
	chain(o, obj);
	*out = obj;
	return 0;
}

int ds_object_get(struct ds_objects *o, const struct storage_key *key, struct ds_object **out)
{
	struct ds_object *obj = find(o, key, hash_key(key));

	if (!obj)
		return load(o, key, out);
	if (!obj->refs++)
		leave_idle(o, obj);
	*out = obj;
	return 0;
}

static void forget(struct ds_objects *o, struct ds_object *obj)
{
	obj->gone = true;
	if (obj->refs) {
		unchain(o, obj);
	} else {
		leave_idle(o, obj);
		unchain(o, obj);
		destroy(obj);
	}
}

void ds_object_forget(struct ds_objects *o, const struct storage_key *key)
{
	struct ds_object *obj = find(o, key, hash_key(key));

	if (obj)
		forget(o, obj);
}

void ds_object_publish(struct ds_objects *o, struct ds_object *obj)
{
	ds_object_forget(o, &obj->key);
	obj->gone = false;
	chain(o, obj);
}

void ds_objects_forget_container(struct ds_objects *o, const struct storage_key *key)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct ds_object **p = &o->slots[i];

		while (*p) {
			struct ds_object *obj = *p;

			if (same(obj->key.container, key->container) &&
			    same(obj->key.account, key->account))
				forget(o, obj); /* takes it out of *p */
			else
				p = &obj->chain;
		}
	}
}

int ds_object_open(struct ds_objects *o, struct ds_object *obj)
{
	if (obj->data)
		return 0;
	return obj->gone ? -ENOENT : storage_blob_get(o->storage, &obj->key, &obj->data);
}

/* --- changing ------------------------------------------------------------------------ */

void ds_object_touch(struct ds_objects *o, struct ds_object *obj)
{
	obj->etag = (uint64_t)date_now() + ETAG_EPOCH;
	if (obj->etag <= o->last_etag)
		obj->etag = o->last_etag + 1;
	obj->modified = (int64_t)(obj->etag - ETAG_EPOCH);
	o->last_etag = obj->etag;
}

int ds_object_save(struct ds_objects *o, struct ds_object *obj)
{
	void *data;
	size_t len;
	int err;

	if (obj->gone)
		return 0;
	err = ds_object_encode(obj, &data, &len);
	if (err)
		return err;
	err = storage_meta_set(o->storage, &obj->key, (struct storage_meta){ data, len });
	free(data);
	return err;
}

int ds_object_write(struct ds_objects *o, struct ds_object *obj, struct ds_range range,
		    const void *data)
{
	uint64_t etag = obj->etag, len = range.last - range.first + 1;
	int64_t modified = obj->modified;
	int err;

	ds_object_touch(o, obj);
	storage_stamp_next(obj->data, obj->etag);
	err = data ? storage_write(obj->data, range.first, data, (size_t)len) :
		     storage_clear(obj->data, range.first, len);
	if (err && storage_stamp(obj->data) != obj->etag) {
		obj->etag = etag;
		obj->modified = modified;
	}
	return err;
}

struct ds_object *ds_object_draft(struct ds_objects *o, const struct ds_object *obj)
{
	struct ds_object *draft = ds_object_new(o, &obj->key, obj->type);
	const size_t len = DS_MAX_POLICIES * sizeof(*obj->policies);

	if (draft && obj->policies)
		draft->policies = malloc(len);
	if (!draft || (obj->policies && !draft->policies) ||
	    !ds_object_copy_properties(draft, obj)) {
		ds_object_put(o, draft);
		return NULL;
	}
	if (obj->policies)
		memcpy(draft->policies, obj->policies, len);
	draft->etag = obj->etag;
	draft->created = obj->created;
	draft->modified = obj->modified;
	draft->lease = obj->lease;
	draft->source_etag = obj->source_etag;
	return draft;
}

/* Their records: from the type to the end. */
static void exchange(struct ds_object *a, struct ds_object *b)
{
	const size_t from = offsetof(struct ds_object, type);
	char record[sizeof(*a)];

	memcpy(record, (char *)a + from, sizeof(*a) - from);
	memcpy((char *)a + from, (char *)b + from, sizeof(*a) - from);
	memcpy((char *)b + from, record, sizeof(*a) - from);
}

static int save_draft(struct ds_objects *o, struct ds_object *obj, struct ds_object *draft,
		      struct storage_meta meta)
{
	int err;

	if (draft->size == obj->size)
		return storage_meta_set(o->storage, &obj->key, meta);
	err = ds_object_open(o, obj);
	return err ? err : storage_resize(obj->data, draft->size, &meta);
}

int ds_object_commit(struct ds_objects *o, struct ds_object *obj, struct ds_object *draft)
{
	void *data;
	size_t len;
	int err = ds_object_encode(draft, &data, &len);

	if (err)
		return err;
	if (!obj->gone)
		err = save_draft(o, obj, draft, (struct storage_meta){ data, len });
	free(data);
	if (!err)
		exchange(obj, draft);
	return err;
}

bool ds_object_set(struct ds_object *obj, enum ds_text which, const char *value)
{
	bool failed = false;
	char *copy = copy_text(value && *value ? value : NULL, &failed);

	if (failed)
		return false;
	free(obj->text[which]);
	obj->text[which] = copy;
	return true;
}

bool ds_object_copy_metadata(struct ds_object *to, const struct ds_object *from)
{
	char *copy = from->metadata_len ? malloc(from->metadata_len) : NULL;

	if (from->metadata_len && !copy)
		return false;
	if (copy)
		memcpy(copy, from->metadata, from->metadata_len);
	free(to->metadata);
	to->metadata = copy;
	to->metadata_len = from->metadata_len;
	return true;
}

bool ds_object_copy_properties(struct ds_object *to, const struct ds_object *from)
{
	for (enum ds_text i = 0; i < DS_TEXTS; i++)
		if (!ds_object_set(to, i, from->text[i]))
			return false;
	to->type = from->type;
	to->size = from->size;
	to->sequence = from->sequence;
	to->copy = from->copy;
	to->incremental = from->incremental;
	to->copied = from->copied;
	to->copy_total = from->copy_total;
	to->copy_finished = from->copy_finished;
	return ds_object_copy_metadata(to, from);
}

bool ds_object_metadata(const struct ds_object *obj, size_t *at, struct ds_pair *pair)
{
	if (*at >= obj->metadata_len)
		return false;
	pair->name = obj->metadata + *at;
	*at += strlen(pair->name) + 1;
	pair->value = obj->metadata + *at;
	*at += strlen(pair->value) + 1;
	return true;
}
