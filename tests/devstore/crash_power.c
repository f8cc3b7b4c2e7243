// SPDX-License-Identifier: MIT
/*
 * crash_power.c - a disk that loses its power
 *
 * disk/ino/N    what was synced of the file with this inode number
 * disk/names/P  a synced name: P is the path with '%' for '/', the content the
 *               inode number
 * disk/image/P  what the power's loss leaves
 */
#include "crash_power.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash_model.h"

#define SECTOR 512u
#define CHUNK 65536u
#define TREE_DEPTH 2 /* objects/NN/file */

static char root[128], disk[128];

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static char *path_of(char path[PATH_MAX], const char *dir, const char *sub, const char *name)
{
	must(snprintf(path, PATH_MAX, "%s/%s/%s", dir, sub, name) < PATH_MAX, "path");
	return path;
}

static char *ino_path(char path[PATH_MAX], uint64_t ino)
{
	char name[32];

	snprintf(name, sizeof(name), "%" PRIu64, ino);
	return path_of(path, disk, "ino", name);
}

static void swap_char(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

/* Calls @each for every file below @dir, by its path from the root. */
static void walk(const char *dir, int depth, void (*each)(const char *rel, uint64_t ino))
{
	char path[PATH_MAX];
	DIR *d = opendir(path_of(path, root, dir, ""));
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char rel[PATH_MAX];
		struct stat st;

		if (entry->d_name[0] == '.')
			continue;
		must(snprintf(rel, sizeof(rel), "%s%s%s", dir, *dir ? "/" : "", entry->d_name) <
			     PATH_MAX,
		     "path");
		if (fstatat(dirfd(d), entry->d_name, &st, 0))
			continue;
		if (S_ISREG(st.st_mode))
			each(rel, st.st_ino);
		else if (depth)
			walk(rel, depth - 1, each);
	}
	if (d)
		closedir(d);
}

/* --- what is synced ----------------------------------------------------------------- */

static void keep_content(int from, uint64_t ino)
{
	static unsigned char buf[CHUNK];
	char path[PATH_MAX];
	int to = open(ino_path(path, ino), O_WRONLY | O_CREAT, 0666);
	off_t at = 0;
	ssize_t n;

	must(to >= 0, path);
	for (; (n = pread(from, buf, sizeof(buf), at)) > 0; at += n)
		must(pwrite(to, buf, (size_t)n, at) == n, path);
	must(!n && !ftruncate(to, at), path);
	close(to);
}

static void keep_file(const char *rel, uint64_t ino)
{
	char path[PATH_MAX];
	int fd = open(path_of(path, root, "", rel), O_RDONLY);

	if (fd >= 0) {
		keep_content(fd, ino);
		close(fd);
	}
}

static void keep_name(const char *rel, uint64_t ino)
{
	char name[PATH_MAX], path[PATH_MAX], new[PATH_MAX], text[32];
	int fd = open(path_of(new, disk, "", "name.new"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
	int len = snprintf(text, sizeof(text), "%" PRIu64, ino);

	must(fd >= 0 && write(fd, text, (size_t)len) == len, new);
	close(fd);
	snprintf(name, sizeof(name), "%s", rel);
	swap_char(name, '/', '%');
	/* This process may be killed any moment; the name must not be lost. */
	must(!rename(new, path_of(path, disk, "names", name)), path);
}

/* Names of files in directory @dir ("" or "objects/NN") that are there no more. */
static void drop_names(const char *dir)
{
	char path[PATH_MAX], names[PATH_MAX];
	DIR *d = opendir(path_of(names, disk, "names", ""));
	struct dirent *entry;

	must(d, names);
	while ((entry = readdir(d))) {
		char rel[PATH_MAX];
		const char *slash;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(rel, sizeof(rel), "%s", entry->d_name);
		swap_char(rel, '%', '/');
		slash = strrchr(rel, '/');
		if (strncmp(rel, dir, strlen(dir)) != 0 ||
		    (size_t)(slash ? slash - rel : 0) != strlen(dir))
			continue;
		if (access(path_of(path, root, "", rel), F_OK))
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	closedir(d);
}

int fdatasync(int fd)
{
	struct stat st;

	if (*root && !fstat(fd, &st)) {
		char self[64];
		int from;

		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		from = open(self, O_RDONLY);
		must(from >= 0, self);
		keep_content(from, st.st_ino);
		close(from);
	}
	return 0;
}

int fsync(int fd)
{
	char self[64], path[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (!*root || fstat(fd, &st))
		return 0;
	if (!S_ISDIR(st.st_mode))
		return fdatasync(fd);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	n = readlink(self, path, sizeof(path) - 1);
	must(n > 0, self);
	path[n] = '\0';
	drop_names(strlen(path) > strlen(root) ? path + strlen(root) + 1 : "");
	walk(strlen(path) > strlen(root) ? path + strlen(root) + 1 : "", 0, keep_name);
	return 0;
}

static void keep_both(const char *rel, uint64_t ino)
{
	keep_file(rel, ino);
	keep_name(rel, ino);
}

int syncfs(int fd)
{
	(void)fd;
	if (*root)
		walk("", TREE_DEPTH, keep_both);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void set_paths(const char *dir, const char *to)
{
	snprintf(root, sizeof(root), "%s", dir);
	snprintf(disk, sizeof(disk), "%s", to);
}

void power_on(const char *dir, const char *to)
{
	char path[PATH_MAX];

	set_paths(dir, to);
	nftw(disk, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	must(!mkdir(disk, 0777) && !mkdir(path_of(path, disk, "ino", ""), 0777) &&
		     !mkdir(path_of(path, disk, "names", ""), 0777) &&
		     !mkdir(path_of(path, disk, "image", ""), 0777),
	     disk);
	syncfs(-1);
}

/* --- what is left of it ----------------------------------------------------------------- */

static uint64_t *random_seed;

static bool coin(void)
{
	return model_random(random_seed, 2);
}

static size_t read_sector(int fd, unsigned char *buf, off_t at)
{
	ssize_t n = fd < 0 ? 0 : pread(fd, buf, SECTOR, at);

	must(n >= 0, "read");
	memset(buf + n, 0, SECTOR - (size_t)n);
	return (size_t)n;
}

/* Some of the old sectors, some of the new, and either size. */
static void mix(int old, int new, int to)
{
	unsigned int odds = (unsigned int)model_random(random_seed, 5); /* of new: in 4 */
	unsigned char a[SECTOR], b[SECTOR];
	struct stat sa = { 0 }, sb = { 0 };
	off_t size;

	must((old < 0 || !fstat(old, &sa)) && !fstat(new, &sb), "stat");
	size = sa.st_size < sb.st_size && coin() ? sa.st_size : sb.st_size;
	for (off_t at = 0; at < size; at += SECTOR) {
		read_sector(old, a, at);
		read_sector(new, b, at);
		must(pwrite(to, model_random(random_seed, 4) < odds ? b : a, SECTOR, at) == SECTOR,
		     "write");
	}
	must(!ftruncate(to, size), "truncate");
}

/* The file of inode @ino as it may be, under @name in the image. */
static void leave(const char *name, uint64_t ino, const char *now)
{
	char path[PATH_MAX];
	int old = open(ino_path(path, ino), O_RDONLY), new = now ? open(now, O_RDONLY) : -1;
	int to = open(path_of(path, disk, "image", name), O_WRONLY | O_CREAT | O_TRUNC, 0666);

	must(to >= 0, path);
	if (new >= 0)
		mix(old, new, to);
	else if (old >= 0)
		mix(old, old, to);
	if (old >= 0)
		close(old);
	if (new >= 0)
		close(new);
	close(to);
}

static uint64_t wanted;
static char found[PATH_MAX];

static void find_ino(const char *rel, uint64_t ino)
{
	if (ino == wanted)
		path_of(found, root, "", rel);
}

/* A name that is synced: the file it names, unless the name has gone or goes to
 * another file, and that was written. */
static void leave_synced(const char *name, uint64_t ino)
{
	char rel[PATH_MAX], path[PATH_MAX];
	struct stat st;

	snprintf(rel, sizeof(rel), "%s", name);
	swap_char(rel, '%', '/');
	if (!stat(path_of(path, root, "", rel), &st) && (st.st_ino == ino || coin())) {
		leave(name, st.st_ino, path);
		return;
	}
	if (access(path, F_OK) && coin())
		return;
	wanted = ino;
	*found = '\0';
	walk("", TREE_DEPTH, find_ino);
	leave(name, ino, *found ? found : NULL);
}

static void leave_new(const char *rel, uint64_t ino)
{
	char name[PATH_MAX], path[PATH_MAX];

	snprintf(name, sizeof(name), "%s", rel);
	swap_char(name, '/', '%');
	if (access(path_of(path, disk, "names", name), F_OK) && coin())
		leave(name, ino, path_of(path, root, "", rel));
}

static void each_in(const char *sub, void (*each)(const char *name, const char *path))
{
	char dir[PATH_MAX], path[PATH_MAX];
	DIR *d = opendir(path_of(dir, disk, sub, ""));
	struct dirent *entry;

	must(d, dir);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			each(entry->d_name, path_of(path, disk, sub, entry->d_name));
	closedir(d);
}

static void synced_name(const char *name, const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		leave_synced(name, strtoull(text, NULL, 10));
	if (fd >= 0)
		close(fd);
}

static void put_in_place(const char *name, const char *path)
{
	char rel[PATH_MAX], to[PATH_MAX];
	char *slash;

	snprintf(rel, sizeof(rel), "%s", name);
	swap_char(rel, '%', '/');
	path_of(to, root, "", rel);
	slash = strrchr(to, '/');
	*slash = '\0';
	mkdir(to, 0777);
	*slash = '/';
	must(!rename(path, to), to);
}

void power_lost(const char *dir, const char *from, uint64_t *seed)
{
	char path[PATH_MAX];

	set_paths(dir, from);
	random_seed = seed;
	each_in("names", synced_name);
	walk("", TREE_DEPTH, leave_new);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	must(!mkdir(root, 0777) && !mkdir(path_of(path, root, "objects", ""), 0777), root);
	each_in("image", put_in_place);
	*root = '\0'; /* what syncs from here on is not recorded */
}
