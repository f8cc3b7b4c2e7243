/* SPDX-License-Identifier: MIT */
/* detach.h - unmounting a drive's file systems and detaching it */
#ifndef HOST_DETACH_H
#define HOST_DETACH_H

#include <stdbool.h>

#include "host/drives.h"

/*
 * Writes out and unmounts every file system of the drive, lets its helper release the
 * lease and detach it, and removes a mount point that mount made.  @force: whatever is
 * still open, and whatever is lost by it; a fenced drive is always forced.  *@gone: the
 * drive is, and its agent, too.  EXIT_OK: and everything that was written is in the
 * blob; else a status with its message.  Returns in bounded time whatever the service or
 * the helper does.
 */
int detach_drive(const struct drive *drive, bool force, bool *gone);

/* The same for the drive @index, looked up anew. */
int detach_index(unsigned int index, bool force, bool *gone);

#endif
