/* SPDX-License-Identifier: MIT */
/*
 * log.h - what a program without a terminal has to say
 *
 * To syslog (facility daemon), or to standard error while there is somebody to
 * read it.  Messages are one line, without a secret.  Neither is ever waited for: what
 * has no room there is lost, and how many were is told later.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>

/* @name is kept.  @to_stderr: until log_to_syslog() is called.  Before a sandbox is
 * entered. */
void log_open(const char *name, bool to_stderr);
/* After all descriptors were closed, or may have become others. */
void log_reopen(void);
void log_to_syslog(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Only with $CLOUDDRIVE_DEBUG set. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
