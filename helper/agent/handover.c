// SPDX-License-Identifier: MIT
#include "agent/handover.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/spawner.h"
#include "lib/log.h"
#include "lib/runtime.h"

/* Longer than it waits for the helper and for our lock. */
#define RESPONSE_MS 40000

static void goes_on(const struct handover *h, const char *why)
{
	log_error("/dev/cdrive%d: its agent is not replaced: %s; it goes on as it is",
		  h->sup->index, why);
}

static void hang_up(struct handover *h)
{
	loop_timer_cancel(h->loop, &h->late);
	loop_fd_close(h->loop, &h->socket);
}

static void failed(struct handover *h, const char *why)
{
	hang_up(h);
	goes_on(h, why);
	supervise_take_back(h->sup);
	h->ops->took_back(h->arg);
}

static void late(void *arg)
{
	failed(arg, "its successor does not respond");
}

static void responded(void *arg, uint32_t events)
{
	struct handover *h = arg;
	const char *why = "its successor ended; are clouddrivectl and its libraries whole?";
	json_t *response = NULL, *error;

	(void)events;
	if (runtime_receive(h->socket.fd, &response, 0)) {
		failed(h, why);
		return;
	}
	error = json_object_get(response, "error");
	if (error) {
		json_unpack(error, "{s:s}", "message", &why);
		failed(h, why);
	} else {
		hang_up(h);
		h->ops->replaced(h->arg);
	}
	json_decref(response);
}

/* What mount said, but for what was only for a beginning. */
static json_t *request_new(const struct supervisor *s)
{
	json_t *request = json_deep_copy(s->request);

	if (!request)
		return NULL;
	json_object_del(request, "adopt");
	json_object_del(request, "agent_pid");
	if (key_put(s->key, request) ||
	    json_object_set_new(request, "join", json_integer(s->index))) {
		json_decref(request);
		return NULL;
	}
	return request;
}

void handover_successor(struct handover *h, int fd)
{
	json_t *request;
	int err = fd < 0 ? fd : 0;

	h->asked = false;
	if (!err)
		err = loop_fd_add(h->loop, &h->socket, fd, EPOLLIN, responded, h);
	if (err) {
		if (fd >= 0)
			close(fd);
		goes_on(h, strerror(-err));
		return;
	}
	/* Before it asks for either: the helper has one agent, and the lock one holder. */
	supervise_let_go(h->sup);
	h->ops->let_go(h->arg);
	loop_timer_arm(h->loop, &h->late, LOOP_MS(RESPONSE_MS));
	request = request_new(h->sup);
	err = request ? runtime_send(fd, request) : -ENOMEM;
	json_decref(request);
	/* One that is gone is noticed. */
	if (err && err != -ECONNRESET && err != -EPIPE)
		failed(h, strerror(-err));
}

/* It is root's to ask for: the successor is the program that root has installed. */
static void signalled(void *arg, uint32_t events)
{
	struct handover *h = arg;
	struct signalfd_siginfo info;
	int err;

	(void)events;
	if (read(h->signal.fd, &info, sizeof(info)) != sizeof(info) || h->asked ||
	    h->socket.fd >= 0)
		return;
	if (!h->sup->up || h->sup->joined || h->sup->unwanted || h->sup->spawner.fd < 0) {
		goes_on(h, "the drive is just coming or going; try again");
		return;
	}
	err = spawner_succeed(h->sup->spawner.fd, h->ops->front(h->arg));
	h->asked = !err;
	if (err)
		goes_on(h, strerror(-err));
}

int handover_init(struct handover *h)
{
	sigset_t set;
	int fd, err;

	h->socket.fd = -1;
	h->signal.fd = -1;
	loop_timer_init(&h->late, late, h);
	sigemptyset(&set);
	sigaddset(&set, HANDOVER_SIGNAL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = loop_fd_add(h->loop, &h->signal, fd, EPOLLIN, signalled, h);
	if (err)
		close(fd);
	return err;
}

void handover_free(struct handover *h)
{
	if (!h->loop)
		return;
	hang_up(h);
}
