// SPDX-License-Identifier: MIT
/*
 * The module is loaded and unloaded, as quickly as it can be, while drives are attached
 * and taken away, helpers die, a disk's last user goes, and files of the module are open.
 * Whoever comes too late is refused; nobody hangs, and nothing is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/driver.h"
#include "module.h"
#include "report.h"
#include "scenario.h"
#include "wire.h"

#define THREADS 4

static atomic_bool stop, resting;
static atomic_ulong attached, opened, unloads;
static atomic_uint_fast64_t unload_since; /* 0: none is under way */

/* What a command may end with when the module goes: no family of that number any more. */
static bool may_end(int err)
{
	return !err || err == -ENOENT || err == -ENODEV;
}

/* Of a drive that may have been taken by others, too. */
static void take_away(unsigned int index)
{
	struct driver *d;
	int err;

	if (driver_open(&d))
		return;
	err = driver_detach(d, index, true);
	if (!may_end(err))
		complain("cdrive%u: DETACH: %s", index, strerror(-err));
	driver_close(d);
}

/* Nothing new begins when for two seconds the module was always in use: the last that has
 * is raced with. */
static void rest(void)
{
	while (atomic_load(&resting) && !atomic_load(&stop))
		sleep_ms(1);
}

static void one_drive(struct chance *c)
{
	struct wire_drive drive = { .sectors = 2048, .park_limit = 1 };
	struct wire w = { 0 };
	int err = wire_open(&w);

	if (err && err != -ENOENT)
		complain("no socket: %s", strerror(-err));
	if (err)
		return;
	if (one_in(c, 4))
		wire_open_payload(&w);
	err = wire_attach(&w, &drive);
	if (err) {
		if (!may_end(err) && err != -ENOSPC)
			complain("ATTACH: %s", strerror(-err));
		wire_close(&w);
		return;
	}
	atomic_fetch_add(&attached, 1);
	switch (chance(c, 4)) {
	case 0:
		sleep_ms(chance(c, 20));
		wire_close(&w);
		take_away(w.index);
		break;
	default:
		err = wire_detach(&w, true);
		if (err)
			complain("cdrive%u: DETACH: %s", w.index, strerror(-err));
		wire_close(&w);
		break;
	}
}

static void *make_drives(void *arg)
{
	struct chance *c = arg;

	while (!atomic_load(&stop)) {
		rest();
		one_drive(c);
		/* So that there is sometimes none. */
		sleep_ms(chance(c, 100));
	}
	return NULL;
}

/* Opening waits until the partitions were read, or could not be, as nobody serves the
 * drive: until it is taken away.  So this is often the last user of a disk that is dead. */
static void *use_disks(void *arg)
{
	struct chance *c = arg;
	char path[32];

	while (!atomic_load(&stop)) {
		int fd;

		rest();
		snprintf(path, sizeof(path), "/dev/cdrive%u", chance(c, THREADS));
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		atomic_fetch_add(&opened, 1);
		sleep_ms(chance(c, 30));
		close(fd);
	}
	return NULL;
}

static void *keep_unloading(void *arg)
{
	uint64_t last = now_ns();

	(void)arg;
	while (!atomic_load(&stop)) {
		int err;

		atomic_store(&resting, now_ns() > last + SECONDS(2));
		atomic_store(&unload_since, now_ns());
		err = module_unload();
		atomic_store(&unload_since, 0);
		if (!err) {
			atomic_fetch_add(&unloads, 1);
			err = module_load_again();
			if (err)
				complain("loading the module: %s", strerror(-err));
			last = now_ns(); /* loading may take long itself */
		} else if (err != -EWOULDBLOCK) {
			complain("unloading the module: %s", strerror(-err));
		}
	}
	return NULL;
}

static void check_stuck(void)
{
	uint64_t since = atomic_load(&unload_since);

	if (since && now_ns() > since + SECONDS(STUCK_SECONDS))
		give_up_stuck("unloading the module hangs, after %lu drives and %lu times",
			      attached, unloads);
}

static void join(pthread_t thread)
{
	uint64_t end = now_ns() + SECONDS(2 * STUCK_SECONDS);

	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		check_stuck();
		if (now_ns() > end)
			give_up_stuck("a thread hangs");
		sleep_ms(10);
	}
}

void run_unload(uint64_t seed, unsigned int seconds)
{
	uint64_t end = now_ns() + SECONDS(seconds);
	struct chance chances[2 * THREADS];
	pthread_t threads[2 * THREADS], unloader;

	for (unsigned int i = 0; i < 2 * THREADS; i++) {
		chance_seed(&chances[i], seed * 2 * THREADS + i);
		if (pthread_create(&threads[i], NULL, i < THREADS ? make_drives : use_disks,
				   &chances[i]))
			give_up("no thread");
	}
	if (pthread_create(&unloader, NULL, keep_unloading, NULL))
		give_up("no thread");
	while (now_ns() < end && !complaints()) {
		check_stuck();
		sleep_ms(100);
	}
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < 2 * THREADS; i++)
		join(threads[i]);
	join(unloader);
	note("%lu drives, opened %lu times, unloaded the module %lu times", attached, opened,
	     unloads);
}
