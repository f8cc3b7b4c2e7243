// SPDX-License-Identifier: MIT
#include "devstore/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/runtime.h"

struct client {
	struct client *next;
	struct ds_control *control;
	struct loop_fd fd;
};

struct ds_control {
	struct loop *loop;
	struct ds_server *server;
	struct ds_faults *faults;
	struct loop_fd listener;
	struct client *clients;
	struct sockaddr_un address;
};

/* --- commands ------------------------------------------------------------------------ */

static json_t *wrong(const char *why)
{
	return json_pack("{ss}", "error", why);
}

static json_t *fault_set(struct ds_control *c, const json_t *message)
{
	struct ds_rule rule;
	char why[160] = "out of memory";

	if (ds_rule_parse(json_object_get(message, "rule"), loop_now(), &rule, why, sizeof(why)))
		return wrong(why);
	if (ds_faults_add(c->faults, &rule))
		return wrong("too many rules; clear some");
	ds_server_outage(c->server);
	return json_pack("{sI}", "id", (json_int_t)rule.id);
}

static json_t *fault_list(struct ds_control *c)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < c->faults->rules; i++)
		json_array_append_new(rules, ds_rule_json(&c->faults->rule[i], loop_now()));
	return json_pack("{so}", "rules", rules);
}

static json_t *fault_clear(struct ds_control *c, const json_t *message)
{
	json_int_t id = json_integer_value(json_object_get(message, "id"));
	size_t cleared = ds_faults_clear(c->faults, (unsigned int)id);

	ds_server_outage(c->server);
	if (id && !cleared)
		return wrong("no such rule");
	return json_pack("{sI}", "cleared", (json_int_t)cleared);
}

static json_t *counters(struct ds_control *c, const json_t *message)
{
	json_t *response = ds_faults_counters(c->faults);

	if (json_is_true(json_object_get(message, "reset"))) {
		memset(c->faults->op, 0, sizeof(c->faults->op));
		memset(c->faults->status, 0, sizeof(c->faults->status));
		c->faults->connections = c->faults->dropped = 0;
	}
	return response;
}

static json_t *run(struct ds_control *c, const json_t *message)
{
	const char *command = json_string_value(json_object_get(message, "command"));

	if (!command)
		return wrong("no command");
	if (!strcmp(command, "fault-set"))
		return fault_set(c, message);
	if (!strcmp(command, "fault-list"))
		return fault_list(c);
	if (!strcmp(command, "fault-clear"))
		return fault_clear(c, message);
	if (!strcmp(command, "counters"))
		return counters(c, message);
	return wrong("no such command");
}

/* --- clients ------------------------------------------------------------------------- */

static void end(struct client *client)
{
	loop_fd_close(client->control->loop, &client->fd);
	free(client);
}

static void drop(struct client *client)
{
	struct client **p = &client->control->clients;

	while (*p != client)
		p = &(*p)->next;
	*p = client->next;
	end(client);
}

static void on_message(void *arg, uint32_t events)
{
	struct client *client = arg;
	json_t *message, *response;
	int err;

	(void)events;
	err = runtime_receive(client->fd.fd, &message, 0);
	if (err) {
		drop(client);
		return;
	}
	response = run(client->control, message);
	json_decref(message);
	if (!response || runtime_send(client->fd.fd, response))
		drop(client);
	json_decref(response);
}

static void on_client(void *arg, uint32_t events)
{
	struct ds_control *c = arg;
	int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *client = fd < 0 ? NULL : calloc(1, sizeof(*client));

	(void)events;
	if (!client) {
		if (fd >= 0)
			close(fd);
		return;
	}
	client->control = c;
	if (loop_fd_add(c->loop, &client->fd, fd, EPOLLIN, on_message, client)) {
		close(fd);
		free(client);
		return;
	}
	client->next = c->clients;
	c->clients = client;
}

/* --- the socket ------------------------------------------------------------------------ */

/* Whether somebody listens there. */
static bool alive(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	bool yes;

	if (fd < 0)
		return true;
	yes = !connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	      (errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return yes;
}

static int listen_at(struct ds_control *c)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (!alive(&c->address))
		unlink(c->address.sun_path);
	mask = umask(0177);
	if (bind(fd, (struct sockaddr *)&c->address, sizeof(c->address)) || listen(fd, 16))
		err = -errno;
	umask(mask);
	if (!err)
		err = loop_fd_add(c->loop, &c->listener, fd, EPOLLIN, on_client, c);
	if (err)
		close(fd);
	return err;
}

int ds_control_start(struct ds_control **out, const char *path, struct loop *loop,
		     struct ds_server *server, struct ds_faults *faults)
{
	struct ds_control *c;
	int err;

	if (strlen(path) >= sizeof(c->address.sun_path))
		return -ENAMETOOLONG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->server = server;
	c->faults = faults;
	c->address.sun_family = AF_UNIX;
	memcpy(c->address.sun_path, path, strlen(path) + 1);
	err = listen_at(c);
	if (err) {
		free(c);
		return err;
	}
	*out = c;
	return 0;
}

void ds_control_stop(struct ds_control *c)
{
	struct client *client;

	while ((client = c->clients)) {
		c->clients = client->next;
		end(client);
	}
	loop_fd_close(c->loop, &c->listener);
	unlink(c->address.sun_path);
	free(c);
}
