// SPDX-License-Identifier: MIT
/*
 * umount(2) writes back what is dirty, and so waits for as long as the drive
 * is parked.  It is left to a child, which is watched: as long as requests
 * complete it may take any time, and when none does for a while this program
 * stops waiting.
 */
#include "host/detach.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/lock.h"
#include "ctl/ctl.h"
#include "host/helper.h"
#include "host/mounts.h"
#include "lib/loop.h"
#include "lib/runtime.h"

#define PARKED_MS 10000 /* without progress, drive not live */
#define STUCK_MS 120000 /* without progress, drive live */
#define FORCED_MS 5000 /* then the device goes, and umount(2) with it */
#define HELPER_MS 90000 /* for the helper to answer "unmount" */
#define HELPER_FORCED_MS 30000
#define HELPER_FENCED_MS 3000 /* it has nothing left to wait for */
#define HELPER_BACK_MS 5000 /* for an agent to bring one back */
#define AGENT_S 5 /* for the agent to end, after the drive */
#define OPEN_MS 5000 /* for passing users, like udev */

/* --- file systems --------------------------------------------------------------- */

/* What tells progress from standing still: the numbers of requests completed.
 * The other fields are times, which pass anyhow. */
static void completed(unsigned int index, char *buf, size_t len)
{
	char path[64], reads[24] = "", writes[24] = "", discards[24] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/block/cdrive%u/stat", index);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%23s %*s %*s %*s %23s %*s %*s %*s %*s %*s %*s %23s", reads, writes,
			   discards) < 2)
			reads[0] = '\0';
		fclose(f);
	}
	snprintf(buf, len, "%s %s %s", reads, writes, discards);
}

static int umount_timeout_ms(unsigned int index, bool force)
{
	struct driver_drive d;

	if (force)
		return FORCED_MS;
	if (driver_query(index, &d) || d.state != CDRIVE_STATE_LIVE)
		return PARKED_MS;
	return STUCK_MS;
}

/* -ETIMEDOUT: still at it, and nothing moves. */
static int watch_child(pid_t pid, unsigned int index, bool force)
{
	struct pollfd p = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	char before[80], now[80];
	uint64_t since = loop_now();
	int status = 0, n;

	if (p.fd < 0)
		return -errno;
	completed(index, before, sizeof(before));
	while ((n = poll(&p, 1, 200)) <= 0) {
		completed(index, now, sizeof(now));
		if (strcmp(before, now) != 0)
			since = loop_now();
		memcpy(before, now, sizeof(before));
		if (loop_now() - since > LOOP_MS(umount_timeout_ms(index, force)))
			break;
	}
	close(p.fd);
	if (n <= 0)
		return -ETIMEDOUT;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

static int umount_watched(const char *dir, unsigned int index, bool force)
{
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(umount2(dir, UMOUNT_NOFOLLOW | (force ? MNT_DETACH : 0)) ? errno : 0);
	return watch_child(pid, index, force);
}

/* The service's fault where there is a helper that waits for it. */
static int umount_stuck(const char *dir, unsigned int index)
{
	struct driver_drive d;
	bool waits = !driver_query(index, &d) && d.helper_pid && d.state == CDRIVE_STATE_PARKED;

	return fail(
		waits ? EXIT_UNREACHABLE : EXIT_FAILED,
		"%s: data waits to be written and the drive makes no progress; bring %s back, or give the data up with --force",
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

/* Last mounted first. */
static int umount_all(unsigned int index, bool force)
{
	struct mounts m;
	int err, status = EXIT_OK;

	if (mounts_of(index, &m))
		return fail(EXIT_FAILED, "out of memory");
	while (m.count && !status) {
		const char *dir = m.dirs[m.count - 1];

		err = umount_watched(dir, index, force);
		/* -EINVAL: not a mount point any more. */
		if (err && err != -EINVAL && !(force && err == -ETIMEDOUT))
			status = umount_failed(dir, index, err);
		free(m.dirs[--m.count]);
	}
	mounts_free(&m);
	return status;
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

static int no_answer(unsigned int index, bool force, int err)
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
static int ask_to_unmount(const struct drive *drive, bool force, json_t **answer)
{
	json_t *question = json_pack("{s:s, s:b}", "command", "unmount", "force", force);
	uint64_t end = loop_now() + LOOP_MS(HELPER_BACK_MS);
	unsigned int index = drive->driver.index;
	struct driver_drive d;
	int err;

	for (;;) {
		err = runtime_ask(index, question, answer, helper_timeout_ms(drive, force));
		if ((err != -ENOENT && err != -ECONNREFUSED) || driver_query(index, &d) ||
		    !d.helper_pid || d.state == CDRIVE_STATE_FENCED || loop_now() > end)
			break;
		usleep(50000);
	}
	json_decref(question);
	return err;
}

static int detach_by_helper(const struct drive *drive, bool force)
{
	unsigned int index = drive->driver.index;
	json_t *answer;
	int err, status;

	if (!drive->driver.helper_pid)
		return detach_orphan(index, force);
	err = ask_to_unmount(drive, force, &answer);
	if (err)
		return no_answer(index, force, err);
	status = fail_answer(answer);
	if (!status && json_string_value(json_object_get(answer, "note")))
		note("/dev/cdrive%u: %s", index,
		     json_string_value(json_object_get(answer, "note")));
	json_decref(answer);
	return status;
}

static int unmount_and_detach(const struct drive *drive, bool force)
{
	unsigned int index = drive->driver.index;
	struct drive now = *drive;
	struct agent_info agent;
	int err, status;

	if (!force && drive->url)
		helper_end_deaf(&now.driver, drive->url);
	helper_agent(&now.driver, &agent);
	if (agent.alive && !force && !now.driver.helper_pid) {
		wait_for_helper(index);
		err = driver_query(index, &now.driver);
		if (err)
			return err == -ENODEV || err == -ENOENT ? EXIT_OK : EXIT_FAILED;
	}
	status = umount_all(index, force);
	if (!status)
		status = detach_by_helper(&now, force);
	/* It has seen the drive go, and ends: nothing of it is left when this returns. */
	if (!status)
		agent_wait_end(&agent, AGENT_S);
	return status;
}

int detach_drive(const struct drive *drive, bool force)
{
	const char *made = json_string_value(json_object_get(drive->record, "made_mount_point"));
	bool fenced = drive->driver.state == CDRIVE_STATE_FENCED;
	int status;

	/* Whoever has something open on a fenced drive gets errors anyway. */
	status = unmount_and_detach(drive, force || fenced);
	if (!status && fenced && !force)
		note("/dev/cdrive%u: was fenced; what was not written before that is lost, check the file system with fsck",
		     drive->driver.index);
	/* Fails, as it should, when someone has put something there. */
	if (!status && made)
		rmdir(made);
	return status;
}

int detach_index(unsigned int index, bool force)
{
	struct drive drive;
	int err, status;

	err = drive_load(index, &drive);
	if (err == -ENODEV || err == -ENOENT)
		return EXIT_OK;
	if (err)
		return fail(EXIT_FAILED, "/dev/cdrive%u: %s", index, strerror(-err));
	status = detach_drive(&drive, force);
	drive_free(&drive);
	return status;
}
