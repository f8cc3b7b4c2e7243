// SPDX-License-Identifier: MIT
/*
 * progress.c - which calls get nowhere
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
/* A probe is unanswered when the next one is sent; the first may just be on its way. */
#define UNANSWERED 2

void az_progress_socket(int fd)
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

void az_progress_begin(struct az_call *call)
{
	call->sent_at = call->moved_at = loop_now();
	call->moved = 0;
}

void az_progress_forgive(struct az_call *call, uint64_t ns)
{
	call->sent_at += ns;
	call->moved_at += ns;
}

uint64_t az_progress_interval(const struct az_client_options *opt)
{
	unsigned int ms = opt->silence_timeout_ms;

	if (opt->answer_timeout_ms < ms)
		ms = opt->answer_timeout_ms;
	if (opt->short_answer_timeout_ms < ms)
		ms = opt->short_answer_timeout_ms;
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

static bool tcp_info(const struct az_call *call, struct tcp_info *tcp)
{
	socklen_t len = sizeof(*tcp);

	memset(tcp, 0, sizeof(*tcp));
	return call->sockets &&
	       !getsockopt(call->sockets->watch.fd, IPPROTO_TCP, TCP_INFO, tcp, &len);
}

static bool end(struct az_call *call, const char *what, unsigned int ms)
{
	char why[80];

	snprintf(why, sizeof(why), "%s for %.1f s", what, ms / 1000.0);
	az_call_fail(call, AZ_NO_ANSWER, why);
	return true;
}

bool az_progress_expired(struct az_call *call)
{
	const struct az_client_options *opt = &call->client->opt;
	unsigned int answer = opt->answer_timeout_ms;
	uint64_t now = loop_now();
	struct tcp_info tcp;

	if (call->op->kind == AZ_KIND_OTHER)
		answer = opt->short_answer_timeout_ms;
	/* Most calls are over before anybody looks. */
	if (now - call->sent_at < az_progress_interval(opt))
		return false;
	if (tcp_info(call, &tcp)) {
		uint64_t moved = tcp.tcpi_bytes_acked + tcp.tcpi_bytes_received;

		if (moved != call->moved) {
			call->moved = moved;
			call->moved_at = now;
		}
		if (silence(call, &tcp, now) >= LOOP_MS(opt->silence_timeout_ms))
			return end(call, "no acknowledgement", opt->silence_timeout_ms);
	}
	if (now - call->moved_at >= LOOP_MS(answer))
		return end(call, "no answer", answer);
	return false;
}
