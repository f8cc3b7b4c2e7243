// SPDX-License-Identifier: MIT
#include "drive/lease.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <uuid/uuid.h>

#include "azure/blob.h"
#include "drive/retry_wait.h"

static void renew(void *arg);
static void raise_number(void *arg);

void lease_init(struct lease *l, struct loop *loop, struct az_client *client, struct az_blob *blob,
		const struct lease_ops *ops, void *arg)
{
	*l = (struct lease){
		.loop = loop,
		.client = client,
		.blob = blob,
		.ops = ops,
		.arg = arg,
	};
	loop_timer_init(&l->timer, renew, l);
	loop_timer_init(&l->raise_timer, raise_number, l);
}

void lease_stop(struct lease *l)
{
	loop_timer_cancel(l->loop, &l->timer);
	loop_timer_cancel(l->loop, &l->raise_timer);
	if (l->call)
		az_call_cancel(l->call);
	if (l->raise_call)
		az_call_cancel(l->raise_call);
	l->call = NULL;
	l->raise_call = NULL;
}

static void lose(struct lease *l, const char *why)
{
	if (l->state == LEASE_LOST)
		return;
	l->state = LEASE_LOST;
	lease_stop(l);
	l->ops->lost(l->arg, why);
}

static void failed(struct lease *l, struct retry *r, struct loop_timer *t, const char *what,
		   const struct az_error *err)
{
	uint32_t chance = 0;
	uint64_t delay;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint32_t)loop_now();
	delay = retry_failed(r, loop_now(), err->retry_after, chance);
	loop_timer_arm(l->loop, t, delay);
	l->ops->trouble(l->arg, r, what, err);
}

static void succeeded(struct lease *l, struct retry *r)
{
	if (r->stuck)
		l->ops->trouble(l->arg, r, "", NULL);
	retry_reset(r);
}

/* --- the sequence number -------------------------------------------------- */

static void settle(struct lease *l)
{
	if (l->state == LEASE_LOST || l->state == LEASE_DOUBTFUL)
		return;
	l->state = l->raising_to ? LEASE_RAISING : LEASE_HELD;
	if (l->state == LEASE_HELD)
		l->ops->held(l->arg);
}

static bool lease_error(const struct az_error *e)
{
	return (e->class == AZ_CONFLICT || e->class == AZ_PRECONDITION) &&
	       strncmp(e->code, "Lease", 5) == 0;
}

static void raised(void *arg, const struct az_result *res)
{
	struct lease *l = arg;

	l->raise_call = NULL;
	if (res->err.class == AZ_OK) {
		if (res->props.sequence_number != l->raising_to) {
			lose(l, "another machine has mounted the blob");
			return;
		}
		succeeded(l, &l->raise_retry);
		l->number = l->raising_to;
		l->raising_to = 0;
		l->ops->record(l->arg, l->number, 0);
		settle(l);
	} else if (res->err.class == AZ_NOT_FOUND) {
		lose(l, "the blob was deleted");
	} else {
		if (lease_error(&res->err))
			lease_doubt_lease(l);
		if (l->state != LEASE_LOST)
			failed(l, &l->raise_retry, &l->raise_timer, "raise the sequence number",
			       &res->err);
	}
}

/* Repeating is harmless: the number becomes the larger of two equal ones. */
static void raise_number(void *arg)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct lease *l = arg;

	if (l->silent)
		return;
	l->raise_call = az_raise_sequence(l->client, l->blob, l->raising_to, raised, l);
	if (!l->raise_call)
		failed(l, &l->raise_retry, &l->raise_timer, "raise the sequence number",
		       &no_memory);
}

void lease_doubt_write(struct lease *l, uint64_t number)
{
	if (l->state == LEASE_LOST || l->raising_to || number != l->number)
		return;
	l->raising_to = l->number + 1;
	/* Then a number of ours could not be told from one of another machine's,
	 * by us or by a helper that follows: compared() ends it. */
	if (l->reacquiring)
		return;
	l->ops->record(l->arg, l->number, l->raising_to);
	if (l->state == LEASE_HELD)
		l->state = LEASE_RAISING;
	raise_number(l);
}

/* --- the lease ------------------------------------------------------------ */

static void extend(struct lease *l)
{
	l->until = l->sent_at + LEASE_CERTAIN_NS;
	l->ops->deadline(l->arg, l->until);
}

static void lease_is_ours(struct lease *l)
{
	succeeded(l, &l->retry);
	l->reacquiring = false;
	l->comparing = false;
	extend(l);
	lease_start(l);
	if (l->state == LEASE_DOUBTFUL) {
		l->state = LEASE_RAISING; /* until settled */
		settle(l);
	} else if (l->state == LEASE_HELD) {
		l->ops->held(l->arg); /* it may have run out meanwhile */
	}
}

/* The number that was read, or one that our own raise has made of it since. */
static bool number_is_ours(const struct lease *l, uint64_t number)
{
	if (number == l->number || number == l->asked_number)
		return true;
	return l->raising_to && number == l->raising_to && !l->reacquiring;
}

static const char unknowable[] =
	"the lease had run out, and nobody can say whether another machine has mounted the blob since";

static void compared(void *arg, const struct az_result *res)
{
	struct lease *l = arg;

	l->call = NULL;
	if (res->err.class == AZ_NOT_FOUND)
		lose(l, "the blob was deleted");
	else if (res->err.class != AZ_OK)
		failed(l, &l->retry, &l->timer, "read the sequence number", &res->err);
	else if (l->reacquiring && l->raising_to)
		lose(l, unknowable);
	else if (!number_is_ours(l, res->props.sequence_number))
		lose(l, "another machine has mounted the blob");
	else
		lease_is_ours(l);
}

static void leased(void *arg, const struct az_result *res)
{
	const struct az_error *e = &res->err;
	struct lease *l = arg;

	l->call = NULL;
	if (e->class == AZ_OK && !l->reacquiring && !l->comparing) {
		lease_is_ours(l);
	} else if (e->class == AZ_OK) {
		l->asked_number = l->number;
		l->call = az_get_properties(l->client, l->blob, compared, l);
		if (!l->call)
			loop_timer_arm(l->loop, &l->timer, LOOP_SEC(1));
	} else if (e->class == AZ_NOT_FOUND) {
		lose(l, "the blob was deleted");
	} else if (az_error_is(e, "LeaseNotPresentWithLeaseOperation") && l->raising_to) {
		lose(l, unknowable);
	} else if (az_error_is(e, "LeaseNotPresentWithLeaseOperation") && !l->reacquiring) {
		l->state = LEASE_DOUBTFUL;
		l->reacquiring = true;
		renew(l);
	} else if (lease_error(e)) {
		lose(l, "another client took or broke the lease");
	} else {
		failed(l, &l->retry, &l->timer, "renew the lease", e);
	}
}

static void renew(void *arg)
{
	struct lease *l = arg;

	if (l->call || l->silent)
		return;
	l->sent_at = boot_clock();
	l->call = az_lease(l->client, l->blob, l->reacquiring ? AZ_LEASE_ACQUIRE : AZ_LEASE_RENEW,
			   LEASE_S, leased, l);
	if (!l->call)
		loop_timer_arm(l->loop, &l->timer, LOOP_SEC(1));
}

void lease_doubt_lease(struct lease *l)
{
	if (l->state == LEASE_LOST || l->state == LEASE_DOUBTFUL || l->state == LEASE_UNNEEDED)
		return;
	l->state = LEASE_DOUBTFUL;
	renew(l);
}

void lease_doubt_number(struct lease *l)
{
	l->comparing = true;
	lease_doubt_lease(l);
}

void lease_start(struct lease *l)
{
	uint64_t now = boot_clock(), at = l->sent_at + LOOP_SEC(LEASE_RENEW_S);

	if (l->state == LEASE_UNNEEDED)
		return;
	loop_timer_arm(l->loop, &l->timer, at > now ? at - now : 0);
}

void lease_hurry(struct lease *l)
{
	if (l->state == LEASE_LOST || l->state == LEASE_UNNEEDED)
		return;
	/* A renewal whose answer could not help any more is not waited for. */
	if (l->call && boot_clock() - l->sent_at >= LEASE_CERTAIN_NS) {
		az_call_cancel(l->call);
		l->call = NULL;
	}
	if (l->call)
		return;
	loop_timer_cancel(l->loop, &l->timer);
	renew(l);
}

void lease_silence(struct lease *l, bool silent)
{
	l->silent = silent;
	if (silent || l->state == LEASE_LOST)
		return;
	lease_hurry(l);
	if (l->raising_to && !l->raise_call && !l->reacquiring) {
		loop_timer_cancel(l->loop, &l->raise_timer);
		raise_number(l);
	}
	if (l->state == LEASE_HELD || l->state == LEASE_UNNEEDED)
		l->ops->held(l->arg);
}

void lease_not_needed(struct lease *l)
{
	l->state = LEASE_UNNEEDED;
}

/* --- beginning and end ---------------------------------------------------- */

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
		extend(l);
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

	l->ops->record(l->arg, l->number, to);
	if (take_step(l, &step, err))
		return -1;
	if (step.sync.res.props.sequence_number != to) {
		*err = (struct az_error){ .class = AZ_CORRUPT };
		snprintf(err->message, sizeof(err->message),
			 "the sequence number was to be %llu and is %llu", (unsigned long long)to,
			 (unsigned long long)step.sync.res.props.sequence_number);
		return -1;
	}
	l->number = to;
	l->ops->record(l->arg, to, 0);
	return 0;
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
	l->number = props->sequence_number;
	return raise_now(l, l->number + 1, err);
}

/* The lease of before, or, where it was forgotten, a new one: only if the number
 * will tell then whether somebody had mounted the blob in between. */
static int resume_lease(struct lease *l, bool knowable, struct az_error *err)
{
	if (!lease_now(l, AZ_LEASE_RENEW, err))
		return 0;
	if (!knowable || !az_error_is(err, "LeaseNotPresentWithLeaseOperation"))
		return -1;
	return lease_now(l, AZ_LEASE_ACQUIRE, err);
}

/* Which failures to resume are for good, as in renewing. */
static const char *why_lost(const struct az_error *err, bool of_lease)
{
	if (err->class == AZ_NOT_FOUND)
		return "the blob was deleted";
	return of_lease && lease_error(err) ? "another client took or broke the lease" : "";
}

int lease_resume(struct lease *l, uint64_t number, uint64_t raising_to, struct az_props *props,
		 struct az_error *err, char *why, size_t len)
{
	uint64_t most = raising_to > number ? raising_to : number;
	bool no_lease;

	l->number = number;
	no_lease = resume_lease(l, !raising_to, err);
	if (no_lease || read_props(l, props, err)) {
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
	r->sync.res.err = (struct az_error){ .class = AZ_NO_ANSWER, .message = "gave up waiting" };
	r->sync.done = true;
}

bool lease_release(struct lease *l, unsigned int timeout_s, struct az_error *err)
{
	struct release r = { 0 };
	struct loop_timer timer;

	lease_stop(l);
	if (l->state == LEASE_LOST || !l->blob->lease_id[0])
		return true;
	if (l->silent) {
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
	return err->class == AZ_OK || lease_error(err);
}
