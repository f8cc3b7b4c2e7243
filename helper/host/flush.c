// SPDX-License-Identifier: MIT
#include "host/flush.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/drives.h"
#include "host/watched.h"
#include "lib/runtime.h"

#define OPEN_MS 3000

/* --- in the child ----------------------------------------------------------------------- */

static int sync_at(void *arg)
{
	int fd = open(arg, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int err = 0;

	/* Not there: nothing is mounted there any more. */
	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	if (syncfs(fd))
		err = errno;
	close(fd);
	return err;
}

static int find_devices(unsigned int index, glob_t *names)
{
	char disk[DEVICE_SIZE], partitions[DEVICE_SIZE + 8];

	device_name(index, disk);
	snprintf(partitions, sizeof(partitions), "%sp[0-9]*", disk);
	if (glob(disk, GLOB_NOCHECK, NULL, names))
		return ENOMEM;
	switch (glob(partitions, GLOB_APPEND, NULL, names)) {
	case 0:
	case GLOB_NOMATCH:
		return 0;
	default:
		return EIO;
	}
}

int flush_here_open(struct flush_here *f, unsigned int index)
{
	glob_t names = { 0 };
	int err = find_devices(index, &names);

	*f = (struct flush_here){ .fds = calloc(names.gl_pathc + 1, sizeof(*f->fds)) };
	if (!f->fds)
		err = ENOMEM;
	for (size_t i = 0; !err && i < names.gl_pathc; i++) {
		int fd = open(names.gl_pathv[i], O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			f->fds[f->count++] = fd;
		else if (errno != ENOENT && errno != ENXIO)
			err = errno;
	}
	globfree(&names);
	return err;
}

void flush_here_close(struct flush_here *f)
{
	while (f->count)
		close(f->fds[--f->count]);
	free(f->fds);
	f->fds = NULL;
}

int flush_here(const struct flush_here *f)
{
	int err = 0;

	for (size_t i = 0; i < f->count; i++)
		if (fsync(f->fds[i]) && !err)
			err = errno;
	return err;
}

struct devices {
	unsigned int index;
	int opened[2], go[2]; /* pipes */
};

static int sync_devices(void *arg)
{
	struct devices *d = arg;
	struct flush_here f;
	char c = 0;
	int err;

	/* Nobody may listen by now, but wait for the end all the same. */
	signal(SIGPIPE, SIG_IGN);
	close(d->go[1]);
	err = flush_here_open(&f, d->index);
	if (write(d->opened[1], &c, 1) != 1 && errno != EPIPE)
		err = errno;
	else if (read(d->go[0], &c, 1) != 1)
		err = ECANCELED;
	else if (!err)
		err = flush_here(&f);
	flush_here_close(&f);
	return err;
}

/* --- on this side ------------------------------------------------------------------------- */

int flush_file_system(const char *dir, unsigned int index, bool force)
{
	return watched_run(sync_at, (void *)dir, index, force);
}

uint64_t flush_failed_writes(unsigned int index)
{
	struct driver_drive d;

	return driver_query(index, &d) ? 0 : d.failed_writes;
}

uint64_t flush_untold_writes(unsigned int index)
{
	uint64_t failed = flush_failed_writes(index), told;
	json_t *record = runtime_load(index);

	told = (uint64_t)json_integer_value(json_object_get(record, "told_writes"));
	json_decref(record);
	return failed > told ? failed - told : 0;
}

bool flush_is_of_drive(unsigned int index, int err)
{
	struct driver_drive d;

	return err != EIO || driver_query(index, &d) || d.failed_writes;
}

void flush_lost(unsigned int index, const char *why)
{
	json_t *changes = json_pack("{s:s, s:I}", "lost", why, "told_writes",
				    (json_int_t)flush_failed_writes(index));

	runtime_update(index, changes);
	json_decref(changes);
}

/* Who has been made to look for partitions while the drive is parked can't open it. */
static void wait_until_open(int opened)
{
	struct pollfd p = { .fd = opened, .events = POLLIN };

	while (poll(&p, 1, OPEN_MS) < 0 && errno == EINTR)
		;
}

void flush_devices_begin(struct flush *f, unsigned int index)
{
	struct devices d = { .index = index };

	*f = (struct flush){ .index = index, .go = -1 };
	if (pipe2(d.opened, O_CLOEXEC)) {
		f->pid = -errno;
		return;
	}
	if (pipe2(d.go, O_CLOEXEC)) {
		f->pid = -errno;
	} else {
		f->go = d.go[1];
		f->pid = watched_start(sync_devices, &d);
		close(d.go[0]);
	}
	close(d.opened[1]);
	if (f->pid > 0)
		wait_until_open(d.opened[0]);
	close(d.opened[0]);
}

int flush_devices_end(struct flush *f, bool force)
{
	int err = (int)f->pid;

	if (f->pid > 0) {
		err = write(f->go, "", 1) == 1 ? 0 : -errno;
		err = err ? err : watched_wait(f->pid, f->index, force);
	}
	f->pid = 0;
	if (f->go >= 0)
		close(f->go);
	f->go = -1;
	return err;
}

void flush_devices_cancel(struct flush *f)
{
	if (f->go >= 0)
		close(f->go);
	/* It may be stuck in opening, and is then left to itself. */
	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		for (int i = 0; i < 100 && !waitpid(f->pid, NULL, WNOHANG); i++)
			usleep(10000);
	}
	*f = (struct flush){ .index = f->index, .go = -1 };
}
