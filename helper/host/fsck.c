// SPDX-License-Identifier: MIT
#include "host/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/mounts.h"
#include "lib/runtime.h"

#define NOT_INSTALLED 127

/* Exit statuses: e2fsck(8), xfs_repair(8), ntfsfix(8). */
struct checker {
	const char *type, *program, *package;
	const char *repair[3], *look[3]; /* options */
	unsigned int repaired; /* bits of the statuses that mean so */
	int log_left; /* the one that means this, or 0 */
};

static const struct checker checkers[] = {
	{ "ext2", "e2fsck", "e2fsprogs", { "-p" }, { "-n" }, 1u << 1 | 1u << 2 | 1u << 3, 0 },
	{ "ext3", "e2fsck", "e2fsprogs", { "-p" }, { "-n" }, 1u << 1 | 1u << 2 | 1u << 3, 0 },
	{ "ext4", "e2fsck", "e2fsprogs", { "-p" }, { "-n" }, 1u << 1 | 1u << 2 | 1u << 3, 0 },
	{ "xfs", "xfs_repair", "xfsprogs", { "-e" }, { "-n" }, 1u << 4, 2 },
	{ "ntfs", "ntfsfix", "ntfs-3g", { "-d" }, { "-n" }, 0, 0 },
};

static const struct checker *checker_of(const char *type)
{
	for (size_t i = 0; i < sizeof(checkers) / sizeof(*checkers); i++)
		if (!strcmp(checkers[i].type, type))
			return &checkers[i];
	return NULL;
}

/* --- one run ------------------------------------------------------------------------ */

struct run {
	pid_t pid;
	int out; /* what it says; ends when it does */
	char line[160]; /* the last that says something */
	size_t len;
	bool fresh; /* the next character begins a line */
};

__attribute__((noreturn)) static void
be_checker(const struct checker *c, const char *const *options, const char *device, int out)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C.UTF-8";
	char *env[] = { path, locale, NULL };
	char *argv[5] = { (char *)c->program };
	int null = open("/dev/null", O_RDONLY), n = 1;
	sigset_t none;

	for (; *options; options++)
		argv[n++] = (char *)*options;
	argv[n] = (char *)device;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	dup2(null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	environ = env;
	execvp(c->program, argv);
	_exit(errno == ENOENT ? NOT_INSTALLED : 126);
}

static int start(struct run *r, const struct checker *c, const char *const *options,
		 const char *device)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	r->pid = fork();
	if (!r->pid)
		be_checker(c, options, device, ends[1]);
	close(ends[1]);
	r->out = ends[0];
	r->fresh = true;
	if (r->pid > 0)
		return 0;
	close(ends[0]);
	return -errno;
}

/* Printable, as it goes to a terminal. */
static void keep(struct run *r, const char *buf, size_t n)
{
	for (; n; buf++, n--) {
		if (*buf == '\n' || *buf == '\r') {
			r->fresh = true;
			continue;
		}
		if (r->fresh)
			r->len = 0;
		r->fresh = false;
		if (r->len < sizeof(r->line) - 1 && *buf >= ' ' && *buf < 0x7f)
			r->line[r->len++] = *buf;
		r->line[r->len] = '\0';
	}
}

/* Its exit status; 128 and the signal when it was killed. */
static int finish(struct run *r, int signals)
{
	struct pollfd p[] = { { .fd = r->out, .events = POLLIN },
			      { .fd = signals, .events = POLLIN } };
	char buf[512];
	ssize_t n;
	int status;

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[1].revents) {
			kill(r->pid, SIGTERM);
			p[1].fd = -1;
		}
		if (!p[0].revents)
			continue;
		n = read(r->out, buf, sizeof(buf));
		if (n <= 0)
			break;
		keep(r, buf, (size_t)n);
	}
	close(r->out);
	while (waitpid(r->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- the log of an XFS ------------------------------------------------------------------ */

/* Only mounting replays it; without that xfs_repair would have to throw it away. */
static int replay(const struct filesystem *fs, char *why, size_t len)
{
	char dir[256], reason[160];
	int err;

	snprintf(dir, sizeof(dir), "%s/replay.XXXXXX", runtime_dir());
	if (!mkdtemp(dir)) {
		snprintf(why, len, "%s: %s; make room there", dir, strerror(errno));
		return -1;
	}
	err = mounts_mount(fs->device, fs->type, dir, MOUNTS_WRITE, reason, sizeof(reason));
	if (!err && umount2(dir, 0)) {
		snprintf(reason, sizeof(reason), "umount: %s", strerror(errno));
		umount2(dir, MNT_DETACH);
		err = -1;
	}
	rmdir(dir);
	if (err)
		snprintf(
			why, len,
			"its log can't be replayed: %s; mount it with --no-fs and see xfs_repair(8), -L",
			reason);
	return err ? -1 : 0;
}

/* --- the whole -------------------------------------------------------------------------- */

static int check(const struct checker *c, const struct filesystem *fs, bool read_only, int signals,
		 struct run *r, char *why, size_t len)
{
	int status = start(r, c, read_only ? c->look : c->repair, fs->device);

	if (status) {
		snprintf(why, len, "%s: %s; free memory and try again", c->program,
			 strerror(-status));
		return -1;
	}
	return finish(r, signals);
}

static int judge(const struct checker *c, int status, bool read_only, const struct run *r,
		 char *why, size_t len)
{
	*why = '\0';
	if (!status)
		return 0;
	if (!read_only && status < 32 && c->repaired >> status & 1) {
		snprintf(why, len, "%s has repaired the file system (exit status %d)", c->program,
			 status);
		return 0;
	}
	if (status == NOT_INSTALLED)
		snprintf(why, len, "%s is not installed; install %s, or leave --fsck out",
			 c->program, c->package);
	else
		snprintf(
			why, len,
			"%s says that it is damaged (exit status %d: %s); mount it with --no-fs and repair it with %s, or leave --fsck out",
			c->program, status, r->line, c->program);
	return -1;
}

int fsck_run(const struct filesystem *fs, bool read_only, int signals, char *why, size_t len)
{
	const struct checker *c = checker_of(fs->type);
	struct run r = { .line = "" };
	int status;

	if (!c) {
		snprintf(why, len, "no checker is known for %s; leave --fsck out", fs->type);
		return -1;
	}
	status = check(c, fs, read_only, signals, &r, why, len);
	if (status > 0 && status == c->log_left && !read_only) {
		if (replay(fs, why, len))
			return -1;
		status = check(c, fs, read_only, signals, &r, why, len);
	}
	return status < 0 ? -1 : judge(c, status, read_only, &r, why, len);
}
