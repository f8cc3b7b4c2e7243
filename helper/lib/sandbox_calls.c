// SPDX-License-Identifier: MIT
/*
 * sandbox_calls.c - which system calls are left
 *
 * The lists are by what glibc 2.36 to 2.41, libcurl, OpenSSL and this project's own
 * code call when a drive is up.
 */
#include <errno.h>
#include <linux/cdrive.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/sandbox_parts.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/* Calls from here on have one number on all machines; libseccomp need not know them. */
#define FIRST_COMMON 434
#define LAST_COMMON 511 /* then come those of x32 */

static const char *const plain[] = {
	/* files, as far as Landlock lets them */
	"read", "readv", "pread64", "preadv", "preadv2", "write", "writev", "pwrite64", "pwritev",
	"pwritev2", "lseek", "close", "close_range", "open", "openat", "stat", "lstat", "fstat",
	"newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
	"getcwd", "getdents64", "fcntl", "flock", "ftruncate", "fsync", "fdatasync", "dup", "dup2",
	"dup3", "pipe", "pipe2", "rename", "renameat", "renameat2", "unlink", "unlinkat", "umask",
	/* memory; mmap and mprotect are below */
	"munmap", "mremap", "madvise", "brk", "mlock", "mlock2", "munlock", "membarrier",
	/* waiting, events, time */
	"futex", "futex_waitv", "poll", "ppoll", "select", "pselect6", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd",
	"eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime",
	"nanosleep", "clock_nanosleep", "clock_gettime", "clock_getres", "gettimeofday", "time",
	"getitimer", "setitimer", "alarm", "sched_yield",
	/* signals */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigtimedwait",
	"rt_sigsuspend", "sigaltstack", "restart_syscall", "pause",
	/* about ourselves */
	"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "getpgrp",
	"getpgid", "getsid", "getresuid", "getresgid", "getgroups", "getrlimit", "getrusage",
	"times", "uname", "sysinfo", "getcpu", "capget", "sched_getaffinity", "getrandom", "rseq",
	"set_robust_list", "get_robust_list", "exit", "exit_group", "wait4", "waitid",
	/* sockets that are open; which may be made is below */
	"connect", "accept", "accept4", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
	"recvmmsg", "shutdown", "getsockname", "getpeername", "getsockopt", "setsockopt"
};

/* What a spawner and a helper that is being started have no use for. */
static const char *const denied[] = {
	/* mounting and roots */
	"mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "open_tree_attr",
	"fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl",
	"quotactl_fd", "mknod", "mknodat", "open_by_handle_at",
	/* the kernel */
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot",
	"bpf", "perf_event_open", "syslog", "iopl", "ioperm", "acct", "lookup_dcookie",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp",
	"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	/* namespaces, identities, keys */
	"unshare", "setns", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
	"setfsuid", "setfsgid", "setgroups", "personality", "add_key", "request_key", "keyctl",
	/* the machine's name and clock */
	"sethostname", "setdomainname", "settimeofday", "clock_settime", "clock_adjtime",
	"adjtimex", "vhangup"
};

/* A rule on call @nr, for any arguments or for those of @n comparisons. */
static int rule(scmp_filter_ctx f, uint32_t action, int nr, unsigned int n,
		const struct scmp_arg_cmp *args)
{
	/* Some machines lack some calls, and some libraries some names. */
	if (nr < 0)
		return 0;
	return seccomp_rule_add_array(f, action, nr, n, args);
}

static int rules(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = rule(f, action, seccomp_syscall_resolve_name(names[i]), 0, NULL);
	return err;
}

/* Arguments that are int to the kernel; their upper half is not looked at. */
#define INT_IS(arg, value) \
	SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, 0xffffffffu, (scmp_datum_t)(uint32_t)(value))
#define BITS_ARE(arg, mask, value) \
	SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, (scmp_datum_t)(mask), (scmp_datum_t)(value))
#define ALLOW_IF(f, name, ...)                                                             \
	rule(f, SCMP_ACT_ALLOW, SCMP_SYS(name),                                            \
	     sizeof((struct scmp_arg_cmp[]){ __VA_ARGS__ }) / sizeof(struct scmp_arg_cmp), \
	     (struct scmp_arg_cmp[]){ __VA_ARGS__ })

/* Code comes from files (libraries that are loaded late, as for nsswitch.conf), never
 * from memory that can be written. */
static int memory(scmp_filter_ctx f)
{
	int err;

	err = ALLOW_IF(f, mmap, BITS_ARE(2, PROT_EXEC, 0));
	if (!err)
		err = ALLOW_IF(f, mmap, BITS_ARE(2, PROT_EXEC | PROT_WRITE, PROT_EXEC),
			       BITS_ARE(3, MAP_ANONYMOUS, 0));
	return err ? err : ALLOW_IF(f, mprotect, BITS_ARE(2, PROT_EXEC, 0));
}

/* abort(3) and the like; nobody else is signalled. */
static int ourselves(scmp_filter_ctx f)
{
	static const int options[] = { PR_SET_NAME,	    PR_GET_NAME,    PR_GET_DUMPABLE,
				       PR_GET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_CAPBSET_READ,
				       PR_SET_VMA };
	static const unsigned long requests[] = { FIONBIO, FIONREAD, TCGETS };
	int err;

	err = ALLOW_IF(f, kill, INT_IS(0, getpid()));
	if (!err)
		err = ALLOW_IF(f, tgkill, INT_IS(0, getpid()));
	if (!err)
		err = ALLOW_IF(f, prlimit64, INT_IS(0, 0));
	for (size_t i = 0; i < sizeof(options) / sizeof(*options) && !err; i++)
		err = ALLOW_IF(f, prctl, INT_IS(0, options[i]));
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests) && !err; i++)
		err = ALLOW_IF(f, ioctl, INT_IS(1, requests[i]));
	return err;
}

/* What a helper tells by the payload device, which it has open. */
static int payload_device(scmp_filter_ctx f)
{
	static const unsigned long requests[] = { CDRIVE_PAYLOAD_REMEMBER, CDRIVE_PAYLOAD_COMPLETE,
						  CDRIVE_PAYLOAD_LEASE, CDRIVE_PAYLOAD_VALIDATOR,
						  CDRIVE_PAYLOAD_FORGET };
	int err = 0;

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests) && !err; i++)
		err = ALLOW_IF(f, ioctl, INT_IS(1, requests[i]));
	return err;
}

static int local_sockets(scmp_filter_ctx f)
{
	int err = ALLOW_IF(f, socket, INT_IS(0, AF_UNIX));

	return err ? err : ALLOW_IF(f, socketpair, INT_IS(0, AF_UNIX));
}

/* The C library asks NETLINK_ROUTE for addresses, binding the socket. */
static int network(scmp_filter_ctx f)
{
	int err;

	err = ALLOW_IF(f, socket, INT_IS(0, AF_INET));
	if (!err)
		err = ALLOW_IF(f, socket, INT_IS(0, AF_INET6));
	if (!err)
		err = ALLOW_IF(f, socket, INT_IS(0, AF_NETLINK), INT_IS(2, NETLINK_ROUTE));
	if (!err)
		err = ALLOW_IF(f, socket, INT_IS(0, AF_NETLINK), INT_IS(2, NETLINK_GENERIC));
	return err ? err : rule(f, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0, NULL);
}

/* libcurl resolves names in a thread, where it was not told their addresses. */
static int threads(scmp_filter_ctx f)
{
	return ALLOW_IF(f, clone, BITS_ARE(0, CLONE_THREAD, CLONE_THREAD));
}

static bool named(int nr)
{
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (seccomp_syscall_resolve_name(plain[i]) == nr)
			return true;
	return false;
}

/* Libraries try new calls and take ENOSYS, not EPERM, for what it is. */
static int unknown(scmp_filter_ctx f)
{
	int err = 0;

	for (int nr = FIRST_COMMON; nr <= LAST_COMMON && !err; nr++)
		if (!named(nr))
			err = rule(f, SCMP_ACT_ERRNO(ENOSYS), nr, 0, NULL);
	return err;
}

static int allow_list(scmp_filter_ctx f, enum sandbox which)
{
	int err;

	err = rules(f, SCMP_ACT_ALLOW, plain, sizeof(plain) / sizeof(*plain));
	if (!err)
		err = memory(f);
	if (!err)
		err = ourselves(f);
	if (!err)
		err = local_sockets(f);
	if (!err && which == SANDBOX_HELPER)
		err = payload_device(f);
	if (!err && which == SANDBOX_HELPER)
		err = network(f);
	if (!err && which == SANDBOX_HELPER)
		err = threads(f);
	return err ? err : unknown(f);
}

/* The flags of clone3 can't be looked at; without it the C library uses clone. */
static int deny_list(scmp_filter_ctx f)
{
	static const unsigned int flags[] = { CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
					      CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
					      CLONE_NEWNET };
	int err;

	err = rules(f, SCMP_ACT_ERRNO(EPERM), denied, sizeof(denied) / sizeof(*denied));
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags) && !err; i++)
		err = rule(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
			   &BITS_ARE(0, flags[i], flags[i]));
	return err ? err : rule(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
}

int sandbox_calls(enum sandbox which)
{
	bool spawner = which == SANDBOX_SPAWNER;
	scmp_filter_ctx f = seccomp_init(spawner ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!f)
		return -ENOMEM;
	err = spawner ? deny_list(f) : allow_list(f, which);
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	/* What is refused is in the audit log (dmesg) then, as type 1326. */
	if (!err && getenv("CLOUDDRIVE_DEBUG"))
		err = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	if (!err)
		err = seccomp_load(f);
	seccomp_release(f);
	return err;
}
