/* SPDX-License-Identifier: MIT */
/*
 * watched.h - what may wait for a drive, in a child process that is watched
 *
 * Whoever writes out to a drive waits for as long as it is parked, and can't be killed
 * meanwhile.  So it is left to a child: as long as requests of the drive complete it may
 * take any time, and when none does for a while nobody waits for it any more.  It ends
 * some day, and has none of this process's standard files open.
 */
#ifndef HOST_WATCHED_H
#define HOST_WATCHED_H

#include <stdbool.h>
#include <sys/types.h>

/* What the child does: 0, or a positive errno. */
typedef int (*watched_fn)(void *arg);

/* Has @run done for the drive @index.  What it returned, as a negative errno; -ETIMEDOUT:
 * still at it, and nothing moves; @force: for a moment. */
int watched_run(watched_fn run, void *arg, unsigned int index, bool force);

/* The same in two steps: the child's process id, or a negative errno; and its end. */
pid_t watched_start(watched_fn run, void *arg);
int watched_wait(pid_t pid, unsigned int index, bool force);

#endif
