// SPDX-License-Identifier: MIT
/*
 * Bad answers, bad servers, bad sources and sinks: each ends in its class, in
 * bounded time, and never in AZ_OK.
 */
#include "client_fixture.h"

#include <errno.h>
#include <time.h>

#define RANGE "Content-Range: bytes 0-511/8388608\r\n"
#define SUM "x-ms-content-crc64: AAAAAAAAAAA=\r\n"
#define ZEROES                                                             \
	"0000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000000000000000000000000000000000000000000000000000"
#define BODY ZEROES ZEROES ZEROES ZEROES

struct bad {
	struct reply reply;
	enum az_class class;
	const char *words;
};

#define BAD(text_, class_, words_)                                                         \
	{                                                                                  \
		.reply = { .text = text_, .end = CLOSE }, .class = class_, .words = words_ \
	}

/* Answers to a read of 512 bytes. */
static const struct bad reads[] = {
	BAD("SSH-2.0-OpenSSH_9.2p1\r\n", AZ_CORRUPT, ""),
	BAD("\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 206", AZ_NO_RESPONSE, ""),
	BAD("HTTP/9.9 206 x\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 999999 x\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 2x6 x\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 20 x\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 5000 x\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 503x\r\n" MARKS "\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 206x\r\n" MARKS "Content-Length: 512\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    "status line"),
	BAD("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", AZ_CORRUPT,
	    "not from a blob service"),
	BAD("HTTP/1.1 404 x\r\nContent-Length: 2\r\n\r\nhi", AZ_CORRUPT, "not from a blob service"),
	BAD("HTTP/1.1 206 x\r\nContent-Length: 512\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    "not from a blob service"),
	BAD("HTTP/1.1 206 x\r\n" MARKS
	    "x-ms-client-request-id: another\r\nContent-Length: 512\r\n" RANGE SUM "\r\n" BODY,
	    AZ_CORRUPT, "another request"),
	BAD("HTTP/1.1 200 x\r\n" MARKS "Content-Length: 512\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    "unexpected status 200"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\n" SUM "\r\n" BODY, AZ_CORRUPT,
	    "not the range"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\n"
	    "Content-Range: bytes 512-1023/8388608\r\n" SUM "\r\n" BODY,
	    AZ_CORRUPT, "not the range"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\nContent-Range: bytes 0-511/*\r\n" SUM
	    "\r\n" BODY,
	    AZ_CORRUPT, "Content-Range"),
	BAD("HTTP/1.1 206 x\r\n" MARKS
	    "Content-Length: 512\r\nContent-Range: bytes 0-511/12\r\n" SUM "\r\n" BODY,
	    AZ_CORRUPT, "not the range"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\nContent-Range: 0-511/8388608\r\n" SUM
	    "\r\n" BODY,
	    AZ_CORRUPT, "Content-Range"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    "checksum (CRC64)"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\n" RANGE
	    "x-ms-content-crc64: none\r\n\r\n" BODY,
	    AZ_CORRUPT, "checksum (CRC64)"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 511\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    "length"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 1024\r\n" RANGE SUM "\r\n" BODY BODY,
	    AZ_CORRUPT, "length"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 512\r\n" RANGE SUM "\r\n" ZEROES,
	    AZ_NO_RESPONSE, ""),
	BAD("HTTP/1.1 206 x\r\n" MARKS RANGE SUM "\r\n" ZEROES, AZ_CORRUPT, "less came"),
	BAD("HTTP/1.1 206 x\r\n" MARKS RANGE SUM "\r\n" BODY "0", AZ_CORRUPT, "more came"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: 0\r\n" RANGE SUM "\r\n", AZ_CORRUPT,
	    "length"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: -5\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    ""),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Content-Length: five\r\n" RANGE SUM "\r\n" BODY, AZ_CORRUPT,
	    ""),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Transfer-Encoding: chunked\r\n" RANGE SUM "\r\n"
	    "zz\r\n" BODY,
	    AZ_NO_RESPONSE, ""),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Transfer-Encoding: chunked\r\n" RANGE SUM "\r\n"
	    "80\r\n" ZEROES "\r\n0\r\n\r\n",
	    AZ_CORRUPT, "less came"),
	BAD("HTTP/1.1 206 x\r\n" MARKS "Transfer-Encoding: chunked\r\n" RANGE SUM "\r\n"
	    "80\r\n" ZEROES "\r\n",
	    AZ_NO_RESPONSE, ""),
	/* what a trailer says is too late */
	BAD("HTTP/1.1 206 x\r\n" RANGE SUM "Transfer-Encoding: chunked\r\n\r\n200\r\n" BODY
	    "\r\n0\r\n" MARKS "\r\n",
	    AZ_CORRUPT, "not from a blob service"),
	BAD("HTTP/1.1 502 x\r\nx-ms-error-code: FeatureNotSupported\r\n\r\n<html>", AZ_BUSY,
	    "502 busy"),
	BAD("HTTP/1.1 403 x\r\n" MARKS "Content-Length: 0\r\n\r\n", AZ_DENIED, "403"),
	BAD("HTTP/1.1 404 x\r\n" MARKS "x-ms-error-code: BlobNotFound\r\nContent-Length: 0\r\n\r\n",
	    AZ_NOT_FOUND, "404 BlobNotFound"),
	BAD("HTTP/1.1 404 x\r\n" MARKS "\r\n<Error><Code>ContainerNotFound</Code></Error>",
	    AZ_NOT_FOUND, "404 ContainerNotFound"),
	BAD("HTTP/1.1 404 x\r\n" MARKS "\r\n<Error><Code>Conta", AZ_NOT_FOUND, "404"),
	BAD("HTTP/1.1 404 x\r\n" MARKS "Content-Length: 100\r\n\r\n<Error><Code>Conta",
	    AZ_NO_RESPONSE, ""),
	BAD("HTTP/1.1 412 x\r\n" MARKS "\r\n<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
	    AZ_PRECONDITION, "412"),
	BAD("HTTP/1.1 409 x\r\n" MARKS "\r\n<Error><Code>InvalidBlobType</Code></Error>",
	    AZ_CONFLICT, "409 InvalidBlobType"),
	BAD("HTTP/1.1 400 x\r\n" MARKS "\r\n", AZ_REFUSED, "400"),
	BAD("HTTP/1.1 416 x\r\n" MARKS "x-ms-error-code: InvalidRange\r\n\r\n", AZ_REFUSED,
	    "416 InvalidRange"),
	BAD("HTTP/1.1 429 x\r\n" MARKS "\r\n", AZ_BUSY, "429"),
	BAD("HTTP/1.1 500 x\r\n\r\n", AZ_BUSY, "500"),
	BAD("HTTP/1.1 503 x\r\n" MARKS "x-ms-error-code: ServerBusy\r\n\r\n", AZ_BUSY,
	    "503 ServerBusy"),
	BAD("HTTP/1.1 100 Continue\r\n\r\n", AZ_NO_RESPONSE, ""),
	BAD("HTTP/1.1 404 x\r\n" MARKS "x-ms-client-request-id: another\r\n\r\n", AZ_CORRUPT,
	    "another request"),
	BAD("HTTP/1.1 204 x\r\n" MARKS "\r\n", AZ_CORRUPT, "unexpected status 204"),
};

static void bad_answers_to_a_read(void **state)
{
	struct reply script[sizeof(reads) / sizeof(*reads)];
	int n = sizeof(reads) / sizeof(*reads);

	(void)state;
	for (int i = 0; i < n; i++)
		script[i] = reads[i].reply;
	httpd_start_n(&server, script, n);
	open_client();
	for (int i = 0; i < n; i++) {
		int before = server.seen->requests;

		GET(512);
		print_message("# answer %d: %d\n", i, res.err.class);
		expect(reads[i].class, reads[i].words);
		assert_true(res.err.sent);
		assert_int_equal(server.seen->requests, before + 1);
	}
	assert_int_equal(az_client_counters(client)->failed, n);
	stop_all();
}

/* Answers to a write; whatever is no clear refusal may have been applied. */
static const struct bad writes[] = {
	BAD("HTTP/1.1 200 x\r\n" MARKS "Content-Length: 0\r\n\r\n", AZ_CORRUPT, "200"),
	BAD("HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n", AZ_CORRUPT, "not from a blob service"),
	BAD("HTTP/1.1 201 x\r\nx-ms-request-id: r\r\nContent-Length: 0\r\n\r\n", AZ_CORRUPT,
	    "not from a blob service"),
	BAD("HTTP/1.1 201 x\r\n" MARKS "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	    "Content-Length: 0\r\n\r\n",
	    AZ_CORRUPT, "checksum (MD5)"),
	BAD("HTTP/1.1 201 x\r\n" MARKS "x-ms-client-request-id: other\r\n"
	    "Content-Length: 0\r\n\r\n",
	    AZ_CORRUPT, "another request"),
	BAD("HTTP/1.1 201 x\r\n" MARKS "x-ms-blob-sequence-number: many\r\n"
	    "Content-Length: 0\r\n\r\n",
	    AZ_CORRUPT, "sequence-number"),
	BAD("HTTP/1.1 201 x\r\n" MARKS "Content-Length: 9\r\n\r\n", AZ_NO_RESPONSE, ""),
	BAD("HTTP/1.1 500 x\r\n" MARKS "Content-Length: 0\r\n\r\n", AZ_BUSY, "500"),
	BAD("HTTP/1.1 2011 x\r\n" MARKS "Content-Length: 0\r\n\r\n", AZ_CORRUPT, ""),
	BAD("HTTP/1.1 201x\r\n" MARKS "Content-Length: 0\r\n\r\n", AZ_CORRUPT, "status line"),
	BAD("garbage", AZ_CORRUPT, ""),
};

static void bad_answers_to_a_write(void **state)
{
	struct reply script[sizeof(writes) / sizeof(*writes)];
	int n = sizeof(writes) / sizeof(*writes);

	(void)state;
	for (int i = 0; i < n; i++)
		script[i] = writes[i].reply;
	httpd_start_n(&server, script, n);
	open_client();
	for (int i = 0; i < n; i++) {
		PUT(512);
		print_message("# answer %d: %d\n", i, res.err.class);
		expect(writes[i].class, writes[i].words);
		assert_true(az_error_maybe_applied(&res.err));
		assert_int_equal(server.seen->requests, i + 1);
	}
	stop_all();
}

/* Whatever lies between answers: its status is no verdict on the blob, and none on what
 * became of a write. */
static void answers_from_elsewhere(void **state)
{
	static const char *const answers[] = {
		"200 OK\r\nContent-Type: text/html",
		"204 x",
		"302 x\r\nLocation: http://127.0.0.1:1/login",
		"304 x",
		"307 x\r\nLocation: http://127.0.0.1:1/login\r\nx-ms-request-id: r",
		"400 x",
		"401 x\r\nWWW-Authenticate: Basic",
		"403 x\r\nx-ms-error-code: AuthenticationFailed",
		"404 x\r\nx-ms-error-code: BlobNotFound",
		"407 x\r\nProxy-Authenticate: Basic",
		"409 x\r\nx-ms-error-code: LeaseAlreadyPresent",
		"412 x\r\nx-ms-error-code: LeaseLost",
		"501 x\r\nx-ms-error-code: FeatureNotSupported",
		"505 x\r\nx-ms-version: 2021-08-06",
	};
	enum { N = sizeof(answers) / sizeof(*answers) };
	char texts[N][256];
	struct reply script[N];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(texts[i], sizeof(texts[i]), "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s",
			 answers[i], i == 1 || i == 3 ? 0 : 42,
			 i == 1 || i == 3 ? "" : "<html><Code>LeaseLost</Code></html>       ");
		script[i] = (struct reply){ .text = texts[i], .end = CLOSE };
	}
	for (int write = 0; write < 2; write++) {
		httpd_start_n(&server, script, N);
		open_client();
		for (int i = 0; i < N; i++) {
			if (write)
				PUT(512);
			else
				GET(512);
			print_message("# answer %d: %d\n", i, res.err.class);
			expect(AZ_CORRUPT, "not from a blob service");
			assert_int_equal(res.err.hint, AZ_HINT_NOT_BLOB_SERVICE);
			assert_string_equal(res.err.code, "");
			assert_true(az_error_transient(&res.err));
			assert_true(az_error_passes(&res.err));
			assert_true(az_error_maybe_applied(&res.err));
			assert_int_equal(az_error_exit(&res.err), EXIT_UNREACHABLE);
			assert_int_equal(server.seen->requests, i + 1);
		}
		stop_all();
	}
}

/* A good answer cut after every byte. */
static void cut_anywhere(void **state)
{
	const struct reply whole = range_reply(512, crc_header(512));
	enum { N = 900 };
	static struct reply script[N];
	int n = (int)whole.len;

	(void)state;
	assert_true(n < N);
	for (int i = 0; i < n; i++) {
		script[i] = whole;
		script[i].cut = (size_t)i;
		script[i].end = i % 2 ? CLOSE : RESET;
		if (!i)
			script[i] = (struct reply){ .end = CLOSE };
	}
	httpd_start_n(&server, script, n);
	open_client();
	for (int i = 0; i < n; i++) {
		GET(512);
		if (res.err.class != AZ_NO_RESPONSE && res.err.class != AZ_CORRUPT)
			fail_msg("cut after %d bytes: class %d", i, res.err.class);
		assert_true(res.err.sent);
	}
	stop_all();
}

static void too_long(void **state)
{
	size_t size = 300000;
	char *line = malloc(size), *lines = malloc(size), *interim = malloc(size);
	char *error = malloc(size);
	int n;

	(void)state;
	n = sprintf(line, "HTTP/1.1 206 x\r\nx-long: ");
	memset(line + n, 'a', size - (size_t)n);
	n = sprintf(lines, "HTTP/1.1 206 x\r\n");
	while (n < (int)size - 100)
		n += sprintf(lines + n, "x-header: %d\r\n", n);
	memset(lines + n, '\n', size - (size_t)n);
	for (n = 0; n < (int)size - 100;)
		n += sprintf(interim + n, "HTTP/1.1 100 Continue\r\n\r\n");
	memset(interim + n, '\n', size - (size_t)n);
	n = sprintf(error, "HTTP/1.1 404 x\r\n" MARKS "\r\n<Error><Code>");
	memset(error + n, 'a', size - (size_t)n);
	{
		const struct reply script[] = {
			{ .text = line, .len = size, .end = CLOSE },
			{ .text = lines, .len = size, .end = CLOSE },
			{ .text = interim, .len = size, .end = CLOSE },
			{ .text = error, .len = size, .end = CLOSE },
		};

		START(script);
		for (int i = 0; i < 4; i++) {
			GET(512);
			expect(AZ_CORRUPT, "");
		}
		stop_all();
	}
	free(line);
	free(lines);
	free(interim);
	free(error);
}

static void resets(void **state)
{
	static const struct reply at_accept[] = { { .at_accept = true, .end = RESET } };
	static const struct reply in_body[] = { { .at_headers = true, .end = RESET } };
	static const struct reply at_end[] = { { .end = RESET } };

	(void)state;
	START(at_accept);
	PUT(512);
	/* Whether the request was sent before the reset is the kernel's luck. */
	if (res.err.class != AZ_UNREACHABLE)
		expect(AZ_NO_RESPONSE, "");
	stop_all();
	START(in_body);
	PUT(SIZE);
	expect(AZ_NO_RESPONSE, "");
	assert_true(res.err.sent);
	stop_all();
	START(at_end);
	PUT(512);
	expect(AZ_NO_RESPONSE, "");
	assert_int_equal(server.seen->requests, 1);
	stop_all();
}

/* Answered while the body is still on its way. */
static void early_answers(void **state)
{
	static const struct reply refused[] = {
		{ .at_headers = true,
		  .text = "HTTP/1.1 412 x\r\n" MARKS "x-ms-error-code: LeaseIdMissing\r\n"
			  "Content-Length: 0\r\nConnection: close\r\n\r\n" },
	};
	static const struct reply done[] = { { .at_headers = true, .text = CREATED } };

	(void)state;
	START(refused);
	PUT(SIZE);
	expect(AZ_PRECONDITION, "LeaseIdMissing");
	stop_all();
	START(done);
	PUT(SIZE);
	expect(AZ_CORRUPT, "before the whole body");
	assert_true(az_error_maybe_applied(&res.err));
	stop_all();
}

static void slow_servers(void **state)
{
	static const struct reply hang[] = { { .end = HANG } };
	static const struct reply half[] = { { .text = CREATED, .cut = 30, .end = HANG } };
	struct reply trickle[1];
	static const struct reply slow[] = { { .text = CREATED, .pause_ms = 2 } };
	uint64_t start;

	(void)state;
	opt.answer_timeout_ms = 400;
	START(hang);
	start = loop_now();
	PUT(512);
	expect(AZ_NO_RESPONSE, "no answer for 0.4 s");
	assert_true(res.err.sent);
	assert_true(loop_now() - start >= LOOP_MS(400));
	assert_true(loop_now() - start < LOOP_SEC(30));
	stop_all();
	START(half);
	PUT(512);
	expect(AZ_NO_RESPONSE, "no answer");
	stop_all();
	trickle[0] = range_reply(512, crc_header(512));
	trickle[0].pause_ms = 10; /* for eight seconds always something */
	opt.answer_timeout_ms = 2000;
	START(trickle);
	start = loop_now();
	GET(512);
	expect(AZ_OK, "");
	assert_true(loop_now() - start >= LOOP_MS(4000));
	stop_all();
	opt = (struct az_client_options)PATIENT;
	START(slow);
	PUT(512);
	expect(AZ_OK, "");
	stop_all();
}

static void nobody_there(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	char text[100];

	(void)state;
	httpd_start(&server, script);
	httpd_stop(&server); /* so that nobody listens on its port */
	open_client();
	PUT(512);
	expect(AZ_UNREACHABLE, "unreachable: ");
	assert_false(res.err.sent);
	assert_int_equal(res.err.http, 0);
	assert_int_equal(az_error_exit(&res.err), 7);
	assert_int_equal(az_client_counters(client)->calls, 0);
	assert_int_equal(az_client_counters(client)->failed, 1);
	close_client();
	/* a proxy for the world outside is none for loopback */
	httpd_start(&server, script);
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	open_client();
	PUT(512);
	expect(AZ_OK, "");
	unsetenv("http_proxy");
	stop_all();
	/* TLS to something that has none */
	httpd_start(&server, script);
	snprintf(text, sizeof(text), "https://127.0.0.1:%d/acct/drives/disk", server.port);
	open_client_on(text);
	az_credential_set_sas(&cred, SAS);
	PUT(512);
	expect(AZ_UNREACHABLE, "unreachable: ");
	assert_false(res.err.sent);
	stop_all();
	snprintf(text, sizeof(text), "https://acct.blob.invalid/drives/disk");
	open_client_on(text);
	az_credential_set_sas(&cred, SAS);
	PUT(512);
	expect(AZ_UNREACHABLE, "resolve");
	close_client();
}

static int fails_at_once(void *arg, void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)pos;
	return -EIO;
}

static int fails_later(void *arg, void *buf, size_t len, uint64_t pos)
{
	int *reads = arg;

	memcpy(buf, data + pos, len);
	return ++*reads > 20 ? -ESTALE : 0; /* 4 MiB in pieces of 256 KiB, then again */
}

static int no_room(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)pos;
	return -ENOSPC;
}

static void sources_and_sinks_that_fail(void **state)
{
	struct reply script[] = { range_reply(512, crc_header(512)) };
	struct az_sync early = { 0 };
	int reads_ = 0;
	const struct az_source at_once = { .read = fails_at_once };
	const struct az_source later = { .read = fails_later, .arg = &reads_ };
	const struct az_sink full = { .write = no_room };

	(void)state;
	START(script);
	WAIT(az_put_page(client, &blob, 0, 512, 7, &at_once, az_sync_done, &s));
	expect(AZ_LOCAL, "Input/output error");
	assert_false(res.err.sent);
	assert_int_equal(server.seen->requests, 0);
	/* never called back by the function that starts the call */
	assert_non_null(az_put_page(client, &blob, 0, 512, 7, &at_once, az_sync_done, &early));
	assert_false(early.done);
	assert_int_equal(az_sync_wait(loop, &early), 0);
	WAIT(az_put_page(client, &blob, 0, SIZE, 7, &later, az_sync_done, &s));
	expect(AZ_LOCAL, "Stale");
	assert_true(res.err.sent);
	assert_int_equal(server.seen->requests, 0); /* never whole */
	WAIT(az_get_range(client, &blob, 0, 512, &full, az_sync_done, &s));
	expect(AZ_LOCAL, "No space");
	stop_all();
}

static void retry_after(void **state)
{
	char date[64], text[200], number[200];
	time_t at = time(NULL) + 30;
	struct tm tm;

	(void)state;
	gmtime_r(&at, &tm);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	snprintf(text, sizeof(text), "HTTP/1.1 503 x\r\nRetry-After: %s\r\n\r\n", date);
	snprintf(number, sizeof(number), "HTTP/1.1 503 x\r\nRetry-After: 7\r\n\r\n");
	{
		const struct reply script[] = {
			{ .text = number, .end = CLOSE },
			{ .text = text, .end = CLOSE },
			{ .text = "HTTP/1.1 503 x\r\nRetry-After: soon\r\n\r\n", .end = CLOSE },
			{ .text = "HTTP/1.1 503 x\r\nRetry-After: 99999999999\r\n\r\n",
			  .end = CLOSE },
			{ .text = "HTTP/1.1 503 x\r\nRetry-After: -5\r\n\r\n", .end = CLOSE },
		};

		START(script);
	}
	PUT(512);
	assert_int_equal(res.err.retry_after, 7);
	PUT(512);
	assert_in_range(res.err.retry_after, 25, 30);
	PUT(512);
	assert_int_equal(res.err.retry_after, 0);
	PUT(512);
	assert_int_equal(res.err.retry_after, 3600);
	PUT(512);
	assert_int_equal(res.err.retry_after, 0);
	stop_all();
	/* Somebody may have no hour. */
	httpd_start_n(&server, &(struct reply){ .text = number, .end = CLOSE }, 1);
	opt.retry_after_most_s = 5;
	open_client();
	PUT(512);
	assert_int_equal(res.err.retry_after, 5);
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

/* With a key the request is dated anew (test_clock.c); a SAS is another's to make. */
static void denied_for_the_clock(void **state)
{
	static const struct reply script[] = {
		{ .text = "HTTP/1.1 403 x\r\n" MARKS "Date: Wed, 18 Nov 2037 10:00:00 GMT\r\n"
			  "x-ms-error-code: AuthenticationFailed\r\nContent-Length: 0\r\n\r\n" },
		{ .text = "HTTP/1.1 403 x\r\n" MARKS
			  "x-ms-error-code: AuthenticationFailed\r\nContent-Length: 0\r\n\r\n" },
	};

	(void)state;
	START(script);
	az_credential_free(&cred);
	assert_int_equal(az_credential_set_sas(&cred, SAS), 0);
	HEAD();
	expect(AZ_DENIED, "minutes behind");
	assert_non_null(strstr(az_error_advice(&res.err), "clock"));
	az_credential_free(&cred);
	assert_int_equal(az_credential_set_key(&cred, KEY), 0);
	HEAD();
	expect(AZ_DENIED, "403 AuthenticationFailed");
	assert_string_equal(az_error_advice(&res.err), "check the account key");
	stop_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_answers_to_a_read),
		cmocka_unit_test(bad_answers_to_a_write),
		cmocka_unit_test(answers_from_elsewhere),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(too_long),
		cmocka_unit_test(resets),
		cmocka_unit_test(early_answers),
		cmocka_unit_test(slow_servers),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(sources_and_sinks_that_fail),
		cmocka_unit_test(retry_after),
		cmocka_unit_test(denied_for_the_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
