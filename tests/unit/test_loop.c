// SPDX-License-Identifier: MIT
/* The loop: order, timers, and handlers that remove what is still to come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/loop.h"

static struct loop *loop;

static int setup(void **state)
{
	(void)state;
	return loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

struct log {
	int n;
	int seen[16];
};

struct tick {
	struct loop_timer t;
	struct log *log;
	int id;
	int again; /* times to rearm with 0 */
};

static void on_tick(void *arg)
{
	struct tick *t = arg;

	t->log->seen[t->log->n++] = t->id;
	if (t->again-- > 0)
		loop_timer_arm(loop, &t->t, 0);
}

static void timers_fire_in_order(void **state)
{
	struct log log = { 0 };
	struct tick a = { .log = &log, .id = 1 }, b = { .log = &log, .id = 2 },
		    c = { .log = &log, .id = 3 };
	struct loop_timer end;

	(void)state;
	loop_timer_init(&a.t, on_tick, &a);
	loop_timer_init(&b.t, on_tick, &b);
	loop_timer_init(&c.t, on_tick, &c);
	loop_timer_init(&end, stop, NULL);
	loop_timer_arm(loop, &end, LOOP_MS(30));
	loop_timer_arm(loop, &c.t, LOOP_MS(20));
	loop_timer_arm(loop, &a.t, LOOP_MS(5));
	loop_timer_arm(loop, &b.t, LOOP_MS(500));
	loop_timer_arm(loop, &b.t, LOOP_MS(10)); /* moved */
	assert_true(loop_timer_armed(&b.t));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(log.n, 3);
	assert_int_equal(log.seen[0], 1);
	assert_int_equal(log.seen[1], 2);
	assert_int_equal(log.seen[2], 3);
	assert_false(loop_timer_armed(&b.t));
}

static void timer_waits_its_delay(void **state)
{
	struct loop_timer end;
	uint64_t start = loop_now();

	(void)state;
	loop_timer_init(&end, stop, NULL);
	loop_timer_arm(loop, &end, LOOP_MS(20));
	assert_int_equal(loop_run(loop), 0);
	assert_true(loop_now() - start >= LOOP_MS(20));
	assert_true(loop_now() - start < LOOP_SEC(5));
}

static void cancelled_timer_stays_silent(void **state)
{
	struct log log = { 0 };
	struct tick a = { .log = &log, .id = 1 };
	struct loop_timer end;

	(void)state;
	loop_timer_init(&a.t, on_tick, &a);
	loop_timer_init(&end, stop, NULL);
	loop_timer_arm(loop, &a.t, LOOP_MS(1));
	loop_timer_arm(loop, &end, LOOP_MS(5));
	loop_timer_cancel(loop, &a.t);
	loop_timer_cancel(loop, &a.t);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(log.n, 0);
}

/* A timer that rearms itself with 0 must not keep descriptors waiting. */
static void on_fd_stop(void *arg, uint32_t events)
{
	(void)arg;
	(void)events;
	loop_stop(loop);
}

static void forever(void *arg)
{
	loop_timer_arm(loop, arg, 0);
}

static void eager_timer_leaves_room_for_descriptors(void **state)
{
	struct loop_fd w;
	struct loop_timer t;
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	loop_timer_init(&t, forever, &t);
	loop_timer_arm(loop, &t, 0);
	assert_int_equal(loop_fd_add(loop, &w, fd, EPOLLIN, on_fd_stop, NULL), 0);
	assert_int_equal(loop_run(loop), 0);
	loop_timer_cancel(loop, &t);
	loop_fd_del(loop, &w);
	close(fd);
}

/* Many descriptors are ready at once; whoever is called first removes and frees
 * all others.  Under the address sanitizer a second call would be fatal. */
#define CROWD 40

struct member {
	struct loop_fd w;
	struct member **all;
	int *calls;
};

static void on_member(void *arg, uint32_t events)
{
	struct member *me = arg, **all = me->all;

	(void)events;
	(*me->calls)++;
	for (int i = 0; i < CROWD; i++) {
		if (!all[i])
			continue;
		loop_fd_del(loop, &all[i]->w);
		assert_int_equal(all[i]->w.fd, -1);
		free(all[i]);
		all[i] = NULL;
	}
	loop_stop(loop);
}

static void handler_removes_pending_others(void **state)
{
	struct member *all[CROWD];
	int fds[CROWD], calls = 0;

	(void)state;
	for (int i = 0; i < CROWD; i++) {
		fds[i] = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		all[i] = calloc(1, sizeof(*all[i]));
		all[i]->all = all;
		all[i]->calls = &calls;
		assert_int_equal(loop_fd_add(loop, &all[i]->w, fds[i], EPOLLIN, on_member, all[i]),
				 0);
	}
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(calls, 1);
	for (int i = 0; i < CROWD; i++)
		close(fds[i]);
}

/* One handler removes the other and puts a new watcher in its place, in the
 * same memory: the old one's event must not reach it. */
struct swap {
	struct loop_fd w;
	struct swap *other;
	int fd, calls, quiet;
};

static void on_swapped(void *arg, uint32_t events)
{
	(void)events;
	((struct swap *)arg)->calls++;
}

static void on_swap(void *arg, uint32_t events)
{
	struct swap *me = arg, *other = me->other;

	(void)events;
	me->calls++;
	loop_fd_del(loop, &other->w);
	loop_fd_del(loop, &me->w);
	assert_int_equal(loop_fd_add(loop, &other->w, me->quiet, EPOLLIN, on_swapped, other), 0);
}

static void reused_watcher_gets_no_stale_event(void **state)
{
	int quiet = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct swap a = { .quiet = quiet }, b = { .quiet = quiet };
	struct loop_timer end;

	(void)state;
	a.other = &b;
	b.other = &a;
	a.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	b.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	loop_fd_add(loop, &a.w, a.fd, EPOLLIN, on_swap, &a);
	loop_fd_add(loop, &b.w, b.fd, EPOLLIN, on_swap, &b);
	loop_timer_init(&end, stop, NULL);
	loop_timer_arm(loop, &end, LOOP_MS(5));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.calls + b.calls, 1);
	loop_fd_del(loop, &a.w);
	loop_fd_del(loop, &b.w);
	close(a.fd);
	close(b.fd);
	close(quiet);
}

static void count(void *arg)
{
	if (++*(int *)arg == 3)
		loop_stop(loop);
}

static void hooks_run_once_a_turn(void **state)
{
	struct loop_hook hook;
	struct log log = { 0 };
	struct tick t = { .log = &log, .id = 1, .again = 100 };
	int turns = 0;

	(void)state;
	loop_hook_add(loop, &hook, count, &turns);
	loop_timer_init(&t.t, on_tick, &t);
	loop_timer_arm(loop, &t.t, 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(turns, 3);
	assert_int_equal(log.n, 2); /* before each of them but the first */
	loop_timer_cancel(loop, &t.t);
}

static void set_flag(void *arg)
{
	*(bool *)arg = true;
}

static void run_until(void **state)
{
	struct loop_timer t;
	bool flag = false, never = false;

	(void)state;
	loop_timer_init(&t, set_flag, &flag);
	loop_timer_arm(loop, &t, LOOP_MS(2));
	assert_int_equal(loop_run_until(loop, &flag), 0);
	assert_true(flag);
	/* Nothing is left that could make it true: say so, don't hang. */
	assert_int_equal(loop_run_until(loop, &never), -EDEADLK);
	loop_timer_init(&t, stop, NULL);
	loop_timer_arm(loop, &t, 0);
	assert_int_equal(loop_run_until(loop, &never), -ECANCELED);
}

static void bad_descriptor(void **state)
{
	struct loop_fd w;

	(void)state;
	assert_int_equal(loop_fd_add(loop, &w, 12345, EPOLLIN, on_fd_stop, NULL), -EBADF);
	assert_int_equal(w.fd, -1);
	loop_fd_del(loop, &w);
}

static void mod_changes_what_is_waited_for(void **state)
{
	struct loop_fd w;
	struct loop_timer end;
	struct swap s = { 0 };
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	(void)state;
	loop_fd_add(loop, &w, fd, EPOLLIN, on_swapped, &s);
	loop_timer_init(&end, stop, NULL);
	loop_timer_arm(loop, &end, LOOP_MS(2));
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(s.calls, 0);
	assert_int_equal(loop_fd_mod(loop, &w, EPOLLOUT), 0);
	loop_timer_arm(loop, &end, LOOP_MS(2));
	assert_int_equal(loop_run(loop), 0);
	assert_true(s.calls > 0);
	loop_fd_del(loop, &w);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_in_order),
		TEST(timer_waits_its_delay),
		TEST(cancelled_timer_stays_silent),
		TEST(eager_timer_leaves_room_for_descriptors),
		TEST(handler_removes_pending_others),
		TEST(reused_watcher_gets_no_stale_event),
		TEST(hooks_run_once_a_turn),
		TEST(run_until),
		TEST(bad_descriptor),
		TEST(mod_changes_what_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
