/* SPDX-License-Identifier: MIT */
/*
 * drives.h - the drives of this machine: what the driver says and what was
 * written down beside it, put together
 *
 * Which blob a drive is, the driver knows: it has the drive's name, and for root what
 * its helper had it keep.  What is in /run/clouddrive is convenience, and may be lost.
 */
#ifndef HOST_DRIVES_H
#define HOST_DRIVES_H

#include <jansson.h>

#include "azure/url.h"
#include "lib/driver.h"

struct drive {
	struct driver_drive driver;
	json_t *record; /* NULL: none, or not to be read by this user */
	char *url; /* without its SAS; NULL: as above */
};

struct drives {
	struct drive drive[CDRIVE_MAX_DRIVES];
	size_t count;
};

/* All of them, by index; none when the module isn't loaded.  EXIT_OK, or a
 * status with its message. */
int drives_load(struct drives *drives);
void drives_free(struct drives *drives);

/* The drive of @url, or NULL. */
struct drive *drives_by_url(struct drives *drives, const struct az_url *url);

/*
 * Has @act deal with one of them: with the one that DRIVE on a command line means, a URL,
 * a device or a mount point; or with the one of @url, which is NULL when it is not mounted
 * here.  What @act returns, or a status with its message (EXIT_MISSING: no such DRIVE).
 */
typedef int (*drive_fn)(const struct drive *drive, void *ctx);
int drives_act(const char *drive, drive_fn act, void *ctx);
int drives_act_on_url(const struct az_url *url, drive_fn act, void *ctx);
/* The same, on the drive of the blob or of any of its snapshots. */
int drives_act_on_snapshots(const struct az_url *url, drive_fn act, void *ctx);

/* Its size in bytes. */
json_int_t drive_size(const struct drive *drive);

/* Looks at one that the driver has; 0 or a negative errno. */
int drive_load(unsigned int index, struct drive *drive);
void drive_free(struct drive *drive);

/* "/dev/cdrive3", into @buf of DEVICE_SIZE. */
#define DEVICE_SIZE 32
const char *device_name(unsigned int index, char *buf);

/* What the driver knows of a drive, as it is now; negative errno. */
int driver_query(unsigned int index, struct driver_drive *drive);

#endif
