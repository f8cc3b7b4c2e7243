// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "command/options.h"
#include "command/session.h"
#include "ctl/ctl.h"
#include "host/drives.h"

/* The service would refuse it too, as it is leased, but not say by whom. */
static int check_not_mounted(const struct drive *drive, void *ctx)
{
	char device[DEVICE_SIZE];

	(void)ctx;
	if (!drive)
		return EXIT_OK;
	return fail(EXIT_BUSY, "%s: mounted on this machine as %s; unmount it first", drive->url,
		    device_name(drive->driver.index, device));
}

static struct az_call *start_delete(struct session *s, struct az_sync *sync, void *arg)
{
	const bool *snapshots = arg;

	return az_delete_blob(s->client, &s->blob, *snapshots, az_sync_done, sync);
}

/* Which is not there any more when the call is made again was deleted by it before. */
static int delete_it(struct session *s, bool snapshots)
{
	struct az_sync sync;
	unsigned int tries;
	int status = session_try(s, start_delete, &snapshots, &sync, &tries);

	if (status || !sync.res.err.class || (sync.res.err.class == AZ_NOT_FOUND && tries > 1))
		return status;
	return session_fail(s, &sync.res.err, NULL);
}

static int delete_blob(const struct session_options *o, bool snapshots)
{
	struct session s = { 0 };
	int status;

	status = session_url(&s, o);
	if (!status && snapshots && s.url.snapshot)
		status = fail(EXIT_USAGE,
			      "%s: a snapshot, which has no --snapshots; leave that out", s.text);
	if (!status)
		status = session_credential(&s, o);
	if (!status)
		status = session_connect(&s);
	if (!status)
		status = snapshots ? drives_act_on_snapshots(&s.url, check_not_mounted, NULL) :
				     drives_act_on_url(&s.url, check_not_mounted, NULL);
	if (!status)
		status = delete_it(&s, snapshots);
	session_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct session_options session = { .snapshot = true };
	bool snapshots = false;
	const struct option options[] = {
		SESSION_OPTIONS(&session),
		FLAG("snapshots", &snapshots),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &session.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	return status ? status : delete_blob(&session, snapshots);
}

static const char help[] =
	"usage: clouddrivectl delete URL [--snapshots] [--key-file FILE] [--allow-http]\n"
	"\n"
	"Deletes the blob at URL and all that is on it; or, with ?snapshot=TIME, this snapshot\n"
	"of it. A drive that is mounted, here or elsewhere, is left alone; of a snapshot only\n"
	"this machine's mounts are known.\n"
	"\n"
	"  --snapshots      delete its snapshots too; a blob that has some is left alone otherwise\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"\n" SESSION_HELP "\n"
	"Example:\n"
	"  clouddrivectl delete https://acct.blob.core.windows.net/disks/disk1 --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed, or the blob has snapshots; 2 wrong usage; 3 no such\n"
	"account, container or blob; 4 not authorised; 5 leased by another client; 6 mounted on\n"
	"this machine; 7 the service can't be reached.\n";

const struct verb verb_delete = {
	.name = "delete",
	.arguments = "URL",
	.summary = "delete a drive and all that is on it",
	.help = help,
	.run = run,
};
