/* SPDX-License-Identifier: MIT */
/*
 * job.h - a piece of work on one blob that may take long
 *
 * What create, upload, download (and copy) have in common: a loop, a client and
 * a blob, calls that are repeated while that may help, signals that end the
 * work in an orderly way, and one place for what went wrong.  The verb makes
 * the job, runs the work, and says what came of it.
 *
 * A function that returns -1 has left the reason in job->error, the first one
 * if there were more.
 */
#ifndef IMAGE_JOB_H
#define IMAGE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/blob.h"
#include "image/ranges.h"
#include "lib/exit.h"
#include "lib/loop.h"

/* Calls at once, unless told otherwise.  More is not faster where the service is near:
 * what 16 have in flight (64 MiB) leaves the processors' caches. */
#define JOB_CONNECTIONS 8

enum job_failure {
	JOB_OK,
	JOB_SERVICE, /* @service says what */
	JOB_LOCAL, /* @text and @exit say what */
	JOB_INTERRUPTED, /* by a signal */
};

struct job_error {
	enum job_failure failure;
	struct az_error service;
	enum exit_status exit;
	char text[640];
};

struct job {
	struct loop *loop; /* the caller's, as are these */
	struct az_client *client;
	struct az_blob *blob;
	const char *name; /* its URL, for messages */
	unsigned int connections; /* calls at once */

	struct job_error error;
	uint64_t done, total; /* bytes, for who watches; total 0: not known */

	/* signals */
	struct loop_fd signals;
	int signal; /* the one that came, or 0 */
	bool came; /* in this wait */
};

/* From here on SIGINT, SIGTERM and SIGHUP end what the loop waits for, and only
 * that: whoever runs the job undoes it, or not.  0 or -1. */
int job_start(struct job *job);
void job_end(struct job *job);

/* Notes what went wrong, unless something did before; returns -1.
 * @fmt: "WHAT: WHY; WHAT TO DO". */
int job_fail(struct job *job, enum exit_status exit, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int job_fail_service(struct job *job, const struct az_error *err);

/* "Get Blob Properties" of the blob. */
int job_properties(struct job *job, struct az_result *res);

/* The page ranges of the blob, which is of @size bytes, into @ranges; however fragmented it
 * is.  Given up when nothing of it could be listed for RETRY_CEILING_S. */
int job_page_ranges(struct job *job, uint64_t size, struct ranges *ranges);

/* Waits until *@flag, in the loop.  -1 when a signal came, be it with the flag. */
int job_wait(struct job *job, const bool *flag);

/* Waits for a while, likewise. */
int job_pause(struct job *job, uint64_t ns);

/*
 * One call, started by @start with az_sync_done and @sync, and started anew for
 * as long as it fails in ways that pass, up to RETRY_CEILING_S: so only for
 * calls that may be carried out twice.  The last answer is in *@res; after a
 * signal AZ_NO_RESPONSE, unless both came at once.
 */
typedef struct az_call *(*job_call_fn)(struct job *job, void *arg, struct az_sync *sync);
int job_call(struct job *job, job_call_fn start, void *arg, struct az_result *res);

/*
 * The same, once, for a call that must not be carried out twice.  A signal does
 * not cut it short, for then nobody could know what came of it, only the second
 * one does: after the first, -1 is returned with the answer in *@res.  Without an
 * answer that is AZ_NO_RESPONSE.
 */
int job_call_once(struct job *job, job_call_fn start, void *arg, struct az_result *res);

/*
 * Both: repeated, and no try cut short by the first signal.  For the call that
 * makes the work whole: when it was carried out, the signal came too late, and
 * -1 is returned with that answer in *@res.
 */
int job_call_last(struct job *job, job_call_fn start, void *arg, struct az_result *res);

/* May the same call succeed when it is repeated?  What came of a body that was
 * spoilt on its way may, too. */
bool job_transient(const struct az_error *err);

#endif
