/* SPDX-License-Identifier: MIT */
/*
 * runtime.h - what programs of one machine tell each other: /run/clouddrive
 *
 * The directory is root's alone (0700).  For each drive N:
 *
 *	cdriveN.json	what its helper knows of it, for others and for the
 *			helper that comes after it; written whole and renamed
 *	cdriveN.sock	the helper's control socket (SOCK_SEQPACKET, one JSON
 *			object a message, one answer to each)
 *
 * Neither ever holds a key or a SAS.  $CLOUDDRIVE_RUNTIME_DIR names another
 * directory, for tests.
 *
 * Control socket: {"command": "status"} or {"command": "unmount", "force":
 * bool}.  An answer with "error" (see below) means no.  "unmount" is answered
 * when the device is gone and the lease is released ({"unmounted": true}), or
 * could not be, with a "note" that says why.
 *
 * Starting a helper: clouddrivectl makes a SOCK_SEQPACKET socket pair, starts
 * `clouddrived FD`, and sends a request
 *
 *	{"url": "…", "key": "base64" | "sas": "…", "read_only": bool,
 *	 "connections": 32, "park_limit": seconds (optional), "adopt": N
 *	 (optional: become the helper of that device), "foreground": bool}
 *
 * and the environment that libcurl heeds (proxies), with SSL_CERT_FILE.
 *
 * The helper answers once, when the drive is ready ({"index": N, "device":
 * "/dev/cdriveN"}) or can't be ({"error": {"exit": STATUS, "message": "WHAT:
 * WHY; WHAT TO DO"}}), and goes on in the background in the first case, in
 * the second it has undone all it did and exits.
 */
#ifndef LIB_RUNTIME_H
#define LIB_RUNTIME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define RUNTIME_MESSAGE_MAX 65536

/* cdriveN.json: {"index", "url", "lease_id", "sequence_number", "read_only",
 * "size", "helper_pid", "mounted_at" (mount point, by clouddrivectl), …} */

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

/* Asks the helper of a drive; *answer is the caller's.  -ECONNREFUSED or
 * -ENOENT: no helper there. */
int runtime_ask(unsigned int index, const json_t *question, json_t **answer, int timeout_ms);

/* {"error": {"exit": …, "message": …}} */
json_t *runtime_error(int exit_status, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
