/* SPDX-License-Identifier: MIT */
/* detach.h - unmounting a drive's file systems and detaching it */
#ifndef HOST_DETACH_H
#define HOST_DETACH_H

#include <stdbool.h>

#include "host/drives.h"

/*
 * Unmounts every file system of the drive, lets its helper release the lease
 * and detach it, and removes a mount point that mount made.  @force: whatever
 * is still open, and whatever is lost by it; a fenced drive is always forced.  The
 * drive's agent has ended, too, when this returns.  EXIT_OK, or a status with its
 * message.  Returns in bounded time whatever the service or the helper does.
 */
int detach_drive(const struct drive *drive, bool force);

/* The same for the drive @index, looked up anew. */
int detach_index(unsigned int index, bool force);

#endif
