// SPDX-License-Identifier: MIT
#include "azure/listing.h"

#include "azure/blob.h"

static void ask(void *arg);

static void end(struct az_listing *l, const struct az_error *err)
{
	l->at = l->size;
	l->ops->done(l->arg, err);
}

static void try_again(struct az_listing *l, const struct az_error *err)
{
	uint64_t wait = retry_backoff(&l->retry, err->retry_after);

	if (l->ops->failed(l->arg, err, &l->retry))
		loop_timer_arm(l->loop, &l->again, wait);
	else
		end(l, err);
}

/* It may be the length of the list that the service can't do: a shorter one is a first
 * try, as long as there is one. */
static void shorten(struct az_listing *l)
{
	if (l->asked <= LISTING_LEAST)
		return;
	l->segment = l->asked / 4 / AZ_PAGE * AZ_PAGE;
	if (l->segment < LISTING_LEAST)
		l->segment = LISTING_LEAST;
	retry_reset(&l->retry);
}

static void on_late(void *arg)
{
	static const struct az_error late = { .class = AZ_NO_RESPONSE,
					      .sent = true,
					      .message = "the list of page ranges takes too long" };
	struct az_listing *l = arg;

	az_call_cancel(l->call);
	l->call = NULL;
	shorten(l);
	try_again(l, &late);
}

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	struct az_listing *l = arg;

	l->ops->range(l->arg, offset, len);
}

static void on_done(void *arg, const struct az_result *res)
{
	struct az_listing *l = arg;
	uint64_t offset = l->at;

	l->call = NULL;
	loop_timer_cancel(l->loop, &l->late);
	if (res->err.class != AZ_OK) {
		if (res->err.class == AZ_BUSY || res->err.class == AZ_NO_RESPONSE)
			shorten(l);
		try_again(l, &res->err);
		return;
	}
	retry_reset(&l->retry);
	if (loop_now() - l->started < LOOP_MS(LISTING_QUICK_MS))
		l->segment = 4 * l->asked;
	l->at += l->asked;
	if (l->ops->listed)
		l->ops->listed(l->arg, offset, l->asked);
	if (l->at == l->size)
		end(l, &res->err);
	else
		ask(l);
}

static void ask(void *arg)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct az_listing *l = arg;

	l->asked = l->segment < l->size - l->at ? l->segment : l->size - l->at;
	l->started = loop_now();
	if (l->ops->begins)
		l->ops->begins(l->arg, l->at, l->asked);
	l->call = az_get_page_ranges(l->client, l->blob, l->at, l->asked, on_range, on_done, l);
	if (!l->call) {
		try_again(l, &no_memory);
		return;
	}
	loop_timer_arm(l->loop, &l->late, LOOP_SEC(LISTING_LATE_S));
}

void az_listing_start(struct az_listing *l, struct loop *loop, struct az_client *client,
		      const struct az_blob *blob, uint64_t size, const struct az_listing_ops *ops,
		      void *arg)
{
	*l = (struct az_listing){
		.loop = loop,
		.client = client,
		.blob = blob,
		.ops = ops,
		.arg = arg,
		.size = size,
		.segment = LISTING_FIRST,
	};
	loop_timer_init(&l->late, on_late, l);
	loop_timer_init(&l->again, ask, l);
	loop_timer_arm(loop, &l->again, 0);
}

void az_listing_stop(struct az_listing *l)
{
	if (!l->loop)
		return;
	loop_timer_cancel(l->loop, &l->late);
	loop_timer_cancel(l->loop, &l->again);
	if (l->call)
		az_call_cancel(l->call);
	l->call = NULL;
	l->loop = NULL;
}
