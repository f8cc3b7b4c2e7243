// SPDX-License-Identifier: MIT
#include "devstore/http/http.h"

#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

#define BLOCK (256u << 10)

/* A response that is made while it is sent: a stretch of a blob, or a body that
 * ends too early. */
struct source {
	struct ds *ds;
	struct storage_blob *blob; /* or: */
	unsigned char *body;
	uint64_t offset, len; /* of the blob */
	uint64_t end; /* bytes that are sent; then the connection is cut */
};

/* Whole pages are read, in a buffer of ours where the ends are not on pages. */
static ssize_t unreadable(int err)
{
	log_error("what is being sent can't be read: %s", strerror(-err));
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t read_blob(struct source *src, uint64_t pos, char *buf, size_t max)
{
	uint64_t from = src->offset + pos;
	uint64_t page = from - from % DS_PAGE;
	uint64_t left = src->len - pos;
	size_t want = left < max ? (size_t)left : max;
	size_t whole = (size_t)((from + want + DS_PAGE - 1) / DS_PAGE * DS_PAGE - page);
	unsigned char *pages;
	int err;

	if (whole == want) {
		err = storage_read(src->blob, from, buf, want);
		return err ? unreadable(err) : (ssize_t)want;
	}
	pages = malloc(whole);
	if (!pages)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	err = storage_read(src->blob, page, pages, whole);
	if (!err)
		memcpy(buf, pages + (from - page), want);
	free(pages);
	return err ? unreadable(err) : (ssize_t)want;
}

static ssize_t read_source(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct source *src = arg;

	if (pos >= src->end)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (max > src->end - pos)
		max = (size_t)(src->end - pos);
	if (src->blob)
		return read_blob(src, pos, buf, max);
	if (!src->body)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	memcpy(buf, src->body + pos, max);
	return (ssize_t)max;
}

static void free_source(void *arg)
{
	struct source *src = arg;

	if (src->blob)
		storage_blob_put(src->blob);
	free(src->body);
	free(src);
}

/* Takes over what the response holds. */
static struct MHD_Response *from_source(struct ds_http *h, uint64_t len, uint64_t end)
{
	struct ds_response *a = &h->call.response;
	struct source *src = calloc(1, sizeof(*src));
	struct MHD_Response *response;

	if (!src)
		return NULL;
	*src = (struct source){
		.ds = h->call.ds,
		.blob = a->stream,
		.body = a->body,
		.offset = a->offset,
		.len = len,
		.end = end,
	};
	a->stream = NULL;
	a->body = NULL;
	response = MHD_create_response_from_callback(len, len < BLOCK ? 4096 : BLOCK, read_source,
						     src, free_source);
	if (!response)
		free_source(src);
	return response;
}

static void spoil(struct ds_http *h)
{
	struct ds_response *a = &h->call.response;
	uint64_t keep = h->plan.has_bytes ? h->plan.bytes : a->body_len / 2;

	if (!a->body || !a->body_len)
		return;
	if (h->plan.corrupt)
		a->body[h->plan.has_bytes && keep < a->body_len ? keep : a->body_len / 2] ^= 0x10;
	if (h->plan.truncate && keep < a->body_len)
		a->body_len = keep;
}

static struct MHD_Response *make_response(struct ds_http *h)
{
	struct ds_response *a = &h->call.response;
	uint64_t len = a->body ? a->body_len : a->length;
	uint64_t end = h->plan.has_bytes ? h->plan.bytes : len / 2;
	struct MHD_Response *response;
	void *body;

	if (h->call.req.method == DS_HEAD || a->stream)
		return from_source(h, len, h->plan.hangup && end < len ? end : len);
	spoil(h);
	if (h->plan.hangup && a->body_len && !h->expected)
		return from_source(h, a->body_len, end < a->body_len ? end : a->body_len);
	if (!a->body_len)
		return MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);
	body = a->body;
	a->body = NULL;
	response = MHD_create_response_from_buffer(a->body_len, body, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(body);
	return response;
}

enum MHD_Result ds_send(struct ds_http *h)
{
	const struct ds_response *a = &h->call.response;
	struct MHD_Response *response = make_response(h);
	enum MHD_Result res = MHD_YES;

	if (!response)
		return MHD_NO;
	/* A value with a character that no header may have is left out. */
	for (size_t i = 0; i < a->fields; i++)
		MHD_add_response_header(response, a->field[i].name, a->field[i].value);
	res = MHD_queue_response(h->connection, a->status, response);
	MHD_destroy_response(response);
	return res;
}

void ds_send_lease_faults(struct ds_http *h)
{
	static const char third_party[] = "00000000-0000-0000-0000-00000000dead";
	const struct storage_key key = ds_call_key(&h->call);
	struct ds_objects *objects = &h->call.ds->objects;
	struct ds_object *obj;
	int remaining;

	if (!h->plan.expire_lease && !h->plan.break_lease && !h->plan.steal_lease)
		return;
	if (!key.blob || ds_object_get(objects, &key, &obj))
		return;
	if (h->plan.expire_lease)
		ds_lease_expire(&obj->lease, h->call.mono);
	if (h->plan.break_lease || h->plan.steal_lease)
		ds_lease_break(&obj->lease, h->call.mono, 0, &remaining);
	if (h->plan.steal_lease)
		ds_lease_acquire(&obj->lease, h->call.mono, DS_LEASE_INFINITE, third_party, true);
	ds_object_save(objects, obj);
	ds_object_put(objects, obj);
}
