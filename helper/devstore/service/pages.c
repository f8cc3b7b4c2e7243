// SPDX-License-Identifier: MIT
/*
 * pages.c - "Put Page": update and clear
 *
 * The order of the checks is Azure's as far as it is known: form, existence,
 * lease, conditions, sequence number, range.  A write that fails a condition
 * must not have touched a byte.
 */
#include "devstore/service/pages.h"

#include <string.h>
#include <strings.h>

static enum ds_err page_range(struct ds_call *c, struct ds_range *range)
{
	bool has;
	enum ds_err err = ds_range_of(&c->req, range, &has);

	if (err)
		return err;
	if (!has)
		return ERR_MissingRequiredHeader;
	if (range->last == UINT64_MAX || range->first % DS_PAGE || (range->last + 1) % DS_PAGE)
		return ERR_InvalidPageRange;
	return DS_OK;
}

/* The blob to be written, once everything allows it. */
enum ds_err ds_call_write_pages(struct ds_call *c, const struct ds_range *range,
				struct ds_object **out)
{
	struct ds_conditions conditions;
	enum ds_err err;

	err = ds_call_write_blob(c, true, out);
	if (err)
		return err;
	err = ds_conditions_parse(&c->req, false, &conditions);
	if (!err)
		err = ds_conditions_check_sequence(&conditions, (*out)->sequence);
	if (!err && range->last >= (*out)->size)
		err = ERR_InvalidPageRange;
	if (!err)
		err = ds_error_of(ds_object_open(&c->ds->objects, *out));
	if (err)
		ds_call_put(c, *out);
	return err;
}

/* A lease that has ended can't be renewed once somebody has written: that is saved
 * first, the pages with their ETag being no record (object.h). */
static enum ds_err end_lease(struct ds_call *c, struct ds_object *obj)
{
	struct ds_lease before = obj->lease;
	int err;

	ds_lease_written(&obj->lease, c->mono);
	if (obj->lease.state == before.state)
		return DS_OK;
	err = ds_object_save(&c->ds->objects, obj);
	if (err)
		obj->lease = before;
	return ds_error_of(err);
}

enum ds_err ds_call_change_pages(struct ds_call *c, struct ds_object *obj,
				 const struct ds_range *range, const void *data)
{
	enum ds_err err;

	c->writes = true;
	err = end_lease(c, obj);
	if (!err)
		err = ds_error_of(ds_object_write(&c->ds->objects, obj, *range, data));
	if (err)
		return err;
	ds_response_version(c, obj);
	ds_response_number(c, "x-ms-blob-sequence-number", obj->sequence);
	ds_response_field(c, "x-ms-request-server-encrypted", "true");
	c->response.status = 201;
	return DS_OK;
}

enum ds_err ds_op_PutPage(struct ds_call *c)
{
	const char *write = c->req.header[H_PAGE_WRITE];
	struct ds_range range;
	struct ds_object *obj;
	enum ds_err err;

	if (!write)
		return ERR_MissingRequiredHeader;
	if (strcasecmp(write, "update") != 0)
		return ERR_InvalidHeaderValue;
	err = page_range(c, &range);
	if (err)
		return err;
	if (range.last - range.first >= DS_MAX_PAGES)
		return ERR_RequestBodyTooLarge;
	if (range.last - range.first + 1 != c->req.body_len)
		return ERR_InvalidHeaderValue;
	err = ds_call_verify_body(c);
	if (!err)
		err = ds_call_write_pages(c, &range, &obj);
	if (err)
		return err;
	err = ds_call_change_pages(c, obj, &range, c->req.body);
	ds_call_put(c, obj);
	return err;
}

enum ds_err ds_op_ClearPages(struct ds_call *c)
{
	struct ds_range range;
	struct ds_object *obj;
	enum ds_err err;

	if (c->req.body_len)
		return ERR_InvalidHeaderValue;
	err = page_range(c, &range);
	if (!err)
		err = ds_call_write_pages(c, &range, &obj);
	if (err)
		return err;
	err = ds_call_change_pages(c, obj, &range, NULL);
	ds_call_put(c, obj);
	return err;
}
