/* SPDX-License-Identifier: MIT */
/*
 * start.h - starting a helper, and waiting until its drive is ready
 *
 * From helper_start() on SIGINT, SIGTERM and SIGHUP are blocked: they are
 * taken in where something can be undone.
 */
#ifndef CTL_START_H
#define CTL_START_H

#include <stdbool.h>
#include <sys/types.h>

#include <jansson.h>

struct helper {
	pid_t pid;
	int fd; /* our end of the socket pair */
	int signals; /* signalfd(2) of the three */
	bool interrupted;
};

/* Starts clouddrived and sends it @request (runtime.h).  CTL_OK, or a status
 * with its message. */
int helper_start(struct helper *h, const json_t *request, bool foreground);

/*
 * Waits for its answer for as long as it lives: how long to go on trying is
 * its decision.  A signal tells it to undo what it has done, a second one
 * ends it.  CTL_OK and the device's index, or a status with its message;
 * h->interrupted may be true with either.
 */
int helper_wait(struct helper *h, unsigned int *index);

/* Waits until it ends or a signal comes; true: a signal. */
bool helper_watch(struct helper *h);

/* Whether a signal came meanwhile. */
bool helper_interrupted(struct helper *h);

void helper_forget(struct helper *h);

#endif
