/* SPDX-License-Identifier: MIT */
/*
 * agent_channel.h - the drive's agent as its helper sees it, and the SAS that comes from it
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
 *
 * The clock that counts is the service's.  Where it differs from this machine's, the agent
 * is told by how much, as it has no network to learn that from, and makes a SAS that
 * begins and ends by it.
 */
#ifndef DRIVE_AGENT_CHANNEL_H
#define DRIVE_AGENT_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "azure/credential.h"
#include "lib/loop.h"

#define AGENT_CHANNEL_CHECK_S 10

/* A difference of the clocks, or a change of it, that the agent is told: more than a
 * response takes, which is by how much it seems to be smaller; far less than the five
 * minutes that a SAS begins early. */
#define AGENT_CHANNEL_CLOCK_S 30

struct agent_channel_ops {
	/* The channel ended before agent_channel_announced(). */
	void (*abandoned)(void *arg);
	/* There is no valid SAS, nothing should be sent; @why is for people. */
	void (*expired)(void *arg, const char *why);
	/* The SAS is another, or (@after: after expired()) valid again. */
	void (*fresh)(void *arg, bool after);
	/* By how many seconds the service's clock is ahead of this machine's, as far as is
	 * known; NULL: it is not. */
	int64_t (*clock_ahead)(void *arg);
};

struct agent_channel {
	struct loop *loop;
	struct az_credential *cred; /* the drive's */
	const char *name; /* the drive's, for the log */
	const struct agent_channel_ops *ops;
	void *arg;

	struct loop_fd socket; /* .fd -1: there is no agent */
	pid_t pid; /* 0: not known */
	bool user_sas; /* the agent can't make a fresh one, its user can */
	bool announced;
	bool expired;
	int64_t clock_told; /* to the agent, seconds ahead */
	struct loop_timer timer;
};

void agent_channel_init(struct agent_channel *c, struct loop *loop, struct az_credential *cred,
			const char *name, const struct agent_channel_ops *ops, void *arg);
/* Nothing is heard of the agent any more; the channel stays open, for a last word. */
void agent_channel_close(struct agent_channel *c);

/*
 * Makes @fd the channel, with what @request (the first message, or the "agent"
 * command) says of the agent; its process id else is @fd's peer's.  The SAS in it is
 * not looked at.  0 or a negative errno; on success @fd is the channel's to close.
 */
int agent_channel_open(struct agent_channel *c, int fd, const json_t *request);

/* The drive is ready and its agent knows. */
void agent_channel_announced(struct agent_channel *c);

/* Looks at the clock: after the service called the SAS expired. */
void agent_channel_check(struct agent_channel *c);

/* Tells the agent of the service's clock, unless it knows.  True: it was told, and a SAS that
 * goes by it will come. */
bool agent_channel_tell_clock(struct agent_channel *c);

/* What to do when the service refuses the SAS, in words that finish a message. */
const char *agent_channel_renewal(const struct agent_channel *c);

/* The control socket's commands: the response to "credential"; and NULL when @fd is the
 * channel now, or why it isn't. */
json_t *agent_channel_credential(struct agent_channel *c, const json_t *request);
json_t *agent_channel_connect(struct agent_channel *c, int fd, const json_t *request);

/* For status: {"kind", "expires", "expires_seconds"}, and {"pid"} or null. */
json_t *agent_channel_credential_status(const struct agent_channel *c);
json_t *agent_channel_status(const struct agent_channel *c);

#endif
