/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lease.h - the arithmetic of the lease's deadline
 *
 * A deadline is a time of CLOCK_BOOTTIME in nanoseconds, S64_MAX at most, or
 * CDRIVE_LEASE_NONE.  At that very moment the lease is over.  Functions of their
 * arguments alone; for the present time pass cdrive_lease_now().
 */
#ifndef _CDRIVE_LEASE_H
#define _CDRIVE_LEASE_H

#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/timekeeping.h>
#include <linux/types.h>

/* Nobody has told a deadline: later than all that can be told. */
#define CDRIVE_LEASE_NONE	U64_MAX

/* Goes on while the machine is suspended, as the service's clock does. */
static inline u64 cdrive_lease_now(void)
{
	return ktime_get_boottime_ns();
}

static inline bool cdrive_lease_is_over(u64 until, u64 now)
{
	return now >= until;
}

/* When a timer has to go off; not for CDRIVE_LEASE_NONE. */
static inline ktime_t cdrive_lease_expiry(u64 until)
{
	return ns_to_ktime(until);
}

/*
 * Milliseconds until the deadline, less than 0 when it has passed, rounded
 * towards 0; not for CDRIVE_LEASE_NONE.
 */
static inline s64 cdrive_lease_left_ms(u64 until, u64 now)
{
	return div_s64((s64)(until - now), NSEC_PER_MSEC);
}

#endif /* _CDRIVE_LEASE_H */
