/* SPDX-License-Identifier: MIT */
/*
 * lease.h - leases: the state tables of "Lease Blob" and "Lease Container"
 *
 * Pure: a lease is a value, time is passed in (nanoseconds, any clock that goes
 * forward; 0 is before all of them).  A lease's state is what it is at a time:
 * a lease expires, and a breaking one is broken, by time's passing alone.
 */
#ifndef DEVSTORE_LEASE_H
#define DEVSTORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "devstore/request/error.h"

#define DS_LEASE_ID 37
#define DS_LEASE_INFINITE (-1)
#define DS_LEASE_NEVER UINT64_MAX
#define DS_BREAK_DEFAULT (-1) /* no x-ms-lease-break-period */

enum ds_lease_state {
	DS_LEASE_AVAILABLE,
	DS_LEASE_LEASED,
	DS_LEASE_BREAKING,
	DS_LEASE_BROKEN,
	DS_LEASE_EXPIRED,
};

struct ds_lease {
	enum ds_lease_state state; /* as last set; ask ds_lease_state() */
	char id[DS_LEASE_ID]; /* in lower case; "" when available */
	int duration; /* seconds, or DS_LEASE_INFINITE */
	uint64_t until; /* the end of leased and breaking */
};

enum ds_lease_state ds_lease_state(const struct ds_lease *l, uint64_t now);
const char *ds_lease_state_name(enum ds_lease_state state);
static inline bool ds_lease_locked(enum ds_lease_state state)
{
	return state == DS_LEASE_LEASED || state == DS_LEASE_BREAKING;
}

/* A lease id as a client sends it (any usual form of a GUID) in the form that
 * is kept; false: it is none. */
bool ds_lease_id(const char *text, char id[DS_LEASE_ID]);

/* The five operations.  @id, @proposed: in the form that is kept; @proposed of
 * acquire: a new id where the client proposed none (@given false). */
enum ds_err ds_lease_acquire(struct ds_lease *l, uint64_t now, int duration, const char *proposed,
			     bool given);
enum ds_err ds_lease_renew(struct ds_lease *l, uint64_t now, const char *id);
enum ds_err ds_lease_change(struct ds_lease *l, uint64_t now, const char *id, const char *proposed);
enum ds_err ds_lease_release(struct ds_lease *l, uint64_t now, const char *id);
/* *remaining: seconds until another can acquire it. */
enum ds_err ds_lease_break(struct ds_lease *l, uint64_t now, int period, int *remaining);

/* Whether a use is allowed; @id: NULL when the request names none. */
enum ds_err ds_lease_check_read(const struct ds_lease *l, uint64_t now, const char *id,
				bool container);
enum ds_err ds_lease_check_write(const struct ds_lease *l, uint64_t now, const char *id,
				 bool container);
/* After a write: one whose lease has ended leaves no lease behind, so that it
 * can't be renewed by who believes the blob is as it was. */
void ds_lease_written(struct ds_lease *l, uint64_t now);

/* What a fault does to it: ends it as if its time had passed. */
void ds_lease_expire(struct ds_lease *l, uint64_t now);

#endif
