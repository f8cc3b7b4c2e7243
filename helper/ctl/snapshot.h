/* SPDX-License-Identifier: MIT */
/* snapshot.h - taking snapshots */
#ifndef CTL_SNAPSHOT_H
#define CTL_SNAPSHOT_H

#include "ctl/progress.h"
#include "host/drives.h"

struct snapshot {
	char time[AZ_SNAPSHOT]; /* "": there is none */
	bool frozen; /* all of it was, while it was taken */
	bool unsure; /* there may be one, though none is known */
};

/* Of a drive that is mounted here, its file systems frozen.  EXIT_OK, or a status with its
 * message; there may be a snapshot with either. */
int snapshot_mounted(const struct drive *d, struct snapshot *s);

/*
 * Of any blob.  0 or -1, as job_call_once(): after a signal there may be one with -1.
 */
int snapshot_take(struct progress *p, struct az_blob *blob, struct snapshot *s);

#define SNAPSHOT_UNSURE "There may be a snapshot all the same"

#endif
