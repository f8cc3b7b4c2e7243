/* SPDX-License-Identifier: MIT */
/*
 * http.h - inside of the server: calls on connections
 *
 *   server.c   requests, from their first line to their response
 *   send.c     responses, and what faults do to them
 *   listen.c   connections, and outages
 *   peers.c    which of them are too slow
 */
#ifndef DEVSTORE_HTTP_H
#define DEVSTORE_HTTP_H

#include <microhttpd.h>

#include "devstore/http/peers.h"
#include "devstore/http/server.h"

struct ds_server {
	struct ds *ds;
	struct ds_faults *faults;
	struct MHD_Daemon *daemon;
	struct loop_fd listener, epoll;
	struct loop_timer timer; /* libmicrohttpd's */
	struct loop_timer outage; /* to look again whether it is over */
	struct loop_hook hook;
	struct ds_address address;
	bool https, listening;
	bool resumed; /* one that MHD_run() is to take up */
	struct ds_http *calls; /* all that are under way */
	struct ds_http *pool;
	size_t pooled;
	uint64_t bodies; /* bytes of those that are held */
	struct ds_peers peers;
	struct loop_timer slow; /* to look who is too slow */
	struct ds_http *syncing;
};

enum ds_http_state {
	DS_RECEIVING,
	DS_DELAYED,
	DS_READY,
	DS_SYNCING,
	DS_LISTED,
	DS_HELD,
	DS_RESPONDED,
};

struct ds_http {
	struct ds_http *next, *prev, *sync_next;
	struct ds_server *server;
	struct MHD_Connection *connection; /* NULL until its headers are there */
	struct ds_peer *peer;
	enum ds_http_state state;
	uint64_t expected, received; /* bytes of the body */
	uint64_t held; /* as many are had for it */
	enum ds_err err; /* why it is not going to be run */
	struct ds_plan plan;
	struct loop_timer timer;
	struct text uri;
	struct ds_call call;
};

/* --- listen.c --- */
int ds_listen(struct ds_server *s);
/* As many connections as there may be. */
size_t ds_listen_max(void);
void ds_listen_stop(struct ds_server *s);

/* --- send.c --- */
/* Gives the call's response to libmicrohttpd, with what the plan does to it. */
enum MHD_Result ds_send(struct ds_http *h);

/* What the plan does to the lease of the blob that the call is for. */
void ds_send_lease_faults(struct ds_http *h);

#endif
