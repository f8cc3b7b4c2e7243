// SPDX-License-Identifier: MIT
/*
 * listen.c - accepting connections, and being out of reach
 */
#include "devstore/http/http.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/log.h"

#define MAX_CONNECTIONS 4096u
#define OTHER_FILES 512u /* those of the storage, and what else is open */

size_t ds_listen_max(void)
{
	struct rlimit files = { 0 };
	size_t most;

	getrlimit(RLIMIT_NOFILE, &files);
	most = files.rlim_cur > 2 * OTHER_FILES ? files.rlim_cur - OTHER_FILES : files.rlim_cur / 2;
	return most < MAX_CONNECTIONS ? most : MAX_CONNECTIONS;
}

/* Whether there is room for one more, if need be in the place of the slowest. */
static bool make_room(struct ds_server *s)
{
	/* libmicrohttpd notices that they are shut down, and then tells. */
	for (int i = 0; i < 2 && s->peers.count >= s->peers.max; i++) {
		s->faults->dropped += ds_peers_drop_latest(&s->peers, loop_now());
		MHD_run(s->daemon);
	}
	return s->peers.count < s->peers.max;
}

static void on_connection(void *arg, uint32_t events)
{
	const struct ds_event connect = { .connect = true };
	const struct linger now = { .l_onoff = 1 };
	struct ds_server *s = arg;
	struct sockaddr_storage from;
	struct ds_plan plan;

	(void)events;
	for (int i = 0; i < 64; i++) {
		socklen_t len = sizeof(from);
		int fd = accept4(s->listener.fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		s->faults->connections++;
		ds_faults_match(s->faults, &connect, loop_now(), &plan);
		if (plan.reset) {
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
			close(fd);
			continue;
		}
		if (!make_room(s)) {
			log_debug("connection: no room, and nobody is slow");
			close(fd);
			continue;
		}
		if (MHD_add_connection(s->daemon, fd, (struct sockaddr *)&from, len) != MHD_YES)
			log_debug("connection: %s", strerror(errno));
	}
}

static int listen_again(struct ds_server *s)
{
	const int one = 1;
	int fd = socket(s->address.sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	err = bind(fd, (struct sockaddr *)&s->address.sa, s->address.len) ||
			      listen(fd, SOMAXCONN) ||
			      getsockname(fd, (struct sockaddr *)&s->address.sa, &s->address.len) ?
		      -errno :
		      loop_fd_add(s->ds->loop, &s->listener, fd, EPOLLIN, on_connection, s);
	if (err)
		close(fd);
	s->listening = !err;
	return err;
}

static void close_listener(struct ds_server *s)
{
	if (!s->listening)
		return;
	loop_fd_close(s->ds->loop, &s->listener);
	s->listening = false;
}

void ds_listen_stop(struct ds_server *s)
{
	close_listener(s);
	loop_timer_cancel(s->ds->loop, &s->outage);
}

void ds_server_outage(struct ds_server *s)
{
	uint64_t now = loop_now(), next = ds_faults_next(s->faults, now);
	bool refusing = ds_faults_refusing(s->faults, now);

	if (refusing)
		close_listener(s);
	else if (!s->listening && listen_again(s))
		next = now + LOOP_MS(100); /* somebody took the port: try on */
	if (next)
		loop_timer_arm(s->ds->loop, &s->outage, next - now);
}

static void on_outage(void *arg)
{
	ds_server_outage(arg);
}

int ds_listen(struct ds_server *s)
{
	loop_timer_init(&s->outage, on_outage, s);
	return listen_again(s);
}
