/* SPDX-License-Identifier: MIT */
/*
 * ctl.h - what all verbs of clouddrivectl have in common
 *
 * One file a verb.  A verb's run() gets its own name as argv[0], prints its
 * result to standard output and at most one message to standard error, and
 * returns an exit status (lib/exit.h).  `--help` never reaches it: main.c prints @help.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "lib/exit.h"

struct verb {
	const char *name;
	const char *arguments; /* for the overview */
	const char *summary;
	const char *help; /* all of --help */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_create, verb_mount, verb_unmount, verb_list, verb_status, verb_delete,
	verb_devstore, verb_upload, verb_download, verb_snapshot, verb_copy;

/* The verb being run, for messages. */
extern const char *ctl_verb;

/* Prints "clouddrivectl: VERB: MESSAGE" on standard error as one line, and
 * returns @status.  @fmt: "WHAT: WHY; WHAT TO DO". */
int fail(int status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, for what is no failure. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* An answer's {"error": …} (runtime.h) as fail(); EXIT_OK when it has none. */
int fail_answer(const json_t *answer);

/* 0, or EXIT_FAILED with a message. */
int need_root(void);

/* Prints @value, which is taken over, and a newline. */
int print_json(json_t *value);

/* "10G", "1.5M", "512": @bytes for people; into @buf. */
const char *size_text(uint64_t bytes, char *buf, size_t len);

#endif
