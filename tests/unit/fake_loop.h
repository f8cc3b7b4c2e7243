/* SPDX-License-Identifier: MIT */
/*
 * fake_loop.h - a loop whose clock goes when it is told to
 *
 * Stands in for helper/lib/loop.c and helper/drive/clock.c in a program that includes
 * it (descriptors are only kept: a test calls their handlers itself):
 * what a test defines itself is not taken from the library.  Chance and the
 * log are here too, so that a run is the same each time and says nothing.
 */
#ifndef UNIT_FAKE_LOOP_H
#define UNIT_FAKE_LOOP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "drive/clock.h"
#include "lib/log.h"
#include "lib/loop.h"

struct loop {
	struct loop_timer *timers;
};

static struct loop fake_loop;
static uint64_t fake_now;
static uint64_t fake_suspended; /* how long the machine was, in all */
static int64_t fake_wall; /* the date at fake_now 0, with the machine never suspended */
static uint64_t fake_seed;
static char fake_logged[1024]; /* the last line */

static void fake_loop_reset(uint64_t seed)
{
	fake_loop.timers = NULL;
	fake_now = LOOP_SEC(1000);
	fake_suspended = 0;
	fake_wall = 1800000000;
	fake_seed = seed;
	fake_logged[0] = '\0';
}

static inline uint32_t fake_chance(uint32_t below)
{
	fake_seed = fake_seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(fake_seed >> 33) % below;
}

/* Lets @ns pass, with what falls due in that time. */
static inline void fake_loop_run(uint64_t ns)
{
	uint64_t until = fake_now + ns;

	while (fake_loop.timers && fake_loop.timers->deadline <= until) {
		struct loop_timer *t = fake_loop.timers;

		fake_loop.timers = t->next;
		fake_now = t->deadline > fake_now ? t->deadline : fake_now;
		t->next = NULL;
		t->deadline = 0;
		t->fn(t->arg);
	}
	fake_now = until;
}

/* Goes to the next timer and lets it fire; false when there is none. */
static inline bool fake_loop_next(void)
{
	if (!fake_loop.timers)
		return false;
	fake_loop_run(
		fake_loop.timers->deadline > fake_now ? fake_loop.timers->deadline - fake_now : 0);
	return true;
}

/* --- in place of the library ------------------------------------------------ */

uint64_t loop_now(void)
{
	return fake_now;
}

uint64_t boot_clock(void)
{
	return fake_now + fake_suspended;
}

int64_t wall_clock(void)
{
	return fake_wall + (int64_t)(boot_clock() / LOOP_SEC(1));
}

void loop_timer_init(struct loop_timer *t, loop_fn fn, void *arg)
{
	*t = (struct loop_timer){ .fn = fn, .arg = arg };
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *t)
{
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
	struct loop_timer **p = &loop->timers;

	loop_timer_cancel(loop, t);
	t->deadline = fake_now + delay_ns + 1; /* never in this turn */
	while (*p && (*p)->deadline <= t->deadline)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

int loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn fn,
		void *arg)
{
	(void)loop;
	*w = (struct loop_fd){ .fd = fd, .events = events, .fn = fn, .arg = arg };
	return 0;
}

void loop_fd_del(struct loop *loop, struct loop_fd *w)
{
	(void)loop;
	w->fd = -1;
}

void loop_fd_close(struct loop *loop, struct loop_fd *w)
{
	close(w->fd);
	loop_fd_del(loop, w);
}

ssize_t getrandom(void *buf, size_t len, unsigned int flags)
{
	(void)flags;
	for (size_t i = 0; i < len; i++)
		((unsigned char *)buf)[i] = (unsigned char)fake_chance(256);
	return (ssize_t)len;
}

static inline void fake_log(const char *fmt, va_list ap)
{
	vsnprintf(fake_logged, sizeof(fake_logged), fmt, ap);
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fake_log(fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fake_log(fmt, ap);
	va_end(ap);
}

#endif
