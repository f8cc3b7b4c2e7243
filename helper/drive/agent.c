// SPDX-License-Identifier: MIT
#include "drive/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "drive/clock.h"
#include "lib/log.h"
#include "lib/runtime.h"

#define EXIT_DENIED 4
#define EXIT_BUSY 6

#define DATE_SIZE 32

static const char *date(int64_t when, char buf[DATE_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(buf, DATE_SIZE, "an unknown time");
	return buf;
}

static const char *advice(const struct agent *a)
{
	return a->user_sas ? "clouddrivectl mount with a new SAS in the URL" :
			     "clouddrivectl mount URL brings an agent back";
}

/* --- the clock -------------------------------------------------------------- */

static void expire(struct agent *a, int64_t when)
{
	char why[160], text[DATE_SIZE];

	a->expired = true;
	snprintf(why, sizeof(why), "the SAS expired at %s; %s", date(when, text), advice(a));
	a->ops->expired(a->arg, why);
}

void agent_check(struct agent *a)
{
	int64_t when = az_credential_expiry(a->cred), left = when - wall_clock();

	loop_timer_cancel(a->loop, &a->timer);
	if (!a->announced || !when)
		return;
	if (left <= 0 && !a->expired) {
		expire(a, when);
	} else if (left > 0 && a->expired) { /* the clock was set back */
		a->expired = false;
		a->ops->fresh(a->arg, true);
	}
	loop_timer_arm(a->loop, &a->timer,
		       LOOP_SEC(left > 0 && left < AGENT_CHECK_S ? left : AGENT_CHECK_S));
}

static void look_at_clock(void *arg)
{
	agent_check(arg);
}

void agent_announced(struct agent *a)
{
	a->announced = true;
	agent_check(a);
}

/* --- a fresh SAS -------------------------------------------------------------- */

/* NULL, or why it can't be used: nothing has changed then. */
static json_t *use(struct agent *a, const char *sas)
{
	struct az_credential cred = { 0 };
	bool after = a->expired;
	char text[DATE_SIZE];
	int64_t when;

	if (!sas || az_credential_set_sas(&cred, sas))
		return runtime_error(EXIT_DENIED,
				     "%s: no usable SAS; make a new one and quote it whole",
				     a->name);
	when = az_credential_expiry(&cred);
	if (when && when <= wall_clock()) {
		az_credential_free(&cred);
		return runtime_error(EXIT_DENIED, "%s: the SAS expired at %s; make a new one",
				     a->name, date(when, text));
	}
	az_credential_free(a->cred);
	*a->cred = cred;
	a->expired = false;
	a->ops->fresh(a->arg, after);
	agent_check(a);
	return NULL;
}

/* --- the channel -------------------------------------------------------------- */

static void hang_up(struct agent *a)
{
	int fd = a->channel.fd;

	loop_fd_del(a->loop, &a->channel);
	close(fd);
	a->pid = 0;
}

static void gone(struct agent *a)
{
	int64_t when = az_credential_expiry(a->cred);
	char text[DATE_SIZE];

	hang_up(a);
	if (!a->announced)
		a->ops->abandoned(a->arg);
	else if (when)
		log_error("%s: its agent is gone; the SAS is valid until %s; %s", a->name,
			  date(when, text), advice(a));
	else
		log_error("%s: its agent is gone; the SAS says not how long it is valid; %s",
			  a->name, advice(a));
}

static void message(struct agent *a, const json_t *m)
{
	const char *sas = json_string_value(json_object_get(m, "sas")), *why = "";
	json_t *error;

	if (!sas)
		return;
	error = use(a, sas);
	json_unpack(error, "{s:{s:s}}", "error", "message", &why);
	if (error)
		log_error("what the agent sent: %s", why);
	json_decref(error);
}

static void readable(void *arg, uint32_t events)
{
	struct agent *a = arg;
	json_t *m;
	int err = runtime_receive(a->channel.fd, &m, 0);

	(void)events;
	if (!err)
		message(a, m);
	else if (err == -EPROTO || err == -EMSGSIZE)
		log_error("%s: its agent sent what makes no sense", a->name);
	else if (err != -ETIMEDOUT && err != -EAGAIN)
		gone(a);
	json_decref(m);
}

int agent_open(struct agent *a, int fd, const json_t *request)
{
	struct ucred peer = { 0 };
	int pid = 0, user_sas = 0;
	int err;

	/* An agent that is stopped must not stop the drive. */
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		return -errno;
	err = loop_fd_add(a->loop, &a->channel, fd, EPOLLIN | EPOLLRDHUP, readable, a);
	if (err)
		return err;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		pid = peer.pid;
	json_unpack((json_t *)request, "{s?i, s?b}", "agent_pid", &pid, "user_sas", &user_sas);
	a->pid = pid;
	a->user_sas = user_sas;
	return 0;
}

void agent_init(struct agent *a, struct loop *loop, struct az_credential *cred, const char *name,
		const struct agent_ops *ops, void *arg)
{
	*a = (struct agent){
		.loop = loop,
		.cred = cred,
		.name = name,
		.ops = ops,
		.arg = arg,
		.channel.fd = -1,
	};
	loop_timer_init(&a->timer, look_at_clock, a);
}

void agent_close(struct agent *a)
{
	loop_timer_cancel(a->loop, &a->timer);
	loop_fd_del(a->loop, &a->channel);
}

/* --- the control socket's part ---------------------------------------------------- */

json_t *agent_credential(struct agent *a, const json_t *question)
{
	const char *sas = json_string_value(json_object_get(question, "sas"));
	json_t *error = use(a, sas), *m;
	int err;

	if (error)
		return error;
	if (a->channel.fd >= 0) {
		m = json_pack("{s:s}", "sas", sas);
		err = m ? runtime_send(a->channel.fd, m) : -ENOMEM;
		json_decref(m);
		if (err)
			log_error("%s: its agent could not be given the new SAS: %s", a->name,
				  strerror(-err));
	}
	return json_pack("{s:b}", "accepted", 1);
}

/* Its end may be known to the kernel and not yet to us. */
static bool alive(const struct agent *a)
{
	struct pollfd p = { .fd = a->channel.fd, .events = POLLRDHUP };

	return p.fd >= 0 && (poll(&p, 1, 0) != 1 || !(p.revents & (POLLHUP | POLLRDHUP)));
}

json_t *agent_connect(struct agent *a, int fd, const json_t *question)
{
	json_t *error;
	int err;

	if (alive(a))
		return runtime_error(EXIT_BUSY, "%s: has an agent, process %d; end that first",
				     a->name, (int)a->pid);
	error = use(a, json_string_value(json_object_get(question, "sas")));
	if (error)
		return error;
	if (a->channel.fd >= 0)
		hang_up(a);
	err = agent_open(a, fd, question);
	return err ? runtime_error(1, "%s: %s", a->name, strerror(-err)) : NULL;
}

json_t *agent_credential_status(const struct agent *a)
{
	int64_t when = az_credential_expiry(a->cred), left = when - wall_clock();
	char text[DATE_SIZE];

	return json_pack("{s:s, s:s?, s:o}", "kind", "sas", "expires",
			 when ? date(when, text) : NULL, "expires_seconds",
			 when ? json_integer(left > 0 ? left : 0) : json_null());
}

json_t *agent_status(const struct agent *a)
{
	if (a->channel.fd < 0)
		return json_null();
	return json_pack("{s:i}", "pid", (int)a->pid);
}
