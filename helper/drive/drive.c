// SPDX-License-Identifier: MIT
#include "drive/drive.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drive/acquire.h"
#include "lib/log.h"
#include "lib/notes.h"
#include "lib/runtime.h"
#include "lib/sandbox.h"

/* A service that is down makes many calls fail: how often that is logged. */
#define LOG_AGAIN_S 10

#define RELEASE_S 10

/* How long an agent may take to make a SAS. */
#define SAS_S 10

/* --- what outlives this process ------------------------------------------ */

struct driver_memory drive_memory(const struct drive *d, uint64_t number, uint64_t raising_to)
{
	struct driver_memory memory = { .sequence_number = number, .raising_to = raising_to };

	memcpy(memory.lease_id, d->blob.lease_id, sizeof(d->blob.lease_id));
	notes_write(&memory, d->name, d->lease.sequence.acknowledged.modified,
		    d->lease.interrupted);
	return memory;
}

void drive_remember(struct drive *d, uint64_t number, uint64_t raising_to)
{
	struct driver_memory memory = drive_memory(d, number, raising_to);
	int err = link_remember(d->link, d->index, &memory);

	if (err)
		log_error("the driver does not keep the sequence number of /dev/cdrive%u: %s",
			  d->index, strerror(-err));
}

void drive_record(struct drive *d)
{
	json_t *record, *old = runtime_load(d->index);
	int err;

	record = json_pack("{s:i, s:s, s:b, s:I, s:i}", "index", d->index, "url", d->name,
			   "read_only", d->read_only, "size", (json_int_t)d->size, "helper_pid",
			   (int)getpid());
	/* What others wrote into it (the mount point) is kept. */
	if (old && record && d->adopt >= 0)
		json_object_update_missing(record, old);
	json_decref(old);
	err = record ? runtime_save(d->index, record) : -ENOMEM;
	json_decref(record);
	if (err)
		log_error("%s/cdrive%u.json can't be written: %s; the drive does not need it",
			  runtime_dir(), d->index, strerror(-err));
}

/* --- what happens ------------------------------------------------------- */

/* A new drive's is told as it is attached. */
static void on_record(void *arg, uint64_t number, uint64_t raising_to)
{
	struct drive *d = arg;

	if (d->attached || d->adopt >= 0)
		drive_remember(d, number, raising_to);
}

static void on_held(void *arg)
{
	struct drive *d = arg;

	expiry_held(&d->expiry);
	store_run(&d->store);
}

/* The driver keeps it, from the moment the drive is attached. */
static void on_deadline(void *arg, uint64_t until)
{
	struct drive *d = arg;

	link_lease(d->link, until);
}

/* What is cached may have been overwritten by somebody else meanwhile. */
static void on_forgotten(void *arg)
{
	struct drive *d = arg;
	int err = link_forget(d->link, d->index);

	if (err)
		log_error("the driver does not forget what is cached of /dev/cdrive%u: %s",
			  d->index, strerror(-err));
}

void drive_lost(void *arg, const char *why)
{
	struct drive *d = arg;

	if (d->fenced[0] || d->state >= CDRIVE_STATE_FENCED)
		return;
	snprintf(d->fenced, sizeof(d->fenced), "%s", why);
	snprintf(d->last_error, sizeof(d->last_error), "fenced: %.400s", why);
	lease_drop(&d->lease);
	expiry_stop(&d->expiry);
	if (d->attached)
		drive_fence(d);
}

void drive_fence(struct drive *d)
{
	d->state = CDRIVE_STATE_FENCED;
	log_error("/dev/cdrive%u (%s) is fenced: %s; unmount it", d->index, d->name, d->fenced);
	link_fence(d->link);
	mapfill_stop(&d->mapfill);
	io_queue_drop(&d->queue);
}

const struct lease_ops drive_lease_ops = {
	.held = on_held,
	.deadline = on_deadline,
	.forgotten = on_forgotten,
	.lost = drive_lost,
	.record = on_record,
	.trouble = drive_trouble,
};

/*
 * The driver parks for several reasons, and is told ours whatever the others are: what it
 * makes of them comes as a state.
 */
static void tell_parking(struct drive *d)
{
	enum park_reason now = PARK_REASONS - 1;

	while (now && !d->park_reasons[now])
		now--;
	if (now == d->parked_for)
		return;
	d->parked_for = now;
	if (now == PARK_CREDENTIAL)
		log_error("%s: waits for a credential, and no park limit counts: %s", d->name,
			  d->refused);
	if (now)
		link_park(d->link, now == PARK_CREDENTIAL);
	else
		link_resume(d->link, false);
}

void drive_park_again(struct drive *d)
{
	if (d->parked_for)
		link_park(d->link, d->parked_for == PARK_CREDENTIAL);
}

static void park_for(struct drive *d, struct retry *r, bool credential)
{
	if (r->counted && r->credential == credential)
		return;
	d->park_reasons[credential ? PARK_CREDENTIAL : PARK_SERVICE]++;
	if (r->counted)
		d->park_reasons[credential ? PARK_SERVICE : PARK_CREDENTIAL]--;
	r->counted = true;
	r->credential = credential;
	tell_parking(d);
}

static void healed(struct drive *d, struct retry *r)
{
	if (!r->counted)
		return;
	r->counted = false;
	d->park_reasons[r->credential ? PARK_CREDENTIAL : PARK_SERVICE]--;
	tell_parking(d);
}

const char *drive_parked_because(const struct drive *d)
{
	if (d->state != CDRIVE_STATE_PARKED && d->state != CDRIVE_STATE_FAILING)
		return NULL;
	if (d->parked_for)
		return d->parked_for == PARK_CREDENTIAL ? d->refused : d->last_error;
	if (!lease_certain(&d->lease))
		return d->lease.retry.failures ? d->last_error :
						 "the lease was not renewed in time";
	return "it is about to go on";
}

/*
 * Names can't be resolved any more when the resolver's files were replaced after the
 * sandbox was closed.  A helper that begins anew sees the new ones; without an agent
 * nobody would begin it.
 */
static void leave_when_stale(struct drive *d, const struct az_error *err)
{
	if (err->class != AZ_UNREACHABLE || d->leaving || d->channel.socket.fd < 0 || !d->opened ||
	    !sandbox_stale())
		return;
	log_error("%s: %s; the resolver's files were replaced: another helper goes on", d->name,
		  d->last_error);
	d->leaving = true;
	loop_stop(d->loop);
}

void drive_trouble(void *arg, struct retry *r, const char *what, const struct az_error *err)
{
	struct drive *d = arg;
	uint64_t now = loop_now();
	char text[256];

	if (!err) {
		healed(d, r);
		return;
	}
	if (err->class == AZ_DENIED)
		agent_channel_check(&d->channel);
	if (!d->channel.expired) {
		snprintf(d->last_error, sizeof(d->last_error), "can't %s: %s", what,
			 az_error_text(err, text, sizeof(text)));
		if (err->class == AZ_DENIED)
			snprintf(d->refused, sizeof(d->refused), "%.300s; %s", d->last_error,
				 err->hint == AZ_HINT_SAS ? agent_channel_renewal(&d->channel) :
							    az_error_advice(err));
	}
	if (!d->logged_at || now - d->logged_at > LOOP_SEC(LOG_AGAIN_S)) {
		log_error("%s: %s; trying again", d->name, d->last_error);
		d->logged_at = now;
	}
	if (r->stuck)
		park_for(d, r, err->class == AZ_DENIED);
	leave_when_stale(d, err);
}

void drive_complete(void *arg, uint32_t tag, int status)
{
	struct drive *d = arg;

	link_complete(d->link, tag, status);
}

static void on_request(void *arg, const struct cdrive_descriptor *desc)
{
	struct drive *d = arg;

	/* What an adopted drive had in flight is sent before it can be fenced. */
	if (!d->fenced[0])
		io_queue_submit(&d->queue, desc);
}

static void on_ready(void *arg, int err)
{
	struct drive *d = arg;

	d->ready_error = err;
	d->ready = true;
}

static void on_parked(struct drive *d)
{
	d->parked_at = loop_now();
	log_error("/dev/cdrive%u (%s) is parked: %s; it goes on when that heals", d->index, d->name,
		  drive_parked_because(d));
	/* The machine was suspended, perhaps: the timers were, too. */
	if (!lease_certain(&d->lease))
		lease_hurry(&d->lease);
}

static void on_state(void *arg, enum cdrive_state state)
{
	enum cdrive_state before;
	struct drive *d = arg;

	if (state <= d->state && d->state >= CDRIVE_STATE_FENCED)
		return;
	before = d->state;
	d->state = state;
	if (state == CDRIVE_STATE_GONE) {
		/* Somebody else detached it. */
		drive_detach(d, true);
	} else if (state == CDRIVE_STATE_PARKED && before == CDRIVE_STATE_LIVE) {
		on_parked(d);
	} else if (state == CDRIVE_STATE_FAILING) {
		expiry_passed(&d->expiry);
	} else if (state == CDRIVE_STATE_LIVE && before != CDRIVE_STATE_LIVE) {
		log_info("/dev/cdrive%u (%s) goes on after %llu s", d->index, d->name,
			 (unsigned long long)((loop_now() - d->parked_at) / LOOP_SEC(1)));
	}
}

const struct link_ops drive_link_ops = {
	.request = on_request,
	.ready = on_ready,
	.state = on_state,
};

/* --- the credential --------------------------------------------------------- */

void drive_abandon(struct drive *d)
{
	d->abandoned = true;
	loop_stop(d->loop);
}

static void on_abandoned(void *arg)
{
	drive_abandon(arg);
}

static void on_expired(void *arg, const char *why)
{
	struct drive *d = arg;

	snprintf(d->last_error, sizeof(d->last_error), "%s", why);
	snprintf(d->refused, sizeof(d->refused), "%s", why);
	lease_pause(&d->lease, true);
	d->park_reasons[PARK_CREDENTIAL]++;
	tell_parking(d);
}

static void on_fresh(void *arg, bool after)
{
	struct drive *d = arg;

	if (d->sas_wanted)
		d->sas_wanted->done = true;
	if (after) {
		log_info("%s: there is a valid SAS again", d->name);
		lease_pause(&d->lease, false);
		d->park_reasons[PARK_CREDENTIAL]--;
		tell_parking(d);
	} else if (d->lease.retry.failures) {
		lease_hurry(&d->lease);
	}
}

static int64_t on_clock(void *arg)
{
	const struct drive *d = arg;
	int64_t ahead;

	if (d->lease_client && az_client_clock(d->lease_client, &ahead))
		return ahead;
	return d->client && az_client_clock(d->client, &ahead) ? ahead : 0;
}

static void no_sas(void *arg)
{
	struct drive *d = arg;

	d->sas_wanted->done = true;
	d->sas_wanted->res.err.class = AZ_DENIED;
}

bool drive_correct_clock(struct drive *d)
{
	struct az_sync fresh = { 0 };
	struct loop_timer timer;
	int err;

	if (!agent_channel_tell_clock(&d->channel))
		return false;
	d->sas_wanted = &fresh;
	loop_timer_init(&timer, no_sas, d);
	loop_timer_arm(d->loop, &timer, LOOP_SEC(SAS_S));
	err = az_sync_wait(d->loop, &fresh);
	loop_timer_cancel(d->loop, &timer);
	d->sas_wanted = NULL;
	return !err && !fresh.res.err.class;
}

const struct agent_channel_ops drive_channel_ops = {
	.abandoned = on_abandoned,
	.expired = on_expired,
	.fresh = on_fresh,
	.clock_ahead = on_clock,
};

/* --- the end -------------------------------------------------------------- */

int drive_detach(struct drive *d, bool force)
{
	int err = link_detach(d->link, force);

	if (err)
		return err;
	io_queue_drop(&d->queue);
	d->state = CDRIVE_STATE_GONE;
	d->ending = true;
	loop_stop(d->loop);
	return 0;
}

/* A drive that could not be adopted stays as it is, for another try. */
static void take_away(struct drive *d)
{
	struct az_error err;
	char text[192];

	if (d->expiry.drive)
		expiry_stop(&d->expiry);
	if (d->adopt >= 0 && !d->opened) {
		lease_stop(&d->lease);
		return;
	}
	if (d->attached) {
		link_detach(d->link, true);
		io_queue_drop(&d->queue);
		runtime_remove(d->index);
	}
	if (!d->lease_client || lease_release(&d->lease, RELEASE_S, &err))
		return;
	snprintf(d->last_error, sizeof(d->last_error),
		 "the lease could not be released (%s), and runs out within %d s",
		 az_error_text(&err, text, sizeof(text)), LEASE_S);
	d->lease_left = true;
	log_error("%s: %s", d->name, d->last_error);
}

void drive_close(struct drive *d)
{
	agent_channel_close(&d->channel);
	take_away(d);
	/* Whoever is told that the drive is unmounted may unload the module at once. */
	link_close(d->link);
	d->link = NULL;
	control_close(d);
	mapfill_stop(&d->mapfill);
	az_client_free(d->client);
	az_client_free(d->lease_client);
	if (d->store.loop)
		store_stop(&d->store);
	free(d->store.buffers);
	pagemap_free(d->store.map);
	az_credential_free(&d->cred);
	az_url_free(&d->url);
	free(d->name);
}
