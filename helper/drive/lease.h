/* SPDX-License-Identifier: MIT */
/*
 * lease.h - the right to write: the lease, and the sequence number
 *
 * It holds the blob's lease (60 s, renewed every 20 s) and the number
 * that every write names (Documentation/design.rst, "The lease and its deadline").
 * It is in one of
 *
 *	held	 writes may be sent, with lease_sequence()
 *	raising	 an answer was lost: nothing is sent until the number is raised
 *	doubtful the lease may be lost: nothing but a raise is sent until that
 *		 is known
 *	lost	 somebody else has, or may have, written: for good
 *	unneeded it is a snapshot, which nobody writes to: there is no lease, no
 *		 number and no deadline, and reads may be sent at any time
 *
 * Why renewing tells more than acquiring: a lease that ran out can be renewed
 * only as long as nobody else took one ("Lease Blob", renew), so a renewal
 * that succeeds proves that the blob is as we left it.  Where it fails because
 * the service forgot the lease (LeaseNotPresentWithLeaseOperation), one is
 * acquired anew, and the sequence number must be ours, with no raise of our own
 * in doubt; with one, nothing is even acquired, as a helper that follows would find
 * the lease its own, and could not tell.  (So a helper that resumes compares the
 * number even when it could renew.)  A lease that was broken is not taken again:
 * somebody wanted it.
 *
 * The lease is certainly ours until 60 s after the last renewal that succeeded was
 * sent, less a margin for clocks that run at different speeds.  A machine that was
 * suspended must find it run out, so that time is boot_clock()'s.
 */
#ifndef DRIVE_LEASE_H
#define DRIVE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "drive/clock.h"
#include "lib/retry.h"
#include "lib/loop.h"

#define LEASE_S 60
#define LEASE_RENEW_S 20
#define LEASE_MARGIN_MS 500
#define LEASE_CERTAIN_NS (LOOP_SEC(LEASE_S) - LOOP_MS(LEASE_MARGIN_MS))

enum lease_state { LEASE_HELD, LEASE_RAISING, LEASE_DOUBTFUL, LEASE_LOST, LEASE_UNNEEDED };

struct lease_ops {
	/* Writes may be sent (again), with a new number perhaps. */
	void (*held)(void *arg);
	/* until is now @until. */
	void (*deadline)(void *arg, uint64_t until);
	/* The right is lost for good; @why is a sentence for people. */
	void (*lost)(void *arg, const char *why);
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

	enum lease_state state;
	bool silent; /* nothing is to be sent: there is no credential */
	uint64_t number; /* confirmed */
	uint64_t raising_to; /* 0: no raise in doubt */
	uint64_t until; /* certainly ours until then, by boot_clock() */
	uint64_t sent_at; /* of the renewal under way, likewise */

	struct az_call *call, *raise_call;
	struct loop_timer timer, raise_timer;
	struct retry retry, raise_retry;
	bool reacquiring; /* the lease was forgotten: acquire, and compare the number */
	bool comparing; /* the number is in doubt, too */
	uint64_t asked_number; /* ours when the number was asked for */
};

void lease_init(struct lease *l, struct loop *loop, struct az_client *client, struct az_blob *blob,
		const struct lease_ops *ops, void *arg);

/*
 * Takes the lease (a fresh id) and raises the number to old + 1; runs the loop until
 * that is settled.  @props are the blob's, read while the lease is held.  0, or -1
 * with @err.  @force: a lease that another client holds is broken, once: whoever
 * acquires faster after that has it.
 */
int lease_acquire(struct lease *l, bool force, struct az_props *props, struct az_error *err);

/*
 * For a drive that is adopted: resumes the lease of blob->lease_id, and goes on from
 * @number, with @raising_to in doubt.  Returns as lease_acquire() does; when it is
 * certain that the blob was, or may have been, another's since, @why is a sentence
 * for people, else it is "": a later try may succeed.
 */
int lease_resume(struct lease *l, uint64_t number, uint64_t raising_to, struct az_props *props,
		 struct az_error *err, char *why, size_t len);

/* It is a snapshot: in place of both. */
void lease_not_needed(struct lease *l);

/* While there is no credential nothing is sent; afterwards everything that waited,
 * a renewal first. */
void lease_silence(struct lease *l, bool silent);

/* Starts renewing: when the last renewal is 20 s old, or at once. */
void lease_start(struct lease *l);

/* Renews now: it may have become possible, or necessary. */
void lease_hurry(struct lease *l);

/* Gives the lease back; runs the loop for @timeout_s at most.  False with @err
 * when it was ours and could not be: it runs out by itself. */
bool lease_release(struct lease *l, unsigned int timeout_s, struct az_error *err);

/* Stops all calls and timers; one that is lost does nothing any more. */
void lease_stop(struct lease *l);

static inline uint64_t lease_sequence(const struct lease *l)
{
	return l->number;
}

/* Whether the blob is certainly ours to read and write at this moment, or nobody's to
 * write. */
static inline bool lease_certain(const struct lease *l)
{
	if (l->state == LEASE_UNNEEDED)
		return true;
	return (l->state == LEASE_HELD || l->state == LEASE_RAISING) && boot_clock() < l->until;
}

/* Whether reads and writes may be sent. */
static inline bool lease_may_send(const struct lease *l)
{
	return (l->state == LEASE_HELD || l->state == LEASE_UNNEEDED) && !l->silent &&
	       lease_certain(l);
}

/*
 * A write that was sent with @number may have been executed or not, or may yet
 * be: raises the number, unless it has been raised since.  held() tells when
 * the write can be sent again.
 */
void lease_doubt_write(struct lease *l, uint64_t number);

/* The service said that the lease, or the number too, is not ours: find out. */
void lease_doubt_lease(struct lease *l);
void lease_doubt_number(struct lease *l);

#endif
