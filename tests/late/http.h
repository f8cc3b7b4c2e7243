/* SPDX-License-Identifier: MIT */
/*
 * http.h - as much of HTTP/1.1 as it takes to pass messages on whole
 *
 * Lengths are of whole messages: 0 while more is to come, -1 for what is none.
 */
#ifndef LATE_HTTP_H
#define LATE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

ssize_t http_request_length(const char *data, size_t len);

/* @head: it answers HEAD, and so has no body. */
ssize_t http_answer_length(const char *data, size_t len, bool head);

unsigned int http_status(const char *answer);

/* Whether an answer's x-ms-error-code begins with @code. */
bool http_error_is(const char *answer, size_t len, const char *code);

/* Whether a request is Put Page, update or clear. */
bool http_is_page_write(const char *request, size_t len);

#endif
