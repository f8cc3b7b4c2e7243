/* SPDX-License-Identifier: MIT */
/*
 * peers.h - how fast each connection's client is, and who has to go
 *
 * While we work for a client it is never late.  While we wait for it, it has to send
 * its request, or take its response, at DS_PEER_RATE.  How far it is behind that is
 * its lateness, which grows with time and shrinks with the bytes that TCP says have
 * passed.  It is never less than zero, so that a fast beginning buys no time.
 * Between two requests it grows with time alone.  A client that is too late is
 * dropped.  When all connections are taken the latest are dropped, so that a client
 * that is not slow finds a connection, however many slow ones there are.
 */
#ifndef DEVSTORE_PEERS_H
#define DEVSTORE_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DS_PEER_RATE 1000u /* bytes a second */
#define DS_PEER_LATE_MS 30000u /* a request that arrives, a response that is taken */
#define DS_PEER_IDLE_MS 120000u /* between two requests */

enum ds_peer_phase {
	DS_PEER_REQUEST, /* its headers or body are on their way, or to be */
	DS_PEER_SERVED, /* it waits for us */
	DS_PEER_RESPONSE, /* it takes its response */
	DS_PEER_IDLE, /* it may send another request */
};

struct ds_peer {
	struct ds_peer *next, *prev;
	int fd;
	enum ds_peer_phase phase;
	uint64_t seen; /* when, and how many bytes had passed then */
	uint64_t passed;
	uint64_t late; /* ns */
	bool dropped;
};

struct ds_peers {
	struct ds_peer *first;
	size_t count, max;
	/* How many bytes have come from (@in) and gone to a client; a test has its own. */
	uint64_t (*bytes)(const struct ds_peer *peer, bool in);
};

void ds_peers_init(struct ds_peers *p, size_t max);

/* A connection: its end is ds_peer_remove().  NULL: out of memory.  @now: loop_now(). */
struct ds_peer *ds_peer_add(struct ds_peers *p, int fd, uint64_t now);
void ds_peer_remove(struct ds_peers *p, struct ds_peer *peer);
/* NULL is nobody. */
void ds_peer_set(const struct ds_peers *p, struct ds_peer *peer, enum ds_peer_phase phase,
		 uint64_t now);

/* Shuts down the connections of those who are too late, to be called every few
 * seconds: how many. */
size_t ds_peers_drop_late(struct ds_peers *p, uint64_t now);
/* The same for the latest few of all, when there is no room: how many.  The
 * connections are gone once their owner has noticed. */
size_t ds_peers_drop_latest(struct ds_peers *p, uint64_t now);

#endif
