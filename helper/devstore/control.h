/* SPDX-License-Identifier: MIT */
/*
 * control.h - devstore's control socket
 *
 * SOCK_SEQPACKET, one JSON object a message, one response to each (as runtime.h):
 *
 *	{"command": "fault-set", "rule": {…}}	→ {"id": N}; the rule: rule.c
 *	{"command": "fault-list"}		→ {"rules": [{…}, …]}
 *	{"command": "fault-clear", "id": N}	→ {"cleared": N}; without id: all
 *	{"command": "counters", "reset": bool}	→ {"transactions": N, …}
 *
 * A response with "error" says what was wrong.  Who can connect can make the
 * server misbehave: the socket is its owner's alone (0600).
 */
#ifndef DEVSTORE_CONTROL_H
#define DEVSTORE_CONTROL_H

#include "devstore/http/server.h"

struct ds_control;

/* 0 or -errno; a socket that nobody listens on any more is replaced. */
int ds_control_start(struct ds_control **out, const char *path, struct loop *loop,
		     struct ds_server *server, struct ds_faults *faults);
void ds_control_stop(struct ds_control *c);

#endif
