// SPDX-License-Identifier: GPL-2.0-only
#include "drives.h"

#include <linux/module.h>
#include <linux/rcupdate.h>

#include "cache/cache.h"
#include "drive.h"
#include "index.h"
#include "message.h"

static struct cdrive __rcu *cdrives[CDRIVE_MAX_DRIVES];
static DEFINE_MUTEX(cdrives_mutex);	/* who writes to the table */

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

/*
 * Shows the drive to the world.  Who detaches it takes its lock first, and so
 * finds all that is started here.
 */
static void cdrive_publish(struct cdrive *drive, u64 lease_until)
{
	spin_lock(&drive->queue.lock);
	rcu_assign_pointer(cdrives[drive->index], drive);
	cdrive_start(drive, lease_until);
	spin_unlock(&drive->queue.lock);
}

/* With the table's reference and another. */
static struct cdrive *cdrive_make(const struct cdrive_params *params,
				  const struct cdrive_helper *helper)
{
	int index = cdrive_index_take();
	struct cdrive *drive;
	int err;

	if (index < 0)
		return ERR_PTR(index);
	drive = cdrive_new(index, params, helper);
	if (IS_ERR(drive)) {
		cdrive_index_free(index);
		return drive;
	}
	err = cdrive_cache_attach(drive, params->validator);
	if (err) {
		cdrive_put(drive);
		return ERR_PTR(err);
	}
	kref_get(&drive->ref);
	cdrive_publish(drive, params->lease_until);
	return drive;
}

void cdrive_for_each(void (*what)(struct cdrive *drive))
{
	unsigned int i;

	mutex_lock(&cdrives_mutex);
	for (i = 0; i < CDRIVE_MAX_DRIVES; i++) {
		struct cdrive *drive = cdrive_get(i);

		if (!drive)
			continue;
		what(drive);
		cdrive_put(drive);
	}
	mutex_unlock(&cdrives_mutex);
}

struct cdrive *cdrive_attach(const struct cdrive_params *params,
			     const struct cdrive_helper *helper)
{
	struct cdrive *drive;

	/* Held until the drive is detached, so that rmmod says "in use"; fails
	 * when rmmod has been faster, and waits for this command to end.
	 */
	if (!try_module_get(THIS_MODULE))
		return ERR_PTR(-ENODEV);
	mutex_lock(&cdrives_mutex);
	drive = cdrive_make(params, helper);
	mutex_unlock(&cdrives_mutex);
	if (IS_ERR(drive)) {
		module_put(THIS_MODULE);
		return drive;
	}
	pr_info("cdrive%u: attached, %llu sectors%s, helper %d\n", drive->index,
		drive->disk.sectors, drive->disk.read_only ? ", read-only" : "",
		helper->pid);
	return drive;
}

int cdrive_detach(struct cdrive *drive, bool force)
{
	int err = cdrive_stop(drive, force);

	if (err)
		return err;
	mutex_lock(&cdrives_mutex);
	RCU_INIT_POINTER(cdrives[drive->index], NULL);
	mutex_unlock(&cdrives_mutex);
	cdrive_nl_notify_state(drive->index, CDRIVE_STATE_GONE);
	pr_info("cdrive%u: detached\n", drive->index);
	cdrive_put(drive);
	module_put(THIS_MODULE);
	return 0;
}

void cdrive_helper_gone(u32 portid)
{
	unsigned int i;

	for (i = 0; i < CDRIVE_MAX_DRIVES; i++) {
		struct cdrive *drive = cdrive_get(i);

		if (!drive)
			continue;
		cdrive_disown_closed(drive, portid);
		cdrive_put(drive);
	}
}
