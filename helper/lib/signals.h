/* SPDX-License-Identifier: MIT */
/*
 * signals.h - the signals that ask a process to end: SIGINT, SIGTERM and SIGHUP
 */
#ifndef LIB_SIGNALS_H
#define LIB_SIGNALS_H

#include <signal.h>

#include "lib/loop.h"

void signals_set(sigset_t *set);

/* They go to @fn, which finds a struct signalfd_siginfo in @w->fd, and SIGPIPE nowhere.
 * 0 or a negative errno. */
int signals_watch(struct loop *loop, struct loop_fd *w, loop_fd_fn fn, void *arg);

#endif
