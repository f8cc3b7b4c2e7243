/* SPDX-License-Identifier: MIT */
/* base64.h - RFC 4648 base64 with padding, as Azure's headers and keys use it */
#ifndef LIB_BASE64_H
#define LIB_BASE64_H

#include <stddef.h>
#include <sys/types.h>

#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1) /* with the NUL */

/* @text has room for BASE64_SIZE(@len). */
void base64_encode(const void *buf, size_t len, char *text);

/*
 * Decodes @len characters of @text into @buf, which has room for @size bytes.
 * The number of bytes, or -EINVAL: not base64 (white space is not), or more
 * than fits.  What was decoded on the way is not left on the stack.
 */
ssize_t base64_decode(const char *text, size_t len, void *buf, size_t size);

#endif
