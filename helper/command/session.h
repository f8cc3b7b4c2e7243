/* SPDX-License-Identifier: MIT */
/*
 * session.h - the blob that a command line names, and calls on it
 */
#ifndef COMMAND_SESSION_H
#define COMMAND_SESSION_H

#include <stdbool.h>

#include "azure/blob.h"

/* The options that say where and as whom: for a verb's table. */
struct session_options {
	const char *url;
	const char *key_file;
	bool allow_http;
	bool snapshot; /* the verb's: the URL may be a snapshot's */
};

#define SESSION_OPTIONS(s) TEXT("key-file", &(s)->key_file), FLAG("allow-http", &(s)->allow_http)

struct session {
	struct az_url url;
	struct az_credential cred;
	char *text; /* the URL without its SAS, for messages and records */
	struct loop *loop;
	struct az_client *client;
	struct az_blob blob;
};

/* Each prints its message and returns an exit status.  session_close() is right
 * after any of them, successful or not, and on a zeroed session. */

/* Parses the URL, and refuses plain http past loopback and snapshots. */
int session_url(struct session *s, const struct session_options *o);
/* Finds the credential. */
int session_credential(struct session *s, const struct session_options *o);
/* Makes a client ready for calls with what these found. */
int session_connect(struct session *s);
/* All three. */
int session_open(struct session *s, const struct session_options *o);
void session_close(struct session *s);

/* Starts a call on the blob, which ends with az_sync_done() and @sync.  NULL: no memory. */
typedef struct az_call *(*session_start)(struct session *s, struct az_sync *sync, void *arg);

/*
 * Makes a call, again while the service is busy (azure/retry_wait.h), and waits for its
 * end: its result is @sync's.  A call that was made again may have been carried out
 * before.
 */
int session_call(struct session *s, session_start start, void *arg, struct az_sync *sync);
/* The same, but says nothing of what went wrong with it; *@tries: how often it was made. */
int session_try(struct session *s, session_start start, void *arg, struct az_sync *sync,
		unsigned int *tries);

/* Says what went wrong with a call, and, unless it is NULL, what is left (a
 * sentence); returns the exit status. */
int session_fail(struct session *s, const struct az_error *e, const char *left);

/* What --help says about credentials and exit statuses, the same in all. */
#define SESSION_HELP                                                                        \
	"The account key is read from --key-file FILE (- for standard input), or from\n"    \
	"AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_KEY. A SAS is the query of the\n" \
	"URL, which is to be quoted, or AZURE_STORAGE_SAS_TOKEN. SSL_CERT_FILE names a\n"   \
	"file of CA certificates to trust instead of the system's.\n"

#endif
