/* SPDX-License-Identifier: MIT */
/*
 * resolver.h - addresses of names, without waiting for any
 *
 * A name is asked for when it is first used, and again in the background when its
 * time to live has passed or its addresses can't be connected to.  Whatever comes of
 * that, the addresses that worked are kept until there are others: while a name server
 * hangs, or says that it has failed, connections go where they went.
 *
 * By c-ares, in the loop: a resolver that may wait (getaddrinfo(3)) needs a thread, which
 * libcurl waits for when a call is cancelled; whose stack, 8 MiB, would be locked into
 * memory; and which must not be there when a sandbox is entered.  The price: of what
 * nsswitch.conf(5) has for hosts only "files" and "dns" count.
 */
#ifndef AZURE_RESOLVER_H
#define AZURE_RESOLVER_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"

struct az_resolver;

struct az_name {
	struct az_resolver *resolver;
	struct az_name *next;
	char *host;
	unsigned int port;

	/* What libcurl is told (CURLOPT_RESOLVE): "HOST:PORT:ADDRESS,ADDRESS"; its data is
	 * NULL as long as no address is known. */
	struct curl_slist entry;
	bool asking;
	uint64_t ask_at; /* loop_now() from which it is to be asked for again */
	uint64_t fresh_until; /* no sooner, whatever happens */
	char why[80]; /* the last time failed; "" : it didn't */
};

enum az_name_state {
	AZ_NAME_KNOWN,
	AZ_NAME_ASKED, /* answered() will be called */
	AZ_NAME_UNKNOWN, /* name->why: it was just asked for */
};

/* @answered is called when some name's state may have changed, also from within
 * az_name_look_up(). */
int az_resolver_new(struct az_resolver **out, struct loop *loop, loop_fn answered, void *arg);
void az_resolver_free(struct az_resolver *r);

/* The name @host of @len bytes, which is no address, for connections to @port; it lives
 * as long as the resolver.  NULL: out of memory. */
struct az_name *az_resolver_name(struct az_resolver *r, const char *host, size_t len,
				 unsigned int port);

/* Asks for it where that is due.  Never waits. */
enum az_name_state az_name_look_up(struct az_name *n);

/* No connection could be made: are there other addresses? */
void az_name_doubt(struct az_name *n);

#endif
