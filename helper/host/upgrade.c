// SPDX-License-Identifier: MIT
/*
 * First the agent, as it is the agent that brings the next helper.  Each step waits until
 * the drive is whole again, so that a program that does not work stops the first drive
 * at most.
 */
#include "host/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/handover.h"
#include "agent/lock.h"
#include "agent/spawner.h"
#include "command/message.h"
#include "host/helper.h"
#include "lib/loop.h"
#include "lib/module.h"
#include "lib/process.h"
#include "lib/runtime.h"
#include "lib/state.h"

#define MOUNT_S 60 /* for whoever is mounting the drive just now */
#define AGENT_MS 60000 /* longer than an agent waits for its successor */
#define LIVE_MS 60000 /* for the next helper to have the drive */
#define AGAIN_US 50000

/* --- what is installed ------------------------------------------------------------- */

static bool runs(const char *program)
{
	char *const argv[] = { (char *)program, (char *)"--help", NULL };
	int status = -1, null;
	pid_t pid = fork();

	if (pid == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(program, argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       !WEXITSTATUS(status);
}

int upgrade_possible(void)
{
	char program[PATH_MAX + 16];
	int protocol = module_protocol();

	spawner_find_helper(program, sizeof(program));
	if (!program[0] || !runs(program))
		return fail(EXIT_FAILED,
			    "%s: can't be executed; all stays as it is; install clouddrive anew",
			    program[0] ? program : "clouddrived");
	if (protocol >= 0 && protocol != CDRIVE_GENL_VERSION)
		return fail(
			EXIT_FAILED,
			"module cdrive: the one that is loaded has protocol %d, these programs %d; all stays as it is; unmount the drives, modprobe -r cdrive, and mount them again",
			protocol, CDRIVE_GENL_VERSION);
	return EXIT_OK;
}

/* --- the agent --------------------------------------------------------------------- */

/* It is the one that has the drive, as long as it is there. */
static int ask_agent(const struct driver_drive *d, const struct agent_info *agent, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	struct agent_info now;

	helper_agent(d, &now);
	if (!now.alive || now.pid != agent->pid)
		return -ESRCH;
	if (pidfd_send_signal(pidfd, HANDOVER_SIGNAL, NULL, 0))
		return -errno;
	poll(&p, 1, AGENT_MS);
	return 0;
}

static int replace_agent(const struct drive *drive, struct agent_info *agent)
{
	const struct driver_drive *d = &drive->driver;
	pid_t before = agent->pid;
	int pidfd, err;

	if (!process_waits_for(before, HANDOVER_SIGNAL))
		return fail(
			EXIT_FAILED,
			"/dev/cdrive%u: its agent (process %d) is of a version that can't be replaced; it goes on as it is; unmount the drive and mount it again when that suits",
			d->index, (int)before);
	pidfd = pidfd_open(before, 0);
	err = pidfd < 0 ? -errno : ask_agent(d, agent, pidfd);
	if (pidfd >= 0)
		close(pidfd);
	helper_agent(d, agent);
	if (err || !agent->alive || agent->pid == before)
		return fail(
			EXIT_FAILED,
			"/dev/cdrive%u: its agent (process %d) could not be replaced%s%s; see the system log (journalctl -t clouddrive-agent)",
			d->index, (int)before, err ? ": " : "", err ? strerror(-err) : "");
	return EXIT_OK;
}

/* --- the helper --------------------------------------------------------------------- */

static bool wait_until_live(struct driver_drive *d, pid_t before)
{
	uint64_t end = loop_now() + LOOP_MS(LIVE_MS);

	while (!driver_query(d->index, d) && loop_now() < end) {
		if (d->state == CDRIVE_STATE_FENCED)
			return false;
		if (d->state == CDRIVE_STATE_LIVE && d->helper_pid && d->helper_pid != before &&
		    helper_answers(d->index))
			return true;
		usleep(AGAIN_US);
	}
	return false;
}

static int replace_helper(struct driver_drive *d)
{
	pid_t before = d->helper_pid;

	if (d->state != CDRIVE_STATE_LIVE)
		return fail(
			EXIT_UNREACHABLE,
			"/dev/cdrive%u: is %s; its helper stays as it is; clouddrivectl upgrade again when the drive is live",
			d->index, state_name(d->state));
	helper_end(d);
	if (wait_until_live(d, before))
		return EXIT_OK;
	return fail(
		EXIT_FAILED,
		"/dev/cdrive%u: has no new helper after %d s: is %s; its agent goes on trying; see the system log (journalctl -t clouddrived -t clouddrive-agent)",
		d->index, LIVE_MS / 1000, state_name(d->state));
}

/* --- both ------------------------------------------------------------------------- */

static int upgrade_locked(const struct drive *drive)
{
	struct driver_drive now;
	struct agent_info agent;
	bool changed = false;
	int status = EXIT_OK;

	if (driver_query(drive->driver.index, &now))
		return EXIT_OK; /* it is gone */
	if (now.state == CDRIVE_STATE_FENCED) {
		note("/dev/cdrive%u: is fenced; unmount it", now.index);
		return EXIT_OK;
	}
	helper_end_deaf(&now, NULL); /* no agent could join it */
	helper_agent(&now, &agent);
	if (!agent.alive || agent.pid <= 0)
		return fail(
			EXIT_FAILED,
			"/dev/cdrive%u: has no agent, which would start the new helper; clouddrivectl mount %s brings one back",
			now.index, drive->url ? drive->url : "URL");
	if (process_outdated(agent.pid)) {
		status = replace_agent(drive, &agent);
		changed = true;
	}
	if (!status && !driver_query(now.index, &now) && now.helper_pid &&
	    process_outdated(now.helper_pid)) {
		status = replace_helper(&now);
		changed = true;
	}
	if (!status)
		printf("/dev/cdrive%u %s\n", now.index, changed ? "upgraded" : "is up to date");
	return status;
}

int upgrade_drive(const struct drive *drive)
{
	unsigned int index = drive->driver.index;
	char path[PATH_MAX], why[256];
	struct az_url url;
	int lock, status;

	if (!drive->url || az_url_parse(drive->url, &url, why, sizeof(why)))
		return fail(EXIT_FAILED,
			    "/dev/cdrive%u: it is not known which blob it is; it stays as it is",
			    index);
	lock = lock_take(lock_path_url(&url, path), MOUNT_S);
	az_url_free(&url);
	if (lock < 0)
		return fail(EXIT_FAILED, "/dev/cdrive%u: %s: %s; try again", index, path,
			    strerror(-lock));
	status = upgrade_locked(drive);
	lock_drop(lock, path);
	return status;
}
