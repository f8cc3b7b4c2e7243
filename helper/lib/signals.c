// SPDX-License-Identifier: MIT
#include "lib/signals.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

void signals_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

int signals_watch(struct loop *loop, struct loop_fd *w, loop_fd_fn fn, void *arg)
{
	sigset_t set;
	int fd, err;

	signal(SIGPIPE, SIG_IGN);
	signals_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = loop_fd_add(loop, w, fd, EPOLLIN, fn, arg);
	if (err)
		close(fd);
	return err;
}
