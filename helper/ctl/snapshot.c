// SPDX-License-Identifier: MIT
/*
 * A drive that is mounted here is held still by this process (freeze.h), and the
 * snapshot taken by its helper, which has the lease and a SAS.  Of any other blob the
 * service is asked from here.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/props.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "ctl/snapshot.h"
#include "host/drives.h"
#include "host/freeze.h"
#include "lib/runtime.h"
#include "lib/signals.h"

#define RESPONSE_MS 20000 /* of the helper, with everything frozen */

struct snapshot_options {
	struct session_options session; /* its URL is DRIVE */
	bool json;
};

/* --- what is printed ------------------------------------------------------------------ */

/* @url is the drive's own. */
static int report(const struct snapshot_options *o, const struct az_url *url, const char *time,
		  bool frozen)
{
	struct az_url snapshot = *url;
	int status = EXIT_OK;
	char *text;

	snapshot.snapshot = (char *)time;
	text = az_url_text(&snapshot);
	if (!text)
		return fail(EXIT_FAILED, "out of memory");
	if (o->json)
		status = print_json(json_pack("{s:s, s:s, s:b}", "url", text, "snapshot", time,
					      "frozen", frozen));
	else
		puts(text);
	fflush(stdout);
	free(text);
	return status;
}

/* --- of a drive of this machine ----------------------------------------------------------- */

static int request_snapshot(const char *name, unsigned int index, char *time, size_t len)
{
	json_t *request = json_pack("{s:s}", "command", "snapshot"), *response = NULL;
	const char *text;
	int err, status;

	err = runtime_request(index, request, &response, RESPONSE_MS);
	json_decref(request);
	if (err)
		return fail(
			EXIT_UNREACHABLE,
			"%s: /dev/cdrive%u: its helper has not taken a snapshot: %s; see clouddrivectl status, and whether there is one all the same",
			name, index, strerror(-err));
	status = fail_response(response);
	text = json_string_value(json_object_get(response, "snapshot"));
	if (!status)
		snprintf(time, len, "%s", text ? text : "");
	json_decref(response);
	return status;
}

static int explain(const char *name, const struct freeze *f, bool held)
{
	if (!held && f->frozen)
		return fail(
			EXIT_FAILED,
			"%s: was thawed by another program before the snapshot was taken; take another one, and delete this",
			name);
	if (!f->frozen)
		note("%s: no file system that can be frozen; the snapshot has all that was written before, and maybe a part of what was being written",
		     name);
	return EXIT_OK;
}

static int take_frozen(const struct drive *d, struct snapshot *s)
{
	unsigned int index = d->driver.index;
	const char *name = d->url;
	char why[400];
	struct freeze f;
	int status;

	if (freeze(&f, index, d->driver.read_only, why, sizeof(why)))
		return fail(EXIT_FAILED, "%s: %s", name, why);
	status = request_snapshot(name, index, s->time, sizeof(s->time));
	s->frozen = thaw(&f) && f.frozen;
	return status ? status : explain(name, &f, s->frozen || !f.frozen);
}

int snapshot_mounted(const struct drive *d, struct snapshot *s)
{
	const char *name = d->url;

	*s = (struct snapshot){ .frozen = false };
	if (!name)
		return fail(EXIT_FAILED,
			    "/dev/cdrive%u: its URL is not known; give the URL instead",
			    d->driver.index);
	if (strchr(name, '?'))
		return fail(EXIT_USAGE, "%s: a snapshot itself; give the URL of the blob", name);
	if (d->driver.state == CDRIVE_STATE_FENCED)
		return fail(EXIT_LEASED,
			    "%s: /dev/cdrive%u is fenced; unmount it, and mount it again", name,
			    d->driver.index);
	return take_frozen(d, s);
}

/* ^C waits until the snapshot has been told, which takes no longer than what is frozen
 * may be. */
static int take_mounted(const struct snapshot_options *o, const struct drive *d)
{
	sigset_t block, before;
	struct az_url url;
	struct snapshot s;
	char why[256];
	int status;

	signals_set(&block);
	sigprocmask(SIG_BLOCK, &block, &before);
	status = snapshot_mounted(d, &s);
	if (s.time[0] && !az_url_parse(d->url, &url, why, sizeof(why))) {
		int err = report(o, &url, s.time, s.frozen);

		status = status ? status : err;
		az_url_free(&url);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

/* --- of a blob ------------------------------------------------------------------------------ */

static struct az_call *start_snapshot(struct job *job, void *arg, struct az_sync *sync)
{
	return az_snapshot(job->client, arg, az_sync_done, sync);
}

int snapshot_take(struct progress *p, struct az_blob *blob, struct snapshot *s)
{
	struct az_result res;
	int err = job_call_once(&p->job, start_snapshot, blob, &res);

	snprintf(s->time, sizeof(s->time), "%s", res.err.class ? "" : res.props.snapshot);
	s->unsure = az_error_maybe_applied(&res.err);
	return err;
}

/* A snapshot of what is not whole would not look so. */
static int check_blob(struct progress *p, bool *leased)
{
	enum exit_status status;
	struct az_result res;
	char why[256];

	if (job_properties(&p->job, &res))
		return -1;
	*leased = !strcmp(res.props.lease_state, "leased");
	if (res.props.type != AZ_BLOB_PAGE)
		return job_fail(&p->job, EXIT_NOT_A_DRIVE,
				"%s: not a page blob; only page blobs can be drives",
				p->session->text);
	if (res.props.unfinished[0])
		return job_fail(
			&p->job, EXIT_NOT_A_DRIVE,
			"%s: unfinished: its create or upload has not ended yet, or was interrupted; wait, or upload it again",
			p->session->text);
	status = az_props_copied(&res.props, why, sizeof(why));
	return status ? job_fail(&p->job, status, "%s: %s", p->session->text, why) : 0;
}

static int take_of_blob(const struct snapshot_options *o, struct session *s)
{
	struct snapshot snapshot = { .time = "" };
	bool leased = false;
	struct progress p;
	int err, status = progress_start(&p, s, 1);

	if (status)
		return status;
	err = check_blob(&p, &leased);
	if (!err)
		err = snapshot_take(&p, &s->blob, &snapshot);
	progress_end(&p);
	if (snapshot.time[0]) {
		status = report(o, &s->url, snapshot.time, false);
		if (leased)
			note("%s: mounted elsewhere; the snapshot is as if that machine had lost power, take one there to have its file system at rest",
			     s->text);
		return status;
	}
	return err ? progress_fail(&p, snapshot.unsure ? SNAPSHOT_UNSURE : NULL) : status;
}

static int take_unmounted(const struct snapshot_options *o)
{
	struct session s = { 0 };
	int status = session_open(&s, &o->session);

	if (!status)
		status = take_of_blob(o, &s);
	session_close(&s);
	return status;
}

/* --- the command line ------------------------------------------------------------------------ */

/* @drive: of this machine; NULL: a URL that isn't mounted here. */
static int take(const struct drive *drive, void *ctx)
{
	const struct snapshot_options *o = ctx;
	int status;

	if (!drive)
		return take_unmounted(o);
	status = need_root();
	return status ? status : take_mounted(o, drive);
}

static int snapshot(struct snapshot_options *o)
{
	struct session s = { 0 };
	int status;

	if (!strstr(o->session.url, "://"))
		return drives_act(o->session.url, take, o);
	status = session_url(&s, &o->session);
	if (!status)
		status = drives_act_on_url(&s.url, take, o);
	session_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct snapshot_options o = { 0 };
	const struct option options[] = {
		SESSION_OPTIONS(&o.session),
		FLAG("json", &o.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("DRIVE", &o.session.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	return status ? status : snapshot(&o);
}

static const char help[] =
	"usage: clouddrivectl snapshot DRIVE [--key-file FILE] [--allow-http] [--json]\n"
	"\n"
	"Takes a snapshot of a drive, which keeps what is on it now, and prints its URL. DRIVE is\n"
	"a URL, or the device or mount point of a drive of this machine.\n"
	"\n"
	"Of a drive that is mounted on this machine the file system is frozen for the moment that\n"
	"it takes, so that it is whole in the snapshot: programs that write wait. It is thawed\n"
	"again whatever happens. This needs root and no credential, as the drive has one. A file\n"
	"system that can't be frozen (NTFS) is written out first, which is said. A blob that is\n"
	"mounted on another machine is snapshotted as if that had lost power, which is said too.\n"
	"\n"
	"A snapshot can be mounted (read-only), downloaded and copied, and is deleted by\n"
	"clouddrivectl delete URL?snapshot=TIME.\n"
	"\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"url\", \"snapshot\", \"frozen\"}\n"
	"\n" SESSION_HELP "A SAS needs the permission create or write.\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl snapshot /srv/data\n"
	"  clouddrivectl mount \"$(clouddrivectl snapshot $URL --key-file key)\" /mnt --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed; 2 wrong usage; 3 no such account, container, blob or\n"
	"drive; 4 not authorised; 5 the drive is fenced; 6 a copy to the blob is still under way;\n"
	"7 the service can't be reached; 8 the blob is not a page blob, unfinished, or a copy that\n"
	"failed. With 1 not all that was written to a drive may be in the blob, which is said\n"
	"then.\n";

const struct verb verb_snapshot = {
	.name = "snapshot",
	.arguments = "DRIVE",
	.summary = "keep what is on a drive now",
	.help = help,
	.run = run,
};
