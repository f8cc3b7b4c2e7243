// SPDX-License-Identifier: MIT
/*
 * What is dirty is written out before anything goes, as umount(2) doesn't tell what
 * fails; the rest of it, which umount(2) writes, is asked for on the devices.  When all
 * of that went well, no write has failed since it was mounted, and the drive is not fenced
 * by then, everything is in the blob: a write has completed when the service has it.
 */
#include "host/detach.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "agent/lock.h"
#include "command/message.h"
#include "host/cached.h"
#include "host/flush.h"
#include "host/freeze.h"
#include "host/helper.h"
#include "host/mounts.h"
#include "host/watched.h"
#include "lib/loop.h"
#include "lib/runtime.h"

#define HELPER_MS 90000 /* for the helper to respond to "unmount" */
#define HELPER_FORCED_MS 30000
#define HELPER_FENCED_MS 3000 /* it has nothing left to wait for */
#define HELPER_BACK_MS 5000 /* for an agent to bring one back */
#define AGENT_S 5 /* for the agent to end, after the drive */
#define OPEN_MS 5000 /* for passing users, like udev */

struct detachment {
	unsigned int index;
	const struct drive *drive; /* as it was found */
	bool force; /* also because it is fenced */
	bool files; /* it has, or had, a file system that could be written to */
	char lost[320]; /* why not all is in the blob, for people; "" */
	bool fenced; /* when all was written out, and why as far as is known: */
	char why_fenced[320];
	bool held; /* in use, but taken away: */
	struct freeze freeze;
};

/* The first reason counts, and is kept for who tries again: the kernel tells it once. */
__attribute__((format(printf, 2, 3))) static void lose(struct detachment *d, const char *fmt, ...)
{
	va_list args;

	if (d->lost[0])
		return;
	va_start(args, fmt);
	vsnprintf(d->lost, sizeof(d->lost), fmt, args);
	va_end(args);
	flush_lost(d->index, d->lost);
}

/* --- file systems --------------------------------------------------------------- */

struct umounting {
	const char *dir;
	int flags;
};

static int umount_it(void *arg)
{
	const struct umounting *u = arg;

	return umount2(u->dir, u->flags) ? errno : 0;
}

static int umount_watched(const struct detachment *d, const char *dir, int flags)
{
	struct umounting u = { dir, UMOUNT_NOFOLLOW | flags };

	return watched_run(umount_it, &u, d->index, d->force);
}

static int remount_it(void *arg)
{
	return mount(NULL, arg, NULL, MS_REMOUNT | MS_RDONLY, NULL) ? errno : 0;
}

/* What can't be frozen, as NTFS: it is at rest if nobody has a file open to write to. */
static bool is_only_read(const struct detachment *d)
{
	struct mounts m = { 0 };
	bool good = !mounts_of(d->index, &m);

	for (size_t i = 0; good && i < m.count; i++)
		good = !watched_run(remount_it, m.dirs[i], d->index, true) &&
		       !flush_file_system(m.dirs[i], d->index, true);
	mounts_free(&m);
	return good;
}

/*
 * Who uses it goes on writing until the device is gone.  It is held still from here until
 * then, as what is written after it was written out would be lost without a word.
 */
static void hold_still(struct detachment *d)
{
	char why[320];

	if (d->held || d->lost[0] || d->drive->driver.read_only ||
	    d->drive->driver.state == CDRIVE_STATE_FENCED)
		return;
	d->held = !freeze(&d->freeze, d->index, false, why, sizeof(why));
	if (!d->held)
		lose(d, "%s", why);
	else if (!d->freeze.frozen && !is_only_read(d))
		lose(d, "it was in use, and can't be frozen");
}

static int umount_forced(struct detachment *d, const char *dir)
{
	int err = umount_watched(d, dir, 0);

	if (err != -EBUSY)
		return err;
	hold_still(d);
	return umount_watched(d, dir, MNT_DETACH);
}

/* The service's fault where there is a helper that waits for it. */
static int umount_stuck(const char *dir, unsigned int index)
{
	struct driver_drive d;
	bool waits = !driver_query(index, &d) && d.helper_pid && d.state == CDRIVE_STATE_PARKED;

	return fail(
		waits ? EXIT_UNREACHABLE : EXIT_FAILED,
		"%s: data waits to be written and the drive makes no progress; bring %s back, and unmount it then",
		dir, waits ? "the service" : "the helper (clouddrivectl mount URL)");
}

static int umount_failed(const char *dir, unsigned int index, int err)
{
	char users[256];

	if (err == -ETIMEDOUT)
		return umount_stuck(dir, index);
	if (err != -EBUSY)
		return fail(EXIT_FAILED, "%s: umount: %s; see dmesg", dir, strerror(-err));
	mounts_users(dir, users, sizeof(users));
	return fail(EXIT_BUSY, "%s: files in use%s%s; close them and try again, or use --force",
		    dir, *users ? " by " : "", users);
}

static const char *why_not(int err)
{
	return err == -ETIMEDOUT ? "the drive makes no progress" : strerror(-err);
}

static int umount_one(struct detachment *d, const char *dir)
{
	int err = flush_file_system(dir, d->index, d->force);

	if (err == -ETIMEDOUT && !d->force)
		return umount_stuck(dir, d->index);
	if (err)
		lose(d, "%s could not be written out: %s", dir, why_not(err));
	else if (!d->drive->driver.read_only && mounts_failed(dir))
		lose(d, "%s had turned read-only after an error", dir);
	err = d->force ? umount_forced(d, dir) : umount_watched(d, dir, 0);
	/* -EINVAL: not a mount point any more. */
	if (!err || err == -EINVAL || (d->force && err == -ETIMEDOUT))
		return EXIT_OK;
	return umount_failed(dir, d->index, err);
}

/* Last mounted first. */
static int umount_all(struct detachment *d)
{
	struct mounts m;
	int status = EXIT_OK;

	if (mounts_of(d->index, &m))
		return fail(EXIT_FAILED, "out of memory");
	d->files |= m.count && !d->drive->driver.read_only;
	while (m.count && !status) {
		status = umount_one(d, m.dirs[m.count - 1]);
		free(m.dirs[--m.count]);
	}
	mounts_free(&m);
	return status;
}

static bool is_failing(unsigned int index)
{
	struct driver_drive d;

	return !driver_query(index, &d) && d.state == CDRIVE_STATE_FAILING;
}

/* A dead file system has no way to tell what it could not write. */
static void look_at_state(struct detachment *d)
{
	bool failing = is_failing(d->index);
	struct driver_drive now;

	d->fenced = !driver_query(d->index, &now) && now.state == CDRIVE_STATE_FENCED;
	if ((d->fenced || failing) && d->files)
		lose(d, "it has a file system, which could not be brought to rest");
}

/* Whoever was told, and whether they wrote it anew: it can't be known. */
static void look_at_failed(struct detachment *d)
{
	uint64_t failed = flush_failed_writes(d->index);

	if (failed)
		lose(d, "failed writes since it was mounted: %llu", (unsigned long long)failed);
}

/* What is on top of it as a device, LVM for one, can't be asked. */
static void look_at_holders(struct detachment *d)
{
	char disk[64], partitions[64];
	glob_t found = { 0 };

	if (!d->force || d->drive->driver.read_only)
		return;
	snprintf(disk, sizeof(disk), "/sys/block/cdrive%u/holders/*", d->index);
	snprintf(partitions, sizeof(partitions), "/sys/block/cdrive%u/cdrive*/holders/*", d->index);
	glob(disk, 0, NULL, &found);
	glob(partitions, found.gl_pathc ? GLOB_APPEND : 0, NULL, &found);
	if (found.gl_pathc)
		lose(d, "%s was still on it", strrchr(found.gl_pathv[0], '/') + 1);
	globfree(&found);
}

static int write_out_and_umount(struct detachment *d)
{
	char device[DEVICE_SIZE];
	struct flush devices;
	int err, status;

	device_name(d->index, device);
	flush_devices_begin(&devices, d->index);
	status = umount_all(d);
	if (status) {
		flush_devices_cancel(&devices);
		return status;
	}
	err = flush_devices_end(&devices, d->force);
	if (err == -ETIMEDOUT && !d->force)
		return umount_stuck(device, d->index);
	if (err && flush_is_of_drive(d->index, -err))
		lose(d, "%s could not be written out: %s", device, why_not(err));
	look_at_failed(d);
	look_at_state(d);
	look_at_holders(d);
	return EXIT_OK;
}

/* --- the device ------------------------------------------------------------------ */

static int detach_retrying(unsigned int index, bool force)
{
	uint64_t end = loop_now() + LOOP_MS(OPEN_MS);
	struct driver *d;
	int err;

	err = driver_open(&d);
	if (err)
		return err;
	while ((err = driver_detach(d, index, force)) == -EBUSY && loop_now() < end)
		usleep(50000);
	driver_close(d);
	return err == -ENODEV ? 0 : err;
}

static int detach_orphan(unsigned int index, bool force)
{
	struct driver_drive d;
	bool fenced = !driver_query(index, &d) && d.state == CDRIVE_STATE_FENCED;
	int err = detach_retrying(index, force);

	if (err == -EBUSY)
		return fail(
			EXIT_BUSY,
			"/dev/cdrive%u: open by another program; close it and try again, or use --force",
			index);
	if (err)
		return fail(EXIT_FAILED, "/dev/cdrive%u: detaching: %s; see dmesg", index,
			    strerror(-err));
	runtime_remove(index);
	if (!fenced)
		note("/dev/cdrive%u: detached without its helper; its lease could not be released, and runs out within 60 s",
		     index);
	return EXIT_OK;
}

/* A helper that does not answer is ended after its device was: what it may
 * still send fails at the service by sequence number and lease. */
static int detach_from_helper(unsigned int index, pid_t helper)
{
	int fd = pidfd_open(helper, 0);
	int status = detach_orphan(index, true);

	if (fd >= 0) {
		if (!status)
			pidfd_send_signal(fd, SIGKILL, NULL, 0);
		close(fd);
	}
	return status;
}

static int no_response(unsigned int index, bool force, int err)
{
	struct driver_drive now;
	int look = driver_query(index, &now);

	if (look == -ENODEV || look == -ENOENT) {
		runtime_remove(index);
		return EXIT_OK;
	}
	if (!look && !now.helper_pid)
		return detach_orphan(index, force);
	if (!look && force)
		return detach_from_helper(index, now.helper_pid);
	return fail(
		EXIT_FAILED,
		"/dev/cdrive%u: its helper (process %d) does not answer: %s; try again, or use --force",
		index, look ? 0 : (int)now.helper_pid, strerror(-err));
}

static int helper_timeout_ms(const struct drive *drive, bool force)
{
	if (drive->driver.state == CDRIVE_STATE_FENCED)
		return HELPER_FENCED_MS;
	return force ? HELPER_FORCED_MS : HELPER_MS;
}

/* Only a helper can release the lease, and an agent is about to bring one back. */
static void wait_for_helper(unsigned int index)
{
	uint64_t end = loop_now() + LOOP_MS(HELPER_BACK_MS);
	struct driver_drive d;

	while (!driver_query(index, &d) && !d.helper_pid && d.state != CDRIVE_STATE_FENCED &&
	       loop_now() < end)
		usleep(50000);
}

/* A helper that is just adopting has no control socket yet. */
static int request_unmount(const struct drive *drive, bool force, json_t **response)
{
	json_t *request = json_pack("{s:s, s:b}", "command", "unmount", "force", force);
	uint64_t end = loop_now() + LOOP_MS(HELPER_BACK_MS);
	unsigned int index = drive->driver.index;
	struct driver_drive d;
	int err;

	for (;;) {
		err = runtime_request(index, request, response, helper_timeout_ms(drive, force));
		if ((err != -ENOENT && err != -ECONNREFUSED) || driver_query(index, &d) ||
		    !d.helper_pid || d.state == CDRIVE_STATE_FENCED || loop_now() > end)
			break;
		usleep(50000);
	}
	json_decref(request);
	return err;
}

/* What the helper says as it goes. */
static void listen_to(struct detachment *d, const json_t *response)
{
	const char *said = json_string_value(json_object_get(response, "note"));
	const char *fenced = json_string_value(json_object_get(response, "fenced"));
	json_int_t failed = json_integer_value(json_object_get(response, "failed_writes"));

	if (failed > 0)
		lose(d, "%" JSON_INTEGER_FORMAT " writes failed, see the system log", failed);
	snprintf(d->why_fenced, sizeof(d->why_fenced), "%s", fenced ? fenced : "");
	if (said && !d->lost[0])
		note("/dev/cdrive%u: %s", d->index, said);
}

static int detach_by_helper(struct detachment *d, const struct drive *drive)
{
	unsigned int index = d->index;
	bool force = d->force;
	json_t *response;
	int err, status;

	if (!drive->driver.helper_pid)
		return detach_orphan(index, force);
	err = request_unmount(drive, force, &response);
	if (err)
		return no_response(index, force, err);
	status = fail_response(response);
	if (!status)
		listen_to(d, response);
	json_decref(response);
	return status;
}

/* A drive past its park limit goes on, but what fails meanwhile is not in the blob. */
static int refuse_failing(unsigned int index)
{
	return fail(
		EXIT_UNREACHABLE,
		"/dev/cdrive%u: its requests fail, as the park limit has passed, and what is written now is lost; bring the service back, and unmount it then",
		index);
}

static int unmount_and_detach(struct detachment *d)
{
	struct drive now = *d->drive;
	struct agent_info agent;
	int err, status;

	if (!d->force && d->drive->url)
		helper_end_deaf(&now.driver, d->drive->url);
	helper_agent(&now.driver, &agent);
	if (agent.alive && !d->force && !now.driver.helper_pid) {
		wait_for_helper(d->index);
		err = driver_query(d->index, &now.driver);
		if (err)
			return err == -ENODEV || err == -ENOENT ? EXIT_OK : EXIT_FAILED;
	}
	status = write_out_and_umount(d);
	if (!status)
		status = detach_by_helper(d, &now);
	/* It has seen the drive go, and ends: nothing of it is left when this returns. */
	if (!status)
		agent_wait_end(&agent, AGENT_S);
	return status;
}

static int say_lost(const struct detachment *d)
{
	char fenced[360] = "";

	if (d->fenced)
		snprintf(fenced, sizeof(fenced), "; it was fenced%s%s",
			 d->why_fenced[0] ? ": " : "", d->why_fenced);
	return fail(
		EXIT_FAILED,
		"/dev/cdrive%u: is unmounted, but not all that was written is in the blob: %s%s; mount it again with --fsck and look what is missing",
		d->index, d->lost, fenced);
}

int detach_drive(const struct drive *drive, bool force, bool *gone)
{
	const char *made = json_string_value(json_object_get(drive->record, "made_mount_point"));
	const char *lost = json_string_value(json_object_get(drive->record, "lost"));
	bool fenced = drive->driver.state == CDRIVE_STATE_FENCED;
	struct detachment d = {
		.index = drive->driver.index,
		.drive = drive,
		/* Whoever has something open on a fenced drive gets errors anyway. */
		.force = force || fenced,
		.files = json_object_get(drive->record, "mounted_at") && !drive->driver.read_only,
	};
	int status;

	if (!d.force && is_failing(d.index))
		return refuse_failing(d.index);
	snprintf(d.lost, sizeof(d.lost), "%s", lost ? lost : "");
	status = unmount_and_detach(&d);
	if (d.held && !thaw(&d.freeze) && !status)
		lose(&d, "it was in use, and went on before it was taken away");
	*gone = !status;
	if (*gone)
		cached_put_away();
	/* Fails, as it should, when someone has put something there. */
	if (!status && made)
		rmdir(made);
	if (!status && d.lost[0])
		return say_lost(&d);
	if (!status && d.fenced)
		note("/dev/cdrive%u: was fenced; nothing that waited to be written was lost by it",
		     d.index);
	return status;
}

int detach_index(unsigned int index, bool force, bool *gone)
{
	struct drive drive;
	int err, status;

	err = drive_load(index, &drive);
	*gone = err == -ENODEV || err == -ENOENT;
	if (*gone)
		return EXIT_OK;
	if (err)
		return fail(EXIT_FAILED, "/dev/cdrive%u: %s", index, strerror(-err));
	status = detach_drive(&drive, force, gone);
	drive_free(&drive);
	return status;
}
