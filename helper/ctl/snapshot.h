/* SPDX-License-Identifier: MIT */
/* snapshot.h - taking a snapshot of a blob */
#ifndef CTL_SNAPSHOT_H
#define CTL_SNAPSHOT_H

#include "ctl/work.h"

/*
 * Takes one of the job's blob; its time goes into @time (AZ_SNAPSHOT), "" when there is
 * none.  0 or -1, as job_call_once(): after a signal there may be one with -1.
 */
int snapshot_take(struct work *w, char *time, size_t len);

#endif
