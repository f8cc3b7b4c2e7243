/* SPDX-License-Identifier: MIT */
/*
 * client_fixture.h - a scripted server, and a client that talks to it
 *
 * Short time limits, a body of known bytes, a sink that keeps what came.
 */
#ifndef TESTS_CLIENT_FIXTURE_H
#define TESTS_CLIENT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "azure/blob.h"
#include "lib/crc64.h"
#include "httpd.h"

#define KEY "c2VjcmV0LWtleS1vZi1hbi1hY2NvdW50"
#define SAS "sv=2021-08-06&sp=rw&sig=SECRETsecret%3D"

#define MARKS "x-ms-request-id: req-1\r\nx-ms-version: 2021-08-06\r\n"
#define CREATED "HTTP/1.1 201 Created\r\n" MARKS "Content-Length: 0\r\n\r\n"
#define SIZE (4u << 20)

static struct httpd server;
static struct loop *loop;
static struct az_client *client;
static struct az_url url;
static struct az_credential cred;
static struct az_blob blob;
static struct az_result res;

static unsigned char data[SIZE], got[SIZE];
static size_t got_len;

static inline int read_data(void *arg, void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	memcpy(buf, data + pos, len);
	return 0;
}

static inline int write_got(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	if (pos != got_len || pos + len > SIZE)
		return -1;
	memcpy(got + pos, buf, len);
	got_len += len;
	return 0;
}

__attribute__((unused)) static const struct az_source source = { .read = read_data };
__attribute__((unused)) static const struct az_sink sink = { .write = write_got };

/* So long that no machine which stands still for a while makes a test fail; whoever wants
 * to see them run out takes shorter ones. */
#define PATIENT                                                              \
	{                                                                    \
		.connect_timeout_ms = 2000, .silence_timeout_ms = 20000,     \
		.answer_timeout_ms = 40000, .short_answer_timeout_ms = 40000 \
	}
static struct az_client_options opt = PATIENT;

static void open_client_on(const char *text)
{
	char why[256];

	alarm(60); /* whatever hangs, the test ends */
	assert_int_equal(az_url_parse(text, &url, why, sizeof(why)), 0);
	assert_int_equal(az_credential_set_key(&cred, KEY), 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(az_client_new(&client, loop, &opt), 0);
	blob = (struct az_blob){ .url = &url, .cred = &cred };
	got_len = 0;
	for (size_t i = 0; i < SIZE; i++)
		data[i] = (unsigned char)(i * 2654435761u >> 13);
}

static void open_client(void)
{
	char text[100];

	snprintf(text, sizeof(text), "http://127.0.0.1:%d/acct/drives/disk", server.port);
	open_client_on(text);
}

static void close_client(void)
{
	az_client_free(client);
	loop_free(loop);
	az_url_free(&url);
	az_credential_free(&cred);
	alarm(0);
}

#define START(script)                         \
	do {                                  \
		httpd_start(&server, script); \
		open_client();                \
	} while (0)

static char *replies[64];
static int reply_count;

static void stop_all(void)
{
	while (reply_count)
		free(replies[--reply_count]);
	close_client();
	httpd_stop(&server);
}

/* Waits for a call that was started with az_sync_done and &s. */
#define WAIT(call)                                           \
	do {                                                 \
		struct az_sync s = { 0 };                    \
		assert_non_null(call);                       \
		assert_int_equal(az_sync_wait(loop, &s), 0); \
		res = s.res;                                 \
	} while (0)

#define PUT(len) WAIT(az_put_page(client, &blob, 0, len, 7, &source, az_sync_done, &s))
#define GET(len)                                                                    \
	do {                                                                        \
		got_len = 0;                                                        \
		WAIT(az_get_range(client, &blob, 0, len, &sink, az_sync_done, &s)); \
	} while (0)
#define HEAD() WAIT(az_get_properties(client, &blob, az_sync_done, &s))

/* A 206 that answers GET(len), with @sum as further headers; stop_all() frees it. */
static inline struct reply range_reply(size_t len, const char *sum)
{
	char *text = replies[reply_count++] = malloc(len + 1024);
	int n = snprintf(text, 1024,
			 "HTTP/1.1 206 Partial Content\r\n" MARKS "Content-Length: %zu\r\n"
			 "Content-Range: bytes 0-%zu/8388608\r\n"
			 "x-ms-client-request-id: @ID\r\n"
			 "x-ms-blob-type: PageBlob\r\n%s\r\n",
			 len, len - 1, sum);

	for (size_t i = 0; i < len; i++)
		text[(size_t)n + i] = (char)(i * 2654435761u >> 13);
	return (struct reply){ .text = text, .len = (size_t)n + len };
}

/* The header that a service computes for the first @len bytes of data. */
static inline const char *crc_header(size_t len)
{
	static char text[64];
	char value[CRC64_TEXT];
	unsigned char *buf = malloc(len);

	for (size_t i = 0; i < len; i++)
		buf[i] = (unsigned char)(i * 2654435761u >> 13);
	crc64_text(crc64(0, buf, len), value);
	free(buf);
	snprintf(text, sizeof(text), "x-ms-content-crc64: %s\r\n", value);
	return text;
}

static inline void expect(enum az_class class, const char *words)
{
	char text[400];

	az_error_text(&res.err, text, sizeof(text));
	if (res.err.class != class || !strstr(text, words))
		fail_msg("class %d instead of %d, \"%s\" instead of \"%s\"", res.err.class, class,
			 text, words);
	assert_null(strstr(text, "SECRET"));
}

static inline bool head_has(int request, const char *line)
{
	return strcasestr(server.seen->head[request], line) != NULL;
}

#endif
