/* SPDX-License-Identifier: MIT */
/*
 * acknowledged.h - the last change of the blob that the service acknowledged
 *
 * A blob that is older than that has lost what was acknowledged: it was rolled back, by a
 * failover to another region or by a restore.  Last-Modified tells, and where it is
 * certain what the blob's ETag is, that, too.
 *
 * The last change counts, not the newest date: a service whose clock was set back gives a
 * newer change an older date.  Of changes that were in flight together any may have been
 * the last, and clocks of servers differ a little: so a date has to be ACKNOWLEDGED_SLACK_S
 * older.  With an ETag that is not the last one it only has to be older: none of our own
 * requests that lands late can make it that.
 */
#ifndef DRIVE_ACKNOWLEDGED_H
#define DRIVE_ACKNOWLEDGED_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"

/* The servers of one account keep time to well below a second, and changes that are in
 * flight together end within seconds.  A failover loses minutes. */
#define ACKNOWLEDGED_SLACK_S 5

struct acknowledged {
	int64_t modified; /* Last-Modified of the last, seconds since the epoch; 0: none yet */
	char etag[64]; /* the blob's since then; "": it can't be known */
	unsigned int in_flight; /* changes */
	bool alone; /* what is in flight was alone since it was sent */
};

/* A change was sent. */
void acknowledged_sent(struct acknowledged *a);

/*
 * It ended with @res; NULL: it was cancelled.  @doubt: another change may land yet, or this
 * one land twice.  True when ->modified is another.
 */
bool acknowledged_answered(struct acknowledged *a, const struct az_result *res, bool doubt);

/*
 * Whether the blob was, as @p says, older than @asked: what had been acknowledged when its
 * properties were asked for.  @now: what has been acknowledged since.
 */
bool acknowledged_before(const struct acknowledged *asked, const struct acknowledged *now,
			 const struct az_props *p);

#endif
