/* SPDX-License-Identifier: MIT */
/*
 * clock.h - the clocks beside the loop's
 *
 * The loop's timers are CLOCK_MONOTONIC, which stands still while the machine is
 * suspended; a lease does not, nor does a SAS.
 */
#ifndef DRIVE_CLOCK_H
#define DRIVE_CLOCK_H

#include <stdint.h>

/* CLOCK_BOOTTIME, ns: of leases, and of the driver's deadlines. */
uint64_t boot_clock(void);

/* CLOCK_REALTIME, seconds since the epoch: of what others date.  It may jump. */
int64_t wall_clock(void);

#endif
