// SPDX-License-Identifier: MIT
/*
 * headers.c - the headers of a response, as facts in struct az_response
 *
 * Each is read strictly; the first that makes no sense is remembered, and
 * spoils a response that would otherwise be a success.
 */
#include "azure/call.h"

#include <string.h>
#include <strings.h>
#include <time.h>

/* Headers of note.  @v is the value, trimmed. */
typedef void (*header_fn)(struct az_call *call, const char *v, size_t len);

static void malformed(struct az_call *call, const char *name)
{
	if (!call->response.malformed)
		call->response.malformed = name;
}

#define COPY(field) text_copy(call->response.field, sizeof(call->response.field), v, len)

static void h_content_length(struct az_call *call, const char *v, size_t len)
{
	call->response.has_length = text_u64(v, len, &call->response.length);
	if (!call->response.has_length)
		malformed(call, "Content-Length");
}

/* "bytes FIRST-LAST/TOTAL" */
static void h_content_range(struct az_call *call, const char *v, size_t len)
{
	struct az_response *a = &call->response;
	const char *end = v + len, *dash, *slash;

	if (len > 6 && !memcmp(v, "bytes ", 6)) {
		v += 6;
		dash = memchr(v, '-', (size_t)(end - v));
		slash = memchr(v, '/', (size_t)(end - v));
		a->has_range = dash && slash && dash < slash &&
			       text_u64(v, (size_t)(dash - v), &a->first) &&
			       text_u64(dash + 1, (size_t)(slash - dash - 1), &a->last) &&
			       text_u64(slash + 1, (size_t)(end - slash - 1), &a->total);
	}
	if (!a->has_range)
		malformed(call, "Content-Range");
}

static void h_md5(struct az_call *call, const char *v, size_t len)
{
	COPY(md5);
}

static void h_crc64(struct az_call *call, const char *v, size_t len)
{
	COPY(crc64);
}

static void h_date(struct az_call *call, const char *v, size_t len)
{
	char text[64];

	text_copy(text, sizeof(text), v, len);
	call->response.date = curl_getdate(text, NULL);
}

static void h_etag(struct az_call *call, const char *v, size_t len)
{
	COPY(props.etag);
}

/* "timeout=5, max=100".  A connection that the server is about to close is no
 * connection to send a write on, for its fate would be unknown. */
static void h_keep_alive(struct az_call *call, const char *v, size_t len)
{
	uint64_t seconds;

	if (len <= 8 || strncasecmp(v, "timeout=", 8) != 0)
		return;
	v += 8;
	len = strspn(v, "0123456789") < len - 8 ? strspn(v, "0123456789") : len - 8;
	if (len > 4 || !text_u64(v, len, &seconds))
		return;
	call->client->idle_limit = seconds > 3 ? (long)seconds - 2 : 1;
}

static void h_last_modified(struct az_call *call, const char *v, size_t len)
{
	COPY(props.last_modified);
}

static void h_retry_after(struct az_call *call, const char *v, size_t len)
{
	uint64_t seconds;
	char text[64];
	time_t at;

	if (!text_u64(v, len, &seconds)) {
		text_copy(text, sizeof(text), v, len);
		at = curl_getdate(text, NULL);
		seconds = at > time(NULL) ? (uint64_t)(at - time(NULL)) : 0;
	}
	call->response.retry_after = seconds > 3600 ? 3600 : (unsigned int)seconds;
}

static void h_server(struct az_call *call, const char *v, size_t len)
{
	COPY(props.server);
}

static void h_blob_length(struct az_call *call, const char *v, size_t len)
{
	call->response.has_blob_length = text_u64(v, len, &call->response.props.size);
	if (!call->response.has_blob_length)
		malformed(call, "x-ms-blob-content-length");
}

static void h_sequence(struct az_call *call, const char *v, size_t len)
{
	struct az_props *p = &call->response.props;

	p->has_sequence_number = text_u64(v, len, &p->sequence_number);
	if (!p->has_sequence_number)
		malformed(call, "x-ms-blob-sequence-number");
}

static void h_blob_type(struct az_call *call, const char *v, size_t len)
{
	struct az_props *p = &call->response.props;

	if (len == 8 && !memcmp(v, "PageBlob", 8))
		p->type = AZ_BLOB_PAGE;
	else if (len == 9 && !memcmp(v, "BlockBlob", 9))
		p->type = AZ_BLOB_BLOCK;
	else if (len == 10 && !memcmp(v, "AppendBlob", 10))
		p->type = AZ_BLOB_APPEND;
}

static void h_client_request_id(struct az_call *call, const char *v, size_t len)
{
	if (strlen(call->id) != len || strncasecmp(v, call->id, len) != 0)
		call->response.foreign = true;
}

static void h_error_code(struct az_call *call, const char *v, size_t len)
{
	COPY(code);
}

static void h_lease_id(struct az_call *call, const char *v, size_t len)
{
	COPY(props.lease_id);
}

static void h_lease_state(struct az_call *call, const char *v, size_t len)
{
	COPY(props.lease_state);
}

static void h_lease_status(struct az_call *call, const char *v, size_t len)
{
	COPY(props.lease_status);
}

static void h_request_id(struct az_call *call, const char *v, size_t len)
{
	call->response.has_request_id = len > 0;
	COPY(request_id);
}

static void h_copy_id(struct az_call *call, const char *v, size_t len)
{
	COPY(props.copy_id);
}

static void h_copy_status(struct az_call *call, const char *v, size_t len)
{
	COPY(props.copy_status);
}

static void h_copy_why(struct az_call *call, const char *v, size_t len)
{
	COPY(props.copy_why);
}

/* "1024/4096" */
static void h_copy_progress(struct az_call *call, const char *v, size_t len)
{
	const char *slash = memchr(v, '/', len);
	struct az_props *p = &call->response.props;

	if (!slash || !text_u64(v, (size_t)(slash - v), &p->copy_done) ||
	    !text_u64(slash + 1, len - (size_t)(slash - v) - 1, &p->copy_total))
		p->copy_done = p->copy_total = 0;
}

static void h_snapshot(struct az_call *call, const char *v, size_t len)
{
	COPY(props.snapshot);
}

static void h_unfinished(struct az_call *call, const char *v, size_t len)
{
	COPY(props.unfinished);
}

static void h_version(struct az_call *call, const char *v, size_t len)
{
	(void)v;
	call->response.has_version = len > 0;
}

#define HEADER(name, fn)                   \
	{                                  \
		name, sizeof(name) - 1, fn \
	}

static const struct {
	const char *name;
	size_t len;
	header_fn fn;
} headers[] = {
	HEADER("content-length", h_content_length),
	HEADER("content-md5", h_md5),
	HEADER("content-range", h_content_range),
	HEADER("date", h_date),
	HEADER("etag", h_etag),
	HEADER("keep-alive", h_keep_alive),
	HEADER("last-modified", h_last_modified),
	HEADER("retry-after", h_retry_after),
	HEADER("server", h_server),
	HEADER("x-ms-blob-content-length", h_blob_length),
	HEADER("x-ms-blob-sequence-number", h_sequence),
	HEADER("x-ms-blob-type", h_blob_type),
	HEADER("x-ms-client-request-id", h_client_request_id),
	HEADER("x-ms-content-crc64", h_crc64),
	HEADER("x-ms-copy-id", h_copy_id),
	HEADER("x-ms-copy-progress", h_copy_progress),
	HEADER("x-ms-copy-status", h_copy_status),
	HEADER("x-ms-copy-status-description", h_copy_why),
	HEADER("x-ms-error-code", h_error_code),
	HEADER("x-ms-lease-id", h_lease_id),
	HEADER("x-ms-lease-state", h_lease_state),
	HEADER("x-ms-lease-status", h_lease_status),
	HEADER(AZ_UNFINISHED, h_unfinished),
	HEADER("x-ms-request-id", h_request_id),
	HEADER("x-ms-snapshot", h_snapshot),
	HEADER("x-ms-version", h_version),
};

static bool blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void one_header(struct az_call *call, const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	size_t name;

	if (!colon)
		return;
	name = (size_t)(colon - s);
	s += name + 1;
	len -= name + 1;
	while (len && blank(*s)) {
		s++;
		len--;
	}
	while (len && blank(s[len - 1]))
		len--;
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		if (headers[i].len == name && !strncasecmp(headers[i].name, colon - name, name)) {
			headers[i].fn(call, s, len);
			return;
		}
	}
}

/* A success that is claimed before all of the body was read is none. */
static bool too_early(struct az_call *call)
{
	long status = 0;

	curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!call->source.read || call->len <= AZ_SMALL_BODY || call->pos == call->len ||
	    status != call->op->expect)
		return false;
	az_call_fail(call, AZ_CORRUPT, "the answer came before the whole body was sent");
	return true;
}

/*
 * "HTTP/1.1 206 x": a version and three digits, no more.  Releases of libcurl differ in
 * what they take for a status (of "999999" newer ones the first three digits, of "206x"
 * all do), and what was written must not depend on that.
 */
static bool status_line(const char *s, size_t len)
{
	const char *end = s + len, *p = memchr(s, ' ', len);
	int digits = 0;

	while (p && p < end && *p == ' ')
		p++;
	for (; p && p < end && *p >= '0' && *p <= '9'; p++)
		digits++;
	return digits == 3 && (p == end || blank(*p));
}

size_t az_response_header(char *buf, size_t size, size_t n, void *arg)
{
	struct az_call *call = arg;
	struct az_response *a = &call->response;
	size_t len = size * n;

	if (call->cancelled)
		return 0;
	a->header_bytes += len;
	if (a->header_bytes > AZ_MAX_HEADERS) {
		az_call_fail(call, AZ_CORRUPT, "the answer's headers are too long");
		return 0;
	}
	if (len > 5 && !memcmp(buf, "HTTP/", 5)) {
		/* The final response's, after interim ones: begin anew. */
		*a = (struct az_response){ .header_bytes = a->header_bytes };
		if (!status_line(buf, len)) {
			az_call_fail(call, AZ_CORRUPT, "the answer's status line makes no sense");
			return 0;
		}
	} else if (len <= 2) {
		a->headers_done = true;
		return too_early(call) ? 0 : len;
	} else if (!a->headers_done) { /* else a trailer: no place for facts */
		one_header(call, buf, len);
	}
	return len;
}
