// SPDX-License-Identifier: MIT
#include "drive/agent_channel.h"

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
#include "lib/date.h"
#include "lib/log.h"
#include "lib/runtime.h"

static const char *advice(const struct agent_channel *c)
{
	return c->user_sas ? "clouddrivectl mount with a new SAS in the URL" :
			     "clouddrivectl mount URL brings an agent back";
}

const char *agent_channel_renewal(const struct agent_channel *c)
{
	if (c->user_sas || c->socket.fd < 0)
		return advice(c);
	return "if the account's key was changed, end the drive's agent (clouddrivectl status names it) and clouddrivectl mount the URL with the new key";
}

/* --- the clock -------------------------------------------------------------- */

static int64_t clock_ahead(const struct agent_channel *c)
{
	return c->ops->clock_ahead ? c->ops->clock_ahead(c->arg) : 0;
}

/* By the service's clock. */
static int64_t now(const struct agent_channel *c)
{
	return wall_clock() + clock_ahead(c);
}

static bool knows_clock(const struct agent_channel *c)
{
	int64_t change = clock_ahead(c) - c->clock_told;

	return change < AGENT_CHANNEL_CLOCK_S && change > -AGENT_CHANNEL_CLOCK_S;
}

bool agent_channel_tell_clock(struct agent_channel *c)
{
	int64_t ahead = clock_ahead(c);
	json_t *m;
	int err;

	if (c->socket.fd < 0 || c->user_sas || knows_clock(c))
		return false;
	m = json_pack("{s:I}", "clock_ahead", (json_int_t)ahead);
	err = m ? runtime_send(c->socket.fd, m) : -ENOMEM;
	json_decref(m);
	if (err)
		return false; /* it is tried again */
	c->clock_told = ahead;
	log_info("%s: the service's clock is %lld s %s this machine's; the SAS go by it", c->name,
		 (long long)(ahead < 0 ? -ahead : ahead), ahead < 0 ? "behind" : "ahead of");
	return true;
}

static void expire(struct agent_channel *c, int64_t when)
{
	char why[160], text[DATE_SECONDS];

	c->expired = true;
	snprintf(why, sizeof(why), "the SAS expired at %s; %s", date_seconds(when, text),
		 advice(c));
	c->ops->expired(c->arg, why);
}

void agent_channel_check(struct agent_channel *c)
{
	int64_t when = az_credential_expiry(c->cred), left = when - now(c);

	agent_channel_tell_clock(c);
	loop_timer_cancel(c->loop, &c->timer);
	if (!c->announced || !when)
		return;
	if (left <= 0 && !c->expired) {
		expire(c, when);
	} else if (left > 0 && c->expired) { /* the clock was set back */
		c->expired = false;
		c->ops->fresh(c->arg, true);
	}
	loop_timer_arm(c->loop, &c->timer,
		       LOOP_SEC(left > 0 && left < AGENT_CHANNEL_CHECK_S ? left :
									   AGENT_CHANNEL_CHECK_S));
}

static void look_at_clock(void *arg)
{
	agent_channel_check(arg);
}

void agent_channel_announced(struct agent_channel *c)
{
	c->announced = true;
	agent_channel_check(c);
}

/* --- a fresh SAS -------------------------------------------------------------- */

/* NULL, or why it can't be used: nothing has changed then. */
static json_t *use(struct agent_channel *c, const char *sas)
{
	struct az_credential cred = { 0 };
	bool after = c->expired;
	char text[DATE_SECONDS];
	int64_t when;

	if (!sas || az_credential_set_sas(&cred, sas))
		return runtime_error(EXIT_DENIED,
				     "%s: no usable SAS; make a new one and quote it whole",
				     c->name);
	when = az_credential_expiry(&cred);
	if (when && when <= now(c)) {
		az_credential_free(&cred);
		return runtime_error(EXIT_DENIED, "%s: the SAS expired at %s; make a new one",
				     c->name, date_seconds(when, text));
	}
	az_credential_free(c->cred);
	*c->cred = cred;
	c->expired = false;
	c->ops->fresh(c->arg, after);
	agent_channel_check(c);
	return NULL;
}

/* --- the channel -------------------------------------------------------------- */

static void hang_up(struct agent_channel *c)
{
	loop_fd_close(c->loop, &c->socket);
	c->pid = 0;
}

static void gone(struct agent_channel *c)
{
	int64_t when = az_credential_expiry(c->cred);
	char text[DATE_SECONDS];

	hang_up(c);
	if (!c->announced)
		c->ops->abandoned(c->arg);
	else if (when)
		log_error("%s: its agent is gone; the SAS is valid until %s; %s", c->name,
			  date_seconds(when, text), advice(c));
	else
		log_error("%s: its agent is gone; the SAS says not how long it is valid; %s",
			  c->name, advice(c));
}

static void message(struct agent_channel *c, const json_t *m)
{
	const char *sas = json_string_value(json_object_get(m, "sas")), *why = "";
	json_t *error;

	if (!sas)
		return;
	error = use(c, sas);
	json_unpack(error, "{s:{s:s}}", "error", "message", &why);
	if (error)
		log_error("what the agent sent: %s", why);
	json_decref(error);
}

static void readable(void *arg, uint32_t events)
{
	struct agent_channel *c = arg;
	json_t *m;
	int err = runtime_receive(c->socket.fd, &m, 0);

	(void)events;
	if (!err)
		message(c, m);
	else if (err == -EPROTO || err == -EMSGSIZE)
		log_error("%s: its agent sent what makes no sense", c->name);
	else if (err != -ETIMEDOUT && err != -EAGAIN)
		gone(c);
	json_decref(m);
}

int agent_channel_open(struct agent_channel *c, int fd, const json_t *request)
{
	struct ucred peer = { 0 };
	int pid = 0, user_sas = 0;
	int err;

	/* An agent that is stopped must not stop the drive. */
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		return -errno;
	err = loop_fd_add(c->loop, &c->socket, fd, EPOLLIN | EPOLLRDHUP, readable, c);
	if (err)
		return err;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){ sizeof(peer) }))
		pid = peer.pid;
	json_unpack((json_t *)request, "{s?i, s?b}", "agent_pid", &pid, "user_sas", &user_sas);
	c->pid = pid;
	c->user_sas = user_sas;
	c->clock_told = 0;
	return 0;
}

void agent_channel_init(struct agent_channel *c, struct loop *loop, struct az_credential *cred,
			const char *name, const struct agent_channel_ops *ops, void *arg)
{
	*c = (struct agent_channel){
		.loop = loop,
		.cred = cred,
		.name = name,
		.ops = ops,
		.arg = arg,
		.socket.fd = -1,
	};
	loop_timer_init(&c->timer, look_at_clock, c);
}

void agent_channel_close(struct agent_channel *c)
{
	loop_timer_cancel(c->loop, &c->timer);
	loop_fd_del(c->loop, &c->socket);
}

/* --- the control socket's part ---------------------------------------------------- */

json_t *agent_channel_credential(struct agent_channel *c, const json_t *request)
{
	const char *sas = json_string_value(json_object_get(request, "sas"));
	json_t *error = use(c, sas), *m;
	int err;

	if (error)
		return error;
	if (c->socket.fd >= 0) {
		m = json_pack("{s:s}", "sas", sas);
		err = m ? runtime_send(c->socket.fd, m) : -ENOMEM;
		json_decref(m);
		if (err)
			log_error("%s: its agent could not be given the new SAS: %s", c->name,
				  strerror(-err));
	}
	return json_pack("{s:b}", "accepted", 1);
}

/* Its end may be known to the kernel and not yet to us. */
static bool alive(const struct agent_channel *c)
{
	struct pollfd p = { .fd = c->socket.fd, .events = POLLRDHUP };

	return p.fd >= 0 && (poll(&p, 1, 0) != 1 || !(p.revents & (POLLHUP | POLLRDHUP)));
}

json_t *agent_channel_connect(struct agent_channel *c, int fd, const json_t *request)
{
	json_t *error = NULL;
	int err, user_sas = 0;

	if (alive(c))
		return runtime_error(EXIT_BUSY, "%s: has an agent, process %d; end that first",
				     c->name, (int)c->pid);
	/* One that knows nothing of the service's clock may bring a SAS that is over by it, and
	 * will bring a better one. */
	json_unpack((json_t *)request, "{s?b}", "user_sas", &user_sas);
	c->clock_told = 0;
	if (user_sas || knows_clock(c))
		error = use(c, json_string_value(json_object_get(request, "sas")));
	if (error)
		return error;
	if (c->socket.fd >= 0)
		hang_up(c);
	err = agent_channel_open(c, fd, request);
	if (!err)
		agent_channel_tell_clock(c);
	return err ? runtime_error(EXIT_FAILED, "%s: %s", c->name, strerror(-err)) : NULL;
}

json_t *agent_channel_credential_status(const struct agent_channel *c)
{
	int64_t when = az_credential_expiry(c->cred), left = when - now(c);
	char text[DATE_SECONDS];

	return json_pack("{s:s, s:s?, s:o}", "kind", "sas", "expires",
			 when ? date_seconds(when, text) : NULL, "expires_seconds",
			 when ? json_integer(left > 0 ? left : 0) : json_null());
}

json_t *agent_channel_status(const struct agent_channel *c)
{
	if (c->socket.fd < 0)
		return json_null();
	return json_pack("{s:i, s:b}", "pid", (int)c->pid, "user_sas", c->user_sas);
}
