// SPDX-License-Identifier: MIT
#include "command/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/message.h"
#include "lib/text.h"

int parse_size(const char *s, uint64_t *bytes)
{
	static const char units[] = "KMGT";
	size_t digits = strspn(s, "0123456789");
	const char *unit;
	unsigned int shift = 0;

	if (!digits)
		return -EINVAL;
	if (s[digits]) {
		unit = strchr(units, toupper((unsigned char)s[digits]));
		if (!unit || s[digits + 1])
			return -EINVAL;
		shift = 10 * (unit - units + 1);
	}
	if (!text_u64(s, digits, bytes) || *bytes > UINT64_MAX >> shift)
		return -ERANGE;
	*bytes <<= shift;
	return 0;
}

static char *shown_url(const char *arg, const char *host)
{
	size_t end = strcspn(arg, "?#");
	size_t authority = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', authority);
	char *s = strndup(arg, end);

	/* scheme://user:password@host → scheme://host */
	if (s && at)
		memmove(s + (host - arg), s + (at + 1 - arg), strlen(s + (at + 1 - arg)) + 1);
	return s;
}

char *redacted(const char *arg)
{
	const char *host = strstr(arg, "://");

	if (host)
		return shown_url(arg, host + 3);
	if (*arg == '/' || *arg == '.')
		return strdup(arg);
	return strdup("argument");
}

static int usage(const char *what, size_t len, const char *why)
{
	return fail(EXIT_USAGE, "%.*s: %s; see clouddrivectl %s --help", (int)len, what, why,
		    command_verb);
}

static int set_number(const struct option *o, const char *s, size_t len)
{
	uint64_t *value = o->value;

	if (text_u64(s, strlen(s), value) && *value >= o->min && *value <= o->max)
		return EXIT_OK;
	return fail(EXIT_USAGE,
		    "--%.*s: not a number from %llu to %llu; see clouddrivectl %s --help", (int)len,
		    o->name, (unsigned long long)o->min, (unsigned long long)o->max, command_verb);
}

static int set_limit(const struct option *o, const char *s, size_t len)
{
	uint64_t *value = o->value;

	if (!strcmp(s, "none")) {
		*value = 0;
		return EXIT_OK;
	}
	if (text_u64(s, strlen(s), value) && *value >= o->min && *value <= o->max)
		return EXIT_OK;
	return fail(
		EXIT_USAGE,
		"--%.*s: neither a number from %llu to %llu nor none; see clouddrivectl %s --help",
		(int)len, o->name, (unsigned long long)o->min, (unsigned long long)o->max,
		command_verb);
}

static int set_value(const struct option *o, const char *arg, const char *s)
{
	size_t len = strlen(o->name);

	switch (o->kind) {
	case OPTION_TEXT:
		*(const char **)o->value = s;
		return EXIT_OK;
	case OPTION_SIZE:
		switch (parse_size(s, o->value)) {
		case 0:
			return EXIT_OK;
		case -ERANGE:
			return usage(arg, len + 2, "too large");
		}
		return usage(arg, len + 2, "not a size, which is a number and K, M, G or T");
	case OPTION_NUMBER:
		return set_number(o, s, len);
	case OPTION_LIMIT:
		return set_limit(o, s, len);
	case OPTION_FLAG:
		break;
	}
	return EXIT_FAILED;
}

static const struct option *find(const struct option *options, const char *name, size_t len)
{
	for (; options->name; options++)
		if (strlen(options->name) == len && !memcmp(options->name, name, len))
			return options;
	return NULL;
}

/* The option at argv[*i]; its value may be the next argument. */
static int take_option(int argc, char **argv, int *i, const struct option *options)
{
	const char *arg = argv[*i];
	size_t len = strcspn(arg, "=");
	const struct option *o = NULL;

	if (!strncmp(arg, "--", 2))
		o = find(options, arg + 2, len - 2);
	if (!o)
		return usage(arg, len, "no such option");
	if (o->kind == OPTION_FLAG) {
		if (arg[len])
			return usage(arg, len, "takes no value");
		*(bool *)o->value = true;
		return EXIT_OK;
	}
	if (arg[len])
		return set_value(o, arg, arg + len + 1);
	if (*i + 1 >= argc)
		return usage(arg, len, "takes a value");
	return set_value(o, arg, argv[++*i]);
}

int options_unexpected(const char *arg)
{
	char *s = redacted(arg);
	int status = usage(s ? s : "argument", s ? strlen(s) : 8, "one argument too many");

	free(s);
	return status;
}

int options_parse(int argc, char **argv, const struct option *options,
		  const struct argument *arguments)
{
	bool ended = false;
	int i, status;

	for (i = 1; i < argc; i++) {
		if (!ended && !strcmp(argv[i], "--")) {
			ended = true;
		} else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			status = take_option(argc, argv, &i, options);
			if (status)
				return status;
		} else if (!arguments->name) {
			return options_unexpected(argv[i]);
		} else if (arguments->rest) {
			arguments->rest->items[arguments->rest->count++] = argv[i];
		} else {
			*arguments++->value = argv[i];
		}
	}
	if (arguments->name && !arguments->optional && !(arguments->rest && arguments->rest->count))
		return usage(arguments->name, strlen(arguments->name), "missing");
	return EXIT_OK;
}
