/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * failures.h - how many requests of a drive have failed, whatever for
 *
 * By what the helper said, by fencing, detaching and the park limit, or on arrival at a
 * drive whose requests fail.  Counted before the block layer is told: who has seen
 * an error sees it counted.  The kernel's own record of an error is gone once anybody
 * has asked for it; this one lasts as long as the drive does.
 */
#ifndef _CDRIVE_FAILURES_H
#define _CDRIVE_FAILURES_H

#include <linux/atomic.h>
#include <linux/blk_types.h>
#include <linux/cdrive.h>

struct cdrive_failures {
	atomic64_t all;
	atomic64_t writes;	/* of these, those that had something to keep */
};

/* A request of that kind (enum cdrive_op) ends with @status. */
static inline void cdrive_failures_count(struct cdrive_failures *f, u32 op,
					 blk_status_t status)
{
	if (status == BLK_STS_OK)
		return;
	atomic64_inc(&f->all);
	if (op == CDRIVE_OP_WRITE || op == CDRIVE_OP_WRITE_ZEROES)
		atomic64_inc(&f->writes);
}

#endif /* _CDRIVE_FAILURES_H */
