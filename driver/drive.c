// SPDX-License-Identifier: GPL-2.0-only
#include "drive.h"

#include <linux/bitmap.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait_bit.h>

#include "compat.h"
#include "disk.h"
#include "lease.h"
#include "netlink.h"
#include "queue.h"
#include "trace.h"

unsigned int cdrive_park_limit = 300;

static int cdrive_park_limit_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 1, 86400);
}

static const struct kernel_param_ops cdrive_park_limit_ops = {
	.set = cdrive_park_limit_set,
	.get = param_get_uint,
};

module_param_cb(park_limit, &cdrive_park_limit_ops, &cdrive_park_limit, 0644);
MODULE_PARM_DESC(park_limit,
		 "seconds that requests of a drive without helper wait before they fail (1 to 86400, default 300)");

struct workqueue_struct *cdrive_wq;

static struct cdrive __rcu *cdrives[CDRIVE_MAX_DRIVES];
static DEFINE_MUTEX(cdrives_mutex);	/* who writes to the table */

/*
 * Indices, and so names, that are taken: by drives, and by disks that were
 * detached by force and are still open.  A file system keeps the name of its
 * disk in use until it is gone (ext4's journal, say), so the next drive must
 * not have the same.
 */
static DECLARE_BITMAP(cdrive_indices, CDRIVE_MAX_DRIVES);

void cdrive_index_free(unsigned int index)
{
	clear_bit(index, cdrive_indices);
	smp_mb__after_atomic();	/* who waits looks at it after it is listed */
	wake_up_var(cdrive_indices);
}

void cdrive_wait_for_disks(void)
{
	wait_var_event(cdrive_indices,
		       bitmap_empty(cdrive_indices, CDRIVE_MAX_DRIVES));
	/* Who freed the last may have been preempted in there, and holds no
	 * reference to the module.
	 */
	synchronize_rcu_tasks();
}

struct cdrive *cdrive_get(unsigned int index)
{
	struct cdrive *drive;

	if (index >= CDRIVE_MAX_DRIVES)
		return NULL;
	rcu_read_lock();
	drive = rcu_dereference(cdrives[index]);
	if (drive && !kref_get_unless_zero(&drive->ref))
		drive = NULL;
	rcu_read_unlock();
	return drive;
}

void cdrive_get_status(struct cdrive *drive, struct cdrive_status *status)
{
	spin_lock(&drive->lock);
	*status = (struct cdrive_status){
		.standing = drive->standing,
		.helper = drive->helper,
		.in_flight = drive->table.in_flight,
	};
	spin_unlock(&drive->lock);
}

static void cdrive_release(struct kref *ref)
{
	struct cdrive *drive = container_of(ref, struct cdrive, ref);

	cdrive_disk_free(drive);
	kfree_rcu(drive, rcu);
}

void cdrive_put(struct cdrive *drive)
{
	kref_put(&drive->ref, cdrive_release);
}

/*
 * Leaves for a state in which requests fail, and takes those that are there
 * onto @ended, for the caller to fail when it has dropped the lock.  False: it
 * was there, or further, already.
 */
static bool cdrive_set_dead(struct cdrive *drive, enum cdrive_state state,
			    struct list_head *ended)
{
	lockdep_assert_held(&drive->lock);

	if (!cdrive_standing_end(&drive->standing, state))
		return false;
	cancel_delayed_work(&drive->park_work);
	cdrive_table_take_all(&drive->table, ended);
	return true;
}

static bool cdrive_set_fenced(struct cdrive *drive, struct list_head *ended)
{
	unsigned int in_flight = drive->table.in_flight;

	if (!cdrive_set_dead(drive, CDRIVE_STATE_FENCED, ended))
		return false;
	trace_cdrive_fence(drive->index, in_flight);
	schedule_work(&drive->notify_work);
	return true;
}

/* One more reason to wait. */
static void cdrive_set_parked(struct cdrive *drive,
			      enum cdrive_park_reason reason)
{
	lockdep_assert_held(&drive->lock);

	if (!cdrive_standing_park(&drive->standing, reason))
		return;
	queue_delayed_work(cdrive_wq, &drive->park_work,
			   secs_to_jiffies(drive->park_limit));
	schedule_work(&drive->notify_work);
	trace_cdrive_park(drive->index, drive->table.in_flight);
}

/* These @reasons to wait are gone; the drive is live when they were all. */
static void cdrive_set_unparked(struct cdrive *drive, u32 reasons)
{
	lockdep_assert_held(&drive->lock);

	if (!cdrive_standing_unpark(&drive->standing, reasons))
		return;
	cancel_delayed_work(&drive->park_work);
	schedule_work(&drive->notify_work);
	cdrive_queue_forward(drive);
}

static void cdrive_lease_start_timer(struct cdrive *drive)
{
	hrtimer_start(&drive->lease_timer,
		      cdrive_lease_expiry(drive->standing.lease_until),
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
	lockdep_assert_held(&drive->lock);

	if (cdrive_standing_parked_by(&drive->standing, CDRIVE_PARK_LEASE))
		return;
	pr_warn("cdrive%u: the lease's deadline has passed, requests wait\n",
		drive->index);
	trace_cdrive_lease_expire(drive->index, drive->table.in_flight);
	cdrive_set_parked(drive, CDRIVE_PARK_LEASE);
}

static void cdrive_lease_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, lease_work);

	spin_lock(&drive->lock);
	/* A later deadline may have been told as this work began. */
	if (cdrive_standing_takes(&drive->standing)) {
		if (cdrive_standing_completes(&drive->standing,
					      cdrive_lease_now()))
			cdrive_lease_start_timer(drive);
		else
			cdrive_lease_expired(drive);
	}
	spin_unlock(&drive->lock);
}

/* A new deadline; requests that can end by it go onto @ended, for the caller. */
static void cdrive_lease_set(struct cdrive *drive, u64 until,
			     struct list_head *ended)
{
	u64 now = cdrive_lease_now();
	unsigned int n;

	lockdep_assert_held(&drive->lock);

	trace_cdrive_lease(drive->index, until,
			   cdrive_lease_left_ms(until, now));
	drive->standing.lease_until = until;
	if (cdrive_lease_is_over(until, now)) {
		cdrive_lease_expired(drive);
		return;
	}
	cdrive_lease_start_timer(drive);
	n = cdrive_queue_take_kept(drive, ended);
	if (n || cdrive_standing_parked_by(&drive->standing, CDRIVE_PARK_LEASE))
		pr_info("cdrive%u: the lease is held again, %u requests that were done past its deadline end\n",
			drive->index, n);
	cdrive_set_unparked(drive, BIT(CDRIVE_PARK_LEASE));
	/* What came past the old deadline waits even if it was live all along. */
	cdrive_queue_forward(drive);
}

static void cdrive_park_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(to_delayed_work(work),
					    struct cdrive, park_work);
	LIST_HEAD(ended);

	spin_lock(&drive->lock);
	/* It may have been resumed, and parked again, as this work began. */
	if (drive->standing.state == CDRIVE_STATE_PARKED &&
	    !delayed_work_pending(&drive->park_work)) {
		pr_err("cdrive%u: parked for %u s: gave up, all requests fail from now on\n",
		       drive->index, drive->park_limit);
		cdrive_set_fenced(drive, &ended);
	}
	spin_unlock(&drive->lock);
	cdrive_queue_fail(&ended);
}

static void cdrive_resend_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(to_delayed_work(work),
					    struct cdrive, resend_work);

	spin_lock(&drive->lock);
	cdrive_queue_forward(drive);
	spin_unlock(&drive->lock);
}

static void cdrive_notify_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, notify_work);
	enum cdrive_state state = READ_ONCE(drive->standing.state);

	cdrive_nl_notify_state(drive->index, state);
	cdrive_disk_uevent(drive, state);
}

static void cdrive_add_work(struct work_struct *work)
{
	struct cdrive *drive = container_of(work, struct cdrive, add_work);

	cdrive_nl_send_ready(drive, cdrive_disk_add(drive));
}

static struct cdrive *cdrive_alloc(void)
{
	struct cdrive *drive = kzalloc(sizeof(*drive), GFP_KERNEL);

	if (!drive)
		return NULL;
	kref_init(&drive->ref);
	spin_lock_init(&drive->lock);
	cdrive_standing_init(&drive->standing);
	cdrive_table_init(&drive->table);
	INIT_WORK(&drive->add_work, cdrive_add_work);
	INIT_WORK(&drive->notify_work, cdrive_notify_work);
	INIT_DELAYED_WORK(&drive->resend_work, cdrive_resend_work);
	INIT_DELAYED_WORK(&drive->park_work, cdrive_park_work);
	INIT_WORK(&drive->lease_work, cdrive_lease_work);
	hrtimer_setup(&drive->lease_timer, cdrive_lease_timer, CLOCK_BOOTTIME,
		      HRTIMER_MODE_ABS);
	return drive;
}

/*
 * Shows the drive to the world.  Who detaches it takes its lock first, and so
 * finds all that is started here.
 */
static void cdrive_publish(struct cdrive *drive, u64 lease_until)
{
	LIST_HEAD(ended);	/* stays empty: there are no requests yet */

	spin_lock(&drive->lock);
	rcu_assign_pointer(cdrives[drive->index], drive);
	schedule_work(&drive->add_work);
	if (lease_until != CDRIVE_LEASE_NONE)
		cdrive_lease_set(drive, lease_until, &ended);
	spin_unlock(&drive->lock);
}

struct cdrive *cdrive_attach(const struct cdrive_params *params,
			     const struct cdrive_helper *helper)
{
	struct cdrive *drive = cdrive_alloc();
	int err;

	if (!drive)
		return ERR_PTR(-ENOMEM);
	/* Held until the drive is detached, so that rmmod says "in use"; fails
	 * when rmmod has been faster, and waits for this command to end.
	 */
	if (!try_module_get(THIS_MODULE)) {
		kfree(drive);
		return ERR_PTR(-ENODEV);
	}
	strscpy(drive->name, params->name, sizeof(drive->name));
	drive->sectors = params->sectors;
	drive->read_only = params->read_only;
	drive->park_limit = params->park_limit;
	drive->helper = *helper;

	mutex_lock(&cdrives_mutex);
	drive->index = find_first_zero_bit(cdrive_indices, CDRIVE_MAX_DRIVES);
	err = -ENOSPC;
	if (drive->index == CDRIVE_MAX_DRIVES)
		goto out;
	err = cdrive_disk_alloc(drive);
	if (err)
		goto out;
	set_bit(drive->index, cdrive_indices);
	kref_get(&drive->ref);
	cdrive_publish(drive, params->lease_until);
	mutex_unlock(&cdrives_mutex);
	pr_info("cdrive%u: attached, %llu sectors%s, helper %d\n", drive->index,
		drive->sectors, drive->read_only ? ", read-only" : "",
		helper->pid);
	return drive;

out:
	mutex_unlock(&cdrives_mutex);
	cdrive_put(drive);
	module_put(THIS_MODULE);
	return ERR_PTR(err);
}

/* Says that the drive goes; only one caller is told 0. */
static int cdrive_set_gone(struct cdrive *drive)
{
	LIST_HEAD(ended);
	int err = 0;

	spin_lock(&drive->lock);
	if (cdrive_set_dead(drive, CDRIVE_STATE_GONE, &ended))
		drive->helper = (struct cdrive_helper){};
	else
		err = -ENODEV;
	spin_unlock(&drive->lock);
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

	if (!mutex_trylock(&drive->disk->open_mutex))
		return -EBUSY;
	/* Who opens it between here and del_gendisk() reads errors. */
	if (!disk_openers(drive->disk))
		err = cdrive_set_gone(drive);
	mutex_unlock(&drive->disk->open_mutex);
	return err;
}

int cdrive_detach(struct cdrive *drive, bool force)
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
	cancel_delayed_work_sync(&drive->resend_work);
	cancel_work_sync(&drive->notify_work);
	cdrive_disk_del(drive);

	mutex_lock(&cdrives_mutex);
	RCU_INIT_POINTER(cdrives[drive->index], NULL);
	mutex_unlock(&cdrives_mutex);
	cdrive_nl_notify_state(drive->index, CDRIVE_STATE_GONE);
	pr_info("cdrive%u: detached\n", drive->index);
	cdrive_put(drive);
	module_put(THIS_MODULE);
	return 0;
}

bool cdrive_is_helper(struct cdrive *drive, u64 cookie)
{
	lockdep_assert_held(&drive->lock);

	return cookie && drive->helper.cookie == cookie;
}

int cdrive_adopt(struct cdrive *drive, const struct cdrive_helper *helper,
		 const u64 *lease_until)
{
	LIST_HEAD(ended);
	int err;

	spin_lock(&drive->lock);
	err = cdrive_standing_error(&drive->standing);
	if (!err && drive->helper.cookie)
		err = -EBUSY;
	if (!err)
		err = cdrive_table_replay(&drive->table);
	if (!err) {
		pr_info("cdrive%u: adopted by helper %d, %u requests replayed\n",
			drive->index, helper->pid, drive->table.unsent_count);
		drive->helper = *helper;
		trace_cdrive_adopt(drive->index, drive->table.in_flight);
		if (lease_until)
			cdrive_lease_set(drive, *lease_until, &ended);
		cdrive_set_unparked(drive, BIT(CDRIVE_PARK_HELPER) |
					   BIT(CDRIVE_PARK_ASKED));
	}
	spin_unlock(&drive->lock);
	cdrive_queue_end(&ended);
	return err;
}

int cdrive_park(struct cdrive *drive, u64 cookie)
{
	int err = -EPERM;

	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie)) {
		cdrive_set_parked(drive, CDRIVE_PARK_ASKED);
		err = 0;
	}
	spin_unlock(&drive->lock);
	return err;
}

int cdrive_resume(struct cdrive *drive, u64 cookie)
{
	int err = -EPERM;

	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie)) {
		err = cdrive_standing_error(&drive->standing);
		cdrive_set_unparked(drive, BIT(CDRIVE_PARK_ASKED));
	}
	spin_unlock(&drive->lock);
	return err;
}

int cdrive_lease(struct cdrive *drive, u64 cookie, u64 until)
{
	LIST_HEAD(ended);
	int err = -EPERM;

	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie)) {
		err = cdrive_standing_error(&drive->standing);
		if (!err)
			cdrive_lease_set(drive, until, &ended);
	}
	spin_unlock(&drive->lock);
	cdrive_queue_end(&ended);
	return err;
}

int cdrive_fence(struct cdrive *drive, u64 cookie)
{
	LIST_HEAD(ended);
	int err = -EPERM;

	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie)) {
		if (cdrive_set_fenced(drive, &ended))
			pr_err("cdrive%u: fenced: the lease is lost, all requests fail from now on\n",
			       drive->index);
		err = 0;
	}
	spin_unlock(&drive->lock);
	cdrive_queue_fail(&ended);
	return err;
}

static void cdrive_set_orphaned(struct cdrive *drive)
{
	lockdep_assert_held(&drive->lock);

	pr_warn("cdrive%u: helper %d is gone\n", drive->index,
		drive->helper.pid);
	drive->helper = (struct cdrive_helper){};
	cdrive_set_parked(drive, CDRIVE_PARK_HELPER);
}

void cdrive_disown(struct cdrive *drive, u64 cookie)
{
	spin_lock(&drive->lock);
	if (cdrive_is_helper(drive, cookie))
		cdrive_set_orphaned(drive);
	spin_unlock(&drive->lock);
}

void cdrive_helper_gone(u32 portid)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_MAX_DRIVES; i++) {
		struct cdrive *drive = cdrive_get(i);

		if (!drive)
			continue;
		spin_lock(&drive->lock);
		if (drive->helper.cookie && drive->helper.portid == portid &&
		    cdrive_nl_is_closed(drive->helper.sk)) {
			cdrive_set_orphaned(drive);
		}
		spin_unlock(&drive->lock);
		cdrive_put(drive);
	}
}
