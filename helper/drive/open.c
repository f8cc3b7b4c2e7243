// SPDX-License-Identifier: MIT
/*
 * Bringing a drive up, in this order:
 *
 *	properties	is it a page blob at all?
 *	lease		from here on nobody else changes it
 *	footer		what its size as a disk is
 *	sequence number	raised, so that whatever others sent can't land late
 *	page map	what of it may hold data: all, until that is known (mapfill.h)
 *	reserve		memory, as the kernel may have none from here on
 *	attach (adopt)	the driver; requests may come
 *	control socket, record
 *
 * A snapshot, which nobody can change, has neither lease nor sequence number, and its
 * drive no deadline: any number of machines can have it at once.
 *
 * An error at any point undoes what came before, in drive_close().  The lease is
 * renewed from the moment it is there: what follows may take a while.  A drive
 * that is adopted begins with its lease; when that, or a later step, shows that the
 * blob is lost for good, it is adopted all the same, and fenced.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "azure/blob.h"
#include "azure/devname.h"
#include "azure/props.h"
#include "drive/acquire.h"
#include "drive/drive.h"
#include "drive/reserve.h"
#include "azure/retry_wait.h"
#include "drive/validator.h"
#include "lib/log.h"
#include "lib/notes.h"
#include "lib/runtime.h"
#include "vhd/footer.h"

#define READY_S 60

/* --- steps ------------------------------------------------------------------ */

static json_t *service_error(struct drive *d, const struct az_error *err, const char *what)
{
	const char *advice = az_error_advice(err);
	char text[256];

	return runtime_error(az_error_exit(err), "%s: %s: %s; %s", d->name, what,
			     az_error_text(err, text, sizeof(text)), advice);
}

static json_t *interrupted(struct drive *d)
{
	return runtime_error(EXIT_FAILED, "%s: interrupted", d->name);
}

/* A read of something of the blob: how it is started, and where its result goes. */
struct blob_read {
	struct az_sync sync; /* first: az_sync_done() gets the whole */
	struct az_call *(*start)(struct drive *d, struct blob_read *read);
	unsigned char footer[VHD_FOOTER_SIZE];
};

/* Waits for it; the response that says why it failed, or NULL. */
static json_t *wait_for_read(struct drive *d, struct blob_read *read, const char *what)
{
	struct retry r = { 0 };
	struct az_call *call;

	do {
		read->sync = (struct az_sync){ 0 };
		call = read->start(d, read);
		if (!call)
			return runtime_error(EXIT_FAILED, "%s: %s: out of memory", d->name, what);
		if (az_sync_wait(d->loop, &read->sync)) {
			az_call_cancel(call);
			return interrupted(d);
		}
	} while (retry_wait(&r, d->loop, &read->sync.res.err));
	return read->sync.res.err.class == AZ_OK ? NULL :
						   service_error(d, &read->sync.res.err, what);
}

static struct az_call *start_properties(struct drive *d, struct blob_read *read)
{
	return az_get_properties(d->client, &d->blob, az_sync_done, read);
}

/* What a copy is still to bring, or never will, is not in the blob. */
static json_t *check_copy(const struct drive *d, const struct az_props *props)
{
	char why[256];
	enum exit_status status = az_props_copied(props, why, sizeof(why));

	return status ? runtime_error(status, "%s: %s", d->name, why) : NULL;
}

static json_t *check_blob(struct drive *d)
{
	struct blob_read read = { .start = start_properties };
	json_t *error;

	error = wait_for_read(d, &read, "can't read the blob's properties");
	if (error)
		return error;
	if (read.sync.res.props.type != AZ_BLOB_PAGE)
		return runtime_error(
			EXIT_NOT_A_DRIVE,
			"%s: not a page blob; only page blobs can be drives, upload it as one",
			d->name);
	if (read.sync.res.props.unfinished[0])
		return runtime_error(
			EXIT_NOT_A_DRIVE,
			"%s: unfinished: its create or upload has not ended yet, or was interrupted; wait, upload it again, or delete it",
			d->name);
	error = check_copy(d, &read.sync.res.props);
	if (error)
		return error;
	if (!read.sync.res.props.size)
		return runtime_error(EXIT_NOT_A_DRIVE,
				     "%s: the blob is empty; delete it and create it with a size",
				     d->name);
	d->size = read.sync.res.props.size;
	memcpy(d->etag, read.sync.res.props.etag, sizeof(d->etag));
	return NULL;
}

static bool says(const json_t *error, enum exit_status status)
{
	int said = EXIT_OK;

	json_unpack((json_t *)error, "{s:{s:i}}", "error", "exit", &said);
	return said == (int)status;
}

/* In place of a lease. */
static json_t *check_snapshot(struct drive *d)
{
	json_t *error;

	lease_not_needed(&d->lease);
	error = check_blob(d);
	if (!error || d->adopt < 0 || !says(error, EXIT_MISSING))
		return error;
	json_decref(error);
	drive_lost(d, "the snapshot was deleted");
	return NULL;
}

static json_t *leased_elsewhere(struct drive *d, const struct az_error *err)
{
	char text[256];

	return runtime_error(az_error_exit(err), "%s: leased by another client (%s); %s", d->name,
			     az_error_text(err, text, sizeof(text)), az_error_advice(err));
}

static json_t *acquire(struct drive *d)
{
	struct az_props props;
	struct az_error err = { 0 };

	d->lease.etag = d->kept[0] ? d->kept : NULL;
	if (lease_acquire(&d->lease, d->force, &props, &err)) {
		if (az_error_is(&err, "LeaseAlreadyPresent"))
			return leased_elsewhere(d, &err);
		return service_error(d, &err,
				     d->blob.lease_id[0] ? "can't take the drive over" :
							   "can't lease the blob");
	}
	d->size = props.size;
	lease_start(&d->lease);
	return check_copy(d, &props); /* it may have begun before the lease did */
}

static json_t *unknown(const struct drive *d, const char *why)
{
	return runtime_error(EXIT_FAILED, "%s: /dev/cdrive%d: %s; unmount it with --force", d->name,
			     d->adopt, why);
}

static int look(unsigned int index, struct driver_drive *drive)
{
	struct driver *driver;
	int err = driver_open(&driver);

	if (err)
		return err;
	err = driver_get(driver, index, drive);
	driver_close(driver);
	return err;
}

/* Whether the device that is to be adopted is the blob's. */
static bool is_the_blobs(const struct drive *d, const struct driver_drive *drive)
{
	char *name = devname_of(&d->url);
	bool same = name && !strcmp(name, drive->name);

	free(name);
	return same;
}

/*
 * What the helper knew that died is kept by the driver.  It is told the same again, to
 * see whether it takes it: who adopts the drive may have to raise the number before.
 */
static json_t *recall(struct drive *d, struct driver_drive *drive)
{
	struct driver_memory *m = &drive->memory;
	int err = look((unsigned int)d->adopt, drive);

	if (err)
		return runtime_error(EXIT_FAILED, "%s: /dev/cdrive%d: %s; mount it again", d->name,
				     d->adopt, strerror(-err));
	if (!is_the_blobs(d, drive))
		return unknown(d, "is another blob's");
	if (!m->told || strlen(m->lease_id) >= sizeof(d->blob.lease_id))
		return unknown(d, "its helper ended before it had told the driver of its lease");
	err = link_remember(d->link, drive->index, m);
	if (err == -EPERM)
		return runtime_error(EXIT_BUSY, "%s: /dev/cdrive%d: has a helper; use it there",
				     d->name, d->adopt);
	if (err)
		return unknown(d, strerror(-err));
	memcpy(d->blob.lease_id, m->lease_id, strlen(m->lease_id) + 1);
	d->index = drive->index;
	d->ready = true;
	d->size = drive->sectors << 9;
	return NULL;
}

static json_t *resume_snapshot(struct drive *d)
{
	struct driver_drive drive = { 0 };
	json_t *error = recall(d, &drive);

	return error ? error : check_snapshot(d);
}

static json_t *resume(struct drive *d)
{
	struct driver_drive drive = { 0 };
	const struct driver_memory *m = &drive.memory;
	struct az_error err = { 0 };
	struct az_props props;
	json_t *error = recall(d, &drive);
	char why[DRIVE_MESSAGE] = "";

	if (error)
		return error;
	d->lease.sequence.acknowledged.modified = notes_modified(m);
	d->lease.interrupted = notes_interrupted(m);
	if (!lease_resume(&d->lease, m->sequence_number, m->raising_to, &props, &err, why,
			  sizeof(why))) {
		d->size = props.size;
		lease_start(&d->lease);
		return NULL;
	}
	if (why[0]) {
		drive_lost(d, why);
		return NULL;
	}
	/* Not ours to release: the drive may be adopted yet. */
	d->blob.lease_id[0] = '\0';
	return service_error(d, &err, "can't resume the lease");
}

static int to_memory(void *arg, const void *buf, size_t len, uint64_t pos)
{
	if (pos + len > VHD_FOOTER_SIZE)
		return -ERANGE;
	memcpy((char *)arg + pos, buf, len);
	return 0;
}

static struct az_call *start_footer(struct drive *d, struct blob_read *read)
{
	return az_get_range(d->client, &d->blob, d->size - VHD_FOOTER_SIZE, VHD_FOOTER_SIZE,
			    &(struct az_sink){ to_memory, read->footer }, az_sync_done, read);
}

/* A VHD is exposed without its footer. */
static json_t *look_for_footer(struct drive *d)
{
	static const char convert[] = "qemu-img convert -O vpc -o subformat=fixed,force_size=on";
	struct blob_read read = { .start = start_footer };
	char damage[96];
	json_t *error;

	error = wait_for_read(d, &read, "can't read the last page");
	if (error)
		return error;
	switch (vhd_footer_parse(read.footer, d->size, &d->size)) {
	case VHD_NONE:
	case VHD_FIXED:
		return NULL;
	case VHD_DYNAMIC:
		return runtime_error(EXIT_NOT_A_DRIVE, "%s: a dynamic VHD; make it a fixed one: %s",
				     d->name, convert);
	case VHD_DIFFERENCING:
		return runtime_error(
			EXIT_NOT_A_DRIVE,
			"%s: a differencing VHD; merge it with its parent and make it a fixed one: %s",
			d->name, convert);
	case VHD_DAMAGED:
		break;
	}
	return runtime_error(EXIT_NOT_A_DRIVE,
			     "%s: its VHD footer is damaged: %s; upload the image again", d->name,
			     vhd_footer_damage(read.footer, d->size, damage, sizeof(damage)));
}

/* The list of page ranges need not be waited for. */
static json_t *fill_map(struct drive *d)
{
	if (mapfill_start(&d->mapfill, &d->store, d->size, d->name))
		return runtime_error(EXIT_FAILED, "%s: out of memory", d->name);
	return NULL;
}

static void too_late(void *arg)
{
	loop_stop(arg);
}

/* The disk is there when its partitions have been looked for, which reads. */
static json_t *wait_until_ready(struct drive *d)
{
	struct loop_timer timer;
	bool late;
	int err;

	loop_timer_init(&timer, too_late, d->loop);
	loop_timer_arm(d->loop, &timer, LOOP_SEC(READY_S));
	err = loop_run_until(d->loop, &d->ready);
	late = !loop_timer_armed(&timer);
	loop_timer_cancel(d->loop, &timer);
	if (err && late)
		return runtime_error(
			EXIT_UNREACHABLE, "%s: %s; check the service, then mount again", d->name,
			d->last_error[0] ? d->last_error : "the disk did not get ready in time");
	if (err)
		return interrupted(d);
	if (d->ready_error)
		return runtime_error(EXIT_FAILED,
				     "%s: the kernel could not make the disk: %s; see dmesg",
				     d->name, strerror(-d->ready_error));
	return NULL;
}

/* A lost drive gets no deadline: what is told of it next is that it is fenced. */
static int adopt(struct drive *d)
{
	int ret = -EBUSY;

	for (int tries = 0; tries < 50 && ret == -EBUSY; tries++) {
		if (tries)
			usleep(20000); /* the old helper's last copy ends */
		ret = link_adopt(d->link, (unsigned int)d->adopt,
				 d->fenced[0] ? 0 : d->lease.until);
	}
	return ret;
}

static bool is_full(void)
{
	struct driver_drive drives[CDRIVE_MAX_DRIVES];
	struct driver *driver;
	int n = 0;

	if (!driver_open(&driver)) {
		n = driver_list(driver, drives);
		driver_close(driver);
	}
	return n == CDRIVE_MAX_DRIVES;
}

static json_t *refused(struct drive *d, int err)
{
	if (err == -ENOSPC && d->cache_size > 0 && !is_full())
		return runtime_error(
			EXIT_FAILED,
			"%s: --cache: less than that is left of the cache; see clouddrivectl init-cache",
			d->name);
	if (err == -ENOSPC)
		return runtime_error(EXIT_FAILED,
				     "%s: all %d drives of this machine are taken; unmount one",
				     d->name, CDRIVE_MAX_DRIVES);
	if (err == -ENOLINK)
		return runtime_error(EXIT_FAILED,
				     "%s: /dev/cdrive%d is fenced; unmount it, then mount it again",
				     d->name, d->adopt);
	return runtime_error(err == -EBUSY ? EXIT_BUSY : EXIT_FAILED,
			     "%s: the driver refused: %s; see dmesg", d->name, strerror(-err));
}

static int attach_new(struct drive *d, uint64_t until)
{
	struct driver_memory memory =
		drive_memory(d, d->lease.sequence.number, d->lease.sequence.raising_to);
	struct link_cache cache = validator_proven(d);
	char *name = devname_of(&d->url);
	int ret = -ENOMEM;

	if (name)
		ret = link_attach(d->link, name, d->size >> 9, d->read_only, d->park_limit, until,
				  &memory, &cache);
	free(name);
	return ret;
}

static json_t *attach(struct drive *d)
{
	uint64_t until = d->lease.until;
	int ret = reserve_take(d);

	if (ret)
		return runtime_error(
			EXIT_FAILED,
			"%s: can't reserve the memory of %u connections: %s; use fewer (--connections)",
			d->name, d->connections, strerror(-ret));
	ret = link_use_reserves(d->link);
	if (!ret)
		ret = d->adopt >= 0 ? adopt(d) : attach_new(d, until);
	if (ret < 0)
		return refused(d, ret);
	d->index = (unsigned int)ret;
	d->attached = true;
	drive_remember(d, d->lease.sequence.number, d->lease.sequence.raising_to);
	drive_record(d);
	if (d->fenced[0]) {
		drive_fence(d);
		return NULL;
	}
	/* What was to be told before there was a drive. */
	if (d->lease.until != until)
		link_lease(d->link, d->lease.until);
	drive_park_again(d);
	return wait_until_ready(d);
}

static json_t *open_link(struct drive *d)
{
	int err = link_open(&d->link, d->loop, &drive_link_ops, d);

	switch (err) {
	case 0:
		return NULL;
	case -ENOTTY:
		return runtime_error(
			EXIT_FAILED,
			"%s: the module that is loaded is older than this program; unmount all drives, then rmmod cdrive and modprobe cdrive",
			d->name);
	default:
		return runtime_error(EXIT_FAILED, "%s: can't talk to the driver: %s; %s", d->name,
				     strerror(-err),
				     err == -ENOENT ? "load the module: modprobe cdrive" :
						      "be root, and see dmesg");
	}
}

/* The directory may have been lost since the drive was mounted. */
static json_t *open_control(struct drive *d)
{
	int err = runtime_init();

	if (!err)
		err = control_open(d);

	return err ? runtime_error(EXIT_FAILED, "%s/cdrive%u.sock: %s", runtime_dir(), d->index,
				   strerror(-err)) :
		     NULL;
}

static int set_up(struct drive *d)
{
	d->blob.url = &d->url;
	d->blob.cred = &d->cred;
	lease_init(&d->lease, d->loop, d->lease_client, &d->blob, &drive_lease_ops, d);
	d->store.loop = d->loop;
	d->store.client = d->client;
	d->store.blob = &d->blob;
	d->store.link = d->link;
	d->store.lease = &d->lease;
	d->store.connections = d->connections;
	d->store.trouble = drive_trouble;
	d->store.lost = drive_lost;
	d->store.arg = d;
	d->store.buffers = malloc(sizeof(*d->store.buffers));
	if (!d->store.buffers)
		return -ENOMEM;
	store_init(&d->store);
	io_queue_init(&d->queue, &store_ops, &d->store, drive_complete, d);
	expiry_init(&d->expiry, d);
	return 0;
}

typedef json_t *(*step_fn)(struct drive *d);

/* Everything that only reads what is needed; ends early when the blob is lost. */
static json_t *open_blob(struct drive *d)
{
	static const step_fn fresh[] = { check_blob, acquire, look_for_footer, fill_map, NULL };
	static const step_fn adopting[] = { resume, look_for_footer, fill_map, NULL };
	static const step_fn snapshot[] = { check_snapshot, look_for_footer, fill_map, NULL };
	static const step_fn adopting_snapshot[] = { resume_snapshot, look_for_footer, fill_map,
						     NULL };
	const step_fn *steps = d->adopt >= 0 ? adopting : fresh;
	json_t *error = NULL;

	if (d->url.snapshot)
		steps = d->adopt >= 0 ? adopting_snapshot : snapshot;
	for (const step_fn *step = steps; *step && !error && !d->fenced[0]; step++) {
		error = (*step)(d);
		if (says(error, EXIT_DENIED) && drive_correct_clock(d)) {
			json_decref(error);
			error = (*step)(d);
		}
		if (!error && d->abandoned)
			error = interrupted(d);
	}
	if (!d->fenced[0] || d->abandoned)
		return error;
	json_decref(error); /* a consequence */
	return d->adopt >= 0 ?
		       NULL :
		       runtime_error(EXIT_LEASED, "%s: %s; mount it again", d->name, d->fenced);
}

/*
 * The lease has connections of its own, where no body is in the way, and no time for a
 * server that is silent: a renewal has 40 s until the deadline, and is asked for
 * beside the first after five.  No Retry-After may outlast it.
 */
static int open_clients(struct drive *d)
{
	static const struct az_client_options patient = { .socket_buffer = RESERVE_SOCKET };
	static const struct az_client_options hurried = {
		.connect_timeout_ms = 5000,
		.silence_timeout_ms = 10000,
		.repeat_after_ms = 5000,
		.retry_after_most_s = 5,
		.socket_buffer = RESERVE_SOCKET,
	};
	int err = az_client_new(&d->client, d->loop, &patient);

	return err ? err : az_client_new(&d->lease_client, d->loop, &hurried);
}

json_t *drive_open(struct drive *d)
{
	json_t *error = open_link(d);
	int err;

	if (error)
		return error;
	err = open_clients(d);
	if (err)
		return runtime_error(EXIT_FAILED, "%s: %s", d->name, strerror(-err));
	err = set_up(d);
	if (err)
		return runtime_error(EXIT_FAILED, "%s: %s", d->name, strerror(-err));
	error = open_blob(d);
	if (!error)
		error = attach(d);
	if (!error)
		error = open_control(d);
	if (!error && d->abandoned)
		error = interrupted(d);
	d->opened = !error;
	return error;
}

json_t *drive_response(const struct drive *d)
{
	return json_pack("{s:i, s:o, s:s*}", "index", d->index, "device",
			 json_sprintf("/dev/cdrive%u", d->index), "fenced",
			 d->fenced[0] ? d->fenced : NULL);
}
