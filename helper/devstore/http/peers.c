// SPDX-License-Identifier: MIT
#include "devstore/http/peers.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define NS_PER_MS 1000000ull
#define NS_PER_BYTE (1000000000ull / DS_PEER_RATE)
#define DROP_AT_ONCE 16u /* of the latest */

static uint64_t tcp_bytes(const struct ds_peer *peer, bool in)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(peer->fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return in ? info.tcpi_bytes_received : info.tcpi_bytes_acked;
}

void ds_peers_init(struct ds_peers *p, size_t max)
{
	*p = (struct ds_peers){ .max = max, .bytes = tcp_bytes };
}

static uint64_t passed(const struct ds_peers *p, const struct ds_peer *peer)
{
	return p->bytes(peer, peer->phase != DS_PEER_RESPONSE);
}

void ds_peer_set(const struct ds_peers *p, struct ds_peer *peer, enum ds_peer_phase phase,
		 uint64_t now)
{
	if (!peer)
		return;
	peer->phase = phase;
	peer->seen = now;
	peer->late = 0;
	peer->passed = phase == DS_PEER_SERVED ? 0 : passed(p, peer);
}

struct ds_peer *ds_peer_add(struct ds_peers *p, int fd, uint64_t now)
{
	struct ds_peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->fd = fd;
	ds_peer_set(p, peer, DS_PEER_REQUEST, now);
	peer->next = p->first;
	if (p->first)
		p->first->prev = peer;
	p->first = peer;
	p->count++;
	return peer;
}

void ds_peer_remove(struct ds_peers *p, struct ds_peer *peer)
{
	if (!peer)
		return;
	*(peer->prev ? &peer->prev->next : &p->first) = peer->next;
	if (peer->next)
		peer->next->prev = peer->prev;
	p->count--;
	free(peer);
}

/* --- who is late ------------------------------------------------------------------- */

static void look(const struct ds_peers *p, struct ds_peer *peer, uint64_t now)
{
	uint64_t before = peer->passed, credit;

	if (peer->phase == DS_PEER_SERVED || now <= peer->seen)
		return;
	peer->passed = passed(p, peer);
	if (peer->phase == DS_PEER_IDLE && peer->passed > before) {
		/* Another request begins. */
		peer->phase = DS_PEER_REQUEST;
		peer->late = 0;
	} else {
		peer->late += now - peer->seen;
	}
	credit = peer->passed > before ? (peer->passed - before) * NS_PER_BYTE : 0;
	peer->late -= credit < peer->late ? credit : peer->late;
	peer->seen = now;
}

static void drop(struct ds_peer *peer)
{
	peer->dropped = true;
	(void)shutdown(peer->fd, SHUT_RDWR);
}

static bool too_late(const struct ds_peer *peer)
{
	uint64_t ms = peer->phase == DS_PEER_IDLE ? DS_PEER_IDLE_MS : DS_PEER_LATE_MS;

	return peer->late >= ms * NS_PER_MS;
}

size_t ds_peers_drop_late(struct ds_peers *p, uint64_t now)
{
	size_t n = 0;

	for (struct ds_peer *peer = p->first; peer; peer = peer->next) {
		look(p, peer, now);
		if (peer->dropped || !too_late(peer))
			continue;
		drop(peer);
		n++;
	}
	return n;
}

static int by_lateness(const void *a, const void *b)
{
	const struct ds_peer *x = *(struct ds_peer *const *)a, *y = *(struct ds_peer *const *)b;

	return x->late < y->late ? 1 : x->late > y->late ? -1 : 0;
}

size_t ds_peers_drop_latest(struct ds_peers *p, uint64_t now)
{
	struct ds_peer **all = calloc(p->count + 1, sizeof(struct ds_peer *));
	size_t n = 0, dropped = 0;

	if (!all)
		return 0;
	for (struct ds_peer *peer = p->first; peer; peer = peer->next) {
		look(p, peer, now);
		if (!peer->dropped && peer->late)
			all[n++] = peer;
	}
	qsort(all, n, sizeof(struct ds_peer *), by_lateness);
	for (; dropped < n && dropped < DROP_AT_ONCE; dropped++)
		drop(all[dropped]);
	free(all);
	return dropped;
}
