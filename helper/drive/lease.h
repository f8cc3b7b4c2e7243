/* SPDX-License-Identifier: MIT */
/*
 * lease.h - the blob's lease and its deadline
 *
 * Who holds the lease may read and write the blob.  The lease is for 60 s and is
 * renewed every 20 s.  It is certainly ours until 60 s after the last renewal that
 * succeeded was sent, less a margin for clocks that run at different speeds.  That is
 * the deadline.  It is a time of boot_clock(), as a machine that was suspended must
 * find it passed.  Writes also name the sequence number, whose module belongs to this
 * one.  acquire.h takes the lease and gives it back; this keeps it.  The reasons:
 * Documentation/design.rst, "The lease and its deadline".
 *
 * A lease is in one of these states:
 *
 *	held		it is ours; calls are sent until the deadline, unless the
 *			number is being raised
 *	doubted		a call was refused for the lease; a renewal will tell
 *	doubted number	a call was refused for the number; after a renewal it is read
 *	comparing	the lease was renewed, and the number is being read
 *	forgotten	the service knows of no lease; it is acquired again
 *	reacquired	it was acquired again, and the number is being read
 *	lost		another has written, or may have: for good
 *	unneeded	a snapshot, which nobody writes to: no lease, no number and no
 *			deadline; reads are sent at any time
 *
 * and this happens to it:
 *
 *	due		it is time to renew the lease, or to try again
 *	doubt		a call was refused for the lease
 *	doubt number	a call was refused for the number
 *	raise		the number is to be raised
 *	granted		it was renewed or acquired
 *	no lease	it can't be renewed: the service knows of none
 *	ours		the number that was read is this drive's
 *	raised		the number was raised
 *	failed		a call failed; the next may succeed
 *	taken		another client took or broke the lease
 *	foreign		another machine has raised the number
 *	rolled back	the blob is older than what the service had acknowledged
 *	unknowable	the lease had run out, and the number can't tell what happened
 *	deleted		there is no blob
 *
 * What follows from what is one table, in lease.c.  In the states between held and
 * lost nothing but a raise of the number is sent.
 */
#ifndef DRIVE_LEASE_H
#define DRIVE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "drive/clock.h"
#include "drive/sequence.h"
#include "lib/loop.h"
#include "lib/retry.h"

#define LEASE_S 60
#define LEASE_RENEW_S 20
#define LEASE_MARGIN_MS 500
#define LEASE_CERTAIN_NS (LOOP_SEC(LEASE_S) - LOOP_MS(LEASE_MARGIN_MS))

enum lease_state {
	LEASE_HELD,
	LEASE_DOUBTED,
	LEASE_DOUBTED_NUMBER,
	LEASE_COMPARING,
	LEASE_FORGOTTEN,
	LEASE_REACQUIRED,
	LEASE_LOST,
	LEASE_UNNEEDED,
};

struct lease_ops {
	/* Writes may be sent (again), with a new number perhaps. */
	void (*held)(void *arg);
	/* The deadline is now @until. */
	void (*deadline)(void *arg, uint64_t until);
	/* The lease is lost for good; @why is a sentence for people. */
	void (*lost)(void *arg, const char *why);
	/* Nobody has had the lease for a while; it is about to be acquired again. */
	void (*forgotten)(void *arg);
	/* The number changes: @raising_to (0: none) may be in effect or not. */
	void (*record)(void *arg, uint64_t number, uint64_t raising_to);
	/* A call failed and is tried again; r->stuck may just have been set,
	 * or, with @err NULL, is about to be cleared. */
	void (*trouble)(void *arg, struct retry *r, const char *what, const struct az_error *err);
};

struct lease {
	struct loop *loop;
	struct az_client *client;
	struct az_blob *blob; /* its lease_id is this one */
	const struct lease_ops *ops;
	void *arg;
	struct sequence sequence;

	enum lease_state state;
	bool paused; /* nothing is sent: there is no credential */
	uint64_t until; /* the deadline, by boot_clock() */
	uint64_t sent_at; /* of the last renewal or acquisition, likewise */
	/* Of lease_acquire(): the ETag that the blob had when it was left, or NULL; and
	 * whether it has it still, so that nobody has written to it. */
	const char *etag;
	bool unchanged;
	bool interrupted; /* it was forgotten once, and acquired again */
	uint64_t asked_number; /* ours when the number was asked for */
	struct acknowledged asked; /* when the last call was sent */
	char why[384]; /* it was rolled back */
	struct az_call *call; /* one at a time */
	struct loop_timer timer; /* until the next one is due */
	struct retry retry;
};

void lease_init(struct lease *l, struct loop *loop, struct az_client *client, struct az_blob *blob,
		const struct lease_ops *ops, void *arg);

/* The drive is a snapshot.  Before anything else is called. */
void lease_not_needed(struct lease *l);

/* Starts renewing what lease_acquire() or lease_resume() took (acquire.h): when the last
 * renewal is 20 s old, or at once. */
void lease_start(struct lease *l);

/* Renews now: it may have become possible, or necessary. */
void lease_hurry(struct lease *l);

/* While paused, for want of a credential, nothing is sent.  Afterwards everything that
 * waited is, a renewal first. */
void lease_pause(struct lease *l, bool paused);

/* It was renewed or acquired, as asked for at @sent_at: tells the new deadline. */
void lease_extend(struct lease *l);

/* Stops all calls and timers. */
void lease_stop(struct lease *l);

/* It is lost for a reason that others know: stops, and does nothing any more. */
void lease_drop(struct lease *l);

/* Whether the blob is certainly ours to read and write at this moment, or nobody's to
 * write. */
static inline bool lease_certain(const struct lease *l)
{
	if (l->state == LEASE_UNNEEDED)
		return true;
	return l->state == LEASE_HELD && boot_clock() < l->until;
}

/* Whether reads may be sent: also while the number is raised. */
static inline bool lease_may_read(const struct lease *l)
{
	return lease_certain(l) && !l->paused;
}

/* Whether reads and writes may be sent. */
static inline bool lease_may_send(const struct lease *l)
{
	return lease_certain(l) && !l->paused && sequence_settled(&l->sequence);
}

/* Raises the number; ops->held() tells when that is done.  Only a lease that is held does
 * it: in the other states nothing happens, and ops->held() is the time to ask again. */
void lease_raise(struct lease *l);

/* A write was sent; and ended with @res (NULL: it was cancelled), while others were in
 * @doubt.  Tells ops->record() when the blob has another date by that. */
void lease_write_sent(struct lease *l);
void lease_write_answered(struct lease *l, const struct az_result *res, bool doubt);

/*
 * Whether the blob, as @p says, is in an earlier state than it was: older than what was
 * acknowledged before its properties were asked for (l->asked), or with a smaller number
 * than @number.  Then @why says so.
 */
bool lease_rolled_back(const struct lease *l, const struct az_props *p, uint64_t number, char *why,
		       size_t len);

/* The service said that the lease, or the number too, is not ours: finds out. */
void lease_doubt(struct lease *l);
void lease_doubt_number(struct lease *l);

/* Why it is lost, in a sentence for people. */
extern const char lease_taken[], lease_foreign[], lease_unknowable[], lease_deleted[];

#endif
