/* SPDX-License-Identifier: MIT */
/*
 * freeze.h - the file systems of a drive, held still for a moment
 *
 * A child process freezes them (FIFREEZE), holds them, and thaws them when it is told
 * to, when this process ends in whatever way, and after FREEZE_HOLD_S at the latest.
 * Should the child be killed, this process thaws in its place.
 */
#ifndef HOST_FREEZE_H
#define HOST_FREEZE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "host/mounts.h"

/* To be written out and frozen in, and frozen at most. */
#define FREEZE_WAIT_S 30
#define FREEZE_HOLD_S 30

struct freeze {
	struct mounts at;
	pid_t pid;
	int hold; /* closing it thaws */
	bool frozen; /* false: something could only be written out, as its file
		      * system can't be frozen, or none is mounted */
};

/*
 * Freezes what is mounted of the drive @index, and on top of it, and writes out what was
 * written to the devices.  0: and all that was written is in the blob.  Or -1 with "WHY;
 * WHAT TO DO" in @why, nothing being frozen any more.
 */
int freeze(struct freeze *f, unsigned int index, bool read_only, char *why, size_t len);

/* Whether everything was frozen from then until now; thaws it. */
bool thaw(struct freeze *f);

#endif
