// SPDX-License-Identifier: MIT
#include "drive/reserve.h"

#include <stdio.h>

#include "drive/drive.h"
#include "lib/heap.h"
#include "lib/text.h"

/*
 * Of a connection: libcurl's buffer (256 KiB of a large read or write, and 48 KiB of its
 * answer), a small body and the request's text (48 KiB), TLS (100 KiB); and what is lost
 * between pieces of different sizes.
 */
#define CONNECTION (640u << 10)

/* Certificates (the system's list, twice as it is read anew), a list of page ranges,
 * messages of agent and control socket. */
#define BASE (8u << 20)

/* The lease's connections, and those that are replaced before they are closed. */
#define MORE_CONNECTIONS 4u

static void look(void *arg)
{
	(void)arg;
	heap_check();
}

/* What the kernel grants to whoever asks for RESERVE_SOCKET; twice that is used. */
static uint64_t granted(const char *what)
{
	uint64_t most;
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/net/core/%s", what);
	if (!text_u64_of_file(path, &most))
		most = RESERVE_SOCKET;
	return 2 * (most < RESERVE_SOCKET ? most : RESERVE_SOCKET);
}

int reserve_take(struct drive *d)
{
	size_t bytes = BASE + (d->connections + MORE_CONNECTIONS) * (size_t)CONNECTION +
		       2 * pagemap_memory(d->size);
	int err = heap_reserve(bytes);

	d->socket_memory = granted("rmem_max") + granted("wmem_max");
	if (!err)
		loop_hook_add(d->loop, &d->reserve, look, NULL);
	return err;
}

json_t *reserve_status(const struct drive *d)
{
	struct heap_usage u = heap_usage();
	uint64_t sockets = (d->connections + MORE_CONNECTIONS) * d->socket_memory;

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "reserved", (json_int_t)u.reserved, "used",
			 (json_int_t)u.used, "sockets", (json_int_t)sockets, "grown",
			 (json_int_t)u.grown, "faults", (json_int_t)u.faults);
}
