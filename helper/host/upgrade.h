/* SPDX-License-Identifier: MIT */
/*
 * upgrade.h - giving a drive in use the agent and the helper that are installed now
 *
 * The agent hands its key to a successor (agent/handover.h); the helper is ended, and the
 * agent starts another, which adopts the drive.  Requests wait meanwhile, and none fails.
 * See Documentation/upgrade.rst.
 */
#ifndef HOST_UPGRADE_H
#define HOST_UPGRADE_H

#include "host/drives.h"

/*
 * Whether what is installed would do: clouddrived can be executed, and the module that is
 * loaded has its protocol.  EXIT_OK, or a status with its message.
 */
int upgrade_possible(void);

/* One drive, of which a line is printed.  EXIT_OK, also when nothing was to be done; or a
 * status with its message, and the drive is served as it was, or waits for a helper. */
int upgrade_drive(const struct drive *drive);

#endif
