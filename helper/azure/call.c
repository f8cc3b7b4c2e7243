// SPDX-License-Identifier: MIT
/*
 * call.c - building and sending one request
 */
#include "azure/call.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base64.h"
#include "lib/crc64.h"
#include "lib/date.h"

void az_call_fail(struct az_call *call, enum az_class class, const char *why)
{
	if (call->fail)
		return;
	call->fail = class;
	snprintf(call->fail_text, sizeof(call->fail_text), "%s", why);
}

static void add(struct az_fields *f, const char *name, const char *value)
{
	if (f->n < AZ_MAX_FIELDS)
		f->v[f->n++] = (struct az_pair){ name, value };
}

void az_build_header(struct az_build *b, const char *name, const char *value)
{
	add(&b->headers, name, value);
}

void az_build_query(struct az_build *b, const char *name, const char *value)
{
	add(&b->query, name, value);
}

static char *value(struct az_build *b)
{
	return b->values[b->used++ % AZ_MAX_VALUES];
}

const char *az_build_u64(struct az_build *b, uint64_t number)
{
	char *v = value(b);

	snprintf(v, sizeof(b->values[0]), "%" PRIu64, number);
	return v;
}

const char *az_build_range(struct az_build *b, uint64_t offset, uint64_t len)
{
	char *v = value(b);

	snprintf(v, sizeof(b->values[0]), "bytes=%" PRIu64 "-%" PRIu64, offset, offset + len - 1);
	return v;
}

/*
 * libcurl calls this when it has a connection and is about to send.
 *
 * Why it is here: when a kept connection turns out to be dead (closed by the
 * server before any byte of a response), libcurl silently sends the request
 * once more on a new connection.  It can't know whether the server had read
 * and executed the first one, and neither can we.  For a Put Page that would
 * break the rule that no write may land late (Documentation/design.rst,
 * "Lost answers"): the first copy may still be on its way while the second
 * one is answered.  So the
 * second time for one call that changes something, the transfer is aborted;
 * the call ends AZ_NO_RESPONSE, and its caller raises the sequence number before
 * it writes again.  A read may well be sent twice.
 */
static int prereq(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct az_call *call = arg;
	struct az_counters *n = &call->client->counters;

	(void)ip;
	(void)local_ip;
	(void)port;
	(void)local_port;
	if (call->cancelled)
		return CURL_PREREQFUNC_ABORT;
	if (call->sent && call->op->changes) {
		az_call_fail(call, AZ_NO_RESPONSE,
			     "the connection was closed before an answer came");
		return CURL_PREREQFUNC_ABORT;
	}
	call->sent = true;
	az_stall_begin(call);
	n->calls++;
	switch (call->op->kind) {
	case AZ_KIND_READ:
		n->reads++;
		break;
	case AZ_KIND_WRITE:
		n->writes++;
		break;
	case AZ_KIND_CLEAR:
		n->clears++;
		break;
	case AZ_KIND_LIST:
		n->lists++;
		break;
	case AZ_KIND_OTHER:
		n->others++;
		break;
	}
	return CURL_PREREQFUNC_OK;
}

static size_t read_body(char *buf, size_t size, size_t n, void *arg)
{
	struct az_call *call = arg;
	size_t len = size * n;
	int err;

	if (call->cancelled)
		return CURL_READFUNC_ABORT;
	if (len > call->len - call->pos)
		len = (size_t)(call->len - call->pos);
	if (!len)
		return 0;
	err = call->source.read(call->source.arg, buf, len, call->pos);
	if (err) {
		az_call_fail(call, AZ_LOCAL, strerror(-err));
		return CURL_READFUNC_ABORT;
	}
	call->pos += len;
	return len;
}

/* When a read is sent again on a new connection; it has no body. */
static int seek_body(void *arg, curl_off_t offset, int origin)
{
	(void)arg;
	return offset == 0 && origin == SEEK_SET ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int on_socket(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	const struct az_client *c = arg;
	int most = (int)c->opt.socket_buffer;

	(void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	az_stall_socket(fd);
	/* Before it is connected, as the window's scale is told then. */
	if (most) {
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &most, sizeof(most));
	}
	return CURL_SOCKOPT_OK;
}

/*
 * The certificates of one file are parsed once and shared by all connections.  Beside a
 * directory, which Debian's libcurl names by default, each connection would parse all of
 * the file for itself: a megabyte of memory, and the time.  There is in the directory what
 * is in the file, see update-ca-certificates(8).
 */
static void trust(const struct az_client *c, CURL *e)
{
	const char *file = c->ca_file;

	if (file)
		curl_easy_setopt(e, CURLOPT_CAINFO, file);
	else
		curl_easy_getinfo(e, CURLINFO_CAINFO, &file);
	if (file && !access(file, R_OK))
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
}

/* The options that no call changes. */
bool az_easy_setup(struct az_call *call)
{
	const struct az_client *c = call->client;
	CURL *e = curl_easy_init();

	if (!e)
		return false;
	call->easy = e;
	curl_easy_setopt(e, CURLOPT_PRIVATE, call);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->curl_text);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_HTTP09_ALLOWED, 0L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->opt.connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(e, CURLOPT_SOCKOPTDATA, call->client);
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, prereq);
	curl_easy_setopt(e, CURLOPT_PREREQDATA, call);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body);
	curl_easy_setopt(e, CURLOPT_READDATA, call);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, az_response_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, az_response_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, call);
	trust(c, e);
	return true;
}

static bool md5_start(struct az_call *call)
{
	if (!call->md5)
		call->md5 = EVP_MD_CTX_new();
	return call->md5 && call->client->md5 &&
	       EVP_DigestInit_ex2(call->md5, call->client->md5, NULL);
}

static void sum_add(struct az_call *call, const void *buf, size_t len)
{
	if (call->sum == AZ_SUM_CRC64)
		call->crc = crc64(call->crc, buf, len);
	else
		EVP_DigestUpdate(call->md5, buf, len);
}

/* A read asks for CRC64 until the service has shown that it can't. */
static int sum_answer(struct az_call *call)
{
	call->sum = call->client->sum == AZ_SUM_MD5 ? AZ_SUM_MD5 : AZ_SUM_CRC64;
	call->crc = 0;
	return call->sum == AZ_SUM_MD5 && !md5_start(call) ? -ENOMEM : 0;
}

/*
 * The checksum of the body, before the body: it travels in a header.  A small
 * body stays in memory and is sent from there; a large one is read again, unless
 * it was in memory before.
 */
static int sum_body(struct az_call *call)
{
	struct az_client *c = call->client;
	bool small = call->len <= AZ_SMALL_BODY;
	unsigned char *buf = c->scratch;

	if (small && !call->small)
		call->small = malloc(AZ_SMALL_BODY);
	if (small)
		buf = call->small;
	if (!buf)
		return -ENOMEM;
	/* Until a read has shown that the service can do CRC64, MD5: that one
	 * all services take, and a Put Page that is refused for an unknown
	 * header has cost a round trip. */
	call->sum = c->sum == AZ_SUM_CRC64 || !c->md5 ? AZ_SUM_CRC64 : AZ_SUM_MD5;
	if (call->source.digest && call->source.digest->sum)
		call->sum = call->source.digest->sum; /* to be compared */
	call->crc = 0;
	if (call->sum == AZ_SUM_MD5 && !md5_start(call))
		return -ENOMEM;
	if (call->source.memory && !small) {
		sum_add(call, call->source.memory, (size_t)call->len);
		return 0;
	}
	for (uint64_t pos = 0; pos < call->len;) {
		size_t n = call->len - pos < AZ_SCRATCH ? (size_t)(call->len - pos) : AZ_SCRATCH;
		int err = call->source.read(call->source.arg, buf, n, pos);

		if (err)
			return err < 0 ? err : -EIO;
		sum_add(call, buf, n);
		pos += n;
	}
	return 0;
}

/* Of what sum_body() has read. */
static void sum_digest(struct az_call *call, struct az_digest *d)
{
	unsigned char md[EVP_MAX_MD_SIZE] = { 0 };

	if (call->sum == AZ_SUM_CRC64)
		memcpy(md, &call->crc, sizeof(call->crc));
	else
		EVP_DigestFinal_ex(call->md5, md, NULL);
	d->sum = call->sum;
	memcpy(d->bytes, md, sizeof(d->bytes));
}

static bool same_digest(const struct az_digest *a, const struct az_digest *b)
{
	return a->sum == b->sum && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static void sum_header(struct az_call *call, struct az_build *b, const struct az_digest *d)
{
	char *text;

	if (call->sum == AZ_SUM_CRC64) {
		text = value(b);
		crc64_text(call->crc, text);
		az_build_header(b, "x-ms-content-crc64", text);
	} else {
		base64_encode(d->bytes, 16, call->md5_text);
		b->content_md5 = call->md5_text;
	}
}

/* Reads the body once, for its checksum. */
static int prepare_body(struct az_call *call, struct az_build *b)
{
	struct az_digest digest, *known = call->source.digest;
	int err = sum_body(call);

	if (err) {
		az_call_fail(call, AZ_LOCAL, strerror(-err));
		return err;
	}
	sum_digest(call, &digest);
	if (known && known->sum && !same_digest(known, &digest)) {
		az_call_fail(call, AZ_CHANGED, "the data changed between two tries");
		return -ESTALE;
	}
	if (known)
		*known = digest;
	sum_header(call, b, &digest);
	return 0;
}

static const char *date(struct az_client *c)
{
	date_http(date_now() + c->date_shift * DATE_TICKS, c->date);
	return c->date;
}

static void sort(struct az_fields *f)
{
	for (size_t i = 1; i < f->n; i++) {
		struct az_pair p = f->v[i];
		size_t j = i;

		for (; j && strcmp(f->v[j - 1].name, p.name) > 0; j--)
			f->v[j] = f->v[j - 1];
		f->v[j] = p;
	}
}

/* One line of the list that libcurl sends; its text is in call->lines. */
static void line(struct az_call *call, size_t starts[], size_t *n, const char *name,
		 const char *value)
{
	starts[(*n)++] = call->lines.len;
	text_add(&call->lines, name);
	text_add(&call->lines, value ? ": " : ":"); /* "Name:" suppresses it */
	if (value)
		text_add(&call->lines, value);
	text_addn(&call->lines, "", 1);
}

static int sign_call(struct az_call *call, const struct az_build *b, size_t path_at,
		     size_t path_len, char signature[AZ_SIGNATURE])
{
	struct az_client *c = call->client;
	const struct az_signed in = {
		.method = call->op->method,
		.content_length = call->source.read ? call->len : 0,
		.content_md5 = b->content_md5,
		.if_match = call->blob.if_match,
		.if_none_match = b->if_none_match,
		.headers = b->headers.v,
		.header_count = b->headers.n,
		.account = call->blob.url->account,
		.path = call->url.s + path_at,
		.path_len = path_len,
		.query = b->query.v,
		.query_count = b->query.n,
	};

	text_reset(&c->string);
	az_string_to_sign(&in, &c->string);
	if (c->string.failed)
		return -ENOMEM;
	return az_sign(call->blob.cred, &c->string, signature);
}

/* The header list: nodes of our own, whose text is one buffer. */
static int make_lines(struct az_call *call, const struct az_build *b, size_t path_at,
		      size_t path_len)
{
	const struct az_credential *cred = call->blob.cred;
	size_t starts[AZ_MAX_FIELDS + 8], n = 0;
	char signature[AZ_SIGNATURE];

	text_reset(&call->lines);
	for (size_t i = 0; i < b->headers.n; i++)
		line(call, starts, &n, b->headers.v[i].name, b->headers.v[i].value);
	if (b->content_md5)
		line(call, starts, &n, "Content-MD5", b->content_md5);
	if (call->blob.if_match)
		line(call, starts, &n, "If-Match", call->blob.if_match);
	if (b->if_none_match)
		line(call, starts, &n, "If-None-Match", b->if_none_match);
	if (cred->kind == AZ_CREDENTIAL_KEY) {
		int err = sign_call(call, b, path_at, path_len, signature);

		if (err)
			return err;
		starts[n++] = call->lines.len;
		text_addf(&call->lines, "Authorization: SharedKey %s:%s", call->blob.url->account,
			  signature);
		text_addn(&call->lines, "", 1);
	}
	line(call, starts, &n, "Accept", NULL);
	line(call, starts, &n, "Expect", NULL);
	line(call, starts, &n, "Content-Type", NULL);
	if (call->lines.failed)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		call->list[i].data = call->lines.s + starts[i];
		call->list[i].next = i + 1 < n ? &call->list[i + 1] : NULL;
	}
	return 0;
}

/* @path_at: where in call->url the path begins. */
static int make_url(struct az_call *call, const struct az_build *b, size_t *path_at,
		    size_t *path_len)
{
	const struct az_url *u = call->blob.url;
	const struct az_credential *cred = call->blob.cred;
	struct text *t = &call->url;
	char sep = '?';

	text_reset(t);
	text_add(t, u->https ? "https://" : "http://");
	text_add(t, u->host);
	*path_at = t->len;
	az_url_write_path(u, t);
	*path_len = t->len - *path_at;
	for (size_t i = 0; i < b->query.n; i++, sep = '&') {
		text_addn(t, &sep, 1);
		text_add(t, b->query.v[i].name);
		text_add(t, "=");
		text_add_escaped(t, b->query.v[i].value, "");
	}
	if (cred->kind == AZ_CREDENTIAL_SAS) {
		text_addn(t, &sep, 1);
		text_add(t, cred->sas);
	}
	return t->failed ? -ENOMEM : 0;
}

static void set_body(struct az_call *call)
{
	CURL *e = call->easy;
	bool small = call->source.read && call->len <= AZ_SMALL_BODY;

	curl_easy_setopt(e, CURLOPT_HTTPGET, 1L); /* undoes the others */
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
	if (!strcmp(call->op->method, "HEAD")) {
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
	} else if (!strcmp(call->op->method, "PUT") && (small || !call->source.read)) {
		/* libcurl puts POST's fields into one packet with the headers. */
		curl_easy_setopt(e, CURLOPT_POST, 1L);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, small ? (char *)call->small : "");
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)(small ? call->len : 0));
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "PUT");
	} else if (!strcmp(call->op->method, "PUT")) {
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)call->len);
		curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)AZ_SCRATCH);
	} else if (strcmp(call->op->method, "GET") != 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, call->op->method);
	}
}

/* The options that calls differ in. */
static int set_options(struct az_call *call)
{
	struct az_client *c = call->client;
	CURL *e = call->easy;
	bool big = call->sink.write && call->len > AZ_SMALL_BODY;

	if (curl_easy_setopt(e, CURLOPT_URL, call->url.s))
		return -ENOMEM;
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, call->list);
	/* Buffers of the size that the response needs: a 4 KiB read needn't
	 * touch 256 KiB. */
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, big ? (long)AZ_SCRATCH : 16384L + AZ_SMALL_BODY);
	curl_easy_setopt(e, CURLOPT_PROXY, call->route->proxy);
	curl_easy_setopt(e, CURLOPT_NOPROXY, ""); /* that is decided */
	/* With each call: libcurl keeps it where it is there already. */
	curl_easy_setopt(e, CURLOPT_RESOLVE, az_route_entries(call->route));
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, call->twin_of ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, az_stall_idle_limit(c));
	set_body(call);
	return 0;
}

static void start_answer(struct az_call *call)
{
	call->response = (struct az_response){ 0 };
	call->said = (struct az_xml_error){ 0 };
	az_xml_free(call->xml);
	call->xml = NULL;
	call->pos = 0;
	call->sent = false;
	call->cancelled = false;
	call->fail = AZ_OK;
	call->fail_text[0] = '\0';
	call->curl_text[0] = '\0';
}

static int build_request(struct az_call *call)
{
	const struct az_blob *blob = &call->blob;
	struct az_build b = { 0 };
	size_t at = 0, len = 0;
	int err = call->op->kind == AZ_KIND_READ ? sum_answer(call) : 0;

	if (err)
		return err;
	call->op->build(call, &b);
	if (blob->url->snapshot)
		az_build_query(&b, "snapshot", blob->url->snapshot);
	else if (blob->lease_id[0] && !call->no_lease)
		az_build_header(&b, "x-ms-lease-id", blob->lease_id);
	if (call->source.read) {
		err = prepare_body(call, &b);
		if (err)
			return err;
	}
	snprintf(call->id, sizeof(call->id), "%s-%llx", call->client->prefix,
		 (unsigned long long)++call->client->serial);
	az_build_header(&b, "x-ms-client-request-id", call->id);
	az_build_header(&b, "x-ms-date", date(call->client));
	az_build_header(&b, "x-ms-version", AZ_VERSION);
	sort(&b.headers);
	err = make_url(call, &b, &at, &len);
	if (err)
		return err;
	err = make_lines(call, &b, at, len);
	return err ? err : set_options(call);
}

int az_call_prepare(struct az_call *call)
{
	int err;

	start_answer(call);
	err = build_request(call);
	if (err)
		az_call_fail(call, AZ_LOCAL, strerror(-err));
	return err;
}
