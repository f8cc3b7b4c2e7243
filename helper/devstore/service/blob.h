/* SPDX-License-Identifier: MIT */
/*
 * blob.h - what the operations on blobs have in common
 */
#ifndef DEVSTORE_BLOB_H
#define DEVSTORE_BLOB_H

#include "devstore/service/service.h"
#include "lib/date.h"

/* What a blob in the place of a new one has to say to being replaced (lease,
 * conditions, permissions).  It is in *old, held, or NULL. */
enum ds_err ds_call_replace(struct ds_call *c, struct ds_object **old);
/*
 * Makes @obj in the storage, with the lease of the one that it replaces; zeroed, or
 * as @fill, called with @arg, writes it.  It appears as a whole: on an error the old
 * one is there still.
 */
enum ds_err ds_call_create(struct ds_call *c, struct ds_object *obj, const struct ds_object *old,
			   int (*fill)(struct ds_call *c, struct storage_blob *b, const void *arg),
			   const void *arg);
/* Makes a snapshot of @obj, with the metadata of @c, if it is there and has any.
 * It is in *out, held, even on an error (or NULL); its time in @name. */
enum ds_err ds_snapshot(struct ds *ds, struct ds_call *c, struct ds_object *obj,
			struct ds_object **out, char name[DATE_ISO]);

/* The properties as headers; @whole: with the body of the whole blob. */
void ds_response_properties(struct ds_call *c, const struct ds_object *obj, bool whole);

#endif
