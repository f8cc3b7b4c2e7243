/* SPDX-License-Identifier: MIT */
/*
 * devstore.h - the embedded page-blob service, as a program
 *
 *   control.c  the socket of "devstore fault" and "devstore counters"
 *   http/      requests and responses on connections
 *   faults/    rules that make calls go wrong, counters
 *   service/   the calls of the REST interface, and what they share
 *   auth/      SharedKey and SAS
 *   request/   a request in its parts, and the errors of the service
 *   storage/   where containers and blobs are kept
 *
 * A folder uses those below it in this list.
 */
#ifndef DEVSTORE_DEVSTORE_H
#define DEVSTORE_DEVSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DS_DEFAULT_LISTEN "127.0.0.1:10000"

struct devstore_account {
	char *name;
	char *key; /* base64 */
};

struct devstore_options {
	const char *data; /* a directory; made where it is not there */
	bool durable;
	const char *listen; /* ADDRESS:PORT; port 0: any */
	bool allow_remote; /* to listen on an address that others can reach */
	const struct devstore_account *accounts; /* none: the development account */
	size_t account_count;
	const char *container; /* made in the first account where it is not there; NULL */
	const char *tls_cert, *tls_key; /* files; NULL: http */
	const char *control; /* the control socket's path; NULL: DATA/control */
	uint64_t async_above; /* copies of bigger blobs are asynchronous */
	uint64_t copy_ms; /* and take at least as long, milliseconds */
	const char *profile; /* of an account of Azure's (faults/profile.h), or NULL */
	uint64_t seed; /* of chance */
};

/* What is wrong with the options themselves: 0, or -EINVAL with a sentence in
 * @why, "--OPTION: WHY; WHAT TO DO". */
int devstore_check(const struct devstore_options *o, char *why, size_t len);

/*
 * Serves until SIGTERM or SIGINT; @ready is called when it does, with the
 * endpoint's URL and the control socket's path.  0, or a negative errno with a
 * sentence in @why: "WHAT: WHY; WHAT TO DO".
 */
int devstore_run(const struct devstore_options *o,
		 void (*ready)(const char *url, const char *control), char *why, size_t len);

#endif
