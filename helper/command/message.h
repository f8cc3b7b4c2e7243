/* SPDX-License-Identifier: MIT */
/*
 * message.h - what clouddrivectl says to people: messages, results, sizes
 *
 * A function that returns a status returns an exit status (lib/exit.h), and has said by
 * then, once, why it is not EXIT_OK.
 */
#ifndef COMMAND_MESSAGE_H
#define COMMAND_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/exit.h"

/* The verb being run, for messages. */
extern const char *command_verb;

/* Prints "clouddrivectl: VERB: MESSAGE" on standard error as one line, and
 * returns @status.  @fmt: "WHAT: WHY; WHAT TO DO". */
int fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, for what is no failure. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A response's {"error": …} (runtime.h) as fail(); EXIT_OK when it has none. */
int fail_response(const json_t *response);

/* 0, or EXIT_FAILED with a message. */
int need_root(void);

/* Prints @value, which is taken over, and a newline. */
int print_json(json_t *value);

/* "10G", "1.5M", "512": @bytes for people; into @buf. */
const char *size_text(uint64_t bytes, char *buf, size_t len);

#endif
