// SPDX-License-Identifier: MIT
#include "host/start.h"

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

#include "command/message.h"
#include "lib/runtime.h"
#include "lib/signals.h"

/* An interrupted agent ends its helper after 30 s; then it may end itself. */
#define UNDO_MS 35000
/* After it has said that it failed. */
#define END_MS 5000

/* --- what the agent inherits --------------------------------------------------- */

static char *setting(const char *name, const char *value)
{
	char path[PATH_MAX];
	char *s;

	/* Its current directory is another. */
	if (!strncmp(name, "SSL_CERT_", 9) && realpath(value, path))
		value = path;
	return asprintf(&s, "%s=%s", name, value) < 0 ? NULL : s;
}

/* It gets its credential by message, and of the environment only what is named
 * here, for its helper: secrets may be in any of the rest. */
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

	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    (!foreground && dup2(null, STDERR_FILENO) < 0) ||
	    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) || fcntl(fd, F_SETFD, 0) || chdir("/"))
		_exit(126);
	setsid();
	umask(077);
}

static void exec_agent(int fd, bool foreground)
{
	char number[16];
	char *const argv[] = { (char *)"clouddrivectl", (char *)"agent", number, NULL };
	char *const *env = clean_environment();
	sigset_t none;

	snprintf(number, sizeof(number), "%d", fd);
	inherit_nothing(fd, foreground);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/proc/self/exe", argv, (char **)env);
	_exit(127);
}

/* --- starting ------------------------------------------------------------------ */

static int catch_signals(void)
{
	sigset_t set;

	signals_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int spawn(struct agent_start *a, bool foreground)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	a->pid = fork();
	if (a->pid == 0)
		exec_agent(pair[1], foreground);
	close(pair[1]);
	a->fd = pair[0];
	return a->pid < 0 ? -errno : 0;
}

int agent_start(struct agent_start *a, const json_t *request, bool foreground)
{
	int err;

	*a = AGENT_START_NONE;
	a->signals = catch_signals();
	err = a->signals < 0 ? -errno : spawn(a, foreground);
	/* One that could not be started is noticed when it is waited for. */
	if (!err)
		err = runtime_send(a->fd, request);
	if (err && err != -ECONNRESET)
		return fail(EXIT_FAILED, "the drive's agent could not be started: %s; try again",
			    strerror(-err));
	return EXIT_OK;
}

/* --- waiting --------------------------------------------------------------------- */

bool agent_interrupted(struct agent_start *a)
{
	struct signalfd_siginfo info;

	if (a->signals >= 0 && read(a->signals, &info, sizeof(info)) == sizeof(info))
		a->interrupted = true;
	return a->interrupted;
}

/* It is our child until it is reaped, so its number is its own. */
static void reap(struct agent_start *a)
{
	struct pollfd p = { .fd = a->pid > 0 ? pidfd_open(a->pid, 0) : -1, .events = POLLIN };

	if (p.fd < 0)
		return;
	if (poll(&p, 1, END_MS) == 0)
		kill(a->pid, SIGKILL);
	waitpid(a->pid, NULL, 0);
	a->pid = 0;
	close(p.fd);
}

static void take_signal(struct agent_start *a, int *timeout)
{
	bool again = a->interrupted;

	a->interrupted = false;
	if (!agent_interrupted(a)) {
		a->interrupted = again;
		return;
	}
	if (again)
		kill(a->pid, SIGTERM);
	shutdown(a->fd, SHUT_WR);
	*timeout = UNDO_MS;
}

static int wait_for_response(struct agent_start *a, json_t **response)
{
	struct pollfd p[] = { { .fd = a->fd, .events = POLLIN },
			      { .fd = a->signals, .events = POLLIN } };
	int timeout = -1, n;

	for (;;) {
		n = poll(p, 2, timeout);
		if (n == 0) {
			kill(a->pid, SIGKILL);
			timeout = -1;
		} else if (n > 0 && p[0].revents) {
			return runtime_receive(a->fd, response, 0);
		} else if (n > 0) {
			take_signal(a, &timeout);
		}
	}
}

static int judge(struct agent_start *a, int err, const json_t *response)
{
	if (a->interrupted && (err || json_object_get(response, "error")))
		return fail(EXIT_FAILED, "interrupted; nothing is mounted");
	if (err)
		return fail(
			EXIT_FAILED,
			"the drive's agent: its response: %s; see the system log (journalctl -t clouddrive-agent)",
			strerror(-err));
	if (json_object_get(response, "error"))
		return fail_response(response);
	if (!json_is_integer(json_object_get(response, "index")))
		return fail(
			EXIT_FAILED,
			"clouddrived: its response names no device; install programs of one version");
	return EXIT_OK;
}

int agent_wait(struct agent_start *a, json_t **response)
{
	int err, status;

	*response = NULL;
	err = wait_for_response(a, response);
	status = judge(a, err, *response);
	if (!status)
		return EXIT_OK;
	json_decref(*response);
	*response = NULL;
	reap(a);
	return status;
}

bool agent_watch(struct agent_start *a)
{
	struct pollfd p[] = { { .fd = a->fd, .events = POLLIN },
			      { .fd = a->signals, .events = POLLIN } };

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			return false;
		a->interrupted = false;
		if (agent_interrupted(a))
			return true;
	}
}

void agent_too_late(void)
{
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

void agent_forget(struct agent_start *a)
{
	sigset_t set;

	if (a->fd >= 0)
		close(a->fd);
	if (a->signals >= 0) {
		close(a->signals);
		signals_set(&set);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
	*a = AGENT_START_NONE;
}
