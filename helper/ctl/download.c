// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "command/options.h"
#include "command/session.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "image/download.h"

struct download_options {
	struct session_options session;
	const char *file;
	uint64_t connections;
	bool json;
};

static int report(const struct download_options *o, const struct progress *p,
		  const struct download *d)
{
	const struct az_counters *n = az_client_counters(p->job.client);
	char text[96], there[48] = "", size[16];

	if (o->json)
		return print_json(
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "file", o->file, "size",
				  (json_int_t)d->size, "data_bytes", (json_int_t)d->data,
				  "skipped_bytes", (json_int_t)d->skipped, "transactions",
				  (json_int_t)n->calls, "get_blobs", (json_int_t)n->reads));
	if (d->skipped)
		snprintf(there, sizeof(there), ", %s were there",
			 size_text(d->skipped, size, sizeof(size)));
	printf("%s: %s, data %s%s\n", o->file, size_text(d->size, size, sizeof(size)),
	       progress_text(p, p->job.done - d->skipped, text, sizeof(text)), there);
	return EXIT_OK;
}

static int transfer(const struct download_options *o, struct session *s)
{
	struct progress p;
	struct download d = { .job = &p.job, .file = o->file };
	char left[600];
	int status = progress_start(&p, s, o->connections);

	if (status)
		return status;
	progress_show(&p);
	status = download_run(&d);
	progress_end(&p);
	if (!status)
		return report(o, &p, &d);
	snprintf(left, sizeof(left),
		 "What has arrived stays in %s.part: the same command goes on with it", o->file);
	return progress_fail(&p, d.left == DOWNLOAD_PART ? left : NULL);
}

static int download(const struct download_options *o)
{
	struct session s = { 0 };
	int status = session_open(&s, &o->session);

	if (!status)
		status = transfer(o, &s);
	session_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct download_options o = { .session.snapshot = true, .connections = JOB_CONNECTIONS };
	const struct option options[] = {
		SESSION_OPTIONS(&o.session),
		NUMBER("connections", &o.connections, 1, 128),
		FLAG("json", &o.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &o.session.url),
		ARGUMENT("FILE", &o.file),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (status)
		return status;
	if (!*o.file || !strcmp(o.file, "-"))
		return fail(
			EXIT_USAGE,
			"FILE: must be a file, which pages can be written to in any order; give its name");
	return download(&o);
}

static const char help[] =
	"usage: clouddrivectl download URL FILE [--connections N] [--key-file FILE]\n"
	"                              [--allow-http] [--json]\n"
	"\n"
	"Fetches a drive, or a snapshot of one, into FILE: byte for byte what is in the blob,\n"
	"so that a VHD stays a VHD. Only what holds data is fetched, in requests of 4 MiB,\n"
	"many at once, each with its checksum; the rest of FILE is holes. A file of that name\n"
	"is replaced when all has arrived, and not before.\n"
	"\n"
	"Interrupted, it leaves FILE.part; the same command goes on with it. A blob that\n"
	"changes while it is downloaded is refused: unmount it first, or give the URL of a\n"
	"snapshot, which doesn't change.\n"
	"\n"
	"  --connections N  at most N requests at once, 1 to 128; 8 if left out\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"file\", \"size\", \"data_bytes\", \"skipped_bytes\",\n"
	"                   \"transactions\", \"get_blobs\"}\n"
	"\n" SESSION_HELP "\n"
	"Examples:\n"
	"  clouddrivectl download https://acct.blob.core.windows.net/disks/disk1 disk1.vhd --key-file key\n"
	"  clouddrivectl download \"https://acct.blob.core.windows.net/disks/disk1?snapshot=2026-11-20T10:00:00.0000000Z\" disk1.vhd --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed, was interrupted, or the blob changed; 2 wrong usage;\n"
	"3 no such account, container, blob or snapshot; 4 not authorised; 6 a copy to the blob\n"
	"is still under way; 7 the service can't be reached; 8 the blob is not a page blob,\n"
	"unfinished, or a copy that failed.\n";

const struct verb verb_download = {
	.name = "download",
	.arguments = "URL FILE",
	.summary = "fetch a drive or snapshot into a file",
	.help = help,
	.run = run,
};
