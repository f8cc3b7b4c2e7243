/* SPDX-License-Identifier: MIT */
/*
 * proxy.h - a proxy for HTTP/1.1 that does with each request what it is told
 *
 * A request is taken in whole, and waits for its fate (world.h); one at a time is
 * with the server.  A request whose client gives up, or is gone, becomes a stray.
 */
#ifndef LATE_PROXY_H
#define LATE_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/loop.h"
#include "world.h"

struct proxy;

/* On a port of 127.0.0.1 of its own, before the server at 127.0.0.1:@port; 0 or a
 * negative errno. */
int proxy_new(struct proxy **out, struct loop *loop, unsigned int port, struct late_counts *counts);
void proxy_free(struct proxy *p);
unsigned int proxy_port(const struct proxy *p);

unsigned int proxy_pending(const struct proxy *p);
unsigned int proxy_strays(const struct proxy *p);
void proxy_deal(struct proxy *p, unsigned int i, enum fate fate);
void proxy_release(struct proxy *p, unsigned int i, bool twice);

/* Whether the server has something to answer. */
bool proxy_busy(const struct proxy *p);

/* What went wrong with the proxy itself; "" as long as nothing did. */
const char *proxy_broken(const struct proxy *p);

/* Forgets all requests. */
void proxy_reset(struct proxy *p);

#endif
