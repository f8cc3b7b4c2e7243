/* SPDX-License-Identifier: MIT */
/*
 * handover.h - an agent that gives its place to one of another version
 *
 *	clouddrivectl upgrade ──SIGUSR2──▶ agent ──▶ spawner ──fork, exec──▶ successor
 *	                                     └───────── request, key ──────────▶ │
 *	                                     ◀─────────── response ──────────────┘
 *
 * The successor is started by the spawner, from the path that this program had, and is
 * told over a socket pair what mount once told this one, with the key; it joins the helper.
 * The key is never where a third process could read it.  See upgrade.rst.
 *
 * Until the successor has responded nothing is lost: when it fails, ends, or does
 * not respond in time, this agent goes on.
 */
#ifndef AGENT_HANDOVER_H
#define AGENT_HANDOVER_H

#include <stdbool.h>

#include "agent/supervise.h"
#include "lib/loop.h"

#define HANDOVER_SIGNAL SIGUSR2

struct handover_ops {
	/* The drive is about to be another agent's; and is ours again. */
	void (*let_go)(void *arg);
	void (*took_back)(void *arg);
	/* It is another's for good. */
	void (*replaced)(void *arg);
	/* A descriptor for the successor, or -1. */
	int (*front)(void *arg);
};

struct handover {
	struct loop *loop;
	struct supervisor *sup;
	const struct handover_ops *ops;
	void *arg;

	struct loop_fd signal;
	struct loop_fd socket; /* to the successor */
	struct loop_timer late;
	bool asked; /* the spawner, for a successor */
};

/* Waits for the signal; what is above @signal is set.  0 or -errno. */
int handover_init(struct handover *h);

/* The spawner's response (supervisor_ops). */
void handover_successor(struct handover *h, int fd);

void handover_free(struct handover *h);

#endif
