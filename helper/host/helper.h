/* SPDX-License-Identifier: MIT */
/* helper.h - the helper of a drive, as other programs of the machine find it */
#ifndef HOST_HELPER_H
#define HOST_HELPER_H

#include "agent/lock.h"
#include "lib/driver.h"

/*
 * The drive's agent: as it says itself, or, when /run/clouddrive was lost since it
 * began, as the helper says.
 */
void helper_agent(const struct driver_drive *drive, struct agent_info *agent);

/*
 * A helper that can't be asked anything, as its control socket was lost, serves its
 * drive all the same.  It is ended for one that can: its agent starts that, or whoever
 * adopts the drive.  *@drive is the drive as it is then.  Nothing is done to one that
 * can be asked, nor while somebody is mounting @url (NULL: the caller is).
 */
void helper_end_deaf(struct driver_drive *drive, const char *url);

/* Ends it outright: its agent starts another.  Waits until it has ended. */
void helper_end(const struct driver_drive *drive);

/* Whether there is one that can be asked. */
bool helper_answers(unsigned int index);

#endif
