// SPDX-License-Identifier: MIT
#include "drive/lease.h"

#include <stdio.h>

#include "azure/blob.h"
#include "lib/date.h"

const char lease_taken[] = "another client took or broke the lease";
const char lease_foreign[] = "another machine has mounted the blob";
const char lease_unknowable[] =
	"the lease had run out, and nobody can say whether another machine has mounted the blob since";
const char lease_deleted[] = "the blob was deleted";

/* --- what follows from what ----------------------------------------------- */

enum event {
	DUE,
	DOUBT,
	DOUBT_NUMBER,
	RAISE,
	GRANTED,
	NO_LEASE,
	OURS,
	RAISED,
	FAILED,
	TAKEN,
	FOREIGN,
	ROLLED_BACK,
	UNKNOWABLE,
	DELETED,
};

/* Each state that is neither lost nor unneeded. */
#define ANY LEASE_UNNEEDED

/* What is done, when the next state has been reached.  @err: of FAILED, else NULL. */
typedef void action_fn(struct lease *l, const struct az_error *err);

static action_fn renew, acquire, read_number, renew_later, read_later, extend, go_on, raise_number,
	lose_taken, lose_foreign, lose_rolled_back, lose_unknowable, lose_deleted;

/*
 * The first line for a state and an event counts.  What has no line changes nothing.
 *
 * After acquiring, the number tells whether somebody had mounted the blob in between:
 * that raises it.  A raise of our own must not look like that.  So none is begun but when
 * the lease is held, and with one in doubt nothing is acquired (unknowable).
 */
/* clang-format off */
static const struct transition {
	enum lease_state state;
	enum event event;
	action_fn *action;
	enum lease_state next;
} transitions[] = {
	/* state		event		action		next */
	{ LEASE_HELD,		DUE,		renew,		LEASE_HELD },
	{ LEASE_HELD,		DOUBT,		renew,		LEASE_DOUBTED },
	{ LEASE_HELD,		DOUBT_NUMBER,	renew,		LEASE_DOUBTED_NUMBER },
	{ LEASE_HELD,		GRANTED,	extend,		LEASE_HELD },
	{ LEASE_HELD,		NO_LEASE,	acquire,	LEASE_FORGOTTEN },
	{ LEASE_HELD,		RAISE,		raise_number,	LEASE_HELD },
	{ LEASE_HELD,		RAISED,		go_on,		LEASE_HELD },
	{ LEASE_HELD,		FAILED,		renew_later,	LEASE_HELD },

	{ LEASE_DOUBTED,	DUE,		renew,		LEASE_DOUBTED },
	{ LEASE_DOUBTED,	DOUBT_NUMBER,	NULL,		LEASE_DOUBTED_NUMBER },
	{ LEASE_DOUBTED,	GRANTED,	extend,		LEASE_HELD },
	{ LEASE_DOUBTED,	NO_LEASE,	acquire,	LEASE_FORGOTTEN },
	{ LEASE_DOUBTED,	FAILED,		renew_later,	LEASE_DOUBTED },

	{ LEASE_DOUBTED_NUMBER,	DUE,		renew,		LEASE_DOUBTED_NUMBER },
	{ LEASE_DOUBTED_NUMBER,	GRANTED,	read_number,	LEASE_COMPARING },
	{ LEASE_DOUBTED_NUMBER,	NO_LEASE,	acquire,	LEASE_FORGOTTEN },
	{ LEASE_DOUBTED_NUMBER,	FAILED,		renew_later,	LEASE_DOUBTED_NUMBER },

	{ LEASE_COMPARING,	DUE,		renew,		LEASE_DOUBTED_NUMBER },
	{ LEASE_COMPARING,	OURS,		extend,		LEASE_HELD },
	{ LEASE_COMPARING,	FAILED,		read_later,	LEASE_DOUBTED_NUMBER },

	{ LEASE_FORGOTTEN,	DUE,		acquire,	LEASE_FORGOTTEN },
	{ LEASE_FORGOTTEN,	GRANTED,	read_number,	LEASE_REACQUIRED },
	{ LEASE_FORGOTTEN,	NO_LEASE,	lose_taken,	LEASE_LOST },
	{ LEASE_FORGOTTEN,	FAILED,		renew_later,	LEASE_FORGOTTEN },

	{ LEASE_REACQUIRED,	DUE,		acquire,	LEASE_FORGOTTEN },
	{ LEASE_REACQUIRED,	OURS,		extend,		LEASE_HELD },
	{ LEASE_REACQUIRED,	FAILED,		read_later,	LEASE_FORGOTTEN },

	{ ANY,			TAKEN,		lose_taken,	LEASE_LOST },
	{ ANY,			FOREIGN,	lose_foreign,	LEASE_LOST },
	{ ANY,			ROLLED_BACK,	lose_rolled_back, LEASE_LOST },
	{ ANY,			UNKNOWABLE,	lose_unknowable, LEASE_LOST },
	{ ANY,			DELETED,	lose_deleted,	LEASE_LOST },
};
/* clang-format on */

static void happens(struct lease *l, enum event event, const struct az_error *err)
{
	const struct transition *t = transitions, *end = t + sizeof(transitions) / sizeof(*t);

	if (l->state == LEASE_LOST || l->state == LEASE_UNNEEDED)
		return;
	while (t < end && (t->event != event || (t->state != l->state && t->state != ANY)))
		t++;
	if (t == end)
		return;
	l->state = t->next;
	if (t->action)
		t->action(l, err);
}

/* --- actions -------------------------------------------------------------- */

static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };

static void leased(void *arg, const struct az_result *res);
static void number_read(void *arg, const struct az_result *res);

/* A doubt may find a call under way: its answer will do. */
static bool may_call(const struct lease *l)
{
	return !l->call && !l->paused;
}

static void call_lease(struct lease *l, enum az_lease_action action)
{
	if (!may_call(l))
		return;
	l->sent_at = boot_clock();
	l->asked = l->sequence.acknowledged;
	l->call = az_lease(l->client, l->blob, action, LEASE_S, leased, l);
	if (!l->call)
		happens(l, FAILED, &no_memory);
}

static void renew(struct lease *l, const struct az_error *err)
{
	(void)err;
	call_lease(l, AZ_LEASE_RENEW);
}

static void acquire(struct lease *l, const struct az_error *err)
{
	const struct sequence *s = &l->sequence;

	(void)err;
	if (!l->interrupted) {
		l->interrupted = true;
		l->ops->record(l->arg, s->number, s->raising_to);
	}
	l->ops->forgotten(l->arg);
	call_lease(l, AZ_LEASE_ACQUIRE);
}

static void read_number(struct lease *l, const struct az_error *err)
{
	(void)err;
	if (!may_call(l))
		return;
	l->asked_number = l->sequence.number;
	l->asked = l->sequence.acknowledged;
	l->call = az_get_properties(l->client, l->blob, number_read, l);
	if (!l->call)
		happens(l, FAILED, &no_memory);
}

static void try_later(struct lease *l, const char *what, const struct az_error *err)
{
	loop_timer_arm(l->loop, &l->timer, retry_backoff(&l->retry, err->retry_after));
	l->ops->trouble(l->arg, &l->retry, what, err);
}

static void renew_later(struct lease *l, const struct az_error *err)
{
	try_later(l, "renew the lease", err);
}

static void read_later(struct lease *l, const struct az_error *err)
{
	try_later(l, "read the sequence number", err);
}

static void go_on(struct lease *l, const struct az_error *err)
{
	(void)err;
	if (sequence_settled(&l->sequence))
		l->ops->held(l->arg);
}

static void extend(struct lease *l, const struct az_error *err)
{
	if (l->retry.stuck)
		l->ops->trouble(l->arg, &l->retry, "", NULL);
	retry_reset(&l->retry);
	lease_extend(l);
	lease_start(l);
	go_on(l, err); /* the deadline may have passed meanwhile */
}

static void raise_number(struct lease *l, const struct az_error *err)
{
	(void)err;
	sequence_raise(&l->sequence);
}

static void lose(struct lease *l, const char *why)
{
	lease_stop(l);
	l->ops->lost(l->arg, why);
}

static void lose_taken(struct lease *l, const struct az_error *err)
{
	(void)err;
	lose(l, lease_taken);
}

static void lose_foreign(struct lease *l, const struct az_error *err)
{
	(void)err;
	lose(l, lease_foreign);
}

static void lose_rolled_back(struct lease *l, const struct az_error *err)
{
	(void)err;
	lose(l, l->why);
}

static void lose_unknowable(struct lease *l, const struct az_error *err)
{
	(void)err;
	lose(l, lease_unknowable);
}

static void lose_deleted(struct lease *l, const struct az_error *err)
{
	(void)err;
	lose(l, lease_deleted);
}

/* --- events --------------------------------------------------------------- */

static void leased(void *arg, const struct az_result *res)
{
	const struct az_error *e = &res->err;
	struct lease *l = arg;

	l->call = NULL;
	if (e->class == AZ_OK && lease_rolled_back(l, &res->props, 0, l->why, sizeof(l->why)))
		happens(l, ROLLED_BACK, NULL);
	else if (e->class == AZ_OK)
		happens(l, GRANTED, NULL);
	else if (e->class == AZ_NOT_FOUND)
		happens(l, DELETED, NULL);
	else if (az_error_is(e, "LeaseNotPresentWithLeaseOperation"))
		happens(l, sequence_settled(&l->sequence) ? NO_LEASE : UNKNOWABLE, NULL);
	else if (az_error_is_lease(e))
		happens(l, TAKEN, NULL);
	else
		happens(l, FAILED, e);
}

static void number_read(void *arg, const struct az_result *res)
{
	uint64_t found = res->props.sequence_number;
	struct lease *l = arg;

	l->call = NULL;
	if (res->err.class == AZ_NOT_FOUND)
		happens(l, DELETED, NULL);
	else if (res->err.class != AZ_OK)
		happens(l, FAILED, &res->err);
	else if (lease_rolled_back(l, &res->props, l->asked_number, l->why, sizeof(l->why)))
		happens(l, ROLLED_BACK, NULL);
	else if (!sequence_is_ours(&l->sequence, l->asked_number, found))
		happens(l, FOREIGN, NULL);
	else
		happens(l, OURS, NULL);
}

static void raise_answered(void *arg, enum sequence_answer answer)
{
	static const enum event events[] = {
		[SEQUENCE_RAISED] = RAISED,
		[SEQUENCE_FOREIGN] = FOREIGN,
		[SEQUENCE_NO_BLOB] = DELETED,
		[SEQUENCE_NO_LEASE] = DOUBT,
	};

	happens(arg, events[answer], NULL);
}

static void due(void *arg)
{
	struct lease *l = arg;

	if (may_call(l))
		happens(l, DUE, NULL);
}

void lease_doubt(struct lease *l)
{
	happens(l, DOUBT, NULL);
}

void lease_doubt_number(struct lease *l)
{
	happens(l, DOUBT_NUMBER, NULL);
}

void lease_raise(struct lease *l)
{
	happens(l, RAISE, NULL);
}

void lease_write_sent(struct lease *l)
{
	acknowledged_sent(&l->sequence.acknowledged);
}

void lease_write_answered(struct lease *l, const struct az_result *res, bool doubt)
{
	const struct sequence *s = &l->sequence;

	if (acknowledged_answered(&l->sequence.acknowledged, res, doubt))
		l->ops->record(l->arg, s->number, s->raising_to);
}

bool lease_rolled_back(const struct lease *l, const struct az_props *p, uint64_t number, char *why,
		       size_t len)
{
	static const char what[] = "the blob was rolled back to an earlier state";
	static const char advice[] = "writes that had been acknowledged are not in it: unmount the "
				     "drive, and check what is in the blob before it is used";
	char acknowledged[DATE_SECONDS];

	if (acknowledged_before(&l->asked, &l->sequence.acknowledged, p)) {
		snprintf(why, len, "%s (it was modified last at %s, and a write at %s); %s", what,
			 p->last_modified, date_seconds(l->asked.modified, acknowledged), advice);
		return true;
	}
	if (p->has_sequence_number && p->sequence_number < number) {
		snprintf(
			why, len,
			"%s, or another machine has made it anew (its sequence number is %llu, and was %llu); %s",
			what, (unsigned long long)p->sequence_number, (unsigned long long)number,
			advice);
		return true;
	}
	return false;
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
	due(l);
}

void lease_pause(struct lease *l, bool paused)
{
	l->paused = paused;
	if (l->state == LEASE_LOST)
		return;
	if (!paused)
		lease_hurry(l);
	sequence_pause(&l->sequence, paused);
	if (!paused && (l->state == LEASE_HELD || l->state == LEASE_UNNEEDED))
		go_on(l, NULL);
}

/* --- beginning and end ---------------------------------------------------- */

static void record(void *arg, uint64_t number, uint64_t raising_to)
{
	struct lease *l = arg;

	l->ops->record(l->arg, number, raising_to);
}

static void trouble(void *arg, struct retry *r, const char *what, const struct az_error *err)
{
	struct lease *l = arg;

	l->ops->trouble(l->arg, r, what, err);
}

void lease_init(struct lease *l, struct loop *loop, struct az_client *client, struct az_blob *blob,
		const struct lease_ops *ops, void *arg)
{
	static const struct sequence_ops sequence_ops = {
		.answered = raise_answered,
		.record = record,
		.trouble = trouble,
	};

	*l = (struct lease){
		.loop = loop,
		.client = client,
		.blob = blob,
		.ops = ops,
		.arg = arg,
	};
	loop_timer_init(&l->timer, due, l);
	sequence_init(&l->sequence, loop, client, blob, &sequence_ops, l);
}

void lease_not_needed(struct lease *l)
{
	l->state = LEASE_UNNEEDED;
}

void lease_extend(struct lease *l)
{
	l->until = l->sent_at + LEASE_CERTAIN_NS;
	l->ops->deadline(l->arg, l->until);
}

void lease_start(struct lease *l)
{
	uint64_t now = boot_clock(), at = l->sent_at + LOOP_SEC(LEASE_RENEW_S);

	if (l->state == LEASE_UNNEEDED)
		return;
	loop_timer_arm(l->loop, &l->timer, at > now ? at - now : 0);
}

void lease_stop(struct lease *l)
{
	loop_timer_cancel(l->loop, &l->timer);
	if (l->call)
		az_call_cancel(l->call);
	l->call = NULL;
	sequence_stop(&l->sequence);
}

void lease_drop(struct lease *l)
{
	l->state = LEASE_LOST;
	lease_stop(l);
}
