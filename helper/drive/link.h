/* SPDX-License-Identifier: MIT */
/*
 * link.h - the helper's side of the driver: requests in, completions out
 *
 * One generic netlink socket, which makes this process the drive's helper as
 * long as it is open, and the payload device.  Completions are gathered, and
 * told to the device at once at the end of the loop's turn.  Protocol:
 * uapi/linux/cdrive.h.
 */
#ifndef DRIVE_LINK_H
#define DRIVE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cdrive.h>

#include "lib/driver.h"
#include "lib/loop.h"

struct link;

/* What a new drive has of the machine's cache. */
struct link_cache {
	int64_t size; /* bytes that are reserved; 0: none of it; -1: it shares the rest */
	const char *validator; /* that what is kept is as it is in the blob is proven; or NULL */
};

struct link_ops {
	void (*request)(void *arg, const struct cdrive_descriptor *desc);
	/* The disk of an attached drive is there, or why not (-errno). */
	void (*ready)(void *arg, int err);
	void (*state)(void *arg, enum cdrive_state state);
};

/* 0 or a negative errno; -ENOENT: the module is not loaded; -ENOTTY: it is an older one. */
int link_open(struct link **out, struct loop *loop, const struct link_ops *ops, void *arg);
/* Closes the socket: a drive that is still attached is parked. */
void link_close(struct link *l);

/*
 * Attach a new drive (ready() tells when its disk is there) or adopt one.
 * Both run the loop until the driver has answered, and return the index or a
 * negative errno.  @name: see devname.h; it stays the drive's.  @park_limit:
 * seconds; 0: none; -1: the module's.  @until: the lease's deadline, CLOCK_BOOTTIME ns; 0: none.
 * @memory: for the helper that comes next.  -ENOSPC: there are as many drives as can be, or
 * less of the cache is left than was asked for.
 */
int link_attach(struct link *l, const char *name, uint64_t sectors, bool read_only, int park_limit,
		uint64_t until, const struct driver_memory *memory, const struct link_cache *cache);
int link_adopt(struct link *l, unsigned int index, uint64_t until);

/* This thread may have the kernel's last memory, from here on, as what makes room may
 * wait for it.  -ENOTTY: the module is too old. */
int link_use_reserves(struct link *l);

/*
 * What the driver is to keep in place of what it kept; it does when this returns 0.
 * -EPERM: the drive is another's by now.  Works before the drive is adopted, too.
 */
int link_remember(struct link *l, unsigned int index, const struct driver_memory *memory);

/*
 * What is cached of the drive is kept when it is detached, and is as the blob is while that
 * has @validator; "": it is forgotten.  -EBUSY: a write is in flight; -ENODEV: nothing is
 * cached.  A write that comes later undoes it.
 */
int link_validator(struct link *l, const char *validator);

/* What is cached of a drive may be old, and is dropped: before a new deadline is told. */
int link_forget(struct link *l, unsigned int index);

/* A new deadline.  When the drive turns out to be failing or fenced, state() says so in the
 * loop's next turn: the notification may have been lost. */
void link_lease(struct link *l, uint64_t until);

/* -EBUSY: open.  Does not need the loop, and no capability: it goes over the
 * helper's own socket. */
int link_detach(struct link *l, bool force);

/* @credential: as the service refuses it, for which no limit counts.  The last one counts. */
void link_park(struct link *l, bool credential);
/* @limit: it is known here that the park limit has passed. */
void link_resume(struct link *l, bool limit);
void link_fence(struct link *l);

void link_complete(struct link *l, uint32_t tag, int status);

/* Copy a request's data; all of it, 0, or a negative errno (-ESTALE: the
 * request is no more). */
int link_payload_read(struct link *l, uint32_t tag, void *buf, size_t len, uint64_t pos);
int link_payload_write(struct link *l, uint32_t tag, const void *buf, size_t len, uint64_t pos);
int link_payload_zero(struct link *l, uint32_t tag, uint64_t len, uint64_t pos);

#endif
