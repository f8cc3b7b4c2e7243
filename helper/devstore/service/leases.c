// SPDX-License-Identifier: MIT
/*
 * leases.c - "Lease Blob", "Lease Container"
 */
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include "devstore/service/service.h"

bool ds_random_id(char id[DS_LEASE_ID])
{
	unsigned char r[16];

	if (RAND_bytes(r, sizeof(r)) != 1)
		return false;
	r[6] = (unsigned char)((r[6] & 0x0f) | 0x40); /* a random GUID, RFC 4122 */
	r[8] = (unsigned char)((r[8] & 0x3f) | 0x80);
	snprintf(id, DS_LEASE_ID,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", r[0], r[1],
		 r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14],
		 r[15]);
	return true;
}

static enum ds_err seconds(struct ds_call *c, enum ds_header which, int *out)
{
	const char *text = c->req.header[which];
	uint64_t n;

	if (!strcmp(text, "-1")) {
		*out = -1;
		return DS_OK;
	}
	if (!text_u64(text, strlen(text), &n) || n > 60)
		return ERR_InvalidHeaderValue;
	*out = (int)n;
	return DS_OK;
}

static enum ds_err acquire(struct ds_call *c, struct ds_lease *l)
{
	const char *proposed;
	char id[DS_LEASE_ID];
	int duration;
	enum ds_err err;

	if (!c->req.header[H_LEASE_DURATION])
		return ERR_MissingRequiredHeader;
	err = seconds(c, H_LEASE_DURATION, &duration);
	if (!err && duration != DS_LEASE_INFINITE && duration < 15)
		err = ERR_InvalidHeaderValue;
	if (!err)
		err = ds_call_lease_id(c, H_PROPOSED_LEASE_ID, &proposed);
	if (err)
		return err;
	if (!proposed && !ds_random_id(id))
		return ERR_InternalError;
	err = ds_lease_acquire(l, c->mono, duration, proposed ? proposed : id, proposed != NULL);
	if (!err)
		c->response.status = 201;
	return err;
}

static enum ds_err change(struct ds_call *c, struct ds_lease *l, const char *id)
{
	const char *proposed;
	enum ds_err err = ds_call_lease_id(c, H_PROPOSED_LEASE_ID, &proposed);

	if (!err && !proposed)
		err = ERR_MissingRequiredHeader;
	return err ? err : ds_lease_change(l, c->mono, id, proposed);
}

static enum ds_err break_lease(struct ds_call *c, struct ds_lease *l)
{
	int period = DS_BREAK_DEFAULT, remaining;
	enum ds_err err = DS_OK;

	if (c->req.header[H_LEASE_BREAK_PERIOD]) {
		err = seconds(c, H_LEASE_BREAK_PERIOD, &period);
		if (!err && period < 0)
			err = ERR_InvalidHeaderValue;
	}
	if (!err)
		err = ds_lease_break(l, c->mono, period, &remaining);
	if (err)
		return err;
	ds_response_number(c, "x-ms-lease-time", (uint64_t)remaining);
	c->response.status = 202;
	return DS_OK;
}

static enum ds_err act(struct ds_call *c, struct ds_lease *l)
{
	const char *action = c->req.header[H_LEASE_ACTION], *id;
	enum ds_err err;

	if (!action)
		return ERR_MissingRequiredHeader;
	c->response.status = 200;
	if (!strcmp(action, "acquire"))
		return acquire(c, l);
	if (!strcmp(action, "break"))
		return break_lease(c, l);
	if (strcmp(action, "renew") != 0 && strcmp(action, "change") != 0 &&
	    strcmp(action, "release") != 0)
		return ERR_InvalidHeaderValue;
	err = ds_call_lease_id(c, H_LEASE_ID, &id);
	if (!err && !id)
		err = ERR_MissingRequiredHeader;
	if (err)
		return err;
	if (!strcmp(action, "renew"))
		return ds_lease_renew(l, c->mono, id);
	if (!strcmp(action, "change"))
		return change(c, l, id);
	return ds_lease_release(l, c->mono, id);
}

/* The lease is changed in a copy: an operation that could not be saved has not
 * happened. */
static enum ds_err lease_object(struct ds_call *c, struct ds_object *obj)
{
	struct ds_conditions conditions;
	struct ds_lease before = obj->lease;
	enum ds_err err;

	err = ds_conditions_parse(&c->req, false, &conditions);
	if (!err)
		err = ds_conditions_check(&conditions, obj->etag, obj->modified, false);
	if (!err)
		err = act(c, &obj->lease);
	if (!err) {
		err = ds_call_save(c, obj);
		if (err)
			obj->lease = before;
	}
	if (err)
		return err;
	ds_response_version(c, obj);
	if (c->response.status != 202 && obj->lease.id[0])
		ds_response_copy(c, "x-ms-lease-id", obj->lease.id);
	return DS_OK;
}

enum ds_err ds_op_LeaseBlob(struct ds_call *c)
{
	if (ds_query(&c->req, "snapshot"))
		return ERR_InvalidQueryParameterValue;
	return ds_call_on_blob(c, lease_object);
}

enum ds_err ds_op_BreakBlobLease(struct ds_call *c)
{
	return ds_op_LeaseBlob(c);
}

enum ds_err ds_op_LeaseContainer(struct ds_call *c)
{
	return ds_call_on_container(c, lease_object);
}

enum ds_err ds_op_BreakContainerLease(struct ds_call *c)
{
	return ds_op_LeaseContainer(c);
}
