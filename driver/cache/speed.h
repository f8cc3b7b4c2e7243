/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * speed.h - whether the cache's file is worth being read
 *
 * An average of how long its reads take, and whether one has been under way for long
 * with nothing coming back, as an average knows nothing of what hasn't ended.  It is
 * slow when it takes much longer than the service does: a file that is somewhat slower
 * still saves transactions.  Functions of their arguments alone; times are
 * nanoseconds.
 */
#ifndef _CDRIVE_CACHE_SPEED_H
#define _CDRIVE_CACHE_SPEED_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/time64.h>
#include <linux/types.h>

struct cdrive_speed {
	atomic_t reads;		/* under way */
	u64 moved;		/* when one has ended, or the first of them begun */
	u64 latency;		/* the average */
};

/* The average with one more: 0 is none yet. */
static inline u64 cdrive_average(u64 average, u64 one)
{
	return average ? average - average / 8 + one / 8 : one;
}

static inline void cdrive_speed_begin(struct cdrive_speed *s, u64 now)
{
	if (atomic_inc_return(&s->reads) == 1)
		WRITE_ONCE(s->moved, now);
}

/* Faster counts more, so that what was slow is believed soon to be no more. */
static inline void cdrive_speed_sample(struct cdrive_speed *s, u64 took)
{
	u64 latency = READ_ONCE(s->latency);

	latency = took < latency ? latency / 2 + took / 2 :
				   cdrive_average(latency, took);
	WRITE_ONCE(s->latency, latency);
}

static inline void cdrive_speed_end(struct cdrive_speed *s, u64 began, u64 now)
{
	WRITE_ONCE(s->moved, now);
	atomic_dec(&s->reads);
	cdrive_speed_sample(s, now - began);
}

/* @service: what the service takes for a read; 0: not known yet. */
static inline bool cdrive_speed_is_slow(const struct cdrive_speed *s, u64 service,
					u64 now)
{
	u64 limit = 4 * service + 100 * NSEC_PER_MSEC;

	if (READ_ONCE(s->latency) > limit)
		return true;
	return atomic_read(&s->reads) &&
	       (s64)(now - READ_ONCE(s->moved)) > (s64)limit;
}

#endif /* _CDRIVE_CACHE_SPEED_H */
