/* SPDX-License-Identifier: MIT */
/*
 * notes.h - what else clouddrived has the driver keep: a JSON object
 *
 *	{"url": the blob's URL, without its SAS,
 *	 "modified": Last-Modified of the last write that was acknowledged, seconds since
 *		     the epoch; 0: none was,
 *	 "interrupted": whether the lease was not ours for a while}
 *
 * It outlives the helper and /run/clouddrive, as struct driver_memory does.  A URL that
 * is too long for it is left out: the drive's name says which blob it is.
 */
#ifndef LIB_NOTES_H
#define LIB_NOTES_H

#include "lib/driver.h"

void notes_write(struct driver_memory *memory, const char *url, int64_t modified, bool interrupted);

/* The URL, malloc'ed; or NULL. */
char *notes_url(const struct driver_memory *memory);

int64_t notes_modified(const struct driver_memory *memory);
bool notes_interrupted(const struct driver_memory *memory);

#endif
