// SPDX-License-Identifier: MIT
#include "drive/sequence.h"

#include "azure/blob.h"

static const char what[] = "raise the sequence number";

static void send_raise(void *arg);

void sequence_init(struct sequence *s, struct loop *loop, struct az_client *client,
		   const struct az_blob *blob, const struct sequence_ops *ops, void *arg)
{
	*s = (struct sequence){
		.loop = loop,
		.client = client,
		.blob = blob,
		.ops = ops,
		.arg = arg,
	};
	loop_timer_init(&s->timer, send_raise, s);
}

void sequence_stop(struct sequence *s)
{
	loop_timer_cancel(s->loop, &s->timer);
	if (s->call) {
		az_call_cancel(s->call);
		acknowledged_answered(&s->acknowledged, NULL, true);
	}
	s->call = NULL;
}

void sequence_settle(struct sequence *s, uint64_t number)
{
	s->state = SEQUENCE_SETTLED;
	s->number = number;
	s->raising_to = 0;
}

static void try_later(struct sequence *s, const struct az_error *err)
{
	loop_timer_arm(s->loop, &s->timer, retry_backoff(&s->retry, err->retry_after));
	s->ops->trouble(s->arg, &s->retry, what, err);
}

static void raised(struct sequence *s)
{
	if (s->retry.stuck)
		s->ops->trouble(s->arg, &s->retry, "", NULL);
	retry_reset(&s->retry);
	sequence_settle(s, s->raising_to);
	s->ops->record(s->arg, s->number, 0);
	s->ops->answered(s->arg, SEQUENCE_RAISED);
}

static void answered(void *arg, const struct az_result *res)
{
	struct sequence *s = arg;

	s->call = NULL;
	acknowledged_answered(&s->acknowledged, res, true); /* it may have been sent twice */
	if (res->err.class == AZ_OK && res->props.sequence_number == s->raising_to) {
		raised(s);
	} else if (res->err.class == AZ_OK) {
		s->ops->answered(s->arg, SEQUENCE_FOREIGN);
	} else if (res->err.class == AZ_NOT_FOUND) {
		s->ops->answered(s->arg, SEQUENCE_NO_BLOB);
	} else {
		try_later(s, &res->err);
		if (az_error_is_lease(&res->err))
			s->ops->answered(s->arg, SEQUENCE_NO_LEASE);
	}
}

/* Repeating is harmless: the number becomes the larger of two equal ones. */
static void send_raise(void *arg)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct sequence *s = arg;

	if (s->paused)
		return;
	s->call = az_raise_sequence(s->client, s->blob, s->raising_to, answered, s);
	if (s->call)
		acknowledged_sent(&s->acknowledged);
	else
		try_later(s, &no_memory);
}

void sequence_raise(struct sequence *s)
{
	if (s->state != SEQUENCE_SETTLED)
		return;
	s->state = SEQUENCE_RAISING;
	s->raising_to = s->number + 1;
	s->ops->record(s->arg, s->number, s->raising_to);
	send_raise(s);
}

void sequence_pause(struct sequence *s, bool paused)
{
	s->paused = paused;
	if (paused || s->state != SEQUENCE_RAISING || s->call)
		return;
	loop_timer_cancel(s->loop, &s->timer);
	send_raise(s);
}
