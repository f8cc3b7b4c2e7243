/* SPDX-License-Identifier: MIT */
/* fsck.h - a file system's own checker, before it is mounted */
#ifndef HOST_FSCK_H
#define HOST_FSCK_H

#include <stdbool.h>
#include <stddef.h>

#include "host/filesystem.h"

/*
 * Runs the checker of the file system that is on @fs: e2fsck -p, xfs_repair or
 * ntfsfix -d, which repair what can be without asking; with @read_only what only
 * looks (-n).  An XFS whose log was left behind is mounted for a moment first, for that
 * replays it.  A signal on @signals (signalfd(2), or -1; it is left there) ends it.
 *
 * 0: clean, or repaired, which is in @why then (else "").  -1 with "WHY; WHAT TO
 * DO" in @why.
 */
int fsck_run(const struct filesystem *fs, bool read_only, int signals, char *why, size_t len);

#endif
