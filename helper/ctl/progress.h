/* SPDX-License-Identifier: MIT */
/*
 * progress.h - verbs that take long: a job (image/job.h) on a session's blob, and how
 * far it is
 *
 * While it goes on, a terminal shows a bar, with the rate and the time left; a
 * file or pipe gets a line for every tenth, at most one in two seconds.
 */
#ifndef CTL_PROGRESS_H
#define CTL_PROGRESS_H

#include "command/session.h"
#include "image/job.h"

struct progress {
	struct job job;
	struct session *session;

	struct loop_timer timer;
	uint64_t started, shown; /* when */
	uint64_t from; /* job.done at the start */
	unsigned int tenth; /* last said */
	bool terminal, drawn;
};

/* Makes the job, and catches signals.  EXIT_OK or a message. */
int progress_start(struct progress *p, struct session *s, uint64_t connections);

/* From now on how far it is is shown; and no more, so that something else can be said. */
void progress_show(struct progress *p);
void progress_hide(struct progress *p);

/* The end of all. */
void progress_end(struct progress *p);

/* Says what went wrong, and what is left (a sentence, or NULL); the exit status. */
int progress_fail(struct progress *p, const char *left);

/* "1.2G at 210M/s in 5.9 s, 320 transactions": of @bytes moved since the start. */
const char *progress_text(const struct progress *p, uint64_t bytes, char *buf, size_t len);

/* Seconds since the start. */
double progress_seconds(const struct progress *p);

#endif
