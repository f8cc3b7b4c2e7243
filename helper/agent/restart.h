/* SPDX-License-Identifier: MIT */
/*
 * restart.h - how long an agent waits before it starts its helper anew
 *
 * The first start is at once; after starts that did not get the drive the next comes
 * later and later (lib/retry.h), up to RETRY_MOST_MS; and a helper that ended
 * RESTART_STARTS times within RESTART_WINDOW_S is started after RETRY_MOST_MS.
 */
#ifndef AGENT_RESTART_H
#define AGENT_RESTART_H

#include <stdint.h>

#include "lib/retry.h"

#define RESTART_STARTS 5
#define RESTART_WINDOW_S 10

struct restart {
	unsigned int failures; /* starts in a row that did not get the drive */
	uint64_t starts[RESTART_STARTS]; /* when, ns; a ring */
	unsigned int next;
};

/* How long to wait with the next start, in ms. */
unsigned int restart_delay_ms(const struct restart *r, uint64_t now);
void restart_started(struct restart *r, uint64_t now);
void restart_succeeded(struct restart *r);
void restart_failed(struct restart *r);

#endif
