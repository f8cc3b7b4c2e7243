// SPDX-License-Identifier: MIT
#include "agent/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/loop.h"
#include "lib/runtime.h"

/* --- any lock ------------------------------------------------------------------- */

static void on_alarm(int signo)
{
	(void)signo; /* flock(2) returns EINTR */
}

/* The alarm goes off again and again: one before flock(2) would be lost. */
static int flock_until(int fd, uint64_t end)
{
	const struct sigaction wake = { .sa_handler = on_alarm };
	const struct itimerval off = { 0 };
	uint64_t now = loop_now();
	struct itimerval timer = { .it_interval = { .tv_usec = 100000 } };
	struct sigaction before;
	int err = 0;

	if (!flock(fd, LOCK_EX | LOCK_NB))
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	if (now >= end)
		return -ETIMEDOUT;
	timer.it_value.tv_sec = (time_t)((end - now) / LOOP_SEC(1));
	timer.it_value.tv_usec = (suseconds_t)((end - now) % LOOP_SEC(1) / 1000) + 1;
	sigaction(SIGALRM, &wake, &before);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (flock(fd, LOCK_EX)) {
		err = errno == EINTR ? 0 : -errno;
		if (!err && loop_now() >= end)
			err = -ETIMEDOUT;
		if (err)
			break;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	sigaction(SIGALRM, &before, NULL);
	return err;
}

/* Whether @fd is (still) the file at @path. */
static bool is_at(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !lstat(path, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

int lock_take(const char *path, unsigned int seconds)
{
	uint64_t end = loop_now() + LOOP_SEC(seconds);
	int fd, err;

	for (;;) {
		fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		err = flock_until(fd, end);
		if (!err && is_at(fd, path))
			return fd;
		close(fd);
		if (err)
			return err;
	}
}

void lock_drop(int fd, const char *path)
{
	if (fd < 0)
		return;
	unlink(path);
	close(fd);
}

const char *lock_path_url(const struct az_url *url, char *buf)
{
	unsigned char digest[EVP_MAX_MD_SIZE] = { 0 };
	char *text = az_url_text(url);
	int n;

	/* Without memory they share one lock, which is no harm. */
	if (text)
		EVP_Digest(text, strlen(text), digest, NULL, EVP_sha256(), NULL);
	free(text);
	n = snprintf(buf, PATH_MAX, "%s/url-", runtime_dir());
	for (int i = 0; i < 16; i++)
		n += snprintf(buf + n, PATH_MAX - n, "%02x", digest[i]);
	snprintf(buf + n, PATH_MAX - n, ".lock");
	return buf;
}

/* --- the agent's ----------------------------------------------------------------- */

int agent_lock(unsigned int index, bool has_key, unsigned int seconds)
{
	char path[PATH_MAX];
	int fd;

	fd = lock_take(runtime_path(index, "agent", path, sizeof(path)), seconds);
	if (fd < 0)
		return fd;
	if ((ftruncate(fd, 0) || dprintf(fd, "%d\n%s\n", getpid(), has_key ? "key" : "sas") < 0) &&
	    errno != ENOSPC && errno != EDQUOT) {
		int err = -errno;

		lock_drop(fd, path);
		return err;
	}
	return fd;
}

void agent_unlock(int fd, unsigned int index)
{
	char path[PATH_MAX];

	lock_drop(fd, runtime_path(index, "agent", path, sizeof(path)));
}

void agent_query(unsigned int index, struct agent_info *info)
{
	char path[PATH_MAX], buf[64], *kind;
	int fd;
	ssize_t n;

	memset(info, 0, sizeof(*info));
	fd = open(runtime_path(index, "agent", path, sizeof(path)), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* Shared, so that two that look don't take each other for an agent. */
	info->alive = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	buf[n > 0 ? n : 0] = '\0';
	if (!info->alive)
		return;
	info->pid = (pid_t)strtol(buf, &kind, 10);
	info->has_key = !strcmp(kind, "\nkey\n");
}

void agent_wait_end(const struct agent_info *info, unsigned int seconds)
{
	struct pollfd p = { .events = POLLIN };

	if (!info->alive || info->pid <= 0)
		return;
	p.fd = pidfd_open(info->pid, 0);
	if (p.fd < 0)
		return;
	poll(&p, 1, (int)seconds * 1000);
	close(p.fd);
}
