// SPDX-License-Identifier: MIT
#include "azure/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "lib/text.h"

/* A time to live is taken for no less and no more than this. */
#define LEAST_S 30u
#define MOST_S 600u
/* After a failure, where addresses are known; and how often a name is asked for at most. */
#define AGAIN_S 10u
#define OFTEN_MS 1000u

/* A socket of c-ares's. */
struct dns_socket {
	struct loop_fd watch;
	struct az_resolver *resolver;
	struct dns_socket *next;
};

struct az_resolver {
	struct loop *loop;
	loop_fn answered;
	void *arg;
	ares_channel channel; /* NULL: to be made, by the files as they are then */
	struct timespec files; /* when resolv.conf had been changed last */
	struct loop_timer timer;
	struct dns_socket *sockets;
	struct az_name *names;
};

/* --- c-ares in the loop ------------------------------------------------------------------ */

static void arm(struct az_resolver *r)
{
	struct timeval tv, *next = r->channel ? ares_timeout(r->channel, NULL, &tv) : NULL;

	if (next)
		loop_timer_arm(r->loop, &r->timer,
			       LOOP_SEC(next->tv_sec) + (uint64_t)next->tv_usec * 1000);
	else
		loop_timer_cancel(r->loop, &r->timer);
}

static void on_timer(void *arg)
{
	struct az_resolver *r = arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	arm(r);
}

static void on_event(void *arg, uint32_t events)
{
	struct dns_socket *s = arg;
	struct az_resolver *r = s->resolver;
	bool in = events & ~(uint32_t)EPOLLOUT; /* errors too are read */
	ares_socket_t fd = s->watch.fd;

	ares_process_fd(r->channel, in ? fd : ARES_SOCKET_BAD,
			events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
	arm(r);
}

static void socket_remove(struct az_resolver *r, ares_socket_t fd)
{
	struct dns_socket **p = &r->sockets, *s;

	while (*p && (*p)->watch.fd != fd)
		p = &(*p)->next;
	s = *p;
	if (!s)
		return;
	*p = s->next;
	loop_fd_del(r->loop, &s->watch);
	free(s);
}

/* Without memory for one, the query times out. */
static void socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
	struct az_resolver *r = arg;
	struct dns_socket *s = r->sockets;

	if (!events) {
		socket_remove(r, fd);
		return;
	}
	while (s && s->watch.fd != fd)
		s = s->next;
	if (s) {
		loop_fd_mod(r->loop, &s->watch, events);
		return;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->resolver = r;
	if (loop_fd_add(r->loop, &s->watch, fd, events, on_event, s)) {
		free(s);
		return;
	}
	s->next = r->sockets;
	r->sockets = s;
}

/* --- the channel ----------------------------------------------------------------------- */

static bool files_changed(struct az_resolver *r)
{
	struct stat st = { 0 };
	bool changed;

	stat("/etc/resolv.conf", &st);
	changed = st.st_mtim.tv_sec != r->files.tv_sec || st.st_mtim.tv_nsec != r->files.tv_nsec;
	r->files = st.st_mtim;
	return changed;
}

static bool busy(const struct az_resolver *r)
{
	for (const struct az_name *n = r->names; n; n = n->next)
		if (n->asking)
			return true;
	return false;
}

/* c-ares reads its files once; they change with the network. */
static bool have_channel(struct az_resolver *r)
{
	struct ares_options options = { .sock_state_cb = socket_state, .sock_state_cb_data = r };
	int which = ARES_OPT_SOCK_STATE_CB;

#ifdef ARES_OPT_QUERY_CACHE
	/* Newer ones remember answers.  Who asks again wants to know whether there is
	 * another by now. */
	options.qcache_max_ttl = 0;
	which |= ARES_OPT_QUERY_CACHE;
#endif

	if (!busy(r) && files_changed(r) && r->channel) {
		ares_destroy(r->channel);
		r->channel = NULL;
	}
	if (!r->channel && ares_init_options(&r->channel, &options, which) != ARES_SUCCESS)
		r->channel = NULL;
	return r->channel;
}

int az_resolver_new(struct az_resolver **out, struct loop *loop, loop_fn answered, void *arg)
{
	static bool initialised;
	struct az_resolver *r;

	if (!initialised && ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
		return -ENOMEM;
	initialised = true;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->loop = loop;
	r->answered = answered;
	r->arg = arg;
	loop_timer_init(&r->timer, on_timer, r);
	*out = r;
	return 0;
}

void az_resolver_free(struct az_resolver *r)
{
	if (!r)
		return;
	if (r->channel)
		ares_destroy(r->channel);
	loop_timer_cancel(r->loop, &r->timer);
	while (r->names) {
		struct az_name *n = r->names;

		r->names = n->next;
		free(n->entry.data);
		free(n->host);
		free(n);
	}
	free(r);
}

/* --- names -------------------------------------------------------------------------------- */

struct az_name *az_resolver_name(struct az_resolver *r, const char *host, size_t len,
				 unsigned int port)
{
	struct az_name *n = r->names;

	while (n && (strncmp(n->host, host, len) != 0 || n->host[len] || n->port != port))
		n = n->next;
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->host = strndup(host, len);
	if (!n->host) {
		free(n);
		return NULL;
	}
	n->resolver = r;
	n->port = port;
	n->next = r->names;
	r->names = n;
	return n;
}

static void add_address(struct text *t, const struct ares_addrinfo_node *node)
{
	char address[INET6_ADDRSTRLEN];
	const void *in;

	if (node->ai_family == AF_INET)
		in = &((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
	else if (node->ai_family == AF_INET6)
		in = &((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
	else
		return;
	if (!inet_ntop(node->ai_family, in, address, sizeof(address)))
		return;
	text_add(t, t->s[t->len - 1] == ':' ? "" : ",");
	text_addf(t, node->ai_family == AF_INET6 ? "[%s]" : "%s", address);
}

/* The new entry in place of the old; false when there is no address. */
static bool take(struct az_name *n, const struct ares_addrinfo *info, unsigned int *ttl)
{
	struct text t = { 0 };
	size_t start;

	text_addf(&t, "%s:%u:", n->host, n->port);
	start = t.len;
	*ttl = MOST_S;
	for (const struct ares_addrinfo_node *node = info->nodes; node && !t.failed;
	     node = node->ai_next) {
		add_address(&t, node);
		if (node->ai_ttl < 0 || (unsigned int)node->ai_ttl < *ttl)
			*ttl = node->ai_ttl < 0 ? 0 : (unsigned int)node->ai_ttl;
	}
	if (t.failed || t.len == start) {
		text_free(&t);
		return false;
	}
	free(n->entry.data);
	n->entry.data = t.s;
	return true;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct az_name *n = arg;
	uint64_t now = loop_now();
	unsigned int ttl = 0;
	bool good;

	(void)timeouts;
	if (status == ARES_EDESTRUCTION)
		return;
	n->asking = false;
	n->fresh_until = now + LOOP_MS(OFTEN_MS);
	good = status == ARES_SUCCESS && take(n, info, &ttl);
	if (info)
		ares_freeaddrinfo(info);
	n->why[0] = '\0';
	if (good)
		n->ask_at = now + LOOP_SEC(ttl < LEAST_S ? LEAST_S : ttl);
	else
		n->ask_at = now + LOOP_SEC(AGAIN_S);
	if (!good)
		snprintf(n->why, sizeof(n->why), "%s",
			 status == ARES_SUCCESS ? "it has no address" : ares_strerror(status));
	n->resolver->answered(n->resolver->arg);
}

static void ask(struct az_name *n)
{
	static const struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
							  .ai_socktype = SOCK_STREAM };
	struct az_resolver *r = n->resolver;

	if (!have_channel(r)) {
		on_answer(n, ARES_ENOMEM, 0, NULL);
		return;
	}
	n->asking = true;
	ares_getaddrinfo(r->channel, n->host, NULL, &hints, on_answer, n); /* may answer at once */
	arm(r);
}

enum az_name_state az_name_look_up(struct az_name *n)
{
	uint64_t now = loop_now();

	if (!n->asking && now >= n->fresh_until && (!n->entry.data || now >= n->ask_at))
		ask(n);
	if (n->entry.data)
		return AZ_NAME_KNOWN;
	return n->asking ? AZ_NAME_ASKED : AZ_NAME_UNKNOWN;
}

void az_name_doubt(struct az_name *n)
{
	n->ask_at = 0;
}
