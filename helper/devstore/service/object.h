/* SPDX-License-Identifier: MIT */
/*
 * object.h - containers, blobs and snapshots: what the server knows of them
 *
 * An object is the server's record (ETag, times, properties, metadata, lease,
 * copy state), kept in memory while it is used, and as opaque metadata in the
 * storage.  ds_object_save() writes it there.
 *
 * A write of pages changes ETag and Last-Modified, and is far too frequent to
 * save a record each time: the ETag goes with the pages, as the storage's stamp
 * (storage.h), and Last-Modified is the time that an ETag is made of.  The higher
 * of stamp and record is the ETag.  So it never stands for two contents, and a
 * death changes none.
 *
 * All other changes are made in a draft, which becomes the object when it has been
 * saved: what could not be saved has not happened.
 */
#ifndef DEVSTORE_OBJECT_H
#define DEVSTORE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devstore/auth/auth.h"
#include "devstore/request/request.h"
#include "devstore/service/lease.h"
#include "devstore/service/range.h"
#include "devstore/storage/storage.h"

#define DS_MAX_POLICIES 5

enum ds_type { DS_CONTAINER, DS_PAGE_BLOB, DS_BLOCK_BLOB };

enum ds_text {
	DS_CACHE_CONTROL,
	DS_CONTENT_DISPOSITION,
	DS_CONTENT_ENCODING,
	DS_CONTENT_LANGUAGE,
	DS_CONTENT_TYPE,
	DS_CONTENT_MD5,
	DS_COPY_ID,
	DS_COPY_SOURCE,
	DS_COPY_DESCRIPTION,
	DS_COPY_SNAPSHOT, /* of the source: the last one copied incrementally */
	DS_COPY_MADE, /* x-ms-copy-destination-snapshot */
	DS_TEXTS,
};

enum ds_copy_status {
	DS_COPY_NONE,
	DS_COPY_PENDING,
	DS_COPY_SUCCESS,
	DS_COPY_ABORTED,
	DS_COPY_FAILED
};

struct ds_object {
	struct ds_object *chain; /* the cache's */
	struct ds_object *newer, *older;
	uint32_t hash;
	unsigned int refs;
	bool gone; /* deleted, or replaced by another: nobody finds it any more */

	struct storage_key key; /* of malloc'ed strings */
	struct storage_blob *data; /* NULL until it is used */

	/* The record, from here on: what ds_object_commit() exchanges. */
	enum ds_type type;
	uint64_t size; /* Content-Length */
	uint64_t etag, sequence;
	int64_t created, modified; /* ticks */
	struct ds_lease lease;
	char *text[DS_TEXTS]; /* malloc'ed or NULL */
	char *metadata; /* "x-ms-meta-NAME\0VALUE\0…", malloc'ed or NULL */
	size_t metadata_len;
	struct ds_policy *policies; /* of a container; DS_MAX_POLICIES, malloc'ed or NULL */

	enum ds_copy_status copy;
	bool incremental;
	uint64_t copied, copy_total, source_etag;
	int64_t copy_finished;

	bool marked; /* written by a version without stamps, and not closed in order */
};

struct ds_objects {
	struct storage *storage;
	struct ds_object **slots;
	struct ds_object *newest, *oldest; /* those that nobody holds */
	size_t count, idle;
	uint64_t last_etag;
};

int ds_objects_init(struct ds_objects *o, struct storage *storage);
/* Nobody may hold an object any more. */
void ds_objects_free(struct ds_objects *o);

/* The object of a key, held; -ENOENT. */
int ds_object_get(struct ds_objects *o, const struct storage_key *key, struct ds_object **out);
void ds_object_put(struct ds_objects *o, struct ds_object *obj);
static inline struct ds_object *ds_object_hold(struct ds_object *obj)
{
	obj->refs++;
	return obj;
}

/* A record for a new object, held by the caller and in nobody's sight; it gets
 * there by ds_object_publish(), in place of the one there was. */
struct ds_object *ds_object_new(struct ds_objects *o, const struct storage_key *key,
				enum ds_type type);
void ds_object_publish(struct ds_objects *o, struct ds_object *obj);
/* Takes a deleted object, or all in a container and the container, out of sight. */
void ds_object_forget(struct ds_objects *o, const struct storage_key *key);
void ds_objects_forget_container(struct ds_objects *o, const struct storage_key *key);

/* Its pages, opened when needed; 0 or -errno. */
int ds_object_open(struct ds_objects *o, struct ds_object *obj);

/* A new ETag and Last-Modified. */
void ds_object_touch(struct ds_objects *o, struct ds_object *obj);
/* A write of pages (@data), or a clear (NULL), with a new ETag; one that fails and has
 * changed nothing leaves the old one. */
int ds_object_write(struct ds_objects *o, struct ds_object *obj, struct ds_range range,
		    const void *data);
/* A copy of @obj, to be changed, held by the caller alone; NULL: out of memory. */
struct ds_object *ds_object_draft(struct ds_objects *o, const struct ds_object *obj);
/* Saves the draft, with its size, and exchanges the records: @obj is what the draft
 * was.  Not 0: it is as it was. */
int ds_object_commit(struct ds_objects *o, struct ds_object *obj, struct ds_object *draft);
int ds_object_save(struct ds_objects *o, struct ds_object *obj);
/* The record as bytes, malloc'ed: for the functions of storage.h that take it. */
int ds_object_encode(const struct ds_object *obj, void **data, size_t *len);
/* Into an object fresh from ds_object_new(); -EBADMSG. */
int ds_object_decode(struct ds_object *obj, const void *data, size_t len);

/* Replaces a text by a copy of @value (NULL: none). */
bool ds_object_set(struct ds_object *obj, enum ds_text which, const char *value);
/* Everything but key, data, lease and times, as a snapshot or copy takes it over. */
bool ds_object_copy_properties(struct ds_object *to, const struct ds_object *from);
bool ds_object_copy_metadata(struct ds_object *to, const struct ds_object *from);
/* The pairs of obj->metadata: @at starts as 0; false at the end. */
bool ds_object_metadata(const struct ds_object *obj, size_t *at, struct ds_pair *pair);

#endif
