// SPDX-License-Identifier: MIT
/*
 * Messages are structures, as both ends are one program: what the privileged end
 * reads needs no parser.
 */
#include "agent/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/driver.h"
#include "lib/log.h"
#include "lib/sandbox.h"
#include "lib/signals.h"

#define PROGRAM "clouddrived"

struct call {
	enum spawner_command command;
	unsigned int index;
	pid_t pid;
};

struct spawner {
	char program[PATH_MAX + 16];
	char self[PATH_MAX]; /* where this program was, and the next version is */
	int fd; /* to the agent */
	pid_t pid; /* the helper being watched */
	int pidfd; /* or -1 */
	struct driver *driver;
};

/* --- messages -------------------------------------------------------------------- */

/* @fd goes along, or -1. */
static int send_with(int socket, const void *message, size_t len, int fd)
{
	struct iovec iov = { .iov_base = (void *)message, .iov_len = len };
	union {
		struct cmsghdr header;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	do {
		n = sendmsg(socket, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void take_descriptor(struct msghdr *msg, int *fd)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
}

/* *@fd: what came along, or -1. */
static int receive_with(int socket, void *message, size_t len, int *fd)
{
	struct iovec iov = { .iov_base = message, .iov_len = len };
	union {
		struct cmsghdr header;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	*fd = -1;
	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	take_descriptor(&msg, fd);
	return n == (ssize_t)len ? 0 : -ECONNRESET;
}

/* --- the program, and what it inherits --------------------------------------- */

/* The kernel says of a file that was replaced since: "PATH (deleted)". */
static void find_self(char *path, size_t len)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", path, len - 1);
	size_t end;

	path[n > 0 ? n : 0] = '\0';
	end = strlen(path);
	if (end > sizeof(deleted) && !strcmp(path + end - (sizeof(deleted) - 1), deleted))
		path[end - (sizeof(deleted) - 1)] = '\0';
}

/* Beside this program, as built and as installed; else where distributions put
 * programs that are not for users. */
void spawner_find_helper(char *path, size_t len)
{
	static const char *const dirs[] = { "/usr/local/libexec", "/usr/libexec", "/usr/local/sbin",
					    "/usr/sbin" };
	char self[PATH_MAX];
	char *slash;
	size_t i;

	find_self(self, sizeof(self));
	slash = strrchr(self, '/');
	if (slash) {
		*slash = '\0';
		snprintf(path, len, "%s/" PROGRAM, self);
		if (!access(path, X_OK))
			return;
	}
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, len, "%s/" PROGRAM, dirs[i]);
		if (!access(path, X_OK))
			return;
	}
	path[0] = '\0';
}

/* Of ours it has the environment, which mount has cleaned, and standard error; and the
 * descriptors @fd and @other, unless that is -1. */
static void exec_with(const char *path, char *const argv[], int fd, int other)
{
	sigset_t none;

	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) || fcntl(fd, F_SETFD, 0) ||
	    (other >= 0 && fcntl(other, F_SETFD, 0)))
		_exit(127);
	setsid();
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(path, argv);
	_exit(127);
}

static void exec_helper(const struct spawner *s, int fd)
{
	char number[16];
	char *const argv[] = { (char *)PROGRAM, number, NULL };

	snprintf(number, sizeof(number), "%d", fd);
	exec_with(s->program, argv, fd, -1);
}

static void exec_successor(const struct spawner *s, int fd, int front)
{
	char number[16], other[16];
	char *const argv[] = { (char *)"clouddrivectl", (char *)"agent", number,
			       front >= 0 ? other : NULL, NULL };

	snprintf(number, sizeof(number), "%d", fd);
	snprintf(other, sizeof(other), "%d", front);
	exec_with(s->self, argv, fd, front);
}

/* --- the spawner ------------------------------------------------------------------ */

static void say(const struct spawner *s, const struct spawner_event *event, int fd)
{
	send_with(s->fd, event, sizeof(*event), fd);
}

static void say_ended(struct spawner *s, const siginfo_t *info)
{
	struct spawner_event event = { .what = SPAWNER_ENDED, .pid = s->pid };

	event.code = info->si_code;
	event.status = info->si_status;
	say(s, &event, -1);
}

static void watch(struct spawner *s, pid_t pid)
{
	static const siginfo_t unknown;

	if (s->pidfd >= 0)
		close(s->pidfd);
	s->pid = pid;
	s->pidfd = pidfd_open(pid, 0);
	if (s->pidfd < 0)
		say_ended(s, &unknown);
}

static int start_helper(struct spawner *s, int *fd)
{
	int pair[2];
	pid_t pid;

	if (!s->program[0])
		return -ENOENT;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0)
		exec_helper(s, pair[1]);
	if (pid < 0) {
		int err = -errno;

		close(pair[0]);
		close(pair[1]);
		return err;
	}
	close(pair[1]);
	*fd = pair[0];
	return pid;
}

static void spawn(struct spawner *s)
{
	struct spawner_event event = { .what = SPAWNER_STARTED };
	int fd = -1, n = start_helper(s, &fd);

	event.err = n < 0 ? n : 0;
	event.pid = n > 0 ? n : 0;
	say(s, &event, fd);
	if (n > 0)
		watch(s, n);
	if (fd >= 0)
		close(fd);
}

static void ended(struct spawner *s)
{
	siginfo_t info = { 0 };

	/* Not a child of ours, when the agent joined: then there is no status. */
	if (waitid(P_PIDFD, (id_t)s->pidfd, &info, WEXITED))
		info.si_code = 0;
	close(s->pidfd);
	s->pidfd = -1;
	say_ended(s, &info);
}

static void look(struct spawner *s, unsigned int index)
{
	struct spawner_event event = { .what = SPAWNER_LOOKED };

	event.err = s->driver ? driver_get(s->driver, index, &event.drive) : -ENOENT;
	say(s, &event, -1);
}

/* By a process between, so that it is nobody's child, and needs no reaping. */
static int start_successor(struct spawner *s, int front, int *fd)
{
	int pair[2], err;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	err = pid < 0 ? -errno : 0;
	if (pid == 0) {
		if (fork() == 0)
			exec_successor(s, pair[1], front);
		_exit(0);
	}
	close(pair[1]);
	*fd = pair[0];
	if (!err)
		waitpid(pid, NULL, 0);
	return err;
}

static void succeed(struct spawner *s, int front)
{
	struct spawner_event event = { .what = SPAWNER_SUCCESSOR };
	int fd = -1;

	event.err = start_successor(s, front, &fd);
	say(s, &event, event.err ? -1 : fd);
	if (fd >= 0)
		close(fd);
}

static bool obey(struct spawner *s)
{
	struct call call;
	int front;

	if (receive_with(s->fd, &call, sizeof(call), &front))
		return false;
	switch (call.command) {
	case SPAWNER_SPAWN:
		spawn(s);
		break;
	case SPAWNER_WATCH:
		watch(s, call.pid);
		break;
	case SPAWNER_KILL:
		if (s->pidfd >= 0)
			pidfd_send_signal(s->pidfd, SIGKILL, NULL, 0);
		break;
	case SPAWNER_LOOK:
		look(s, call.index);
		break;
	case SPAWNER_SUCCEED:
		succeed(s, front);
		break;
	}
	if (front >= 0)
		close(front);
	return true;
}

static void serve(struct spawner *s)
{
	bool more = true;

	while (more) {
		struct pollfd p[] = { { .fd = s->fd, .events = POLLIN },
				      { .fd = s->pidfd, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			ended(s);
		if (p[0].revents)
			more = obey(s);
	}
}

/* What ends an agent ends its spawner by the socket; a terminal's signals are
 * for neither. */
static void run(int fd)
{
	static struct spawner s = { .pidfd = -1 };
	sigset_t set;

	prctl(PR_SET_NAME, "cdrive-spawner");
	signals_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s.fd = fd;
	find_self(s.self, sizeof(s.self));
	spawner_find_helper(s.program, sizeof(s.program));
	if (driver_open(&s.driver))
		s.driver = NULL;
	if (!sandbox_enter(SANDBOX_SPAWNER))
		serve(&s);
}

/* --- the agent's side ---------------------------------------------------------------- */

int spawner_fork(void)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	pid = fork();
	if (pid == 0) {
		/* The agent's descriptors are not the spawner's. */
		if (dup2(pair[1], 3) == 3 && !close_range(4, ~0U, 0) &&
		    !fcntl(3, F_SETFD, FD_CLOEXEC)) {
			log_reopen();
			run(3);
		}
		_exit(0);
	}
	close(pair[1]);
	if (pid > 0)
		return pair[0];
	close(pair[0]);
	return -EAGAIN;
}

int spawner_tell(int fd, enum spawner_command command, unsigned int index, pid_t pid)
{
	const struct call call = { .command = command, .index = index, .pid = pid };

	return send_with(fd, &call, sizeof(call), -1);
}

int spawner_succeed(int fd, int front)
{
	const struct call call = { .command = SPAWNER_SUCCEED };

	return send_with(fd, &call, sizeof(call), front);
}

int spawner_hear(int spawner, struct spawner_event *event, int *fd)
{
	return receive_with(spawner, event, sizeof(*event), fd);
}
