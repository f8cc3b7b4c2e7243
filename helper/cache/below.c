// SPDX-License-Identifier: MIT
#include "cache/below.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <libmount.h>

/* Nothing is stacked as high; and what goes round in a circle ends. */
#define DEPTH 32

struct search {
	const char *sysfs;
	char *drive;
	size_t len;
};

static bool is_below_dir(const struct search *s, const char *dir, int depth);
static bool is_below_path(const struct search *s, const char *path, int depth);

static bool is_drive(const struct search *s, const char *dir)
{
	const char *name = strrchr(dir, '/');

	if (!name || strncmp(name + 1, "cdrive", 6) != 0 || !isdigit((unsigned char)name[7]))
		return false;
	/* Without the number of a partition. */
	snprintf(s->drive, s->len, "%.*s", 6 + (int)strspn(name + 7, "0123456789"), name + 1);
	return true;
}

static bool is_below_dev(const struct search *s, dev_t dev, int depth)
{
	char link[PATH_MAX], dir[PATH_MAX];

	snprintf(link, sizeof(link), "%s/dev/block/%u:%u", s->sysfs, major(dev), minor(dev));
	return realpath(link, dir) && is_below_dir(s, dir, depth);
}

/* What it is made of. */
static bool are_slaves_below(const struct search *s, const char *dir, int depth)
{
	char path[PATH_MAX], slave[PATH_MAX];
	bool found = false;
	struct dirent *e;
	DIR *slaves;

	if (snprintf(path, sizeof(path), "%s/slaves", dir) >= (int)sizeof(path))
		return false;
	slaves = opendir(path);
	if (!slaves)
		return false;
	while (!found && (e = readdir(slaves))) {
		if (e->d_name[0] == '.' || snprintf(path, sizeof(path), "%s/slaves/%s", dir,
						    e->d_name) >= (int)sizeof(path))
			continue;
		found = realpath(path, slave) && is_below_dir(s, slave, depth);
	}
	closedir(slaves);
	return found;
}

/* The file of a loop device. */
static bool is_loop_below(const struct search *s, const char *dir, int depth)
{
	char path[PATH_MAX], file[PATH_MAX];
	FILE *f;
	bool found = false;

	if (snprintf(path, sizeof(path), "%s/loop/backing_file", dir) >= (int)sizeof(path))
		return false;
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fgets(file, sizeof(file), f)) {
		file[strcspn(file, "\n")] = '\0';
		found = is_below_path(s, file, depth);
	}
	fclose(f);
	return found;
}

static bool is_below_dir(const struct search *s, const char *dir, int depth)
{
	char path[PATH_MAX];

	if (depth > DEPTH)
		return false;
	if (is_drive(s, dir))
		return true;
	/* A partition's directory is in its disk's. */
	if (snprintf(path, sizeof(path), "%s/partition", dir) < (int)sizeof(path) &&
	    !access(path, F_OK)) {
		snprintf(path, sizeof(path), "%.*s", (int)(strrchr(dir, '/') - dir), dir);
		return is_below_dir(s, path, depth + 1);
	}
	return are_slaves_below(s, dir, depth + 1) || is_loop_below(s, dir, depth + 1);
}

/* A file system whose device number is no disk's: what it was mounted from. */
static bool is_source_below(const struct search *s, dev_t dev, int depth)
{
	struct libmnt_table *table = mnt_new_table_from_file("/proc/self/mountinfo");
	struct libmnt_fs *fs = table ? mnt_table_find_devno(table, dev, MNT_ITER_BACKWARD) : NULL;
	const char *source = fs ? mnt_fs_get_srcpath(fs) : NULL;
	char *upper = NULL;
	struct stat st;
	bool found = false;

	if (fs && !mnt_fs_match_fstype(fs, "overlay") && source && *source == '/' &&
	    !stat(source, &st) && S_ISBLK(st.st_mode)) {
		found = is_below_dev(s, st.st_rdev, depth);
	} else if (fs && mnt_fs_match_fstype(fs, "overlay")) {
		size_t len = 0;

		if (!mnt_fs_get_option(fs, "upperdir", &upper, &len) && upper) {
			upper = strndup(upper, len);
			found = upper && is_below_path(s, upper, depth);
			free(upper);
		}
	}
	mnt_unref_table(table);
	return found;
}

static bool is_below_path(const struct search *s, const char *path, int depth)
{
	struct stat st;

	if (depth > DEPTH || stat(path, &st))
		return false;
	if (S_ISBLK(st.st_mode))
		return is_below_dev(s, st.st_rdev, depth + 1);
	if (!major(st.st_dev))
		return is_source_below(s, st.st_dev, depth + 1);
	return is_below_dev(s, st.st_dev, depth + 1);
}

bool below_path(const char *sysfs, const char *path, char *drive, size_t len)
{
	const struct search s = { sysfs, drive, len };

	return is_below_path(&s, path, 0);
}

bool below_device(const char *sysfs, dev_t dev, char *drive, size_t len)
{
	const struct search s = { sysfs, drive, len };

	return is_below_dev(&s, dev, 0);
}
