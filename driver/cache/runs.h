/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * runs.h - long runs of reads, which are not worth a place in the cache
 *
 * A read that begins where another ended continues its run.  The caller has the
 * volume's lock.
 */
#ifndef _CDRIVE_CACHE_RUNS_H
#define _CDRIVE_CACHE_RUNS_H

#include <linux/types.h>

#define CDRIVE_RUNS		8	/* at once; the one that rested longest is forgotten */
#define CDRIVE_LONG_RUN		((4 << 20) / 512)	/* sectors, and more */

struct cdrive_run {
	u64 end;	/* sector */
	u64 sectors;	/* 0: none */
	u64 last;	/* when it was continued last, in reads */
};

struct cdrive_runs {
	u64 reads;
	struct cdrive_run run[CDRIVE_RUNS];
};

/* A read arrives.  True: it continues a run that was a long one already. */
bool cdrive_runs_read(struct cdrive_runs *runs, u64 sector, u32 sectors);

#endif /* _CDRIVE_CACHE_RUNS_H */
