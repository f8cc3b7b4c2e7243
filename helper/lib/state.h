/* SPDX-License-Identifier: MIT */
/* state.h - the states of a drive (uapi/linux/cdrive.h) by name, as in sysfs and uevents */
#ifndef LIB_STATE_H
#define LIB_STATE_H

#include <linux/cdrive.h>

/* "live", "parked", …; "unknown" for one that is newer than this program. */
const char *state_name(enum cdrive_state state);

#endif
