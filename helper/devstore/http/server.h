/* SPDX-License-Identifier: MIT */
/*
 * server.h - the service on HTTP
 */
#ifndef DEVSTORE_SERVER_H
#define DEVSTORE_SERVER_H

#include <stdbool.h>

#include "devstore/faults/faults.h"
#include "devstore/http/address.h"
#include "devstore/service/service.h"

struct ds_server;

struct ds_server_options {
	struct ds_address address;
	const char *cert, *key; /* PEM texts; NULL: http */
};

/* Listens and serves in @ds's loop.  @why: a sentence, on failure. */
int ds_server_start(struct ds_server **out, struct ds *ds, struct ds_faults *faults,
		    const struct ds_server_options *o, char *why, size_t len);
/* Where it listens: HOST:PORT. */
void ds_server_address(const struct ds_server *s, char text[DS_ADDRESS_TEXT]);
/* After a change of the rules: is there an outage now? */
void ds_server_outage(struct ds_server *s);
/* Answers what is under way no more; all connections are closed. */
void ds_server_stop(struct ds_server *s);

#endif
