// SPDX-License-Identifier: MIT
#include "drive/validator.h"

#include <errno.h>
#include <string.h>

#include "azure/blob.h"
#include "drive/drive.h"
#include "lib/log.h"
#include "lib/runtime.h"

static uint64_t writes(const struct drive *d)
{
	const struct io_counters *c = &d->queue.counters;

	return c->writes + c->discards + c->write_zeroes;
}

/* A write that the service may carry out yet would make what is read untrue; of one that the
 * driver still has it says so itself. */
static bool is_at_rest(const struct drive *d)
{
	return d->state == CDRIVE_STATE_LIVE && !d->fenced[0] && lease_may_send(&d->lease) &&
	       !d->lease.interrupted && !d->store.doubts.n;
}

static void finish(struct validator *v)
{
	validator_stop(v);
	v->done(v->arg);
}

static void tell(struct validator *v, const char *etag)
{
	int err = link_validator(v->drive->link, etag);

	if (err && err != -EBUSY)
		log_info("%s: what is cached is not kept: %s", v->drive->name, strerror(-err));
	v->told = !err;
}

static void answered(void *arg, const struct az_result *res)
{
	struct validator *v = arg;
	struct drive *d = v->drive;

	v->call = NULL;
	if (res->err.class == AZ_OK && res->props.etag[0] && is_at_rest(d) &&
	    writes(d) == v->writes)
		tell(v, res->props.etag);
	finish(v);
}

static void too_late(void *arg)
{
	finish(arg);
}

void validator_init(struct validator *v, struct drive *d)
{
	*v = (struct validator){ .drive = d };
	loop_timer_init(&v->timer, too_late, v);
}

void validator_stop(struct validator *v)
{
	loop_timer_cancel(v->drive->loop, &v->timer);
	if (v->call)
		az_call_cancel(v->call);
	v->call = NULL;
}

void validator_tell(struct validator *v, void (*done)(void *arg), void *arg)
{
	struct drive *d = v->drive;

	v->done = done;
	v->arg = arg;
	if (v->told && writes(d) == v->writes) {
		done(arg);
		return;
	}
	v->told = false;
	v->writes = writes(d);
	/* The driver says whether there is anything to keep, before the service is asked. */
	if (!is_at_rest(d) || link_validator(d->link, "")) {
		done(arg);
		return;
	}
	if (d->url.snapshot) {
		tell(v, d->etag);
		done(arg);
		return;
	}
	v->call = az_get_properties(d->client, &d->blob, answered, v);
	if (!v->call) {
		done(arg);
		return;
	}
	loop_timer_arm(d->loop, &v->timer, LOOP_MS(VALIDATOR_MS));
}

struct link_cache validator_proven(struct drive *d)
{
	struct link_cache cache = { .size = d->cache_size };
	bool unchanged = d->url.snapshot ? !strcmp(d->etag, d->kept) : d->lease.unchanged;

	d->cache_start = DRIVE_NOTHING_KEPT;
	if (d->kept[0] && !unchanged)
		d->cache_start = "the blob has changed since it was unmounted";
	else if (d->kept[0])
		d->cache_start = "warm";
	if (d->kept[0] && unchanged)
		cache.validator = d->kept;
	return cache;
}
