/* SPDX-License-Identifier: MIT */
/*
 * relay.h - a slow line between the client and a server
 *
 * A child process that forwards connections to a port of loopback.  All connections
 * together move so many bytes a second, and take turns; what it has no rate for stays
 * in the client's socket, as its own takes little.
 */
#ifndef TESTS_RELAY_H
#define TESTS_RELAY_H

#include "httpd.h"

#define RELAY_MOST 64
#define RELAY_TURN 4096 /* bytes of one connection at a time */

struct relay {
	pid_t pid;
	int port;
};

struct relay_pair {
	int fd[2]; /* -1: none */
};

static void relay_end(struct relay_pair *p)
{
	for (int i = 0; i < 2; i++) {
		close(p->fd[i]);
		p->fd[i] = -1;
	}
}

static void relay_accept(int listener, struct relay_pair *pairs, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct relay_pair *p = pairs;

	while (p->fd[0] >= 0)
		p++;
	p->fd[0] = accept(listener, NULL, NULL);
	p->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(p->fd[1], (struct sockaddr *)&to, sizeof(to)))
		relay_end(p);
}

/* One turn of a connection; bytes moved. */
static size_t relay_turn(struct relay_pair *p, bool *ready)
{
	char buf[RELAY_TURN];
	size_t moved = 0;

	for (int i = 0; i < 2; i++) {
		ssize_t n;

		if (!ready[i])
			continue;
		n = read(p->fd[i], buf, sizeof(buf));
		if (n <= 0 || write(p->fd[!i], buf, (size_t)n) != n) {
			relay_end(p);
			return moved;
		}
		moved += (size_t)n;
	}
	return moved;
}

static void relay_serve(int listener, int port, size_t rate)
{
	struct relay_pair pairs[RELAY_MOST + 1];
	struct pollfd poll_fds[2 * RELAY_MOST + 1];

	for (int i = 0; i <= RELAY_MOST; i++)
		pairs[i].fd[0] = pairs[i].fd[1] = -1;
	for (;;) {
		poll_fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (int i = 0; i < 2 * RELAY_MOST; i++)
			poll_fds[i + 1] =
				(struct pollfd){ .fd = pairs[i / 2].fd[i % 2], .events = POLLIN };
		if (poll(poll_fds, 2 * RELAY_MOST + 1, -1) < 0)
			_exit(1);
		if (poll_fds[0].revents)
			relay_accept(listener, pairs, port);
		for (int i = 0; i < RELAY_MOST; i++) {
			bool ready[2] = { poll_fds[2 * i + 1].revents != 0,
					  poll_fds[2 * i + 2].revents != 0 };

			if (pairs[i].fd[0] >= 0 && (ready[0] || ready[1]))
				usleep((useconds_t)(relay_turn(&pairs[i], ready) * 1000000 / rate));
		}
	}
}

/* @pause_ms: nobody is served for so long; @rate: bytes a second. */
static void relay_start(struct relay *r, int port, size_t rate, unsigned int pause_ms)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), little = 8192;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, RELAY_MOST) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		abort();
	r->port = ntohs(addr.sin_port);
	fflush(NULL);
	r->pid = fork();
	if (!r->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		usleep(pause_ms * 1000);
		relay_serve(fd, port, rate);
	}
	close(fd);
}

static void relay_stop(struct relay *r)
{
	kill(r->pid, SIGKILL);
	waitpid(r->pid, NULL, 0);
}

#endif
