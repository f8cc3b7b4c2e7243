// SPDX-License-Identifier: MIT
/*
 * server.c - the service on HTTP, over libmicrohttpd
 *
 * libmicrohttpd parses HTTP, speaks TLS and looks after the connections; it has
 * an epoll descriptor of its own, which is one of our loop's.  We accept the
 * connections ourselves, so that an outage can be played.  All is one thread.
 *
 * A request goes through these states; the handler is called by libmicrohttpd
 * when something of it arrives, and again after the connection was resumed:
 *
 *	RECEIVING	headers are read, admitted or not; the body arrives
 *	DELAYED		suspended until the plan's delay is over (faults.h)
 *	READY		to be run
 *	SYNCING		run; suspended until the storage is on the disk
 *	LISTED		run; suspended for as long as a list takes (profile.h)
 *	HELD		run; the client shall wait in vain for a while
 *	RESPONDED	the response is libmicrohttpd's
 */
#include "devstore/http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include <microhttpd.h>

#include "devstore/faults/profile.h"
#include "devstore/http/http.h"
#include "lib/log.h"

/* What of a refused body is read, so that its sender comes to read the response. */
#define MAX_DRAINED (16u << 20)
/* Of all bodies that are being received. */
#define MAX_BODIES (1ull << 30)
#define MAX_POOLED 256u
#define SLOW_MS 5000u /* so often is looked who is too slow */
/* Of a connection: its headers both ways, and what arrives of a body at once. */
#define CONNECTION_MEMORY 65536u

/* --- calls -------------------------------------------------------------------------- */

static struct ds_http *take_call(struct ds_server *s)
{
	struct ds_http *h = s->pool;

	if (h) {
		s->pool = h->next;
		s->pooled--;
	} else {
		h = calloc(1, sizeof(*h));
	}
	if (!h)
		return NULL;
	h->next = s->calls;
	h->prev = NULL;
	if (s->calls)
		s->calls->prev = h;
	s->calls = h;
	h->server = s;
	h->state = DS_RECEIVING;
	h->received = 0;
	h->err = DS_OK;
	h->call.ds = s->ds;
	h->plan = (struct ds_plan){ 0 };
	return h;
}

static void give_back(struct ds_http *h)
{
	struct ds_server *s = h->server;

	loop_timer_cancel(s->ds->loop, &h->timer);
	*(h->prev ? &h->prev->next : &s->calls) = h->next;
	if (h->next)
		h->next->prev = h->prev;
	ds_response_drop(&h->call.response);
	ds_request_free(&h->call.req);
	s->bodies -= h->held;
	h->held = 0;
	h->connection = NULL;
	h->peer = NULL;
	if (s->pooled == MAX_POOLED) {
		text_free(&h->uri);
		free(h);
		return;
	}
	h->next = s->pool;
	s->pool = h;
	s->pooled++;
}

/* --- suspending ----------------------------------------------------------------------- */

static void resume(struct ds_http *h)
{
	MHD_resume_connection(h->connection);
	h->server->resumed = true;
}

static void on_delay(void *arg)
{
	struct ds_http *h = arg;

	if (h->state == DS_DELAYED)
		h->state = DS_READY;
	resume(h);
}

static void suspend(struct ds_http *h, enum ds_http_state state, uint64_t delay)
{
	h->state = state;
	MHD_suspend_connection(h->connection);
	loop_timer_init(&h->timer, on_delay, h);
	loop_timer_arm(h->server->ds->loop, &h->timer, delay);
}

/* --- running --------------------------------------------------------------------------- */

/* The client gets a reset, not an orderly end. */
static enum MHD_Result reset(struct ds_http *h)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(h->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const struct sockaddr none = { .sa_family = AF_UNSPEC };

	if (info && connect(info->connect_fd, &none, sizeof(none)))
		log_debug("reset: %s", strerror(errno));
	h->state = DS_RESPONDED;
	ds_faults_count(h->server->faults, h->call.op, 0, h->received, 0);
	return MHD_NO;
}

static enum MHD_Result respond(struct ds_http *h)
{
	const struct ds_response *a = &h->call.response;
	uint64_t out = a->stream ? a->length : a->body_len;

	h->state = DS_RESPONDED;
	ds_peer_set(&h->server->peers, h->peer, DS_PEER_RESPONSE, loop_now());
	ds_faults_count(h->server->faults, h->call.op, a->status, h->received, out);
	return ds_send(h);
}

/* Once it was run: what the plan says of the response. */
static enum MHD_Result finish(struct ds_http *h)
{
	if (!h->plan.lose)
		return respond(h);
	if (h->plan.hold && h->state != DS_HELD) {
		suspend(h, DS_HELD, h->plan.hold);
		return MHD_YES;
	}
	return reset(h);
}

static void refuse_with(struct ds_http *h)
{
	static const enum ds_err known[] = { ERR_InternalError, ERR_OperationTimedOut,
					     ERR_ServerBusy, ERR_ServerBusy_429 };
	enum ds_err err = ERR_InternalError;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (ds_error(known[i])->status == h->plan.status)
			err = known[i];
	if (h->plan.timed_out)
		err = ERR_OperationTimedOut;
	h->call.retry_after = h->plan.retry_after;
	ds_call_refuse(&h->call, err);
	h->call.response.status = h->plan.status;
}

/* A list takes as long as the profile says. */
static bool listed(struct ds_http *h)
{
	const struct ds_limits *limits = h->server->faults->limits;
	uint64_t takes = limits ? ds_limits_list(limits, h->call.response.listed) : 0;

	if (takes)
		suspend(h, DS_LISTED, takes);
	return takes;
}

static enum MHD_Result run(struct ds_http *h)
{
	ds_peer_set(&h->server->peers, h->peer, DS_PEER_SERVED, loop_now());
	if (h->err)
		ds_call_refuse(&h->call, h->err);
	else if (h->plan.status)
		refuse_with(h);
	else
		ds_call_run(&h->call);
	if (h->call.writes && h->server->ds->durable) {
		/* With all others of this turn; see on_hook(). */
		h->state = DS_SYNCING;
		h->sync_next = h->server->syncing;
		h->server->syncing = h;
		MHD_suspend_connection(h->connection);
		return MHD_YES;
	}
	return listed(h) ? MHD_YES : finish(h);
}

/* --- receiving --------------------------------------------------------------------------- */

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	(void)kind;
	ds_request_header(arg, name, value ? value : "");
	return MHD_YES;
}

static void client_address(struct ds_http *h)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(h->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *sa = info ? info->client_addr : NULL;
	char *text = h->call.req.client;

	if (sa && sa->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, text,
			  sizeof(h->call.req.client));
	} else if (sa && sa->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, text,
			  sizeof(h->call.req.client));
		if (!strncmp(text, "::ffff:", 7))
			memmove(text, text + 7, strlen(text + 7) + 1);
	}
}

static void make_plan(struct ds_http *h)
{
	const struct ds_request *r = &h->call.req;
	struct ds_event e = { .op = h->call.op, .container = r->container, .blob = r->blob };

	if (!h->server->faults->rules && !h->server->faults->limits)
		return;
	e.has_range = ds_range_asked(r, &e.range);
	e.bytes = h->expected;
	if (!e.bytes && e.has_range && e.op == OP_GetBlob && e.range.last != UINT64_MAX)
		e.bytes = e.range.last - e.range.first + 1;
	ds_faults_match(h->server->faults, &e, h->call.mono, &h->plan);
	if (h->server->faults->limits)
		ds_limits_apply(h->server->faults->limits, &e, h->call.mono, &h->plan);
	ds_send_lease_faults(h);
	if (!h->server->listening)
		ds_server_outage(h->server); /* its rule may have done its part */
}

static void hold_body(struct ds_http *h)
{
	struct ds_server *s = h->server;

	if (s->bodies + h->expected > MAX_BODIES) {
		h->err = ERR_ServerBusy;
		h->call.retry_after = 1;
		return;
	}
	h->call.req.body = malloc(h->expected);
	if (!h->call.req.body) {
		h->err = ERR_InternalError;
		return;
	}
	h->held = h->expected;
	s->bodies += h->held;
}

static enum MHD_Result on_request(struct ds_http *h, const char *verb)
{
	struct ds_request *r = &h->call.req;
	const char *expect = MHD_lookup_connection_value(h->connection, MHD_HEADER_KIND, "Expect");
	const char *length;

	ds_request_begin(r, verb, h->uri.failed || !h->uri.s ? "" : h->uri.s);
	MHD_get_connection_values(h->connection, MHD_HEADER_KIND, on_header, r);
	r->https = h->server->https;
	client_address(h);
	ds_call_reset(&h->call, ds_faults_clock(h->server->faults, loop_now()));
	h->err = ds_call_admit(&h->call);
	length = r->header[H_CONTENT_LENGTH];
	if (length && !text_u64(length, strlen(length), &h->expected) && !h->err)
		h->err = ERR_InvalidHeaderValue;
	make_plan(h);
	if (h->plan.reset)
		return reset(h);
	if (h->expected > DS_MAX_BODY && !h->err)
		h->err = ERR_RequestBodyTooLarge;
	if (h->expected > MAX_DRAINED)
		return run(h); /* libmicrohttpd closes the connection then */
	/* Who asks first needn't send it in vain. */
	if (h->err && h->expected && expect)
		return run(h);
	if (!h->err && h->expected)
		hold_body(h);
	return MHD_YES;
}

/* Where a hang-up within the body that arrives is planned. */
static bool hang_up_now(const struct ds_http *h)
{
	uint64_t at = h->plan.has_bytes ? h->plan.bytes : h->expected / 2;

	return h->plan.hangup && h->expected && h->received >= at;
}

static enum MHD_Result on_body(struct ds_http *h, const char *data, size_t *len)
{
	struct ds_request *r = &h->call.req;

	if (h->received + *len > h->expected && !h->err)
		h->err = ERR_InvalidInput;
	if (!h->err) {
		memcpy(r->body + h->received, data, *len);
		r->body_len += *len;
	}
	h->received += *len;
	*len = 0;
	return hang_up_now(h) ? reset(h) : MHD_YES;
}

static enum MHD_Result on_complete(struct ds_http *h)
{
	if (h->call.req.body_len != h->expected && !h->err)
		h->err = ERR_InvalidInput;
	if (h->plan.delay) {
		ds_peer_set(&h->server->peers, h->peer, DS_PEER_SERVED, loop_now());
		suspend(h, DS_DELAYED, h->plan.delay);
		return MHD_YES;
	}
	return run(h);
}

static struct ds_peer *peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url,
				 const char *verb, const char *version, const char *data,
				 size_t *len, void **call)
{
	struct ds_http *h = *call;

	(void)arg;
	(void)url;
	(void)version;
	if (!h)
		return MHD_NO;
	if (!h->connection) {
		h->connection = connection;
		h->peer = peer_of(connection);
		return on_request(h, verb);
	}
	switch (h->state) {
	case DS_RECEIVING:
		return *len ? on_body(h, data, len) : on_complete(h);
	case DS_READY:
		return run(h);
	case DS_SYNCING:
	case DS_LISTED:
	case DS_HELD:
		return finish(h);
	default:
		*len = 0;
		return MHD_YES;
	}
}

/* The request line, before libmicrohttpd takes it apart. */
static void *on_uri(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct ds_http *h = take_call(arg);

	(void)connection;
	if (!h)
		return NULL;
	text_reset(&h->uri);
	text_addn(&h->uri, uri, strnlen(uri, DS_MAX_URI + 1));
	h->expected = 0;
	return h;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **call,
			 enum MHD_RequestTerminationCode code)
{
	(void)arg;
	(void)connection;
	(void)code;
	if (*call) {
		struct ds_http *h = *call;

		ds_peer_set(&h->server->peers, h->peer, DS_PEER_IDLE, loop_now());
		give_back(h);
	}
	*call = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct ds_server *s = arg;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		ds_peer_remove(&s->peers, *context);
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	*context = info ? ds_peer_add(&s->peers, info->connect_fd, loop_now()) : NULL;
}

/* Paths and queries are decoded by request.c, which must see them as they came. */
static size_t on_unescape(void *arg, struct MHD_Connection *connection, char *s)
{
	(void)arg;
	(void)connection;
	return strlen(s);
}

static void on_log(void *arg, const char *fmt, va_list ap)
{
	char line[256];

	(void)arg;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

/* --- time limits --------------------------------------------------------------------------- */

static void on_slow(void *arg)
{
	struct ds_server *s = arg;
	size_t n = ds_peers_drop_late(&s->peers, loop_now());

	if (n)
		log_debug("http: %zu clients were too slow", n);
	s->faults->dropped += n;
	loop_timer_arm(s->ds->loop, &s->slow, LOOP_MS(SLOW_MS));
}

/* --- the loop ------------------------------------------------------------------------------ */

static void on_epoll(void *arg, uint32_t events)
{
	struct ds_server *s = arg;

	(void)events;
	MHD_run(s->daemon);
}

static void on_timer(void *arg)
{
	on_epoll(arg, 0);
}

/* What the writes of this turn were is on the disk before one has its response. */
static void sync_writes(struct ds_server *s)
{
	int err = storage_sync(s->ds->storage);

	if (err)
		log_error("%s: writes can't be flushed: %s", s->ds->place, strerror(-err));

	while (s->syncing) {
		struct ds_http *h = s->syncing;

		s->syncing = h->sync_next;
		if (err && !h->call.response.err)
			ds_call_refuse(&h->call, ERR_InternalError);
		resume(h);
	}
}

static void on_hook(void *arg)
{
	MHD_UNSIGNED_LONG_LONG ms;
	struct ds_server *s = arg;

	while (s->syncing || s->resumed) {
		if (s->syncing)
			sync_writes(s);
		s->resumed = false;
		MHD_run(s->daemon);
	}
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		loop_timer_arm(s->ds->loop, &s->timer, LOOP_MS(ms));
	else
		loop_timer_cancel(s->ds->loop, &s->timer);
}

/* --- starting and stopping -------------------------------------------------------------------- */

void ds_server_address(const struct ds_server *s, char text[DS_ADDRESS_TEXT])
{
	ds_address_text(&s->address, text);
}

static int start_daemon(struct ds_server *s, const struct ds_server_options *o)
{
	const union MHD_DaemonInfo *info;
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET |
			     MHD_USE_ERROR_LOG | MHD_USE_SUPPRESS_DATE_NO_CLOCK;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)o->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)o->key },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (s->https)
		flags |= MHD_USE_TLS;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_access, s, MHD_OPTION_EXTERNAL_LOGGER,
				     on_log, NULL, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned int)s->peers.max, MHD_OPTION_NOTIFY_CONNECTION,
				     on_connection, s, MHD_OPTION_URI_LOG_CALLBACK, on_uri, s,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				     MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
				     MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
				     s->https ? tls : tls + 2, MHD_OPTION_END);
	if (!s->daemon)
		return -EINVAL;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	return loop_fd_add(s->ds->loop, &s->epoll, info->epoll_fd, EPOLLIN, on_epoll, s);
}

int ds_server_start(struct ds_server **out, struct ds *ds, struct ds_faults *faults,
		    const struct ds_server_options *o, char *why, size_t len)
{
	struct ds_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->ds = ds;
	s->faults = faults;
	s->https = o->cert != NULL;
	s->address = o->address;
	s->listener.fd = s->epoll.fd = -1;
	loop_timer_init(&s->timer, on_timer, s);
	loop_timer_init(&s->slow, on_slow, s);
	ds_peers_init(&s->peers, ds_listen_max());
	err = ds_listen(s);
	if (err) {
		snprintf(why, len, "%s", strerror(-err));
		free(s);
		return err;
	}
	err = start_daemon(s, o);
	if (err) {
		snprintf(why, len,
			 s->https ? "the certificate or its key is of no use" :
				    "libmicrohttpd can't be started");
		ds_listen_stop(s);
		free(s);
		return err;
	}
	loop_hook_add(ds->loop, &s->hook, on_hook, s);
	on_slow(s);
	*out = s;
	return 0;
}

void ds_server_stop(struct ds_server *s)
{
	struct ds_http *h;

	ds_listen_stop(s);
	loop_fd_del(s->ds->loop, &s->epoll);
	loop_timer_cancel(s->ds->loop, &s->timer);
	loop_timer_cancel(s->ds->loop, &s->slow);
	/* libmicrohttpd insists on all being resumed before it ends. */
	for (h = s->calls; h; h = h->next) {
		if (h->state == DS_DELAYED || h->state == DS_SYNCING || h->state == DS_LISTED ||
		    h->state == DS_HELD) {
			h->state = DS_RESPONDED;
			MHD_resume_connection(h->connection);
		}
	}
	s->syncing = NULL;
	MHD_stop_daemon(s->daemon);
	while ((h = s->pool)) {
		s->pool = h->next;
		text_free(&h->uri);
		ds_request_free(&h->call.req);
		free(h);
	}
	free(s);
}
