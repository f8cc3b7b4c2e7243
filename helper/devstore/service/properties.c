// SPDX-License-Identifier: MIT
/*
 * properties.c - "Get Blob Properties", "Set Blob Properties", "Get/Set Blob
 * Metadata", "Delete Blob"
 */
#include <string.h>

#include "devstore/service/blob.h"

static enum ds_err get_properties(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err = ds_call_check_read(c, obj);

	if (err)
		return err;
	ds_response_properties(c, obj, true);
	c->response.length = obj->size;
	c->response.status = 200;
	return DS_OK;
}

enum ds_err ds_op_GetBlobProperties(struct ds_call *c)
{
	return ds_call_on_blob(c, get_properties);
}

static enum ds_err get_metadata(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err = ds_call_check_read(c, obj);

	if (err)
		return err;
	ds_response_version(c, obj);
	ds_response_metadata(c, obj);
	c->response.status = 200;
	return DS_OK;
}

enum ds_err ds_op_GetBlobMetadata(struct ds_call *c)
{
	return ds_call_on_blob(c, get_metadata);
}

enum ds_err ds_op_SetBlobMetadata(struct ds_call *c)
{
	struct ds_object *obj, *draft;
	enum ds_err err;

	err = ds_call_write_blob(c, false, &obj);
	if (err)
		return err;
	err = ds_call_draft(c, obj, &draft);
	if (!err)
		err = ds_call_take_metadata(c, draft);
	if (!err)
		err = ds_call_change(c, obj, draft);
	if (!err) {
		ds_response_version(c, obj);
		ds_response_field(c, "x-ms-request-server-encrypted", "true");
		c->response.status = 200;
	}
	ds_call_put(c, draft);
	ds_call_put(c, obj);
	return err;
}

/* --- Set Blob Properties --------------------------------------------------------------- */

/* "max" leaves a higher number as it is, so that to say it twice is to say it
 * once; "increment" takes no number. */
static enum ds_err sequence(struct ds_call *c, const struct ds_object *obj, uint64_t *number)
{
	const char *action = c->req.header[H_SEQUENCE_ACTION];
	uint64_t given;
	enum ds_err err;

	*number = obj->sequence;
	if (!action)
		return c->req.header[H_BLOB_SEQUENCE_NUMBER] ? ERR_InvalidHeaderValue : DS_OK;
	if (obj->type != DS_PAGE_BLOB)
		return ERR_InvalidBlobType;
	if (!strcmp(action, "increment")) {
		if (c->req.header[H_BLOB_SEQUENCE_NUMBER])
			return ERR_InvalidHeaderValue;
		if (obj->sequence == INT64_MAX)
			return ERR_SequenceNumberIncrementTooLarge;
		++*number;
		return DS_OK;
	}
	err = ds_call_number(c, H_BLOB_SEQUENCE_NUMBER, &given);
	if (err)
		return err;
	if (!strcmp(action, "update") || (!strcmp(action, "max") && given > obj->sequence))
		*number = given;
	else if (strcmp(action, "max") != 0)
		return ERR_InvalidHeaderValue;
	return DS_OK;
}

static enum ds_err new_size(struct ds_call *c, const struct ds_object *obj, uint64_t *size)
{
	enum ds_err err;

	*size = obj->size;
	if (!c->req.header[H_BLOB_CONTENT_LENGTH])
		return DS_OK;
	if (obj->type != DS_PAGE_BLOB)
		return ERR_InvalidBlobType;
	err = ds_call_number(c, H_BLOB_CONTENT_LENGTH, size);
	if (err)
		return err;
	return *size % DS_PAGE || *size > DS_MAX_BLOB ? ERR_InvalidHeaderValue : DS_OK;
}

/*
 * The content headers are set all together: those that a request leaves out are
 * cleared, if it has any of them.  A request for a size or a number alone
 * leaves them as they are.
 */
static bool set_headers(struct ds_call *c, struct ds_object *obj)
{
	static const struct {
		enum ds_text text;
		enum ds_header header;
	} fields[] = {
		{ DS_CACHE_CONTROL, H_BLOB_CACHE_CONTROL },
		{ DS_CONTENT_DISPOSITION, H_BLOB_CONTENT_DISPOSITION },
		{ DS_CONTENT_ENCODING, H_BLOB_CONTENT_ENCODING },
		{ DS_CONTENT_LANGUAGE, H_BLOB_CONTENT_LANGUAGE },
		{ DS_CONTENT_TYPE, H_BLOB_CONTENT_TYPE },
		{ DS_CONTENT_MD5, H_BLOB_CONTENT_MD5 },
	};
	const char *const *h = c->req.header;
	bool any = !h[H_BLOB_CONTENT_LENGTH] && !h[H_SEQUENCE_ACTION];

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		any |= h[fields[i].header] != NULL;
	for (size_t i = 0; any && i < sizeof(fields) / sizeof(*fields); i++)
		if (!ds_object_set(obj, fields[i].text, h[fields[i].header]))
			return false;
	return true;
}

enum ds_err ds_op_SetBlobProperties(struct ds_call *c)
{
	struct ds_object *obj, *draft = NULL;
	enum ds_err err;

	err = ds_call_write_blob(c, false, &obj);
	if (err)
		return err;
	err = ds_call_check_md5(c, H_BLOB_CONTENT_MD5);
	if (!err)
		err = ds_call_draft(c, obj, &draft);
	if (!err)
		err = sequence(c, obj, &draft->sequence);
	if (!err)
		err = new_size(c, obj, &draft->size);
	if (!err && !set_headers(c, draft))
		err = ERR_InternalError;
	if (!err)
		err = ds_call_change(c, obj, draft);
	if (!err) {
		ds_response_version(c, obj);
		if (obj->type == DS_PAGE_BLOB)
			ds_response_number(c, "x-ms-blob-sequence-number", obj->sequence);
		c->response.status = 200;
	}
	ds_call_put(c, draft);
	ds_call_put(c, obj);
	return err;
}

/* --- Delete Blob -------------------------------------------------------------------------- */

static bool forget_snapshot(void *arg, const struct storage_key *key)
{
	struct ds_call *c = arg;

	if (strcmp(key->blob, c->req.blob) != 0)
		return false;
	if (key->snapshot)
		ds_object_forget(&c->ds->objects, key);
	return true;
}

/* With its snapshots, or (@only) those alone, in one step. */
static int purge(struct ds_call *c, const struct storage_key *key, bool only)
{
	const struct storage_key parent = { .account = key->account, .container = key->container };
	int err;

	err = storage_list(c->ds->storage, &parent, key->blob, NULL, forget_snapshot, c);
	if (!err)
		err = storage_blob_purge(c->ds->storage, key, only);
	return err;
}

static enum ds_err delete_blob(struct ds_call *c, struct ds_object *obj)
{
	const char *snapshots = c->req.header[H_DELETE_SNAPSHOTS];
	bool only = snapshots && !strcmp(snapshots, "only");
	int err;

	if (snapshots && !only && strcmp(snapshots, "include") != 0)
		return ERR_InvalidHeaderValue;
	if (snapshots && obj->key.snapshot)
		return ERR_InvalidInput;
	if (snapshots)
		err = purge(c, &obj->key, only);
	else
		err = storage_blob_delete(c->ds->storage, &obj->key);
	if (err)
		return ds_error_of(err);
	c->writes = true;
	if (only)
		return DS_OK;
	if (obj->copy == DS_COPY_PENDING)
		ds_copy_cancel(c->ds, obj);
	ds_object_forget(&c->ds->objects, &obj->key);
	return DS_OK;
}

static enum ds_err delete_allowed(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err;

	/* A snapshot has no lease, and its blob's doesn't protect it. */
	err = ds_call_check_write(c, obj);
	if (!err)
		err = delete_blob(c, obj);
	if (err)
		return err;
	ds_response_field(c, "x-ms-delete-type-permanent", "true");
	c->response.status = 202;
	return DS_OK;
}

enum ds_err ds_op_DeleteBlob(struct ds_call *c)
{
	return ds_call_on_blob(c, delete_allowed);
}
