// SPDX-License-Identifier: MIT
/*
 * store_call.c - the call of the service that carries out an operation on the blob, and its body
 *
 * Of a read there may be two in flight at once: the second goes to a buffer of its own,
 * as bytes are verified only at their end, and two that write to one place would leave a
 * mixture there.  Whichever ends well first serves; the other is cancelled.
 */
#include "drive/store.h"

#include <string.h>

/* --- bodies ------------------------------------------------------------- */

static int read_body(void *arg, void *buf, size_t len, uint64_t pos)
{
	struct blob_op *t = arg;

	return link_payload_read(t->store->link, t->io->desc.tag, buf, len, pos);
}

static int write_body(void *arg, const void *buf, size_t len, uint64_t pos)
{
	struct blob_op *t = arg;

	return link_payload_write(t->store->link, t->io->desc.tag, buf, len,
				  t->offset - io_offset(t->io) + pos);
}

static int write_second(void *arg, const void *buf, size_t len, uint64_t pos)
{
	struct hedge_read *h = arg;

	memcpy(h->data + pos, buf, len);
	return 0;
}

/* --- second reads ---------------------------------------------------------- */

static void drop_second(struct blob_op *t)
{
	struct hedge_read *h = t->second;

	loop_timer_cancel(t->store->loop, &t->late);
	if (!h)
		return;
	if (h->call)
		az_call_cancel(h->call);
	h->call = NULL;
	h->op = NULL;
	t->second = NULL;
	t->store->active--;
}

static void second_ended(void *arg, const struct az_result *res)
{
	struct hedge_read *h = arg;
	struct blob_op *t = h->op;
	struct az_result result = *res;

	h->call = NULL;
	if (res->err.class != AZ_OK) {
		/* The first goes on; what becomes of it decides. */
		if (az_error_is_throttle(&res->err))
			congestion_refused(&t->store->congestion, loop_now(), h->started,
					   res->err.retry_after);
		drop_second(t);
		store_run(t->store);
		return;
	}
	hedge_observe(&t->store->hedge, loop_now() - t->started);
	az_call_cancel(t->call);
	t->call = NULL;
	t->store->hedges_won++;
	if (write_body(t, h->data, (size_t)t->part, 0))
		result.err =
			(struct az_error){ .class = AZ_LOCAL, .message = "the request is no more" };
	drop_second(t);
	store_called(t, &result);
}

static struct hedge_read *free_second(struct store *s)
{
	for (unsigned int i = 0; i < STORE_HEDGES; i++)
		if (!s->buffers->second[i].op)
			return &s->buffers->second[i];
	return NULL;
}

/* The read is late. */
static void on_late(void *arg)
{
	struct blob_op *t = arg;
	struct store *s = t->store;
	struct hedge_read *h = free_second(s);

	if (!h || s->active >= s->connections || !lease_may_read(s->lease) ||
	    congestion_delay(&s->congestion, loop_now()) || !hedge_take(&s->hedge))
		return;
	h->call = az_get_range(s->client, s->blob, t->offset, (uint32_t)t->part,
			       &(struct az_sink){ write_second, h }, second_ended, h);
	if (!h->call)
		return;
	h->op = t;
	h->started = loop_now();
	t->second = h;
	s->active++;
	s->hedged++;
	congestion_started(&s->congestion, h->started, t->part);
}

static void wait_for_lateness(struct blob_op *t)
{
	uint64_t after = hedge_after(&t->store->hedge);

	if (after && t->part <= STORE_HEDGE_BYTES)
		loop_timer_arm(t->store->loop, &t->late, after);
}

/* --- calls ----------------------------------------------------------------- */

static void ended(void *arg, const struct az_result *res)
{
	struct blob_op *t = arg;

	t->call = NULL;
	drop_second(t);
	if (t->io->desc.op == CDRIVE_OP_READ && t->part <= STORE_HEDGE_BYTES)
		hedge_observe(&t->store->hedge, loop_now() - t->started);
	store_called(t, res);
}

static struct az_call *put(struct blob_op *t)
{
	const struct az_source source = {
		.read = read_body,
		.arg = t,
		.memory = t->changed ? t->store->buffers->copy : NULL,
		.digest = &t->digest,
	};
	struct store *s = t->store;

	return az_put_page(s->client, s->blob, t->offset, (uint32_t)t->len, t->number, &source,
			   ended, t);
}

bool store_call(struct blob_op *t)
{
	struct store *s = t->store;

	loop_timer_init(&t->late, on_late, t);
	t->started = loop_now();
	t->number = s->lease->sequence.number;
	t->part = t->len;
	if (blob_op_clears(t) && t->part > s->clear_most)
		t->part = s->clear_most;
	if (blob_op_writes(t) && s->sent)
		pagemap_set(s->sent, t->offset, t->part);
	switch (t->io->desc.op) {
	case CDRIVE_OP_READ:
		t->call = az_get_range(s->client, s->blob, t->offset, (uint32_t)t->part,
				       &(struct az_sink){ write_body, t }, ended, t);
		if (t->call)
			wait_for_lateness(t);
		break;
	case CDRIVE_OP_WRITE:
		/* Before it is sent: it may be applied and not answered. */
		pagemap_set(s->map, t->offset, t->len);
		t->call = put(t);
		break;
	default:
		t->call =
			az_clear_pages(s->client, s->blob, t->offset, t->part, t->number, ended, t);
		break;
	}
	return t->call;
}

void store_call_cancel(struct blob_op *t)
{
	drop_second(t);
	if (t->call)
		az_call_cancel(t->call);
	t->call = NULL;
}
