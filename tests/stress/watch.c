// SPDX-License-Identifier: MIT
#include "watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/fs.h>

#include "lib/driver.h"
#include "module.h"
#include "report.h"

#define DEPTH 5
#define WATCHERS 5

static atomic_bool stop;
static atomic_ulong looks, unloads;
static pthread_t threads[WATCHERS];
static struct chance chances[WATCHERS];

/* --- files -------------------------------------------------------------------------- */

static void read_file(int dir, const char *name)
{
	char buf[8192];
	int fd = openat(dir, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return;
	while (read(fd, buf, sizeof(buf)) > 0)
		;
	close(fd);
	atomic_fetch_add(&looks, 1);
}

/* Some of what is below @name; files go while they are read. */
static void read_tree(int at, const char *name, unsigned int depth, struct chance *c)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(dir)) && !atomic_load(&stop)) {
		if (e->d_name[0] == '.' || one_in(c, 3))
			continue;
		if (e->d_type == DT_DIR && depth)
			read_tree(dirfd(dir), e->d_name, depth - 1, c);
		else if (e->d_type == DT_REG)
			read_file(dirfd(dir), e->d_name);
	}
	closedir(dir);
}

static void *look_at_files(void *arg)
{
	static const char *const lists[] = { "/proc/diskstats", "/proc/partitions", "/proc/modules",
					     "/proc/interrupts" };
	struct chance *c = arg;
	char path[64];

	while (!atomic_load(&stop)) {
		uint32_t index = chance(c, 8);

		snprintf(path, sizeof(path), "/sys/block/cdrive%u/", index);
		read_tree(AT_FDCWD, path, DEPTH, c);
		snprintf(path, sizeof(path), "/sys/kernel/debug/block/cdrive%u", index);
		read_tree(AT_FDCWD, path, DEPTH, c);
		read_file(AT_FDCWD, lists[chance(c, sizeof(lists) / sizeof(lists[0]))]);
		sleep_ms(chance(c, 100));
	}
	return NULL;
}

/* --- the device, and the driver --------------------------------------------------------- */

/* As udev does, when something has changed. */
static void *look_at_devices(void *arg)
{
	struct chance *c = arg;
	char path[32], buf[4096];
	uint64_t size;

	while (!atomic_load(&stop)) {
		int fd;

		snprintf(path, sizeof(path), "/dev/cdrive%u", chance(c, 8));
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0) {
			ioctl(fd, BLKGETSIZE64, &size);
			if (one_in(c, 4))
				(void)!read(fd, buf, sizeof(buf));
			if (one_in(c, 16))
				ioctl(fd, BLKRRPART, 0);
			close(fd);
			atomic_fetch_add(&looks, 1);
		}
		sleep_ms(chance(c, 30));
	}
	return NULL;
}

static void check_drive(const struct driver_drive *d)
{
	bool parked = d->state == CDRIVE_STATE_PARKED || d->state == CDRIVE_STATE_FAILING;

	if (d->state > CDRIVE_STATE_GONE || parked != !!d->park_reasons || d->in_flight > 128 ||
	    (d->state == CDRIVE_STATE_LIVE && !d->helper_pid) ||
	    (d->state >= CDRIVE_STATE_FAILING && d->in_flight))
		complain("cdrive%u: state %u for %#x with helper %d and %u in flight", d->index,
			 d->state, d->park_reasons, d->helper_pid, d->in_flight);
}

static void *ask_driver(void *arg)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	struct chance *c = arg;

	while (!atomic_load(&stop)) {
		struct driver *d;

		if (driver_open(&d)) { /* not loaded, for a moment */
			sleep_ms(1);
			continue;
		}
		for (unsigned int i = chance(c, 20); i; i--) {
			int n = driver_list(d, drives);

			for (int k = 0; k < n; k++)
				check_drive(&drives[k]);
			atomic_fetch_add(&looks, 1);
			sleep_ms(chance(c, 10));
		}
		driver_close(d);
	}
	return NULL;
}

/* --- the module --------------------------------------------------------------------------- */

static void *unload_module(void *arg)
{
	struct chance *c = arg;

	while (!atomic_load(&stop)) {
		int err = module_unload();

		if (!err) {
			atomic_fetch_add(&unloads, 1);
			err = module_load_again();
			if (err)
				complain("loading the module: %s", strerror(-err));
			/* Drives must get a chance, too. */
			sleep_ms(500 + chance(c, 2000));
		} else if (err != -EWOULDBLOCK) {
			complain("unloading the module: %s", strerror(-err));
		}
		sleep_ms(chance(c, 30));
	}
	return NULL;
}

/* The module's events, which may be on when it goes. */
static void *switch_events(void *arg)
{
	struct chance *c = arg;

	while (!atomic_load(&stop)) {
		int fd = open("/sys/kernel/tracing/events/cdrive/enable", O_WRONLY | O_CLOEXEC);

		if (fd >= 0) {
			(void)!write(fd, one_in(c, 2) ? "1" : "0", 1);
			close(fd);
		}
		sleep_ms(chance(c, 200));
	}
	return NULL;
}

void watch_start(uint64_t seed)
{
	static void *(*const watchers[WATCHERS])(void *arg) = {
		look_at_files, look_at_devices, ask_driver, unload_module, switch_events,
	};

	atomic_store(&stop, false);
	for (unsigned int i = 0; i < WATCHERS; i++) {
		chance_seed(&chances[i], seed * WATCHERS + i + 1000);
		if (pthread_create(&threads[i], NULL, watchers[i], &chances[i]))
			give_up("no thread");
	}
}

void watch_stop(void)
{
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < WATCHERS; i++)
		pthread_join(threads[i], NULL);
	note("looked %lu times, unloaded the module %lu times", looks, unloads);
}
