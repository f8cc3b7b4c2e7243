// SPDX-License-Identifier: MIT
/*
 * blob.c - "Put Blob", "Get Blob", "Snapshot Blob", "Delete Blob"
 */
#include "devstore/service/blob.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "lib/base64.h"
#include "lib/crc64.h"
#include "lib/date.h"

#define MD5_LEN 16

static uint64_t up(uint64_t n)
{
	return (n + DS_PAGE - 1) & ~(uint64_t)(DS_PAGE - 1);
}

/* --- Put Blob ----------------------------------------------------------------------- */

/* The properties that a request sets: x-ms-blob-…, else HTTP's own header. */
static bool take_headers(struct ds_call *c, struct ds_object *obj)
{
	static const struct {
		enum ds_text text;
		enum ds_header own, http;
	} fields[] = {
		{ DS_CACHE_CONTROL, H_BLOB_CACHE_CONTROL, H_CACHE_CONTROL },
		{ DS_CONTENT_DISPOSITION, H_BLOB_CONTENT_DISPOSITION, H_CONTENT_DISPOSITION },
		{ DS_CONTENT_ENCODING, H_BLOB_CONTENT_ENCODING, H_CONTENT_ENCODING },
		{ DS_CONTENT_LANGUAGE, H_BLOB_CONTENT_LANGUAGE, H_CONTENT_LANGUAGE },
		{ DS_CONTENT_TYPE, H_BLOB_CONTENT_TYPE, H_CONTENT_TYPE },
		{ DS_CONTENT_MD5, H_BLOB_CONTENT_MD5, H_BLOB_CONTENT_MD5 },
	};
	const char *const *h = c->req.header;

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (!ds_object_set(obj, fields[i].text,
				   h[fields[i].own] ? h[fields[i].own] : h[fields[i].http]))
			return false;
	return obj->text[DS_CONTENT_TYPE] ||
	       ds_object_set(obj, DS_CONTENT_TYPE, "application/octet-stream");
}

static enum ds_err page_blob_size(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err = ds_call_number(c, H_BLOB_CONTENT_LENGTH, &obj->size);

	if (err)
		return err;
	if (obj->size % DS_PAGE || obj->size > DS_MAX_BLOB || c->req.body_len)
		return ERR_InvalidHeaderValue;
	if (c->req.header[H_BLOB_SEQUENCE_NUMBER])
		err = ds_call_number(c, H_BLOB_SEQUENCE_NUMBER, &obj->sequence);
	return err;
}

static enum ds_err block_blob_size(struct ds_call *c, struct ds_object *obj)
{
	unsigned char md5[MD5_LEN];
	char text[BASE64_SIZE(MD5_LEN)];
	size_t len;
	enum ds_err err;

	err = ds_call_verify_body(c);
	if (err)
		return err;
	obj->size = c->req.body_len;
	if (!EVP_Q_digest(NULL, "MD5", NULL, c->req.body, c->req.body_len, md5, &len))
		return ERR_InternalError;
	base64_encode(md5, len, text);
	if (obj->text[DS_CONTENT_MD5])
		return strcmp(text, obj->text[DS_CONTENT_MD5]) ? ERR_Md5Mismatch : DS_OK;
	return ds_object_set(obj, DS_CONTENT_MD5, text) ? DS_OK : ERR_InternalError;
}

/* What a blob in the same place has to say to being replaced.  It is in *old,
 * held, or NULL. */
enum ds_err ds_call_replace(struct ds_call *c, struct ds_object **old)
{
	struct ds_conditions conditions;
	enum ds_err err;

	*old = NULL;
	if (ds_query(&c->req, "snapshot"))
		return ERR_InvalidQueryParameterValue;
	err = ds_conditions_parse(&c->req, false, &conditions);
	if (err)
		return err;
	err = ds_call_blob(c, old);
	if (err == ERR_BlobNotFound)
		return c->req.header[H_LEASE_ID] ? ERR_LeaseNotPresentWithBlobOperation :
						   ds_conditions_check_absent(&conditions);
	if (err)
		return err;
	/* The permission to create is not one to overwrite. */
	if (c->grant.sas && !strchr(c->grant.permissions, 'w'))
		err = ERR_AuthorizationPermissionMismatch;
	else if (conditions.if_none_match && !strcmp(conditions.if_none_match, "*"))
		err = ERR_BlobAlreadyExists;
	else
		err = ds_call_check_write(c, *old);
	if (!err && (*old)->copy == DS_COPY_PENDING)
		err = ERR_PendingCopyOperation;
	if (err) {
		ds_call_put(c, *old);
		*old = NULL;
	}
	return err;
}

static int create_filled(struct ds_call *c, const struct ds_object *obj, struct storage_meta meta,
			 int (*fill)(struct ds_call *c, struct storage_blob *b, const void *arg),
			 const void *arg)
{
	struct storage_blob *b;
	int err = storage_blob_prepare(c->ds->storage, &obj->key, up(obj->size), &b);

	if (err)
		return err;
	err = fill(c, b, arg);
	if (!err)
		err = storage_blob_publish(b, meta);
	if (err)
		storage_blob_discard(b);
	else
		storage_blob_put(b);
	return err;
}

enum ds_err ds_call_create(struct ds_call *c, struct ds_object *obj, const struct ds_object *old,
			   int (*fill)(struct ds_call *c, struct storage_blob *b, const void *arg),
			   const void *arg)
{
	struct storage_meta meta;
	void *data;
	int err;

	if (old) {
		obj->lease = old->lease;
		ds_lease_written(&obj->lease, c->mono);
	}
	err = ds_object_encode(obj, &data, &meta.len);
	if (err)
		return ds_error_of(err);
	meta.data = data;
	err = fill ? create_filled(c, obj, meta, fill, arg) :
		     storage_blob_create(c->ds->storage, &obj->key, up(obj->size), meta);
	free(data);
	c->writes = true;
	if (err)
		return err == -ENOENT ? ERR_ContainerNotFound : ds_error_of(err);
	ds_object_publish(&c->ds->objects, obj);
	return DS_OK;
}

/* A block blob's bytes, padded to whole pages. */
static int fill_block(struct ds_call *c, struct storage_blob *b, const void *arg)
{
	size_t len = up(c->req.body_len);
	unsigned char *padded;
	int err;

	(void)arg;
	if (!len)
		return 0;
	padded = calloc(1, len);
	if (!padded)
		return -ENOMEM;
	memcpy(padded, c->req.body, c->req.body_len);
	err = storage_write(b, 0, padded, len);
	free(padded);
	return err;
}

static enum ds_err put_blob(struct ds_call *c, struct ds_object *obj, const struct ds_object *old)
{
	enum ds_err err;

	if (!take_headers(c, obj))
		return ERR_InternalError;
	err = ds_call_check_md5(c, H_BLOB_CONTENT_MD5);
	if (!err)
		err = ds_call_take_metadata(c, obj);
	if (!err)
		err = (obj->type == DS_PAGE_BLOB ? page_blob_size : block_blob_size)(c, obj);
	if (!err)
		err = ds_call_create(c, obj, old, obj->type == DS_BLOCK_BLOB ? fill_block : NULL,
				     NULL);
	if (err)
		return err;
	ds_response_version(c, obj);
	ds_response_field(c, "x-ms-request-server-encrypted", "true");
	c->response.status = 201;
	return DS_OK;
}

enum ds_err ds_op_PutBlob(struct ds_call *c)
{
	const char *type = c->req.header[H_BLOB_TYPE];
	const struct storage_key key = ds_call_key(c);
	struct ds_object *old, *obj;
	enum ds_type kind;
	enum ds_err err;

	if (!type)
		return ERR_MissingRequiredHeader;
	if (!strcmp(type, "PageBlob"))
		kind = DS_PAGE_BLOB;
	else if (!strcmp(type, "BlockBlob"))
		kind = DS_BLOCK_BLOB;
	else
		return strcmp(type, "AppendBlob") ? ERR_InvalidHeaderValue : ERR_NotImplemented;
	err = ds_call_replace(c, &old);
	if (err)
		return err;
	obj = ds_object_new(&c->ds->objects, &key, kind);
	err = obj ? put_blob(c, obj, old) : ERR_InternalError;
	ds_call_put(c, obj);
	ds_call_put(c, old);
	return err;
}

/* --- Get Blob ----------------------------------------------------------------------- */

/* The header of a property, unless the SAS says what it shall be. */
static void response_text(struct ds_call *c, const char *name, const char *value,
			  const char *override)
{
	ds_response_copy(c, name, override ? override : value);
}

static void answer_copy(struct ds_call *c, const struct ds_object *obj)
{
	char progress[48];

	if (!obj->copy)
		return;
	ds_copy_progress(obj, progress, sizeof(progress));
	ds_response_copy(c, "x-ms-copy-id", obj->text[DS_COPY_ID]);
	ds_response_copy(c, "x-ms-copy-source", obj->text[DS_COPY_SOURCE]);
	ds_response_field(c, "x-ms-copy-status", ds_copy_status_name(obj->copy));
	ds_response_copy(c, "x-ms-copy-progress", progress);
	ds_response_copy(c, "x-ms-copy-status-description", obj->text[DS_COPY_DESCRIPTION]);
	if (obj->copy_finished)
		ds_response_date(c, "x-ms-copy-completion-time", obj->copy_finished);
	if (obj->incremental) {
		ds_response_field(c, "x-ms-incremental-copy", "true");
		ds_response_copy(c, "x-ms-copy-destination-snapshot", obj->text[DS_COPY_MADE]);
	}
}

/* The properties as headers.  @whole: of the whole blob, whose stored MD5 is the
 * body's. */
void ds_response_properties(struct ds_call *c, const struct ds_object *obj, bool whole)
{
	const char *const *override = c->grant.override;

	ds_response_version(c, obj);
	response_text(c, "Cache-Control", obj->text[DS_CACHE_CONTROL], override[0]);
	response_text(c, "Content-Disposition", obj->text[DS_CONTENT_DISPOSITION], override[1]);
	response_text(c, "Content-Encoding", obj->text[DS_CONTENT_ENCODING], override[2]);
	response_text(c, "Content-Language", obj->text[DS_CONTENT_LANGUAGE], override[3]);
	response_text(c, "Content-Type", obj->text[DS_CONTENT_TYPE], override[4]);
	ds_response_copy(c, whole ? "Content-MD5" : "x-ms-blob-content-md5",
			 obj->text[DS_CONTENT_MD5]);
	ds_response_field(c, "x-ms-blob-type",
			  obj->type == DS_PAGE_BLOB ? "PageBlob" : "BlockBlob");
	if (obj->type == DS_PAGE_BLOB)
		ds_response_number(c, "x-ms-blob-sequence-number", obj->sequence);
	ds_response_date(c, "x-ms-creation-time", obj->created);
	if (!obj->key.snapshot)
		ds_response_lease(c, obj);
	answer_copy(c, obj);
	ds_response_field(c, "x-ms-server-encrypted", "true");
	ds_response_field(c, "Accept-Ranges", "bytes");
	ds_response_metadata(c, obj);
}

static enum ds_err response_sum(struct ds_call *c, bool md5)
{
	unsigned char sum[MD5_LEN];
	char text[BASE64_SIZE(MD5_LEN)];
	size_t len;

	if (!md5) {
		crc64_text(crc64(0, c->response.body, c->response.body_len), text);
		ds_response_copy(c, "x-ms-content-crc64", text);
		return DS_OK;
	}
	if (!EVP_Q_digest(NULL, "MD5", NULL, c->response.body, c->response.body_len, sum, &len))
		return ERR_InternalError;
	base64_encode(sum, len, text);
	ds_response_copy(c, "Content-MD5", text);
	return DS_OK;
}

/* Whole pages are read, and what was not asked for is cut off. */
static enum ds_err read_body(struct ds_call *c, struct ds_object *obj, uint64_t first, size_t len)
{
	uint64_t from = first - first % DS_PAGE;
	size_t all = up(first + len) - from;
	int err;

	c->response.body = malloc(all ? all : 1);
	if (!c->response.body)
		return ERR_InternalError;
	err = all ? storage_read(obj->data, from, c->response.body, all) : 0;
	if (err)
		return ds_error_of(err);
	if (from != first)
		memmove(c->response.body, c->response.body + (first - from), len);
	c->response.body_len = len;
	return DS_OK;
}

static enum ds_err stream_body(struct ds_call *c, struct ds_object *obj, uint64_t first,
			       uint64_t len)
{
	/* A hold of its own on the pages, which outlives the object's. */
	int err = storage_blob_get(c->ds->storage, &obj->key, &c->response.stream);

	c->response.offset = first;
	c->response.length = len;
	return ds_error_of(err);
}

static bool truth(const char *value)
{
	return value && !strcasecmp(value, "true");
}

static enum ds_err get_range(struct ds_call *c, struct ds_object *obj)
{
	bool md5 = truth(c->req.header[H_RANGE_GET_MD5]);
	bool crc = truth(c->req.header[H_RANGE_GET_CRC64]);
	struct ds_range range;
	bool ranged = ds_range_asked(&c->req, &range) &&
		      ds_conditions_range(&c->req, obj->etag, obj->modified);
	uint64_t len;
	enum ds_err err;

	if (!ranged)
		range = (struct ds_range){ 0, UINT64_MAX };
	if ((md5 || crc) && (!ranged || (md5 && crc)))
		return ERR_InvalidHeaderValue;
	if (ranged && range.first >= obj->size)
		return ds_call_beyond(c, obj);
	len = obj->size - range.first;
	if (range.last - range.first < len)
		len = range.last - range.first + 1;
	if ((md5 || crc) && len > DS_MAX_PAGES)
		return ERR_OutOfRangeInput;
	ds_response_properties(c, obj, !ranged);
	if (ranged)
		ds_response_field(c, "Content-Range",
				  ds_arena_printf(&c->req.arena, "bytes %llu-%llu/%llu",
						  (unsigned long long)range.first,
						  (unsigned long long)(range.first + len - 1),
						  (unsigned long long)obj->size));
	c->response.status = ranged ? 206 : 200;
	err = len > DS_MAX_PAGES ? stream_body(c, obj, range.first, len) :
				   read_body(c, obj, range.first, (size_t)len);
	return err || !(md5 || crc) ? err : response_sum(c, md5);
}

static enum ds_err get(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err;

	/* "Incremental Copy Blob": its snapshots are what is to be read. */
	if (obj->incremental && !obj->key.snapshot)
		return ERR_OperationNotAllowedOnIncrementalCopyBlob;
	err = ds_call_check_read(c, obj);
	if (err == ERR_ConditionNotMet_304)
		ds_response_version(c, obj);
	if (!err)
		err = ds_error_of(ds_object_open(&c->ds->objects, obj));
	return err ? err : get_range(c, obj);
}

enum ds_err ds_op_GetBlob(struct ds_call *c)
{
	return ds_call_on_blob(c, get);
}

/* --- Snapshot Blob -------------------------------------------------------------------- */

/* The snapshot's record.  @c: the call whose metadata it gets, if it has any. */
static enum ds_err prepare_snapshot(struct ds *ds, struct ds_call *c, const struct ds_object *obj,
				    struct ds_object *snapshot)
{
	enum ds_err err;

	if (!ds_object_copy_properties(snapshot, obj))
		return ERR_InternalError;
	snapshot->etag = obj->etag;
	snapshot->modified = obj->modified;
	snapshot->created = obj->created;
	if (!c || !ds_call_has_metadata(c))
		return DS_OK;
	err = ds_call_take_metadata(c, snapshot);
	if (!err)
		ds_object_touch(&ds->objects, snapshot);
	return err;
}

enum ds_err ds_snapshot(struct ds *ds, struct ds_call *c, struct ds_object *obj,
			struct ds_object **out, char name[DATE_ISO])
{
	static int64_t last; /* no two have the same time */
	struct storage_key key = obj->key;
	int64_t now = date_now();
	void *data;
	enum ds_err err;
	size_t len;
	int res;

	last = now > last ? now : last + 1;
	date_iso(last, name);
	key.snapshot = name;
	*out = ds_object_new(&ds->objects, &key, obj->type);
	if (!*out)
		return ERR_InternalError;
	err = prepare_snapshot(ds, c, obj, *out);
	if (err)
		return err;
	res = ds_object_encode(*out, &data, &len);
	if (res)
		return ds_error_of(res);
	res = storage_snapshot(ds->storage, &key, (struct storage_meta){ data, len });
	free(data);
	if (res)
		return ds_error_of(res);
	ds_object_publish(&ds->objects, *out);
	return DS_OK;
}

enum ds_err ds_op_SnapshotBlob(struct ds_call *c)
{
	struct ds_object *obj, *snapshot = NULL;
	char name[DATE_ISO];
	enum ds_err err;

	if (ds_query(&c->req, "snapshot"))
		return ERR_InvalidQueryParameterValue;
	err = ds_call_blob(c, &obj);
	if (err)
		return err;
	err = ds_call_check_beside(c, obj);
	if (!err && obj->copy == DS_COPY_PENDING)
		err = ERR_PendingCopyOperation;
	if (!err && obj->incremental)
		err = ERR_OperationNotAllowedOnIncrementalCopyBlob;
	if (!err)
		err = ds_snapshot(c->ds, c, obj, &snapshot, name);
	if (!err) {
		c->writes = true;
		ds_response_copy(c, "x-ms-snapshot", name);
		ds_response_version(c, snapshot);
		ds_response_field(c, "x-ms-request-server-encrypted", "false");
		c->response.status = 201;
	}
	ds_call_put(c, snapshot);
	ds_call_put(c, obj);
	return err;
}
