// SPDX-License-Identifier: MIT
#include "lib/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Where the file stands, unless there is an offset. */
#define HERE UINT64_MAX

static ssize_t read_to_end(int fd, char *buf, size_t len, uint64_t offset)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = offset == HERE ?
				    read(fd, buf + have, len - have) :
				    pread(fd, buf + have, len - have, (off_t)(offset + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

ssize_t whole_read(int fd, void *buf, size_t len)
{
	return read_to_end(fd, buf, len, HERE);
}

ssize_t whole_pread(int fd, void *buf, size_t len, uint64_t offset)
{
	return read_to_end(fd, buf, len, offset);
}

static int write_to_end(int fd, const char *buf, size_t len, uint64_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = offset == HERE ?
				    write(fd, buf + done, len - done) :
				    pwrite(fd, buf + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int whole_write(int fd, const void *buf, size_t len)
{
	return write_to_end(fd, buf, len, HERE);
}

int whole_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
	return write_to_end(fd, buf, len, offset);
}

int whole_sync_parent(const char *path)
{
	char copy[PATH_MAX];
	int fd, err = 0;

	if (snprintf(copy, sizeof(copy), "%s", path) >= (int)sizeof(copy))
		return -ENAMETOOLONG;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		err = -errno;
	close(fd);
	return err;
}
