/* SPDX-License-Identifier: MIT */
/*
 * sandbox.h - giving up what a process does not need any more
 *
 * No new privileges, no capabilities (none permitted, none in the bounding set),
 * file access by Landlock where the kernel has it, and a seccomp filter of the system
 * calls that are left.  A call that is not allowed fails with EPERM (one that is newer
 * than the list with ENOSYS, as on an older kernel): a drive must not die of a
 * library's new habit.
 *
 *	sandbox.c	capabilities, limits, and the order of it all
 *	sandbox_files.c	Landlock
 *	sandbox_calls.c	seccomp
 */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H

#include <stdbool.h>

enum sandbox {
	/*
	 * A helper with its drive: TCP and DNS to the service, threads (libcurl's, for a
	 * name that it was not told), reading certificates and resolver files, the netlink
	 * socket and the payload device that it has open, the files of
	 * runtime_dir(), and local sockets (syslog).  No exec, no fork, no
	 * device, nothing written elsewhere, no memory made executable but
	 * libraries'.
	 */
	SANDBOX_HELPER,
	/*
	 * An agent with its key: its open sockets, timers, and connecting to and
	 * writing in runtime_dir().  No network, no exec, no fork, no threads.
	 */
	SANDBOX_AGENT,
	/*
	 * A spawner: may fork and exec, and keeps the capabilities that a new
	 * helper needs before it enters a sandbox of its own (sandbox.c says
	 * which and why).  As the filter is the helper's too, which has to be
	 * loaded and to open its devices under it, it is a list of what is denied
	 * (mounting, modules, tracing, namespaces, identities, clocks …), and there
	 * is no Landlock.
	 */
	SANDBOX_SPAWNER,
};

/*
 * For good.  0 or a negative errno: the caller should not go on.  What an
 * older kernel lacks (Landlock) is logged, and is no error.  To be called with one
 * thread: others keep their capabilities.  runtime_dir() must be there.
 */
int sandbox_enter(enum sandbox which);

/*
 * Whether a file that the sandbox lets us read has been replaced by another since.
 * Landlock allows files, not names: who writes a new /etc/resolv.conf and renames it
 * locks us out of it, and names can't be resolved any more.  A process that
 * can be started again should then be.
 */
bool sandbox_stale(void);

#endif
