// SPDX-License-Identifier: MIT
/*
 * cdrive-bench-mem - a drive whose store is this process's memory
 *
 * All of clouddrived's request path, and nothing behind it: what the path itself
 * costs.  Prints the device's name when it is there, and serves until SIGTERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "drive/link.h"
#include "drive/queue.h"
#include "lib/log.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

struct memory {
	struct loop *loop;
	struct link *link;
	struct io_queue queue;
	struct loop_fd signals;

	char *data;
	uint64_t size;

	bool ready;
	int ready_error;
};

/* --- the backend -------------------------------------------------------- */

static int carry_out(struct memory *m, const struct io *io)
{
	uint64_t at = io_offset(io), len = io_bytes(io);

	if (at > m->size || len > m->size - at)
		return -EIO;
	switch (io->desc.op) {
	case CDRIVE_OP_READ:
		return link_payload_write(m->link, io->desc.tag, m->data + at, len, 0);
	case CDRIVE_OP_WRITE:
		return link_payload_read(m->link, io->desc.tag, m->data + at, len, 0);
	default:
		memset(m->data + at, 0, len);
		return 0;
	}
}

static void submit(void *backend, struct io *io)
{
	io_done(io, carry_out(backend, io));
}

/* Nothing is ever under way. */
static void cancel(void *backend)
{
	(void)backend;
}

static const struct backend_ops backend_ops = {
	.submit = submit,
	.cancel = cancel,
};

/* --- the driver --------------------------------------------------------- */

static void complete(void *arg, uint32_t tag, int status)
{
	struct memory *m = arg;

	link_complete(m->link, tag, status);
}

static void on_request(void *arg, const struct cdrive_descriptor *desc)
{
	struct memory *m = arg;

	io_queue_submit(&m->queue, desc);
}

static void on_ready(void *arg, int err)
{
	struct memory *m = arg;

	m->ready = true;
	m->ready_error = err;
}

static void on_state(void *arg, enum cdrive_state state)
{
	struct memory *m = arg;

	if (state == CDRIVE_STATE_GONE)
		loop_stop(m->loop);
}

static const struct link_ops link_ops = {
	.request = on_request,
	.ready = on_ready,
	.state = on_state,
};

static void signalled(void *arg, uint32_t events)
{
	struct memory *m = arg;
	struct signalfd_siginfo info;

	(void)events;
	if (read(m->signals.fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (link_detach(m->link, false))
		log_error("the device is in use, going on");
	else
		loop_stop(m->loop);
}

/* --- set-up ------------------------------------------------------------- */

/* What clouddrived does to itself before it serves. */
static void harden(void)
{
	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_error("PR_SET_IO_FLUSHER: %s", strerror(errno));
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		log_error("mlockall: %s", strerror(errno));
}

static int watch_signals(struct memory *m)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	return loop_fd_add(m->loop, &m->signals, fd, EPOLLIN, signalled, m);
}

static int attach(struct memory *m)
{
	int index = link_attach(m->link, "memory", m->size >> 9, false, -1, 0,
				&(struct driver_memory){ 0 }, &(struct link_cache){ .size = -1 });
	int err;

	if (index < 0)
		return index;
	err = loop_run_until(m->loop, &m->ready);
	if (!err)
		err = m->ready_error;
	if (err) {
		link_detach(m->link, true);
		return err;
	}
	printf("/dev/cdrive%d\n", index);
	fflush(stdout);
	return 0;
}

static int serve(struct memory *m)
{
	int err = loop_new(&m->loop);

	if (!err)
		err = watch_signals(m);
	if (!err)
		err = link_open(&m->link, m->loop, &link_ops, m);
	if (err == -ENOENT)
		log_error("no cdrive in this kernel: modprobe cdrive");
	if (err)
		return err;
	io_queue_init(&m->queue, &backend_ops, m, complete, m);
	err = attach(m);
	return err ? err : loop_run(m->loop);
}

static uint64_t parse_size(const char *text)
{
	char *end;
	unsigned long long mib = strtoull(text, &end, 10);

	if (strcmp(end, "M") != 0 || mib > 1 << 20)
		return 0;
	return (uint64_t)mib << 20;
}

int main(int argc, char **argv)
{
	static struct memory m;
	int err;

	log_open("cdrive-bench-mem", true);
	m.size = argc == 2 ? parse_size(argv[1]) : 0;
	if (!m.size) {
		fputs("usage: cdrive-bench-mem SIZE     in mebibytes, as in 256M\n", stderr);
		return 2;
	}
	m.data = mmap(NULL, m.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m.data == MAP_FAILED) {
		log_error("no memory for %s: %s", argv[1], strerror(errno));
		return EXIT_FAILURE;
	}
	harden();
	err = serve(&m);
	if (err)
		log_error("%s", strerror(-err));
	link_close(m.link);
	loop_free(m.loop);
	munmap(m.data, m.size);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
