// SPDX-License-Identifier: MIT
/*
 * The service copies by itself, and this program watches.  Source and destination are of
 * one account, whose key is good for both; what is copied must stand still, so it is a
 * snapshot, or a blob that nobody has leased.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/props.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "ctl/snapshot.h"
#include "host/drives.h"

#define LOOK_MS 500 /* how often it is looked how far it is */

struct copy {
	struct session_options from, to;
	bool via_snapshot, json;

	struct session source, session;
	struct progress progress; /* on the destination */
	char *text; /* of what is copied */
	char time[AZ_SNAPSHOT]; /* of the snapshot that was made for it */
	char *snapshot; /* the same, owned by the source's URL; NULL: none */
	struct az_props props; /* of the source */
	char id[40];
	bool begun, done;
	bool unsure; /* it may have begun, too */
};

/* --- calls ----------------------------------------------------------------------------- */

static struct az_call *start_look(struct job *job, void *arg, struct az_sync *sync)
{
	return az_get_properties(job->client, arg, az_sync_done, sync);
}

static struct az_call *start_copy(struct job *job, void *arg, struct az_sync *sync)
{
	return az_copy(job->client, job->blob, arg, az_sync_done, sync);
}

static struct az_call *start_abort(struct job *job, void *arg, struct az_sync *sync)
{
	return az_abort_copy(job->client, job->blob, arg, az_sync_done, sync);
}

static struct az_call *start_delete(struct job *job, void *arg, struct az_sync *sync)
{
	return az_delete_blob(job->client, arg, false, az_sync_done, sync);
}

/* --- the source ---------------------------------------------------------------------------- */

static int check_source(struct copy *c)
{
	struct az_result res;
	const struct az_props *p = &res.props;
	enum exit_status status;
	char why[256];

	c->progress.session = &c->source;
	if (job_call(&c->progress.job, start_look, &c->source.blob, &res))
		return progress_fail(&c->progress, NULL);
	c->props = res.props;
	if (p->type != AZ_BLOB_PAGE)
		return fail(EXIT_NOT_A_DRIVE, "%s: not a page blob; only page blobs can be drives",
			    c->source.text);
	if (p->unfinished[0])
		return fail(
			EXIT_NOT_A_DRIVE,
			"%s: unfinished: its create or upload has not ended yet, or was interrupted; wait, or upload it again",
			c->source.text);
	status = az_props_copied(p, why, sizeof(why));
	if (status)
		return fail(status, "%s: %s", c->source.text, why);
	if (!c->source.url.snapshot && !c->via_snapshot && !strcmp(p->lease_state, "leased"))
		return fail(
			EXIT_LEASED,
			"%s: mounted, and may change while it is copied; unmount it first, or copy a snapshot of it: --via-snapshot",
			c->source.text);
	return EXIT_OK;
}

/* Where it is mounted here its file system is frozen for it. */
static int make_snapshot(const struct drive *drive, void *ctx)
{
	struct snapshot s = { .time = "" };
	struct copy *c = ctx;
	int status = EXIT_OK;

	if (drive)
		status = snapshot_mounted(drive, &s);
	else if (snapshot_take(&c->progress, &c->source.blob, &s))
		status = progress_fail(&c->progress, s.unsure ? SNAPSHOT_UNSURE : NULL);
	memcpy(c->time, s.time, sizeof(c->time));
	return status;
}

static int use_snapshot(struct copy *c)
{
	int status = drives_act_on_url(&c->source.url, make_snapshot, c);

	if (!c->time[0])
		return status;
	c->snapshot = c->source.url.snapshot = strdup(c->time);
	free(c->source.text);
	c->source.text = az_url_text(&c->source.url);
	if (c->snapshot && c->source.text)
		return status;
	return fail(EXIT_FAILED, "out of memory; the snapshot %s is left", c->time);
}

static int remove_snapshot(struct copy *c, int status)
{
	struct az_result res = { 0 };

	if (!c->snapshot)
		return status;
	job_call(&c->progress.job, start_delete, &c->source.blob, &res);
	if (!res.err.class || res.err.class == AZ_NOT_FOUND)
		return status;
	note("%s: this snapshot could not be deleted; do that with clouddrivectl delete",
	     c->source.text);
	return status ? status : EXIT_FAILED;
}

/* --- copying ----------------------------------------------------------------------------------- */

static int gave_up(struct copy *c, const struct az_props *p)
{
	return job_fail(
		&c->progress.job, EXIT_FAILED,
		"%s: the service has not copied it: %s%s%s; if the source did not change meanwhile, try again",
		c->session.text, p->copy_status[0] ? p->copy_status : "the copy is gone",
		p->copy_why[0] ? ": " : "", p->copy_why);
}

/* 0: ended well. */
static int watch(struct copy *c, struct az_props p)
{
	struct job *job = &c->progress.job;
	struct az_result res;

	while (!strcmp(p.copy_status, "pending") && !strcmp(p.copy_id, c->id)) {
		if (p.copy_total) {
			job->done = p.copy_done;
			job->total = p.copy_total;
		}
		if (job_pause(job, LOOP_MS(LOOK_MS)) ||
		    job_call(job, start_look, &c->session.blob, &res))
			return -1;
		p = res.props;
	}
	c->done = !strcmp(p.copy_status, "success") && !strcmp(p.copy_id, c->id);
	return c->done ? 0 : gave_up(c, &p);
}

static int copy(struct copy *c)
{
	struct job *job = &c->progress.job;
	struct az_result res;
	int err;

	job->total = c->props.size;
	progress_show(&c->progress);
	err = job_call_once(job, start_copy, c->text, &res);
	c->begun = !res.err.class;
	c->unsure = az_error_maybe_applied(&res.err);
	memcpy(c->id, res.props.copy_id, sizeof(c->id));
	return err ? err : watch(c, res.props);
}

/* If it is this copy, and not what somebody has put in its place. */
static int delete_copy(struct copy *c)
{
	struct job *job = &c->progress.job;
	struct az_result res;
	char etag[sizeof(res.props.etag)];

	if (job_call(job, start_look, &c->session.blob, &res) && res.err.class)
		return res.err.class != AZ_NOT_FOUND;
	if (strcmp(res.props.copy_id, c->id) != 0)
		return 0;
	memcpy(etag, res.props.etag, sizeof(etag));
	c->session.blob.if_match = etag;
	job_call(job, start_delete, &c->session.blob, &res);
	c->session.blob.if_match = NULL;
	return res.err.class && res.err.class != AZ_NOT_FOUND;
}

/* What is left of a copy that did not come to its end; NULL: nothing. */
static const char *undo(struct copy *c)
{
	struct job *job = &c->progress.job;
	struct az_result res = { 0 };

	if (!c->begun)
		return c->unsure ?
			       "The copy may go on all the same; look whether it is there, and delete it" :
			       NULL;
	job_call(job, start_abort, c->id, &res);
	if (delete_copy(c))
		return "What there is of the copy could not be deleted; do that with clouddrivectl delete";
	return NULL;
}

static int report(const struct copy *c)
{
	char text[96], size[16];

	if (c->json)
		return print_json(json_pack("{s:s, s:s, s:I, s:s}", "url", c->session.text,
					    "source", c->source.text, "size",
					    (json_int_t)c->props.size, "copy_id", c->id));
	printf("%s: %s, %s\n", c->session.text, size_text(c->props.size, size, sizeof(size)),
	       progress_text(&c->progress, c->props.size, text, sizeof(text)));
	return EXIT_OK;
}

static int transfer(struct copy *c)
{
	int err;

	c->text = az_url_text(&c->source.url);
	if (!c->text)
		return fail(EXIT_FAILED, "out of memory");
	c->progress.session = &c->session;
	err = copy(c);
	progress_hide(&c->progress);
	return err ? progress_fail(&c->progress, undo(c)) : report(c);
}

static int copy_blob(struct copy *c)
{
	int status = progress_start(&c->progress, &c->session, 1);

	if (status)
		return status;
	c->source.blob = (struct az_blob){ .url = &c->source.url, .cred = &c->session.cred };
	status = check_source(c);
	if (!status && c->via_snapshot)
		status = use_snapshot(c);
	if (!status)
		status = transfer(c);
	status = remove_snapshot(c, status);
	progress_end(&c->progress);
	return status;
}

/* --- before anything --------------------------------------------------------------------------- */

static int check_urls(const struct copy *c)
{
	const struct az_url *from = &c->source.url, *to = &c->session.url;

	if (from->https != to->https || strcmp(from->host, to->host) != 0 ||
	    strcmp(from->account, to->account) != 0)
		return fail(EXIT_USAGE,
			    "%s: in another account than %s; download it, and upload that there",
			    c->source.text, c->session.text);
	if (az_url_same(from, to))
		return fail(EXIT_USAGE, "%s: source and destination are one; name another blob",
			    c->session.text);
	if (from->snapshot && c->via_snapshot)
		return fail(EXIT_USAGE, "--via-snapshot: %s is a snapshot already; leave it out",
			    c->source.text);
	return EXIT_OK;
}

static int check_key(const struct copy *c)
{
	if (!c->source.url.sas && c->session.cred.kind != AZ_CREDENTIAL_SAS)
		return EXIT_OK;
	return fail(
		EXIT_DENIED,
		"%s: copying needs the account key, which a SAS can't stand for; give it by --key-file",
		c->session.text);
}

static int run_copy(struct copy *c)
{
	int status = session_url(&c->source, &c->from);

	if (!status)
		status = session_url(&c->session, &c->to);
	if (!status)
		status = check_urls(c);
	if (!status)
		status = session_credential(&c->session, &c->to);
	if (!status)
		status = check_key(c);
	if (!status)
		status = session_connect(&c->session);
	if (!status)
		status = copy_blob(c);
	free(c->text);
	session_close(&c->source);
	session_close(&c->session);
	return status;
}

static int run(int argc, char **argv)
{
	struct copy c = { .from.snapshot = true };
	const struct option options[] = {
		SESSION_OPTIONS(&c.to),
		FLAG("via-snapshot", &c.via_snapshot),
		FLAG("json", &c.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("SOURCE", &c.from.url),
		ARGUMENT("DESTINATION", &c.to.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	c.from.allow_http = c.to.allow_http;
	return status ? status : run_copy(&c);
}

static const char help[] =
	"usage: clouddrivectl copy SOURCE DESTINATION [--via-snapshot] [--key-file FILE]\n"
	"                          [--allow-http] [--json]\n"
	"\n"
	"Has the service copy a drive, or a snapshot of one, to a new blob of the same account,\n"
	"and waits until that is done. SOURCE and DESTINATION are URLs; there must be no blob at\n"
	"DESTINATION yet. Interrupted, it ends the copy and deletes what there is of it.\n"
	"\n"
	"A drive that is mounted is refused, as it may change meanwhile: unmount it first, or\n"
	"copy a snapshot of it. With --via-snapshot one is taken for that, as by clouddrivectl\n"
	"snapshot, and deleted afterwards.\n"
	"\n"
	"  --via-snapshot   copy a snapshot that is taken now, and deleted afterwards\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"url\", \"source\", \"size\", \"copy_id\"}\n"
	"\n" SESSION_HELP "Copying needs the account key; a SAS won't do.\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl copy $DISKS/disk1 $DISKS/disk2 --via-snapshot --key-file key\n"
	"  clouddrivectl copy \"$(clouddrivectl snapshot /srv/data)\" $DISKS/monday --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed, was interrupted, or DESTINATION exists; 2 wrong usage;\n"
	"3 no such account, container, blob or snapshot; 4 not authorised, or only a SAS; 5 the\n"
	"source is mounted; 6 a copy to it is still under way; 7 the service can't be reached; 8\n"
	"the source is not a page blob, unfinished, or a copy that failed.\n";

const struct verb verb_copy = {
	.name = "copy",
	.arguments = "SOURCE DESTINATION",
	.summary = "copy a drive or snapshot to a new blob",
	.help = help,
	.run = run,
};
