// SPDX-License-Identifier: MIT
/*
 * client.c - libcurl in the loop; starting, ending and pooling calls
 *
 * libcurl's multi-socket interface tells which descriptors and which one timer
 * to wait for; the loop tells libcurl what happened; ended transfers are
 * judged (response.c) and their done functions called, always from the loop and
 * never from within libcurl, which can't be entered twice.
 *
 * What is started or cancelled from within a callback of libcurl's (a sink or
 * a source may do so) waits in the list of calls for the timer "soon".
 *
 * Calls that get nowhere (stall.c says which) are found by one watchdog timer
 * that looks at the calls in flight every now and then, instead of libcurl's own
 * limits, which would set and remove several timers in every call, and count the
 * bytes that the kernel took as having arrived.
 */
#include "azure/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#define MAX_CONNECTIONS 256L /* kept alive */
#define MAX_EMPTY_PAGES 64 /* page lists in a row that hold nothing but a marker */

static void call_release(struct az_call *call);
static void destroy(struct az_client *c);

/* Everything that calls libcurl or a done function is between these two. */
static void enter(struct az_client *c)
{
	c->busy++;
}

static void leave(struct az_client *c)
{
	if (--c->busy == 0 && c->dead)
		destroy(c);
}

static void call_end(struct az_call *call, CURLcode code)
{
	struct az_client *c = call->client;
	struct az_result res;
	az_done_fn done;
	void *arg;

	if (az_response_judge(call, code, &res) == AZ_AGAIN) {
		if (call->op->kind == AZ_KIND_LIST && call->range_end == call->page_start &&
		    ++call->empty_pages > MAX_EMPTY_PAGES) {
			res.err.class = AZ_CORRUPT;
			snprintf(res.err.message, sizeof(res.err.message),
				 "the page list has no end");
		} else {
			call->page_start = call->range_end;
			az_call_start(call);
			return;
		}
	}
	if (res.err.class)
		c->counters.failed++;
	if (res.err.class == AZ_UNREACHABLE && call->route)
		az_route_doubt(call->route);
	call = az_twin_ended(call, &res);
	if (!call)
		return;
	done = call->done;
	arg = call->arg;
	az_call_drop(call);
	done(arg, &res);
}

static void check_done(struct az_client *c)
{
	CURLMsg *m;
	int left;

	while (!c->dead && (m = curl_multi_info_read(c->multi, &left))) {
		struct az_call *call = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		curl_multi_remove_handle(c->multi, call->easy);
		call->state = CALL_QUEUED;
		if (call->cancelled)
			call_release(call);
		else
			call_end(call, code);
	}
}

void az_client_act(struct az_client *c, curl_socket_t fd, int what)
{
	int running;

	enter(c);
	c->in_curl++;
	curl_multi_socket_action(c->multi, fd, what, &running);
	c->in_curl--;
	check_done(c);
	leave(c);
}

static void on_timer(void *arg)
{
	az_client_act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	struct az_client *c = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_cancel(c->loop, &c->timer);
	else
		loop_timer_arm(c->loop, &c->timer, LOOP_MS(ms));
	return 0;
}

static void arm_watchdog(struct az_client *c)
{
	uint64_t interval = az_stall_interval(&c->opt);

	c->watchdog_due = loop_now() + interval;
	loop_timer_arm(c->loop, &c->watchdog, interval);
}

/* Nothing is known of what came before. */
static void fail_unsent(struct az_call *call, enum az_class class, const char *why)
{
	call->sent = false;
	call->response = (struct az_response){ 0 };
	az_call_fail(call, class, why);
}

static bool nameless_for_long(struct az_call *call)
{
	unsigned int ms = call->client->opt.connect_timeout_ms;
	char why[96];

	if (loop_now() - call->nameless_at < LOOP_MS(ms))
		return false;
	snprintf(why, sizeof(why), "Could not resolve host: no name server answered for %.1f s",
		 ms / 1000.0);
	fail_unsent(call, AZ_UNREACHABLE, why);
	return true;
}

static struct az_call *next_expired(struct az_client *c)
{
	for (struct az_call *call = c->calls; call; call = call->next) {
		if (call->cancelled)
			continue;
		if (call->state == CALL_RUNNING && call->sent && az_stall_expired(call))
			return call;
		if (call->state == CALL_NAMELESS && nameless_for_long(call))
			return call;
	}
	return NULL;
}

/* While this process, or the whole machine, stood still, the silence was its own. */
static void forgive(struct az_client *c)
{
	uint64_t late = loop_now() - c->watchdog_due;

	for (struct az_call *call = c->calls; call && late > LOOP_SEC(1); call = call->next)
		az_stall_forgive(call, late);
}

static void on_watchdog(void *arg)
{
	struct az_client *c = arg;
	struct az_call *call;

	enter(c);
	forgive(c);
	/* Calling back may end any other call, and start new ones: begin anew
	 * each time. */
	while (!c->dead && (call = next_expired(c))) {
		if (call->state == CALL_RUNNING)
			curl_multi_remove_handle(c->multi, call->easy);
		call->state = CALL_QUEUED;
		call_end(call, CURLE_OPERATION_TIMEDOUT);
	}
	if (!c->dead)
		az_twins_start(c);
	if (c->calls && !c->dead)
		arm_watchdog(c);
	leave(c);
}

static void link_call(struct az_call *call)
{
	struct az_client *c = call->client;

	call->prev = NULL;
	call->next = c->calls;
	if (c->calls)
		c->calls->prev = call;
	c->calls = call;
	call->state = CALL_QUEUED;
}

static void unlink_call(struct az_call *call)
{
	if (call->prev)
		call->prev->next = call->next;
	else
		call->client->calls = call->next;
	if (call->next)
		call->next->prev = call->prev;
}

static void call_destroy(struct az_call *call)
{
	if (call->easy)
		curl_easy_cleanup(call->easy);
	az_xml_free(call->xml);
	EVP_MD_CTX_free(call->md5);
	text_free(&call->url);
	text_free(&call->lines);
	text_free(&call->marker);
	free(call->small);
	free(call);
}

/* Back to the pool, which so holds as many as were ever in flight at once. */
static void call_release(struct az_call *call)
{
	struct az_client *c = call->client;

	unlink_call(call);
	az_xml_free(call->xml);
	call->xml = NULL;
	call->state = CALL_POOLED;
	call->next = c->pool;
	c->pool = call;
}

void az_call_drop(struct az_call *call)
{
	if (call->state == CALL_RUNNING)
		curl_multi_remove_handle(call->client->multi, call->easy);
	if (call->twin_of)
		call->twin_of->twin = NULL;
	call_release(call);
}

/* A call with nothing asked yet; NULL when memory is out. */
struct az_call *az_call_new(struct az_client *c, const struct az_op *op, const struct az_blob *b,
			    az_done_fn done, void *arg)
{
	struct az_call *call = c->pool;

	if (call) {
		c->pool = call->next;
	} else {
		call = calloc(1, sizeof(*call));
		if (!call)
			return NULL;
		call->client = c;
		if (!az_easy_setup(call)) {
			free(call);
			return NULL;
		}
	}
	call->op = op;
	call->blob = *b;
	call->done = done;
	call->arg = arg;
	call->offset = call->len = call->seq = 0;
	call->source = (struct az_source){ 0 };
	call->sink = (struct az_sink){ 0 };
	call->mark = NULL;
	call->source_url = call->copy_id = NULL;
	call->snapshots = call->no_lease = call->redated = false;
	call->range_end = call->page_start = 0;
	call->empty_pages = 0;
	call->cancelled = call->sent = false;
	call->route = NULL;
	call->nameless_at = 0;
	call->twin = call->twin_of = NULL;
	call->fail = AZ_OK;
	text_reset(&call->marker);
	link_call(call);
	return call;
}

static struct az_route *route_of(struct az_client *c, const struct az_url *url)
{
	struct az_route *route = c->routes;

	while (route && (route->https != url->https || strcmp(route->host, url->host) != 0))
		route = route->next;
	if (route)
		return route;
	route = az_route_new(c->resolver, url);
	if (route) {
		route->next = c->routes;
		c->routes = route;
	}
	return route;
}

/* Names were answered: who waited for one tries again, and whoever hasn't begun yet has
 * a list of addresses that is made anew. */
static void on_answered(void *arg)
{
	struct az_client *c = arg;

	for (struct az_route *route = c->routes; route; route = route->next)
		az_route_entries(route);
	for (struct az_call *call = c->calls; call; call = call->next)
		if (call->state == CALL_NAMELESS)
			call->state = CALL_QUEUED;
	loop_timer_arm(c->loop, &c->soon, 0);
}

/* Whether it is known where to connect to; else the call waits or fails. */
static bool has_way(struct az_call *call)
{
	struct az_client *c = call->client;
	struct az_name *name = NULL;
	char why[sizeof(call->fail_text)];

	call->route = route_of(c, call->blob.url);
	if (!call->route) {
		fail_unsent(call, AZ_LOCAL, "out of memory");
		return false;
	}
	switch (az_route_look_up(call->route, &name)) {
	case AZ_NAME_KNOWN:
		return true;
	case AZ_NAME_ASKED:
		if (!call->nameless_at)
			call->nameless_at = loop_now();
		call->state = CALL_NAMELESS;
		return false;
	case AZ_NAME_UNKNOWN:
		snprintf(why, sizeof(why), "Could not resolve host: %s: %s", name->host, name->why);
		fail_unsent(call, AZ_UNREACHABLE, why);
	}
	return false;
}

static void run(struct az_call *call)
{
	struct az_client *c = call->client;

	call->state = CALL_QUEUED;
	if (!loop_timer_armed(&c->watchdog))
		arm_watchdog(c);
	if (!has_way(call)) {
		if (call->fail)
			loop_timer_arm(c->loop, &c->soon, 0);
		return;
	}
	call->nameless_at = 0;
	if (!az_call_prepare(call) && curl_multi_add_handle(c->multi, call->easy) == CURLM_OK) {
		call->state = CALL_RUNNING;
		return;
	}
	/* It ends without having been sent; not from in here, though. */
	az_call_fail(call, AZ_LOCAL, "libcurl failed");
	loop_timer_arm(c->loop, &c->soon, 0);
}

/* Starts or queues a call; passes NULL through. */
struct az_call *az_call_start(struct az_call *call)
{
	if (!call)
		return NULL;
	if (call->client->in_curl)
		loop_timer_arm(call->client->loop, &call->client->soon, 0);
	else
		run(call);
	return call;
}

void az_call_cancel(struct az_call *call)
{
	struct az_client *c = call->client;

	if (c->in_curl) {
		call->cancelled = true;
		loop_timer_arm(c->loop, &c->soon, 0);
		return;
	}
	if (call->twin)
		az_call_drop(call->twin);
	az_call_drop(call);
}

static struct az_call *next_unfinished(struct az_client *c)
{
	for (struct az_call *call = c->calls; call; call = call->next)
		if (call->cancelled || call->state == CALL_QUEUED)
			return call;
	return NULL;
}

/* Calls that were started, cancelled or failed where it couldn't be finished. */
static void reap(struct az_client *c)
{
	struct az_call *call;

	while (!c->dead && (call = next_unfinished(c))) {
		if (call->cancelled)
			az_call_cancel(call);
		else if (call->fail)
			call_end(call, CURLE_OK);
		else
			run(call);
	}
}

static void on_soon(void *arg)
{
	struct az_client *c = arg;

	enter(c);
	reap(c);
	leave(c);
}

static const char *trusted(const struct az_client_options *opt)
{
	const char *file = opt->ca_file ? opt->ca_file : getenv("SSL_CERT_FILE");

	return file && *file ? file : NULL;
}

static void set_options(struct az_client *c, const struct az_client_options *opt)
{
	static const struct az_client_options none;

	c->opt = opt ? *opt : none;
	c->opt.ca_file = NULL;
	if (!c->opt.connect_timeout_ms)
		c->opt.connect_timeout_ms = 10000;
	if (!c->opt.silence_timeout_ms)
		c->opt.silence_timeout_ms = 15000;
	if (!c->opt.stale_timeout_ms)
		c->opt.stale_timeout_ms = 3000;
	if (!c->opt.answer_timeout_ms)
		c->opt.answer_timeout_ms = 120000;
	if (!c->opt.short_answer_timeout_ms)
		c->opt.short_answer_timeout_ms = 31000;
	if (!c->opt.retry_after_most_s)
		c->opt.retry_after_most_s = 3600;
}

int az_client_new(struct az_client **out, struct loop *loop, const struct az_client_options *opt)
{
	static bool initialised;
	unsigned char random[8];
	struct az_client *c;
	const char *ca;

	if (!initialised && curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	initialised = true;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	set_options(c, opt);
	ca = trusted(opt ? opt : &c->opt);
	c->ca_file = ca ? strdup(ca) : NULL;
	c->scratch = malloc(AZ_SCRATCH);
	c->md5 = EVP_MD_fetch(NULL, "MD5", NULL); /* NULL where policy forbids it */
	c->multi = curl_multi_init();
	if (az_resolver_new(&c->resolver, loop, on_answered, c) || !c->multi || !c->scratch ||
	    (ca && !c->ca_file) || RAND_bytes(random, sizeof(random)) != 1) {
		destroy(c);
		return -ENOMEM;
	}
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(c->prefix + 2 * i, 3, "%02x", random[i]);
	loop_timer_init(&c->timer, on_timer, c);
	loop_timer_init(&c->soon, on_soon, c);
	loop_timer_init(&c->watchdog, on_watchdog, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, az_socket_watch);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, MAX_CONNECTIONS);
	curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	*out = c;
	return 0;
}

static void destroy(struct az_client *c)
{
	struct az_call *call, *next;

	for (call = c->calls; call; call = next) {
		next = call->next;
		if (call->state == CALL_RUNNING)
			curl_multi_remove_handle(c->multi, call->easy);
		call_destroy(call);
	}
	for (call = c->pool; call; call = next) {
		next = call->next;
		call_destroy(call);
	}
	if (c->multi)
		curl_multi_cleanup(c->multi); /* calls az_socket_watch() and set_timer() */
	loop_timer_cancel(c->loop, &c->timer);
	loop_timer_cancel(c->loop, &c->soon);
	loop_timer_cancel(c->loop, &c->watchdog);
	az_sockets_free(c);
	while (c->routes) {
		struct az_route *route = c->routes;

		c->routes = route->next;
		az_route_free(route);
	}
	az_resolver_free(c->resolver);
	EVP_MD_free(c->md5);
	text_free(&c->string);
	free(c->scratch);
	free(c->ca_file);
	free(c);
}

void az_client_free(struct az_client *c)
{
	if (!c)
		return;
	if (c->busy) {
		c->dead = true; /* called back from here: leave() does it */
		for (struct az_call *call = c->calls; call; call = call->next)
			call->cancelled = true;
		return;
	}
	destroy(c);
}

const struct az_counters *az_client_counters(const struct az_client *c)
{
	return &c->counters;
}

void az_counters_add(struct az_counters *sum, const struct az_counters *n)
{
	sum->calls += n->calls;
	sum->reads += n->reads;
	sum->writes += n->writes;
	sum->clears += n->clears;
	sum->lists += n->lists;
	sum->others += n->others;
	sum->failed += n->failed;
	sum->bytes_in += n->bytes_in;
	sum->bytes_out += n->bytes_out;
}

void az_sync_done(void *arg, const struct az_result *res)
{
	struct az_sync *s = arg;

	s->res = *res;
	s->done = true;
}

int az_sync_wait(struct loop *loop, struct az_sync *s)
{
	return loop_run_until(loop, &s->done);
}
