// SPDX-License-Identifier: MIT
#include "drive/store.h"

#include <errno.h>
#include <string.h>

#include "azure/blob.h"
#include "lib/log.h"

static bool is_write(const struct transfer *t)
{
	return t->io->desc.op != CDRIVE_OP_READ;
}

static const char *verb(const struct transfer *t)
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

/* --- bodies ------------------------------------------------------------- */

static int read_body(void *arg, void *buf, size_t len, uint64_t pos)
{
	struct transfer *t = arg;

	return link_payload_read(t->store->link, t->io->desc.tag, buf, len, pos);
}

static int write_body(void *arg, const void *buf, size_t len, uint64_t pos)
{
	struct transfer *t = arg;

	return link_payload_write(t->store->link, t->io->desc.tag, buf, len,
				  t->offset - io_offset(t->io) + pos);
}

/* The parts of a read that hold no data. */
static int zero_around(struct transfer *t)
{
	uint64_t start = io_offset(t->io), end = start + io_bytes(t->io);
	int err;

	err = link_payload_zero(t->store->link, t->io->desc.tag, t->offset - start, 0);
	if (err)
		return err;
	return link_payload_zero(t->store->link, t->io->desc.tag, end - (t->offset + t->len),
				 t->offset + t->len - start);
}

/* --- ends --------------------------------------------------------------- */

static void finish(struct transfer *t, int status)
{
	if (t->retry.stuck)
		t->store->trouble(t->store->arg, &t->retry, "", NULL);
	retry_reset(&t->retry);
	io_done(t->io, status);
}

static void enqueue(struct transfer *t)
{
	struct store *s = t->store;

	t->next = NULL;
	t->queued = true;
	*(s->last ? &s->last->next : &s->first) = t;
	s->last = t;
}

static void try_again(void *arg)
{
	struct transfer *t = arg;

	enqueue(t);
	store_run(t->store);
}

static void retry_later(struct transfer *t, const struct az_error *err)
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

static bool sequence_error(const struct az_error *e)
{
	return az_error_is(e, "SequenceNumberConditionNotMet");
}

/* What may go better the next time: the service, the way to it, memory, or a
 * body that changed on its way. */
static bool may_heal(const struct az_error *e)
{
	return az_error_transient(e) || e->class == AZ_DENIED || e->class == AZ_UNTRUSTED ||
	       e->class == AZ_LOCAL || az_error_is(e, "Md5Mismatch") ||
	       az_error_is(e, "Crc64Mismatch");
}

/*
 * What to do about a call that failed.  Waiting until it heals is the rule,
 * since the caller of a disk can do nothing better with an error than we; only
 * what can't heal fails.
 */
static void failed(struct transfer *t, const struct az_error *err)
{
	struct store *s = t->store;
	char text[192];

	if (is_write(t) && az_error_maybe_applied(err))
		lease_doubt_write(s->lease, t->number);

	if (sequence_error(err) && t->number != s->lease->sequence.number) {
		/* It was not applied: it had said an old number. */
		enqueue(t);
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
	} else if (may_heal(err)) {
		retry_later(t, err);
	} else {
		log_error("%s of %llu bytes at %llu failed: %s", verb(t),
			  (unsigned long long)t->len, (unsigned long long)t->offset,
			  az_error_text(err, text, sizeof(text)));
		finish(t, -EIO);
	}
}

static void done(void *arg, const struct az_result *res)
{
	struct transfer *t = arg;
	struct store *s = t->store;

	t->call = NULL;
	s->active--;
	if (res->err.class != AZ_OK) {
		failed(t, &res->err);
	} else {
		if (t->io->desc.op == CDRIVE_OP_DISCARD || t->io->desc.op == CDRIVE_OP_WRITE_ZEROES)
			pagemap_clear(s->map, t->offset, t->len);
		finish(t, 0);
	}
	store_run(s);
}

/* --- beginnings --------------------------------------------------------- */

static struct az_call *call(struct transfer *t)
{
	struct store *s = t->store;

	switch (t->io->desc.op) {
	case CDRIVE_OP_READ:
		return az_get_range(s->client, s->blob, t->offset, (uint32_t)t->len,
				    &(struct az_sink){ write_body, t }, done, t);
	case CDRIVE_OP_WRITE:
		/* Before it is sent: it may be applied and not answered. */
		pagemap_set(s->map, t->offset, t->len);
		return az_put_page(s->client, s->blob, t->offset, (uint32_t)t->len, t->number,
				   &(struct az_source){ .read = read_body, .arg = t }, done, t);
	default:
		return az_clear_pages(s->client, s->blob, t->offset, t->len, t->number, done, t);
	}
}

void store_run(struct store *s)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };

	while (s->first && s->active < s->connections && lease_may_send(s->lease)) {
		struct transfer *t = s->first;

		s->first = t->next;
		if (!s->first)
			s->last = NULL;
		t->queued = false;
		if (!t->len) { /* it had only waited for certainty */
			finish(t, 0);
			continue;
		}
		t->number = s->lease->sequence.number;
		t->call = call(t);
		if (t->call)
			s->active++;
		else
			retry_later(t, &no_memory);
	}
}

static void submit(void *backend, struct io *io)
{
	struct store *s = backend;
	struct transfer *t = &s->transfers[io->slot];
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
	enqueue(t);
	store_run(s);
}

static void cancel(void *backend)
{
	struct store *s = backend;

	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		struct transfer *t = &s->transfers[i];

		loop_timer_cancel(s->loop, &t->timer);
		if (t->call)
			az_call_cancel(t->call);
		t->call = NULL;
		t->queued = false;
		if (t->retry.stuck)
			s->trouble(s->arg, &t->retry, "", NULL);
		retry_reset(&t->retry);
	}
	s->active = 0;
	s->first = NULL;
	s->last = NULL;
}

const struct backend_ops store_ops = { .submit = submit, .cancel = cancel };

void store_init(struct store *s)
{
	for (unsigned int i = 0; i < CDRIVE_QUEUE_DEPTH; i++) {
		s->transfers[i].store = s;
		loop_timer_init(&s->transfers[i].timer, try_again, &s->transfers[i]);
	}
}
