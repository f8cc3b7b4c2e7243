// SPDX-License-Identifier: MIT
#include "drive/mapfill.h"

#include <errno.h>

#include "lib/log.h"

static void empty_up_to(struct mapfill *f, uint64_t end)
{
	if (end > f->at)
		pagemap_clear_but(f->store->map, f->at, end - f->at, f->store->sent);
}

static void on_begins(void *arg, uint64_t offset, uint64_t len)
{
	struct mapfill *f = arg;

	(void)len;
	f->at = offset;
}

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	struct mapfill *f = arg;

	empty_up_to(f, offset);
	f->at = offset + len;
}

static void on_listed(void *arg, uint64_t offset, uint64_t len)
{
	empty_up_to(arg, offset + len);
}

static bool on_failed(void *arg, const struct az_error *err, const struct retry *retry)
{
	struct mapfill *f = arg;
	char text[192];

	(void)retry;
	if (!f->logged)
		log_info(
			"%s: can't list the page ranges yet: %s; what was never written is read from the service, too, until that is done",
			f->name, az_error_text(err, text, sizeof(text)));
	f->logged = true;
	return true;
}

static void on_done(void *arg, const struct az_error *err)
{
	struct mapfill *f = arg;

	(void)err;
	pagemap_free(f->store->sent);
	f->store->sent = NULL;
	f->filling = false;
}

int mapfill_start(struct mapfill *f, struct store *s, uint64_t size, const char *name)
{
	static const struct az_listing_ops ops = {
		.range = on_range,
		.begins = on_begins,
		.listed = on_listed,
		.failed = on_failed,
		.done = on_done,
	};

	*f = (struct mapfill){ .store = s, .name = name, .filling = true };
	s->map = pagemap_new(size);
	s->sent = pagemap_new(size);
	if (!s->map || !s->sent)
		return -ENOMEM;
	pagemap_fill(s->map);
	az_listing_start(&f->listing, s->loop, s->client, s->blob, size, &ops, f);
	return 0;
}

void mapfill_stop(struct mapfill *f)
{
	if (!f->filling)
		return;
	az_listing_stop(&f->listing);
	pagemap_free(f->store->sent);
	f->store->sent = NULL;
	f->filling = false;
}
