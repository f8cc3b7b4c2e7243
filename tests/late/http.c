// SPDX-License-Identifier: MIT
#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of the header, with the empty line; 0: more is to come. */
static size_t header_length(const char *data, size_t len)
{
	const char *end = memmem(data, len, "\r\n\r\n", 4);

	return end ? (size_t)(end - data) + 4 : 0;
}

/* A field's value, which ends with its line, or NULL. */
static const char *field(const char *data, size_t header, const char *name)
{
	const char *end = data + header, *line = memmem(data, header, "\r\n", 2);
	size_t n = strlen(name);

	for (; line && line + 2 + n < end;
	     line = memmem(line + 2, (size_t)(end - line) - 2, "\r\n", 2)) {
		if (strncasecmp(line + 2, name, n) != 0 || line[2 + n] != ':')
			continue;
		line += 3 + n;
		return line + strspn(line, " ");
	}
	return NULL;
}

static ssize_t with_body(const char *data, size_t len, size_t header)
{
	const char *length = field(data, header, "Content-Length");
	size_t body = length ? strtoul(length, NULL, 10) : 0;

	return header + body <= len ? (ssize_t)(header + body) : 0;
}

static ssize_t with_chunks(const char *data, size_t len, size_t header)
{
	size_t at = header;

	for (;;) {
		const char *line = at < len ? memmem(data + at, len - at, "\r\n", 2) : NULL;
		size_t size;

		if (!line)
			return 0;
		size = strtoul(data + at, NULL, 16);
		at = (size_t)(line - data) + 2 + size + 2;
		if (!size)
			return at <= len ? (ssize_t)at : 0;
	}
}

ssize_t http_request_length(const char *data, size_t len)
{
	size_t header = header_length(data, len);

	if (!header)
		return 0;
	return field(data, header, "Transfer-Encoding") ? -1 : with_body(data, len, header);
}

ssize_t http_answer_length(const char *data, size_t len, bool head)
{
	size_t header = header_length(data, len);

	if (!header)
		return 0;
	if (strncmp(data, "HTTP/1.1 ", 9) != 0 || http_status(data) < 200)
		return -1;
	if (head || http_status(data) == 204 || http_status(data) == 304)
		return (ssize_t)header;
	return field(data, header, "Transfer-Encoding") ? with_chunks(data, len, header) :
							  with_body(data, len, header);
}

unsigned int http_status(const char *answer)
{
	return (unsigned int)strtoul(answer + 9, NULL, 10);
}

bool http_error_is(const char *answer, size_t len, const char *code)
{
	const char *value = field(answer, header_length(answer, len), "x-ms-error-code");

	return value && !strncmp(value, code, strlen(code));
}

bool http_is_page_write(const char *request, size_t len)
{
	return !strncmp(request, "PUT ", 4) &&
	       field(request, header_length(request, len), "x-ms-page-write");
}
