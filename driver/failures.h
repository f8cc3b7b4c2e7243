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
	atomic64_t writes;	/* of these, those whose loss nobody may know of */
};

/*
 * Who writes past the page cache is told, and has it in hand to write it anew.  What the page
 * cache or a journal wrote may have been lost without a word.
 */
static inline bool cdrive_is_told(blk_opf_t opf)
{
	return (opf & (REQ_SYNC | REQ_IDLE | REQ_META)) == (REQ_SYNC | REQ_IDLE);
}

/* A request with these operation and flags ends with @status. */
static inline void cdrive_failures_count(struct cdrive_failures *f, blk_opf_t opf,
					 blk_status_t status)
{
	enum req_op op = opf & REQ_OP_MASK;

	if (status == BLK_STS_OK)
		return;
	atomic64_inc(&f->all);
	if ((op == REQ_OP_WRITE || op == REQ_OP_WRITE_ZEROES) && !cdrive_is_told(opf))
		atomic64_inc(&f->writes);
}

#endif /* _CDRIVE_FAILURES_H */
