// SPDX-License-Identifier: MIT
#include "image/mkfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vhd/mbr.h"

#define FILE_FD 3 /* the tool's */
#define OUTPUT 16384 /* bytes of its last words */
#define MAX_ARGUMENTS 24

/*
 * What the blob has not been written to is zero, so nothing needs zeroing later:
 * ext4's inode tables count as done (no lazy_itable_init), which on a memfd are
 * holes.  All its metadata in one place makes few requests.
 */
static const char *const ext4_arguments[] = {
	"-q",	"-F", "-b",
	"4096", "-E", "lazy_itable_init=0,lazy_journal_init=1,nodiscard,packed_meta_blocks=1",
	NULL,
};
static const char *const xfs_arguments[] = { "-q", "-f", "-K", "-s", "size=4096", NULL };
/* Quick: no zeroing, no looking for bad sectors. The geometry is for its boot
 * sector, as for a partitioned disk. */
static const char *const ntfs_arguments[] = { "-Q", "-F",  "-q", "-s", "512",
					      "-H", "255", "-S", "63", NULL };

static const struct mkfs table[] = {
	{ "ext4", MBR_LINUX, 16, "mkfs.ext4", "e2fsprogs", true, false, ext4_arguments },
	{ "xfs", MBR_LINUX, 12, "mkfs.xfs", "xfsprogs", false, true, xfs_arguments },
	{ "ntfs", MBR_NTFS, 128, "mkntfs", "ntfs-3g", false, false, ntfs_arguments },
};

const struct mkfs *mkfs_find(const char *name)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (!strcmp(table[i].name, name))
			return &table[i];
	return NULL;
}

/* --- the tool --------------------------------------------------------------------- */

/* In $PATH, or where it is when $PATH is a user's.  malloc'ed, or NULL. */
static char *find_tool(const char *tool)
{
	const char *own = getenv("PATH");
	char *path, *dir, *save, *found = NULL;

	if (asprintf(&path, "%s:/usr/sbin:/sbin:/usr/bin:/bin", own ? own : "") < 0)
		return NULL;
	for (dir = strtok_r(path, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
		if (*dir != '/' || asprintf(&found, "%s/%s", dir, tool) < 0 ||
		    access(found, X_OK) == 0)
			continue;
		free(found);
		found = NULL;
	}
	free(path);
	return found;
}

int mkfs_check(struct job *job, const struct mkfs *f)
{
	char *path = find_tool(f->tool);

	free(path);
	if (path)
		return 0;
	return job_fail(job, EXIT_FAILED, "%s: not found; install the package %s", f->tool,
			f->package);
}

/* --- running it ---------------------------------------------------------------------- */

struct run {
	struct job *job;
	struct loop_fd output, process;
	char text[OUTPUT];
	size_t len;
	bool ended;
};

/* Keeps the end of what it says. */
static void on_output(void *arg, uint32_t events)
{
	struct run *r = arg;
	ssize_t n;

	(void)events;
	if (r->len > sizeof(r->text) / 2) {
		memmove(r->text, r->text + r->len / 2, r->len - r->len / 2);
		r->len -= r->len / 2;
	}
	n = read(r->output.fd, r->text + r->len, sizeof(r->text) - 1 - r->len);
	if (n > 0)
		r->len += (size_t)n;
	else
		loop_fd_del(r->job->loop, &r->output);
}

static void on_exit_of(void *arg, uint32_t events)
{
	struct run *r = arg;

	(void)events;
	while (r->output.fd >= 0)
		on_output(r, 0);
	r->ended = true;
}

/* The line that says why: the first or the last. */
static const char *its_words(struct run *r, bool first)
{
	char *end = r->text + r->len, *line;

	r->text[first ? strcspn(r->text, "\n") : r->len] = '\0';
	if (first)
		return r->text;
	while (end > r->text && (end[-1] == '\n' || end[-1] == ' '))
		end--;
	*end = '\0';
	line = strrchr(r->text, '\n');
	return line ? line + 1 : r->text;
}

/* No signals blocked, no more environment than it needs: ours has had a key. */
static int spawn(pid_t *pid, const char *path, char *const argv[], int file, int output)
{
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int err;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawn_file_actions_adddup2(&actions, output, 2);
	posix_spawn_file_actions_adddup2(&actions, file, FILE_FD);
	err = posix_spawn(pid, path, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return err;
}

/* Until it has ended: its status, or -1. */
static int wait_for(struct run *r, pid_t pid, int output)
{
	int fd = pidfd_open(pid, 0), status = 0, err;

	r->output.fd = -1;
	err = fd < 0 || loop_fd_add(r->job->loop, &r->process, fd, EPOLLIN, on_exit_of, r);
	if (!err)
		err = loop_fd_add(r->job->loop, &r->output, output, EPOLLIN, on_output, r);
	err = err ? job_fail(r->job, EXIT_FAILED, "out of memory; free some and try again") :
		    job_wait(r->job, &r->ended);
	if (err)
		kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (r->process.fn)
		loop_fd_del(r->job->loop, &r->process);
	if (r->output.fd >= 0)
		loop_fd_del(r->job->loop, &r->output);
	if (fd >= 0)
		close(fd);
	return err ? -1 : status;
}

static int run(struct job *job, const struct mkfs *f, char *argv[], int file)
{
	struct run r = { .job = job };
	char *path = find_tool(f->tool);
	int pipes[2], status, err;
	pid_t pid;

	if (!path)
		return mkfs_check(job, f);
	if (pipe2(pipes, O_CLOEXEC)) {
		free(path);
		return job_fail(job, EXIT_FAILED, "%s: %s; try again", f->tool, strerror(errno));
	}
	argv[0] = path;
	err = spawn(&pid, path, argv, file, pipes[1]);
	close(pipes[1]);
	status = err ? -1 : wait_for(&r, pid, pipes[0]);
	close(pipes[0]);
	free(path);
	if (err)
		return job_fail(job, EXIT_FAILED, "%s: %s; is it installed whole?", f->tool,
				strerror(err));
	if (!status || status == -1)
		return status;
	return job_fail(job, EXIT_FAILED, "%s failed: %s; choose another size, label or --fs",
			f->tool, its_words(&r, f->usage_follows));
}

/* --- the file --------------------------------------------------------------------------- */

static int sparse_file(struct job *job, const struct mkfs *f, uint64_t size)
{
	const char *dir = getenv("TMPDIR");
	int fd, high;

	dir = dir && *dir == '/' ? dir : "/var/tmp";
	fd = f->in_memory ? memfd_create("clouddrive", MFD_CLOEXEC) :
			    open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size)) {
		job_fail(
			job, EXIT_FAILED,
			"%s: %s: the file system can't be prepared there; set TMPDIR to a directory that takes large sparse files",
			f->in_memory ? "memory" : dir, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* The tool's own descriptors are 0 to FILE_FD. */
	high = fcntl(fd, F_DUPFD_CLOEXEC, FILE_FD + 1);
	close(fd);
	return high;
}

int mkfs_run(struct job *job, const struct mkfs *f, uint64_t size, uint64_t offset,
	     const char *label)
{
	char *argv[MAX_ARGUMENTS], start[24], file[24];
	size_t n = 1;
	int fd;

	for (size_t i = 0; f->arguments[i]; i++)
		argv[n++] = (char *)(uintptr_t)f->arguments[i];
	if (f->type == MBR_NTFS) {
		snprintf(start, sizeof(start), "%llu", (unsigned long long)(offset / 512));
		argv[n++] = "-p";
		argv[n++] = start;
	}
	if (label) {
		argv[n++] = "-L";
		argv[n++] = (char *)(uintptr_t)label;
	}
	snprintf(file, sizeof(file), "/dev/fd/%d", FILE_FD);
	argv[n++] = file;
	argv[n] = NULL;
	fd = sparse_file(job, f, size);
	if (fd >= 0 && run(job, f, argv, fd)) {
		close(fd);
		return -1;
	}
	return fd;
}
