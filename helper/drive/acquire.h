/* SPDX-License-Identifier: MIT */
/*
 * acquire.h - taking the lease, resuming it, and giving it back
 *
 * These run the loop until they are done, while nothing else goes on: before a drive is
 * served, and after.  In between lease.h keeps the lease.
 *
 * Why resuming renews first: a lease that ran out can be renewed only as long as nobody
 * else took one ("Lease Blob", renew), so a renewal that succeeds proves that the blob is
 * as we left it.  Where the service forgot the lease, one is acquired, and the number
 * must be ours, with no raise of our own in doubt.  With one, nothing is even acquired:
 * a helper that follows would find the lease its own, and could not tell.  For the same
 * reason the number is compared even when the lease could be renewed.  A lease that was
 * broken is not taken again: somebody wanted it.
 */
#ifndef DRIVE_ACQUIRE_H
#define DRIVE_ACQUIRE_H

#include "drive/lease.h"

/*
 * Takes the lease (a fresh id) and raises the number to old + 1.  @props are the blob's,
 * read while the lease is held.  0, or -1 with @err.  @force: a lease that another client
 * holds is broken, once: whoever acquires faster after that has it.
 *
 * With l->etag the raise is carried out only if the blob has that ETag (If-Match), which
 * proves in one step that nothing was written since it had it: l->unchanged.  Else it
 * is raised without that.
 */
int lease_acquire(struct lease *l, bool force, struct az_props *props, struct az_error *err);

/*
 * For a drive that is adopted: resumes the lease of blob->lease_id, and goes on from
 * @number, with @raising_to in doubt, and from sequence.acknowledged.modified.  Returns as lease_acquire() does; when it is
 * certain that the blob was, or may have been, another's since, @why is a sentence
 * for people, else it is "": a later try may succeed.
 */
int lease_resume(struct lease *l, uint64_t number, uint64_t raising_to, struct az_props *props,
		 struct az_error *err, char *why, size_t len);

/* Gives the lease back, for @timeout_s at most.  False with @err when it was ours and
 * could not be: it runs out by itself. */
bool lease_release(struct lease *l, unsigned int timeout_s, struct az_error *err);

#endif
