// SPDX-License-Identifier: MIT
#include "agent/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "agent/spawner.h"
#include "azure/devname.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/text.h"

/* A helper that lives may be stopped, or stuck: how long one that was joined may
 * take to respond. */
#define JOIN_MS 20000
/* The driver learns a moment later than we that a helper is gone. */
#define LOOK_AGAIN_MS 20
#define SPAWNER_END_MS 2000

/* --- tokens ------------------------------------------------------------------------- */

int64_t supervise_clock(const struct supervisor *s)
{
	return time(NULL) + s->clock_ahead;
}

static json_t *with_token(const struct supervisor *s, json_t *message)
{
	char *token = key_token(s->key, &s->url, supervise_clock(s));

	if (!token || json_object_set_new(message, "sas", json_string(token)) ||
	    json_object_set_new(message, "user_sas", json_boolean(!key_signs(s->key)))) {
		json_decref(message);
		message = NULL;
	}
	text_free_secret(token);
	return message;
}

static int send_token(struct supervisor *s)
{
	json_t *message = with_token(s, json_object());
	int err = message ? runtime_send(s->channel.fd, message) : -ENOMEM;

	json_decref(message);
	return err;
}

void supervise_refresh(struct supervisor *s)
{
	int err;

	if (!key_signs(s->key))
		return;
	loop_timer_arm(s->loop, &s->refresh, LOOP_SEC(s->refresh_s));
	if (s->channel.fd < 0 || !s->responded)
		return; /* it has got one, or gets one with its request */
	err = send_token(s);
	if (err && err != -ECONNRESET)
		log_error("%s: no fresh SAS could be handed over: %s; it is tried again in %u s",
			  s->name, strerror(-err), s->refresh_s);
}

static void refresh_due(void *arg)
{
	supervise_refresh(arg);
}

/* --- the channel ---------------------------------------------------------------------- */

/* A message that is the same as the last is told once. */
static void log_failure(struct supervisor *s, const char *message)
{
	if (!strncmp(s->failure, message, sizeof(s->failure) - 1))
		return;
	snprintf(s->failure, sizeof(s->failure), "%s", message);
	log_error("/dev/cdrive%d: no new helper yet: %s", s->index, message);
}

static void came_up(struct supervisor *s, const json_t *response)
{
	const char *fenced = json_string_value(json_object_get(response, "fenced"));

	restart_succeeded(&s->restart);
	loop_timer_cancel(s->loop, &s->again);
	if (s->up && !s->joined)
		log_info("/dev/cdrive%d: has a new helper, process %d", s->index, (int)s->helper);
	if (fenced)
		log_error("/dev/cdrive%d is fenced: %s; unmount it", s->index, fenced);
	s->failure[0] = '\0';
	s->joined = false;
	if (s->up)
		return;
	s->up = true;
	s->index = (int)json_integer_value(json_object_get(response, "index"));
	/* Its successors take over what there is; they break no lease. */
	json_object_set_new(s->request, "adopt", json_integer(s->index));
	json_object_del(s->request, "force");
	s->ops->responded(s->arg, response);
}

static void on_response(struct supervisor *s, json_t *response)
{
	json_t *error = json_object_get(response, "error");
	const char *message = json_string_value(json_object_get(error, "message"));

	s->responded = true;
	if (!error) {
		came_up(s, response);
		return;
	}
	if (s->up)
		log_failure(s, message ? message : "it failed");
	else if (!s->error)
		s->error = json_incref(response);
	if (s->joined) {
		/* It lives on, without us. */
		s->ops->responded(s->arg, s->error);
		s->ops->done(s->arg);
	}
}

/* A helper that can do nothing before it has a better one waits for it. */
static void on_clock(struct supervisor *s, int64_t told)
{
	s->clock_ahead = key_clock_ahead(told);
	if (s->clock_ahead != told)
		log_error("%s: the service's clock is said to be %lld s %s this machine's; set it",
			  s->name, (long long)(told < 0 ? -told : told),
			  told < 0 ? "behind" : "ahead of");
	if (key_signs(s->key) && send_token(s))
		log_error("%s: no SAS by the service's clock could be handed over", s->name);
}

static void on_message(struct supervisor *s, json_t *message)
{
	const char *sas = json_string_value(json_object_get(message, "sas"));
	const json_t *ahead = json_object_get(message, "clock_ahead");

	if (json_is_integer(ahead))
		on_clock(s, json_integer_value(ahead));
	else if (!s->responded)
		on_response(s, message);
	else if (sas && !key_replace(s->key, sas))
		log_info("/dev/cdrive%d: goes on with another SAS", s->index);
}

static void look(struct supervisor *s)
{
	if (!spawner_tell(s->spawner.fd, SPAWNER_LOOK, (unsigned int)s->index, 0))
		return;
	log_error(
		"/dev/cdrive%d: its helper is gone, and so is the process that starts helpers; bring it back: clouddrivectl mount URL",
		s->index);
	s->ops->done(s->arg);
}

/* Whether there may be more. */
static bool channel_receive(struct supervisor *s)
{
	json_t *message;
	int err = runtime_receive(s->channel.fd, &message, 0);

	if (err == -ETIMEDOUT)
		return false;
	if (err) {
		loop_fd_close(s->loop, &s->channel);
		if (s->spawner.fd < 0)
			look(s); /* nobody else will tell of its end */
		return false;
	}
	on_message(s, message);
	json_decref(message);
	return s->channel.fd >= 0;
}

static void channel_readable(void *arg, uint32_t events)
{
	struct supervisor *s = arg;

	(void)events;
	channel_receive(s);
}

/* --- starting ------------------------------------------------------------------------------ */

static void failed_start(struct supervisor *s, const char *why)
{
	restart_failed(&s->restart);
	if (s->up) {
		log_failure(s, why);
		loop_timer_arm(s->loop, &s->again,
			       LOOP_MS(restart_delay_ms(&s->restart, loop_now())));
		return;
	}
	if (!s->error)
		s->error = runtime_error(EXIT_FAILED, "%s", why);
	s->ops->responded(s->arg, s->error);
	s->ops->done(s->arg);
}

void supervise_start(struct supervisor *s)
{
	int err = spawner_tell(s->spawner.fd, SPAWNER_SPAWN, 0, 0);

	restart_started(&s->restart, loop_now());
	s->responded = false;
	if (err)
		failed_start(s, "the process that starts helpers is gone; mount the drive again");
}

static void on_started(struct supervisor *s, const struct spawner_event *event, int fd)
{
	json_t *request;
	int err = event->err;

	if (err) {
		failed_start(
			s,
			err == -ENOENT ?
				"clouddrived: not found beside clouddrivectl; install both: make install" :
				"clouddrived: could not be started");
		return;
	}
	s->helper = event->pid;
	err = loop_fd_add(s->loop, &s->channel, fd, EPOLLIN, channel_readable, s);
	if (err) {
		close(fd);
		return; /* its end follows */
	}
	request = s->unwanted ? NULL : with_token(s, json_deep_copy(s->request));
	/* One that can't be told what to do ends, which is seen. */
	if (!request || runtime_send(fd, request))
		shutdown(fd, SHUT_WR);
	json_decref(request);
}

static void join_failed(struct supervisor *s, const char *why)
{
	s->error = runtime_error(EXIT_FAILED, "/dev/cdrive%d: its helper (process %d) %s", s->index,
				 (int)s->helper, why);
	s->ops->responded(s->arg, s->error);
	s->ops->done(s->arg);
}

static pid_t peer(int fd)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len);
	return cred.pid;
}

int supervise_join(struct supervisor *s, unsigned int index)
{
	int fd = runtime_connect(index);
	json_t *request;
	int err;

	if (fd < 0)
		return fd;
	err = loop_fd_add(s->loop, &s->channel, fd, EPOLLIN, channel_readable, s);
	if (err) {
		close(fd);
		return err;
	}
	s->index = (int)index;
	s->joined = true;
	s->responded = false;
	s->helper = peer(fd);
	request = with_token(s, json_pack("{s:s}", "command", "agent"));
	err = request ? runtime_send(fd, request) : -ENOMEM;
	json_decref(request);
	if (!err)
		err = spawner_tell(s->spawner.fd, SPAWNER_WATCH, 0, s->helper);
	loop_timer_arm(s->loop, &s->again, LOOP_MS(JOIN_MS));
	return err;
}

/* --- after a helper's end ---------------------------------------------------------------------- */

static void describe_end(const struct spawner_event *event, char *buf, size_t len)
{
	if (event->code == CLD_EXITED)
		snprintf(buf, len, "it exited with status %d", event->status);
	else if (event->code)
		snprintf(buf, len, "it was ended by signal %d", event->status);
	else
		snprintf(buf, len, "it ended");
}

static void on_ended(struct supervisor *s, const struct spawner_event *event)
{
	char how[64], why[160];

	if (event->pid != s->helper)
		return;
	if (s->let_go) {
		s->ended = true; /* who takes over sees it, too */
		return;
	}
	while (s->channel.fd >= 0 && channel_receive(s))
		;
	loop_fd_close(s->loop, &s->channel);
	describe_end(event, how, sizeof(how));
	snprintf(
		why, sizeof(why),
		"clouddrived: %s before the drive was ready; see the system log (journalctl -t clouddrived)",
		how);
	if (!s->up) {
		failed_start(s, why);
		return;
	}
	if (s->responded && !s->failure[0])
		log_info("/dev/cdrive%d: helper %d is gone: %s", s->index, (int)s->helper, how);
	if (!s->responded)
		log_failure(s, why);
	if (!s->responded || s->failure[0])
		restart_failed(&s->restart);
	look(s);
}

/* The name says whose the device is now: its number may have been given away. */
static bool still_ours(const struct supervisor *s, const struct driver_drive *d)
{
	char *name = devname_of(&s->url);
	bool ours = name && !strcmp(name, d->name);

	free(name);
	return ours;
}

static void on_looked(struct supervisor *s, const struct spawner_event *event)
{
	const struct driver_drive *d = &event->drive;
	bool gone = event->err == -ENODEV || event->err == -ENOENT;
	uint64_t wait = LOOP_MS(RETRY_MOST_MS); /* to look again, if it can't be told */

	if (!event->err && d->state == CDRIVE_STATE_FENCED) {
		log_error("/dev/cdrive%d is fenced and has no helper; unmount it", s->index);
		gone = true;
	} else if (!event->err && d->helper_pid && d->helper_pid == s->helper) {
		wait = LOOP_MS(LOOK_AGAIN_MS);
	} else if (!event->err) {
		gone = d->helper_pid || !still_ours(s, d);
		s->helper = 0;
		wait = LOOP_MS(restart_delay_ms(&s->restart, loop_now()));
	}
	if (gone)
		s->ops->done(s->arg);
	else
		loop_timer_arm(s->loop, &s->again, wait);
}

/* What the time has come for depends on where we are. */
static void again(void *arg)
{
	struct supervisor *s = arg;

	if (s->up && s->joined)
		supervise_take_back(s);
	else if (!s->up)
		join_failed(
			s,
			"does not answer; end it by kill -9, the next mount brings the drive back");
	else if (s->helper)
		look(s);
	else
		supervise_start(s);
}

/* --- the spawner ----------------------------------------------------------------------------------- */

static void spawner_lost(struct supervisor *s)
{
	loop_fd_close(s->loop, &s->spawner);
	log_error(
		"%s: the process that starts helpers is gone: the next helper's death is the drive's",
		s->name);
	if (!s->up)
		failed_start(s,
			     "the process that starts helpers could not go on; see the system log");
	else if (!s->helper)
		s->ops->done(s->arg);
}

static void spawner_readable(void *arg, uint32_t events)
{
	struct supervisor *s = arg;
	struct spawner_event event;
	int fd, err;

	(void)events;
	err = spawner_hear(s->spawner.fd, &event, &fd);
	if (err) {
		spawner_lost(s);
		return;
	}
	switch (event.what) {
	case SPAWNER_STARTED:
		on_started(s, &event, fd);
		break;
	case SPAWNER_ENDED:
		on_ended(s, &event);
		break;
	case SPAWNER_LOOKED:
		on_looked(s, &event);
		break;
	case SPAWNER_SUCCESSOR:
		s->ops->successor(s->arg, event.err ? event.err : fd);
		break;
	}
}

/* --- beginning and end -------------------------------------------------------------------------------- */

int supervise_init(struct supervisor *s, int spawner)
{
	s->index = -1;
	s->channel.fd = -1;
	loop_timer_init(&s->refresh, refresh_due, s);
	loop_timer_init(&s->again, again, s);
	if (key_signs(s->key))
		loop_timer_arm(s->loop, &s->refresh, LOOP_SEC(s->refresh_s));
	return loop_fd_add(s->loop, &s->spawner, spawner, EPOLLIN, spawner_readable, s);
}

void supervise_let_go(struct supervisor *s)
{
	s->let_go = true;
	s->ended = false;
	loop_fd_close(s->loop, &s->channel);
}

/* One that ended meanwhile, or responds no more, is looked for by the driver. */
void supervise_take_back(struct supervisor *s)
{
	s->let_go = false;
	loop_fd_close(s->loop, &s->channel);
	if (s->ended || supervise_join(s, (unsigned int)s->index)) {
		s->joined = false;
		look(s);
	}
}

void supervise_undo(struct supervisor *s)
{
	s->unwanted = true;
	if (s->channel.fd >= 0)
		shutdown(s->channel.fd, SHUT_WR);
}

void supervise_kill(struct supervisor *s)
{
	if (s->spawner.fd >= 0)
		spawner_tell(s->spawner.fd, SPAWNER_KILL, 0, 0);
}

void supervise_free(struct supervisor *s)
{
	struct pollfd p = { .fd = s->spawner.fd, .events = POLLIN };

	loop_fd_close(s->loop, &s->channel);
	loop_timer_cancel(s->loop, &s->refresh);
	loop_timer_cancel(s->loop, &s->again);
	if (s->spawner.fd >= 0) {
		shutdown(p.fd, SHUT_WR);
		poll(&p, 1, SPAWNER_END_MS);
		loop_fd_close(s->loop, &s->spawner);
	}
	json_decref(s->request);
	json_decref(s->error);
	key_free(s->key);
	az_url_free(&s->url);
	free(s->name);
}
