/* SPDX-License-Identifier: MIT */
/*
 * start.h - starting a drive's agent, and waiting until its drive is ready
 *
 * From agent_start() to agent_forget() SIGINT, SIGTERM and SIGHUP are blocked.  They
 * are looked for at points where the work so far can be undone.
 */
#ifndef HOST_START_H
#define HOST_START_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

struct agent_start {
	pid_t pid;
	int fd; /* our end of the socket pair */
	int signals; /* signalfd(2) of the three */
	bool interrupted;
};

#define AGENT_START_NONE ((struct agent_start){ .fd = -1, .signals = -1 })

/* Starts an agent and sends it @request (helper/agent/agent.h).  EXIT_OK, or a status
 * with its message. */
int agent_start(struct agent_start *a, const json_t *request, bool foreground);

/*
 * Waits for its response for as long as it lives: how long to go on trying is
 * the helper's decision.  A signal has it undo what was done, a second one
 * ends the helper.  EXIT_OK and the response, which is the caller's; or a status with
 * its message, the agent and its helper having ended.
 */
int agent_wait(struct agent_start *a, json_t **response);

/* Waits until it ends or a signal comes; true: a signal. */
bool agent_watch(struct agent_start *a);

/* Whether a signal came meanwhile. */
bool agent_interrupted(struct agent_start *a);

/* Nothing is undone from here on: a signal that comes now, or was not looked at, comes
 * too late, and changes neither the result nor how this process ends. */
void agent_too_late(void);

void agent_forget(struct agent_start *a);

#endif
