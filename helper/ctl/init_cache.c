// SPDX-License-Identifier: MIT
/*
 * Where the machine's cache is, and how large.  It is there for the driver from the first
 * mount to the last unmount (cache/activate.h): what is changed in between is changed in the
 * driver, too, at once.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cache/activate.h"
#include "cache/device.h"
#include "cache/file.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "host/cached.h"
#include "host/drives.h"
#include "lib/runtime.h"
#include "lib/text.h"

struct request {
	const char *where;
	uint64_t size; /* 0: not said */
	bool off, json;

	struct cache_config old; /* if there is one */
	bool configured;
	int dev; /* /dev/cdrive-cache; -1: not there, so that no drive is */
	struct cdrive_cache_info info;
};

static bool is_open(const struct request *r)
{
	return r->dev >= 0 && r->info.state != CDRIVE_CACHE_NONE;
}

/* --- what there is -------------------------------------------------------------------------- */

static const char *state_of(const struct request *r)
{
	if (!is_open(r))
		return "closed";
	return r->info.state == CDRIVE_CACHE_ON ? "on" : "failed";
}

static json_t *part_of(const struct drive *drive)
{
	const struct driver_drive *d = &drive->driver;
	char device[DEVICE_SIZE];

	return json_pack("{s:s, s:s?, s:b, s:I, s:I}", "device", device_name(d->index, device),
			 "url", drive->url, "reserved",
			 !!(d->cache.flags & CDRIVE_CACHE_F_RESERVED), "size",
			 (json_int_t)d->cache.size, "used", (json_int_t)d->cache.used);
}

static json_t *parts(void)
{
	json_t *list = json_array();
	struct drives drives;

	if (drives_load(&drives))
		return list;
	for (size_t i = 0; i < drives.count; i++)
		if (drives.drive[i].driver.cached)
			json_array_append_new(list, part_of(&drives.drive[i]));
	drives_free(&drives);
	return list;
}

static json_int_t bytes_of(uint32_t slots)
{
	return (json_int_t)slots * CDRIVE_CACHE_SLOT;
}

static json_t *describe(const struct request *r)
{
	char cold[256];
	json_t *o;

	cache_began_cold(cold, sizeof(cold));
	o = json_pack("{s:s, s:b, s:I, s:s, s:I, s:I, s:I, s:I, s:s?, s:o}", "path", r->old.path,
		      "device", r->old.device, "size", (json_int_t)r->old.size, "state",
		      state_of(r), "used", bytes_of(r->info.used), "reserved",
		      bytes_of(r->info.reserved), "memory", (json_int_t)r->info.index_bytes,
		      "errors", (json_int_t)r->info.errors, "cold",
		      is_open(r) && *cold ? cold : NULL, "drives", parts());
	return o;
}

static const char *size_in(const json_t *o, const char *key, char *buf, size_t len)
{
	return size_text((uint64_t)json_integer_value(json_object_get(o, key)), buf, len);
}

static void print_parts(const json_t *o)
{
	char size[16], used[16];
	json_t *part;
	size_t n;

	json_array_foreach(json_object_get(o, "drives"), n, part) {
		bool reserved = json_is_true(json_object_get(part, "reserved"));

		printf("%s:  %s used of %s, %s\n",
		       json_string_value(json_object_get(part, "device")),
		       size_in(part, "used", used, sizeof(used)),
		       size_in(part, "size", size, sizeof(size)),
		       reserved ? "which are reserved for it" : "its part of what nobody reserved");
	}
}

static void print_text(const struct request *r, const json_t *o)
{
	const char *cold = json_string_value(json_object_get(o, "cold"));
	char size[16], used[16], reserved[16], memory[16];

	printf("cache:        %s\n", r->old.path);
	printf("size:         %s\n", size_in(o, "size", size, sizeof(size)));
	if (!is_open(r)) {
		puts("state:        closed, as no drive is mounted");
		return;
	}
	if (r->info.state == CDRIVE_CACHE_ON)
		printf("state:        on%s%s\n", cold ? "; began cold: " : "", cold ? cold : "");
	else
		printf("state:        off after %llu errors of the file: see dmesg, and set it up anew\n",
		       (unsigned long long)r->info.errors);
	printf("used:         %s\n", size_in(o, "used", used, sizeof(used)));
	printf("reserved:     %s\n", size_in(o, "reserved", reserved, sizeof(reserved)));
	printf("memory:       %s of the kernel's for its map\n",
	       size_in(o, "memory", memory, sizeof(memory)));
	print_parts(o);
}

static int show(const struct request *r)
{
	json_t *o;
	int status = EXIT_OK;

	if (!r->configured && r->json)
		return puts("null") < 0 ? EXIT_FAILED : EXIT_OK;
	if (!r->configured)
		return fail(
			EXIT_MISSING,
			"this machine has no cache; make one: clouddrivectl init-cache DIR --size SIZE");
	o = describe(r);
	if (r->json)
		return print_json(o);
	print_text(r, o);
	json_decref(o);
	return status;
}

/* --- changing it ----------------------------------------------------------------------------- */

static int save(const struct cache_config *c)
{
	char path[PATH_MAX];
	int err = cache_config_save(c);

	if (err)
		return fail(EXIT_FAILED, "%s: %s; nothing is remembered of the cache",
			    cache_config_path(path, sizeof(path)), strerror(-err));
	return EXIT_OK;
}

static void close_old(struct request *r)
{
	if (is_open(r))
		cache_device_close(r->dev);
	r->info = (struct cdrive_cache_info){ 0 };
}

/* What it costs is said before anything is done. */
static void say_memory(const struct cache_config *c)
{
	char size[16], memory[16];

	note("%s: %s, for which the kernel takes up to %s of memory when it is full", c->path,
	     size_text(c->size, size, sizeof(size)),
	     size_text(cache_map_memory(c->size), memory, sizeof(memory)));
	if (c->device)
		note("%s: what it holds is overwritten as the cache is used", c->path);
}

static void look_at_room(const struct cache_config *c)
{
	uint64_t room = cache_file_room(c);
	char text[16], size[16];

	if (room && room < c->size)
		note("%s: there is room for %s of %s; the cache stays smaller until there is more",
		     c->path, size_text(room, text, sizeof(text)),
		     size_text(c->size, size, sizeof(size)));
}

static bool has_drives(void)
{
	struct drives drives;
	bool any = !drives_load(&drives) && drives.count;

	drives_free(&drives);
	return any;
}

/* Drives that are mounted have it at once. */
static int open_now(const struct request *r, const struct cache_config *c)
{
	char why[CACHE_WARNING] = "";

	if (r->dev < 0 || !has_drives())
		return EXIT_OK;
	if (cache_open(r->dev, c, why, sizeof(why)))
		return fail(EXIT_FAILED, "%s", why);
	if (*why)
		note("%s", why);
	return EXIT_OK;
}

static int too_small(const struct request *r)
{
	char size[16], reserved[16];
	struct text who = { 0 };
	int status;

	cached_reserved(&who);
	status = fail(
		EXIT_FAILED,
		"--size %s: drives have reserved %s (%s); say more, or have them reserve less: clouddrivectl mount URL --cache SIZE",
		size_text(r->size, size, sizeof(size)),
		size_text(r->info.reserved * (uint64_t)CDRIVE_CACHE_SLOT, reserved,
			  sizeof(reserved)),
		who.len ? who.s : "");
	text_free(&who);
	return status;
}

static int resize_driver(const struct request *r, const struct cache_config *c)
{
	int err = is_open(r) ? cache_device_resize(r->dev, cache_slots(c->size)) : 0;

	if (err == -ENOSPC)
		return too_small(r);
	if (err)
		return fail(EXIT_FAILED, "%s: the driver does not take that size: %s; see dmesg",
			    c->path, strerror(-err));
	return EXIT_OK;
}

static int resize_file(int fd, const struct cache_config *c)
{
	char why[CACHE_WARNING];

	return cache_file_resize(fd, c, why, sizeof(why)) ? fail(EXIT_FAILED, "%s", why) : EXIT_OK;
}

/* A larger one must be so for the file first, a smaller one for the driver. */
static int resize(struct request *r)
{
	bool grows = r->size > r->old.size;
	struct cache_config c = r->old;
	char why[CACHE_WARNING];
	int fd, status;

	c.size = r->size;
	say_memory(&c);
	fd = cache_file_open(&c, is_open(r), why, sizeof(why));
	if (fd < 0)
		return fail(EXIT_FAILED, "%s", why);
	status = grows ? resize_file(fd, &c) : resize_driver(r, &c);
	if (!status)
		status = grows ? resize_driver(r, &c) : resize_file(fd, &c);
	close(fd);
	if (!status)
		status = save(&c);
	if (!status)
		look_at_room(&c);
	return status;
}

/* The old one stays until the new one is there. */
static int make(struct request *r, struct cache_config *c)
{
	char why[CACHE_WARNING];
	int fd, status;

	say_memory(c);
	fd = cache_file_make(c, why, sizeof(why));
	if (fd < 0)
		return fail(fd == -EBUSY ? EXIT_BUSY : EXIT_FAILED, "%s", why);
	close(fd);
	status = save(c);
	if (status) {
		cache_file_remove(c);
		return status;
	}
	close_old(r);
	if (r->configured && strcmp(r->old.path, c->path) != 0)
		cache_file_remove(&r->old);
	look_at_room(c);
	return open_now(r, c);
}

static bool is_same_place(const struct request *r, const struct cache_config *c)
{
	char why[CACHE_WARNING];
	int fd;

	if (!r->configured || strcmp(r->old.path, c->path) != 0)
		return false;
	if (is_open(r))
		return true;
	/* What is there may be lost, or another's. */
	fd = cache_file_open(&r->old, false, why, sizeof(why));
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int set_up(struct request *r)
{
	struct cache_config c = { .size = r->size };
	char why[CACHE_WARNING];

	if (cache_file_locate(r->where, &c, why, sizeof(why)))
		return fail(EXIT_FAILED, "%s", why);
	if (is_same_place(r, &c) && r->info.state != CDRIVE_CACHE_FAILED)
		return resize(r);
	/* One that lies there still and has failed is made anew. */
	if (r->configured && !strcmp(r->old.path, c.path))
		close_old(r);
	return make(r, &c);
}

static int turn_off(struct request *r)
{
	char path[PATH_MAX];
	int err;

	if (!r->configured)
		return fail(EXIT_MISSING,
			    "this machine has no cache; there is nothing to turn off");
	err = cache_config_remove();
	if (err)
		return fail(EXIT_FAILED, "%s: %s", cache_config_path(path, sizeof(path)),
			    strerror(-err));
	close_old(r);
	cache_file_remove(&r->old);
	return EXIT_OK;
}

/* --- the command line -------------------------------------------------------------------------- */

static int check(const struct request *r)
{
	if (r->off && (r->where || r->size))
		return fail(
			EXIT_USAGE,
			"--off: alone, there is nothing to set up; see clouddrivectl init-cache --help");
	if (r->where && !r->size)
		return fail(EXIT_USAGE, "--size: missing; see clouddrivectl init-cache --help");
	if (!r->where && r->size)
		return fail(EXIT_USAGE, "DIR|DEVICE: missing; see clouddrivectl init-cache --help");
	if (r->size && (r->size < CACHE_SIZE_LEAST || r->size > CACHE_SIZE_MOST))
		return fail(EXIT_USAGE,
			    "--size: a cache has 16M to 2T; see clouddrivectl init-cache --help");
	return EXIT_OK;
}

static int load(struct request *r)
{
	char path[PATH_MAX];
	int err = cache_config_load(&r->old);

	r->configured = !err;
	/* One that makes no sense is replaced, or removed. */
	if (err == -EBADMSG && !r->where && !r->off)
		return fail(
			EXIT_FAILED,
			"%s: makes no sense; set the cache up anew, or turn it off: clouddrivectl init-cache --off",
			cache_config_path(path, sizeof(path)));
	if (err && err != -ENOENT && err != -EBADMSG)
		return fail(EXIT_FAILED, "%s: %s", cache_config_path(path, sizeof(path)),
			    strerror(-err));
	if (err == -EBADMSG && r->off)
		r->configured = true;
	r->dev = cache_device_open();
	if (r->dev >= 0)
		cache_device_info(r->dev, &r->info);
	return EXIT_OK;
}

static int act(struct request *r)
{
	bool changes = r->where || r->off;
	int lock = -1, err, status;

	err = runtime_init();
	if (err)
		return fail(EXIT_FAILED, "%s: %s; it must be a directory of root's alone",
			    runtime_dir(), strerror(-err));
	if (changes)
		lock = cache_lock();
	if (changes && lock < 0)
		return fail(EXIT_BUSY,
			    "the cache is being opened or closed, or a drive mounted; try again");
	status = load(r);
	if (!status)
		status = r->off ? turn_off(r) : r->where ? set_up(r) : show(r);
	if (r->dev >= 0)
		close(r->dev);
	if (lock >= 0)
		close(lock);
	return status;
}

static int run(int argc, char **argv)
{
	struct request r = { .dev = -1 };
	const struct option options[] = {
		SIZE("size", &r.size),
		FLAG("off", &r.off),
		FLAG("json", &r.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		OPTIONAL("DIR|DEVICE", &r.where),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = check(&r);
	if (!status)
		status = need_root();
	return status ? status : act(&r);
}

static const char help[] =
	"usage: clouddrivectl init-cache DIR|DEVICE --size SIZE\n"
	"       clouddrivectl init-cache --off\n"
	"       clouddrivectl init-cache [--json]\n"
	"\n"
	"Gives the drives of this machine a cache on a local disk: what they have read once is\n"
	"read from there, also after they were unmounted and mounted again, or the machine was\n"
	"started anew, as long as nobody else has written to the blob. It is a file in DIR that\n"
	"grows as it is used, or the whole of DEVICE, and is remembered in\n"
	"/etc/clouddrive/cache.conf. Needs root.\n"
	"\n"
	"Said again with another SIZE the cache becomes larger or smaller, with another place\n"
	"it moves there, empty; both while drives are mounted. Without arguments it is shown.\n"
	"\n"
	"In the cache are plain copies of the drives' data. Where a stolen disk matters, let\n"
	"DEVICE be one of dm-crypt.\n"
	"\n"
	"  --size SIZE  what all drives together may have, 16M to 2T; the kernel takes some two\n"
	"               thousandths of it of memory for the cache's map, as is said first\n"
	"  --off        there is no cache any more; the file and what is in it are removed\n"
	"  --json       print {\"path\", \"device\" (true: it is one), \"size\", \"state\" (closed, on,\n"
	"               failed), \"used\", \"reserved\", \"memory\", \"errors\", \"cold\" (why it began\n"
	"               so, or null), \"drives\": [{\"device\", \"url\", \"reserved\", \"size\", \"used\"}]};\n"
	"               null: there is none\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl init-cache /var/cache --size 50G\n"
	"  clouddrivectl init-cache /dev/disk/by-id/nvme-local --size 800G\n"
	"\n"
	"Exit status: 0 done; 1 it failed; 2 wrong usage; 3 there is no cache; 6 the device is in use\n"
	"or holds something.\n";

const struct verb verb_init_cache = {
	.name = "init-cache",
	.arguments = "DIR|DEVICE --size SIZE",
	.summary = "give this machine's drives a cache",
	.help = help,
	.run = run,
};
