/* SPDX-License-Identifier: MIT */
/*
 * text.h - strings: one that grows, strict numbers, bounded copies, secrets
 */
#ifndef LIB_TEXT_H
#define LIB_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A string that grows.  Out of memory is remembered in @failed, so that a
 * whole string can be put together before one check.  Always NUL-terminated
 * once something was added; keeps its memory over text_reset().
 */
struct text {
	char *s;
	size_t len, cap;
	bool failed;
};

void text_reset(struct text *t);
void text_add(struct text *t, const char *s);
void text_addn(struct text *t, const char *s, size_t len);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Percent-encodes all but unreserved characters (RFC 3986) and those of @keep. */
void text_add_escaped(struct text *t, const char *s, const char *keep);
/* Cleanses and frees. */
void text_free(struct text *t);

/* Percent-decodes @len characters of @s into @out, which has room for @len + 1;
 * @plus: '+' is a space, as in a query.  False when malformed or with a NUL. */
bool text_decode(char *out, const char *s, size_t len, bool plus);

/* The same into a malloc'ed string; NULL when memory is out (@bad false) or it is
 * malformed or holds a NUL (@bad true). */
char *text_unescape(const char *s, size_t len, bool *bad);

/* All of @len characters (at most 20 digits) as a decimal number, or false. */
bool text_u64(const char *s, size_t len, uint64_t *out);

/* The one decimal number that is in the file @path, of the kernel's; or false. */
bool text_u64_of_file(const char *path, uint64_t *out);

/* Copies what fits, printable ASCII only ('?' for the rest: what a server
 * sends may end in a log or on a terminal), and terminates. */
void text_copy(char *dst, size_t size, const char *src, size_t len);

/* Cleanses and frees a string that held a secret; NULL is fine. */
void text_free_secret(char *s);

#endif
