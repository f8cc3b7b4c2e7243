/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * drive.h - one drive: what changes its state, and what that takes
 *
 * Calls go one way, and each may be understood without what is above it:
 *
 *	netlink.c, payload.c	what helpers and others ask for
 *	drives.c		the drives there are; making and taking away
 *	drive.c			the states of one: parking, fencing, the lease
 *	sysfs.c, disk.c		what people and the block layer see of it
 *	queue.c			its requests, to the helper and back
 *	message.c		messages to the helper and to all who listen
 *	cache/			what is cached of it; its requests tell cache/request.h
 *	table.c, state.c	requests and states, functions of their arguments
 *
 * What has to go the other way is a work of the drive: a message that must not
 * be sent under its lock, a limit or deadline that has passed.
 *
 * State changes (see state.h) happen under the drive's lock, which is its
 * queue's.  The park limit counts from the first reason to wait that it counts for
 * (cdrive_standing_limited()), even if that has gone while another has come.
 *
 * Requests are on the table only while live or parked (see queue.h): what
 * leaves those states takes all requests off it and fails them.
 */
#ifndef _CDRIVE_DRIVE_H
#define _CDRIVE_DRIVE_H

#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/workqueue.h>
#include <linux/cdrive.h>

#include "disk.h"
#include "memory.h"
#include "queue.h"

struct cdrive {
	struct kref ref;
	struct rcu_head rcu;
	unsigned int index;

	struct cdrive_disk disk;
	struct cdrive_queue queue;	/* and the drive's lock */
	struct cdrive_memory memory;	/* under that lock */
	u64 cache_size;			/* see CDRIVE_A_CACHE_SIZE */

	struct work_struct add_work;	/* add_disk() reads: not in ATTACH */
	struct work_struct notify_work;	/* uevent, multicast: may sleep */
	/* On cdrive_wq: */
	struct delayed_work park_work;	/* parked too long */
	struct work_struct lease_work;	/* the deadline has passed */
	struct hrtimer lease_timer;	/* queues it */
};

/* What a drive is made with. */
struct cdrive_params {
	const char *name;		/* "": it has none */
	u64 sectors;
	bool read_only;
	unsigned int park_limit;	/* seconds; 0: none */
	u64 lease_until;		/* see lease.h */
	const struct cdrive_memory *memory;	/* NULL: nothing yet */
	u64 cache_size;			/* bytes, or CDRIVE_CACHE_SHARED */
	const char *validator;		/* of what is cached of it; "": none */
};

/* One with a reference, whose disk nobody sees yet; or an ERR_PTR. */
struct cdrive *cdrive_new(unsigned int index, const struct cdrive_params *params,
			  const struct cdrive_helper *helper);
void cdrive_put(struct cdrive *drive);

/* Under its lock: starts making its disk, and the deadline, if there is one. */
void cdrive_start(struct cdrive *drive, u64 lease_until);

/*
 * The end: all I/O fails, and the disk goes.  -EBUSY: open, or being opened
 * (not with @force); -ENODEV: somebody else has been told 0.
 */
int cdrive_stop(struct cdrive *drive, bool force);

/*
 * A new helper; @lease_until, if not NULL, is the new deadline.  -EBUSY: has a
 * helper, or one that is still copying; -ENOLINK: fenced
 */
int cdrive_adopt(struct cdrive *drive, const struct cdrive_helper *helper,
		 const u64 *lease_until);

/*
 * What a helper asks for.  -EPERM: no socket of that cookie is the drive's
 * helper; -ENOLINK, of resuming: fenced.  With @limit the helper knows that the park
 * limit has passed; for want of a @credential it does not count.  A new deadline says
 * in @standing what the drive is with it, or without, when it is fenced.
 */
int cdrive_park(struct cdrive *drive, u64 cookie, bool credential);
int cdrive_resume(struct cdrive *drive, u64 cookie, bool limit);
int cdrive_lease(struct cdrive *drive, u64 cookie, u64 until,
		 struct cdrive_standing *standing);
int cdrive_fence(struct cdrive *drive, u64 cookie);

/*
 * Keeps @memory in place of what was kept.  -EPERM: that socket is not the drive's
 * helper, nor, while it has none, an @admin's.
 */
int cdrive_remember(struct cdrive *drive, u64 cookie, bool admin,
		    const struct cdrive_memory *memory);

/*
 * What is cached of it is kept under @validator ("": is not kept) when it is gone.
 * -EPERM: not by its helper; -EBUSY: a write is in flight; -ENODEV: nothing is cached.
 */
int cdrive_set_validator(struct cdrive *drive, u64 cookie, const char *validator);

/* Drops all that is cached of it.  -EPERM: as of cdrive_remember(). */
int cdrive_forget(struct cdrive *drive, u64 cookie, bool admin);

/* That socket is the drive's helper no more, if it was: parks the drive. */
void cdrive_disown(struct cdrive *drive, u64 cookie);

/* A socket @portid was closed: the same, if it was the helper's. */
void cdrive_disown_closed(struct cdrive *drive, u32 portid);

#endif /* _CDRIVE_DRIVE_H */
