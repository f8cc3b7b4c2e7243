// SPDX-License-Identifier: MIT
#include "image/job.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "azure/listing.h"
#include "lib/retry.h"
#include "lib/signals.h"

#define IN_PROGRESS_S 120 /* a container's deletion takes half a minute at least */

static void on_signal(void *arg, uint32_t events)
{
	struct signalfd_siginfo info;
	struct job *job = arg;

	(void)events;
	if (read(job->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	job->signal = (int)info.ssi_signo;
	job->came = true;
	loop_stop(job->loop);
}

int job_start(struct job *job)
{
	int err = signals_watch(job->loop, &job->signals, on_signal, job);

	return err ? job_fail(job, EXIT_FAILED, "signalfd: %s; try again", strerror(-err)) : 0;
}

void job_end(struct job *job)
{
	if (job->signals.fn)
		loop_fd_close(job->loop, &job->signals);
}

int job_fail(struct job *job, enum exit_status exit, const char *fmt, ...)
{
	struct job_error *e = &job->error;
	va_list args;

	if (e->failure)
		return -1;
	e->failure = JOB_LOCAL;
	e->exit = exit;
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return -1;
}

int job_fail_service(struct job *job, const struct az_error *err)
{
	if (!job->error.failure) {
		job->error.failure = JOB_SERVICE;
		job->error.service = *err;
	}
	return -1;
}

int job_wait(struct job *job, const bool *flag)
{
	int err;

	job->came = false;
	err = loop_run_until(job->loop, flag);
	if (!err && !job->came)
		return 0;
	if (err && err != -ECANCELED)
		return job_fail(job, EXIT_FAILED, "waiting: %s; try again", strerror(-err));
	if (!job->error.failure)
		job->error.failure = JOB_INTERRUPTED;
	return -1;
}

bool job_transient(const struct az_error *err)
{
	return az_error_transient(err) || az_error_is(err, "Md5Mismatch") ||
	       az_error_is(err, "Crc64Mismatch");
}

static void wake(void *arg)
{
	*(bool *)arg = true;
}

int job_pause(struct job *job, uint64_t ns)
{
	struct loop_timer timer;
	bool over = false;
	int err;

	loop_timer_init(&timer, wake, &over);
	loop_timer_arm(job->loop, &timer, ns);
	err = job_wait(job, &over);
	loop_timer_cancel(job->loop, &timer);
	return err;
}

/*
 * One try; what the service said is in @res, what else went wrong in the job.  A
 * signal cuts it short; when it must come to its @end, only the second one does.
 */
static int try(struct job *job, job_call_fn start, void *arg, bool end, struct az_result *res)
{
	struct az_sync sync = { 0 };
	struct az_call *call = start(job, arg, &sync);
	int err;

	*res = (struct az_result){ .err = { .class = AZ_NO_RESPONSE, .sent = true } };
	if (!call)
		return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
	err = job_wait(job, &sync.done);
	if (err && end && !sync.done)
		job_wait(job, &sync.done);
	if (sync.done)
		*res = sync.res;
	else
		az_call_cancel(call);
	return err;
}

/* Nothing was done, and what is in the way ends by itself. */
static bool wait_for(const struct az_error *err, uint64_t began)
{
	return az_error_in_progress(err) && loop_now() - began < LOOP_SEC(IN_PROGRESS_S);
}

int job_call_once(struct job *job, job_call_fn start, void *arg, struct az_result *res)
{
	struct retry retry = { 0 };
	uint64_t began = loop_now();
	int err;

	while (!(err = try(job, start, arg, true, res)) && wait_for(&res->err, began))
		if (job_pause(job, retry_backoff(&retry, res->err.retry_after)))
			return -1;
	return err || !res->err.class ? err : job_fail_service(job, &res->err);
}

static int repeat(struct job *job, job_call_fn start, void *arg, bool end, struct az_result *res)
{
	struct retry retry = { 0 };
	uint64_t began = loop_now();

	while (!try(job, start, arg, end, res)) {
		uint64_t wait;

		if (!res->err.class)
			return 0;
		wait = retry_backoff(&retry, res->err.retry_after);
		if (!wait_for(&res->err, began) && (!job_transient(&res->err) || retry.stuck))
			return job_fail_service(job, &res->err);
		if (job_pause(job, wait))
			return -1;
	}
	return -1;
}

int job_call(struct job *job, job_call_fn start, void *arg, struct az_result *res)
{
	return repeat(job, start, arg, false, res);
}

int job_call_last(struct job *job, job_call_fn start, void *arg, struct az_result *res)
{
	return repeat(job, start, arg, true, res);
}

static struct az_call *start_properties(struct job *job, void *arg, struct az_sync *sync)
{
	(void)arg;
	return az_get_properties(job->client, job->blob, az_sync_done, sync);
}

int job_properties(struct job *job, struct az_result *res)
{
	return job_call(job, start_properties, NULL, res);
}

/* --- page ranges ------------------------------------------------------------------- */

struct page_ranges {
	struct ranges *ranges;
	struct az_error err;
	bool done;
};

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	struct page_ranges *p = arg;

	ranges_add(p->ranges, offset, len);
}

static bool on_failed(void *arg, const struct az_error *err, const struct retry *retry)
{
	(void)arg;
	return job_transient(err) && !retry->stuck;
}

static void on_listed(void *arg, const struct az_error *err)
{
	struct page_ranges *p = arg;

	p->err = *err;
	p->done = true;
}

int job_page_ranges(struct job *job, uint64_t size, struct ranges *ranges)
{
	static const struct az_listing_ops ops = {
		.range = on_range,
		.failed = on_failed,
		.done = on_listed,
	};
	struct page_ranges p = { .ranges = ranges };
	struct az_listing listing;
	int err;

	if (!size)
		return 0;
	az_listing_start(&listing, job->loop, job->client, job->blob, size, &ops, &p);
	err = job_wait(job, &p.done);
	az_listing_stop(&listing);
	if (err)
		return err;
	if (p.err.class)
		return job_fail_service(job, &p.err);
	if (ranges->failed)
		return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
	return 0;
}
