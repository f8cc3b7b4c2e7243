/* SPDX-License-Identifier: MIT */
/*
 * helper.h - a drive's helper, in a process of its own, which is told what to do
 *
 * Its threads carry requests out on the store, in any order and with delays, some
 * of them twice at the same time; some touch what is long done.  What it finds wrong it
 * complains of.
 */
#ifndef STRESS_HELPER_H
#define STRESS_HELPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "store.h"
#include "wire.h"

struct helper {
	pid_t pid; /* 0: none */
	int control;
	unsigned int index;
};

struct helper_style {
	uint64_t seed;
	unsigned int delay_us; /* at most, for a request */
	unsigned int fails; /* one in so many requests; 0: none */
	bool small_buffer; /* of its socket: the driver must try again */
};

void helper_start(struct helper *h, struct store *store, const struct helper_style *style);

/* Each waits for the helper's answer: the driver's. */
int helper_attach(struct helper *h, const struct wire_drive *drive);
int helper_adopt(struct helper *h, unsigned int index, uint64_t until);
int helper_lease(struct helper *h, uint64_t until);
int helper_ask(struct helper *h, enum cdrive_cmd cmd);
int helper_detach(struct helper *h, bool force);
/* Until the disk is there: 0, or why it is not; -ETIMEDOUT. */
int helper_wait_ready(struct helper *h);
/* Closes its socket, under its threads' feet, which go on. */
int helper_close(struct helper *h);

/* kill -9, and waits until it is no more. */
void helper_kill(struct helper *h);
/* The same without waiting; then helper_kill() does. */
void helper_hit(struct helper *h);

#endif
