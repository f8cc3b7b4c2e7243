/* SPDX-License-Identifier: MIT */
/*
 * error.h - what went wrong with a REST call, in one type
 *
 * Carries what the service said (HTTP status, Azure's error code, request id)
 * or what the network did, sorted into the classes that callers decide by.
 * The codes are those of "Blob service error codes" and "Common REST API
 * error codes".
 */
#ifndef AZURE_ERROR_H
#define AZURE_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/exit.h"

enum az_class {
	AZ_OK = 0,
	AZ_UNREACHABLE, /* no connection could be made: nothing was sent */
	AZ_NO_RESPONSE, /* it was sent, and no whole response came */
	AZ_UNTRUSTED, /* the server's TLS certificate */
	AZ_BUSY, /* 5xx, 429: try again later */
	AZ_CORRUPT, /* a checksum, a length, or a response that makes no sense */
	AZ_DENIED, /* 401, 403: key, SAS, expiry, permissions, firewall */
	AZ_NOT_FOUND, /* 404 */
	AZ_CONFLICT, /* 409 */
	AZ_PRECONDITION, /* 412: lease, sequence number, If-Match */
	AZ_REFUSED, /* any other 4xx, 501 and 505 */
	AZ_LOCAL, /* out of memory, a sink or source that failed */
	AZ_CHANGED, /* the body is not the one that it must be: nothing was sent */
};

/* What the client knows beyond what the service says, for the advice. */
enum az_hint {
	AZ_HINT_NONE = 0,
	AZ_HINT_KEY, /* refused, and it was signed with an account key */
	AZ_HINT_SAS, /* refused, and it carried a SAS */
	AZ_HINT_SAS_EXPIRED, /* refused, and the SAS has ended */
	AZ_HINT_CLOCK, /* refused, and our clock is minutes off the service's */
	AZ_HINT_NOT_BLOB_SERVICE, /* AZ_CORRUPT: somebody else answered, or a redirection */
};

struct az_error {
	enum az_class class;
	enum az_hint hint;
	long http; /* 0 when there was no response */
	char code[64]; /* "LeaseIdMissing", or "" */
	char request_id[64]; /* x-ms-request-id, or "" */
	char message[256]; /* the service's first line, or libcurl's; for logs */
	unsigned int retry_after; /* seconds, 0 when the service did not say */
	bool sent; /* the service may have acted on it */
};

bool az_error_is(const struct az_error *e, const char *code);

/* Was it refused because of a lease: there is another, or ours is not there any more? */
bool az_error_is_lease(const struct az_error *e);

/* Was it refused, and nothing done, for what ends by itself: a container that is being
 * deleted, a copy that is pending (409)?  That may take minutes. */
bool az_error_in_progress(const struct az_error *e);

/* Does a response say, by what or by whose it is, that waiting is all there is to do?
 * The service is busy, in the middle of something, or somebody else has answered. */
bool az_error_passes(const struct az_error *e);

/* Refused as one call too many, or not done in the service's own time: fewer should be
 * sent for a while ("Scalability and performance targets", 503 and 500). */
bool az_error_is_throttle(const struct az_error *e);

/* May the same call succeed when it is repeated after a while? */
bool az_error_transient(const struct az_error *e);

/* May a write that ended so have been executed, or still be?  True for every
 * way not to know: no response, 5xx, a corrupt response (Documentation/design.rst,
 * "Lost answers"). */
bool az_error_maybe_applied(const struct az_error *e);

/* "412 LeaseIdMissing", "no answer: Operation timed out after 30000 ms": the
 * short form for messages; into @buf, which is returned. */
const char *az_error_text(const struct az_error *e, char *buf, size_t len);

/* The exit status that an error means, and what to do about it in words that finish a
 * message ("check the account key", "unmount it there"). */
enum exit_status az_error_exit(const struct az_error *e);
const char *az_error_advice(const struct az_error *e);

#endif
