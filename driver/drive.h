/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * drive.h - a drive: what it is, its states, and how long it lives
 *
 * The table of drives holds one reference to each, and every lookup one for as
 * long as it works with it; the drive holds its disk.  A disk that was detached
 * by force lives on, dead, until its last opener is gone, and keeps its index
 * (so its name) taken; nothing leads from it to the drive any more.
 *
 * State changes happen under the drive's lock and follow one table:
 *
 *	live	-> parked	helper gone, or it asked
 *	parked	-> live		adopted, or the helper asked
 *	live, parked -> fenced	lease lost, or parked past the limit
 *	any	-> gone		detached
 *
 * Requests are held only while live or parked (see queue.h): whoever leaves
 * those states takes all requests off the drive and fails them.
 */
#ifndef _CDRIVE_DRIVE_H
#define _CDRIVE_DRIVE_H

#include <linux/blk-mq.h>
#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/cdrive.h>

struct cdrive_slot {
	struct request *rq;	/* NULL while free */
	u32 generation;
};

struct cdrive {
	struct kref ref;
	struct rcu_head rcu;
	unsigned int index;
	u64 sectors;
	bool read_only;
	unsigned int park_limit;	/* seconds */

	struct blk_mq_tag_set tag_set;
	struct gendisk *disk;
	bool disk_added;		/* settled once add_work has run */

	spinlock_t lock;		/* everything from here to the works */
	enum cdrive_state state;
	u32 portid;			/* the helper's socket; 0: no helper */
	pid_t pid;			/* the helper, for people */
	/*
	 * Both in order of arrival, and all of @sent arrived before all of
	 * @unsent; a request is on one of them from queue_rq to completion.
	 */
	struct list_head sent;
	struct list_head unsent;
	unsigned int unsent_count;
	unsigned int in_flight;		/* on both lists */
	struct cdrive_slot slots[CDRIVE_QUEUE_DEPTH];

	struct work_struct add_work;	/* add_disk() reads: not in ATTACH */
	struct work_struct notify_work;	/* uevent, multicast: may sleep */
	/* On cdrive_wq: */
	struct delayed_work resend_work;/* a message could not be sent */
	struct delayed_work park_work;	/* parked too long */
};

extern unsigned int cdrive_park_limit;

/* For works that requests wait for: always has a thread to run on. */
extern struct workqueue_struct *cdrive_wq;

/* The drive of that index with a reference, or NULL. */
struct cdrive *cdrive_get(unsigned int index);
void cdrive_put(struct cdrive *drive);

/*
 * Makes a drive whose helper is the socket @portid of process @pid, and starts
 * making its disk.  Returns it with a reference, or an ERR_PTR: -ENOSPC when
 * all indices are taken, -ENOMEM.
 */
struct cdrive *cdrive_attach(u64 sectors, bool read_only,
			     unsigned int park_limit, u32 portid, pid_t pid);

/* -EBUSY: open, or being opened (not with @force); -ENODEV: is going already */
int cdrive_detach(struct cdrive *drive, bool force);

/* -EBUSY: has a helper, or one that is still copying; -ENOLINK: fenced */
int cdrive_adopt(struct cdrive *drive, u32 portid, pid_t pid);

/* What a helper asks for.  -EPERM: @portid is not the drive's helper. */
int cdrive_park(struct cdrive *drive, u32 portid);
int cdrive_resume(struct cdrive *drive, u32 portid);
int cdrive_fence(struct cdrive *drive, u32 portid);

/* The socket @portid was closed: parks the drives it was the helper of. */
void cdrive_helper_gone(u32 portid);

/* The disk of that index is gone for good. */
void cdrive_index_free(unsigned int index);

/* Without drives: for disks whose last opener is just going. */
void cdrive_wait_for_disks(void);

const char *cdrive_state_name(enum cdrive_state state);

#endif /* _CDRIVE_DRIVE_H */
