/* SPDX-License-Identifier: MIT */
/*
 * lock.h - lock files in the runtime directory
 *
 * A lock is a flock(2) of a file.  Whoever drops the lock removes the file; whoever
 * got the lock of a file that was removed meanwhile tries the new file.
 */
#ifndef AGENT_LOCK_H
#define AGENT_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "azure/url.h"

/* A descriptor, or -errno: -ETIMEDOUT when another holds it for all of @seconds.
 * Uses SIGALRM. */
int lock_take(const char *path, unsigned int seconds);
void lock_drop(int fd, const char *path);

/* The lock of whoever is mounting @url, into @buf of PATH_MAX. */
const char *lock_path_url(const struct az_url *url, char *buf);

/* --- the agent of a drive: who it is, as all may ask ------------------------- */

struct agent_info {
	bool alive;
	pid_t pid; /* 0: not known */
	bool has_key; /* an account key, not a SAS */
};

/* Takes cdriveN.agent and writes down who has it, if there is room; like lock_take(). */
int agent_lock(unsigned int index, bool has_key, unsigned int seconds);
void agent_unlock(int fd, unsigned int index);

void agent_query(unsigned int index, struct agent_info *info);

/* Waits until the agent that @info names is gone, at most @seconds. */
void agent_wait_end(const struct agent_info *info, unsigned int seconds);

#endif
