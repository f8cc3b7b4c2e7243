// SPDX-License-Identifier: MIT
/*
 * What is said to people: messages, sizes, JSON.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command/message.h"

const char *command_verb;

/* One line whatever a name or a server put into it, and no escape sequence
 * for the terminal; UTF-8 passes. */
static void print_line(const char *fmt, va_list args)
{
	char line[2048];
	char *s;

	vsnprintf(line, sizeof(line), fmt, args);
	for (s = line; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			*s = '?';
	if (command_verb)
		fprintf(stderr, "clouddrivectl: %s: %s\n", command_verb, line);
	else
		fprintf(stderr, "clouddrivectl: %s\n", line);
}

int fail(int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
	return status;
}

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_line(fmt, args);
	va_end(args);
}

int fail_response(const json_t *response)
{
	json_t *error = json_object_get(response, "error");
	const char *message;
	int status;

	if (!error)
		return EXIT_OK;
	message = json_string_value(json_object_get(error, "message"));
	status = json_integer_value(json_object_get(error, "exit"));
	if (status < EXIT_FAILED || status > EXIT_NOT_A_DRIVE)
		status = EXIT_FAILED;
	return fail(status, "%s", message ? message : "the helper failed");
}

int need_root(void)
{
	if (geteuid() == 0)
		return EXIT_OK;
	return fail(EXIT_FAILED, "must be root; run it with sudo");
}

int print_json(json_t *value)
{
	int err = json_dumpf(value, stdout, JSON_INDENT(2));

	json_decref(value);
	if (err)
		return fail(EXIT_FAILED, "the result can't be printed");
	putchar('\n');
	return EXIT_OK;
}

const char *size_text(uint64_t bytes, char *buf, size_t len)
{
	static const char units[] = " KMGTPE";
	unsigned int unit = 0;
	double value = bytes;

	while (value >= 1024 && unit < strlen(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (!unit)
		snprintf(buf, len, "%llu", (unsigned long long)bytes);
	else if (value == (unsigned int)value)
		snprintf(buf, len, "%u%c", (unsigned int)value, units[unit]);
	else
		snprintf(buf, len, "%.1f%c", value, units[unit]);
	return buf;
}
