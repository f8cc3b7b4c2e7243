// SPDX-License-Identifier: GPL-2.0-only
#include "runs.h"

bool cdrive_runs_read(struct cdrive_runs *runs, u64 sector, u32 sectors)
{
	struct cdrive_run *run, *oldest = runs->run;
	bool is_long;

	runs->reads++;
	for (run = runs->run; run < runs->run + CDRIVE_RUNS; run++) {
		if (run->sectors && run->end == sector)
			break;
		if (run->last < oldest->last)
			oldest = run;
	}
	if (run == runs->run + CDRIVE_RUNS) {
		run = oldest;
		run->sectors = 0;
	}
	is_long = run->sectors > CDRIVE_LONG_RUN;
	run->end = sector + sectors;
	run->sectors += sectors;
	run->last = runs->reads;
	return is_long;
}
