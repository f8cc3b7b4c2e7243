// SPDX-License-Identifier: MIT
#include "host/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/fs.h>

#include "host/drives.h"
#include "host/flush.h"

/* What the child says when all is frozen, or why it isn't. */
struct report {
	bool failed, soft;
	char why[320];
};

struct held {
	int fd;
	dev_t dev;
	bool frozen;
};

struct child {
	struct held *held;
	size_t count;
	struct flush_here devices;
	unsigned int index;
	bool read_only;
	struct report report;
};

/* --- in the child --------------------------------------------------------------------- */

static bool refuse(struct child *c, const char *what, const char *why, const char *advice)
{
	c->report.failed = true;
	snprintf(c->report.why, sizeof(c->report.why), "%.120s: %s; %s", what, why, advice);
	return false;
}

/* The same file system may be mounted at several places. */
static bool held_already(const struct child *c, dev_t dev)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->held[i].dev == dev)
			return true;
	return false;
}

static bool lost_because(struct child *c, const char *why)
{
	flush_lost(c->index, why);
	c->report.failed = true;
	snprintf(c->report.why, sizeof(c->report.why),
		 "%s, so not all that was written is in the blob; look what is missing", why);
	return false;
}

static bool lost(struct child *c, const char *what, int err)
{
	char why[160];

	snprintf(why, sizeof(why), "%.80s could not be written out: %s", what, strerror(err));
	return lost_because(c, why);
}

/* Freezing writes out, too, and does not tell what of it fails; so what failed before is
 * asked for first, and what failed then afterwards. */
static bool hold(struct child *c, const char *dir)
{
	struct held *h = &c->held[c->count];
	struct stat st;

	h->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (h->fd < 0 || fstat(h->fd, &st))
		return refuse(c, dir, strerror(errno), "see clouddrivectl status");
	if (mounts_drive_on(dir) != (int)c->index)
		return refuse(c, dir, "hidden by something else that is mounted there",
			      "unmount that first");
	if (held_already(c, st.st_dev)) {
		close(h->fd);
		return true;
	}
	if (syncfs(h->fd))
		return lost(c, dir, errno);
	c->count++;
	h->dev = st.st_dev;
	h->frozen = !ioctl(h->fd, FIFREEZE, 0);
	if (!h->frozen && errno == EBUSY)
		return refuse(c, dir, "frozen by another program",
			      "have that thaw it: fsfreeze -u");
	if (!h->frozen && errno != EOPNOTSUPP && errno != ENOTTY)
		return lost(c, dir, errno);
	c->report.soft |= !h->frozen;
	if (syncfs(h->fd))
		return lost(c, dir, errno);
	if (!c->read_only && mounts_failed(dir))
		return lost(c, dir, EROFS);
	return true;
}

static bool open_devices(struct child *c)
{
	char device[DEVICE_SIZE];
	int err = flush_here_open(&c->devices, c->index);

	return !err ||
	       refuse(c, device_name(c->index, device), strerror(err), "see clouddrivectl status");
}

/* What programs wrote to the disk and its partitions themselves. */
static bool write_out(struct child *c)
{
	char device[DEVICE_SIZE];
	int err = flush_here(&c->devices);

	return !err || !flush_is_of_drive(c->index, err) ||
	       lost(c, device_name(c->index, device), err);
}

/* The kernel's record of an error is gone once somebody has asked for it; the driver's isn't. */
static bool look_at_failed(struct child *c)
{
	uint64_t failed = flush_untold_writes(c->index);
	char why[160];

	if (!failed)
		return true;
	snprintf(why, sizeof(why), "failed writes: %llu", (unsigned long long)failed);
	return lost_because(c, why);
}

/* False: somebody else had. */
static bool thaw_all(const struct child *c)
{
	bool good = true;

	for (size_t i = 0; i < c->count; i++)
		if (c->held[i].frozen && ioctl(c->held[i].fd, FITHAW, 0))
			good = false;
	return good;
}

__attribute__((noreturn)) static void be_holder(struct child *c, const struct mounts *at, int tell,
						int until)
{
	struct pollfd p = { .fd = until, .events = POLLIN };
	bool in_time = true, good;

	/* Who kills the whole group, or all of that name, does not mean this one. */
	setsid();
	prctl(PR_SET_NAME, "cdrive-freezer");
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	c->report.soft = !at->count;
	good = open_devices(c);
	for (size_t i = 0; i < at->count && good; i++)
		good = hold(c, at->dirs[i]);
	good = good && write_out(c) && look_at_failed(c);
	if (write(tell, &c->report, sizeof(c->report)) == sizeof(c->report) && good)
		in_time = poll(&p, 1, FREEZE_HOLD_S * 1000) == 1;
	_exit(thaw_all(c) && in_time ? 0 : 1);
}

/* --- on this side --------------------------------------------------------------------- */

static int begin(struct freeze *f, struct child *c, int *told)
{
	int tell[2], until[2];

	c->held = calloc(f->at.count + 1, sizeof(*c->held));
	if (!c->held || pipe2(tell, O_CLOEXEC))
		return -ENOMEM;
	if (pipe2(until, O_CLOEXEC)) {
		close(tell[0]);
		close(tell[1]);
		return -EMFILE;
	}
	fflush(NULL);
	f->pid = fork();
	if (!f->pid) {
		close(tell[0]);
		close(until[1]);
		be_holder(c, &f->at, tell[1], until[0]);
	}
	close(tell[1]);
	close(until[0]);
	*told = tell[0];
	f->hold = until[1];
	return f->pid < 0 ? -EAGAIN : 0;
}

/* What waits for a service that can't be reached can't be frozen until that is back;
 * the child thaws it then. */
static bool listen_to(int told, struct report *report)
{
	struct pollfd p = { .fd = told, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, FREEZE_WAIT_S * 1000);
	while (n < 0 && errno == EINTR);
	if (!n) {
		report->failed = true;
		snprintf(
			report->why, sizeof(report->why),
			"what was written to it can't be written out in %d s; see clouddrivectl status",
			FREEZE_WAIT_S);
		return false;
	}
	if (read(told, report, sizeof(*report)) != sizeof(*report)) {
		report->failed = true;
		snprintf(report->why, sizeof(report->why),
			 "the process that freezes it was killed; try again");
	}
	return true;
}

int freeze(struct freeze *f, unsigned int index, bool read_only, char *why, size_t len)
{
	struct child c = { .index = index, .read_only = read_only };
	struct report report = { 0 };
	int told = -1, err;
	bool answered;

	*f = (struct freeze){ .pid = -1, .hold = -1 };
	err = mounts_on(index, &f->at);
	if (!err)
		err = begin(f, &c, &told);
	free(c.held);
	if (err) {
		mounts_free(&f->at);
		snprintf(why, len, "%s; free memory and try again", strerror(-err));
		return -1;
	}
	answered = listen_to(told, &report);
	close(told);
	f->frozen = !report.soft;
	if (!report.failed)
		return 0;
	snprintf(why, len, "%s", report.why);
	if (answered) {
		thaw(f);
	} else {
		close(f->hold);
		mounts_free(&f->at);
	}
	return -1;
}

/* What a child that was killed has left frozen. */
static void thaw_instead(const struct mounts *at)
{
	for (size_t i = 0; i < at->count; i++) {
		int fd = open(at->dirs[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			continue;
		ioctl(fd, FITHAW, 0);
		close(fd);
	}
}

bool thaw(struct freeze *f)
{
	int status = -1;

	close(f->hold);
	while (waitpid(f->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		thaw_instead(&f->at);
	mounts_free(&f->at);
	return WIFEXITED(status) && !WEXITSTATUS(status);
}
