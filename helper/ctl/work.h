/* SPDX-License-Identifier: MIT */
/*
 * work.h - verbs that take long: a job (image/job.h) on a store's blob
 *
 * While it goes on, a terminal shows a bar, with the rate and the time left; a
 * file or pipe gets a line for every tenth, at most one in two seconds.
 */
#ifndef CTL_WORK_H
#define CTL_WORK_H

#include "ctl/store.h"
#include "image/job.h"

struct work {
	struct job job;
	struct store *store;

	struct loop_timer timer;
	uint64_t started, shown; /* when */
	uint64_t from; /* job.done at the start */
	unsigned int tenth; /* last said */
	bool terminal, drawn;
};

/* Makes the job, and catches signals.  EXIT_OK or a message. */
int work_start(struct work *w, struct store *s, uint64_t connections);

/* From now on how far it is is shown; and no more, so that something else can be said. */
void work_show(struct work *w);
void work_hide(struct work *w);

/* The end of all. */
void work_end(struct work *w);

/* Says what went wrong, and what is left (a sentence, or NULL); the exit status. */
int work_fail(struct work *w, const char *left);

/* "1.2G at 210M/s in 5.9 s, 320 transactions": of @bytes moved since the start. */
const char *work_text(const struct work *w, uint64_t bytes, char *buf, size_t len);

/* Seconds since the start. */
double work_seconds(const struct work *w);

/* Calls at once, unless told otherwise.  More is not faster where the service is near:
 * what 16 have in flight (64 MiB) leaves the processors' caches. */
#define WORK_CONNECTIONS 8

#endif
