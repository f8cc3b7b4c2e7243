// SPDX-License-Identifier: MIT
/*
 * copy.c - "Copy Blob", "Copy Blob From URL", "Incremental Copy Blob", "Abort
 * Copy Blob", "Put Page From URL"
 *
 * A source is a blob or snapshot of this server.  Its URL is parsed and
 * authorised as if a client had asked to read it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "devstore/service/blob.h"
#include "devstore/service/pages.h"
#include "lib/base64.h"
#include "lib/crc64.h"

#define MAX_SYNC (256ull << 20) /* "Copy Blob From URL" */
#define MAX_URL 2048u

/* --- the source ------------------------------------------------------------------------ */

static bool is_here(const char *name, size_t len, const char *host)
{
	return host && strlen(host) == len && !strncasecmp(name, host, len);
}

enum ds_err ds_copy_source_key(struct ds *ds, const char *url, const char *host,
			       struct storage_key *key)
{
	struct ds_request *r = &ds->source;
	const char *path;
	size_t len;

	if (strlen(url) > MAX_URL)
		return ERR_InvalidHeaderValue;
	if (!strncasecmp(url, "http://", 7))
		url += 7;
	else if (!strncasecmp(url, "https://", 8))
		url += 8;
	else
		return ERR_InvalidHeaderValue;
	path = strchr(url, '/');
	if (!path)
		return ERR_InvalidHeaderValue;
	len = (size_t)(path - url);
	if (!is_here(url, len, host) && !is_here(url, len, ds->host))
		return ERR_CannotVerifyCopySource_400;
	ds_request_begin(r, "GET", path);
	if (r->bad || !r->blob)
		return ERR_InvalidHeaderValue;
	/* A version of a blob that has none. */
	if (ds_query(r, "versionid"))
		return ERR_CannotVerifyCopySource;
	*key = (struct storage_key){ .account = r->account,
				     .container = r->container,
				     .blob = r->blob,
				     .snapshot = ds_query(r, "snapshot") };
	return DS_OK;
}

/* Whether the call may read the source: by the SAS in its URL; or, where that is
 * enough, because it has the key of the account that both are in. */
static enum ds_err authorize_source(struct ds_call *c, bool key_is_enough)
{
	/* "Incremental Copy Blob" takes a SAS of the blob for its snapshots. */
	const struct ds_need read = { 'o', "r", "r", c->op == OP_IncrementalCopyBlob };
	struct ds_request *r = &c->ds->source;
	struct ds_grant grant;

	if (!ds_query(r, "sig"))
		return key_is_enough && !c->grant.sas && !strcmp(r->account, c->req.account) ?
			       DS_OK :
			       ERR_CannotVerifyCopySource_403;
	memcpy(r->client, c->req.client, sizeof(r->client));
	r->https = c->req.https;
	return ds_authorize(&c->ds->accounts, r, &read, ds_find_policy, c->ds, c->now, &grant) ?
		       ERR_CannotVerifyCopySource_403 :
		       DS_OK;
}

static enum ds_err check_source(struct ds_call *c, const struct ds_object *from)
{
	struct ds_conditions conditions;
	const char *id;
	enum ds_err err;

	err = ds_call_lease_id(c, H_SOURCE_LEASE_ID, &id);
	if (!err)
		err = ds_lease_check_read(&from->lease, c->mono, id, false);
	if (err)
		return err;
	err = ds_conditions_parse_source(&c->req, &conditions);
	if (err)
		return err;
	return ds_conditions_check(&conditions, from->etag, from->modified, false) ?
		       ERR_SourceConditionNotMet :
		       DS_OK;
}

/* The source's URL as it is shown: without its SAS. */
static const char *shown_source(struct ds_call *c, const char *url)
{
	const char *snapshot = ds_query(&c->ds->source, "snapshot");

	return ds_arena_printf(&c->req.arena, "%.*s%s%s", (int)strcspn(url, "?"), url,
			       snapshot ? "?snapshot=" : "", snapshot ? snapshot : "");
}

/* The source, held and open; c->source is its URL to be shown. */
static enum ds_err find_source(struct ds_call *c, bool key_is_enough, struct ds_object **from)
{
	const char *url = c->req.header[H_COPY_SOURCE];
	struct storage_key key;
	enum ds_err err;
	int res;

	if (!url)
		return ERR_MissingRequiredHeader;
	err = ds_copy_source_key(c->ds, url, c->req.header[H_HOST], &key);
	/* Its page has a code of its own for that. */
	if (err == ERR_InvalidHeaderValue && c->op == OP_IncrementalCopyBlob)
		err = ERR_InvalidSourceBlobUrl;
	if (!err)
		err = authorize_source(c, key_is_enough);
	if (err)
		return err;
	c->source = shown_source(c, url);
	if (!c->source)
		return ERR_InternalError;
	res = ds_object_get(&c->ds->objects, &key, from);
	if (res)
		return res == -ENOENT ? ERR_CannotVerifyCopySource : ds_error_of(res);
	err = check_source(c, *from);
	if (!err)
		err = ds_error_of(ds_object_open(&c->ds->objects, *from));
	if (!err && (*from)->copy == DS_COPY_PENDING)
		err = ERR_PendingCopyOperation;
	if (err)
		ds_call_put(c, *from);
	return err;
}

/* --- Copy Blob ---------------------------------------------------------------------------- */

static bool set_copy_id(struct ds_object *to)
{
	char id[DS_LEASE_ID];

	return ds_random_id(id) && ds_object_set(to, DS_COPY_ID, id);
}

/* The record of a copy that is about to begin. */
static bool begin_copy(struct ds_call *c, struct ds_object *to, const struct ds_object *from)
{
	to->copy = DS_COPY_PENDING;
	to->copied = 0;
	to->copy_total = from->size;
	to->copy_finished = 0;
	to->source_etag = from->etag;
	return set_copy_id(to) && ds_object_set(to, DS_COPY_SOURCE, c->source) &&
	       ds_object_set(to, DS_COPY_DESCRIPTION, NULL);
}

static void answer_copy(struct ds_call *c, const struct ds_object *to)
{
	ds_response_version(c, to);
	ds_response_copy(c, "x-ms-copy-id", to->text[DS_COPY_ID]);
	ds_response_field(c, "x-ms-copy-status", ds_copy_status_name(to->copy));
	c->response.status = 202;
}

/* It is over by now. */
static void end_copy(struct ds_call *c, struct ds_object *to)
{
	to->copy = DS_COPY_SUCCESS;
	to->copied = to->copy_total;
	to->copy_finished = c->now;
}

static int fill_from(struct ds_call *c, struct storage_blob *to, const void *arg)
{
	const struct ds_object *from = arg;
	uint64_t position = 0;

	(void)c;
	return from->size ? storage_copy(to, from->data, &position, UINT64_MAX) : 0;
}

/* The new blob in place of @old. */
static enum ds_err copy_blob(struct ds_call *c, struct ds_object *to, struct ds_object *from,
			     const struct ds_object *old, bool at_once)
{
	enum ds_err err = DS_OK;

	if (!ds_object_copy_properties(to, from))
		return ERR_InternalError;
	to->incremental = false;
	if (ds_call_has_metadata(c))
		err = ds_call_take_metadata(c, to);
	if (!err && !begin_copy(c, to, from))
		err = ERR_InternalError;
	if (!err && at_once) {
		end_copy(c, to);
		err = ds_call_create(c, to, old, fill_from, from);
	} else if (!err) {
		err = ds_call_create(c, to, old, NULL, NULL);
		if (!err)
			err = ds_copy_start(c->ds, to, from, NULL);
	}
	if (!err)
		answer_copy(c, to);
	return err;
}

/* A blob onto itself: there is nothing to copy but what the request says. */
static enum ds_err copy_onto_itself(struct ds_call *c, struct ds_object *obj)
{
	struct ds_object *draft;
	enum ds_err err;

	err = ds_call_draft(c, obj, &draft);
	if (!err && ds_call_has_metadata(c))
		err = ds_call_take_metadata(c, draft);
	if (!err && !begin_copy(c, draft, obj))
		err = ERR_InternalError;
	if (!err) {
		end_copy(c, draft);
		err = ds_call_change(c, obj, draft);
	}
	if (!err)
		answer_copy(c, obj);
	ds_call_put(c, draft);
	return err;
}

static int digest(EVP_MD_CTX *md, struct ds_object *from)
{
	size_t chunk = from->size < DS_MAX_PAGES ? (size_t)from->size : DS_MAX_PAGES;
	unsigned char *data = malloc(chunk + DS_PAGE); /* of a block blob's last page, all */
	int err = data ? 0 : -ENOMEM;

	for (uint64_t at = 0; at < from->size && !err; at += chunk) {
		size_t len = from->size - at < chunk ? (size_t)(from->size - at) : chunk;
		size_t pages = (len + DS_PAGE - 1) / DS_PAGE * DS_PAGE;

		err = storage_read(from->data, at, data, pages);
		if (!err && !EVP_DigestUpdate(md, data, len))
			err = -EIO;
	}
	free(data);
	return err;
}

/* "Copy Blob From URL": x-ms-source-content-md5 of all that is copied. */
static enum ds_err verify_whole_source(struct ds_call *c, struct ds_object *from)
{
	const char *given = c->req.header[H_SOURCE_CONTENT_MD5];
	EVP_MD_CTX *md;
	unsigned char sum[16];
	char text[BASE64_SIZE(sizeof(sum))];
	enum ds_err err = ds_call_check_md5(c, H_SOURCE_CONTENT_MD5);

	if (err || !given)
		return err;
	md = EVP_MD_CTX_new();
	if (!md || !EVP_DigestInit_ex(md, EVP_md5(), NULL))
		err = ERR_InternalError;
	if (!err)
		err = ds_error_of(digest(md, from));
	if (!err && !EVP_DigestFinal_ex(md, sum, NULL))
		err = ERR_InternalError;
	EVP_MD_CTX_free(md);
	if (err)
		return err;
	base64_encode(sum, sizeof(sum), text);
	if (strcmp(text, given) != 0)
		return ERR_Md5Mismatch;
	ds_response_field(c, "Content-MD5", given);
	return DS_OK;
}

static enum ds_err copy(struct ds_call *c, struct ds_object *from, bool sync)
{
	const struct storage_key key = ds_call_key(c);
	struct ds_object *old, *to = NULL;
	enum ds_err err;

	if (sync && from->size > MAX_SYNC)
		return ERR_InvalidOperation;
	err = verify_whole_source(c, from);
	if (!err)
		err = ds_call_replace(c, &old);
	if (err)
		return err;
	if (old && old->type != from->type) {
		err = ERR_InvalidBlobType;
	} else if (old && old == from) {
		err = copy_onto_itself(c, old);
	} else {
		to = ds_object_new(&c->ds->objects, &key, from->type);
		err = to ? copy_blob(c, to, from, old, sync || from->size <= c->ds->async_above) :
			   ERR_InternalError;
	}
	ds_call_put(c, to);
	ds_call_put(c, old);
	return err;
}

enum ds_err ds_op_CopyBlob(struct ds_call *c)
{
	const char *requires_sync = c->req.header[H_REQUIRES_SYNC];
	bool sync = requires_sync && !strcasecmp(requires_sync, "true");
	struct ds_object *from;
	enum ds_err err;

	if (requires_sync && !sync && strcasecmp(requires_sync, "false") != 0)
		return ERR_InvalidHeaderValue;
	if (!sync && c->req.header[H_SOURCE_CONTENT_MD5])
		return ERR_UnsupportedHeader; /* "Copy Blob" has none */
	err = find_source(c, !sync, &from);
	if (err)
		return err;
	err = copy(c, from, sync);
	ds_call_put(c, from);
	return err;
}

/* --- Incremental Copy Blob ------------------------------------------------------------------ */

/* Whether an existing incremental copy is of the same blob, and of an earlier
 * snapshot. */
static enum ds_err check_incremental(const struct ds_object *to, const struct ds_object *from,
				     const char *url)
{
	const char *source = to->text[DS_COPY_SOURCE] ? to->text[DS_COPY_SOURCE] : "";
	const char *last = to->text[DS_COPY_SNAPSHOT];
	size_t len = strcspn(url, "?");

	if (!to->incremental)
		return ERR_InvalidBlobType;
	if (strcspn(source, "?") != len || strncmp(source, url, len) != 0)
		return ERR_IncrementalCopyBlobMismatch;
	if (last && strcmp(from->key.snapshot, last) <= 0)
		return ERR_IncrementalCopyOfEarlierSnapshotNotAllowed;
	return DS_OK;
}

static enum ds_err set_incremental(struct ds_call *c, struct ds_object *to,
				   const struct ds_object *from)
{
	to->incremental = true;
	return begin_copy(c, to, from) && ds_object_set(to, DS_COPY_SNAPSHOT, from->key.snapshot) ?
		       DS_OK :
		       ERR_InternalError;
}

static enum ds_err first_increment(struct ds_call *c, struct ds_object *from, struct ds_object **to)
{
	const struct storage_key key = ds_call_key(c);
	enum ds_err err;

	*to = ds_object_new(&c->ds->objects, &key, DS_PAGE_BLOB);
	if (!*to || !ds_object_copy_properties(*to, from))
		return ERR_InternalError;
	err = set_incremental(c, *to, from);
	return err ? err : ds_call_create(c, *to, NULL, NULL, NULL);
}

/* The snapshot of the source that was copied last, held; NULL where it is not
 * there any more: then all is copied. */
static struct ds_object *find_older(struct ds_call *c, const struct ds_object *from,
				    const struct ds_object *to)
{
	struct storage_key key = from->key;
	struct ds_object *older;

	key.snapshot = to->text[DS_COPY_SNAPSHOT];
	if (!key.snapshot || !to->text[DS_COPY_MADE] ||
	    ds_object_get(&c->ds->objects, &key, &older))
		return NULL;
	if (older->created == from->created)
		return older;
	ds_call_put(c, older);
	return NULL;
}

static enum ds_err next_increment(struct ds_call *c, struct ds_object *from, struct ds_object *to,
				  struct ds_object **older)
{
	enum ds_err err = check_incremental(to, from, c->req.header[H_COPY_SOURCE]);
	struct ds_object *draft = NULL;

	if (!err && to->copy == DS_COPY_SUCCESS)
		*older = find_older(c, from, to);
	if (!err)
		err = ds_call_draft(c, to, &draft);
	if (!err)
		err = set_incremental(c, draft, from);
	if (!err) {
		draft->size = from->size;
		draft->sequence = from->sequence;
		err = ds_call_change(c, to, draft);
	}
	ds_call_put(c, draft);
	return err;
}

enum ds_err ds_op_IncrementalCopyBlob(struct ds_call *c)
{
	struct ds_object *from, *old, *to = NULL, *older = NULL;
	enum ds_err err;

	err = find_source(c, false, &from);
	if (err)
		return err;
	if (!from->key.snapshot)
		err = ERR_IncrementalCopySourceMustBeSnapshot;
	else if (from->type != DS_PAGE_BLOB)
		err = ERR_InvalidSourceBlobType;
	else
		err = ds_call_replace(c, &old);
	if (err) {
		ds_call_put(c, from);
		return err;
	}
	if (old)
		err = next_increment(c, from, to = ds_object_hold(old), &older);
	else
		err = first_increment(c, from, &to);
	if (!err)
		err = ds_copy_start(c->ds, to, from, older);
	if (!err)
		answer_copy(c, to);
	ds_call_put(c, older);
	ds_call_put(c, to);
	ds_call_put(c, old);
	ds_call_put(c, from);
	return err;
}

/* --- Abort Copy Blob -------------------------------------------------------------------------- */

static enum ds_err abort_copy(struct ds_call *c, struct ds_object *to)
{
	const char *id = ds_query(&c->req, "copyid");
	struct ds_object *draft;
	enum ds_err err;

	if (!id)
		return ERR_MissingRequiredQueryParameter;
	if (to->copy != DS_COPY_PENDING)
		return ERR_NoPendingCopyOperation;
	if (strcasecmp(id, to->text[DS_COPY_ID]) != 0)
		return ERR_CopyIdMismatch;
	err = ds_call_draft(c, to, &draft);
	if (!err) {
		draft->size = 0;
		draft->copy = DS_COPY_ABORTED;
		draft->copy_finished = c->now;
		err = ds_call_change(c, to, draft);
	}
	if (!err)
		ds_copy_cancel(c->ds, to);
	ds_call_put(c, draft);
	return err;
}

enum ds_err ds_op_AbortCopyBlob(struct ds_call *c)
{
	const char *action = c->req.header[H_COPY_ACTION], *id;
	struct ds_object *to;
	enum ds_err err;

	if (!action)
		return ERR_MissingRequiredHeader;
	if (strcmp(action, "abort") != 0)
		return ERR_InvalidHeaderValue;
	err = ds_call_blob(c, &to);
	if (err)
		return err;
	err = ds_call_lease_id(c, H_LEASE_ID, &id);
	if (!err)
		err = ds_lease_check_write(&to->lease, c->mono, id, false);
	if (!err)
		err = abort_copy(c, to);
	if (!err)
		c->response.status = 204;
	ds_call_put(c, to);
	return err;
}

/* --- Put Page From URL ------------------------------------------------------------------------ */

static enum ds_err verify_source(struct ds_call *c, const void *data, size_t len)
{
	const char *crc_text = c->req.header[H_SOURCE_CONTENT_CRC64];
	const char *md5_text = c->req.header[H_SOURCE_CONTENT_MD5];
	unsigned char md5[16];
	char text[BASE64_SIZE(sizeof(md5))];
	size_t md5_len;

	if (md5_text && crc_text)
		return ERR_BothCrc64AndMd5HeaderPresent;
	if (md5_text) {
		if (ds_call_check_md5(c, H_SOURCE_CONTENT_MD5))
			return ERR_InvalidMd5;
		if (!EVP_Q_digest(NULL, "MD5", NULL, data, len, md5, &md5_len))
			return ERR_InternalError;
		base64_encode(md5, md5_len, text);
		if (strcmp(text, md5_text) != 0)
			return ERR_Md5Mismatch;
		ds_response_copy(c, "Content-MD5", text);
		return DS_OK;
	}
	crc64_text(crc64(0, data, len), text);
	if (crc_text && strcmp(text, crc_text) != 0)
		return ERR_Crc64Mismatch;
	ds_response_copy(c, "x-ms-content-crc64", text);
	return DS_OK;
}

static enum ds_err pages_ranges(struct ds_call *c, struct ds_range *range, struct ds_range *source)
{
	const char *text = c->req.header[H_SOURCE_RANGE], *write = c->req.header[H_PAGE_WRITE];
	bool has;
	enum ds_err err;

	if (!write)
		return ERR_MissingRequiredHeader;
	if (strcasecmp(write, "update") != 0)
		return ERR_InvalidHeaderValue;
	err = ds_range_of(&c->req, range, &has);
	if (err)
		return err;
	if (!has || !text)
		return ERR_MissingRequiredHeader;
	if (c->req.body_len || !ds_range_parse(text, source))
		return ERR_InvalidHeaderValue;
	if (range->last == UINT64_MAX || range->first % DS_PAGE || (range->last + 1) % DS_PAGE ||
	    source->first % DS_PAGE)
		return ERR_InvalidPageRange;
	if (range->last - range->first >= DS_MAX_PAGES)
		return ERR_RequestBodyTooLarge;
	return source->last - source->first != range->last - range->first ? ERR_InvalidHeaderValue :
									    DS_OK;
}

static enum ds_err put_pages(struct ds_call *c, const struct ds_range *range, const void *data)
{
	size_t len = (size_t)(range->last - range->first + 1);
	struct ds_object *obj;
	enum ds_err err;

	err = verify_source(c, data, len);
	if (!err)
		err = ds_call_write_pages(c, range, &obj);
	if (err)
		return err;
	err = ds_call_change_pages(c, obj, range, data);
	ds_call_put(c, obj);
	return err;
}

enum ds_err ds_op_PutPageFromURL(struct ds_call *c)
{
	struct ds_range range, source;
	struct ds_object *from;
	enum ds_err err;
	void *data;

	err = pages_ranges(c, &range, &source);
	if (!err)
		err = find_source(c, false, &from);
	if (err)
		return err;
	data = malloc((size_t)(range.last - range.first + 1));
	if (!data)
		err = ERR_InternalError;
	else if (from->type != DS_PAGE_BLOB)
		err = ERR_InvalidSourceBlobType;
	else if (source.last >= from->size)
		err = ERR_InvalidRange;
	else
		err = ds_error_of(storage_read(from->data, source.first, data,
					       (size_t)(source.last - source.first + 1)));
	if (!err)
		err = put_pages(c, &range, data);
	free(data);
	ds_call_put(c, from);
	return err;
}
