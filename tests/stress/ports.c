// SPDX-License-Identifier: MIT
/*
 * A netlink port id is free for others as soon as its socket is closed, a moment before
 * the driver is told of the closing.  Whoever has it then and is a drive's helper must not
 * be taken for who had it before.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "lib/driver.h"
#include "lib/state.h"
#include "report.h"
#include "scenario.h"
#include "wire.h"

#define PORT 0x40000000u /* above all that processes get */
#define CLOSERS 2

static atomic_bool stop;
static atomic_ulong closed, attached;

static int bind_port(int fd)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_pid = PORT };

	return bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
}

static void *close_and_close(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);

		if (!bind_port(fd))
			atomic_fetch_add(&closed, 1);
		close(fd);
	}
	return NULL;
}

/* A socket that has the port, and is not known to the driver for it yet. */
static int open_with_port(struct wire *w)
{
	int err = wire_open(w), fd;

	if (err)
		return err;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	while ((err = bind_port(fd)) == -EADDRINUSE && !atomic_load(&stop))
		;
	close(atomic_exchange(&w->fd, fd));
	return err;
}

static void one_drive(struct driver *driver)
{
	struct wire_drive drive = { .sectors = 2048 };
	struct driver_drive d;
	struct wire w = { 0 };

	if (open_with_port(&w) || wire_attach(&w, &drive)) {
		wire_close(&w);
		return;
	}
	atomic_fetch_add(&attached, 1);
	sleep_ms(2);
	if (!driver_get(driver, w.index, &d) && d.state != CDRIVE_STATE_LIVE)
		complain("cdrive%u: is %s, and its helper is there", w.index, state_name(d.state));
	driver_detach(driver, w.index, true);
	wire_close(&w);
}

void run_ports(uint64_t seed, unsigned int seconds)
{
	uint64_t end = now_ns() + SECONDS(seconds);
	pthread_t threads[CLOSERS];
	struct driver *driver;

	(void)seed;
	if (driver_open(&driver))
		give_up("no driver");
	for (unsigned int i = 0; i < CLOSERS; i++)
		if (pthread_create(&threads[i], NULL, close_and_close, NULL))
			give_up("no thread");
	while (now_ns() < end && !complaints())
		one_drive(driver);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < CLOSERS; i++)
		pthread_join(threads[i], NULL);
	driver_close(driver);
	note("%lu sockets closed, %lu drives", closed, attached);
}
