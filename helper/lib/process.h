/* SPDX-License-Identifier: MIT */
/*
 * process.h - what /proc says of another process
 *
 * The functions of a text are for tests; those of a process id say no when it can't be
 * read, as of one that has ended.
 */
#ifndef LIB_PROCESS_H
#define LIB_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether it runs files that are gone from the disk or were replaced there: its program,
 * or a library.  @maps: its /proc/PID/maps. */
bool process_outdated(pid_t pid);
bool process_maps_outdated(const char *maps);

/* Whether it has blocked signal @signo, as whoever reads it from a signalfd(2) has: others
 * it may end.  @status: its /proc/PID/status. */
bool process_waits_for(pid_t pid, int signo);
bool process_status_waits_for(const char *status, int signo);

#endif
