// SPDX-License-Identifier: MIT
/*
 * twin.c - asking a second time before the first answer
 *
 * Who has a deadline (a lease) can't wait until a server that has taken a request and is
 * silent is given up; and can't give it up early, as its answer may be slow and on its
 * way.  So the same is asked for again, on a connection of its own, while the first
 * request goes on; whatever answers first, answers for both.  Only what is the same when
 * it is done twice, or in another order, has a twin.
 *
 * The caller knows of the first call alone, which stays until something is to be told:
 * where it failed before its twin, it waits.
 */
#include "azure/call.h"

static struct az_call *twin_new(struct az_call *call)
{
	struct az_call *twin = az_call_new(call->client, call->op, &call->blob, NULL, NULL);

	if (!twin)
		return NULL;
	twin->seq = call->seq;
	twin->lease = call->lease;
	twin->seconds = call->seconds;
	twin->no_lease = call->no_lease;
	twin->twin_of = call;
	call->twin = twin;
	call->asked_at = loop_now();
	return twin;
}

static bool is_due(const struct az_call *call)
{
	return call->state == CALL_RUNNING && !call->cancelled && call->sent &&
	       call->op->repeatable && !call->twin && !call->twin_of &&
	       loop_now() - call->asked_at >= LOOP_MS(call->client->opt.repeat_after_ms);
}

void az_twins_start(struct az_client *c)
{
	/* A new one comes before those that are looked at. */
	for (struct az_call *call = c->calls; call && c->opt.repeat_after_ms; call = call->next)
		if (is_due(call))
			az_call_start(twin_new(call)); /* without memory, it has none yet */
}

/* Somebody who knows has spoken. */
static bool is_answer(const struct az_error *e)
{
	return e->class == AZ_OK || (e->http && !az_error_transient(e));
}

struct az_call *az_twin_ended(struct az_call *call, const struct az_result *res)
{
	struct az_call *first = call->twin_of;

	if (first) {
		if (!is_answer(&res->err) && first->state != CALL_WAITING) {
			az_call_drop(call);
			return NULL;
		}
		az_call_drop(call);
		return first;
	}
	if (call->twin && !is_answer(&res->err)) {
		call->state = CALL_WAITING;
		return NULL;
	}
	if (call->twin)
		az_call_drop(call->twin);
	return call;
}
