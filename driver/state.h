/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * state.h - the states of a drive, and what leads from one to another
 *
 *	live	-> parked	the first reason to wait has come
 *	parked	-> live		the last reason to wait has gone
 *	parked	-> failing	parked past the limit
 *	failing	-> live		the limit's passing was dealt with, and nothing else
 *				is left to wait for
 *	failing	-> parked	the same, but something is
 *	live, parked, failing -> fenced	lease lost
 *	any	-> gone		detached
 *
 * There is no other way, and none back from the last two.  Reasons to wait
 * (enum cdrive_park_reason) come and go one by one, and tell the first three states
 * apart: there is none, there are some, LIMIT is among them.
 *
 *	reason	comes when			goes when
 *	HELPER	its socket closes		adopted
 *	ASKED	PARK				RESUME, adopted, the next
 *	CREDENTIAL	PARK for a credential	RESUME, adopted, PARK for none
 *	LEASE	the deadline has passed		a later one is told that has not
 *	LIMIT	parked past the limit		RESUME with CDRIVE_F_LIMIT, adopted
 *
 * The reason LEASE only shows what holds without it: whether requests may be
 * forwarded and completed is decided by the clock, whatever the state says, as
 * what sets the reason may be as late as it likes (on a machine that was
 * suspended, say).
 *
 * Functions of their arguments alone: the caller has the drive's lock and the
 * time, and does what a transition takes when it is told that there was one.
 */
#ifndef _CDRIVE_STATE_H
#define _CDRIVE_STATE_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/cdrive.h>

#include "lease.h"

struct cdrive_standing {
	enum cdrive_state state;
	u32 park_reasons;	/* not 0 iff parked or failing */
	u64 lease_until;	/* see lease.h */
	unsigned int park_limit;	/* seconds it may be parked; 0: no limit */
};

/* Live, without deadline. */
void cdrive_standing_init(struct cdrive_standing *s, unsigned int park_limit);

/* One more reason to wait; true: it was the first. */
bool cdrive_standing_park(struct cdrive_standing *s,
			  enum cdrive_park_reason reason);

/* These @reasons to wait are gone (bits); true: the state is another by that. */
bool cdrive_standing_unpark(struct cdrive_standing *s, u32 reasons);

/*
 * The park limit counts: it is parked, and not for want of a credential, for which
 * people are needed.  Without one nobody can tell how the service is, nor renew the
 * lease; so the other reasons don't matter.
 */
static inline bool cdrive_standing_limited(const struct cdrive_standing *s)
{
	return s->state == CDRIVE_STATE_PARKED &&
	       !(s->park_reasons & BIT(CDRIVE_PARK_CREDENTIAL));
}

/* It was parked for too long; true: it fails from now on. */
bool cdrive_standing_expire(struct cdrive_standing *s);

/* On to @state, fenced or gone; true: it was not there, or further, already. */
bool cdrive_standing_end(struct cdrive_standing *s, enum cdrive_state state);

/* Requests are taken, and wait if need be; else they fail at once. */
static inline bool cdrive_standing_takes(const struct cdrive_standing *s)
{
	return s->state <= CDRIVE_STATE_PARKED;
}

/* 0 as long as it can be live again, else what tells why not: -ENOLINK, -ENODEV. */
int cdrive_standing_error(const struct cdrive_standing *s);

/* Requests may complete. */
static inline bool cdrive_standing_completes(const struct cdrive_standing *s,
					     u64 now)
{
	return !cdrive_lease_is_over(s->lease_until, now);
}

/* Requests may be sent to the helper. */
static inline bool cdrive_standing_forwards(const struct cdrive_standing *s,
					    u64 now)
{
	return s->state == CDRIVE_STATE_LIVE && cdrive_standing_completes(s, now);
}

static inline bool cdrive_standing_parked_by(const struct cdrive_standing *s,
					     enum cdrive_park_reason reason)
{
	return s->park_reasons & BIT(reason);
}

const char *cdrive_state_name(enum cdrive_state state);

#endif /* _CDRIVE_STATE_H */
