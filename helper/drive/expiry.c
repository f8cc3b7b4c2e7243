// SPDX-License-Identifier: MIT
#include "drive/expiry.h"

#include "azure/blob.h"
#include "drive/drive.h"
#include "lib/log.h"

static const char what[] = "read the blob's properties";

static void probe(void *arg);

void expiry_init(struct expiry *e, struct drive *d)
{
	*e = (struct expiry){ .drive = d };
	loop_timer_init(&e->timer, probe, e);
}

void expiry_stop(struct expiry *e)
{
	loop_timer_cancel(e->drive->loop, &e->timer);
	if (e->probe)
		az_call_cancel(e->probe);
	e->probe = NULL;
	e->passed = false;
}

static void go_on(struct expiry *e)
{
	struct drive *d = e->drive;

	e->passed = false;
	link_resume(d->link, true);
	/* That took back what we had asked for, too. */
	drive_park_again(d);
}

/* --- a snapshot -------------------------------------------------------------- */

static void try_later(struct expiry *e, const struct az_error *err)
{
	struct drive *d = e->drive;

	loop_timer_arm(d->loop, &e->timer, retry_backoff(&e->retry, err->retry_after));
	drive_trouble(d, &e->retry, what, err);
}

static void answered(void *arg, const struct az_result *res)
{
	struct expiry *e = arg;
	struct drive *d = e->drive;

	e->probe = NULL;
	if (res->err.class == AZ_NOT_FOUND) {
		drive_lost(d, "the snapshot was deleted");
	} else if (res->err.class != AZ_OK) {
		try_later(e, &res->err);
	} else {
		if (e->retry.stuck)
			drive_trouble(d, &e->retry, "", NULL);
		retry_reset(&e->retry);
		go_on(e);
	}
}

static void probe(void *arg)
{
	static const struct az_error no_memory = { .class = AZ_LOCAL, .message = "out of memory" };
	struct expiry *e = arg;
	struct drive *d = e->drive;

	e->probe = az_get_properties(d->client, &d->blob, answered, e);
	if (!e->probe)
		try_later(e, &no_memory);
}

/* --- a blob ------------------------------------------------------------------- */

void expiry_passed(struct expiry *e)
{
	struct drive *d = e->drive;

	if (e->passed)
		return;
	log_error(
		"/dev/cdrive%u (%s): waited for longer than its park limit: %s; requests fail until it goes on",
		d->index, d->name, d->last_error);
	io_queue_fail(&d->queue);
	e->passed = true;
	e->number = d->lease.sequence.number;
	if (d->lease.state == LEASE_UNNEEDED)
		probe(e);
	else
		lease_raise(&d->lease);
}

void expiry_held(struct expiry *e)
{
	struct lease *l = &e->drive->lease;

	if (!e->passed || l->state == LEASE_UNNEEDED)
		return;
	if (l->sequence.number > e->number)
		go_on(e);
	else
		lease_raise(l);
}
