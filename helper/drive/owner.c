// SPDX-License-Identifier: MIT
#include "drive/owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "azure/blob.h"
#include "drive/patience.h"

static void renew(void *arg);
static void raise_number(void *arg);

void owner_init(struct owner *o, struct loop *loop, struct az_client *client, struct az_blob *blob,
		const struct owner_ops *ops, void *arg)
{
	*o = (struct owner){
		.loop = loop,
		.client = client,
		.blob = blob,
		.ops = ops,
		.arg = arg,
	};
	loop_timer_init(&o->lease_timer, renew, o);
	loop_timer_init(&o->raise_timer, raise_number, o);
}

void owner_stop(struct owner *o)
{
	loop_timer_cancel(o->loop, &o->lease_timer);
	loop_timer_cancel(o->loop, &o->raise_timer);
	if (o->lease_call)
		az_call_cancel(o->lease_call);
	if (o->raise_call)
		az_call_cancel(o->raise_call);
	o->lease_call = NULL;
	o->raise_call = NULL;
}

static void lose(struct owner *o, const char *why)
{
	if (o->state == OWNER_LOST)
		return;
	o->state = OWNER_LOST;
	owner_stop(o);
	o->ops->lost(o->arg, why);
}

static void failed(struct owner *o, struct retry *r, struct loop_timer *t, const char *what,
		   const struct az_error *err)
{
	uint32_t chance = 0;
	uint64_t delay;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint32_t)loop_now();
	delay = retry_failed(r, loop_now(), err->retry_after, chance);
	loop_timer_arm(o->loop, t, delay);
	o->ops->trouble(o->arg, r, what, err);
}

static void succeeded(struct owner *o, struct retry *r)
{
	if (r->stuck)
		o->ops->trouble(o->arg, r, "", NULL);
	retry_reset(r);
}

/* --- the sequence number -------------------------------------------------- */

static void settle(struct owner *o)
{
	if (o->state == OWNER_LOST || o->state == OWNER_DOUBTFUL)
		return;
	o->state = o->raising_to ? OWNER_RAISING : OWNER_HELD;
	if (o->state == OWNER_HELD)
		o->ops->held(o->arg);
}

static bool lease_error(const struct az_error *e)
{
	return (e->class == AZ_CONFLICT || e->class == AZ_PRECONDITION) &&
	       strncmp(e->code, "Lease", 5) == 0;
}

static void raised(void *arg, const struct az_result *res)
{
	struct owner *o = arg;

	o->raise_call = NULL;
	if (res->err.class == AZ_OK) {
		if (res->props.sequence_number != o->raising_to) {
			lose(o, "another machine has mounted the blob");
			return;
		}
		succeeded(o, &o->raise_retry);
		o->number = o->raising_to;
		o->raising_to = 0;
		o->ops->record(o->arg, o->number, 0);
		settle(o);
	} else if (res->err.class == AZ_NOT_FOUND) {
		lose(o, "the blob was deleted");
	} else {
		if (lease_error(&res->err))
			owner_doubt_lease(o);
		if (o->state != OWNER_LOST)
			failed(o, &o->raise_retry, &o->raise_timer, "raise the sequence number",
			       &res->err);
	}
}

/* Repeating is harmless: the number becomes the larger of two equal ones. */
static void raise_number(void *arg)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct owner *o = arg;

	if (o->silent)
		return;
	o->raise_call = az_raise_sequence(o->client, o->blob, o->raising_to, raised, o);
	if (!o->raise_call)
		failed(o, &o->raise_retry, &o->raise_timer, "raise the sequence number",
		       &no_memory);
}

void owner_doubt_write(struct owner *o, uint64_t number)
{
	if (o->state == OWNER_LOST || o->raising_to || number != o->number)
		return;
	o->raising_to = o->number + 1;
	/* Then a number of ours could not be told from one of another machine's,
	 * by us or by a helper that follows: compared() ends it. */
	if (o->reacquiring)
		return;
	o->ops->record(o->arg, o->number, o->raising_to);
	if (o->state == OWNER_HELD)
		o->state = OWNER_RAISING;
	raise_number(o);
}

/* --- the lease ------------------------------------------------------------ */

static void extend(struct owner *o)
{
	o->lease_until = o->sent_at + OWNER_CERTAIN_NS;
	o->ops->deadline(o->arg, o->lease_until);
}

static void lease_is_ours(struct owner *o)
{
	succeeded(o, &o->lease_retry);
	o->reacquiring = false;
	o->comparing = false;
	extend(o);
	owner_start(o);
	if (o->state == OWNER_DOUBTFUL) {
		o->state = OWNER_RAISING; /* until settled */
		settle(o);
	} else if (o->state == OWNER_HELD) {
		o->ops->held(o->arg); /* it may have run out meanwhile */
	}
}

/* The number that was read, or one that our own raise has made of it since. */
static bool number_is_ours(const struct owner *o, uint64_t number)
{
	if (number == o->number || number == o->asked_number)
		return true;
	return o->raising_to && number == o->raising_to && !o->reacquiring;
}

static const char unknowable[] =
	"the lease had run out, and nobody can say whether another machine has mounted the blob since";

static void compared(void *arg, const struct az_result *res)
{
	struct owner *o = arg;

	o->lease_call = NULL;
	if (res->err.class == AZ_NOT_FOUND)
		lose(o, "the blob was deleted");
	else if (res->err.class != AZ_OK)
		failed(o, &o->lease_retry, &o->lease_timer, "read the sequence number", &res->err);
	else if (o->reacquiring && o->raising_to)
		lose(o, unknowable);
	else if (!number_is_ours(o, res->props.sequence_number))
		lose(o, "another machine has mounted the blob");
	else
		lease_is_ours(o);
}

static void leased(void *arg, const struct az_result *res)
{
	const struct az_error *e = &res->err;
	struct owner *o = arg;

	o->lease_call = NULL;
	if (e->class == AZ_OK && !o->reacquiring && !o->comparing) {
		lease_is_ours(o);
	} else if (e->class == AZ_OK) {
		o->asked_number = o->number;
		o->lease_call = az_get_properties(o->client, o->blob, compared, o);
		if (!o->lease_call)
			loop_timer_arm(o->loop, &o->lease_timer, LOOP_SEC(1));
	} else if (e->class == AZ_NOT_FOUND) {
		lose(o, "the blob was deleted");
	} else if (az_error_is(e, "LeaseNotPresentWithLeaseOperation") && o->raising_to) {
		lose(o, unknowable);
	} else if (az_error_is(e, "LeaseNotPresentWithLeaseOperation") && !o->reacquiring) {
		o->state = OWNER_DOUBTFUL;
		o->reacquiring = true;
		renew(o);
	} else if (lease_error(e)) {
		lose(o, "another client took or broke the lease");
	} else {
		failed(o, &o->lease_retry, &o->lease_timer, "renew the lease", e);
	}
}

static void renew(void *arg)
{
	struct owner *o = arg;

	if (o->lease_call || o->silent)
		return;
	o->sent_at = owner_clock();
	o->lease_call = az_lease(o->client, o->blob,
				 o->reacquiring ? AZ_LEASE_ACQUIRE : AZ_LEASE_RENEW, OWNER_LEASE_S,
				 leased, o);
	if (!o->lease_call)
		loop_timer_arm(o->loop, &o->lease_timer, LOOP_SEC(1));
}

void owner_doubt_lease(struct owner *o)
{
	if (o->state == OWNER_LOST || o->state == OWNER_DOUBTFUL || o->state == OWNER_UNNEEDED)
		return;
	o->state = OWNER_DOUBTFUL;
	renew(o);
}

void owner_doubt_number(struct owner *o)
{
	o->comparing = true;
	owner_doubt_lease(o);
}

void owner_start(struct owner *o)
{
	uint64_t now = owner_clock(), at = o->sent_at + LOOP_SEC(OWNER_RENEW_S);

	if (o->state == OWNER_UNNEEDED)
		return;
	loop_timer_arm(o->loop, &o->lease_timer, at > now ? at - now : 0);
}

void owner_hurry(struct owner *o)
{
	if (o->state == OWNER_LOST || o->state == OWNER_UNNEEDED)
		return;
	/* A renewal whose answer could not help any more is not waited for. */
	if (o->lease_call && owner_clock() - o->sent_at >= OWNER_CERTAIN_NS) {
		az_call_cancel(o->lease_call);
		o->lease_call = NULL;
	}
	if (o->lease_call)
		return;
	loop_timer_cancel(o->loop, &o->lease_timer);
	renew(o);
}

void owner_silence(struct owner *o, bool silent)
{
	o->silent = silent;
	if (silent || o->state == OWNER_LOST)
		return;
	owner_hurry(o);
	if (o->raising_to && !o->raise_call && !o->reacquiring) {
		loop_timer_cancel(o->loop, &o->raise_timer);
		raise_number(o);
	}
	if (o->state == OWNER_HELD || o->state == OWNER_UNNEEDED)
		o->ops->held(o->arg);
}

void owner_not_needed(struct owner *o)
{
	o->state = OWNER_UNNEEDED;
}

/* --- beginning and end ---------------------------------------------------- */

/* What is asked of the service while nothing else goes on. */
struct step {
	enum { STEP_LEASE, STEP_PROPS, STEP_RAISE } kind;
	enum az_lease_action action;
	uint64_t number;
	struct az_sync sync;
};

static struct az_call *start_step(struct owner *o, struct step *step)
{
	switch (step->kind) {
	case STEP_LEASE:
		o->sent_at = owner_clock();
		return az_lease(o->client, o->blob, step->action, OWNER_LEASE_S, az_sync_done,
				&step->sync);
	case STEP_PROPS:
		return az_get_properties(o->client, o->blob, az_sync_done, &step->sync);
	default:
		return az_raise_sequence(o->client, o->blob, step->number, az_sync_done,
					 &step->sync);
	}
}

/* 0, -1, or -ECANCELED when it was interrupted, and may be executed or not.
 * Repeating any of them is harmless. */
static int take_step(struct owner *o, struct step *step, struct az_error *err)
{
	struct retry r = { 0 };
	struct az_call *call;

	do {
		step->sync = (struct az_sync){ 0 };
		call = start_step(o, step);
		if (!call) {
			*err = (struct az_error){ .class = AZ_LOCAL, .message = "out of memory" };
			return -1;
		}
		if (az_sync_wait(o->loop, &step->sync)) {
			az_call_cancel(call);
			*err = (struct az_error){ .class = AZ_LOCAL, .message = "interrupted" };
			return -ECANCELED;
		}
		*err = step->sync.res.err;
	} while (patience(&r, o->loop, err));
	return err->class == AZ_OK ? 0 : -1;
}

static int lease_now(struct owner *o, enum az_lease_action action, struct az_error *err)
{
	struct step step = { .kind = STEP_LEASE, .action = action };
	int e = take_step(o, &step, err);

	if (e)
		return e;
	if (action != AZ_LEASE_BREAK)
		extend(o);
	return 0;
}

static int read_props(struct owner *o, struct az_props *props, struct az_error *err)
{
	struct step step = { .kind = STEP_PROPS };

	if (take_step(o, &step, err))
		return -1;
	*props = step.sync.res.props;
	return 0;
}

static int raise_now(struct owner *o, uint64_t to, struct az_error *err)
{
	struct step step = { .kind = STEP_RAISE, .number = to };

	o->ops->record(o->arg, o->number, to);
	if (take_step(o, &step, err))
		return -1;
	if (step.sync.res.props.sequence_number != to) {
		*err = (struct az_error){ .class = AZ_CORRUPT };
		snprintf(err->message, sizeof(err->message),
			 "the sequence number was to be %llu and is %llu", (unsigned long long)to,
			 (unsigned long long)step.sync.res.props.sequence_number);
		return -1;
	}
	o->number = to;
	o->ops->record(o->arg, to, 0);
	return 0;
}

/* What was another's lease may have ended by itself meanwhile. */
static int break_lease(struct owner *o, struct az_error *err)
{
	if (!lease_now(o, AZ_LEASE_BREAK, err))
		return 0;
	return az_error_is(err, "LeaseNotPresentWithLeaseOperation") ? 0 : -1;
}

static int take_lease(struct owner *o, bool force, struct az_error *err)
{
	int e = lease_now(o, AZ_LEASE_ACQUIRE, err);

	if (!e)
		return 0;
	if (!force || !az_error_is(err, "LeaseAlreadyPresent") || break_lease(o, err))
		return e;
	return lease_now(o, AZ_LEASE_ACQUIRE, err);
}

int owner_acquire(struct owner *o, bool force, struct az_props *props, struct az_error *err)
{
	char id[sizeof(o->blob->lease_id)];
	uuid_t uuid;
	int e;

	uuid_generate_random(uuid);
	uuid_unparse_lower(uuid, id);
	memcpy(o->blob->lease_id, id, sizeof(id));
	e = take_lease(o, force, err);
	if (e) {
		/* Interrupted, we may have it all the same: owner_release() sees to it. */
		if (e != -ECANCELED)
			o->blob->lease_id[0] = '\0';
		return -1;
	}
	if (read_props(o, props, err))
		return -1;
	o->number = props->sequence_number;
	return raise_now(o, o->number + 1, err);
}

/* The lease of before, or, where it was forgotten, a new one: only if the number
 * will tell then whether somebody had mounted the blob in between. */
static int resume_lease(struct owner *o, bool knowable, struct az_error *err)
{
	if (!lease_now(o, AZ_LEASE_RENEW, err))
		return 0;
	if (!knowable || !az_error_is(err, "LeaseNotPresentWithLeaseOperation"))
		return -1;
	return lease_now(o, AZ_LEASE_ACQUIRE, err);
}

/* Which failures to resume are for good, as in renewing. */
static const char *why_lost(const struct az_error *err, bool of_lease)
{
	if (err->class == AZ_NOT_FOUND)
		return "the blob was deleted";
	return of_lease && lease_error(err) ? "another client took or broke the lease" : "";
}

int owner_resume(struct owner *o, uint64_t number, uint64_t raising_to, struct az_props *props,
		 struct az_error *err, char *why, size_t len)
{
	uint64_t most = raising_to > number ? raising_to : number;
	bool no_lease;

	o->number = number;
	no_lease = resume_lease(o, !raising_to, err);
	if (no_lease || read_props(o, props, err)) {
		snprintf(why, len, "%s", why_lost(err, no_lease));
		if (no_lease && az_error_is(err, "LeaseNotPresentWithLeaseOperation"))
			snprintf(why, len, "%s", unknowable);
		return -1;
	}
	*why = '\0';
	/* Also when the lease was renewed: one that had been forgotten may have
	 * been acquired by a helper that died before it could compare. */
	if (props->sequence_number < number || props->sequence_number > most) {
		snprintf(why, len, "another machine has mounted the blob since");
		return -1;
	}
	/* Whatever the old helper sent and nobody heard of can only fail now. */
	return raise_now(o, props->sequence_number + 1, err);
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
	r->sync.res.err = (struct az_error){ .class = AZ_NO_ANSWER, .message = "gave up waiting" };
	r->sync.done = true;
}

bool owner_release(struct owner *o, unsigned int timeout_s, struct az_error *err)
{
	struct release r = { 0 };
	struct loop_timer timer;

	owner_stop(o);
	if (o->state == OWNER_LOST || !o->blob->lease_id[0])
		return true;
	if (o->silent) {
		*err = (struct az_error){ .class = AZ_DENIED, .message = "the SAS has expired" };
		return false;
	}
	r.call = az_lease(o->client, o->blob, AZ_LEASE_RELEASE, 0, az_sync_done, &r.sync);
	if (!r.call) {
		*err = (struct az_error){ .class = AZ_LOCAL, .message = "out of memory" };
		return false;
	}
	loop_timer_init(&timer, give_up, &r);
	loop_timer_arm(o->loop, &timer, LOOP_SEC(timeout_s));
	/* loop_stop() is for the drive, which has ended already. */
	while (az_sync_wait(o->loop, &r.sync) == -ECANCELED)
		;
	give_up(&r);
	loop_timer_cancel(o->loop, &timer);
	*err = r.sync.res.err;
	/* One that the service does not know of need not be given back. */
	return err->class == AZ_OK || lease_error(err);
}
