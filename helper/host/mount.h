/* SPDX-License-Identifier: MIT */
/*
 * mount.h - one mount, as its parts see it
 *
 *	ctl/mount.c	the verb: what was asked for, in turn, and what is printed
 *	attach.c	from URL to device: a new drive, or one that is there
 *	mountpoint.c	from device to mount point
 */
#ifndef HOST_MOUNT_H
#define HOST_MOUNT_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/cdrive.h>

#include "cache/activate.h"
#include "command/session.h"
#include "host/start.h"

#define PARK_LIMIT_UNSET UINT64_MAX /* the module's; 0: none */

struct mount {
	/* as asked for */
	struct session_options options;
	const char *where; /* DIR as given, or NULL */
	bool read_only, no_fs, fsck, foreground, json, force;
	bool several; /* one of several URLs, of which a free one is meant */
	uint64_t connections, park_limit, lifetime;
	uint64_t cache; /* bytes that are reserved; CACHE_UNSET */

	struct session session;
	int no_credential; /* az_credential_load()'s error, and why */
	char why[256];

	struct cache_use cache_use;
	char kept[CDRIVE_MAX_VALIDATOR + 1]; /* under which the cache has something of it; "" */

	unsigned int index;
	bool was_there; /* the device: not this program's to take away */
	struct agent_start agent; /* the one that was started, if any */
	char dir[PATH_MAX]; /* mount point; "" while there is none */
	bool made_dir;
};

/* Makes the blob a device, or finds that it is one.  EXIT_OK, or a status with its
 * message.  A status of EXIT_BUSY or EXIT_LEASED: somebody has it. */
int attach(struct mount *m);

/* Mounts the file system on it, unless it is mounted; likewise. */
int mountpoint_mount(struct mount *m);
/* EXIT_FAILED, with the message that a signal came, and what becomes of the drive. */
int mount_interrupted(const struct mount *m);
/* Before anything: whether DIR will do. */
int mountpoint_check(struct mount *m);

#endif
