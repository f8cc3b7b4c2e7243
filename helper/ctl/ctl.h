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

#include "command/message.h"

struct verb {
	const char *name;
	const char *arguments; /* for the overview */
	const char *summary;
	const char *help; /* all of --help */
	int (*run)(int argc, char **argv);
};

extern const struct verb verb_create, verb_mount, verb_unmount, verb_list, verb_status, verb_delete,
	verb_devstore, verb_upload, verb_download, verb_snapshot, verb_copy, verb_init_cache,
	verb_warm, verb_upgrade;

#endif
