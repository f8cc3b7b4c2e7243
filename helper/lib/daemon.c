// SPDX-License-Identifier: MIT
#include "lib/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "lib/log.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

void daemon_harden(char *argv0, int lock)
{
	FILE *f;

	if (prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0))
		log_error("PR_SET_IO_FLUSHER: %s", strerror(errno));
	if (mlockall(MCL_CURRENT | MCL_FUTURE | lock))
		log_error("mlockall: %s", strerror(errno));
	f = fopen("/proc/self/oom_score_adj", "we");
	if (!f || fputs("-1000", f) < 0 || fclose(f))
		log_error("oom_score_adj: %s", strerror(errno));
	argv0[0] = '@';
}
