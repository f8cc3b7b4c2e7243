/* SPDX-License-Identifier: MIT */
/*
 * store.h - the blob that a command line names, and calls on it
 */
#ifndef CTL_STORE_H
#define CTL_STORE_H

#include <stdbool.h>

#include "azure/blob.h"

/* The options that say where and as whom: for a verb's table. */
struct store_options {
	const char *url;
	const char *key_file;
	bool allow_http;
	bool snapshot; /* the verb's: the URL may be a snapshot's */
};

#define STORE_OPTIONS(s) TEXT("key-file", &(s)->key_file), FLAG("allow-http", &(s)->allow_http)

struct store {
	struct az_url url;
	struct az_credential cred;
	char *text; /* the URL without its SAS, for messages and records */
	struct loop *loop;
	struct az_client *client;
	struct az_blob blob;
};

/* Each prints its message and returns an exit status.  store_close() is right
 * after any of them, successful or not, and on a zeroed store. */

/* Parses the URL, and refuses plain http past loopback and snapshots. */
int store_url(struct store *s, const struct store_options *o);
/* Finds the credential. */
int store_credential(struct store *s, const struct store_options *o);
/* Makes a client ready for calls with what these found. */
int store_connect(struct store *s);
/* All three. */
int store_open(struct store *s, const struct store_options *o);
void store_close(struct store *s);

/* Waits for @call, just started with az_sync_done and @sync. */
int store_wait(struct store *s, struct az_call *call, struct az_sync *sync);

/* Says what went wrong with a call, and, unless it is NULL, what is left (a
 * sentence); returns the exit status. */
int store_fail(struct store *s, const struct az_error *e, const char *left);

/* What --help says about credentials and exit statuses, the same in all. */
#define STORE_HELP                                                                          \
	"The account key is read from --key-file FILE (- for standard input), or from\n"    \
	"AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_KEY. A SAS is the query of the\n" \
	"URL, which is to be quoted, or AZURE_STORAGE_SAS_TOKEN. SSL_CERT_FILE names a\n"   \
	"file of CA certificates to trust instead of the system's.\n"

#endif
