// SPDX-License-Identifier: MIT
/*
 * ranges.c - "Get Page Ranges", also as what differs from an earlier snapshot
 */
#include <errno.h>
#include <string.h>

#include "devstore/service/service.h"
#include "devstore/service/xml.h"
#include "lib/date.h"

#define MAX_RANGES 10000u

struct list {
	struct text t;
	uint64_t left, count; /* ranges that may still be added; that were */
	uint64_t next; /* where the rest begins, once there is no room */
	bool more;
};

static bool add(struct list *l, uint64_t offset, uint64_t len, const char *name)
{
	if (!l->left) {
		l->more = true;
		l->next = offset;
		return false;
	}
	l->left--;
	l->count++;
	text_addf(&l->t, "<%s><Start>%llu</Start><End>%llu</End></%s>", name,
		  (unsigned long long)offset, (unsigned long long)(offset + len - 1), name);
	return true;
}

static bool add_range(void *arg, uint64_t offset, uint64_t len)
{
	return add(arg, offset, len, "PageRange");
}

static bool add_diff(void *arg, uint64_t offset, uint64_t len, bool cleared)
{
	return add(arg, offset, len, cleared ? "ClearRange" : "PageRange");
}

/* "maxresults" and "marker": the marker is where the last response ended. */
static enum ds_err paging(struct ds_call *c, struct list *l, uint64_t *from)
{
	const char *max = ds_query(&c->req, "maxresults"), *marker = ds_query(&c->req, "marker");

	l->left = MAX_RANGES;
	if (max && (!text_u64(max, strlen(max), &l->left) || !l->left))
		return ERR_OutOfRangeQueryParameterValue;
	if (l->left > MAX_RANGES)
		l->left = MAX_RANGES;
	if (marker && *marker) {
		uint64_t at;

		if (!text_u64(marker, strlen(marker), &at) || at % DS_PAGE)
			return ERR_InvalidQueryParameterValue;
		if (at > *from)
			*from = at;
	}
	return DS_OK;
}

/* The range asked for, in whole pages, within the blob. */
static enum ds_err bounds(struct ds_call *c, const struct ds_object *obj, uint64_t *from,
			  uint64_t *end)
{
	struct ds_range range;

	*from = 0;
	*end = obj->size;
	if (!ds_range_asked(&c->req, &range))
		return DS_OK;
	if (range.first >= obj->size)
		return ds_call_beyond(c, obj);
	*from = range.first - range.first % DS_PAGE;
	if (range.last < obj->size)
		*end = (range.last / DS_PAGE + 1) * DS_PAGE;
	return DS_OK;
}

/* The snapshot that prevsnapshot, or the managed disks' header, names. */
static enum ds_err previous(struct ds_call *c, const struct ds_object *obj, const char *name,
			    struct ds_object **older)
{
	struct storage_key key = obj->key;
	int64_t ticks, own;
	int err;

	if (!date_parse_iso(name, &ticks))
		return ERR_InvalidQueryParameterValue;
	if (obj->key.snapshot && date_parse_iso(obj->key.snapshot, &own) && ticks > own)
		return ERR_PreviousSnapshotCannotBeNewer;
	key.snapshot = name;
	err = ds_object_get(&c->ds->objects, &key, older);
	if (err)
		return err == -ENOENT ? ERR_PreviousSnapshotNotFound : ds_error_of(err);
	/* Of a blob that was created anew since, it is no earlier state. */
	if ((*older)->created == obj->created)
		return DS_OK;
	ds_call_put(c, *older);
	return ERR_BlobOverwritten;
}

static enum ds_err list_diff(struct ds_call *c, struct ds_object *obj, const char *name,
			     struct list *l, uint64_t from, uint64_t end)
{
	struct ds_object *older;
	enum ds_err err;
	int res;

	err = previous(c, obj, name, &older);
	if (err)
		return err;
	res = ds_object_open(&c->ds->objects, older);
	if (!res)
		res = storage_diff(obj->data, older->data, from, end - from, add_diff, l);
	ds_call_put(c, older);
	return ds_error_of(res);
}

static enum ds_err list_pages(struct ds_call *c, struct ds_object *obj)
{
	const char *older = ds_query(&c->req, "prevsnapshot");
	struct list l = { 0 };
	uint64_t from, end;
	enum ds_err err;

	err = bounds(c, obj, &from, &end);
	if (!err)
		err = paging(c, &l, &from);
	if (!err)
		err = ds_error_of(ds_object_open(&c->ds->objects, obj));
	if (err)
		return err;
	text_add(&l.t, DS_XML_HEAD "<PageList>");
	if (from >= end)
		;
	else if (older)
		err = list_diff(c, obj, older, &l, from, end);
	else
		err = ds_error_of(storage_ranges(obj->data, from, end - from, add_range, &l));
	if (l.more)
		text_addf(&l.t, "<NextMarker>%llu</NextMarker>", (unsigned long long)l.next);
	else
		text_add(&l.t, "<NextMarker/>");
	text_add(&l.t, "</PageList>");
	if (!err && l.t.failed)
		err = ERR_InternalError;
	if (!err)
		ds_response_xml(c, &l.t);
	c->response.listed = l.count;
	text_free(&l.t);
	return err;
}

static enum ds_err get_pages(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err;

	if (obj->type != DS_PAGE_BLOB)
		return ERR_InvalidBlobType;
	err = ds_call_check_read(c, obj);
	if (!err)
		err = list_pages(c, obj);
	if (err)
		return err;
	ds_response_version(c, obj);
	ds_response_number(c, "x-ms-blob-content-length", obj->size);
	c->response.status = 200;
	return DS_OK;
}

enum ds_err ds_op_GetPageRanges(struct ds_call *c)
{
	return ds_call_on_blob(c, get_pages);
}
