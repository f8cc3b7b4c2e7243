// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/service/service.h"
#include "devstore/service/xml.h"
#include "lib/date.h"

void ds_response_field(struct ds_call *c, const char *name, const char *value)
{
	struct ds_response *a = &c->response;

	if (value && a->fields < DS_MAX_FIELDS)
		a->field[a->fields++] = (struct ds_pair){ name, value };
}

void ds_response_copy(struct ds_call *c, const char *name, const char *value)
{
	if (value)
		ds_response_field(c, name, ds_arena_copy(&c->req.arena, value, strlen(value)));
}

void ds_response_number(struct ds_call *c, const char *name, uint64_t value)
{
	char text[21];
	char *p = text + sizeof(text) - 1;

	*p = '\0';
	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	ds_response_copy(c, name, p);
}

void ds_response_date(struct ds_call *c, const char *name, int64_t ticks)
{
	char text[DATE_HTTP];

	date_http(ticks, text);
	ds_response_copy(c, name, text);
}

void ds_response_version(struct ds_call *c, const struct ds_object *obj)
{
	char etag[DS_ETAG_TEXT];

	ds_etag_text(obj->etag, etag);
	ds_response_copy(c, "ETag", etag);
	ds_response_date(c, "Last-Modified", obj->modified);
}

void ds_response_lease(struct ds_call *c, const struct ds_object *obj)
{
	enum ds_lease_state state = ds_lease_state(&obj->lease, c->mono);

	ds_response_field(c, "x-ms-lease-status", ds_lease_locked(state) ? "locked" : "unlocked");
	ds_response_field(c, "x-ms-lease-state", ds_lease_state_name(state));
	if (state == DS_LEASE_LEASED)
		ds_response_field(c, "x-ms-lease-duration",
				  obj->lease.duration == DS_LEASE_INFINITE ? "infinite" : "fixed");
}

void ds_response_metadata(struct ds_call *c, const struct ds_object *obj)
{
	struct ds_pair p;
	size_t at = 0;
	char *all;

	if (!obj->metadata_len)
		return;
	/* A copy: the object may change before the response is sent. */
	all = ds_arena_alloc(&c->req.arena, obj->metadata_len);
	if (!all)
		return;
	memcpy(all, obj->metadata, obj->metadata_len);
	while (ds_object_metadata(obj, &at, &p))
		ds_response_field(c, all + (p.name - obj->metadata),
				  all + (p.value - obj->metadata));
}

void ds_response_xml(struct ds_call *c, struct text *t)
{
	struct ds_response *a = &c->response;

	free(a->body);
	a->body = (unsigned char *)t->s;
	a->body_len = t->len;
	*t = (struct text){ 0 };
	ds_response_field(c, "Content-Type", "application/xml");
}

void ds_response_drop(struct ds_response *a)
{
	free(a->body);
	if (a->stream)
		storage_blob_put(a->stream);
	a->body = NULL;
	a->stream = NULL;
	a->body_len = a->fields = 0;
	a->length = a->offset = a->listed = 0;
	a->status = 0;
	a->err = DS_OK;
}

static void error_document(struct ds_call *c, const struct ds_error *e)
{
	char time[DATE_ISO];
	struct text t = { 0 };

	date_iso(c->now, time);
	text_add(&t, DS_XML_HEAD "<Error><Code>");
	text_add(&t, e->code);
	text_add(&t, "</Code><Message>");
	ds_xml_text(&t, e->message);
	text_addf(&t, "\nRequestId:%s\nTime:%s</Message>", c->request_id, time);
	if (c->detail) {
		text_add(&t, "<AuthenticationErrorDetail>");
		ds_xml_text(&t, c->detail);
		text_add(&t, "</AuthenticationErrorDetail>");
	}
	text_add(&t, "</Error>");
	if (t.failed)
		text_free(&t);
	else
		ds_response_xml(c, &t);
}

/* A response that had been begun is an error's instead. */
static void fail(struct ds_call *c, enum ds_err err)
{
	const struct ds_error *e = ds_error(err);

	if (err != ERR_ConditionNotMet_304)
		ds_response_drop(&c->response);
	c->response.status = e->status;
	c->response.err = err;
	ds_response_field(c, "x-ms-error-code", e->code);
	if (c->retry_after)
		ds_response_number(c, "Retry-After", c->retry_after);
	ds_response_field(c, "Content-Range", c->content_range);
	if (c->req.method != DS_HEAD && e->status != 304)
		error_document(c, e);
}

static const char *response_api_version(const struct ds_request *r)
{
	const char *v = r->header[H_MS_VERSION];

	if (!v)
		v = ds_query(r, "sv");
	return v && strlen(v) == 10 ? v : "2021-12-02";
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

void ds_response_finish(struct ds_call *c, enum ds_err err)
{
	const char *client_id = c->req.header[H_CLIENT_REQUEST_ID];

	if (err)
		fail(c, err);
	ds_response_field(c, "Server", "CloudDrive-devstore/" CD_VERSION);
	ds_response_field(c, "x-ms-request-id", c->request_id);
	if (client_id && strlen(client_id) <= 1024 && printable(client_id))
		ds_response_field(c, "x-ms-client-request-id", client_id);
	if (printable(response_api_version(&c->req)))
		ds_response_field(c, "x-ms-version", response_api_version(&c->req));
	ds_response_date(c, "Date", c->now);
}

const char *ds_copy_status_name(enum ds_copy_status status)
{
	static const char *const names[] = { "", "pending", "success", "aborted", "failed" };

	return names[status];
}

void ds_copy_progress(const struct ds_object *obj, char *buf, size_t len)
{
	snprintf(buf, len, "%llu/%llu", (unsigned long long)obj->copied,
		 (unsigned long long)obj->copy_total);
}
