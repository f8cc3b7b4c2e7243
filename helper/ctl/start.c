// SPDX-License-Identifier: MIT
#include "ctl/start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "lib/runtime.h"

#define PROGRAM "clouddrived"
/* How long an interrupted helper may take to give the lease back. */
#define UNDO_MS 30000

/* --- the program, and what it inherits --------------------------------------- */

/* Beside this program, as built and as installed; else where distributions put
 * programs that are not for users. */
static int find_program(char *path, size_t len)
{
	static const char *const dirs[] = { "/usr/local/libexec", "/usr/libexec", "/usr/local/sbin",
					    "/usr/sbin" };
	char self[PATH_MAX];
	char *slash;
	ssize_t n;
	size_t i;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		*slash = '\0';
		snprintf(path, len, "%s/" PROGRAM, self);
		if (!access(path, X_OK))
			return 0;
	}
	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, len, "%s/" PROGRAM, dirs[i]);
		if (!access(path, X_OK))
			return 0;
	}
	return -ENOENT;
}

static char *setting(const char *name, const char *value)
{
	char path[PATH_MAX];
	char *s;

	/* The helper's current directory is another. */
	if (!strncmp(name, "SSL_CERT_", 9) && realpath(value, path))
		value = path;
	return asprintf(&s, "%s=%s", name, value) < 0 ? NULL : s;
}

/* The helper gets its credential by message, and of the environment only what
 * is named here: secrets may be in any of the rest. */
static char *const *clean_environment(void)
{
	static const char *const names[] = {
		"PATH",	      "TZ",	      "LANG",	       "LC_ALL",
		"http_proxy", "https_proxy",  "no_proxy",      "HTTPS_PROXY",
		"NO_PROXY",   "SSL_CERT_DIR", "SSL_CERT_FILE", "CLOUDDRIVE_RUNTIME_DIR",
	};
	static char *env[sizeof(names) / sizeof(names[0]) + 1];
	size_t i, n = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);

		if (value)
			env[n] = setting(names[i], value);
		if (value && env[n])
			n++;
	}
	env[n] = NULL;
	return env;
}

/* Standard output is closed to it, or a shell that reads ours would wait for
 * as long as the drive lives; so is standard error, unless in foreground. */
static void inherit_nothing(int fd, bool foreground)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (!foreground)
		dup2(null, STDERR_FILENO);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	fcntl(fd, F_SETFD, 0);
	setsid();
	umask(077);
	if (chdir("/"))
		_exit(126);
}

static void exec_helper(const char *path, int fd, bool foreground)
{
	char number[16];
	char *const argv[] = { (char *)PROGRAM, number, NULL };
	char *const *env = clean_environment();
	sigset_t none;

	snprintf(number, sizeof(number), "%d", fd);
	inherit_nothing(fd, foreground);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, (char **)env);
	_exit(127);
}

/* --- starting ------------------------------------------------------------------ */

static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int spawn(struct helper *h, const char *path, bool foreground)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	h->pid = fork();
	if (h->pid == 0)
		exec_helper(path, pair[1], foreground);
	close(pair[1]);
	h->fd = pair[0];
	return h->pid < 0 ? -errno : 0;
}

int helper_start(struct helper *h, const json_t *request, bool foreground)
{
	char path[PATH_MAX + 16];
	int err;

	*h = (struct helper){ .fd = -1, .signals = -1 };
	if (find_program(path, sizeof(path)))
		return fail(CTL_FAILED,
			    PROGRAM ": not found beside clouddrivectl; install both: make install");
	h->signals = catch_signals();
	err = h->signals < 0 ? -errno : spawn(h, path, foreground);
	/* One that could not be started is noticed when it is waited for. */
	if (!err)
		err = runtime_send(h->fd, request);
	if (err && err != -ECONNRESET)
		return fail(CTL_FAILED, PROGRAM ": %s; it could not be started", strerror(-err));
	return CTL_OK;
}

/* --- waiting --------------------------------------------------------------------- */

bool helper_interrupted(struct helper *h)
{
	struct signalfd_siginfo info;

	if (read(h->signals, &info, sizeof(info)) == sizeof(info))
		h->interrupted = true;
	return h->interrupted;
}

static int ended_early(struct helper *h)
{
	char why[64] = "it ended";
	int status = 0;

	if (waitpid(h->pid, &status, 0) == h->pid && WIFSIGNALED(status))
		snprintf(why, sizeof(why), "it was ended by signal %d", WTERMSIG(status));
	else if (WIFEXITED(status))
		snprintf(why, sizeof(why), "it exited with status %d", WEXITSTATUS(status));
	h->pid = 0;
	if (h->interrupted)
		return fail(CTL_FAILED, "interrupted; nothing is mounted");
	return fail(
		CTL_FAILED,
		PROGRAM
		": %s before the drive was ready; see the system log (journalctl -t clouddrived)",
		why);
}

/* CTL_OK: an answer may be there. */
static void take_signal(struct helper *h, int *timeout)
{
	bool again = h->interrupted;

	h->interrupted = false;
	if (!helper_interrupted(h)) {
		h->interrupted = again;
		return;
	}
	if (again)
		kill(h->pid, SIGKILL);
	shutdown(h->fd, SHUT_WR);
	*timeout = UNDO_MS;
}

static int wait_for_answer(struct helper *h, json_t **answer)
{
	struct pollfd p[] = { { .fd = h->fd, .events = POLLIN },
			      { .fd = h->signals, .events = POLLIN } };
	int timeout = -1, n;

	for (;;) {
		n = poll(p, 2, timeout);
		if (n == 0) {
			kill(h->pid, SIGKILL);
			timeout = -1;
		} else if (n > 0 && p[0].revents) {
			return runtime_receive(h->fd, answer, 0);
		} else if (n > 0) {
			take_signal(h, &timeout);
		}
	}
}

int helper_wait(struct helper *h, unsigned int *index)
{
	json_t *answer = NULL;
	json_t *number;
	int err, status;

	err = wait_for_answer(h, &answer);
	if (err == -ECONNRESET)
		return ended_early(h);
	if (err)
		return fail(CTL_FAILED, PROGRAM ": its answer: %s; see the system log",
			    strerror(-err));
	number = json_object_get(answer, "index");
	if (h->interrupted && json_object_get(answer, "error"))
		status = fail(CTL_FAILED, "interrupted; nothing is mounted");
	else
		status = fail_answer(answer);
	if (!status && !json_is_integer(number))
		status = fail(CTL_FAILED, PROGRAM
			      ": its answer names no device; install programs of one version");
	*index = json_integer_value(number);
	json_decref(answer);
	return status;
}

bool helper_watch(struct helper *h)
{
	struct pollfd p[] = { { .fd = pidfd_open(h->pid, 0), .events = POLLIN },
			      { .fd = h->signals, .events = POLLIN } };
	bool signalled = false;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			break;
		h->interrupted = false;
		signalled = helper_interrupted(h);
		if (signalled)
			break;
	}
	close(p[0].fd);
	return signalled;
}

void helper_forget(struct helper *h)
{
	if (h->fd >= 0)
		close(h->fd);
	if (h->signals >= 0)
		close(h->signals);
	h->fd = h->signals = -1;
}
