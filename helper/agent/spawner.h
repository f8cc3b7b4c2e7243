/* SPDX-License-Identifier: MIT */
/*
 * spawner.h - the process that starts helpers for an agent
 *
 * It knows no secret and has no network; it keeps the privileges that a helper
 * needs to get its drive.  It watches one helper at a time: the last it started, or
 * the one it was told of.  When the agent's end of the socket closes it ends, and
 * helpers live on.
 */
#ifndef AGENT_SPAWNER_H
#define AGENT_SPAWNER_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/driver.h"

enum spawner_command {
	SPAWNER_SPAWN, /* start a helper: the response is SPAWNER_STARTED */
	SPAWNER_WATCH, /* @pid, which another started */
	SPAWNER_KILL, /* the one that is watched, if it lives */
	SPAWNER_LOOK, /* at drive @index: the response is SPAWNER_LOOKED */
	SPAWNER_SUCCEED, /* start another agent: the response is SPAWNER_SUCCESSOR */
};

enum spawner_what {
	SPAWNER_STARTED, /* @err, or @pid and the agent's end of its socket */
	SPAWNER_ENDED, /* the helper @pid that was watched; @status of waitid(2) */
	SPAWNER_LOOKED, /* @err, or @drive */
	SPAWNER_SUCCESSOR, /* @err, or the agent's end of a socket to the other */
};

struct spawner_event {
	enum spawner_what what;
	int err;
	pid_t pid;
	int code, status; /* CLD_EXITED …, as siginfo_t has them; 0: not known */
	struct driver_drive drive;
};

/* Forks it: the agent's end of its socket, or -errno. */
int spawner_fork(void);

int spawner_tell(int fd, enum spawner_command command, unsigned int index, pid_t pid);

/* An agent of the program that is installed now, beside which this one goes on.  @front:
 * a descriptor for it, or -1. */
int spawner_succeed(int fd, int front);

/* Where clouddrived is, into @path; "" when it is nowhere. */
void spawner_find_helper(char *path, size_t len);

/* 0, *fd being -1 or the caller's; -errno, -ECONNRESET when it is gone. */
int spawner_hear(int spawner, struct spawner_event *event, int *fd);

#endif
