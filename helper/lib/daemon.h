/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - the first steps of a process that file systems depend on
 */
#ifndef LIB_DAEMON_H
#define LIB_DAEMON_H

/*
 * File systems wait for such a process to write their pages, or to bring back the one
 * that does, some of them to make room in memory.  So it never waits for such room: it
 * is not swapped out, its allocations do not write pages out, and it is not killed for
 * want of memory.  Nor is it ended at shutdown before its file systems are (systemd,
 * "Root Storage Daemons": @argv0 begins with '@' then).  @lock: MCL_ONFAULT where most of
 * what is mapped is never touched, or 0.  What can't be had is logged.
 */
void daemon_harden(char *argv0, int lock);

#endif
