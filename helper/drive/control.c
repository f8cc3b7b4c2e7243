// SPDX-License-Identifier: MIT
/*
 * The control socket: status, unmount, credential, snapshot and agent, see lib/runtime.h.
 *
 * Few ask, and each asks one thing at a time, so clients are a short list.  Who
 * asked for the unmount that succeeds has its response from control_close(), when the
 * lease has been released.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "azure/blob.h"
#include "drive/data.h"
#include "drive/drive.h"
#include "drive/reserve.h"
#include "drive/validator.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/state.h"

#define CLIENTS_MOST 16

/* udev looks at a disk for a moment after it was written to: how often, and how
 * long in all, an unmount tries before it says that the device is in use. */
#define DETACH_AGAIN_MS 50
#define DETACH_TRIES 100

struct client {
	struct control *control;
	struct loop_fd watch;
	bool waits; /* for the drive to be unmounted */
	struct az_call *snapshot; /* that it waits for */
	struct client *next;
};

struct control {
	struct drive *drive;
	struct loop_fd watch;
	struct client *clients;
	unsigned int n_clients;
	struct loop_timer detach_timer;
	struct validator validator;
	bool asking; /* for it */
	unsigned int tries;
};

/* The connection itself stays. */
static void forget(struct client *client)
{
	struct control *c = client->control;
	struct client **p = &c->clients;

	while (*p != client)
		p = &(*p)->next;
	*p = client->next;
	c->n_clients--;
	if (client->snapshot)
		az_call_cancel(client->snapshot);
	loop_fd_del(c->drive->loop, &client->watch);
	free(client);
}

static void drop(struct client *client)
{
	int fd = client->watch.fd;

	forget(client);
	close(fd);
}

static void respond(struct client *client, json_t *message)
{
	if (!message || runtime_send(client->watch.fd, message))
		drop(client);
	json_decref(message);
}

/* --- status --------------------------------------------------------------- */

static json_t *lease_status(const struct drive *d)
{
	static const char *const names[] = {
		[LEASE_HELD] = "held",
		[LEASE_DOUBTED] = "renewing",
		[LEASE_DOUBTED_NUMBER] = "renewing",
		[LEASE_COMPARING] = "renewing",
		[LEASE_FORGOTTEN] = "renewing",
		[LEASE_REACQUIRED] = "renewing",
		[LEASE_LOST] = "lost",
		[LEASE_UNNEEDED] = "none",
	};
	enum lease_state state = d->lease.state;
	uint64_t now = boot_clock();
	json_int_t left = 0;

	if (state != LEASE_LOST && d->lease.until > now)
		left = (json_int_t)((d->lease.until - now) / LOOP_SEC(1));
	else if (state != LEASE_LOST && state != LEASE_UNNEEDED)
		state = LEASE_DOUBTED; /* nobody knows whose it is now */
	return json_pack("{s:s, s:s, s:I}", "id", d->blob.lease_id, "state", names[state],
			 "until_seconds", left);
}

static json_t *request_status(const struct drive *d)
{
	const struct io_counters *c = &d->queue.counters;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:i}", "reads",
			 (json_int_t)c->reads, "writes", (json_int_t)c->writes, "discards",
			 (json_int_t)c->discards, "write_zeroes", (json_int_t)c->write_zeroes,
			 "read_bytes", (json_int_t)c->read_bytes, "written_bytes",
			 (json_int_t)c->written_bytes, "errors", (json_int_t)c->errors,
			 "failed_writes", (json_int_t)c->failed_writes, "in_flight",
			 d->queue.in_flight, "waiting", d->queue.waiting);
}

static json_t *transaction_status(const struct drive *d)
{
	struct az_counters c = *az_client_counters(d->client);

	az_counters_add(&c, az_client_counters(d->lease_client));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "total", (json_int_t)c.calls,
			 "reads", (json_int_t)c.reads, "writes", (json_int_t)c.writes, "clears",
			 (json_int_t)c.clears, "lists", (json_int_t)c.lists, "others",
			 (json_int_t)c.others, "failed", (json_int_t)c.failed);
}

/* What the service makes of it all. */
static json_t *service_status(const struct drive *d)
{
	const struct store *s = &d->store;

	return json_pack("{s:I, s:f, s:I, s:I, s:I, s:I, s:b}", "throttled",
			 (json_int_t)s->congestion.refused, "rate", s->congestion.rate, "in_doubt",
			 (json_int_t)s->doubts.n, "raises", (json_int_t)s->raises, "hedged",
			 (json_int_t)s->hedged, "hedges_won", (json_int_t)s->hedges_won, "listed",
			 !d->mapfill.filling);
}

static json_t *status(const struct drive *d)
{
	json_t *s;

	s = json_pack(
		"{s:i, s:s, s:s, s:I, s:b, s:i, s:i, s:o, s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:o, s:s, s:s*, s:s*, s:s*}",
		"index", d->index, "url", d->name, "state", state_name(d->state), "size",
		(json_int_t)d->size, "read_only", d->read_only, "helper_pid", (int)getpid(),
		"connections", d->connections, "lease", lease_status(d), "credential",
		agent_channel_credential_status(&d->channel), "agent",
		agent_channel_status(&d->channel), "sequence_number",
		(json_int_t)d->lease.sequence.number, "requests", request_status(d), "transactions",
		transaction_status(d), "retries", (json_int_t)d->store.retries, "service",
		service_status(d), "memory", reserve_status(d), "last_error", d->last_error,
		"fenced", d->fenced[0] ? d->fenced : NULL, "parked_because",
		drive_parked_because(d), "cache_start", d->cache_start);
	if (!s)
		return NULL;
	json_object_set_new(s, "device", json_sprintf("/dev/cdrive%u", d->index));
	if (d->state == CDRIVE_STATE_PARKED || d->state == CDRIVE_STATE_FAILING)
		json_object_set_new(
			s, "parked_since_seconds",
			json_integer((json_int_t)((loop_now() - d->parked_at) / LOOP_SEC(1))));
	return s;
}

/* --- unmount -------------------------------------------------------------- */

/* On success the loop ends, and control_close() responds. */
static void try_detach(void *arg)
{
	struct control *c = arg;
	struct drive *d = c->drive;
	struct client *next;
	int err;

	c->asking = false;
	if (d->ending)
		return;
	err = drive_detach(d, false);
	if (!err)
		return;
	if (err == -EBUSY && ++c->tries < DETACH_TRIES) {
		loop_timer_arm(d->loop, &c->detach_timer, LOOP_MS(DETACH_AGAIN_MS));
		return;
	}
	for (struct client *client = c->clients; client; client = next) {
		next = client->next;
		if (!client->waits)
			continue;
		client->waits = false;
		respond(client,
			err == -EBUSY ?
				runtime_error(
					6,
					"/dev/cdrive%u: in use by another program; close it, or use --force",
					d->index) :
				runtime_error(EXIT_FAILED,
					      "/dev/cdrive%u: can't be detached: %s; see dmesg",
					      d->index, strerror(-err)));
	}
}

/* What is cached may be written to as long as the device is open: it is asked anew. */
static void keep_and_detach(void *arg)
{
	struct control *c = arg;

	c->asking = true;
	validator_tell(&c->validator, try_detach, c);
}

static void unmount(struct client *client, bool force)
{
	struct control *c = client->control;

	client->waits = true;
	/* What is open on a fenced drive is of no use to anybody. */
	force |= c->drive->state == CDRIVE_STATE_FENCED;
	if (force && !drive_detach(c->drive, true))
		return;
	if (c->asking || loop_timer_armed(&c->detach_timer))
		return; /* with the other's */
	c->tries = 0;
	keep_and_detach(c);
}

/* --- snapshot ------------------------------------------------------------------ */

/* Once: whoever asked has the file system frozen, and can't wait. */
static void snapshot_taken(void *arg, const struct az_result *res)
{
	struct client *client = arg;
	const struct az_error *e = &res->err;
	struct drive *d = client->control->drive;
	bool lease = az_error_is_lease(e);
	char text[256];

	client->snapshot = NULL;
	if (lease)
		lease_doubt(&d->lease);
	if (e->class == AZ_OK)
		respond(client, json_pack("{s:s}", "snapshot", res->props.snapshot));
	else
		respond(client,
			runtime_error(
				az_error_exit(e), "%s: can't take a snapshot: %s; %s", d->name,
				az_error_text(e, text, sizeof(text)),
				lease ? "another client took or broke the lease, see clouddrivectl status" :
					az_error_advice(e)));
}

static void snapshot(struct client *client)
{
	struct drive *d = client->control->drive;

	if (client->snapshot)
		return; /* one response to each, and one at a time */
	if (d->state != CDRIVE_STATE_LIVE || !lease_may_send(&d->lease)) {
		respond(client,
			runtime_error(EXIT_UNREACHABLE,
				      "%s: /dev/cdrive%u waits: %s; see clouddrivectl status",
				      d->name, d->index,
				      d->last_error[0] ? d->last_error : "it is not live"));
		return;
	}
	client->snapshot = az_snapshot(d->client, &d->blob, snapshot_taken, client);
	if (!client->snapshot)
		respond(client,
			runtime_error(EXIT_FAILED, "%s: out of memory; try again", d->name));
}

/* --- the agent --------------------------------------------------------------- */

/* The connection is the agent channel from then on, or ends with the reason. */
static void become_agent(struct client *client, const json_t *request)
{
	struct drive *d = client->control->drive;
	int fd = client->watch.fd;
	json_t *error, *message;

	forget(client);
	error = agent_channel_connect(&d->channel, fd, request);
	message = error ? error : drive_response(d);
	runtime_send(fd, message); /* an agent that is gone is noticed */
	json_decref(message);
	if (error)
		close(fd);
}

/* --- clients -------------------------------------------------------------- */

static json_t *data(const struct drive *d, const json_t *request)
{
	json_int_t from = 0;

	if (json_unpack((json_t *)request, "{s:I}", "from", &from) || from < 0)
		return runtime_error(EXIT_USAGE, "from: missing");
	return data_ranges(d->store.map, d->size, (uint64_t)from);
}

static void readable(void *arg, uint32_t events)
{
	struct client *client = arg;
	const char *command = "";
	json_t *request;
	int force = 0;

	(void)events;
	if (runtime_receive(client->watch.fd, &request, 0)) {
		drop(client);
		return;
	}
	json_unpack(request, "{s:s, s?b}", "command", &command, "force", &force);
	if (!strcmp(command, "status"))
		respond(client, status(client->control->drive));
	else if (!strcmp(command, "unmount"))
		unmount(client, force);
	else if (!strcmp(command, "credential"))
		respond(client,
			agent_channel_credential(&client->control->drive->channel, request));
	else if (!strcmp(command, "data"))
		respond(client, data(client->control->drive, request));
	else if (!strcmp(command, "snapshot"))
		snapshot(client);
	else if (!strcmp(command, "agent"))
		become_agent(client, request);
	else
		respond(client, runtime_error(EXIT_USAGE, "no such command"));
	json_decref(request);
}

static void acceptable(void *arg, uint32_t events)
{
	struct control *c = arg;
	struct client *client;
	int fd = accept4(c->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	client = c->n_clients < CLIENTS_MOST ? calloc(1, sizeof(*client)) : NULL;
	if (!client || loop_fd_add(c->drive->loop, &client->watch, fd, EPOLLIN, readable, client)) {
		free(client);
		close(fd);
		return;
	}
	client->control = c;
	client->next = c->clients;
	c->clients = client;
	c->n_clients++;
}

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	memcpy(sa.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, CLIENTS_MOST)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int control_open(struct drive *d)
{
	struct control *c = calloc(1, sizeof(*c));
	char path[256];
	int fd, err;

	if (!c)
		return -ENOMEM;
	fd = listen_at(runtime_path(d->index, "sock", path, sizeof(path)));
	err = fd < 0 ? fd : loop_fd_add(d->loop, &c->watch, fd, EPOLLIN, acceptable, c);
	if (err) {
		if (fd >= 0)
			close(fd);
		free(c);
		return err;
	}
	c->drive = d;
	loop_timer_init(&c->detach_timer, keep_and_detach, c);
	validator_init(&c->validator, d);
	d->control = c;
	return 0;
}

void control_close(struct drive *d)
{
	struct control *c = d->control;
	struct client *next;

	if (!c)
		return;
	loop_timer_cancel(d->loop, &c->detach_timer);
	validator_stop(&c->validator);
	for (struct client *client = c->clients; client; client = next) {
		next = client->next;
		if (client->waits) {
			json_t *done = json_pack("{s:b, s:I, s:s*, s:s*}", "unmounted", 1,
						 "failed_writes",
						 (json_int_t)d->queue.counters.failed_writes,
						 "fenced", d->fenced[0] ? d->fenced : NULL, "note",
						 d->lease_left ? d->last_error : NULL);

			runtime_send(client->watch.fd, done);
			json_decref(done);
		}
		drop(client);
	}
	close(c->watch.fd);
	loop_fd_del(d->loop, &c->watch);
	free(c);
	d->control = NULL;
}
