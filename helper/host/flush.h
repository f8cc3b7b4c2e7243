/* SPDX-License-Identifier: MIT */
/*
 * flush.h - whether what was written to a drive could be written out
 *
 * umount(2) ends well even when what it wrote out has failed.  Such errors are kept by
 * the kernel, once for each who had the file system or the device open as they
 * happened: so it is asked before the file system goes, and on the devices afterwards.
 *
 * Each is 0, or a negative errno: what failed since it was last asked, or -ETIMEDOUT
 * (see watched.h).
 */
#ifndef HOST_FLUSH_H
#define HOST_FLUSH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The file system at @dir, of the drive @index. */
int flush_file_system(const char *dir, unsigned int index, bool force);

/* Why something that was written is not in the blob, a sentence for people: is kept for
 * unmount, as the kernel tells an error once; and the writes that have failed so far are
 * told by it. */
void flush_lost(unsigned int index, const char *why);

/* Writes of the drive that failed since it was mounted, as the driver counts them. */
uint64_t flush_failed_writes(unsigned int index);

/* Those that flush_lost() has not told of yet. */
uint64_t flush_untold_writes(unsigned int index);

/* Whether @err, of writing out to the disk and its partitions, tells of the drive.  The
 * kernel also has EIO of a page that was written to while its place was written past the
 * page cache (dio_warn_stale_pagecache()): of that nothing is lost, and no write has failed. */
bool flush_is_of_drive(unsigned int index, int err);

/* The disk and its partitions, which are open from begin to end: end writes out; cancel
 * only closes them. */
struct flush {
	unsigned int index;
	pid_t pid; /* of the process that has them open; 0: none, or a negative errno */
	int go;
};

void flush_devices_begin(struct flush *f, unsigned int index);
int flush_devices_end(struct flush *f, bool force);
void flush_devices_cancel(struct flush *f);

/* The same by the caller itself, who may have to wait for as long as the drive is parked:
 * a positive errno, or 0. */
struct flush_here {
	int *fds;
	size_t count;
};

/* Opens the disk and its partitions.  After an error some may be open: close them. */
int flush_here_open(struct flush_here *f, unsigned int index);
int flush_here(const struct flush_here *f);
void flush_here_close(struct flush_here *f);

#endif
