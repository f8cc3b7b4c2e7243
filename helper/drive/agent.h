/* SPDX-License-Identifier: MIT */
/*
 * agent.h - the drive's agent as its helper sees it, and the SAS that comes from it
 *
 * The agent channel of lib/runtime.h: fresh SAS tokens come by it, and replace the
 * drive's credential for the calls that are started later; one that a user hands in
 * goes out by it.  Until the drive is announced the end of the channel means that
 * nobody wants the drive; afterwards the helper goes on without an agent for as
 * long as its SAS is valid.
 *
 * When the SAS has ended by this machine's clock, expired() says so, and fresh()
 * when there is a valid one again.  The clock may be set and the machine may be
 * suspended, so it is looked at every few seconds, and when the service says so.
 */
#ifndef DRIVE_AGENT_H
#define DRIVE_AGENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "azure/credential.h"
#include "lib/loop.h"

#define AGENT_CHECK_S 10

struct agent_ops {
	/* The channel ended before agent_announced(). */
	void (*abandoned)(void *arg);
	/* There is no valid SAS, nothing should be sent; @why is for people. */
	void (*expired)(void *arg, const char *why);
	/* The SAS is another, or (@after: after expired()) valid again. */
	void (*fresh)(void *arg, bool after);
};

struct agent {
	struct loop *loop;
	struct az_credential *cred; /* the drive's */
	const char *name; /* the drive's, for the log */
	const struct agent_ops *ops;
	void *arg;

	struct loop_fd channel; /* .fd -1: there is no agent */
	pid_t pid; /* 0: not known */
	bool user_sas; /* the agent can't make a fresh one, its user can */
	bool announced;
	bool expired;
	struct loop_timer timer;
};

void agent_init(struct agent *a, struct loop *loop, struct az_credential *cred, const char *name,
		const struct agent_ops *ops, void *arg);
/* Nothing is heard of the agent any more; the channel stays open, for a last word. */
void agent_close(struct agent *a);

/*
 * Makes @fd the channel, with what @request (the first message, or the "agent"
 * command) says of the agent; its process id else is @fd's peer's.  The SAS in it is
 * not looked at.  0 or a negative errno; on success @fd is the channel's to close.
 */
int agent_open(struct agent *a, int fd, const json_t *request);

/* The drive is ready and its agent knows. */
void agent_announced(struct agent *a);

/* Looks at the clock: after the service called the SAS expired. */
void agent_check(struct agent *a);

/* The control socket's commands: the answer to "credential"; and NULL when @fd is the
 * channel now, or why it isn't. */
json_t *agent_credential(struct agent *a, const json_t *question);
json_t *agent_connect(struct agent *a, int fd, const json_t *question);

/* For status: {"kind", "expires", "expires_seconds"}, and {"pid"} or null. */
json_t *agent_credential_status(const struct agent *a);
json_t *agent_status(const struct agent *a);

#endif
