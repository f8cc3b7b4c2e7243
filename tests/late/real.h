/* SPDX-License-Identifier: MIT */
/*
 * real.h - a world (world.h) of HTTP, with a server that is what it is
 */
#ifndef LATE_REAL_H
#define LATE_REAL_H

#include "machine.h"
#include "proxy.h"
#include "world.h"

struct real {
	struct world world;
	struct proxy *proxy;
	struct az_url url; /* of the blob, by way of the proxy */
	struct az_credential cred;

	/* who looks and meddles: past the proxy, in a loop of its own */
	struct loop *apart;
	struct az_client *client;
	struct az_url direct;
	struct az_blob blob;
	const char *control; /* devstore's socket, or NULL */
	bool interrupted;
};

/*
 * @server: http://127.0.0.1:PORT/ACCOUNT/CONTAINER, which is there; its key is
 * the published one of emulators.  0, or -1 with a sentence in world.broken.
 */
int real_open(struct real *r, const char *server, const char *control, struct late_counts *counts);
void real_close(struct real *r);

/* A new blob, for the schedule of @seed; 0 or -1 likewise. */
int real_begin(struct real *r, uint64_t seed);

#endif
