// SPDX-License-Identifier: MIT
#include "image/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/whole.h"

/* Ours alone: it is written and read on one machine, between two starts of it. */
struct journal {
	char magic[16];
	char boot[40]; /* /proc/sys/kernel/random/boot_id */
	char etag[64];
	char url[3200];
	uint64_t size;
	uint64_t count; /* no padding: it is compared as a whole */
};

static const char magic[16] = "CloudDrivePart1";

/* --- files -------------------------------------------------------------------------- */

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return whole_pread(fd, buf, len, offset) == (ssize_t)len;
}

int partial_failed(struct job *job, const struct partial *p, int err)
{
	const char *advice = err == ENOSPC || err == EDQUOT ?
				     "make room there, then download it again: it goes on" :
			     err == EFBIG  ? "choose a file system for larger files" :
			     err == EACCES ? "choose another directory, or be root" :
			     err == ENOENT ? "make the directory first" :
			     err == EROFS  ? "choose another directory" :
					     "check the disk that it is on";

	return job_fail(job, EXIT_FAILED, "%s: %s; %s", p->path ? p->path : p->file, strerror(err),
			advice);
}

/* --- the journal ---------------------------------------------------------------------- */

static void describe(const struct partial *p, const char *url, const char *etag, struct journal *j)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	memset(j, 0, sizeof(*j));
	memcpy(j->magic, magic, sizeof(magic));
	if (fd >= 0) {
		n = read(fd, j->boot, sizeof(j->boot) - 1);
		close(fd);
	}
	if (n <= 0) /* who can't tell begins anew */
		snprintf(j->boot, sizeof(j->boot), "%d.%llu", getpid(),
			 (unsigned long long)loop_now());
	snprintf(j->etag, sizeof(j->etag), "%s", etag);
	snprintf(j->url, sizeof(j->url), "%s", url);
	j->size = p->size;
	j->count = p->count;
}

static uint64_t flags_at(const struct partial *p)
{
	return p->size + sizeof(struct journal);
}

static int begin(struct partial *p, const struct journal *j)
{
	int err;

	/* Nothing may be left of what was there before. */
	if (ftruncate(p->fd, 0) || ftruncate(p->fd, (off_t)(flags_at(p) + p->count)))
		return -errno;
	err = whole_pwrite(p->fd, p->arrived, p->count, flags_at(p));
	return err ? err : whole_pwrite(p->fd, j, sizeof(*j), p->size);
}

static int take_up(struct partial *p, const char *url, const char *etag)
{
	struct journal want, have;

	describe(p, url, etag, &want);
	p->resumed = read_at(p->fd, &have, sizeof(have), p->size) &&
		     !memcmp(&have, &want, sizeof(have)) &&
		     read_at(p->fd, p->arrived, p->count, flags_at(p));
	if (p->resumed)
		return 0;
	memset(p->arrived, 0, p->count);
	return begin(p, &want);
}

/* --- from the first to the last --------------------------------------------------------- */

static int check_target(struct job *job, const char *file)
{
	struct stat st;

	if (stat(file, &st) || S_ISREG(st.st_mode))
		return 0;
	return job_fail(job, EXIT_FAILED, "%s: %s; give the name of a file", file,
			S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
}

/* One that is not ours to write is not ours to remove, either. */
static int not_ours(struct job *job, struct partial *p, const char *why)
{
	close(p->fd);
	p->fd = -1;
	return job_fail(job, EXIT_FAILED, "%s: %s", p->path, why);
}

/* It was not renamed between opening and locking: by another download, to FILE. */
static bool is_there(const struct partial *p)
{
	struct stat a, b;

	return !fstat(p->fd, &a) && !lstat(p->path, &b) && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

static int lock(struct job *job, struct partial *p)
{
	struct stat st;

	p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
	if (p->fd < 0 || fstat(p->fd, &st))
		return partial_failed(job, p, errno);
	if (!S_ISREG(st.st_mode))
		return not_ours(job, p, "not a regular file; remove it");
	if (flock(p->fd, LOCK_EX | LOCK_NB))
		return not_ours(job, p,
				"another download is writing it; wait until that has ended");
	if (!is_there(p))
		return not_ours(job, p, "another download has just ended; look at what it made");
	return 0;
}

int partial_open(struct job *job, struct partial *p, const char *file, uint64_t size,
		 uint32_t count, const char *url, const char *etag)
{
	int err;

	*p = (struct partial){ .file = file, .fd = -1, .size = size, .count = count };
	if (check_target(job, file))
		return -1;
	p->arrived = calloc(count ? count : 1, 1);
	if (!p->arrived || asprintf(&p->path, "%s.part", file) < 0) {
		p->path = NULL;
		return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
	}
	if (lock(job, p))
		return -1;
	err = take_up(p, url, etag);
	return err ? partial_failed(job, p, -err) : 0;
}

int partial_write(struct partial *p, const void *buf, size_t len, uint64_t offset)
{
	return whole_pwrite(p->fd, buf, len, offset);
}

/* The disk begins with it at once: to be waited for in the end, it would have to write all
 * of the file then.  (A hint, so whether it can doesn't matter.) */
int partial_arrived(struct partial *p, uint32_t index, uint64_t offset, uint32_t len)
{
	sync_file_range(p->fd, (off_t)offset, len, SYNC_FILE_RANGE_WRITE);
	p->arrived[index] = 1;
	return whole_pwrite(p->fd, &p->arrived[index], 1, flags_at(p) + index);
}

int partial_finish(struct job *job, struct partial *p)
{
	/* With its journal first: when that fails, it can be gone on with. */
	if (fsync(p->fd) || ftruncate(p->fd, (off_t)p->size) || fsync(p->fd))
		return partial_failed(job, p, errno);
	p->whole = true;
	if (rename(p->path, p->file))
		return job_fail(job, EXIT_FAILED, "%s: %s; it is whole as %s, rename that", p->file,
				strerror(errno), p->path);
	/* The name, too, is to be there after a power loss. */
	whole_sync_parent(p->file);
	return 0;
}

void partial_close(struct partial *p, bool remove)
{
	if (remove && p->fd >= 0)
		unlink(p->path);
	if (p->fd >= 0)
		close(p->fd);
	free(p->path);
	free(p->arrived);
	*p = (struct partial){ .fd = -1 };
}
