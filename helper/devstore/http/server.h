/* SPDX-License-Identifier: MIT */
/*
 * server.h - the service on HTTP
 */
#ifndef DEVSTORE_SERVER_H
#define DEVSTORE_SERVER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "devstore/faults/faults.h"
#include "devstore/service/service.h"

struct ds_server;

struct ds_server_options {
	struct sockaddr_storage address;
	socklen_t address_len;
	const char *cert, *key; /* PEM texts; NULL: http */
};

/* Listens and serves in @ds's loop.  *@port: the one that it got, where none
 * was asked for.  @why: a sentence, on failure. */
int ds_server_start(struct ds_server **out, struct ds *ds, struct ds_faults *faults,
		    const struct ds_server_options *o, char *why, size_t len);
unsigned int ds_server_port(const struct ds_server *s);
/* After a change of the rules: is there an outage now? */
void ds_server_outage(struct ds_server *s);
/* Answers what is under way no more; all connections are closed. */
void ds_server_stop(struct ds_server *s);

#endif
