// SPDX-License-Identifier: MIT
#include "image/transfer.h"

#include <stdlib.h>

#include "lib/retry.h"

#define PAUSE_NS 1000000ull

struct slot {
	struct transfer *transfer;
	struct piece piece;
	struct az_call *call;
	struct loop_timer timer; /* until the next try */
	bool busy;
};

struct transfer {
	struct job *job;
	const struct transfer_ops *ops;
	void *arg;
	struct retry retry; /* of all: one success shows that the service is there */
	struct slot *slots;
	struct loop_timer next; /* to fill the next slot */
	unsigned int busy;
	bool ended, waiting; /* what next() said last */
	bool done;
};

static void finish(struct transfer *t)
{
	t->done = true;
}

static void send_piece(struct slot *s);

static void try_again(void *arg)
{
	send_piece(arg);
}

static void release(struct slot *s)
{
	s->busy = false;
	s->transfer->busy--;
}

static struct slot *idle_slot(struct transfer *t)
{
	for (unsigned int i = 0; i < t->job->connections; i++)
		if (!t->slots[i].busy)
			return &t->slots[i];
	return NULL;
}

/* Gives an idle slot a piece.  The next gets one a moment later: what has been started
 * is sent meanwhile, and the service has something to do. */
static void fill(void *arg)
{
	struct transfer *t = arg;
	struct slot *s = idle_slot(t);

	if (t->done || t->ended || t->waiting || !s)
		return;
	switch (t->ops->next(t->arg, &s->piece)) {
	case TRANSFER_PIECE:
		s->busy = true;
		t->busy++;
		/* Not moved on, or quick answers would put it off for ever. */
		if (!loop_timer_armed(&t->next))
			loop_timer_arm(t->job->loop, &t->next, PAUSE_NS);
		send_piece(s);
		break;
	case TRANSFER_WAIT:
		t->waiting = true;
		break;
	case TRANSFER_END:
		t->ended = true;
		if (!t->busy)
			finish(t);
		break;
	case TRANSFER_FAILED:
		finish(t);
		break;
	}
}

static void call_failed(struct slot *s, const struct az_error *err)
{
	struct transfer *t = s->transfer;
	uint64_t wait;

	if (err->class == AZ_LOCAL && t->ops->failed)
		t->ops->failed(t->arg, &s->piece);
	wait = retry_backoff(&t->retry, err->retry_after);
	if (!job_transient(err) || t->retry.stuck) {
		job_fail_service(t->job, err);
		finish(t);
		return;
	}
	loop_timer_arm(t->job->loop, &s->timer, wait);
}

static void on_done(void *arg, const struct az_result *res)
{
	struct slot *s = arg;
	struct transfer *t = s->transfer;

	s->call = NULL;
	if (res->err.class) {
		call_failed(s, &res->err);
		return;
	}
	retry_reset(&t->retry);
	release(s);
	if (t->ops->arrived(t->arg, &s->piece) || (t->ended && !t->busy))
		finish(t);
	else
		fill(t);
}

static void send_piece(struct slot *s)
{
	struct transfer *t = s->transfer;

	s->call = t->ops->start(t->arg, &s->piece, on_done, s);
	if (!s->call) {
		job_fail(t->job, EXIT_FAILED, "out of memory; free some and try again");
		finish(t);
	}
}

void transfer_more(struct transfer *t)
{
	t->waiting = false;
	fill(t);
}

/* Nothing of it may be left in the client or the loop. */
static void stop(struct transfer *t)
{
	loop_timer_cancel(t->job->loop, &t->next);
	for (unsigned int i = 0; i < t->job->connections; i++) {
		struct slot *s = &t->slots[i];

		loop_timer_cancel(t->job->loop, &s->timer);
		if (s->call)
			az_call_cancel(s->call);
		if (s->busy && t->ops->dropped)
			t->ops->dropped(t->arg, &s->piece);
	}
}

int transfer_run(struct job *job, const struct transfer_ops *ops, void *arg, struct transfer **self)
{
	struct transfer t = { .job = job, .ops = ops, .arg = arg };
	int err;

	t.slots = calloc(job->connections, sizeof(*t.slots));
	if (!t.slots)
		return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
	loop_timer_init(&t.next, fill, &t);
	for (unsigned int i = 0; i < job->connections; i++) {
		t.slots[i].transfer = &t;
		loop_timer_init(&t.slots[i].timer, try_again, &t.slots[i]);
	}
	if (self)
		*self = &t;
	fill(&t);
	err = job_wait(job, &t.done);
	stop(&t);
	free(t.slots);
	if (self)
		*self = NULL;
	return err || job->error.failure ? -1 : 0;
}
