// SPDX-License-Identifier: MIT
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/handover.h"
#include "agent/lock.h"
#include "agent/spawner.h"
#include "agent/supervise.h"
#include "lib/daemon.h"
#include "lib/date.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/sandbox.h"
#include "lib/secret.h"
#include "lib/signals.h"

#define REQUEST_MS 10000
/* The last agent of the same device may just be ending. */
#define LOCK_S 10
/* How long an interrupted helper may take to give the lease back. */
#define UNDO_MS 30000
#define NEVER_S (1ll << 33) /* seconds since the epoch */

struct agent {
	struct supervisor sup;
	struct loop *loop;
	struct handover handover;
	struct loop_fd front; /* mount, or the agent before this one */
	int mount; /* mount, when that is before us; or -1 */
	struct loop_fd signals;
	struct loop_fd clock;
	struct loop_timer undo;
	bool foreground;
	int lock; /* cdriveN.agent, or -1 */
	int status; /* exit status */
};

/* --- mount, in front --------------------------------------------------------------- */

static void undo_late(void *arg)
{
	struct agent *a = arg;

	supervise_kill(&a->sup);
}

static void undo(struct agent *a)
{
	supervise_undo(&a->sup);
	if (!loop_timer_armed(&a->undo))
		loop_timer_arm(a->loop, &a->undo, LOOP_MS(UNDO_MS));
}

/* It says nothing more: this is its end, or an interruption. */
static void front_readable(void *arg, uint32_t events)
{
	struct agent *a = arg;

	if (a->sup.up) {
		loop_fd_close(a->loop, &a->front);
		return;
	}
	undo(a);
	if (events & EPOLLHUP)
		loop_fd_close(a->loop, &a->front);
	else
		loop_fd_mod(a->loop, &a->front, 0);
}

/* What is before us has its response; who waits for our end is the one that it was given. */
static void front_is_mount(struct agent *a)
{
	int fd = a->mount;

	a->mount = -1;
	loop_fd_close(a->loop, &a->front);
	if (loop_fd_add(a->loop, &a->front, fd, EPOLLIN | EPOLLRDHUP, front_readable, a))
		close(fd);
}

static void tell_front(struct agent *a, const json_t *response)
{
	if (a->front.fd >= 0)
		runtime_send(a->front.fd, response);
	if (a->mount >= 0)
		front_is_mount(a);
	else if (!a->foreground)
		loop_fd_close(a->loop, &a->front);
	else if (a->front.fd >= 0)
		loop_fd_mod(a->loop, &a->front, EPOLLIN);
}

/* --- the drive ------------------------------------------------------------------------ */

static void on_responded(void *arg, const json_t *response)
{
	struct agent *a = arg;
	json_t *error;

	loop_timer_cancel(a->loop, &a->undo);
	if (json_object_get(response, "error")) {
		a->status = EXIT_FAILED;
		tell_front(a, response);
		return;
	}
	a->lock = agent_lock((unsigned int)a->sup.index, key_signs(a->sup.key), LOCK_S);
	if (a->lock >= 0) {
		tell_front(a, response);
		return;
	}
	error = runtime_error(
		EXIT_FAILED,
		"/dev/cdrive%d: %s/cdrive%d.agent: %s; unmount the drive and mount it again",
		a->sup.index, runtime_dir(), a->sup.index, strerror(-a->lock));
	json_object_set_new(error, "index", json_integer(a->sup.index));
	tell_front(a, error);
	json_decref(error);
	a->status = EXIT_FAILED;
	loop_stop(a->loop);
}

static void on_done(void *arg)
{
	struct agent *a = arg;

	loop_stop(a->loop);
}

static void on_successor(void *arg, int fd)
{
	struct agent *a = arg;

	handover_successor(&a->handover, fd);
}

static const struct supervisor_ops ops = {
	.responded = on_responded,
	.done = on_done,
	.successor = on_successor,
};

/* --- another agent ------------------------------------------------------------------------- */

static void drop_lock(struct agent *a)
{
	if (a->lock >= 0)
		agent_unlock(a->lock, (unsigned int)a->sup.index);
	a->lock = -1;
}

static void on_let_go(void *arg)
{
	drop_lock(arg);
}

/* Without the lock it is the helper that says who its agent is. */
static void on_took_back(void *arg)
{
	struct agent *a = arg;

	a->lock = agent_lock((unsigned int)a->sup.index, key_signs(a->sup.key), 0);
}

static void on_replaced(void *arg)
{
	struct agent *a = arg;

	log_info("the agent of /dev/cdrive%d ends: it is replaced", a->sup.index);
	loop_stop(a->loop);
}

static int front_of(void *arg)
{
	const struct agent *a = arg;

	return a->front.fd;
}

static const struct handover_ops handover_ops = {
	.let_go = on_let_go,
	.took_back = on_took_back,
	.replaced = on_replaced,
	.front = front_of,
};

/* --- signals and the clock --------------------------------------------------------------- */

static void say_goodbye(const struct agent *a)
{
	int64_t until = key_token_expiry(a->sup.key, supervise_clock(&a->sup));
	char when[DATE_SECONDS];

	log_info(
		"the agent of /dev/cdrive%d ends; the drive goes on without it until %s at the latest; bring one back: clouddrivectl mount %s",
		a->sup.index, until ? date_seconds(until, when) : "its SAS ends", a->sup.name);
}

static void signalled(void *arg, uint32_t events)
{
	struct agent *a = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(a->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (a->sup.up) {
		say_goodbye(a);
		loop_stop(a->loop);
	} else if (loop_timer_armed(&a->undo)) {
		supervise_kill(&a->sup);
	} else {
		undo(a);
	}
}

/* The timer never goes off, but is cancelled when the wall clock is set, and after
 * the machine was suspended: tokens may be out of date, or not valid yet. */
static int arm_clock(int fd)
{
	const struct itimerspec never = { .it_value.tv_sec = NEVER_S };

	return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) ?
		       -errno :
		       0;
}

static void clock_was_set(void *arg, uint32_t events)
{
	struct agent *a = arg;
	uint64_t count;

	(void)events;
	if (read(a->clock.fd, &count, sizeof(count)) < 0 && errno != ECANCELED)
		return;
	arm_clock(a->clock.fd);
	supervise_refresh(&a->sup);
}

static int watch_clock(struct agent *a)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = arm_clock(fd);
	return err ? err : loop_fd_add(a->loop, &a->clock, fd, EPOLLIN, clock_was_set, a);
}

/* --- the request --------------------------------------------------------------------------- */

/* What is left of it is what a helper is asked. */
static int configure(struct agent *a, json_t *request, int *join)
{
	struct supervisor *s = &a->sup;
	int lifetime = KEY_LIFETIME_S, foreground = 0;
	const char *url = NULL;
	char why[256];

	*join = -1;
	if (json_unpack(request, "{s:s, s?i, s?b, s?i}", "url", &url, "lifetime", &lifetime,
			"foreground", &foreground, "join", join) ||
	    lifetime <= 0 || az_url_parse(url, &s->url, why, sizeof(why)))
		return -EINVAL;
	s->name = az_url_text(&s->url);
	s->key = key_new(request, (unsigned int)lifetime);
	if (!s->name || !s->key)
		return s->key ? -ENOMEM : -errno;
	a->foreground = foreground;
	s->refresh_s = key_refresh_s((unsigned int)lifetime);
	json_object_del(request, "key");
	json_object_del(request, "sas");
	json_object_del(request, "lifetime");
	json_object_del(request, "join");
	json_object_set_new(request, "agent_pid", json_integer(getpid()));
	s->request = json_incref(request);
	if (*join >= 0)
		json_object_set_new(request, "adopt", json_integer(*join));
	return 0;
}

static int set_up(struct agent *a, json_t *request, int spawner, int *join)
{
	int err;

	err = configure(a, request, join);
	if (err) {
		close(spawner);
		return err;
	}
	a->sup.loop = a->loop;
	a->sup.ops = &ops;
	a->sup.arg = a;
	loop_timer_init(&a->undo, undo_late, a);
	a->handover.loop = a->loop;
	a->handover.sup = &a->sup;
	a->handover.ops = &handover_ops;
	a->handover.arg = a;
	err = supervise_init(&a->sup, spawner);
	if (!err)
		err = handover_init(&a->handover);
	if (!err)
		err = signals_watch(a->loop, &a->signals, signalled, a);
	return err ? err : watch_clock(a);
}

static void tear_down(struct agent *a)
{
	handover_free(&a->handover);
	if (a->sup.loop)
		supervise_free(&a->sup);
	drop_lock(a);
	loop_fd_close(a->loop, &a->front);
	loop_free(a->loop);
}

static int serve(struct agent *a, json_t *request, int front, int spawner)
{
	int join, err;

	err = set_up(a, request, spawner, &join);
	json_decref(request);
	if (!err)
		err = loop_fd_add(a->loop, &a->front, front, EPOLLIN | EPOLLRDHUP, front_readable,
				  a);
	/* All that is needed is open, or is in the runtime directory. */
	if (!err)
		err = sandbox_enter(SANDBOX_AGENT);
	if (!err && join >= 0)
		err = supervise_join(&a->sup, (unsigned int)join);
	else if (!err)
		supervise_start(&a->sup);
	if (err) {
		json_t *error = runtime_error(EXIT_FAILED, "the drive's agent: %s; try again",
					      strerror(-err));

		runtime_send(front, error);
		json_decref(error);
		a->status = EXIT_FAILED;
	} else {
		loop_run(a->loop);
	}
	tear_down(a);
	return a->status;
}

int agent_main(int argc, char **argv)
{
	static struct agent a = {
		.lock = -1, .front.fd = -1, .sup.channel.fd = -1, .sup.spawner.fd = -1
	};
	int front = argc == 3 || argc == 4 ? (int)strtol(argv[2], NULL, 10) : 0;
	json_t *request;
	int spawner, err;

	a.mount = argc == 4 ? (int)strtol(argv[3], NULL, 10) : -1;
	if (front < 3 || fcntl(front, F_SETFD, FD_CLOEXEC) ||
	    (a.mount >= 0 && fcntl(a.mount, F_SETFD, FD_CLOEXEC))) {
		fputs("clouddrivectl: agent: not for users; clouddrivectl mount starts it\n",
		      stderr);
		return EXIT_USAGE;
	}
	err = secret_protect_process();
	if (err) {
		fprintf(stderr, "clouddrivectl: agent: keeping memory from other processes: %s\n",
			strerror(-err));
		return EXIT_FAILURE;
	}
	log_open("clouddrive-agent", true);
	daemon_harden(argv[0], MCL_ONFAULT);
	spawner = spawner_fork();
	prctl(PR_SET_NAME, "cdrive-agent");
	if (spawner < 0 || loop_new(&a.loop))
		return EXIT_FAILED;
	err = runtime_receive(front, &request, REQUEST_MS);
	if (err)
		return EXIT_FAILED;
	if (!json_is_true(json_object_get(request, "foreground")))
		log_to_syslog();
	return serve(&a, request, front, spawner);
}
