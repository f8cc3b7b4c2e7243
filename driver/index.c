// SPDX-License-Identifier: GPL-2.0-only
#include "index.h"

#include <linux/bitmap.h>
#include <linux/errno.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/wait_bit.h>
#include <linux/cdrive.h>

static DECLARE_BITMAP(cdrive_indices, CDRIVE_MAX_DRIVES);

int cdrive_index_take(void)
{
	unsigned int index = find_first_zero_bit(cdrive_indices,
						 CDRIVE_MAX_DRIVES);

	if (index == CDRIVE_MAX_DRIVES)
		return -ENOSPC;
	set_bit(index, cdrive_indices);
	return index;
}

void cdrive_index_free(unsigned int index)
{
	clear_bit(index, cdrive_indices);
	smp_mb__after_atomic();	/* who waits looks at it after it is listed */
	wake_up_var(cdrive_indices);
}

void cdrive_index_wait_for_all(void)
{
	wait_var_event(cdrive_indices,
		       bitmap_empty(cdrive_indices, CDRIVE_MAX_DRIVES));
	/* Who freed the last may have been preempted in there, and holds no
	 * reference to the module.
	 */
	synchronize_rcu_tasks();
}
