/* SPDX-License-Identifier: MIT */
/*
 * mkfs.h - making a file system, by its own tool in a sparse local file
 *
 * So neither the module nor root is needed, and only what the tool wrote goes to the
 * blob, which is little.  The file has no name, and is gone when this process ends.
 * It is in memory (memfd) or in $TMPDIR (/var/tmp), wherever the zeroes that the
 * tool writes become holes.
 */
#ifndef IMAGE_MKFS_H
#define IMAGE_MKFS_H

#include "image/job.h"

struct mkfs {
	const char *name; /* "ext4" */
	uint8_t type; /* of its partition */
	size_t longest_label; /* in bytes */
	const char *tool, *package;
	bool in_memory;
	bool usage_follows; /* when it fails, on what it says first */
	const char *const *arguments; /* before label and file */
};

/* NULL when there is none of that name. */
const struct mkfs *mkfs_find(const char *name);

/* Is the tool there?  0 or -1. */
int mkfs_check(struct job *job, const struct mkfs *f);

/*
 * A file of @size bytes with the file system, labelled @label (NULL: not); that
 * begins at @offset of its disk, which it may want to know.  A descriptor, or -1.
 */
int mkfs_run(struct job *job, const struct mkfs *f, uint64_t size, uint64_t offset,
	     const char *label);

#endif
