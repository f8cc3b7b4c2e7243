/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * drive.h - a drive: what it is, its states, and how long it lives
 *
 * The table of drives holds one reference to each, and every lookup one for as
 * long as it works with it; the drive holds its disk.  A disk that was detached
 * by force lives on, dead, until its last opener is gone, and keeps its index
 * (so its name) taken; nothing leads from it to the drive any more.
 *
 * State changes (see state.h) happen under the drive's lock.  The park limit
 * counts from the first reason to wait on, whichever there are meanwhile.
 *
 * Requests are on the table only while live or parked (see queue.h): whoever
 * leaves those states takes all requests off it and fails them.
 */
#ifndef _CDRIVE_DRIVE_H
#define _CDRIVE_DRIVE_H

#include <linux/blk-mq.h>
#include <linux/hrtimer.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/cdrive.h>

#include "state.h"
#include "table.h"

struct sock;

/*
 * Who carries out a drive's requests.  What it may say is decided by its
 * socket's cookie, which no other socket ever has: a port id can be had again
 * by anybody the moment that its socket closes, before that is noticed here.
 * The socket itself is there for as long as this is: it is not freed before
 * cdrive_helper_gone() was told of its closing.
 */
struct cdrive_helper {
	u64 cookie;		/* 0: there is no helper */
	const struct sock *sk;
	u32 portid;		/* where messages to it go */
	pid_t pid;		/* for people */
};

/* What a drive is made with. */
struct cdrive_params {
	const char *name;		/* "": it has none */
	u64 sectors;
	bool read_only;
	unsigned int park_limit;	/* seconds */
	u64 lease_until;		/* see lease.h */
};

struct cdrive {
	struct kref ref;
	struct rcu_head rcu;
	unsigned int index;
	char name[CDRIVE_MAX_NAME + 1];
	u64 sectors;
	bool read_only;
	unsigned int park_limit;	/* seconds */

	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	bool disk_added;		/* settled once add_work has run */

	spinlock_t lock;		/* everything from here to the works */
	struct cdrive_standing standing;
	struct cdrive_helper helper;
	struct cdrive_table table;

	struct work_struct add_work;	/* add_disk() reads: not in ATTACH */
	struct work_struct notify_work;	/* uevent, multicast: may sleep */
	/* On cdrive_wq: */
	struct delayed_work resend_work;/* a message could not be sent */
	struct delayed_work park_work;	/* parked too long */
	struct work_struct lease_work;	/* the deadline has passed */
	struct hrtimer lease_timer;	/* queues it */
};

extern unsigned int cdrive_park_limit;

/* For works that requests wait for: always has a thread to run on. */
extern struct workqueue_struct *cdrive_wq;

/* The drive of that index with a reference, or NULL. */
struct cdrive *cdrive_get(unsigned int index);
void cdrive_put(struct cdrive *drive);

/* What of a drive changes, as it was at one moment. */
struct cdrive_status {
	struct cdrive_standing standing;
	struct cdrive_helper helper;
	unsigned int in_flight;
};

void cdrive_get_status(struct cdrive *drive, struct cdrive_status *status);

/*
 * Makes a drive whose helper is @helper, and starts making its disk.  Returns
 * it with a reference, or an ERR_PTR: -ENOSPC when all indices are taken,
 * -ENODEV when the module is being unloaded, -ENOMEM.
 */
struct cdrive *cdrive_attach(const struct cdrive_params *params,
			     const struct cdrive_helper *helper);

/* -EBUSY: open, or being opened (not with @force); -ENODEV: is going already */
int cdrive_detach(struct cdrive *drive, bool force);

/*
 * A new helper; @lease_until, if not NULL, is the new deadline.  -EBUSY: has a
 * helper, or one that is still copying; -ENOLINK: fenced
 */
int cdrive_adopt(struct cdrive *drive, const struct cdrive_helper *helper,
		 const u64 *lease_until);

/* Under the drive's lock. */
bool cdrive_is_helper(struct cdrive *drive, u64 cookie);

/*
 * What a helper asks for.  -EPERM: no socket of that cookie is the drive's
 * helper; -ENOLINK, of resuming and of the lease: fenced.
 */
int cdrive_park(struct cdrive *drive, u64 cookie);
int cdrive_resume(struct cdrive *drive, u64 cookie);
int cdrive_lease(struct cdrive *drive, u64 cookie, u64 until);
int cdrive_fence(struct cdrive *drive, u64 cookie);

/* That socket is the drive's helper no more, if it was: parks the drive. */
void cdrive_disown(struct cdrive *drive, u64 cookie);

/*
 * A socket @portid was closed: parks the drives it was the helper of.  (Another
 * may have that port id by now, and drives.)
 */
void cdrive_helper_gone(u32 portid);

/* The disk of that index is gone for good. */
void cdrive_index_free(unsigned int index);

/* Without drives: for disks whose last opener is just going. */
void cdrive_wait_for_disks(void);

#endif /* _CDRIVE_DRIVE_H */
