/* SPDX-License-Identifier: MIT */
/*
 * exit.h - how the programs end, and what a drive's errors say about it: the exit
 * statuses of clouddrivectl(8)
 */
#ifndef LIB_EXIT_H
#define LIB_EXIT_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_MISSING = 3, /* no such container, blob or drive */
	EXIT_DENIED = 4,
	EXIT_LEASED = 5, /* by another client */
	EXIT_BUSY = 6,
	EXIT_UNREACHABLE = 7,
	EXIT_NOT_A_DRIVE = 8,
};

#endif
