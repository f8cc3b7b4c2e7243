// SPDX-License-Identifier: GPL-2.0-only
#include "drive.h"

#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "cache/cache.h"
#include "compat.h"
#include "lease.h"
#include "message.h"
#include "sysfs.h"
#include "trace.h"

/*
 * Leaves for a state in which requests fail, and takes those that are there
 * onto @ended, for the caller to fail when it has dropped the lock.  False: it
 * was there, or further, already.
 */
static bool cdrive_set_dead(struct cdrive *drive, enum cdrive_state state,
			    struct list_head *ended)
{
	lockdep_assert_held(&drive->queue.lock);

	if (!cdrive_standing_end(&drive->queue.standing, state))
		return false;
	cancel_delayed_work(&drive->park_work);
	cdrive_queue_take_all(&drive->queue, ended);
	return true;
}

static bool cdrive_set_fenced(struct cdrive *drive, struct list_head *ended)
{
	unsigned int in_flight = drive->queue.table.in_flight;

	if (!cdrive_set_dead(drive, CDRIVE_STATE_FENCED, ended))
		return false;
	trace_cdrive_fence(drive->index, in_flight);
	schedule_work(&drive->notify_work);
	return true;
}

/* @limited: the park limit counted before the reasons changed. */
static void cdrive_park_set_timer(struct cdrive *drive, bool limited)
{
	const struct cdrive_standing *s = &drive->queue.standing;

	if (!cdrive_standing_limited(s))
		cancel_delayed_work(&drive->park_work);
	else if (!limited && s->park_limit)
		queue_delayed_work(cdrive_wq, &drive->park_work,
				   secs_to_jiffies(s->park_limit));
}

/* One more reason to wait. */
static void cdrive_set_parked(struct cdrive *drive,
			      enum cdrive_park_reason reason)
{
	bool limited = cdrive_standing_limited(&drive->queue.standing);
	bool first;

	lockdep_assert_held(&drive->queue.lock);

	first = cdrive_standing_park(&drive->queue.standing, reason);
	cdrive_park_set_timer(drive, limited);
	if (!first)
		return;
	schedule_work(&drive->notify_work);
	trace_cdrive_park(drive->index, drive->queue.table.in_flight);
}

/*
 * These @reasons to wait are gone; the drive is live when they were all.  One that
 * failed, and has to wait for something else, may do that for as long again.
 */
static void cdrive_set_unparked(struct cdrive *drive, u32 reasons)
{
	bool limited = cdrive_standing_limited(&drive->queue.standing);
	bool changed;

	lockdep_assert_held(&drive->queue.lock);

	changed = cdrive_standing_unpark(&drive->queue.standing, reasons);
	cdrive_park_set_timer(drive, limited);
	if (!changed)
		return;
	schedule_work(&drive->notify_work);
	cdrive_queue_forward(&drive->queue);
}

static void cdrive_lease_start_timer(struct cdrive *drive)
{
	hrtimer_start(&drive->lease_timer,
		      cdrive_lease_expiry(drive->queue.standing.lease_until),
		      HRTIMER_MODE_ABS);
}

/* In an interrupt, where the drive's lock must not be taken. */
static enum hrtimer_restart cdrive_lease_timer(struct hrtimer *timer)
{
	struct cdrive *drive = container_of(timer, struct cdrive, lease_timer);

	queue_work(cdrive_wq, &drive->lease_work);
	return HRTIMER_NORESTART;
}

static void cdrive_lease_expired(struct cdrive *drive)
{
	lockdep_assert_held(&drive->queue.lock);

	if (cdrive_standing_parked_by(&drive->queue.standing, CDRIVE_PARK_LEASE))
		return;
	pr_warn("cdrive%u: the lease's deadline has passed, requests wait\n",
		drive->index);
	trace_cdrive_lease_expire(drive->index, drive->queue.table.in_flight);
	cdrive_set_parked(drive, CDRIVE_PARK_LEASE);
}

static void cdrive_lease_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, lease_work);

	spin_lock(&drive->queue.lock);
	/* A later deadline may have been told as this work began. */
	if (!cdrive_standing_error(&drive->queue.standing)) {
		if (cdrive_standing_completes(&drive->queue.standing,
					      cdrive_lease_now()))
			cdrive_lease_start_timer(drive);
		else
			cdrive_lease_expired(drive);
	}
	spin_unlock(&drive->queue.lock);
}

/* A new deadline; requests that can end by it go onto @ended, for the caller. */
static void cdrive_lease_set(struct cdrive *drive, u64 until,
			     struct list_head *ended)
{
	u64 now = cdrive_lease_now();
	unsigned int n;

	lockdep_assert_held(&drive->queue.lock);

	trace_cdrive_lease(drive->index, until,
			   cdrive_lease_left_ms(until, now));
	drive->queue.standing.lease_until = until;
	if (cdrive_lease_is_over(until, now)) {
		cdrive_lease_expired(drive);
		return;
	}
	cdrive_lease_start_timer(drive);
	n = cdrive_queue_take_kept(&drive->queue, ended);
	if (n || cdrive_standing_parked_by(&drive->queue.standing, CDRIVE_PARK_LEASE))
		pr_info("cdrive%u: the lease is held again, %u requests that were done past its deadline end\n",
			drive->index, n);
	cdrive_set_unparked(drive, BIT(CDRIVE_PARK_LEASE));
	/* What came past the old deadline waits even if it was live all along. */
	cdrive_queue_forward(&drive->queue);
}

static void cdrive_park_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(to_delayed_work(work),
					    struct cdrive, park_work);
	LIST_HEAD(ended);

	spin_lock(&drive->queue.lock);
	/* It may have been resumed, and parked again, as this work began. */
	if (!delayed_work_pending(&drive->park_work) &&
	    cdrive_standing_expire(&drive->queue.standing)) {
		pr_err("cdrive%u: parked for %u s: gave up, requests fail until it goes on\n",
		       drive->index, drive->queue.standing.park_limit);
		trace_cdrive_expire(drive->index, drive->queue.table.in_flight);
		cdrive_queue_take_all(&drive->queue, &ended);
		schedule_work(&drive->notify_work);
	}
	spin_unlock(&drive->queue.lock);
	cdrive_queue_fail(&ended);
}

static void cdrive_notify_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, notify_work);
	enum cdrive_state state = READ_ONCE(drive->queue.standing.state);

	cdrive_nl_notify_state(drive->index, state);
	cdrive_disk_uevent(&drive->disk, state);
}

/*
 * Tries for a while when the helper's buffer is full: this message is not sent
 * again, and a helper that has not read for seconds has other troubles.
 */
static void cdrive_add_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, add_work);
	int err = cdrive_disk_add(&drive->disk, cdrive_sysfs_groups);
	unsigned int tries;

	for (tries = 0; tries < 100; tries++, msleep(50)) {
		u32 portid = READ_ONCE(drive->queue.helper.portid);
		int sent;

		if (!portid)	/* 0 would be the kernel itself */
			return;
		sent = cdrive_nl_send_ready(drive->index, portid, err);
		if (sent != -EAGAIN && sent != -ENOMEM)
			return;
	}
}

static void cdrive_release(struct kref *ref)
{
	struct cdrive *drive = container_of(ref, struct cdrive, ref);

	cdrive_disk_free(&drive->disk);
	kfree_rcu(drive, rcu);
}

void cdrive_put(struct cdrive *drive)
{
	kref_put(&drive->ref, cdrive_release);
}

struct cdrive *cdrive_new(unsigned int index, const struct cdrive_params *params,
			  const struct cdrive_helper *helper)
{
	struct cdrive *drive = kzalloc(sizeof(*drive), GFP_KERNEL);
	int err;

	if (!drive)
		return ERR_PTR(-ENOMEM);
	kref_init(&drive->ref);
	drive->index = index;
	cdrive_queue_init(&drive->queue, index, params->park_limit);
	drive->queue.helper = *helper;
	INIT_WORK(&drive->add_work, cdrive_add_work);
	INIT_WORK(&drive->notify_work, cdrive_notify_work);
	INIT_DELAYED_WORK(&drive->park_work, cdrive_park_work);
	INIT_WORK(&drive->lease_work, cdrive_lease_work);
	hrtimer_setup(&drive->lease_timer, cdrive_lease_timer, CLOCK_BOOTTIME,
		      HRTIMER_MODE_ABS);

	if (params->memory)
		drive->memory = *params->memory;
	drive->cache_size = params->cache_size;

	drive->disk.index = index;
	strscpy(drive->disk.name, params->name, sizeof(drive->disk.name));
	drive->disk.sectors = params->sectors;
	drive->disk.read_only = params->read_only;
	drive->disk.queue = &drive->queue;
	err = cdrive_disk_alloc(&drive->disk);
	if (err) {
		kfree(drive);
		return ERR_PTR(err);
	}
	return drive;
}

void cdrive_start(struct cdrive *drive, u64 lease_until)
{
	LIST_HEAD(ended);	/* stays empty: there are no requests yet */

	schedule_work(&drive->add_work);
	if (lease_until != CDRIVE_LEASE_NONE)
		cdrive_lease_set(drive, lease_until, &ended);
}

/* Says that the drive goes; only one caller is told 0. */
static int cdrive_set_gone(struct cdrive *drive)
{
	LIST_HEAD(ended);
	int err = 0;

	spin_lock(&drive->queue.lock);
	if (cdrive_set_dead(drive, CDRIVE_STATE_GONE, &ended))
		drive->queue.helper = (struct cdrive_helper){};
	else
		err = -ENODEV;
	spin_unlock(&drive->queue.lock);
	cdrive_queue_fail(&ended);
	return err;
}

/*
 * Not forced, the decision is made under open_mutex, with which the block layer
 * serialises open().  It is only tried for: who holds it may be reading a
 * partition table through the very helper that waits for this to return.
 */
static int cdrive_set_gone_unless_open(struct cdrive *drive)
{
	int err = -EBUSY;

	if (!mutex_trylock(&drive->disk.gendisk->open_mutex))
		return -EBUSY;
	/* Who opens it between here and del_gendisk() reads errors. */
	if (!disk_openers(drive->disk.gendisk))
		err = cdrive_set_gone(drive);
	mutex_unlock(&drive->disk.gendisk->open_mutex);
	return err;
}

int cdrive_stop(struct cdrive *drive, bool force)
{
	int err;

	err = force ? cdrive_set_gone(drive) :
		      cdrive_set_gone_unless_open(drive);
	if (err)
		return err;

	/*
	 * All I/O fails from here on, so nothing below waits for a helper; and
	 * no work or timer is started anew.
	 */
	flush_work(&drive->add_work);
	hrtimer_cancel(&drive->lease_timer);
	cancel_work_sync(&drive->lease_work);
	cancel_delayed_work_sync(&drive->park_work);
	cancel_delayed_work_sync(&drive->queue.resend_work);
	cancel_work_sync(&drive->notify_work);
	cdrive_disk_del(&drive->disk);
	cdrive_cache_detach(&drive->queue);
	return 0;
}

int cdrive_adopt(struct cdrive *drive, const struct cdrive_helper *helper,
		 const u64 *lease_until)
{
	LIST_HEAD(ended);
	int err;

	spin_lock(&drive->queue.lock);
	err = cdrive_standing_error(&drive->queue.standing);
	if (!err && drive->queue.helper.cookie)
		err = -EBUSY;
	if (!err)
		err = cdrive_table_replay(&drive->queue.table);
	if (!err) {
		pr_info("cdrive%u: adopted by helper %d, %u requests replayed\n",
			drive->index, helper->pid, drive->queue.table.unsent_count);
		drive->queue.helper = *helper;
		trace_cdrive_adopt(drive->index, drive->queue.table.in_flight);
		if (lease_until)
			cdrive_lease_set(drive, *lease_until, &ended);
		cdrive_set_unparked(drive, BIT(CDRIVE_PARK_HELPER) |
					   BIT(CDRIVE_PARK_ASKED) |
					   BIT(CDRIVE_PARK_LIMIT) |
					   BIT(CDRIVE_PARK_CREDENTIAL));
	}
	spin_unlock(&drive->queue.lock);
	cdrive_queue_end(&ended);
	return err;
}

int cdrive_park(struct cdrive *drive, u64 cookie, bool credential)
{
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie)) {
		cdrive_set_parked(drive, credential ? CDRIVE_PARK_CREDENTIAL :
						      CDRIVE_PARK_ASKED);
		cdrive_set_unparked(drive, credential ?
						   BIT(CDRIVE_PARK_ASKED) :
						   BIT(CDRIVE_PARK_CREDENTIAL));
		err = 0;
	}
	spin_unlock(&drive->queue.lock);
	return err;
}

int cdrive_resume(struct cdrive *drive, u64 cookie, bool limit)
{
	u32 reasons = BIT(CDRIVE_PARK_ASKED) | BIT(CDRIVE_PARK_CREDENTIAL);
	int err = -EPERM;

	if (limit)
		reasons |= BIT(CDRIVE_PARK_LIMIT);

	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie)) {
		err = cdrive_standing_error(&drive->queue.standing);
		cdrive_set_unparked(drive, reasons);
	}
	spin_unlock(&drive->queue.lock);
	return err;
}

int cdrive_lease(struct cdrive *drive, u64 cookie, u64 until,
		 struct cdrive_standing *standing)
{
	LIST_HEAD(ended);
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie)) {
		if (!cdrive_standing_error(&drive->queue.standing))
			cdrive_lease_set(drive, until, &ended);
		*standing = drive->queue.standing;
		err = 0;
	}
	spin_unlock(&drive->queue.lock);
	cdrive_queue_end(&ended);
	return err;
}

int cdrive_fence(struct cdrive *drive, u64 cookie)
{
	LIST_HEAD(ended);
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie)) {
		if (cdrive_set_fenced(drive, &ended))
			pr_err("cdrive%u: fenced: the lease is lost, all requests fail from now on\n",
			       drive->index);
		err = 0;
	}
	spin_unlock(&drive->queue.lock);
	cdrive_queue_fail(&ended);
	return err;
}

int cdrive_remember(struct cdrive *drive, u64 cookie, bool admin,
		    const struct cdrive_memory *memory)
{
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_may_remember(&drive->queue.helper, cookie, admin)) {
		drive->memory = *memory;
		err = 0;
	}
	spin_unlock(&drive->queue.lock);
	return err;
}

int cdrive_set_validator(struct cdrive *drive, u64 cookie, const char *validator)
{
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie))
		err = cdrive_cached_set_validator(&drive->queue, validator);
	spin_unlock(&drive->queue.lock);
	return err;
}

int cdrive_forget(struct cdrive *drive, u64 cookie, bool admin)
{
	int err = -EPERM;

	spin_lock(&drive->queue.lock);
	if (cdrive_may_remember(&drive->queue.helper, cookie, admin)) {
		cdrive_cached_forget(&drive->queue);
		err = 0;
	}
	spin_unlock(&drive->queue.lock);
	return err;
}

static void cdrive_set_orphaned(struct cdrive *drive)
{
	lockdep_assert_held(&drive->queue.lock);

	pr_warn("cdrive%u: helper %d is gone\n", drive->index,
		drive->queue.helper.pid);
	drive->queue.helper = (struct cdrive_helper){};
	cdrive_set_parked(drive, CDRIVE_PARK_HELPER);
}

void cdrive_disown(struct cdrive *drive, u64 cookie)
{
	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is(&drive->queue.helper, cookie))
		cdrive_set_orphaned(drive);
	spin_unlock(&drive->queue.lock);
}

void cdrive_disown_closed(struct cdrive *drive, u32 portid)
{
	spin_lock(&drive->queue.lock);
	if (cdrive_helper_is_closed(&drive->queue.helper, portid))
		cdrive_set_orphaned(drive);
	spin_unlock(&drive->queue.lock);
}
