// SPDX-License-Identifier: MIT
#include "cache/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <linux/cdrive_cache.h>

#include "lib/whole.h"

/* What the driver takes for a slot: the slot itself, its place in the map of chunks, and
 * its entry among those that were evicted. */
#define SLOT_MEMORY 110
#define MAP_MEMORY 9
#define GHOST_MEMORY 8

static const char *directory(const char *variable, const char *fallback)
{
	const char *dir = getenv(variable);

	return dir && *dir ? dir : fallback;
}

const char *cache_config_path(char *buf, size_t len)
{
	snprintf(buf, len, "%s/cache.conf", directory("CLOUDDRIVE_CONFIG_DIR", "/etc/clouddrive"));
	return buf;
}

const char *cache_index_path(const struct cache_config *c, char *buf)
{
	const char *slash = strrchr(c->path, '/');

	if (c->device || !slash)
		snprintf(buf, PATH_MAX, "%s/cache.index",
			 directory("CLOUDDRIVE_STATE_DIR", "/var/lib/clouddrive"));
	else
		snprintf(buf, PATH_MAX, "%.*s/clouddrive.index", (int)(slash - c->path), c->path);
	return buf;
}

uint32_t cache_slots(uint64_t size)
{
	return (uint32_t)(size / CDRIVE_CACHE_SLOT);
}

uint64_t cache_map_memory(uint64_t size)
{
	return (uint64_t)cache_slots(size) * (SLOT_MEMORY + MAP_MEMORY + GHOST_MEMORY);
}

static void parent_of(const char *path, char *dir)
{
	const char *slash = strrchr(path, '/');

	snprintf(dir, PATH_MAX, "%.*s", slash > path ? (int)(slash - path) : 1, slash ? path : ".");
}

/* For root alone to write to. */
static int make_parent(const char *path)
{
	char dir[PATH_MAX];

	parent_of(path, dir);
	return mkdir(dir, 0755) && errno != EEXIST ? -errno : 0;
}

/* --- reading --------------------------------------------------------------------------- */

static int unpack(json_t *o, struct cache_config *c)
{
	const char *path, *uuid;
	json_int_t size;
	int device;

	if (json_unpack(o, "{s:s, s:b, s:I, s:s}", "path", &path, "device", &device, "size", &size,
			"uuid", &uuid))
		return -EBADMSG;
	if (*path != '/' || strlen(path) >= sizeof(c->path) || size < 0 ||
	    (uint64_t)size < CACHE_SIZE_LEAST || (uint64_t)size > CACHE_SIZE_MOST ||
	    uuid_parse(uuid, c->uuid))
		return -EBADMSG;
	memcpy(c->path, path, strlen(path) + 1);
	c->device = device;
	c->size = (uint64_t)size;
	return 0;
}

int cache_config_load(struct cache_config *c)
{
	char path[PATH_MAX];
	json_t *o;
	int fd, err;

	*c = (struct cache_config){ 0 };
	fd = open(cache_config_path(path, sizeof(path)), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	o = json_loadfd(fd, JSON_REJECT_DUPLICATES, NULL);
	close(fd);
	err = o ? unpack(o, c) : -EBADMSG;
	json_decref(o);
	return err;
}

/* --- writing --------------------------------------------------------------------------- */

int cache_replace(const char *path, int (*write)(int fd, void *arg), void *arg)
{
	char tmp[PATH_MAX];
	int fd, err;

	if (snprintf(tmp, sizeof(tmp), "%s.new", path) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	err = make_parent(path);
	if (err)
		return err;
	unlink(tmp);
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write(fd, arg);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err ? err : whole_sync_parent(path);
}

static int write_text(int fd, void *arg)
{
	if (fchmod(fd, 0644))
		return -errno;
	return whole_write(fd, arg, strlen(arg));
}

int cache_config_save(const struct cache_config *c)
{
	char path[PATH_MAX], uuid[UUID_STR_LEN];
	char *text;
	json_t *o;
	int err;

	uuid_unparse_lower(c->uuid, uuid);
	o = json_pack("{s:s, s:b, s:I, s:s}", "path", c->path, "device", c->device, "size",
		      (json_int_t)c->size, "uuid", uuid);
	text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	json_decref(o);
	if (!text)
		return -EINVAL; /* a path that is not UTF-8 */
	err = cache_replace(cache_config_path(path, sizeof(path)), write_text, text);
	free(text);
	return err;
}

int cache_config_remove(void)
{
	char path[PATH_MAX];

	if (unlink(cache_config_path(path, sizeof(path))) && errno != ENOENT)
		return -errno;
	return whole_sync_parent(path);
}
