// SPDX-License-Identifier: MIT
/*
 * loop.c - one epoll(7) loop, with timers
 *
 * A turn is: hooks, sleep, descriptors, timers.  epoll hands out events in
 * batches, so a handler may remove a watcher (and free what it is embedded in)
 * whose event is still to come in the same batch; loop_fd_del() therefore
 * strikes the watcher out of the batch being handled.  Nothing else holds
 * pointers to watchers.
 *
 * Timers are a list, soonest first.  A program here has a handful of them
 * (libcurl's one, the lease, retries), so that an insertion costs less than
 * any cleverer structure's upkeep.
 */
#include "lib/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64

struct loop {
	int epfd;
	bool stop;
	unsigned int fds;
	struct loop_timer *timers;
	struct loop_hook *hooks;
	uint64_t turn; /* when this turn's timers are judged */
	int batch_len, batch_pos;
	struct epoll_event batch[BATCH];
};

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int loop_new(struct loop **out)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0) {
		int err = -errno;

		free(loop);
		return err;
	}
	*out = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epfd);
	free(loop);
}

int loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn fn,
		void *arg)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	*w = (struct loop_fd){ .fd = fd, .events = events, .fn = fn, .arg = arg };
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev)) {
		w->fd = -1;
		return -errno;
	}
	loop->fds++;
	return 0;
}

int loop_fd_mod(struct loop *loop, struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = w };

	if (w->events == events)
		return 0;
	if (epoll_ctl(loop->epfd, EPOLL_CTL_MOD, w->fd, &ev))
		return -errno;
	w->events = events;
	return 0;
}

void loop_fd_del(struct loop *loop, struct loop_fd *w)
{
	if (w->fd < 0)
		return;
	/* Fails when the owner closed the descriptor first: then the kernel
	 * has removed it already, unless a duplicate lives. */
	epoll_ctl(loop->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
	loop->fds--;
	for (int i = loop->batch_pos; i < loop->batch_len; i++)
		if (loop->batch[i].data.ptr == w)
			loop->batch[i].data.ptr = NULL;
}

void loop_fd_close(struct loop *loop, struct loop_fd *w)
{
	int fd = w->fd;

	if (fd < 0)
		return;
	loop_fd_del(loop, w);
	close(fd);
}

void loop_timer_init(struct loop_timer *t, loop_fn fn, void *arg)
{
	*t = (struct loop_timer){ .fn = fn, .arg = arg };
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *t)
{
	if (!t->deadline)
		return;
	for (struct loop_timer **p = &loop->timers; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	t->deadline = 0;
	t->next = NULL;
}

void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t delay_ns)
{
	uint64_t now = loop_now();
	struct loop_timer **p = &loop->timers;

	loop_timer_cancel(loop, t);
	t->deadline = now + delay_ns;
	if (t->deadline < now) /* "never" plus now */
		t->deadline = UINT64_MAX;
	/* A timer that rearms itself with 0 is due in the next turn, not again
	 * in this one: descriptors must get their turn. */
	if (t->deadline <= loop->turn)
		t->deadline = loop->turn + 1;
	while (*p && (*p)->deadline <= t->deadline)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg)
{
	struct loop_hook **p = &loop->hooks;

	*hook = (struct loop_hook){ .fn = fn, .arg = arg };
	while (*p)
		p = &(*p)->next;
	*p = hook;
}

static int wait_events(struct loop *loop)
{
	struct timespec ts, *timeout = NULL;

	if (loop->timers) {
		uint64_t now = loop_now();
		uint64_t at = loop->timers->deadline;
		uint64_t ns = at > now ? at - now : 0;

		ts.tv_sec = (time_t)(ns / 1000000000ull);
		ts.tv_nsec = (long)(ns % 1000000000ull);
		timeout = &ts;
	} else if (!loop->fds) {
		return -EDEADLK; /* nothing could ever wake us */
	}
	loop->batch_pos = 0;
	loop->batch_len = 0;
	int n = epoll_pwait2(loop->epfd, loop->batch, BATCH, timeout, NULL);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->batch_len = n;
	return 0;
}

static void run_fds(struct loop *loop)
{
	while (loop->batch_pos < loop->batch_len) {
		struct epoll_event *ev = &loop->batch[loop->batch_pos++];
		struct loop_fd *w = ev->data.ptr;

		if (w)
			w->fn(w->arg, ev->events);
	}
	loop->batch_len = 0;
}

static void run_timers(struct loop *loop)
{
	if (!loop->timers)
		return;
	loop->turn = loop_now();
	while (loop->timers && loop->timers->deadline <= loop->turn) {
		struct loop_timer *t = loop->timers;

		loop->timers = t->next;
		t->next = NULL;
		t->deadline = 0;
		t->fn(t->arg);
	}
}

static int run(struct loop *loop, const bool *flag)
{
	loop->stop = false;
	for (;;) {
		int err;

		for (struct loop_hook *h = loop->hooks; h; h = h->next)
			h->fn(h->arg);
		if (loop->stop || (flag && *flag))
			return 0;
		err = wait_events(loop);
		if (err)
			return err;
		run_fds(loop);
		run_timers(loop);
	}
}

int loop_run(struct loop *loop)
{
	return run(loop, NULL);
}

int loop_run_until(struct loop *loop, const bool *flag)
{
	int err = run(loop, flag);

	if (err)
		return err;
	return *flag ? 0 : -ECANCELED;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
