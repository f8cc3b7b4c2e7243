/* SPDX-License-Identifier: MIT */
/*
 * send.h - inside of the server: a call on a connection, and its answer
 */
#ifndef DEVSTORE_SEND_H
#define DEVSTORE_SEND_H

#include <microhttpd.h>

#include "devstore/server.h"

enum ds_http_state {
	DS_RECEIVING,
	DS_DELAYED,
	DS_READY,
	DS_SYNCING,
	DS_HELD,
	DS_ANSWERED,
};

struct ds_http {
	struct ds_http *next, *prev, *sync_next;
	struct ds_server *server;
	struct MHD_Connection *connection; /* NULL until its headers are there */
	enum ds_http_state state;
	uint64_t expected, received; /* bytes of the body */
	enum ds_err err; /* why it is not going to be run */
	struct ds_plan plan;
	struct loop_timer timer;
	struct text uri;
	struct ds_call call;
};

/* Gives the call's answer to libmicrohttpd, with what the plan does to it. */
enum MHD_Result ds_send(struct ds_http *h);

/* What the plan does to the lease of the blob that the call is for. */
void ds_send_lease_faults(struct ds_http *h);

#endif
