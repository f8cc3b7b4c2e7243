// SPDX-License-Identifier: MIT
#include "cache/activate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <jansson.h>

#include "cache/device.h"
#include "cache/file.h"
#include "cache/header.h"
#include "cache/map.h"
#include "lib/driver.h"
#include "lib/loop.h"
#include "lib/runtime.h"
#include "lib/whole.h"

/* Whoever has the lock reads or writes an index, of 3 GiB at the most. */
#define LOCK_S 60
#define LOCK_AGAIN_US 20000

/* A shared lock is not got from an own exclusive one in one step. */
#define ACTIVATE_TRIES 5

static const char first_use[] = "nothing was in it yet";
static const char unclean[] = "cold after an unclean shutdown";

/* --- the lock ---------------------------------------------------------------------------- */

static const char *runtime_file(const char *name, char *buf)
{
	snprintf(buf, PATH_MAX, "%s/%s", runtime_dir(), name);
	return buf;
}

/* @how: LOCK_EX or LOCK_SH, in place of what there was. */
static int lock_for(int fd, int how, unsigned int seconds)
{
	uint64_t end = loop_now() + LOOP_SEC(seconds);

	while (flock(fd, how | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (loop_now() >= end)
			return -ETIMEDOUT;
		usleep(LOCK_AGAIN_US);
	}
	return 0;
}

static int take_lock(unsigned int seconds)
{
	char path[PATH_MAX];
	int fd = open(runtime_file("cache.lock", path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		      0600);
	int err;

	if (fd < 0)
		return -errno;
	err = lock_for(fd, LOCK_EX, seconds);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int cache_lock(void)
{
	return take_lock(LOCK_S);
}

/* --- what is known of the last opening ------------------------------------------------------ */

static void note_start(const char *cold)
{
	char path[PATH_MAX];
	json_t *o = json_pack("{s:s?}", "cold", cold);

	if (o)
		json_dump_file(o, runtime_file("cache.json", path), 0);
	json_decref(o);
}

bool cache_began_cold(char *why, size_t len)
{
	char path[PATH_MAX];
	json_t *o = json_load_file(runtime_file("cache.json", path), 0, NULL);
	const char *cold = json_string_value(json_object_get(o, "cold"));

	snprintf(why, len, "%s", cold ? cold : "");
	json_decref(o);
	return *why;
}

/* --- opening ------------------------------------------------------------------------------- */

/* The drives there are, and how many of them use the cache. */
static int count_drives(unsigned int *cached)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	struct driver *d;
	int n = driver_open(&d);

	*cached = 0;
	if (n)
		return n;
	n = driver_list(d, drives);
	driver_close(d);
	for (int i = 0; i < n; i++)
		*cached += drives[i].cached;
	return n;
}

/*
 * The index as it was left, or -1.  What is in it is true until a drive writes to the cache:
 * it is gone, and the header says so, before this returns.
 */
static int take_index(int fd, const struct cache_config *c, struct cache_header *h,
		      const char **cold)
{
	char path[PATH_MAX];
	int index = -1, err;

	*cold = h->state == CACHE_NEW ? first_use : unclean;
	if (h->state == CACHE_CLOSED) {
		index = open(cache_index_path(c, path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		*cold = index < 0 ? "its index could not be read" : NULL;
	}
	h->state = CACHE_OPEN;
	h->generation++;
	err = cache_header_write(fd, h);
	if (!unlink(cache_index_path(c, path)) && !err)
		err = whole_sync_parent(path);
	if (!err)
		return index;
	if (index >= 0)
		close(index);
	*cold = NULL;
	return err;
}

/* What was taken of a map that turns out to be damaged is forgotten, too. */
static int import(int dev, int fd, int index, const struct cache_config *c, uint64_t generation,
		  const char **cold)
{
	struct index_id id = { .generation = generation };
	uint32_t slots = cache_slots(c->size);
	int err;

	uuid_copy(id.uuid, c->uuid);
	err = map_import(dev, index, &id, slots, cold);
	if (!err) {
		*cold = NULL;
		return 0;
	}
	if (err != -EBADMSG)
		*cold = strerror(-err);
	err = cache_device_close(dev);
	return err ? err : cache_device_set(dev, fd, slots);
}

static int open_file(int dev, int fd, const struct cache_config *c, char *why, size_t len)
{
	struct cache_header h;
	const char *cold;
	unsigned int cached;
	uint64_t generation;
	int index, err = cache_header_read(fd, &h);

	if (err)
		return err;
	generation = h.generation;
	index = take_index(fd, c, &h, &cold);
	if (index < 0 && !cold)
		return index;
	err = cache_device_set(dev, fd, cache_slots(c->size));
	/* Drives that were there before have begun to use it, but for those that may have none. */
	if (!err && index >= 0 && count_drives(&cached) > 0 && cached) {
		cold = "drives were mounted before it could be opened";
	} else if (!err && index >= 0) {
		err = import(dev, fd, index, c, generation, &cold);
		if (cold)
			snprintf(why, len, "%s: begins cold, its index can't be used: %s", c->path,
				 cold);
	}
	if (index >= 0)
		close(index);
	if (!err)
		note_start(cold);
	return err;
}

int cache_open(int dev, const struct cache_config *c, char *why, size_t len)
{
	int fd = cache_file_open(c, false, why, len);
	int err;

	if (fd < 0)
		return fd;
	err = open_file(dev, fd, c, why, len);
	/* The driver has its own by now. */
	close(fd);
	if (err)
		snprintf(why, len, "%s: the driver does not take it: %s; see dmesg", c->path,
			 strerror(-err));
	return err;
}

/* --- closing ------------------------------------------------------------------------------- */

struct exported {
	int dev;
	const struct index_id *id;
};

static int write_index(int fd, void *arg)
{
	const struct exported *e = arg;

	return map_export(e->dev, fd, e->id);
}

/* The driver writes to it no more: what it has written is to be durable before the index
 * is believed. */
static int mark_closed(int fd, struct cache_header *h)
{
	if (fdatasync(fd))
		return -errno;
	h->state = CACHE_CLOSED;
	return cache_header_write(fd, h);
}

static int export(int dev, const struct cache_config *c, char *why, size_t len)
{
	struct index_id id = { 0 };
	struct exported e = { .dev = dev, .id = &id };
	struct cache_header h;
	char path[PATH_MAX];
	int err, fd;

	fd = cache_file_open(c, true, why, len);
	err = fd < 0 ? fd : cache_header_read(fd, &h);
	if (!err && h.state != CACHE_OPEN)
		err = -ESTALE;
	if (!err) {
		id.generation = h.generation;
		uuid_copy(id.uuid, c->uuid);
		err = cache_replace(cache_index_path(c, path), write_index, &e);
	}
	if (!err)
		err = mark_closed(fd, &h);
	if (fd >= 0)
		close(fd);
	if (err)
		snprintf(why, len, "%s: will begin cold, its index could not be written: %s",
			 c->path, strerror(-err));
	return err;
}

int cache_close(int dev, const struct cache_config *c, char *why, size_t len)
{
	struct cdrive_cache_info info;
	int err = cache_device_info(dev, &info);

	*why = '\0';
	if (err || info.state == CDRIVE_CACHE_NONE)
		return err;
	if (info.state == CDRIVE_CACHE_ON)
		export(dev, c, why, len);
	err = cache_device_close(dev);
	return err == -ENOENT ? 0 : err;
}

/* --- with drives ------------------------------------------------------------------------------ */

static bool is_open(int dev)
{
	struct cdrive_cache_info info;

	return !cache_device_info(dev, &info) && info.state != CDRIVE_CACHE_NONE;
}

/* The cache is open, and stays it for as long as the lock is held. */
static int open_and_hold(struct cache_use *u)
{
	int err;

	for (int tries = 0; tries < ACTIVATE_TRIES; tries++) {
		err = lock_for(u->lock, LOCK_EX, LOCK_S);
		if (!err && !is_open(u->dev))
			err = cache_open(u->dev, &u->config, u->warning, sizeof(u->warning));
		if (!err)
			err = lock_for(u->lock, LOCK_SH, LOCK_S);
		if (err || is_open(u->dev))
			return err;
	}
	return -EBUSY;
}

static void go_without(struct cache_use *u, const char *why)
{
	char text[CACHE_WARNING];

	snprintf(text, sizeof(text), "%s", why);
	snprintf(u->warning, sizeof(u->warning),
		 "the cache: %.400s; the drive goes on without it, see clouddrivectl init-cache",
		 text);
	cache_release(u);
}

void cache_activate(struct cache_use *u)
{
	char path[PATH_MAX];
	int err;

	*u = CACHE_USE_NONE;
	err = cache_config_load(&u->config);
	if (err == -ENOENT)
		return;
	u->configured = true;
	if (err) {
		snprintf(u->warning, sizeof(u->warning), "%s: %s",
			 cache_config_path(path, sizeof(path)),
			 err == -EBADMSG ? "makes no sense" : strerror(-err));
		go_without(u, u->warning);
		return;
	}
	u->dev = cache_device_open();
	if (u->dev < 0) {
		go_without(u, u->dev == -ENOENT ? "the module that is loaded has none" :
						  strerror(-u->dev));
		return;
	}
	u->lock = open(runtime_file("cache.lock", path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
		       0600);
	err = u->lock < 0 ? -errno : open_and_hold(u);
	if (err)
		go_without(u, u->warning[0] ? u->warning : strerror(-err));
}

void cache_release(struct cache_use *u)
{
	if (u->lock >= 0)
		close(u->lock);
	if (u->dev >= 0)
		close(u->dev);
	u->lock = -1;
	u->dev = -1;
}

void cache_deactivate(char *warning)
{
	struct cache_config c;
	unsigned int cached;
	int lock, dev;

	*warning = '\0';
	if (cache_config_load(&c))
		return;
	/* Somebody mounts a drive, or takes care of it already. */
	lock = take_lock(0);
	if (lock < 0)
		return;
	dev = cache_device_open();
	if (dev >= 0) {
		if (count_drives(&cached) >= 0 && !cached)
			cache_close(dev, &c, warning, CACHE_WARNING);
		close(dev);
	}
	close(lock);
}
