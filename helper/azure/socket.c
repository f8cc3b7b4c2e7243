// SPDX-License-Identifier: MIT
/*
 * socket.c - libcurl's sockets in the loop, and whose they are
 */
#include "azure/call.h"

#include <stdlib.h>
#include <sys/epoll.h>

static void on_event(void *arg, uint32_t events)
{
	struct az_socket *s = arg;
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	az_client_act(s->client, s->watch.fd, what);
}

static struct az_socket *socket_new(struct az_client *c)
{
	struct az_socket *s = c->sockets;

	if (s)
		c->sockets = s->next;
	else
		s = calloc(1, sizeof(*s));
	if (s) {
		s->client = c;
		s->call = NULL;
		s->watch.fd = -1;
	}
	return s;
}

static void socket_free(struct az_socket *s)
{
	s->next = s->client->sockets;
	s->client->sockets = s;
}

/* Whose request or answer goes by it, while libcurl watches it for that. */
static void socket_of(struct az_socket *s, struct az_call *call)
{
	struct az_socket **p;

	if (s->call == call)
		return;
	if (s->call) {
		for (p = &s->call->sockets; *p != s; p = &(*p)->next)
			;
		*p = s->next;
	}
	s->call = call;
	if (call) {
		s->next = call->sockets;
		call->sockets = s;
	}
}

int az_socket_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
	struct az_client *c = arg;
	struct az_socket *s = socket;
	struct az_call *call = NULL;
	uint32_t events = 0;

	if (what == CURL_POLL_REMOVE) {
		if (s) {
			loop_fd_del(c->loop, &s->watch);
			socket_of(s, NULL);
			socket_free(s);
			curl_multi_assign(c->multi, fd, NULL);
		}
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	/* None: libcurl's own handle, as it ends a connection. */
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
	if (s) {
		socket_of(s, call);
		return loop_fd_mod(c->loop, &s->watch, events) ? -1 : 0;
	}
	s = socket_new(c);
	if (!s)
		return -1;
	if (loop_fd_add(c->loop, &s->watch, fd, events, on_event, s)) {
		socket_free(s);
		return -1;
	}
	socket_of(s, call);
	curl_multi_assign(c->multi, fd, s);
	return 0;
}

void az_sockets_free(struct az_client *c)
{
	while (c->sockets) {
		struct az_socket *s = c->sockets;

		c->sockets = s->next;
		free(s);
	}
}
