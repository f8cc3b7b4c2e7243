/* SPDX-License-Identifier: MIT */
/*
 * supervise.h - an agent's helper: its channel, its tokens, its successors
 *
 *	start ── response ── ok ─────────── runs ── ended ── look ─┬─ gone: done
 *	            │                         ▲                    ├─ another's: done
 *	            └ the first's error: done └── start, adopting ─┴─ waits for a helper
 */
#ifndef AGENT_SUPERVISE_H
#define AGENT_SUPERVISE_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

#include "agent/key.h"
#include "agent/restart.h"
#include "azure/url.h"
#include "lib/loop.h"

struct supervisor_ops {
	/* The first response, {"index", …} or {"error"}; the latter comes when the
	 * helper has ended, and done() after it. */
	void (*responded)(void *arg, const json_t *response);
	/* There is nothing left to do. */
	void (*done)(void *arg);
	/* The response to spawner_succeed(): -errno, or a socket to another agent. */
	void (*successor)(void *arg, int fd);
};

struct supervisor {
	struct loop *loop;
	struct key *key;
	struct az_url url;
	char *name; /* the URL without SAS */
	json_t *request; /* for the next helper, but for the SAS */
	unsigned int refresh_s;
	const struct supervisor_ops *ops;
	void *arg;

	struct loop_fd channel, spawner;
	struct loop_timer refresh, again;
	struct restart restart;
	int index; /* -1: not known yet */
	pid_t helper; /* 0: none */
	bool responded; /* this helper has */
	int64_t clock_ahead; /* the service's, of ours, seconds */
	bool up; /* the first start is over, well */
	bool joined; /* it is another's child, and has not responded */
	bool unwanted;
	bool let_go; /* another agent is taking over */
	bool ended; /* and the helper has ended meanwhile */
	json_t *error; /* the first helper's */
	char failure[512]; /* the last that was logged */
};

/* @s zeroed, but for what is above @channel.  The spawner's end becomes the
 * supervisor's.  0 or -errno. */
int supervise_init(struct supervisor *s, int spawner);

/* Starts the first helper. */
void supervise_start(struct supervisor *s);
/* Or becomes the agent of one that lives. */
int supervise_join(struct supervisor *s, unsigned int index);

/* The helper is left to another agent; and taken back, when that does not take it. */
void supervise_let_go(struct supervisor *s);
void supervise_take_back(struct supervisor *s);

/* Nobody wants the drive any more: before the first response it is undone. */
void supervise_undo(struct supervisor *s);
/* Ends a helper that has not responded. */
void supervise_kill(struct supervisor *s);

/* The time by which tokens are made: the service's, as far as its clock is known. */
int64_t supervise_clock(const struct supervisor *s);

/* A fresh token now: the clock was set. */
void supervise_refresh(struct supervisor *s);

/* Lets go of everything: a helper that lives goes on.  Waits for the spawner's end. */
void supervise_free(struct supervisor *s);

#endif
