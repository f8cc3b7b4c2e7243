// SPDX-License-Identifier: MIT
#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

#define MOST 512u /* requests in hand, each kind */
#define BUFFER (256u << 10)

static const char busy_answer[] =
	"HTTP/1.1 503 Server Busy\r\nServer: somebody on the way\r\nContent-Length: 0\r\n\r\n";

struct connection;

struct request {
	struct connection *from; /* NULL: nobody waits for the answer */
	enum fate fate; /* once it is with the server */
	bool head, write;
	size_t len;
	char data[];
};

struct connection {
	struct proxy *proxy;
	struct loop_fd watch;
	struct request *asked; /* and not answered */
	struct connection *prev, *next;
	size_t len;
	char buf[16 << 10];
};

struct proxy {
	struct loop *loop;
	struct late_counts *counts;
	unsigned int port, server;
	struct loop_fd listener, upstream;
	struct connection *connections;
	struct request *pending[MOST], *stray[MOST];
	unsigned int n_pending, n_strays;
	struct request *sent; /* is with the server */
	size_t len;
	char answer[BUFFER + 1]; /* of the server, so far */
	char broken[128];
};

__attribute__((format(printf, 2, 3))) static void broken(struct proxy *p, const char *fmt, ...)
{
	va_list ap;

	if (p->broken[0])
		return;
	va_start(ap, fmt);
	vsnprintf(p->broken, sizeof(p->broken), fmt, ap);
	va_end(ap);
}

/* --- sets of requests --------------------------------------------------------- */

static void put(struct proxy *p, struct request **set, unsigned int *n, struct request *r)
{
	if (*n == MOST) {
		broken(p, "more than %u requests", MOST);
		free(r);
		return;
	}
	set[(*n)++] = r;
}

/* In order: a schedule that is run again finds the same at the same place. */
static struct request *take(struct request **set, unsigned int *n, unsigned int i)
{
	struct request *r = set[i];

	memmove(&set[i], &set[i + 1], (--*n - i) * sizeof(*set));
	return r;
}

static unsigned int place(struct request *const *set, unsigned int n, const struct request *r)
{
	unsigned int i = 0;

	while (i < n && set[i] != r)
		i++;
	return i;
}

/* --- clients -------------------------------------------------------------------- */

/* The client hears no more.  What it had asked goes its way without it. */
static void disconnect(struct connection *c, bool reset)
{
	struct proxy *p = c->proxy;
	struct linger linger = { .l_onoff = 1 };
	int fd = c->watch.fd;

	if (c->asked) {
		unsigned int i = place(p->pending, p->n_pending, c->asked);

		c->asked->from = NULL;
		if (i < p->n_pending)
			put(p, p->stray, &p->n_strays, take(p->pending, &p->n_pending, i));
	}
	loop_fd_del(p->loop, &c->watch);
	if (reset)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	*(c->prev ? &c->prev->next : &p->connections) = c->next;
	if (c->next)
		c->next->prev = c->prev;
	free(c);
}

static void answer(struct connection *c, const char *data, size_t len)
{
	c->asked = NULL;
	if (send(c->watch.fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
		disconnect(c, true);
}

static void take_request(struct connection *c, size_t len)
{
	struct request *r = malloc(sizeof(*r) + len);

	if (!r) {
		broken(c->proxy, "out of memory");
		return;
	}
	*r = (struct request){ .from = c, .len = len };
	memcpy(r->data, c->buf, len);
	r->head = !strncmp(r->data, "HEAD ", 5);
	r->write = http_is_page_write(r->data, len);
	c->asked = r;
	c->len -= len;
	memmove(c->buf, c->buf + len, c->len);
	put(c->proxy, c->proxy->pending, &c->proxy->n_pending, r);
}

static void from_client(void *arg, uint32_t events)
{
	struct connection *c = arg;
	ssize_t n = recv(c->watch.fd, c->buf + c->len, sizeof(c->buf) - c->len, 0);
	ssize_t len;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		disconnect(c, false);
		return;
	}
	c->len += (size_t)n;
	len = c->asked ? 0 : http_request_length(c->buf, c->len);
	if (len > 0)
		take_request(c, (size_t)len);
	else if (len < 0 || c->len == sizeof(c->buf))
		broken(c->proxy, "a request that is none, or too long");
}

static void acceptable(void *arg, uint32_t events)
{
	struct proxy *p = arg;
	int fd = accept4(p->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	(void)events;
	if (!c || loop_fd_add(p->loop, &c->watch, fd, EPOLLIN, from_client, c)) {
		broken(p, "can't accept: %s", strerror(errno));
		free(c);
		if (fd >= 0)
			close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ BUFFER * 2 }, sizeof(int));
	c->proxy = p;
	c->next = p->connections;
	if (c->next)
		c->next->prev = c;
	p->connections = c;
}

/* --- the server ------------------------------------------------------------------- */

static void hang_up(struct proxy *p)
{
	int fd = p->upstream.fd;

	if (fd < 0)
		return;
	loop_fd_del(p->loop, &p->upstream);
	close(fd);
}

/* What became of a write that was let go late. */
static void count(struct proxy *p, const struct request *r)
{
	if (!r->write || r->fate != FATE_HOLD)
		return;
	p->counts->released++;
	if (http_status(p->answer) == 201)
		p->counts->landed++;
	else if (http_error_is(p->answer, p->len, "SequenceNumberConditionNotMet"))
		p->counts->stale++;
	else if (http_error_is(p->answer, p->len, "Lease"))
		p->counts->unleased++;
}

static void answered(struct proxy *p)
{
	struct request *r = p->sent;

	p->sent = NULL;
	count(p, r);
	if (r->from) {
		switch (r->fate) {
		case FATE_LOSE:
			r->from->asked = NULL;
			disconnect(r->from, true);
			break;
		case FATE_LOSE_HALF:
			/* At least the last byte is missing. */
			send(r->from->watch.fd, p->answer, p->len / 2, MSG_NOSIGNAL);
			r->from->asked = NULL;
			disconnect(r->from, false);
			break;
		case FATE_LOSE_BUSY:
			answer(r->from, busy_answer, sizeof(busy_answer) - 1);
			break;
		default:
			answer(r->from, p->answer, p->len);
			break;
		}
	}
	free(r);
	p->len = 0;
}

static void from_server(void *arg, uint32_t events)
{
	struct proxy *p = arg;
	ssize_t n = recv(p->upstream.fd, p->answer + p->len, BUFFER - p->len, 0);
	ssize_t len;

	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		hang_up(p);
		if (p->sent)
			broken(p, "the server hung up");
		return;
	}
	p->len += (size_t)n;
	p->answer[p->len] = '\0';
	len = p->sent ? http_answer_length(p->answer, p->len, p->sent->head) : -1;
	if (len < 0 || (!len && p->len == BUFFER) || len > (ssize_t)p->len)
		broken(p, "an answer that is none, or too long");
	else if (len)
		answered(p);
}

static int dial(struct proxy *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)p->server),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    loop_fd_add(p->loop, &p->upstream, fd, EPOLLIN, from_server, p)) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return 0;
}

/* The server may hang up while nothing is asked: then anew, once. */
static void forward(struct proxy *p, struct request *r, enum fate fate)
{
	r->fate = fate;
	p->sent = r;
	p->len = 0;
	for (int tries = 0; tries < 2; tries++) {
		int err = p->upstream.fd < 0 ? dial(p) : 0;

		if (!err && send(p->upstream.fd, r->data, r->len, MSG_NOSIGNAL) == (ssize_t)r->len)
			return;
		hang_up(p);
	}
	broken(p, "can't reach the server: %s", strerror(errno));
}

/* --- what is to be done -------------------------------------------------------------- */

unsigned int proxy_pending(const struct proxy *p)
{
	return p->n_pending;
}

unsigned int proxy_strays(const struct proxy *p)
{
	return p->n_strays;
}

bool proxy_busy(const struct proxy *p)
{
	return p->sent && !p->broken[0];
}

const char *proxy_broken(const struct proxy *p)
{
	return p->broken;
}

void proxy_deal(struct proxy *p, unsigned int i, enum fate fate)
{
	struct request *r = take(p->pending, &p->n_pending, i);
	struct connection *from = r->from;

	if (fate <= FATE_LOSE_BUSY) {
		forward(p, r, fate);
		return;
	}
	if (fate != FATE_HOLD_SILENTLY) {
		r->from = NULL;
		from->asked = NULL;
		if (fate == FATE_HOLD || fate == FATE_DROP)
			disconnect(from, fate == FATE_HOLD);
		else
			answer(from, busy_answer, sizeof(busy_answer) - 1);
	}
	if (fate <= FATE_HOLD_SILENTLY)
		put(p, p->stray, &p->n_strays, r);
	else
		free(r);
}

void proxy_release(struct proxy *p, unsigned int i, bool twice)
{
	struct request *r = take(p->stray, &p->n_strays, i);

	/* What is answered is not repeated: see schedule.h. */
	if (twice && !r->from) {
		struct request *copy = malloc(sizeof(*r) + r->len);

		if (copy) {
			memcpy(copy, r, sizeof(*r) + r->len);
			put(p, p->stray, &p->n_strays, copy);
			p->counts->twice++;
		}
	}
	forward(p, r, r->from ? FATE_SERVE : FATE_HOLD);
}

void proxy_reset(struct proxy *p)
{
	while (p->connections)
		disconnect(p->connections, false);
	while (p->n_pending)
		free(p->pending[--p->n_pending]);
	while (p->n_strays)
		free(p->stray[--p->n_strays]);
	if (p->sent)
		hang_up(p);
	free(p->sent);
	p->sent = NULL;
}

static int listen_somewhere(struct proxy *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 512) ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) ||
	    loop_fd_add(p->loop, &p->listener, fd, EPOLLIN, acceptable, p)) {
		int err = -errno;

		if (fd >= 0)
			close(fd);
		return err;
	}
	p->port = ntohs(sa.sin_port);
	return 0;
}

int proxy_new(struct proxy **out, struct loop *loop, unsigned int port, struct late_counts *counts)
{
	struct proxy *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->loop = loop;
	p->counts = counts;
	p->server = port;
	p->listener.fd = -1;
	p->upstream.fd = -1;
	err = listen_somewhere(p);
	if (err) {
		free(p);
		return err;
	}
	*out = p;
	return 0;
}

unsigned int proxy_port(const struct proxy *p)
{
	return p->port;
}

void proxy_free(struct proxy *p)
{
	int fd;

	if (!p)
		return;
	proxy_reset(p);
	hang_up(p);
	fd = p->listener.fd;
	loop_fd_del(p->loop, &p->listener);
	close(fd);
	free(p);
}
