// SPDX-License-Identifier: MIT
#include "host/filesystem.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <blkid/blkid.h>

#include "host/drives.h"
#include "lib/loop.h"

#define NODE_MS 10000 /* wait for a device node */

/* A node is there when the driver says that the disk is, where devtmpfs makes
 * it; something slower may. */
static int wait_for_node(const char *path)
{
	uint64_t end = loop_now() + LOOP_MS(NODE_MS);

	while (access(path, F_OK)) {
		if (loop_now() > end)
			return -ENOENT;
		usleep(20000);
	}
	return 0;
}

struct found {
	bool table; /* partitions */
	bool several; /* signatures that contradict each other */
	char type[32], usage[32];
};

static void get(blkid_probe pr, const char *name, char *buf, size_t len)
{
	const char *value;

	if (!blkid_probe_lookup_value(pr, name, &value, NULL))
		snprintf(buf, len, "%s", value);
}

static int probe(const char *device, struct found *f)
{
	blkid_probe pr;
	int n;

	memset(f, 0, sizeof(*f));
	errno = 0;
	pr = blkid_new_probe_from_filename(device);
	if (!pr)
		return errno ? -errno : -ENOMEM;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
	blkid_probe_enable_partitions(pr, 1);
	errno = 0;
	n = blkid_do_safeprobe(pr);
	f->several = n == -2;
	if (n == 0) {
		f->table = blkid_probe_has_value(pr, "PTTYPE");
		get(pr, "TYPE", f->type, sizeof(f->type));
		get(pr, "USAGE", f->usage, sizeof(f->usage));
	}
	blkid_free_probe(pr);
	return n == -1 ? (errno ? -errno : -EIO) : 0;
}

/* How many partitions the kernel sees, and the last of them. */
static int partitions(unsigned int index, char *device, size_t len)
{
	char path[64], prefix[32];
	struct dirent *e;
	int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/block/cdrive%u", index);
	snprintf(prefix, sizeof(prefix), "cdrive%up", index);
	dir = opendir(path);
	if (!dir)
		return 0;
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		snprintf(device, len, "/dev/%.40s", e->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

static int judge(const struct found *f, struct filesystem *fs, char *why, size_t len)
{
	if (f->several) {
		snprintf(
			why, len,
			"holds signatures of several file systems; remove the stale ones with wipefs, after mount --no-fs");
		return -EMEDIUMTYPE;
	}
	if (!f->type[0] || strcmp(f->usage, "filesystem") != 0) {
		snprintf(
			why, len,
			"holds %s%sno file system; make one with: clouddrivectl mount --no-fs URL; mkfs.ext4 %s",
			f->type, f->type[0] ? " and " : "", fs->device);
		return -EMEDIUMTYPE;
	}
	snprintf(fs->type, sizeof(fs->type), "%s", f->type);
	return 0;
}

static int look(const char *device, struct found *f, char *why, size_t len)
{
	int err = wait_for_node(device);

	if (!err)
		err = probe(device, f);
	if (err)
		snprintf(why, len, "%s can't be read: %s; see clouddrivectl status", device,
			 strerror(-err));
	return err;
}

int filesystem_find(unsigned int index, struct filesystem *fs, char *why, size_t len)
{
	struct found f;
	int count, err;

	memset(fs, 0, sizeof(*fs));
	device_name(index, fs->device);
	err = look(fs->device, &f, why, len);
	if (err)
		return err;
	if (!f.table)
		return judge(&f, fs, why, len);
	count = partitions(index, fs->device, sizeof(fs->device));
	if (count != 1) {
		snprintf(
			why, len,
			"has %d partitions, not one; mount it with --no-fs, and then the partition that is meant",
			count);
		return -EMEDIUMTYPE;
	}
	err = look(fs->device, &f, why, len);
	return err ? err : judge(&f, fs, why, len);
}
