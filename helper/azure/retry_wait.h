/* SPDX-License-Identifier: MIT */
/*
 * retry_wait.h - waits for a busy service, for callers with nothing else to do
 *
 * They make one call after the other and wait for each.  A call is made again when the
 * service says that it is busy (503, 429), or fails in another way that passes
 * (az_error_passes()), for RETRY_WAIT_S counted from the first time, at the intervals of
 * lib/retry.h; for RETRY_IN_PROGRESS_S if it is in the middle of something, like deleting
 * the container (az_error_in_progress()).  Every other error is for the caller.
 */
#ifndef AZURE_RETRY_WAIT_H
#define AZURE_RETRY_WAIT_H

#include <stdbool.h>

#include "azure/error.h"
#include "lib/loop.h"
#include "lib/retry.h"

#define RETRY_WAIT_S 10u
#define RETRY_IN_PROGRESS_S 60u /* "at least 30 seconds" (Delete Container) */

/*
 * True when @err is of that kind and the time to ask again has come, for which the
 * loop was run.  @r begins as zeroes.
 */
bool retry_wait(struct retry *r, struct loop *loop, const struct az_error *err);

#endif
