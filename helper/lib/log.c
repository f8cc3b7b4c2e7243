// SPDX-License-Identifier: MIT
#include "lib/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

static const char *program = "clouddrive";
static bool on_stderr = true;
static bool debug;

void log_open(const char *name, bool to_stderr)
{
	program = name;
	on_stderr = to_stderr;
	debug = getenv("CLOUDDRIVE_DEBUG") != NULL;
	openlog(name, LOG_PID, LOG_DAEMON);
}

void log_to_syslog(void)
{
	on_stderr = false;
}

__attribute__((format(printf, 2, 0))) static void say(int priority, const char *fmt, va_list ap)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	if (on_stderr)
		fprintf(stderr, "%s: %s\n", program, line);
	else
		syslog(priority, "%s", line);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_ERR, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_INFO, fmt, ap);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	if (!debug)
		return;
	va_start(ap, fmt);
	say(LOG_DEBUG, fmt, ap);
	va_end(ap);
}
