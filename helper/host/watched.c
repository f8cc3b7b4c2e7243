// SPDX-License-Identifier: MIT
#include "host/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/drives.h"
#include "lib/loop.h"

#define PARKED_MS 10000 /* without progress, drive not live */
#define STUCK_MS 120000 /* without progress, drive live */
#define FORCED_MS 5000 /* then the device goes, and what waits for it ends */

/* What tells progress from standing still: the numbers of requests completed.
 * The other fields are times, which pass anyhow. */
static void completed(unsigned int index, char *buf, size_t len)
{
	char path[64], reads[24] = "", writes[24] = "", discards[24] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/cdrive%u/stat", index);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%23s %*s %*s %*s %23s %*s %*s %*s %*s %*s %*s %23s", reads, writes,
			   discards) < 2)
			reads[0] = '\0';
		fclose(f);
	}
	snprintf(buf, len, "%s %s %s", reads, writes, discards);
}

static int timeout_ms(unsigned int index, bool force)
{
	struct driver_drive d;

	if (force)
		return FORCED_MS;
	if (driver_query(index, &d) || d.state != CDRIVE_STATE_LIVE)
		return PARKED_MS;
	return STUCK_MS;
}

/* Who reads what this process says is not to wait for the child as well. */
static void close_standard_files(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			close(fd);
}

pid_t watched_start(watched_fn run, void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid > 0)
		return pid;
	close_standard_files();
	_exit(run(arg));
}

int watched_wait(pid_t pid, unsigned int index, bool force)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	char before[80], now[80];
	uint64_t since = loop_now();
	int status = 0, n;

	if (p.fd < 0)
		return -errno;
	completed(index, before, sizeof(before));
	while ((n = poll(&p, 1, 200)) <= 0) {
		completed(index, now, sizeof(now));
		if (strcmp(before, now) != 0)
			since = loop_now();
		memcpy(before, now, sizeof(before));
		if (loop_now() - since > LOOP_MS(timeout_ms(index, force)))
			break;
	}
	close(p.fd);
	if (n <= 0)
		return -ETIMEDOUT;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

int watched_run(watched_fn run, void *arg, unsigned int index, bool force)
{
	pid_t pid = watched_start(run, arg);

	return pid < 0 ? (int)pid : watched_wait(pid, index, force);
}
