/* SPDX-License-Identifier: MIT */
/*
 * client.h - HTTP to one storage account, over libcurl, in the caller's loop
 *
 * A client owns the connections (kept alive, as many as are used at once) and
 * the calls in flight.  A call is started by one of blob.h's functions, and
 * ends by its done function, which is called from the loop, exactly once, and
 * never from within the function that started the call.  The client retries
 * nothing, ever: not even as libcurl would by itself when a kept connection
 * turns out to be dead, because a write that is sent twice under one sequence
 * number can land late (Documentation/design.rst, "Lost answers").  See
 * prereq() in call.c.
 */
#ifndef AZURE_CLIENT_H
#define AZURE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "azure/credential.h"
#include "azure/error.h"
#include "azure/url.h"
#include "lib/loop.h"

struct az_client;
struct az_call;

/*
 * No limit is one of a whole call: who moves bytes is never cut, however slow the
 * line.  What counts are bytes that the server's side acknowledged or sent.
 */
struct az_client_options {
	unsigned int connect_timeout_ms; /* until a request can be sent; 0: 10 s */
	/* What was sent, or whether anybody is there at all, is acknowledged by
	 * nobody: the connection is dead; 0: 15 s. */
	unsigned int silence_timeout_ms;
	/* The same for a request on a connection that was idle, before anything of it
	 * is acknowledged: firewalls forget idle connections, and drop what comes by
	 * them.  More where the round trip takes long; 0: 3 s. */
	unsigned int stale_timeout_ms;
	/* Somebody is there, but no byte moves: the request has been sent and its
	 * answer takes so long.  The service gives itself two minutes for a megabyte
	 * that is read, or of a list, more for one that is written, and 30 s for
	 * calls without data ("Setting timeouts for Blob service operations"). */
	unsigned int answer_timeout_ms; /* 0: 120 s */
	unsigned int short_answer_timeout_ms; /* of calls without data; 0: 31 s */
	/* What may be asked for twice without harm (reading properties, renewing a
	 * lease, raising the number) is asked for once more, on a fresh connection,
	 * when no answer has come for so long; the first answer counts.  0: never. */
	unsigned int repeat_after_ms;
	/* Of each socket, each way: how much is asked for.  The kernel grants up to
	 * net.core.rmem_max and wmem_max.  0: it sizes them as it sees fit, up to
	 * megabytes (tcp(7), tcp_rmem and tcp_wmem). */
	unsigned int socket_buffer;
	unsigned int retry_after_most_s; /* of what the service asks for; 0: an hour */
	const char *ca_file; /* PEM of CAs to trust; NULL: $SSL_CERT_FILE, else the system's */
};

/*
 * A blob and the right to use it: what every call takes.  The caller owns the
 * url and credential, and keeps them (they are read when a call starts;
 * changing the credential affects calls started after).
 */
struct az_blob {
	const struct az_url *url;
	const struct az_credential *cred;
	char lease_id[37]; /* "" when none is held; sent with every call */
	const char *if_match; /* NULL, or the ETag that it must have: sent with every call */
};

#define AZ_SNAPSHOT 40 /* bytes of a snapshot's time, with its NUL */
#define AZ_MARK 200 /* bytes of a mark, with its NUL */

enum az_blob_type { AZ_BLOB_UNKNOWN, AZ_BLOB_PAGE, AZ_BLOB_BLOCK, AZ_BLOB_APPEND };

/* What a response's headers said; zero or "" where they did not. */
struct az_props {
	enum az_blob_type type;
	uint64_t size; /* bytes of the blob */
	bool has_sequence_number;
	uint64_t sequence_number;
	char lease_id[37];
	char lease_state[16]; /* "available", "leased", "expired", … */
	char lease_status[16];
	char etag[64];
	char last_modified[40];
	char server[64];
	char snapshot[AZ_SNAPSHOT]; /* the one that was taken */
	char copy_id[40], copy_status[16]; /* of the copy that it is: "pending", "success" … */
	char copy_why[96]; /* it failed */
	uint64_t copy_done, copy_total; /* bytes */
	char unfinished[AZ_MARK]; /* see az_create_unfinished() */
};

struct az_result {
	struct az_error err;
	struct az_props props;
};

typedef void (*az_done_fn)(void *arg, const struct az_result *res);

int az_client_new(struct az_client **out, struct loop *loop, const struct az_client_options *opt);
/* Ends all calls without calling them back. */
void az_client_free(struct az_client *c);

/* Ends a call in flight; its done function is not called.  What was sent may
 * still be executed by the service. */
void az_call_cancel(struct az_call *call);

/* Transactions so far, as the service bills them (calls sent), and bytes. */
struct az_counters {
	uint64_t calls, reads, writes, clears, lists, others;
	uint64_t failed; /* ended in anything but AZ_OK */
	uint64_t bytes_in, bytes_out; /* payload */
};
const struct az_counters *az_client_counters(const struct az_client *c);
void az_counters_add(struct az_counters *sum, const struct az_counters *n);

/*
 * How many seconds the service's clock is ahead of this machine's (@ahead), by the Date of
 * its last response and the time that has passed since.  It may be more, by as much as that
 * response took.  False: there was none.
 */
bool az_client_clock(const struct az_client *c, int64_t *ahead);

/*
 * Waiting for one call, for callers with nothing else to do:
 *
 *	struct az_sync s = { 0 };
 *	az_get_properties(c, &blob, az_sync_done, &s);
 *	az_sync_wait(loop, &s);
 *	if (s.res.err.class) …
 */
struct az_sync {
	bool done;
	struct az_result res;
};
void az_sync_done(void *arg, const struct az_result *res);
int az_sync_wait(struct loop *loop, struct az_sync *s);

#endif
