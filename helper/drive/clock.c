// SPDX-License-Identifier: MIT
#include "drive/clock.h"

#include <time.h>

uint64_t boot_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

int64_t wall_clock(void)
{
	return time(NULL);
}
