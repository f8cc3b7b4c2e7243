// SPDX-License-Identifier: MIT
/*
 * io.c - whole reads and writes, file names
 *
 * Files are named by number (objects/07/0000000000000107.data), so that nothing a
 * client sends ever becomes part of a path.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/storage/engine.h"

int read_all(int fd, void *buf, size_t len, uint64_t at)
{
	unsigned char *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EBADMSG;
		p += n, at += (uint64_t)n, len -= (size_t)n;
	}
	return 0;
}

int writev_all(int fd, struct iovec *iov, int n, uint64_t at)
{
	while (n) {
		ssize_t done = pwritev(fd, iov, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += (uint64_t)done;
		for (; n && (size_t)done >= iov->iov_len; iov++, n--)
			done -= (ssize_t)iov->iov_len;
		if (n) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return 0;
}

int write_all(int fd, const void *buf, size_t len, uint64_t at)
{
	struct iovec iov = { (void *)buf, len };

	return writev_all(fd, &iov, 1, at);
}

/* --- objects ------------------------------------------------------------------ */

#define PATH_SIZE 64

static void object_path(char path[PATH_SIZE], uint64_t id, const char *kind)
{
	snprintf(path, PATH_SIZE, "objects/%02x/%016" PRIx64 ".%s", (unsigned int)(id & 0xff), id,
		 kind);
}

static int make_dir(struct storage *s, uint64_t id)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "objects/%02x", (unsigned int)(id & 0xff));
	if (mkdirat(s->dir_fd, path, 0777) && errno != EEXIST)
		return -errno;
	s->dir_changed[256] = true;
	return 0;
}

int object_open(struct storage *s, uint64_t id, const char *kind, int flags)
{
	char path[PATH_SIZE];
	int fd;

	object_path(path, id, kind);
	fd = openat(s->dir_fd, path, flags | O_CLOEXEC, 0666);
	if (fd < 0 && errno == ENOENT && flags & O_CREAT) {
		int rc = make_dir(s, id);

		if (rc)
			return rc;
		fd = openat(s->dir_fd, path, flags | O_CLOEXEC, 0666);
	}
	if (fd < 0)
		return -errno;
	if (flags & O_CREAT)
		s->dir_changed[id & 0xff] = true;
	return fd;
}

void object_remove(struct storage *s, uint64_t id, const char *kind)
{
	char path[PATH_SIZE];

	object_path(path, id, kind);
	(void)unlinkat(s->dir_fd, path, 0); /* or the next sweep does it */
}

static int sweep_dir(struct storage *s, int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return -errno;
	}
	while ((entry = readdir(dir))) {
		char *end;
		uint64_t id = strtoull(entry->d_name, &end, 16);

		if (*end == '.' && end - entry->d_name == 16 && !ids_find(&s->ids, id, ID_NONE))
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
	return 0;
}

int objects_sweep(struct storage *s)
{
	for (unsigned int i = 0; i < 256; i++) {
		char path[PATH_SIZE];
		int fd, rc;

		snprintf(path, sizeof(path), "objects/%02x", i);
		fd = openat(s->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		rc = fd < 0 ? -errno : sweep_dir(s, fd);
		if (rc)
			return rc;
	}
	return 0;
}

static int sync_dir(struct storage *s, const char *path)
{
	int fd = openat(s->dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd))
		rc = -errno;
	close(fd);
	return rc;
}

int objects_sync(struct storage *s)
{
	for (unsigned int i = 0; i <= 256; i++) {
		char path[PATH_SIZE] = "objects";
		int rc;

		if (!s->dir_changed[i])
			continue;
		if (i < 256)
			snprintf(path, sizeof(path), "objects/%02x", i);
		rc = sync_dir(s, path);
		if (rc)
			return rc;
		s->dir_changed[i] = false;
	}
	return 0;
}
