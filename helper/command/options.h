/* SPDX-License-Identifier: MIT */
/*
 * options.h - command lines
 *
 * Long options only, anywhere on the line, as "--name value" or "--name=value"; "--"
 * ends them.  They can't be abbreviated: what works today would mean something else
 * once another option is added.
 */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
	OPTION_FLAG, /* bool */
	OPTION_TEXT, /* const char * */
	OPTION_SIZE, /* uint64_t, bytes */
	OPTION_NUMBER, /* uint64_t, from @min to @max */
	OPTION_LIMIT, /* the same, or "none": 0 */
};

struct option {
	const char *name; /* without dashes; NULL ends a table */
	enum option_kind kind;
	void *value;
	uint64_t min, max;
};

/* All arguments that are left, one at least; @items has room for argc. */
struct rest {
	const char **items;
	size_t count;
};

struct argument {
	const char *name; /* "URL"; NULL ends a table */
	const char **value;
	bool optional;
	struct rest *rest; /* instead of value */
};

/* Entries of the two tables. */
#define FLAG(n, v)                                             \
	{                                                      \
		.name = (n), .kind = OPTION_FLAG, .value = (v) \
	}
#define TEXT(n, v)                                             \
	{                                                      \
		.name = (n), .kind = OPTION_TEXT, .value = (v) \
	}
#define SIZE(n, v)                                             \
	{                                                      \
		.name = (n), .kind = OPTION_SIZE, .value = (v) \
	}
#define NUMBER(n, v, from, to)                                                               \
	{                                                                                    \
		.name = (n), .kind = OPTION_NUMBER, .value = (v), .min = (from), .max = (to) \
	}
#define LIMIT(n, v, from, to)                                                               \
	{                                                                                   \
		.name = (n), .kind = OPTION_LIMIT, .value = (v), .min = (from), .max = (to) \
	}
#define ARGUMENT(n, v)                    \
	{                                 \
		.name = (n), .value = (v) \
	}
#define OPTIONAL(n, v)                                      \
	{                                                   \
		.name = (n), .value = (v), .optional = true \
	}

#define REST(n, r)                       \
	{                                \
		.name = (n), .rest = (r) \
	}

/* EXIT_OK, or EXIT_USAGE with a message that names what is wrong. */
int options_parse(int argc, char **argv, const struct option *options,
		  const struct argument *arguments);

/* Says that @arg is one argument too many: EXIT_USAGE. */
int options_unexpected(const char *arg);

/* "4096", "10G": digits and K, M, G or T (powers of 1024); 0, -EINVAL, or
 * -ERANGE past 64 bits. */
int parse_size(const char *s, uint64_t *bytes);

/*
 * What may be shown of an argument: a URL without user, password and query
 * (where a SAS is), a path as it is, and of anything else nothing, as it may
 * be a key in the wrong place.  malloc'ed.
 */
char *redacted(const char *arg);

#endif
