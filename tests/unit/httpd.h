/* SPDX-License-Identifier: MIT */
/*
 * httpd.h - a server with a script, for tests of the client
 *
 * A child process that answers the first request with the first reply of the
 * script, the second with the second, and so on (whatever connection they come
 * on), the last reply being repeated.  It counts and keeps what arrives.  A
 * reply can be cut anywhere, late, and end in closing, resetting or hanging, or in
 * what a firewall does that has forgotten the connection: whatever comes by it from
 * then on is dropped, and not even acknowledged.
 */
#ifndef TESTS_HTTPD_H
#define TESTS_HTTPD_H

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum httpd_end { KEEP, CLOSE, RESET, HANG, VANISH };

struct reply {
	const char *text; /* headers and body; "@ID" becomes the request's id */
	size_t len; /* of it; 0: as a string */
	size_t cut; /* send no more than so many bytes; 0: all */
	enum httpd_end end;
	bool at_accept; /* before a byte of the request is read */
	bool at_headers; /* before the request's body is read */
	unsigned int pause_ms; /* between single bytes; 0: all at once */
	unsigned int delay_ms; /* before it; other connections are served meanwhile */
};

#define HTTPD_KEPT 64

struct httpd_seen {
	int connections, requests;
	char head[HTTPD_KEPT][2048];
	size_t body[HTTPD_KEPT]; /* bytes of it that were read */
};

struct httpd {
	pid_t pid;
	int port;
	struct httpd_seen *seen;
};

struct httpd_conn {
	int fd;
	size_t len, need; /* of the head; of the body, still to come */
	bool in_body, gone; /* gone: it is not even read */
	char head[2048];
	const struct reply *late; /* due at: */
	uint64_t due;
};

static uint64_t httpd_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void httpd_drop_all(int fd)
{
	struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog program = { .len = 1, .filter = &nothing };

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		abort();
}

static void httpd_end_conn(struct httpd_conn *c, enum httpd_end end)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (end == RESET)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(c->fd);
	c->fd = -1;
}

/* The value of the request's x-ms-client-request-id. */
static void httpd_id(const char *head, char *id, size_t size)
{
	const char *p = strcasestr(head, "x-ms-client-request-id: ");
	size_t n = p ? strcspn(p + 24, "\r\n") : 0;

	snprintf(id, size, "%.*s", (int)n, p ? p + 24 : "");
}

static void httpd_answer_now(struct httpd_conn *c, const struct reply *r)
{
	size_t len = r->len ? r->len : r->text ? strlen(r->text) : 0;
	char *buf = malloc(len + 64), id[64], *at;
	int yes = 1;

	memcpy(buf, r->text ? r->text : "", len);
	buf[len] = '\0';
	httpd_id(c->head, id, sizeof(id));
	at = strstr(buf, "@ID");
	if (at) {
		memmove(at + strlen(id), at + 3, len - (size_t)(at + 3 - buf) + 1);
		memcpy(at, id, strlen(id));
		len += strlen(id) - 3;
	}
	if (r->cut && r->cut < len)
		len = r->cut;
	/* The end comes with the last bytes, and not when the next request may have been
	 * sent already. */
	if (r->end == CLOSE)
		setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &yes, sizeof(yes));
	for (size_t pos = 0; pos < len;) {
		ssize_t n = write(c->fd, buf + pos, r->pause_ms ? 1 : len - pos);

		if (n <= 0)
			break;
		pos += (size_t)n;
		if (r->pause_ms)
			usleep(r->pause_ms * 1000);
	}
	free(buf);
	if (r->end == VANISH) {
		httpd_drop_all(c->fd);
		c->gone = true;
		return;
	}
	if (r->end == CLOSE || r->end == RESET)
		httpd_end_conn(c, r->end);
	else
		c->len = c->in_body = 0;
}

static void httpd_answer(struct httpd_conn *c, const struct reply *r)
{
	c->late = r->delay_ms ? r : NULL;
	c->due = httpd_ms() + r->delay_ms;
	if (!r->delay_ms)
		httpd_answer_now(c, r);
}

/* Answers what is due; how long to wait for the next, ms, or -1. */
static int httpd_answer_late(struct httpd_conn *conns, int n)
{
	uint64_t now = httpd_ms();
	int wait = -1;

	for (struct httpd_conn *c = conns; c < conns + n; c++) {
		if (c->fd < 0 || !c->late)
			continue;
		if (c->due <= now) {
			const struct reply *r = c->late;

			c->late = NULL;
			httpd_answer_now(c, r);
		} else if (wait < 0 || (int)(c->due - now) < wait) {
			wait = (int)(c->due - now);
		}
	}
	return wait;
}

static const struct reply *httpd_count(struct httpd_seen *seen, struct httpd_conn *c,
				       const struct reply *script, int n)
{
	int i = seen->requests++;

	if (i < HTTPD_KEPT)
		memcpy(seen->head[i], c->head, sizeof(c->head));
	return &script[i < n ? i : n - 1];
}

/* Reads what came; answers when it is enough. */
static void httpd_read(struct httpd_seen *seen, struct httpd_conn *c, const struct reply *script,
		       int count)
{
	static char scrap[1 << 16];
	int next = seen->requests < count ? seen->requests : count - 1;
	char *end, *length;
	ssize_t n;

	if (c->in_body) {
		n = read(c->fd, scrap, sizeof(scrap) < c->need ? sizeof(scrap) : c->need);
	} else {
		n = read(c->fd, c->head + c->len, sizeof(c->head) - 1 - c->len);
	}
	if (n <= 0) {
		httpd_end_conn(c, CLOSE);
		return;
	}
	if (c->in_body) {
		c->need -= (size_t)n;
		if (seen->requests < HTTPD_KEPT)
			seen->body[seen->requests] += (size_t)n;
	} else {
		c->len += (size_t)n;
		c->head[c->len] = '\0';
		end = strstr(c->head, "\r\n\r\n");
		if (!end)
			return;
		length = strcasestr(c->head, "\r\nContent-Length: ");
		c->need = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
		n = (ssize_t)(c->len - (size_t)(end + 4 - c->head));
		if ((size_t)n > c->need)
			n = (ssize_t)c->need;
		c->need -= (size_t)n;
		if (seen->requests < HTTPD_KEPT)
			seen->body[seen->requests] = (size_t)n;
		end[4] = '\0';
		c->in_body = true;
		if (script[next].at_headers) {
			httpd_answer(c, httpd_count(seen, c, script, count));
			return;
		}
	}
	if (c->in_body && !c->need)
		httpd_answer(c, httpd_count(seen, c, script, count));
}

static void httpd_serve(int listener, struct httpd_seen *seen, const struct reply *script,
			int count)
{
	struct httpd_conn conns[64];
	struct pollfd p[65];

	for (int i = 0; i < 64; i++)
		conns[i].fd = -1;
	for (;;) {
		int wait = httpd_answer_late(conns, 64);

		p[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (int i = 0; i < 64; i++)
			p[i + 1] = (struct pollfd){ .fd = conns[i].fd < 0 || conns[i].gone ?
								  -1 :
								  conns[i].fd,
						    .events = POLLIN };
		if (poll(p, 65, wait) < 0)
			_exit(1);
		for (int i = 0; i < 64; i++)
			if (p[i + 1].revents)
				httpd_read(seen, &conns[i], script, count);
		for (int i = 0; i < 64 && p[0].revents; i++) {
			if (conns[i].fd >= 0)
				continue;
			memset(&conns[i], 0, sizeof(conns[i]));
			conns[i].fd = accept(listener, NULL, NULL);
			seen->connections++;
			if (script[0].at_accept)
				httpd_end_conn(&conns[i], script[0].end);
			break;
		}
	}
}

/* @port 0: any */
static void httpd_start_at(struct httpd *h, in_addr_t address, int port, const struct reply *script,
			   int count)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port),
				    .sin_addr.s_addr = htonl(address) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 64) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len))
		abort();
	h->port = ntohs(addr.sin_port);
	h->seen = mmap(NULL, sizeof(*h->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	fflush(NULL);
	h->pid = fork();
	if (!h->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		httpd_serve(fd, h->seen, script, count);
	}
	close(fd);
}

static void httpd_start_n(struct httpd *h, const struct reply *script, int count)
{
	httpd_start_at(h, INADDR_LOOPBACK, 0, script, count);
}

#define httpd_start(h, script) httpd_start_n(h, script, sizeof(script) / sizeof(*(script)))

static void httpd_stop(struct httpd *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	munmap(h->seen, sizeof(*h->seen));
}

#endif
