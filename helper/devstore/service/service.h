/* SPDX-License-Identifier: MIT */
/*
 * service.h - the service behind all calls
 */
#ifndef DEVSTORE_SERVICE_H
#define DEVSTORE_SERVICE_H

#include "devstore/service/call.h"
#include "lib/loop.h"

struct ds_copy; /* one that goes on in the background; copies.c */

struct ds {
	struct loop *loop;
	struct storage *storage;
	bool durable;
	const char *place; /* where the storage is, as it is called in messages */
	bool full; /* it was said that there is no room */
	struct ds_accounts accounts;
	struct ds_objects objects;
	struct ds_request source; /* of a copy, as if it were asked for */
	struct ds_copy *copies;
	struct loop_timer copy_timer;
	uint64_t async_above; /* copies of bigger blobs are asynchronous */
	uint64_t copy_step; /* bytes of such a copy in one turn */
	uint64_t copy_least; /* how long it takes at least, ns */
	char id_prefix[25]; /* of request ids */
	uint64_t id_serial;
	char host[80]; /* HOST:PORT that it listens on: copy sources may name it */
};

int ds_init(struct ds *ds, struct loop *loop, struct storage *storage);
void ds_free(struct ds *ds);
/* Makes a container, unless it is there.  0, -EINVAL: not a name. */
int ds_make_container(struct ds *ds, const char *account, const char *name);
/* A ds_policy_fn; @arg is the struct ds. */
bool ds_find_policy(void *arg, const char *account, const char *container, const char *id,
		    struct ds_policy *out);

/* --- copies.c: copies that go on in the background ---------------------------------- */

void ds_copy_init(struct ds *ds);
/* Copies @from's pages to @to, whose record says "pending": at once when it is
 * small, else bit by bit.  @older: what @to is a copy of already, so that only
 * the difference is copied; or NULL. */
enum ds_err ds_copy_start(struct ds *ds, struct ds_object *to, struct ds_object *from,
			  struct ds_object *older);
/* Goes on with a pending copy that nobody is working on (the process died over
 * it), when its destination is looked at. */
void ds_copy_wake(struct ds *ds, struct ds_object *to);
/* Ends those to a blob, or to all in a container, without finishing them. */
void ds_copy_cancel(struct ds *ds, const struct ds_object *to);
void ds_copy_end_all(struct ds *ds);

/* copy.c: the blob of an x-ms-copy-source, which must be one of this server's;
 * @url is parsed into ds->source, whose strings *key has. */
enum ds_err ds_copy_source_key(struct ds *ds, const char *url, const char *host,
			       struct storage_key *key);

#endif
