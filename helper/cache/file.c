// SPDX-License-Identifier: MIT
#include "cache/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <blkid/blkid.h>
#include <linux/cdrive_cache.h>
#include <linux/fs.h>

#include "cache/below.h"
#include "cache/header.h"
#include "lib/whole.h"

#define SYSFS "/sys"

__attribute__((format(printf, 4, 5))) static int refuse(int err, char *why, size_t len,
							const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, len, fmt, args);
	va_end(args);
	return err;
}

static off_t file_size(uint64_t size)
{
	return (off_t)(CDRIVE_CACHE_HEADER + (uint64_t)cache_slots(size) * CDRIVE_CACHE_SLOT);
}

/* --- where ----------------------------------------------------------------------------- */

int cache_file_locate(const char *where, struct cache_config *c, char *why, size_t len)
{
	char dir[PATH_MAX], drive[32];
	struct stat st;

	if (stat(where, &st))
		return refuse(-errno, why, len, "%s: %s; name a directory or a block device", where,
			      strerror(errno));
	if (!S_ISDIR(st.st_mode) && !S_ISBLK(st.st_mode))
		return refuse(
			-ENOTDIR, why, len,
			"%s: neither a directory nor a block device; name the directory that the file is to be in",
			where);
	c->device = S_ISBLK(st.st_mode);
	/* A device's name may be a link that udev made, and is to stay it. */
	if (c->device && *where == '/')
		snprintf(dir, sizeof(dir), "%s", where);
	else if (!realpath(where, dir))
		return refuse(-errno, why, len, "%s: %s", where, strerror(errno));
	if (snprintf(c->path, sizeof(c->path), "%s%s", dir,
		     c->device			 ? "" :
		     dir[strlen(dir) - 1] == '/' ? CACHE_FILE :
						   "/" CACHE_FILE) >= (int)sizeof(c->path))
		return refuse(-ENAMETOOLONG, why, len, "%s: the path is too long", where);
	if (c->device ? below_device(SYSFS, st.st_rdev, drive, sizeof(drive)) :
			below_path(SYSFS, dir, drive, sizeof(drive)))
		return refuse(
			-ELOOP, why, len,
			"%s: lies on the drive /dev/%s, which it is to cache; name a local disk",
			where, drive);
	return 0;
}

/* --- making one ------------------------------------------------------------------------ */

/* What libblkid finds on it; "": nothing. */
static int find_signature(const char *path, char *what, size_t len)
{
	blkid_probe pr = blkid_new_probe_from_filename(path);
	const char *value;
	int n;

	*what = '\0';
	if (!pr)
		return errno ? -errno : -ENOMEM;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE);
	blkid_probe_enable_partitions(pr, 1);
	n = blkid_do_safeprobe(pr);
	if (n == -2)
		snprintf(what, len, "several signatures");
	else if (!n && !blkid_probe_lookup_value(pr, "TYPE", &value, NULL))
		snprintf(what, len, "%s", value);
	else if (!n && !blkid_probe_lookup_value(pr, "PTTYPE", &value, NULL))
		snprintf(what, len, "a partition table (%s)", value);
	else if (!n)
		snprintf(what, len, "something");
	blkid_free_probe(pr);
	return n == -1 ? -EIO : 0;
}

static int check_device(int fd, const struct cache_config *c, char *why, size_t len)
{
	uint64_t bytes = 0;

	if (ioctl(fd, BLKGETSIZE64, &bytes))
		return refuse(-errno, why, len, "%s: its size: %s", c->path, strerror(errno));
	if ((uint64_t)file_size(c->size) > bytes)
		return refuse(
			-ENOSPC, why, len,
			"%s: has %llu bytes, of which a cache may have %llu (--size %lluM); say less",
			c->path, (unsigned long long)bytes,
			(unsigned long long)(bytes > CDRIVE_CACHE_HEADER ?
						     bytes - CDRIVE_CACHE_HEADER :
						     0),
			(unsigned long long)(bytes > CDRIVE_CACHE_HEADER ?
						     (bytes - CDRIVE_CACHE_HEADER) >> 20 :
						     0));
	return 0;
}

/* Both say EINVAL where there is no O_DIRECT, and tmpfs before 6.6 at once. */
static int cannot_open(int err, const struct cache_config *c, char *why, size_t len)
{
	if (err == -EINVAL)
		return refuse(
			err, why, len,
			"%s: its file system can't read and write directly (O_DIRECT), as tmpfs before Linux 6.6 can't; name a directory on a disk",
			c->path);
	if (err == -EBUSY)
		return refuse(
			err, why, len,
			"%s: is mounted, or used by something else; name a device that is not in use",
			c->path);
	return refuse(err, why, len, "%s: %s; see whether its disk is there", c->path,
		      strerror(-err));
}

static int open_direct(const struct cache_config *c, int flags)
{
	int fd = open(c->path, O_RDWR | O_DIRECT | O_CLOEXEC | O_NOCTTY | flags, 0600);

	return fd < 0 ? -errno : fd;
}

static int make_device(const struct cache_config *c, char *why, size_t len)
{
	char what[64];
	int fd = open_direct(c, O_EXCL), err;

	if (fd < 0)
		return cannot_open(fd, c, why, len);
	err = find_signature(c->path, what, sizeof(what));
	if (err)
		err = refuse(err, why, len, "%s: %s", c->path, strerror(-err));
	else if (*what)
		err = refuse(
			-EBUSY, why, len,
			"%s: holds %s; name another device, or erase its signatures yourself if nobody needs that any more: see wipefs(8)",
			c->path, what);
	if (!err)
		err = check_device(fd, c, why, len);
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* A name of before may be a link to anywhere. */
static int make_file(const struct cache_config *c, char *why, size_t len)
{
	int fd, err;

	if (unlink(c->path) && errno != ENOENT)
		return refuse(-errno, why, len, "%s: %s", c->path, strerror(errno));
	fd = open_direct(c, O_CREAT | O_EXCL | O_NOFOLLOW);
	if (fd < 0) {
		unlink(c->path);
		return cannot_open(fd, c, why, len);
	}
	if (!ftruncate(fd, file_size(c->size)))
		return fd;
	err = refuse(-errno, why, len, "%s: can't be made so large: %s", c->path, strerror(errno));
	close(fd);
	unlink(c->path);
	return err;
}

int cache_file_make(struct cache_config *c, char *why, size_t len)
{
	struct cache_header h = { .state = CACHE_NEW, .generation = 1, .size = c->size };
	int fd = c->device ? make_device(c, why, len) : make_file(c, why, len);
	int err;

	if (fd < 0)
		return fd;
	uuid_generate_random(c->uuid);
	uuid_copy(h.uuid, c->uuid);
	err = cache_header_write(fd, &h);
	if (!err && !c->device)
		err = whole_sync_parent(c->path);
	if (!err)
		return fd;
	close(fd);
	if (!c->device)
		unlink(c->path);
	return cannot_open(err, c, why, len);
}

/* --- the one that there is ----------------------------------------------------------------- */

int cache_file_open(const struct cache_config *c, bool in_use, char *why, size_t len)
{
	struct cache_header h;
	int fd = open_direct(c, !c->device ? O_NOFOLLOW : in_use ? 0 : O_EXCL), err;

	if (fd < 0)
		return cannot_open(fd, c, why, len);
	err = cache_header_read(fd, &h);
	if (!err && !uuid_compare(h.uuid, c->uuid))
		return fd;
	close(fd);
	if (err && err != -EBADMSG)
		return refuse(err, why, len, "%s: %s", c->path, strerror(-err));
	return refuse(-ESTALE, why, len, "%s: is not the cache that was set up there", c->path);
}

int cache_file_resize(int fd, const struct cache_config *c, char *why, size_t len)
{
	struct cache_header h;
	int err;

	if (c->device) {
		err = check_device(fd, c, why, len);
		if (err)
			return err;
	} else if (ftruncate(fd, file_size(c->size))) {
		return refuse(-errno, why, len, "%s: can't be made so large: %s", c->path,
			      strerror(errno));
	}
	err = cache_header_read(fd, &h);
	if (!err) {
		h.size = c->size;
		err = cache_header_write(fd, &h);
	}
	return err ? refuse(err, why, len, "%s: %s", c->path, strerror(-err)) : 0;
}

void cache_file_remove(const struct cache_config *c)
{
	char index[PATH_MAX], why[64];
	int fd;

	unlink(cache_index_path(c, index));
	if (!c->device) {
		unlink(c->path);
		return;
	}
	/* Only if it is ours. */
	fd = cache_file_open(c, false, why, sizeof(why));
	if (fd < 0)
		return;
	cache_header_wipe(fd);
	close(fd);
}

uint64_t cache_file_room(const struct cache_config *c)
{
	struct statvfs vfs;
	struct stat st;

	if (c->device || statvfs(c->path, &vfs) || stat(c->path, &st))
		return 0;
	return (uint64_t)vfs.f_bavail * vfs.f_frsize + (uint64_t)st.st_blocks * 512;
}
