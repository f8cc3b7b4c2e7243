// SPDX-License-Identifier: MIT
#include "real.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "azure/blob.h"
#include "clock.h"
#include "lib/runtime.h"

#define CONTROL_MS 10000

static const char key[] =
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

static int broken(struct real *r, const char *what, const char *why)
{
	if (!r->world.broken[0])
		snprintf(r->world.broken, sizeof(r->world.broken), "%s: %s", what, why);
	return -1;
}

/* --- apart from all machines ----------------------------------------------------- */

/* One call, waited for. */
static int wait_for(struct real *r, struct az_sync *s, struct az_call *call, const char *what)
{
	char text[192];

	if (!call || az_sync_wait(r->apart, s))
		return broken(r, what, "failed");
	if (s->res.err.class != AZ_OK)
		return broken(r, what, az_error_text(&s->res.err, text, sizeof(text)));
	return 0;
}

static int to_memory(void *arg, const void *buf, size_t len, uint64_t pos)
{
	memcpy((unsigned char *)arg + pos, buf, len);
	return 0;
}

/* In the midst of a turn of the other loop, which notices nothing. */
static void step_aside(struct real *r, bool aside);

static int look(struct world *w, uint64_t version[LATE_SECTORS])
{
	static unsigned char data[LATE_SECTORS * LATE_SECTOR];
	struct real *r = (struct real *)w;
	struct az_sync s = { 0 };
	int err;

	step_aside(r, true);
	err = wait_for(r, &s,
		       az_get_range(r->client, &r->blob, 0, sizeof(data),
				    &(struct az_sink){ to_memory, data }, az_sync_done, &s),
		       "read the blob");
	step_aside(r, false);
	for (unsigned int i = 0; !err && i < LATE_SECTORS; i++)
		version[i] = late_version(data + i * (size_t)LATE_SECTOR);
	return err;
}

/* One request to devstore's control socket. */
static int request_devstore(struct real *r, json_t *request)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = -1;
	json_t *response = NULL;

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", r->control);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    runtime_send(fd, request) || runtime_receive(fd, &response, CONTROL_MS))
		broken(r, "devstore's control socket", strerror(errno));
	else if (json_object_get(response, "error"))
		broken(r, "devstore",
		       json_string_value(json_object_get(response, "error")) ?: "refused a fault");
	else
		err = 0;
	json_decref(request);
	json_decref(response);
	if (fd >= 0)
		close(fd);
	return err;
}

/* By a fault of devstore's, on a call of ours. */
static void expire(struct real *r)
{
	struct az_sync s = { 0 };

	if (!request_devstore(r, json_pack("{s:s, s:{s:s, s:s, s:i}}", "command", "fault-set",
					   "rule", "action", "expire-lease", "op",
					   "GetBlobProperties", "count", 1)))
		wait_for(r, &s, az_get_properties(r->client, &r->blob, az_sync_done, &s),
			 "expire the lease");
}

/* Whoever had it may have lost it by now: an error is as good. */
static void end_lease(struct real *r, const char *lease_id)
{
	struct az_blob blob = r->blob;
	struct az_sync s = { 0 };
	struct az_call *call;

	memcpy(blob.lease_id, lease_id, sizeof(blob.lease_id));
	call = az_lease(r->client, &blob, AZ_LEASE_RELEASE, 0, az_sync_done, &s);
	if (!call || az_sync_wait(r->apart, &s))
		broken(r, "release the lease", "failed");
}

static void forget(struct world *w, const char *lease_id, bool by_time)
{
	struct real *r = (struct real *)w;

	step_aside(r, true);
	if (by_time && r->control)
		expire(r);
	else
		end_lease(r, lease_id);
	step_aside(r, false);
}

/* --- the world -------------------------------------------------------------------- */

static unsigned int pending(struct world *w)
{
	return proxy_pending(((struct real *)w)->proxy);
}

static unsigned int strays(struct world *w)
{
	return proxy_strays(((struct real *)w)->proxy);
}

static void deal(struct world *w, unsigned int call, enum fate fate)
{
	proxy_deal(((struct real *)w)->proxy, call, fate);
}

static void release(struct world *w, unsigned int stray, bool twice)
{
	proxy_release(((struct real *)w)->proxy, stray, twice);
}

static bool pass(struct world *w)
{
	(void)w;
	return clock_pass();
}

static void run(struct world *w, const bool *until)
{
	struct real *r = (struct real *)w;
	int err = loop_run_until(w->loop, until);

	if (err && err != -ECANCELED)
		broken(r, "the loop", strerror(-err));
}

static void interrupt(struct world *w)
{
	loop_stop(w->loop);
}

static const struct world_ops ops = {
	.pending = pending,
	.deal = deal,
	.strays = strays,
	.release = release,
	.pass = pass,
	.run = run,
	.interrupt = interrupt,
	.look = look,
	.forget = forget,
};

/* --- time --------------------------------------------------------------------------- */

static bool busy(void *arg)
{
	struct real *r = arg;

	return proxy_busy(r->proxy);
}

static void idle(void *arg)
{
	struct real *r = arg;

	if (proxy_broken(r->proxy)[0])
		broken(r, "proxy", proxy_broken(r->proxy));
	r->world.step(r->world.arg);
}

static void silence(void *arg)
{
	struct real *r = arg;

	broken(r, "the server", "says nothing");
	r->world.step(r->world.arg);
}

static const struct clock_ops clock_ops = { .busy = busy, .idle = idle, .silence = silence };

static void step_aside(struct real *r, bool aside)
{
	clock_take(aside ? NULL : &clock_ops, r);
}

/* --- beginning and end ---------------------------------------------------------------- */

/* @port 0: as the URL says. */
static int set_url(struct real *r, struct az_url *url, const char *server, unsigned int port,
		   uint64_t seed)
{
	char text[512], why[160], host[64];

	snprintf(text, sizeof(text), "%s/late-%u-%llu", server, (unsigned int)getpid(),
		 (unsigned long long)seed);
	az_url_free(url);
	if (az_url_parse(text, url, why, sizeof(why)))
		return broken(r, server, why);
	snprintf(host, sizeof(host), "127.0.0.1:%u", port);
	if (port) {
		free(url->host);
		url->host = strdup(host);
	}
	return url->host ? 0 : broken(r, server, "out of memory");
}

int real_begin(struct real *r, uint64_t seed)
{
	struct az_sync s = { 0 };
	char server[256];

	clock_take(NULL, NULL);
	proxy_reset(r->proxy);
	clock_chance(seed);
	snprintf(server, sizeof(server), "http://%s/%s/%s", r->direct.host, r->direct.account,
		 r->direct.container);
	if (set_url(r, &r->direct, server, 0, seed) ||
	    set_url(r, &r->url, server, proxy_port(r->proxy), seed))
		return -1;
	r->blob.url = &r->direct;
	r->world.blob.url = &r->url;
	if (wait_for(r, &s,
		     az_create_page_blob(r->client, &r->blob, LATE_SECTORS * LATE_SECTOR,
					 az_sync_done, &s),
		     "create a blob"))
		return -1;
	clock_take(&clock_ops, r);
	return 0;
}

int real_open(struct real *r, const char *server, const char *control, struct late_counts *counts)
{
	const char *port;

	*r = (struct real){ .control = control };
	r->world.ops = &ops;
	r->world.counts = counts;
	if (set_url(r, &r->direct, server, 0, 0))
		return -1;
	port = strchr(r->direct.host, ':');
	if (!port || strncmp(r->direct.host, "127.0.0.1:", 10) != 0)
		return broken(r, server, "is not http://127.0.0.1:PORT/ACCOUNT/CONTAINER");
	if (az_credential_set_key(&r->cred, key) || loop_new(&r->world.loop) ||
	    loop_new(&r->apart) ||
	    proxy_new(&r->proxy, r->world.loop, (unsigned int)strtoul(port + 1, NULL, 10),
		      counts) ||
	    az_client_new(&r->client, r->apart, &(struct az_client_options){ 0 }))
		return broken(r, server, "set-up failed");
	r->blob.cred = &r->cred;
	r->world.blob.cred = &r->cred;
	return 0;
}

void real_close(struct real *r)
{
	clock_take(NULL, NULL);
	if (r->client)
		az_client_free(r->client);
	proxy_free(r->proxy);
	loop_free(r->apart);
	loop_free(r->world.loop);
	az_url_free(&r->url);
	az_url_free(&r->direct);
	az_credential_free(&r->cred);
}
