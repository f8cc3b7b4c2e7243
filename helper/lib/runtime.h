/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - what programs of one machine tell each other: /run/clouddrive
 *
 * The directory is root's alone (0700).  For each drive N:
 *
 *	cdriveN.json	conveniences; written whole and renamed
 *	cdriveN.sock	the helper's control socket (SOCK_SEQPACKET, one JSON
 *			object a message, one response to each)
 *
 *	cdriveN.agent	locked (flock) by the drive's agent for as long as it lives;
 *			holds its process id, and in a second line what it has:
 *			"key" or "sas"; nothing, when there was no room
 *	url-HASH.lock	locked by whoever is mounting that URL
 *
 * The last two exist only while they are held: see helper/agent/lock.h.
 *
 * All of it may be lost, or have no room for more, at any time: what a drive needs to go
 * on is kept by the driver (struct driver_memory).
 *
 * None ever holds a key or a SAS.  $CLOUDDRIVE_RUNTIME_DIR names another
 * directory, for tests.
 *
 * Control socket: a request is {"command": …}, and has one response; one with "error"
 * (see below) means no.
 *
 *	status		what `clouddrivectl status --json` shows
 *	unmount		("force": bool) {"unmounted": true, "failed_writes": N}
 *			when the device is gone and the lease is released, or could not
 *			be, with a "note" that says why; N writes have failed since this
 *			helper began; "fenced" says why it was, if it was
 *	credential	("sas": "…") the helper goes on with this SAS: {"accepted": true}
 *	data		("from": OFFSET) which parts of the disk may hold data: {"ranges":
 *			[[OFFSET, LENGTH], …], "next": the offset to go on from}
 *	snapshot	takes a snapshot of the blob: {"snapshot": TIME}; if the
 *			connection is closed before that, it may be taken or not
 *	agent		("sas": "…", "user_sas": bool) makes the connection the drive's
 *			agent channel, and goes on with this SAS; the response is
 *			that to the start of a helper; an error, after which the connection ends,
 *			when the drive has an agent that lives, or the SAS can't be used
 *
 * Agent channel: what ties an agent to its helper.  For a helper that the agent
 * starts (as `clouddrived FD`) it is a SOCK_SEQPACKET socket pair, and begins with
 * the request
 *
 *	{"url": "…", "sas": "…", "read_only": bool, "force": bool (break another's
 *	 lease), "connections": 32, "park_limit": seconds (optional; 0: for ever), "adopt": N
 *	 (optional: become the helper of that device), "foreground": bool,
 *	 "cache": BYTES (optional: reserved for it of the machine's cache; 0: none),
 *	 "cache_validator": "…" (optional: of what is kept of it in the cache: an ETag),
 *	 "user_sas": bool (optional: the SAS is one that the user brought, and only
 *	 the user can bring another), "agent_pid": N (optional: who listens at the
 *	 other end, when that is not who made the pair)}
 *
 * and the environment that libcurl heeds (proxies), with SSL_CERT_FILE.  There is
 * always a SAS, and never a key: only the agent knows that.  The helper
 * responds once, when the drive is ready ({"index": N, "device": "/dev/cdriveN",
 * "fenced": "why" when it turned out on adopting to be lost}) or can't be
 * ({"error": {"exit": STATUS, "message": "WHAT: WHY; WHAT TO DO"}}), in which case
 * it has undone all it did and exits.  Closing the channel (or its writing side)
 * before the response means that nobody wants the drive any more.
 *
 * After the response the channel stays open.  The agent sends {"sas": "…"} whenever it
 * has made a fresh one; the helper uses it from the next call on.
 *
 * At any time, before the response too, the helper sends {"clock_ahead": SECONDS}, by how much
 * the service's clock is ahead of this machine's (negative: behind).  An agent that has a
 * key makes its SAS by that clock from then on, and sends one at once.
 *
 * The helper sends {"sas": "…"} when a user handed one in ("credential" above), so that the
 * agent has it for the helper's successor.  When the agent goes, the helper goes on
 * for as long as its SAS is valid.  When the helper goes, the agent looks at what
 * the driver has: no such drive, or a fenced one, and its work is done; else it
 * starts a helper that adopts the drive.
 */
#ifndef LIB_RUNTIME_H
#define LIB_RUNTIME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/exit.h"

#define RUNTIME_MESSAGE_MAX 65536

/* "cache_start" of a status: what began with nothing. */
#define DRIVE_NOTHING_KEPT "nothing of it was kept"

/* cdriveN.json: {"index", "url", "read_only", "size", "helper_pid", "mounted_at" and
 * "made_mount_point", "lost" (why not all that was written is in the blob), "told_writes" (of the driver's
 * count of failed writes, those that "lost" tells of) (by
 * clouddrivectl)} */

/* Makes the directory when it isn't there; 0 or -errno. */
int runtime_init(void);
const char *runtime_dir(void);

/* Paths of a drive's files, into @buf. */
const char *runtime_path(unsigned int index, const char *suffix, char *buf, size_t len);

/* A drive's record; NULL when there is none or it is damaged. */
json_t *runtime_load(unsigned int index);
int runtime_save(unsigned int index, const json_t *record);
/* Merges @changes into a drive's record (null removes a member) under a lock:
 * for those who know a part of it only. */
int runtime_update(unsigned int index, json_t *changes);
void runtime_remove(unsigned int index); /* record and socket */

/* One message over a SEQPACKET socket; 0 or -errno; receiving waits at most
 * @timeout_ms (-1: for ever), -ETIMEDOUT; -ECONNRESET at the end. */
int runtime_send(int fd, const json_t *message);
int runtime_receive(int fd, json_t **message, int timeout_ms);

/* Connects to the helper of a drive: a descriptor, or -errno as below. */
int runtime_connect(unsigned int index);

/* A request to the helper of a drive; *response is the caller's.  -ECONNREFUSED or
 * -ENOENT: no helper there. */
int runtime_request(unsigned int index, const json_t *request, json_t **response, int timeout_ms);

/* {"error": {"exit": …, "message": …}} */
json_t *runtime_error(enum exit_status status, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
