// SPDX-License-Identifier: MIT
/*
 * stall.c - which calls get nowhere
 *
 * A call that is sent goes on as long as bytes move, either way.  The bytes that count
 * are the kernel's (TCP_INFO, tcp(7)): acknowledged by the other side, or received from
 * it.  libcurl's own count grows as a socket takes them, and a socket takes megabytes,
 * which a slow line needs minutes for.
 *
 * It ends when
 *
 *  - the other side is dead: nothing that was sent is acknowledged, and no probe, for
 *    silence_timeout_ms.  TCP_USER_TIMEOUT would find that too, but it also ends
 *    connections whose other side is alive, answers every probe, and has only no room:
 *    a relay that shares a slow line among many does that for long.
 *  - it went by a connection that had been idle, and nothing at all of it is acknowledged
 *    for stale_timeout_ms, or eight times what a round trip takes at worst.  A firewall
 *    has forgotten such a connection, and most likely its idle siblings: they are not
 *    used again.  What is fresh, or has acknowledged something since, is.
 *  - the other side is there, but no byte moves for answer_timeout_ms, or, where there
 *    is no data, short_answer_timeout_ms.
 *
 * While nothing is on its way out, keep-alive probes ask whether anybody is there.
 */
#include "azure/call.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The first probe after so long, then one after the other: what remains of the silence
 * that is allowed holds some. */
#define KEEP_IDLE_S 10
#define KEEP_INTERVAL_S 2
#define KEEP_COUNT 5
/* libcurl's own limit. */
#define IDLE_LIMIT_S 118
/* What was idle then, and is still, isn't used again; 0: none.  All clients of a process
 * go to one service by one way. */
static uint64_t distrusted;

/* A retransmission or two are no sign of anything. */
#define TRIPS 8u
/* A probe is unanswered when the next one is sent; the first may just be on its way. */
#define UNANSWERED 2

void az_stall_socket(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT },
	};

	/* One that fails is one probe less. */
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			   sizeof(options[i].value));
}

void az_stall_begin(struct az_call *call)
{
	long connects = 0;

	curl_easy_getinfo(call->easy, CURLINFO_NUM_CONNECTS, &connects);
	call->reused = !connects;
	call->sent_at = call->moved_at = call->asked_at = loop_now();
	call->moved = 0;
}

long az_stall_idle_limit(const struct az_client *c)
{
	long limit = c->idle_limit ? c->idle_limit : IDLE_LIMIT_S;
	uint64_t since;

	if (!distrusted)
		return limit;
	/* libcurl compares whole seconds, and takes one that is equal. */
	since = (loop_now() - distrusted) / LOOP_SEC(1);
	since = since ? since - 1 : 0;
	return since < (uint64_t)limit ? (long)since : limit;
}

void az_stall_forgive(struct az_call *call, uint64_t ns)
{
	call->sent_at += ns;
	call->moved_at += ns;
}

uint64_t az_stall_interval(const struct az_client_options *opt)
{
	unsigned int ms = opt->silence_timeout_ms;

	if (opt->connect_timeout_ms < ms)
		ms = opt->connect_timeout_ms;
	if (opt->stale_timeout_ms < ms)
		ms = opt->stale_timeout_ms;
	if (opt->answer_timeout_ms < ms)
		ms = opt->answer_timeout_ms;
	if (opt->short_answer_timeout_ms < ms)
		ms = opt->short_answer_timeout_ms;
	if (opt->repeat_after_ms && opt->repeat_after_ms < ms)
		ms = opt->repeat_after_ms;
	ms /= 8;
	return LOOP_MS(ms < 20 ? 20 : ms > 1000 ? 1000 : ms);
}

/* For how long nobody has acknowledged what was sent, or a probe; ns. */
static uint64_t silence(const struct az_call *call, const struct tcp_info *tcp, uint64_t now)
{
	uint64_t last = LOOP_MS(tcp->tcpi_last_ack_recv), sent = now - call->sent_at;

	if (!tcp->tcpi_unacked && tcp->tcpi_probes < UNANSWERED)
		return 0;
	/* An idle connection's last acknowledgement is an old one. */
	return last < sent ? last : sent;
}

/* What a round trip takes at worst, of those that were seen on any connection in the last
 * minute; ns.  On a line that is full all take longer than on the one that was idle. */
static uint64_t round_trip(const struct tcp_info *tcp, uint64_t now)
{
	static uint64_t worst, seen;
	uint64_t trip = 1000ull * (tcp->tcpi_rtt + 4ull * tcp->tcpi_rttvar);

	if (trip >= worst || now - seen > LOOP_SEC(60)) {
		worst = trip;
		seen = now;
	}
	return worst;
}

/* For how long it may; ns. */
static uint64_t silence_limit(const struct az_call *call, const struct tcp_info *tcp,
			      uint64_t silent, uint64_t now)
{
	const struct az_client_options *opt = &call->client->opt;
	uint64_t most = LOOP_MS(opt->silence_timeout_ms), stale = LOOP_MS(opt->stale_timeout_ms);
	uint64_t trip = TRIPS * round_trip(tcp, now);

	if (!call->reused || silent < now - call->sent_at)
		return most;
	stale = trip > stale ? trip : stale;
	return stale < most ? stale : most;
}

static bool tcp_info(const struct az_call *call, struct tcp_info *tcp)
{
	socklen_t len = sizeof(*tcp);

	memset(tcp, 0, sizeof(*tcp));
	return call->sockets &&
	       !getsockopt(call->sockets->watch.fd, IPPROTO_TCP, TCP_INFO, tcp, &len);
}

static void end(struct az_call *call, const char *what, uint64_t ns)
{
	char why[80];

	snprintf(why, sizeof(why), "%s for %.1f s", what, (double)ns / 1e9);
	az_call_fail(call, AZ_NO_RESPONSE, why);
}

/* Nobody acknowledges anything: then nobody does on connections that were idle before. */
static bool dead(struct az_call *call, const struct tcp_info *tcp, uint64_t now)
{
	uint64_t silent = silence(call, tcp, now), limit = silence_limit(call, tcp, silent, now);

	if (silent < limit)
		return false;
	if (now - silent > distrusted)
		distrusted = now - silent;
	end(call, "no acknowledgement", limit);
	return true;
}

bool az_stall_expired(struct az_call *call)
{
	const struct az_client_options *opt = &call->client->opt;
	unsigned int answer = opt->answer_timeout_ms;
	uint64_t now = loop_now();
	struct tcp_info tcp;

	if (call->op->kind == AZ_KIND_OTHER)
		answer = opt->short_answer_timeout_ms;
	/* Most calls are over before anybody looks. */
	if (now - call->sent_at < az_stall_interval(opt))
		return false;
	if (tcp_info(call, &tcp)) {
		uint64_t moved = tcp.tcpi_bytes_acked + tcp.tcpi_bytes_received;

		if (moved != call->moved) {
			call->moved = moved;
			call->moved_at = now;
		}
		if (dead(call, &tcp, now))
			return true;
	}
	if (now - call->moved_at < LOOP_MS(answer))
		return false;
	end(call, "no answer", LOOP_MS(answer));
	return true;
}
