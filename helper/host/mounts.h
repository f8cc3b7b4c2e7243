/* SPDX-License-Identifier: MIT */
/*
 * mounts.h - file systems of drives, as this process's mount table has them
 */
#ifndef HOST_MOUNTS_H
#define HOST_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mounts {
	char **dirs; /* in order of mounting */
	size_t count;
};

/* The mount points of a drive's disk and partitions; 0 or -errno. */
int mounts_of(unsigned int index, struct mounts *m);
/* The same, and of what is on top of them (LVM, dm-crypt, md). */
int mounts_on(unsigned int index, struct mounts *m);
void mounts_free(struct mounts *m);

/* The drive whose file system is mounted at @dir, or -1. */
int mounts_drive_at(const char *dir);
/* The same, also on top of a drive. */
int mounts_drive_on(const char *dir);

/* The drive that a block device is, or is a partition of; or -1. */
int drive_of_device(dev_t dev);

/* Whether something is mounted at @dir. */
bool is_mount_point(const char *dir);

/* Whether the file system at @dir, which was mounted to be written to, has turned
 * read-only: it does after an error, and no longer tells of any. */
bool mounts_failed(const char *dir);

/*
 * Mounts @device at @dir.  NTFS is the kernel's (ntfs3) where it has that, else ntfs-3g's.
 * What was not unmounted cleanly and is not to be written to is mounted without its
 * journal (ext4, xfs).  MOUNTS_SNAPSHOT: read-only, beside the file system that it is a
 * snapshot of.  0, or -errno with a sentence in @why; -ENODEV: there is nothing here that
 * knows the file system, and the sentence says what to do.
 */
enum mounts_how { MOUNTS_WRITE, MOUNTS_READ, MOUNTS_SNAPSHOT };
int mounts_mount(const char *device, const char *type, const char *dir, enum mounts_how how,
		 char *why, size_t len);

/* "bash (812), make (815)": processes that use the file system at @dir, as far
 * as can be seen; "" when none is; into @buf. */
const char *mounts_users(const char *dir, char *buf, size_t len);

#endif
