/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h - requests as text, for the fuzzers
 *
 *	PUT /devstoreaccount1/c/b?comp=page
 *	x-ms-range: bytes=0-511
 *	x-ms-page-write: update
 *	=512
 *	(empty line, or the end)
 *
 * The line with "=" says how long the body is, of any bytes; a line with "<" is a
 * body in itself.  What libmicrohttpd would not let through does not get here: NUL,
 * CR and LF within a line.
 */
#ifndef TESTS_DEVSTORE_FUZZ_H
#define TESTS_DEVSTORE_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/request/request.h"

#define FUZZ_MAX_BODY (64u << 10)

/* Says where a promise was broken, for libFuzzer to keep the input. */
#define promise(what)                                                                      \
	do {                                                                               \
		if (!(what)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #what); \
			abort();                                                           \
		}                                                                          \
	} while (0)

struct fuzz_input {
	const char *at, *end;
};

/* The next line, without its end, in @line; what is too long is cut. */
static inline bool fuzz_line(struct fuzz_input *in, char *line, size_t size)
{
	size_t n = 0;

	if (in->at == in->end)
		return false;
	for (; in->at < in->end && *in->at != '\n'; in->at++)
		if (*in->at && *in->at != '\r' && n + 1 < size)
			line[n++] = *in->at;
	if (in->at < in->end)
		in->at++;
	line[n] = '\0';
	return true;
}

static inline void fuzz_body(struct ds_request *r, const char *line)
{
	size_t len = line[0] == '=' ? strtoul(line + 1, NULL, 10) : strlen(line);
	char length[24];

	if (r->body || len > FUZZ_MAX_BODY)
		return;
	r->body = malloc(len ? len : 1);
	promise(r->body);
	if (line[0] == '=')
		memset(r->body, 'x', len);
	else
		memcpy(r->body, line, len);
	r->body_len = len;
	snprintf(length, sizeof(length), "%zu", len);
	ds_request_header(r, "Content-Length", length);
}

/* The next request, as the server makes it of what libmicrohttpd gives it; false:
 * there is no more. */
static inline bool fuzz_request(struct fuzz_input *in, struct ds_request *r)
{
	static char line[DS_MAX_URI * 2];
	char *uri, *value;

	do {
		if (!fuzz_line(in, line, sizeof(line)))
			return false;
	} while (!*line);
	uri = strchr(line, ' ');
	if (uri)
		*uri++ = '\0';
	ds_request_begin(r, line, uri ? uri : "/");
	while (fuzz_line(in, line, sizeof(line)) && *line) {
		value = strchr(line, ':');
		if (*line == '=' || *line == '<') {
			fuzz_body(r, line);
		} else if (value) {
			*value++ = '\0';
			ds_request_header(r, line, value);
		}
	}
	strcpy(r->client, "127.0.0.1");
	return true;
}

#endif
