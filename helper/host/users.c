// SPDX-License-Identifier: MIT
/*
 * Who uses a mounted file system: what /proc shows of open files, current and
 * root directories and programs.  For messages: nothing is decided by it.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/mounts.h"

#define MOST 5 /* processes in a message */

static bool is_on(const char *path, dev_t dev)
{
	struct stat st;

	return !stat(path, &st) && st.st_dev == dev;
}

static bool has_file_on(const char *proc, dev_t dev)
{
	char path[320];
	struct dirent *e;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/fd", proc);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/fd/%.16s", proc, e->d_name);
		found = is_on(path, dev);
	}
	closedir(dir);
	return found;
}

static bool uses(const char *proc, dev_t dev)
{
	static const char *const links[] = { "cwd", "root", "exe" };
	char path[320];
	size_t i;

	for (i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", proc, links[i]);
		if (is_on(path, dev))
			return true;
	}
	return has_file_on(proc, dev);
}

static void add(const char *proc, const char *pid, char *buf, size_t len)
{
	char path[320], name[32] = "?";
	size_t used = strlen(buf);
	FILE *f;

	snprintf(path, sizeof(path), "%s/comm", proc);
	f = fopen(path, "re");
	if (f) {
		if (fgets(name, sizeof(name), f))
			name[strcspn(name, "\n")] = '\0';
		fclose(f);
	}
	snprintf(buf + used, len - used, "%s%s (%s)", used ? ", " : "", name, pid);
}

const char *mounts_users(const char *dir, char *buf, size_t len)
{
	unsigned int found = 0;
	struct dirent *e;
	struct stat st;
	char proc[32];
	DIR *d;

	buf[0] = '\0';
	if (stat(dir, &st))
		return buf;
	d = opendir("/proc");
	if (!d)
		return buf;
	while (found < MOST && (e = readdir(d))) {
		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		snprintf(proc, sizeof(proc), "/proc/%.16s", e->d_name);
		if (uses(proc, st.st_dev)) {
			add(proc, e->d_name, buf, len);
			found++;
		}
	}
	closedir(d);
	return buf;
}
