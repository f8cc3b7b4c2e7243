// SPDX-License-Identifier: MIT
/*
 * blob.c - what each call asks, and what its response must hold
 */
#include "azure/blob.h"

#include <string.h>
#include <strings.h>

#include "azure/call.h"

/* Get Blob Properties */

static const char *check_properties(struct az_call *call)
{
	struct az_response *a = &call->response;

	if (a->props.type == AZ_BLOB_UNKNOWN)
		return "the answer lacks x-ms-blob-type";
	if (!a->has_length)
		return "the answer lacks Content-Length";
	a->props.size = a->length;
	if (a->props.type == AZ_BLOB_PAGE && !a->props.has_sequence_number)
		return "the answer lacks x-ms-blob-sequence-number";
	if (a->props.type == AZ_BLOB_PAGE && a->props.size % AZ_PAGE)
		return "the page blob's size is not a multiple of 512";
	return NULL;
}

static void build_nothing(struct az_call *call, struct az_build *b)
{
	(void)call;
	(void)b;
}

static const struct az_op get_properties = {
	.method = "HEAD",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.repeatable = true,
	.build = build_nothing,
	.check = check_properties,
};

struct az_call *az_get_properties(struct az_client *c, const struct az_blob *b, az_done_fn done,
				  void *arg)
{
	return az_call_start(az_call_new(c, &get_properties, b, done, arg));
}

/* Put Blob */

static void build_create(struct az_call *call, struct az_build *b)
{
	az_build_header(b, "x-ms-blob-type", "PageBlob");
	az_build_header(b, "x-ms-blob-content-length", az_build_u64(b, call->len));
	if (call->mark)
		az_build_header(b, AZ_UNFINISHED, call->mark);
	if (call->sequence)
		az_build_header(b, "x-ms-blob-sequence-number", az_build_u64(b, call->sequence));
	b->if_none_match = "*";
}

static const struct az_op create = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 201,
	.changes = true,
	.build = build_create,
};

struct az_call *az_create_page_blob(struct az_client *c, const struct az_blob *b, uint64_t size,
				    az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &create, b, done, arg);

	if (call)
		call->len = size;
	return az_call_start(call);
}

struct az_call *az_create_unfinished(struct az_client *c, const struct az_blob *b, uint64_t size,
				     const char *mark, uint64_t sequence, az_done_fn done,
				     void *arg)
{
	struct az_call *call = az_call_new(c, &create, b, done, arg);

	if (call) {
		call->len = size;
		call->mark = mark;
		call->sequence = sequence;
	}
	return az_call_start(call);
}

/* Set Blob Metadata */

static void build_metadata(struct az_call *call, struct az_build *b)
{
	(void)call;
	az_build_query(b, "comp", "metadata");
}

static const struct az_op set_metadata = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.changes = true,
	.build = build_metadata,
};

struct az_call *az_finish(struct az_client *c, const struct az_blob *b, az_done_fn done, void *arg)
{
	return az_call_start(az_call_new(c, &set_metadata, b, done, arg));
}

/* Delete Blob */

static void build_delete(struct az_call *call, struct az_build *b)
{
	if (call->snapshots && !call->blob.url->snapshot)
		az_build_header(b, "x-ms-delete-snapshots", "include");
}

static const struct az_op delete_blob = {
	.method = "DELETE",
	.kind = AZ_KIND_OTHER,
	.expect = 202,
	.changes = true,
	.build = build_delete,
};

struct az_call *az_delete_blob(struct az_client *c, const struct az_blob *b, bool snapshots,
			       az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &delete_blob, b, done, arg);

	if (call)
		call->snapshots = snapshots;
	return az_call_start(call);
}

/* Snapshot Blob */

static void build_snapshot(struct az_call *call, struct az_build *b)
{
	(void)call;
	az_build_query(b, "comp", "snapshot");
}

static const char *check_snapshot(struct az_call *call)
{
	return call->response.props.snapshot[0] ? NULL : "the answer lacks x-ms-snapshot";
}

static const struct az_op take_snapshot = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 201,
	.changes = true,
	.build = build_snapshot,
	.check = check_snapshot,
};

struct az_call *az_snapshot(struct az_client *c, const struct az_blob *b, az_done_fn done,
			    void *arg)
{
	return az_call_start(az_call_new(c, &take_snapshot, b, done, arg));
}

/* Copy Blob */

static void build_copy(struct az_call *call, struct az_build *b)
{
	az_build_header(b, "x-ms-copy-source", call->source_url);
	b->if_none_match = "*";
}

static const char *check_copy(struct az_call *call)
{
	const struct az_props *p = &call->response.props;

	return p->copy_id[0] && p->copy_status[0] ?
		       NULL :
		       "the answer lacks x-ms-copy-id or x-ms-copy-status";
}

static const struct az_op copy = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 202,
	.changes = true,
	.build = build_copy,
	.check = check_copy,
};

struct az_call *az_copy(struct az_client *c, const struct az_blob *b, const char *source,
			az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &copy, b, done, arg);

	if (call)
		call->source_url = source;
	return az_call_start(call);
}

/* Abort Copy Blob */

static void build_abort(struct az_call *call, struct az_build *b)
{
	az_build_query(b, "comp", "copy");
	az_build_query(b, "copyid", call->copy_id);
	az_build_header(b, "x-ms-copy-action", "abort");
}

static const struct az_op abort_copy = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 204,
	.changes = true,
	.build = build_abort,
};

struct az_call *az_abort_copy(struct az_client *c, const struct az_blob *b, const char *id,
			      az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &abort_copy, b, done, arg);

	if (call)
		call->copy_id = id;
	return az_call_start(call);
}

/* Set Blob Properties */

static void build_raise(struct az_call *call, struct az_build *b)
{
	az_build_query(b, "comp", "properties");
	az_build_header(b, "x-ms-sequence-number-action", "max");
	az_build_header(b, "x-ms-blob-sequence-number", az_build_u64(b, call->seq));
}

static const char *check_raise(struct az_call *call)
{
	const struct az_props *p = &call->response.props;

	if (!p->has_sequence_number)
		return "the answer lacks x-ms-blob-sequence-number";
	return p->sequence_number < call->seq ? "the sequence number was not raised" : NULL;
}

static const struct az_op raise_sequence = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.changes = true,
	.repeatable = true,
	.build = build_raise,
	.check = check_raise,
};

struct az_call *az_raise_sequence(struct az_client *c, const struct az_blob *b, uint64_t number,
				  az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &raise_sequence, b, done, arg);

	if (call)
		call->seq = number;
	return az_call_start(call);
}

static void build_resize(struct az_call *call, struct az_build *b)
{
	az_build_query(b, "comp", "properties");
	az_build_header(b, "x-ms-blob-content-length", az_build_u64(b, call->len));
}

static const struct az_op resize = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.changes = true,
	.build = build_resize,
};

struct az_call *az_resize(struct az_client *c, const struct az_blob *b, uint64_t size,
			  az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &resize, b, done, arg);

	if (call)
		call->len = size;
	return az_call_start(call);
}

/* Put Page */

static void build_page(struct az_call *call, struct az_build *b)
{
	az_build_query(b, "comp", "page");
	az_build_header(b, "x-ms-page-write", call->source.read ? "update" : "clear");
	az_build_header(b, "x-ms-range", az_build_range(b, call->offset, call->len));
	if (call->seq != AZ_NO_SEQUENCE)
		az_build_header(b, "x-ms-if-sequence-number-eq", az_build_u64(b, call->seq));
}

static const struct az_op put_page = {
	.method = "PUT",
	.kind = AZ_KIND_WRITE,
	.expect = 201,
	.changes = true,
	.build = build_page,
};

static const struct az_op clear_pages = {
	.method = "PUT",
	.kind = AZ_KIND_CLEAR,
	.expect = 201,
	.changes = true,
	.build = build_page,
};

static struct az_call *page_call(struct az_client *c, const struct az_op *op,
				 const struct az_blob *b, uint64_t offset, uint64_t len,
				 uint64_t seq, az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, op, b, done, arg);

	if (call) {
		call->offset = offset;
		call->len = len;
		call->seq = seq;
	}
	return call;
}

static int from_memory(void *arg, void *buf, size_t len, uint64_t pos)
{
	const struct az_call *call = arg;

	memcpy(buf, (const unsigned char *)call->source.memory + pos, len);
	return 0;
}

struct az_call *az_put_page(struct az_client *c, const struct az_blob *b, uint64_t offset,
			    uint32_t len, uint64_t seq, const struct az_source *source,
			    az_done_fn done, void *arg)
{
	struct az_call *call = page_call(c, &put_page, b, offset, len, seq, done, arg);

	if (call) {
		call->source = *source;
		if (source->memory) {
			call->source.read = from_memory;
			call->source.arg = call;
		}
	}
	return az_call_start(call);
}

struct az_call *az_clear_pages(struct az_client *c, const struct az_blob *b, uint64_t offset,
			       uint64_t len, uint64_t seq, az_done_fn done, void *arg)
{
	return az_call_start(page_call(c, &clear_pages, b, offset, len, seq, done, arg));
}

/* Get Blob */

static void build_get(struct az_call *call, struct az_build *b)
{
	az_build_header(b, "x-ms-range", az_build_range(b, call->offset, call->len));
	/* Both at once are refused by the service. */
	az_build_header(b,
			call->sum == AZ_SUM_MD5 ? "x-ms-range-get-content-md5" :
						  "x-ms-range-get-content-crc64",
			"true");
}

static const char *check_get(struct az_call *call)
{
	struct az_response *a = &call->response;

	if (!a->has_range || a->first != call->offset || a->last != call->offset + call->len - 1 ||
	    a->total <= a->last)
		return "the answer is not the range that was asked for";
	if (a->has_length && a->length != call->len)
		return "the answer has not the length that was asked for";
	if (!az_response_has_sum(call))
		return "the answer has no checksum";
	a->props.size = a->total;
	return NULL;
}

static const struct az_op get_range = {
	.method = "GET",
	.kind = AZ_KIND_READ,
	.expect = 206,
	.build = build_get,
	.check = check_get,
};

struct az_call *az_get_range(struct az_client *c, const struct az_blob *b, uint64_t offset,
			     uint32_t len, const struct az_sink *sink, az_done_fn done, void *arg)
{
	struct az_call *call = page_call(c, &get_range, b, offset, len, AZ_NO_SEQUENCE, done, arg);

	if (call)
		call->sink = *sink;
	return az_call_start(call);
}

/* Get Page Ranges */

static void build_ranges(struct az_call *call, struct az_build *b)
{
	az_build_query(b, "comp", "pagelist");
	if (call->len != UINT64_MAX)
		az_build_header(b, "x-ms-range", az_build_range(b, call->offset, call->len));
	if (call->marker.len)
		az_build_query(b, "marker", call->marker.s);
}

static int on_range(void *arg, uint64_t start, uint64_t end)
{
	struct az_call *call = arg;

	if (call->cancelled || start % AZ_PAGE || (end + 1) % AZ_PAGE || start < call->range_end ||
	    end >= call->response.props.size)
		return -1;
	call->range_end = end + 1;
	/* A range that only overlaps what was asked for may come whole. */
	if (start < call->offset)
		start = call->offset;
	if (call->len != UINT64_MAX && end >= call->offset + call->len)
		end = call->offset + call->len - 1;
	if (start <= end)
		call->range(call->arg, start, end + 1 - start);
	return 0;
}

static const char *check_ranges(struct az_call *call)
{
	if (!call->response.has_blob_length)
		return "the answer lacks x-ms-blob-content-length";
	if (!call->xml)
		call->xml = az_xml_pages_new(on_range, call);
	return call->xml ? NULL : "out of memory";
}

static const struct az_op page_ranges = {
	.method = "GET",
	.kind = AZ_KIND_LIST,
	.expect = 200,
	.build = build_ranges,
	.check = check_ranges,
};

struct az_call *az_get_page_ranges(struct az_client *c, const struct az_blob *b, uint64_t offset,
				   uint64_t len,
				   void (*range)(void *arg, uint64_t offset, uint64_t len),
				   az_done_fn done, void *arg)
{
	struct az_call *call = az_call_new(c, &page_ranges, b, done, arg);

	if (call) {
		call->offset = offset;
		call->len = len;
		call->range = range;
	}
	return az_call_start(call);
}

/* Lease Blob */

static void build_lease(struct az_call *call, struct az_build *b)
{
	static const char *const names[] = { "acquire", "renew", "release", "break" };

	az_build_query(b, "comp", "lease");
	az_build_header(b, "x-ms-lease-action", names[call->lease]);
	if (call->lease == AZ_LEASE_BREAK)
		az_build_header(b, "x-ms-lease-break-period", "0");
	if (call->lease != AZ_LEASE_ACQUIRE)
		return;
	az_build_header(b, "x-ms-lease-duration",
			call->seconds < 0 ? "-1" : az_build_u64(b, (uint64_t)call->seconds));
	if (call->blob.lease_id[0])
		az_build_header(b, "x-ms-proposed-lease-id", call->blob.lease_id);
}

static const char *check_lease(struct az_call *call)
{
	const char *id = call->response.props.lease_id;

	if (!id[0])
		return "the answer lacks x-ms-lease-id";
	if (call->blob.lease_id[0] && strcasecmp(id, call->blob.lease_id) != 0)
		return "the answer is about another lease";
	return NULL;
}

static const struct az_op lease_acquire = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 201,
	.changes = true,
	.build = build_lease,
	.check = check_lease,
};

static const struct az_op lease_renew = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.changes = true,
	.repeatable = true,
	.build = build_lease,
	.check = check_lease,
};

static const struct az_op lease_release = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 200,
	.changes = true,
	.build = build_lease,
};

static const struct az_op lease_break = {
	.method = "PUT",
	.kind = AZ_KIND_OTHER,
	.expect = 202,
	.changes = true,
	.build = build_lease,
};

struct az_call *az_lease(struct az_client *c, const struct az_blob *b, enum az_lease_action action,
			 int seconds, az_done_fn done, void *arg)
{
	static const struct az_op *const ops[] = { &lease_acquire, &lease_renew, &lease_release,
						   &lease_break };
	struct az_call *call = az_call_new(c, ops[action], b, done, arg);

	if (call) {
		call->lease = action;
		call->seconds = seconds;
		call->no_lease = action == AZ_LEASE_ACQUIRE || action == AZ_LEASE_BREAK;
	}
	return az_call_start(call);
}
