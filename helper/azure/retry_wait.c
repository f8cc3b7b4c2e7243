// SPDX-License-Identifier: MIT
#include "azure/retry_wait.h"

#include "azure/client.h"

static void wake(void *arg)
{
	struct az_sync *s = arg;

	s->done = true;
}

bool retry_wait(struct retry *r, struct loop *loop, const struct az_error *err)
{
	struct az_sync s = { 0 };
	struct loop_timer timer;
	uint64_t now = loop_now(), delay, limit;

	if (!az_error_passes(err))
		return false;
	delay = retry_backoff(r, err->retry_after);
	limit = LOOP_SEC(az_error_in_progress(err) ? RETRY_IN_PROGRESS_S : RETRY_WAIT_S);
	if (now + delay > r->since + limit)
		return false;
	loop_timer_init(&timer, wake, &s);
	loop_timer_arm(loop, &timer, delay);
	if (!az_sync_wait(loop, &s))
		return true;
	loop_timer_cancel(loop, &timer);
	return false;
}
