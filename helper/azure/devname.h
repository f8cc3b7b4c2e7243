/* SPDX-License-Identifier: MIT */
/*
 * devname.h - the name of a drive's link: a URL as a path of files
 *
 * udev makes /dev/disk/by-clouddrive/NAME of it (scripts/udev), with -partN after
 * it for partitions. It is the URL without scheme and SAS, so that either
 * tells the other:
 *
 *	ACCOUNT.blob.core.windows.net/CONTAINER/BLOB
 *	127.0.0.1:PORT/ACCOUNT/CONTAINER/BLOB
 *	.../CONTAINER/BLOB@TIME		a snapshot
 *
 * in which BLOB is one part: all but letters, digits and -._~ is percent-encoded in it,
 * a slash, too, as a blob may be called a/b beside one called a. No two blobs have the
 * same: one called a-part1 has %2D for its dash, and parts too long for a file name end
 * in a hash of themselves.
 */
#ifndef AZURE_DEVNAME_H
#define AZURE_DEVNAME_H

struct az_url;

/* At most CDRIVE_MAX_NAME characters, malloc'ed; NULL: out of memory. */
char *devname_of(const struct az_url *url);

#endif
