// SPDX-License-Identifier: MIT
/*
 * Bringing a drive up, in this order:
 *
 *	properties	is it a page blob at all?
 *	lease		from here on nobody else changes it
 *	footer		what its size as a disk is
 *	sequence number	raised, so that whatever others sent can't land late
 *	page ranges	what of it holds data
 *	attach (adopt)	the driver; requests may come
 *	control socket, record
 *
 * An error at any point undoes what came before, in drive_close().
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "azure/blob.h"
#include "drive/drive.h"
#include "lib/log.h"
#include "lib/runtime.h"
#include "vhd/footer.h"

#define CONNECTIONS 32
#define CONNECTIONS_MOST 128

#define READY_S 60

#define EXIT_FAILED 1
#define EXIT_NO_DRIVE 3
#define EXIT_LEASED 5
#define EXIT_BUSY 6
#define EXIT_UNREACHABLE 7
#define EXIT_NOT_A_DRIVE 8

/* --- the request ---------------------------------------------------------- */

json_t *drive_configure(struct drive *d, const json_t *request)
{
	const char *url = NULL, *key = NULL, *sas = NULL;
	int connections = CONNECTIONS, park_limit = 0, adopt = -1;
	int read_only = 0, force = 0, foreground = 0;
	json_error_t e;
	char why[DRIVE_MESSAGE];
	int err;

	if (json_unpack_ex((json_t *)request, &e, 0,
			   "{s:s, s?s, s?s, s?b, s?b, s?i, s?i, s?i, s?b}", "url", &url, "key",
			   &key, "sas", &sas, "read_only", &read_only, "force", &force,
			   "connections", &connections, "park_limit", &park_limit, "adopt", &adopt,
			   "foreground", &foreground))
		return runtime_error(EXIT_FAILED, "clouddrived: %s", e.text);
	if (az_url_parse(url, &d->url, why, sizeof(why)))
		return runtime_error(2, "%s", why);
	d->name = az_url_text(&d->url);
	err = key ? az_credential_set_key(&d->cred, key) :
	      sas ? az_credential_set_sas(&d->cred, sas) :
		    -EINVAL;
	if (err || !d->name)
		return runtime_error(4, "%s: no usable credential", url);
	if (connections < 1 || connections > CONNECTIONS_MOST)
		return runtime_error(2, "connections: must be 1 to %d", CONNECTIONS_MOST);
	d->read_only = read_only;
	d->force = force;
	d->foreground = foreground;
	d->connections = (unsigned int)connections;
	d->park_limit = (unsigned int)park_limit;
	d->adopt = adopt;
	return NULL;
}

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

/* One call, waited for; the answer that says why it failed. */
static json_t *wait_for(struct drive *d, struct az_sync *s, struct az_call *call, const char *what)
{
	if (!call)
		return runtime_error(EXIT_FAILED, "%s: %s: out of memory", d->name, what);
	if (az_sync_wait(d->loop, s))
		return interrupted(d);
	return s->res.err.class == AZ_OK ? NULL : service_error(d, &s->res.err, what);
}

static json_t *check_blob(struct drive *d)
{
	struct az_sync s = { 0 };
	json_t *error;

	error = wait_for(d, &s, az_get_properties(d->client, &d->blob, az_sync_done, &s),
			 "can't read the blob's properties");
	if (error)
		return error;
	if (s.res.props.type != AZ_BLOB_PAGE)
		return runtime_error(
			EXIT_NOT_A_DRIVE,
			"%s: not a page blob; only page blobs can be drives, upload it as one",
			d->name);
	if (s.res.props.unfinished[0])
		return runtime_error(
			EXIT_NOT_A_DRIVE,
			"%s: unfinished: its create or upload has not ended yet, or was interrupted; wait, upload it again, or delete it",
			d->name);
	if (!s.res.props.size)
		return runtime_error(EXIT_NOT_A_DRIVE,
				     "%s: the blob is empty; delete it and create it with a size",
				     d->name);
	return NULL;
}

static json_t *acquire(struct drive *d)
{
	struct az_props props;
	struct az_error err = { 0 };

	if (owner_acquire(&d->owner, d->force, &props, &err))
		return service_error(d, &err,
				     d->blob.lease_id[0] ? "can't take the drive over" :
							   "can't lease the blob");
	d->size = props.size;
	return NULL;
}

/* The drive's helper died; what it knew is in its record. */
static json_t *resume(struct drive *d)
{
	json_int_t number = 0, raising_to = 0;
	struct az_error err = { 0 };
	struct az_props props;
	const char *lease, *url;
	json_t *record = runtime_load((unsigned int)d->adopt);
	char why[128] = "";
	json_t *error = NULL;

	if (!record ||
	    json_unpack(record, "{s:s, s:s, s:I, s?I}", "url", &url, "lease_id", &lease,
			"sequence_number", &number, "raising_to", &raising_to) ||
	    strcmp(url, d->name) != 0 || strlen(lease) >= sizeof(d->blob.lease_id)) {
		json_decref(record);
		return runtime_error(
			EXIT_FAILED,
			"%s: the record of /dev/cdrive%d is missing or damaged; unmount it with --force",
			d->name, d->adopt);
	}
	memcpy(d->blob.lease_id, lease, strlen(lease) + 1);
	json_decref(record);
	d->index = (unsigned int)d->adopt;
	d->ready = true;
	if (owner_resume(&d->owner, (uint64_t)number, (uint64_t)raising_to, &props, &err, why,
			 sizeof(why)))
		error = why[0] ? runtime_error(EXIT_LEASED,
					       "%s: %s; unmount /dev/cdrive%d, then mount it again",
					       d->name, why, d->adopt) :
				 service_error(d, &err, "can't resume the lease");
	/* Not ours to release: the drive may be adopted yet. */
	if (error)
		d->blob.lease_id[0] = '\0';
	d->size = props.size;
	return error;
}

static int to_memory(void *arg, const void *buf, size_t len, uint64_t pos)
{
	if (pos + len > VHD_FOOTER_SIZE)
		return -ERANGE;
	memcpy((char *)arg + pos, buf, len);
	return 0;
}

/* A VHD is exposed without its footer. */
static json_t *look_for_footer(struct drive *d)
{
	static const char convert[] = "qemu-img convert -O vpc -o subformat=fixed,force_size=on";
	unsigned char footer[VHD_FOOTER_SIZE];
	struct az_sync s = { 0 };
	char damage[96];
	json_t *error;

	error = wait_for(d, &s,
			 az_get_range(d->client, &d->blob, d->size - VHD_FOOTER_SIZE,
				      VHD_FOOTER_SIZE, &(struct az_sink){ to_memory, footer },
				      az_sync_done, &s),
			 "can't read the last page");
	if (error)
		return error;
	switch (vhd_footer_parse(footer, d->size, &d->size)) {
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
			     vhd_footer_damage(footer, d->size, damage, sizeof(damage)));
}

struct listing {
	struct az_sync sync; /* first: az_sync_done() gets the whole */
	struct pagemap *map;
};

static void have_range(void *arg, uint64_t offset, uint64_t len)
{
	struct listing *l = arg;

	pagemap_set(l->map, offset, len);
}

static json_t *read_ranges(struct drive *d)
{
	struct listing l = { .map = pagemap_new(d->size) };

	if (!l.map)
		return runtime_error(EXIT_FAILED, "%s: out of memory", d->name);
	d->store.map = l.map;
	return wait_for(d, &l.sync,
			az_get_page_ranges(d->client, &d->blob, have_range, az_sync_done, &l),
			"can't read the page ranges");
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

static json_t *attach(struct drive *d)
{
	int ret;

	if (d->adopt >= 0) {
		for (int tries = 0; tries < 50; tries++) {
			ret = link_adopt(d->link, (unsigned int)d->adopt, 0);
			if (ret != -EBUSY)
				break;
			usleep(20000); /* the old helper's last copy ends */
		}
	} else {
		ret = link_attach(d->link, d->size >> 9, d->read_only, d->park_limit, 0);
	}
	if (ret == -ENOSPC)
		return runtime_error(EXIT_FAILED,
				     "%s: all %d drives of this machine are taken; unmount one",
				     d->name, CDRIVE_MAX_DRIVES);
	if (ret == -ENOLINK)
		return runtime_error(
			EXIT_FAILED,
			"%s: /dev/cdrive%d had waited too long and is fenced; unmount it, then mount it again",
			d->name, d->adopt);
	if (ret < 0)
		return runtime_error(ret == -EBUSY ? EXIT_BUSY : EXIT_FAILED,
				     "%s: the driver refused: %s; see dmesg", d->name,
				     strerror(-ret));
	d->index = (unsigned int)ret;
	d->attached = true;
	drive_record(d, d->owner.number, d->owner.raising_to);
	return wait_until_ready(d);
}

static json_t *open_link(struct drive *d)
{
	int err = link_open(&d->link, d->loop, &drive_link_ops, d);

	if (!err)
		return NULL;
	return runtime_error(
		EXIT_FAILED, "%s: can't talk to the driver: %s; %s", d->name, strerror(-err),
		err == -ENOENT ? "load the module: modprobe cdrive" : "be root, and see dmesg");
}

static json_t *open_control(struct drive *d)
{
	int err = control_open(d);

	return err ? runtime_error(EXIT_FAILED, "%s/cdrive%u.sock: %s", runtime_dir(), d->index,
				   strerror(-err)) :
		     NULL;
}

static void set_up(struct drive *d)
{
	d->blob.url = &d->url;
	d->blob.cred = &d->cred;
	owner_init(&d->owner, d->loop, d->client, &d->blob, &drive_owner_ops, d);
	d->store.loop = d->loop;
	d->store.client = d->client;
	d->store.blob = &d->blob;
	d->store.link = d->link;
	d->store.owner = &d->owner;
	d->store.connections = d->connections;
	d->store.trouble = drive_trouble;
	d->store.lost = drive_lost;
	d->store.arg = d;
	store_init(&d->store);
	io_queue_init(&d->queue, &store_ops, &d->store, drive_complete, d);
}

json_t *drive_open(struct drive *d)
{
	json_t *(*const steps[])(struct drive *) = {
		check_blob,	 d->adopt >= 0 ? resume : acquire,
		look_for_footer, read_ranges,
		attach,		 open_control,
	};
	json_t *error = open_link(d);
	int err;

	if (error)
		return error;
	err = az_client_new(&d->client, d->loop, &(struct az_client_options){ 0 });
	if (err)
		return runtime_error(EXIT_FAILED, "%s: %s", d->name, strerror(-err));
	set_up(d);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		error = steps[i](d);
		if (error)
			return error;
	}
	owner_start(&d->owner);
	d->opened = true;
	return NULL;
}
