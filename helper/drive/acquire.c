// SPDX-License-Identifier: MIT
#include "drive/acquire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uuid/uuid.h>

#include "azure/blob.h"
#include "azure/retry_wait.h"

/* What is asked of the service while nothing else goes on. */
struct step {
	enum { STEP_LEASE, STEP_PROPS, STEP_RAISE } kind;
	enum az_lease_action action;
	uint64_t number;
	struct az_sync sync;
};

static struct az_call *start_step(struct lease *l, struct step *step)
{
	switch (step->kind) {
	case STEP_LEASE:
		l->sent_at = boot_clock();
		return az_lease(l->client, l->blob, step->action, LEASE_S, az_sync_done,
				&step->sync);
	case STEP_PROPS:
		return az_get_properties(l->client, l->blob, az_sync_done, &step->sync);
	default:
		return az_raise_sequence(l->client, l->blob, step->number, az_sync_done,
					 &step->sync);
	}
}

/* 0, -1, or -ECANCELED when it was interrupted, and may be executed or not.
 * Repeating any of them is harmless. */
static int take_step(struct lease *l, struct step *step, struct az_error *err)
{
	struct retry r = { 0 };
	struct az_call *call;

	do {
		step->sync = (struct az_sync){ 0 };
		call = start_step(l, step);
		if (!call) {
			*err = (struct az_error){ .class = AZ_LOCAL, .message = "out of memory" };
			return -1;
		}
		if (az_sync_wait(l->loop, &step->sync)) {
			az_call_cancel(call);
			*err = (struct az_error){ .class = AZ_LOCAL, .message = "interrupted" };
			return -ECANCELED;
		}
		*err = step->sync.res.err;
	} while (retry_wait(&r, l->loop, err));
	return err->class == AZ_OK ? 0 : -1;
}

static int lease_now(struct lease *l, enum az_lease_action action, struct az_error *err)
{
	struct step step = { .kind = STEP_LEASE, .action = action };
	int e = take_step(l, &step, err);

	if (e)
		return e;
	if (action != AZ_LEASE_BREAK)
		lease_extend(l);
	return 0;
}

static int read_props(struct lease *l, struct az_props *props, struct az_error *err)
{
	struct step step = { .kind = STEP_PROPS };

	if (take_step(l, &step, err))
		return -1;
	*props = step.sync.res.props;
	return 0;
}

static int raise_now(struct lease *l, uint64_t to, struct az_error *err)
{
	struct step step = { .kind = STEP_RAISE, .number = to };

	l->ops->record(l->arg, l->sequence.number, to);
	if (take_step(l, &step, err))
		return -1;
	acknowledged_answered(&l->sequence.acknowledged, &step.sync.res, true);
	if (step.sync.res.props.sequence_number != to) {
		*err = (struct az_error){ .class = AZ_CORRUPT };
		snprintf(err->message, sizeof(err->message),
			 "the sequence number was to be %llu and is %llu", (unsigned long long)to,
			 (unsigned long long)step.sync.res.props.sequence_number);
		return -1;
	}
	sequence_settle(&l->sequence, to);
	l->ops->record(l->arg, to, 0);
	return 0;
}

/*
 * A raise that was carried out, and whose answer was lost, is refused when it is repeated,
 * as it has changed the ETag itself.  But then the number is ours: under the lease nobody
 * else raises it.
 */
static int look_who_raised(struct lease *l, uint64_t to, struct az_error *err)
{
	struct az_props now;

	if (read_props(l, &now, err))
		return -1;
	l->unchanged = now.has_sequence_number && now.sequence_number == to;
	return 0;
}

/* 412 ConditionNotMet: the blob was written to since; it is raised all the same. */
static int raise_if_unchanged(struct lease *l, uint64_t to, struct az_error *err)
{
	int e;

	l->blob->if_match = l->etag;
	e = raise_now(l, to, err);
	l->blob->if_match = NULL;
	l->unchanged = !e;
	if (!e || !az_error_is(err, "ConditionNotMet"))
		return e;
	if (look_who_raised(l, to, err))
		return -1;
	return raise_now(l, to, err);
}

/* What was another's lease may have ended by itself meanwhile. */
static int break_lease(struct lease *l, struct az_error *err)
{
	if (!lease_now(l, AZ_LEASE_BREAK, err))
		return 0;
	return az_error_is(err, "LeaseNotPresentWithLeaseOperation") ? 0 : -1;
}

static int take_lease(struct lease *l, bool force, struct az_error *err)
{
	int e = lease_now(l, AZ_LEASE_ACQUIRE, err);

	if (!e)
		return 0;
	if (!force || !az_error_is(err, "LeaseAlreadyPresent") || break_lease(l, err))
		return e;
	return lease_now(l, AZ_LEASE_ACQUIRE, err);
}

int lease_acquire(struct lease *l, bool force, struct az_props *props, struct az_error *err)
{
	char id[sizeof(l->blob->lease_id)];
	uuid_t uuid;
	int e;

	uuid_generate_random(uuid);
	uuid_unparse_lower(uuid, id);
	memcpy(l->blob->lease_id, id, sizeof(id));
	e = take_lease(l, force, err);
	if (e) {
		/* Interrupted, we may have it all the same: lease_release() sees to it. */
		if (e != -ECANCELED)
			l->blob->lease_id[0] = '\0';
		return -1;
	}
	if (read_props(l, props, err))
		return -1;
	sequence_settle(&l->sequence, props->sequence_number);
	if (l->etag)
		return raise_if_unchanged(l, props->sequence_number + 1, err);
	return raise_now(l, props->sequence_number + 1, err);
}

/* The lease of before, or, where it was forgotten, a new one: only if the number
 * will tell then whether somebody had mounted the blob in between. */
static int resume_lease(struct lease *l, bool knowable, struct az_error *err)
{
	if (!lease_now(l, AZ_LEASE_RENEW, err))
		return 0;
	if (!knowable || !az_error_is(err, "LeaseNotPresentWithLeaseOperation"))
		return -1;
	l->interrupted = true;
	l->ops->forgotten(l->arg);
	return lease_now(l, AZ_LEASE_ACQUIRE, err);
}

/* Which failures to resume are for good, as in renewing. */
static const char *why_lost(const struct az_error *err, bool of_lease)
{
	if (err->class == AZ_NOT_FOUND)
		return lease_deleted;
	return of_lease && az_error_is_lease(err) ? lease_taken : "";
}

int lease_resume(struct lease *l, uint64_t number, uint64_t raising_to, struct az_props *props,
		 struct az_error *err, char *why, size_t len)
{
	uint64_t most = raising_to > number ? raising_to : number;
	bool no_lease;

	sequence_settle(&l->sequence, number);
	no_lease = resume_lease(l, !raising_to, err);
	if (no_lease || read_props(l, props, err)) {
		snprintf(why, len, "%s", why_lost(err, no_lease));
		if (no_lease && az_error_is(err, "LeaseNotPresentWithLeaseOperation"))
			snprintf(why, len, "%s", lease_unknowable);
		return -1;
	}
	*why = '\0';
	l->asked = l->sequence.acknowledged;
	if (lease_rolled_back(l, props, number, why, len))
		return -1;
	/* Also when the lease was renewed: one that had been forgotten may have
	 * been acquired by a helper that died before it could compare. */
	if (props->sequence_number < number || props->sequence_number > most) {
		snprintf(why, len, "%s since", lease_foreign);
		return -1;
	}
	/* Whatever the old helper sent and nobody heard of can only fail now. */
	return raise_now(l, props->sequence_number + 1, err);
}

struct release {
	struct az_sync sync;
	struct az_call *call;
};

static void give_up(void *arg)
{
	struct release *r = arg;

	if (r->sync.done)
		return;
	az_call_cancel(r->call);
	r->sync.res.err =
		(struct az_error){ .class = AZ_NO_RESPONSE, .message = "gave up waiting" };
	r->sync.done = true;
}

bool lease_release(struct lease *l, unsigned int timeout_s, struct az_error *err)
{
	struct release r = { 0 };
	struct loop_timer timer;

	lease_stop(l);
	if (l->state == LEASE_LOST || !l->blob->lease_id[0])
		return true;
	if (l->paused) {
		*err = (struct az_error){ .class = AZ_DENIED, .message = "the SAS has expired" };
		return false;
	}
	r.call = az_lease(l->client, l->blob, AZ_LEASE_RELEASE, 0, az_sync_done, &r.sync);
	if (!r.call) {
		*err = (struct az_error){ .class = AZ_LOCAL, .message = "out of memory" };
		return false;
	}
	loop_timer_init(&timer, give_up, &r);
	loop_timer_arm(l->loop, &timer, LOOP_SEC(timeout_s));
	/* loop_stop() is for the drive, which has ended already. */
	while (az_sync_wait(l->loop, &r.sync) == -ECANCELED)
		;
	give_up(&r);
	loop_timer_cancel(l->loop, &timer);
	*err = r.sync.res.err;
	/* One that the service does not know of need not be given back. */
	return err->class == AZ_OK || az_error_is_lease(err);
}
