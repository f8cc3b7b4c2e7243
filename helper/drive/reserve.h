/* SPDX-License-Identifier: MIT */
/*
 * reserve.h - how much memory a drive's helper reserves
 *
 * As much as all its connections in use at once, with TLS, retries and second reads, and
 * a page map that is as large as it gets; see lib/heap.h for why.  What the kernel takes
 * for the sockets comes on top: each has two buffers of RESERVE_SOCKET at most.  A
 * window of that size carries 60 MiB a second over a round trip of 20 ms with six
 * connections.
 */
#ifndef DRIVE_RESERVE_H
#define DRIVE_RESERVE_H

#include <jansson.h>

struct drive;

/* What is asked for; without net.core.rmem_max and wmem_max set, half a megabyte is
 * granted, bookkeeping included. */
#define RESERVE_SOCKET (512u << 10)

/* To be called when all is there but the drive; -ENOMEM. */
int reserve_take(struct drive *d);

/* "memory" of status: "reserved", "used", "sockets", "grown", "faults". */
json_t *reserve_status(const struct drive *d);

#endif
