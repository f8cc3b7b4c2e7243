// SPDX-License-Identifier: MIT
#include "host/drives.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "azure/devname.h"
#include "command/message.h"
#include "command/options.h"
#include "host/mounts.h"
#include "lib/notes.h"
#include "lib/runtime.h"

const char *device_name(unsigned int index, char *buf)
{
	snprintf(buf, DEVICE_SIZE, "/dev/cdrive%u", index);
	return buf;
}

json_int_t drive_size(const struct drive *drive)
{
	uint64_t bytes = drive->driver.sectors * 512;

	return (json_int_t)bytes;
}

/* The name of a drive of @text, or of the blob itself when that is a snapshot. */
static char *name_of(const char *text, bool without_snapshot)
{
	struct az_url url;
	char why[256], *name;

	if (!text || az_url_parse(text, &url, why, sizeof(why)))
		return NULL;
	if (without_snapshot) {
		free(url.snapshot);
		url.snapshot = NULL;
	}
	name = devname_of(&url);
	az_url_free(&url);
	return name;
}

static bool same_name(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

int driver_query(unsigned int index, struct driver_drive *drive)
{
	struct driver *d;
	int err;

	err = driver_open(&d);
	if (err)
		return err;
	err = driver_get(d, index, drive);
	driver_close(d);
	return err;
}

/* What else there is to know of it.  A record may be another's, of before. */
static void complete(struct drive *drive)
{
	const char *url;
	char *name;

	drive->record = runtime_load(drive->driver.index);
	drive->url = notes_url(&drive->driver.memory);
	if (drive->url)
		return;
	url = json_string_value(json_object_get(drive->record, "url"));
	name = name_of(url, false);
	if (same_name(name, drive->driver.name))
		drive->url = strdup(url);
	free(name);
}

int drive_load(unsigned int index, struct drive *drive)
{
	int err;

	*drive = (struct drive){ 0 };
	err = driver_query(index, &drive->driver);
	if (!err)
		complete(drive);
	return err;
}

void drive_free(struct drive *drive)
{
	json_decref(drive->record);
	free(drive->url);
}

int drives_load(struct drives *drives)
{
	struct driver_drive found[CDRIVE_MAX_DRIVES] = { 0 };
	struct driver *d;
	int i, n;

	memset(drives, 0, sizeof(*drives));
	n = driver_open(&d);
	if (n == -ENOENT)
		return EXIT_OK;
	if (!n) {
		n = driver_list(d, found);
		driver_close(d);
	}
	if (n < 0)
		return fail(EXIT_FAILED, "driver: %s; see whether module cdrive is of this version",
			    strerror(-n));
	for (i = 0; i < n; i++) {
		drives->drive[i].driver = found[i];
		complete(&drives->drive[i]);
	}
	drives->count = n;
	return EXIT_OK;
}

void drives_free(struct drives *drives)
{
	while (drives->count)
		drive_free(&drives->drive[--drives->count]);
}

static bool is_of(const struct drive *drive, const char *name, bool any_snapshot)
{
	char *blob;
	bool same = same_name(name, drive->driver.name);

	if (same || !any_snapshot)
		return same;
	blob = name_of(drive->url, true);
	same = same_name(name, blob);
	free(blob);
	return same;
}

static struct drive *find_blob(struct drives *drives, const struct az_url *url, bool any_snapshot)
{
	struct drive *found = NULL;
	char *name = devname_of(url);
	size_t i;

	for (i = 0; i < drives->count && !found; i++)
		if (is_of(&drives->drive[i], name, any_snapshot))
			found = &drives->drive[i];
	free(name);
	return found;
}

struct drive *drives_by_url(struct drives *drives, const struct az_url *url)
{
	return find_blob(drives, url, false);
}

static struct drive *by_index(struct drives *drives, int index)
{
	size_t i;

	for (i = 0; i < drives->count; i++)
		if ((int)drives->drive[i].driver.index == index)
			return &drives->drive[i];
	return NULL;
}

static int find_by_url(struct drives *drives, const char *arg, struct drive **drive)
{
	struct az_url url;
	char why[256];
	char *s = redacted(arg);
	int status = EXIT_OK;

	if (az_url_parse(arg, &url, why, sizeof(why))) {
		status = fail(EXIT_USAGE, "%s: %s; see clouddrivectl %s --help", s ? s : "URL", why,
			      command_verb);
	} else {
		*drive = drives_by_url(drives, &url);
		az_url_free(&url);
		if (!*drive)
			status = fail(EXIT_MISSING,
				      "%s: not mounted on this machine; see clouddrivectl list",
				      s ? s : "URL");
	}
	free(s);
	return status;
}

/* Mount points first: to ask about the directory itself would be to ask the
 * file system in it. */
static int find_by_path(struct drives *drives, const char *arg, struct drive **drive)
{
	int index = mounts_drive_at(arg);
	struct stat st;

	if (index < 0 && stat(arg, &st) == 0 && S_ISBLK(st.st_mode))
		index = drive_of_device(st.st_rdev);
	*drive = by_index(drives, index);
	if (*drive)
		return EXIT_OK;
	return fail(EXIT_MISSING, "%s: not a drive's device or mount point; see clouddrivectl list",
		    arg);
}

static int find(struct drives *drives, const char *arg, struct drive **drive)
{
	*drive = NULL;
	if (strstr(arg, "://"))
		return find_by_url(drives, arg, drive);
	if (!strchr(arg, '/') && *arg != '.')
		return fail(EXIT_MISSING,
			    "DRIVE: neither a URL nor a path; see clouddrivectl list");
	return find_by_path(drives, arg, drive);
}

int drives_act(const char *arg, drive_fn act, void *ctx)
{
	struct drives drives;
	struct drive *drive;
	int status;

	status = drives_load(&drives);
	if (status)
		return status;
	status = find(&drives, arg, &drive);
	if (!status)
		status = act(drive, ctx);
	drives_free(&drives);
	return status;
}

static int act_on_blob(const struct az_url *url, bool any_snapshot, drive_fn act, void *ctx)
{
	struct drives drives;
	int status;

	status = drives_load(&drives);
	if (status)
		return status;
	status = act(find_blob(&drives, url, any_snapshot), ctx);
	drives_free(&drives);
	return status;
}

int drives_act_on_url(const struct az_url *url, drive_fn act, void *ctx)
{
	return act_on_blob(url, false, act, ctx);
}

int drives_act_on_snapshots(const struct az_url *url, drive_fn act, void *ctx)
{
	return act_on_blob(url, true, act, ctx);
}
