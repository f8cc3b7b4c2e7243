/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one epoll(7) loop, with timers
 *
 * Everything that a program of ours waits for is a descriptor or a timer of
 * one loop; there are no threads.  Handlers run one at a time, to completion,
 * and may add, change and remove descriptors and timers (their own too) at
 * will.  A loop_fd or loop_timer is embedded in its owner, which keeps it
 * alive until it is removed; the loop allocates nothing for them.
 *
 * Times are CLOCK_MONOTONIC nanoseconds.  Functions that can fail return 0 or
 * a negative errno.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

typedef void (*loop_fd_fn)(void *arg, uint32_t events);
typedef void (*loop_fn)(void *arg);

struct loop_fd {
	int fd; /* -1 while not in a loop */
	uint32_t events;
	loop_fd_fn fn;
	void *arg;
};

struct loop_timer {
	uint64_t deadline; /* 0 while not armed */
	loop_fn fn;
	void *arg;
	struct loop_timer *next; /* the loop's, soonest first */
};

/* Called once in every turn, after the handlers and before sleeping: the place
 * to send what the handlers gathered.  A hook may queue work that makes
 * another turn necessary by arming a timer with a delay of 0. */
struct loop_hook {
	loop_fn fn;
	void *arg;
	struct loop_hook *next;
};

int loop_new(struct loop **out);
void loop_free(struct loop *loop);

/* Descriptors.  @events are EPOLL* bits; level-triggered.  The descriptor
 * itself stays the caller's to close, after loop_fd_del(). */
int loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn fn,
		void *arg);
int loop_fd_mod(struct loop *loop, struct loop_fd *w, uint32_t events);
void loop_fd_del(struct loop *loop, struct loop_fd *w);
/* Takes it out and closes it; nothing, when it is in no loop. */
void loop_fd_close(struct loop *loop, struct loop_fd *w);

/* Timers fire once.  Arming an armed timer moves it. */
void loop_timer_init(struct loop_timer *t, loop_fn fn, void *arg);
void loop_timer_arm(struct loop *loop, struct loop_timer *t, uint64_t delay_ns);
void loop_timer_cancel(struct loop *loop, struct loop_timer *t);
static inline bool loop_timer_armed(const struct loop_timer *t)
{
	return t->deadline != 0;
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook, loop_fn fn, void *arg);

/* Runs turns until loop_stop() is called from a handler. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* Runs turns until *@flag is true: how a synchronous caller waits for an
 * asynchronous call.  Only outside handlers. */
int loop_run_until(struct loop *loop, const bool *flag);

uint64_t loop_now(void);

#define LOOP_MS(ms) ((uint64_t)(ms)*1000000ull)
#define LOOP_SEC(s) ((uint64_t)(s)*1000000000ull)

#endif
