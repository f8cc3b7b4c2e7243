// SPDX-License-Identifier: MIT
#include "host/helper.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "azure/url.h"
#include "host/drives.h"
#include "lib/loop.h"
#include "lib/runtime.h"

#define RESPONSE_MS 2000
#define SOCKET_MS 5000 /* one that is just adopting has no control socket yet */
#define END_MS 5000
#define BACK_MS 5000 /* for an agent to start another */
#define AGAIN_US 50000

void helper_agent(const struct driver_drive *drive, struct agent_info *agent)
{
	json_t *request, *response = NULL;
	int pid = 0, user_sas = 0;

	agent_query(drive->index, agent);
	if (agent->alive || !drive->helper_pid)
		return;
	request = json_pack("{s:s}", "command", "status");
	if (!runtime_request(drive->index, request, &response, RESPONSE_MS) &&
	    !json_unpack(response, "{s:{s:i, s:b}}", "agent", "pid", &pid, "user_sas", &user_sas))
		*agent = (struct agent_info){ .alive = true, .pid = pid, .has_key = !user_sas };
	json_decref(request);
	json_decref(response);
}

/* --- a deaf one ------------------------------------------------------------------- */

bool helper_answers(unsigned int index)
{
	int fd = runtime_connect(index);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static bool has_socket(unsigned int index)
{
	int fd = runtime_connect(index);

	if (fd < 0)
		return fd != -ENOENT && fd != -ECONNREFUSED;
	close(fd);
	return true;
}

static bool is_deaf(struct driver_drive *drive)
{
	uint64_t end = loop_now() + LOOP_MS(SOCKET_MS);

	while (drive->helper_pid && !has_socket(drive->index)) {
		if (loop_now() >= end)
			return true;
		usleep(AGAIN_US);
		if (driver_query(drive->index, drive))
			return false;
	}
	return false;
}

static bool is_being_mounted(const char *text)
{
	struct az_url url;
	char path[PATH_MAX], why[256];
	int lock;

	if (!text)
		return false; /* it is us */
	if (az_url_parse(text, &url, why, sizeof(why)))
		return true;
	lock = lock_take(lock_path_url(&url, path), 0);
	az_url_free(&url);
	lock_drop(lock, path);
	return lock == -ETIMEDOUT;
}

/* It is the one that the driver means, as long as it is there. */
void helper_end(const struct driver_drive *drive)
{
	struct pollfd p = { .fd = pidfd_open(drive->helper_pid, 0), .events = POLLIN };
	struct driver_drive now;

	if (p.fd < 0)
		return;
	if (!driver_query(drive->index, &now) && now.helper_pid == drive->helper_pid &&
	    !pidfd_send_signal(p.fd, SIGKILL, NULL, 0))
		poll(&p, 1, END_MS);
	close(p.fd);
}

void helper_end_deaf(struct driver_drive *drive, const char *url)
{
	pid_t before = drive->helper_pid;
	uint64_t until;

	if (!before || !is_deaf(drive) || is_being_mounted(url))
		return;
	helper_end(drive);
	until = loop_now() + LOOP_MS(BACK_MS);
	while (!driver_query(drive->index, drive) && loop_now() < until &&
	       (!drive->helper_pid || drive->helper_pid == before || !has_socket(drive->index)))
		usleep(AGAIN_US);
}
