// SPDX-License-Identifier: MIT
#include "drive/store.h"

#include <errno.h>
#include <string.h>

#include "lib/log.h"

/* So many reads may be sent in a row before a write that could be sent. */
#define READS_IN_ROW 4u

static const char *verb(const struct blob_op *t)
{
	switch (t->io->desc.op) {
	case CDRIVE_OP_READ:
		return "read";
	case CDRIVE_OP_WRITE:
		return "write";
	default:
		return "clear";
	}
}

/* --- lines ---------------------------------------------------------------- */

static void append(struct line *line, struct blob_op *t)
{
	t->next = NULL;
	t->queued = true;
	*(line->last ? &line->last->next : &line->first) = t;
	line->last = t;
}

static void prepend(struct line *line, struct blob_op *t)
{
	t->next = line->first;
	t->queued = true;
	line->first = t;
	if (!line->last)
		line->last = t;
}

static struct blob_op *take(struct line *line)
{
	struct blob_op *t = line->first;

	line->first = t->next;
	if (!line->first)
		line->last = NULL;
	t->queued = false;
	return t;
}

/* What has nothing to send waits for certainty alone, as reads do. */
static struct line *line_of(struct blob_op *t)
{
	return blob_op_writes(t) && t->len ? &t->store->writes : &t->store->reads;
}

/* --- raising the number --------------------------------------------------------- */

static void want_raise(struct store *s)
{
	if (s->raise)
		return;
	s->raise = true;
	loop_timer_arm(s->loop, &s->drain, LOOP_SEC(STORE_DRAIN_S));
}

/* The number was raised: by us, or by whoever asked for it. */
static void note_number(struct store *s)
{
	uint64_t number = s->lease->sequence.number;

	if (number == s->doubts_number)
		return;
	s->doubts_number = number;
	doubts_end(&s->doubts);
	s->raise = false;
	loop_timer_cancel(s->loop, &s->drain);
}

/* What is in flight would be refused afterwards; and it has been waited for. */
static void raise_when_drained(struct store *s)
{
	if (!s->raise || !lease_may_send(s->lease) || (s->writing && loop_timer_armed(&s->drain)))
		return;
	s->raises++;
	lease_raise(s->lease);
}

static void on_drain(void *arg)
{
	store_run(arg);
}

static void on_idle(void *arg)
{
	struct store *s = arg;

	if (s->writing || s->writes.first || !s->doubts.n)
		return;
	want_raise(s);
	store_run(s);
}

/* --- ends --------------------------------------------------------------- */

static void give_copy_back(struct blob_op *t)
{
	struct store *s = t->store;

	if (s->copy_of != t)
		return;
	s->copy_of = NULL;
	if (s->copies.first)
		prepend(&s->writes, take(&s->copies));
}

static void reset(struct blob_op *t)
{
	if (t->retry.stuck)
		t->store->trouble(t->store->arg, &t->retry, "", NULL);
	retry_reset(&t->retry);
	t->changed = false;
	t->digest = (struct az_digest){ 0 };
}

static void finish(struct blob_op *t, int status)
{
	struct store *s = t->store;

	if (blob_op_writes(t)) {
		doubts_disown(&s->doubts, t);
		/* What has failed must not change the disk later. */
		if (status && s->doubts.n)
			want_raise(s);
		loop_timer_arm(s->loop, &s->idle, LOOP_SEC(STORE_IDLE_S));
	}
	give_copy_back(t);
	reset(t);
	io_done(t->io, status);
}

static void try_again(void *arg)
{
	struct blob_op *t = arg;

	append(line_of(t), t);
	store_run(t->store);
}

static void retry_later(struct blob_op *t, const struct az_error *err)
{
	struct store *s = t->store;
	uint64_t delay = retry_backoff(&t->retry, err->retry_after);

	/* Waiting alone will not heal these. */
	if (err->class == AZ_DENIED || err->class == AZ_UNTRUSTED)
		t->retry.stuck = true;
	s->retries++;
	loop_timer_arm(s->loop, &t->timer, delay);
	s->trouble(s->arg, &t->retry, verb(t), err);
}

/*
 * Refused as one too many: it is the next in line.  A drive that is served at its limit
 * has no trouble, however often that happens to one request.
 */
static void refused(struct blob_op *t, const struct az_error *err)
{
	struct store *s = t->store;
	uint64_t now = loop_now();

	congestion_refused(&s->congestion, now, t->started, err->retry_after);
	s->retries++;
	retry_backoff(&t->retry, 0);
	if (now - s->served_at < LOOP_SEC(RETRY_CEILING_S))
		t->retry.stuck = t->retry.counted;
	if (now - s->served_at >= LOOP_SEC(1))
		s->trouble(s->arg, &t->retry, verb(t), err);
	prepend(line_of(t), t);
}

static bool sequence_error(const struct az_error *e)
{
	return az_error_is(e, "SequenceNumberConditionNotMet");
}

static bool body_changed(const struct az_error *e)
{
	return e->class == AZ_CHANGED || az_error_is(e, "Md5Mismatch") ||
	       az_error_is(e, "Crc64Mismatch");
}

/* What may go better the next time: the service, the way to it, memory, or a copy that
 * was spoilt on its way. */
static bool may_heal(const struct az_error *e)
{
	return az_error_transient(e) || e->class == AZ_DENIED || e->class == AZ_UNTRUSTED ||
	       e->class == AZ_LOCAL || body_changed(e);
}

/*
 * An application wrote to the buffer that it had handed in.  Whatever it holds now is as
 * good as anything; but it has to be one thing from the first try to the last, so the next
 * ones send a copy.  What was in doubt was other bytes.
 */
static void send_copy(struct blob_op *t)
{
	if (t->digest.sum)
		doubts_disown(&t->store->doubts, t);
	t->digest = (struct az_digest){ 0 };
	t->changed = true;
	t->store->retries++;
	prepend(line_of(t), t);
}

/* It may be the length of the clear that the service can't do in its time. */
static void shorten_clear(struct blob_op *t, const struct az_error *err)
{
	struct store *s = t->store;

	if (!blob_op_clears(t) || t->part <= STORE_CLEAR_LEAST ||
	    (err->class != AZ_BUSY && err->class != AZ_NO_RESPONSE) || err->http == 503)
		return;
	s->clear_most = t->part / 2 / AZ_PAGE * AZ_PAGE;
	if (s->clear_most < STORE_CLEAR_LEAST)
		s->clear_most = STORE_CLEAR_LEAST;
}

/*
 * What to do about a call that failed.  Waiting until it heals is the rule,
 * since the caller of a disk can do nothing better with an error than we; only
 * what can't heal fails.
 */
static void failed(struct blob_op *t, const struct az_error *err)
{
	struct store *s = t->store;
	char text[192];

	if (blob_op_writes(t) && az_error_maybe_applied(err) && t->number == s->doubts_number) {
		doubts_add(&s->doubts, t->offset, t->part, t);
		loop_timer_arm(s->loop, &s->idle, LOOP_SEC(STORE_IDLE_S));
	}
	shorten_clear(t, err);

	if (sequence_error(err) && t->number != s->lease->sequence.number) {
		/* It was not applied: it had said an old number. */
		prepend(line_of(t), t);
	} else if (az_error_is_lease(err)) {
		lease_doubt(s->lease);
		retry_later(t, err);
	} else if (sequence_error(err)) {
		/* A raise of our own may have been applied already. */
		if (sequence_settled(&s->lease->sequence))
			lease_doubt_number(s->lease);
		retry_later(t, err);
	} else if (err->class == AZ_NOT_FOUND) {
		s->lost(s->arg, "the blob was deleted");
	} else if (body_changed(err) && !t->changed) {
		send_copy(t);
	} else if (az_error_is_throttle(err)) {
		refused(t, err);
	} else if (may_heal(err)) {
		retry_later(t, err);
	} else {
		log_error("%s of %llu bytes at %llu failed: %s", verb(t),
			  (unsigned long long)t->len, (unsigned long long)t->offset,
			  az_error_text(err, text, sizeof(text)));
		finish(t, -EIO);
	}
}

/* A clear is done in parts. */
static void succeeded(struct blob_op *t)
{
	struct store *s = t->store;

	s->served_at = loop_now();
	congestion_served(&s->congestion, s->served_at, t->part);
	if (!blob_op_clears(t)) {
		finish(t, 0);
		return;
	}
	pagemap_clear(s->map, t->offset, t->part);
	if (s->served_at - t->started < LOOP_SEC(1) && s->clear_most < UINT64_MAX / 2)
		s->clear_most *= 2;
	t->offset += t->part;
	t->len -= t->part;
	if (t->len)
		prepend(line_of(t), t);
	else
		finish(t, 0);
}

void store_called(struct blob_op *t, const struct az_result *res)
{
	struct store *s = t->store;

	s->active--;
	if (blob_op_writes(t)) {
		s->writing--;
		lease_write_answered(s->lease, res, s->doubts.n);
	}
	note_number(s);
	if (res->err.class == AZ_OK)
		succeeded(t);
	else
		failed(t, &res->err);
	store_run(s);
}

/* --- beginnings --------------------------------------------------------- */

/* The copy is @t's, and filled.  False: it waits for it. */
static bool get_copy(struct blob_op *t)
{
	struct store *s = t->store;

	if (s->copy_of == t)
		return true;
	if (s->copy_of) {
		append(&s->copies, t);
		return false;
	}
	if (link_payload_read(s->link, t->io->desc.tag, s->buffers->copy, (size_t)t->len, 0)) {
		const struct az_error err = { .class = AZ_LOCAL, .message = "can't copy the data" };

		retry_later(t, &err);
		return false;
	}
	s->copy_of = t;
	return true;
}

/* The next write, if it may be sent: see doubt.h. */
static bool write_may_go(struct store *s)
{
	const struct blob_op *t = s->writes.first;

	if (!t || !lease_may_send(s->lease) || s->raise)
		return false;
	if (!doubts_full(&s->doubts) && !doubts_overlap(&s->doubts, t->offset, t->len, t))
		return true;
	want_raise(s);
	return false;
}

/* Reads go first, as somebody waits for each; but writes do go. */
static struct blob_op *next(struct store *s)
{
	bool read = s->reads.first && lease_may_read(s->lease);
	bool write = write_may_go(s);

	if (read && (!write || s->reads_in_row < READS_IN_ROW)) {
		s->reads_in_row = write ? s->reads_in_row + 1 : 0;
		return take(&s->reads);
	}
	if (!write)
		return NULL;
	s->reads_in_row = 0;
	return take(&s->writes);
}

static void send(struct blob_op *t)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct store *s = t->store;

	if (!t->len) { /* it had only waited for certainty */
		finish(t, 0);
		return;
	}
	if (t->changed && !get_copy(t))
		return;
	if (!store_call(t)) {
		retry_later(t, &no_memory);
		return;
	}
	s->active++;
	if (blob_op_writes(t)) {
		s->writing++;
		lease_write_sent(s->lease);
	}
	congestion_started(&s->congestion, t->started, t->part);
}

void store_run(struct store *s)
{
	struct blob_op *t;
	uint64_t delay;

	note_number(s);
	while (s->active < s->connections) {
		delay = congestion_delay(&s->congestion, loop_now());
		if (delay) {
			loop_timer_arm(s->loop, &s->pace, delay);
			break;
		}
		t = next(s);
		if (!t)
			break;
		send(t);
	}
	raise_when_drained(s);
}

static void on_pace(void *arg)
{
	store_run(arg);
}

/* The parts of a read that hold no data. */
static int zero_around(struct blob_op *t)
{
	uint64_t start = io_offset(t->io), end = start + io_bytes(t->io);
	int err;

	err = link_payload_zero(t->store->link, t->io->desc.tag, t->offset - start, 0);
	if (err)
		return err;
	return link_payload_zero(t->store->link, t->io->desc.tag, end - (t->offset + t->len),
				 t->offset + t->len - start);
}

static void submit(void *backend, struct io *io)
{
	struct store *s = backend;
	struct blob_op *t = &s->blob_ops[io->slot];
	bool data;

	t->io = io;
	t->offset = io_offset(io);
	t->len = io_bytes(io);
	retry_reset(&t->retry);
	data = io->desc.op == CDRIVE_OP_WRITE || pagemap_narrow(s->map, &t->offset, &t->len);
	if (!data)
		t->len = 0;
	if (io->desc.op == CDRIVE_OP_READ) {
		int err = zero_around(t);

		if (err) {
			io_done(io, err);
			return;
		}
	}
	/* The service need not be asked; but it is not there to refuse it,
	 * either, when somebody else may have written meanwhile. */
	if (!data && lease_certain(s->lease)) {
		io_done(io, 0);
		return;
	}
	append(line_of(t), t);
	store_run(s);
}

/* What is in flight may land yet; and whoever waited for it is told that it failed. */
static void cancel(void *backend)
{
	struct store *s = backend;

	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		struct blob_op *t = &s->blob_ops[i];

		loop_timer_cancel(s->loop, &t->timer);
		if (t->call && blob_op_writes(t)) {
			doubts_add(&s->doubts, t->offset, t->part, NULL);
			lease_write_answered(s->lease, NULL, true);
		}
		if (t->call)
			store_call_cancel(t);
		doubts_disown(&s->doubts, t);
		t->queued = false;
		reset(t);
	}
	s->active = s->writing = 0;
	s->reads = s->writes = s->copies = (struct line){ 0 };
	s->copy_of = NULL;
	loop_timer_cancel(s->loop, &s->pace);
	loop_timer_cancel(s->loop, &s->drain);
	loop_timer_cancel(s->loop, &s->idle);
	s->raise = s->doubts.n;
}

const struct backend_ops store_ops = { .submit = submit, .cancel = cancel };

void store_init(struct store *s)
{
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		s->blob_ops[i].store = s;
		loop_timer_init(&s->blob_ops[i].timer, try_again, &s->blob_ops[i]);
		loop_timer_init(&s->blob_ops[i].late, NULL, NULL);
	}
	loop_timer_init(&s->pace, on_pace, s);
	loop_timer_init(&s->drain, on_drain, s);
	loop_timer_init(&s->idle, on_idle, s);
	s->clear_most = UINT64_MAX;
	s->served_at = loop_now();
	for (unsigned int i = 0; i < STORE_HEDGES; i++)
		s->buffers->second[i].op = NULL;
}

void store_stop(struct store *s)
{
	loop_timer_cancel(s->loop, &s->pace);
	loop_timer_cancel(s->loop, &s->drain);
	loop_timer_cancel(s->loop, &s->idle);
}
