/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - giving up what a process does not need any more
 *
 * No new privileges, no capabilities (none permitted, none in the bounding set),
 * file access by Landlock where the kernel has it, and a seccomp filter of the system
 * calls that are left.  A call that is not allowed fails with EPERM: a drive must
 * not die of a library's new habit.
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

enum sandbox {
	/*
	 * A helper with its drive: TCP and DNS to the service (libcurl's resolver
	 * thread included), reading certificates and resolver files, the netlink
	 * socket and the payload device that it has open, the files of
	 * runtime_dir(), and local sockets (syslog).  No exec, no fork, no
	 * device, nothing written elsewhere.
	 */
	SANDBOX_HELPER,
	/*
	 * An agent with its key: its open sockets, timers, and connecting to and
	 * writing in runtime_dir().  No network, no exec, no fork.
	 */
	SANDBOX_AGENT,
	/* A spawner: may fork and exec, and keeps the capabilities that a new
	 * helper needs; nothing else is left to it. */
	SANDBOX_SPAWNER,
};

/* For good.  0 or a negative errno: the caller should not go on.  What an
 * older kernel lacks (Landlock) is logged, and is no error. */
int sandbox_enter(enum sandbox which);

#endif
