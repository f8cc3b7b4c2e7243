// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/options.h"
#include "ctl/store.h"
#include "ctl/work.h"
#include "image/download.h"

struct download_options {
	struct store_options store;
	const char *file;
	uint64_t connections;
	bool json;
};

static int report(const struct download_options *o, const struct work *w, const struct download *d)
{
	const struct az_counters *n = az_client_counters(w->job.client);
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
	       work_text(w, w->job.done - d->skipped, text, sizeof(text)), there);
	return EXIT_OK;
}

static int transfer(const struct download_options *o, struct store *s)
{
	struct work w;
	struct download d = { .job = &w.job, .file = o->file };
	char left[600];
	int status = work_start(&w, s, o->connections);

	if (status)
		return status;
	work_show(&w);
	status = download_run(&d);
	work_end(&w);
	if (!status)
		return report(o, &w, &d);
	snprintf(left, sizeof(left),
		 "What has arrived stays in %s.part: the same command goes on with it", o->file);
	return work_fail(&w, d.left == DOWNLOAD_PART ? left : NULL);
}

static int download(const struct download_options *o)
{
	struct store s = { 0 };
	int status = store_open(&s, &o->store);

	if (!status)
		status = transfer(o, &s);
	store_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct download_options o = { .store.snapshot = true, .connections = WORK_CONNECTIONS };
	const struct option options[] = {
		STORE_OPTIONS(&o.store),
		NUMBER("connections", &o.connections, 1, 128),
		FLAG("json", &o.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &o.store.url),
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
	"\n" STORE_HELP "\n"
	"Examples:\n"
	"  clouddrivectl download https://acct.blob.core.windows.net/disks/disk1 disk1.vhd --key-file key\n"
	"  clouddrivectl download \"https://acct.blob.core.windows.net/disks/disk1?snapshot=2026-11-20T10:00:00.0000000Z\" disk1.vhd --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed, was interrupted, or the blob changed; 2 wrong usage;\n"
	"3 no such account, container, blob or snapshot; 4 not authorised; 7 the service can't\n"
	"be reached; 8 the blob is not a page blob, or unfinished.\n";

const struct verb verb_download = {
	.name = "download",
	.arguments = "URL FILE",
	.summary = "fetch a drive or snapshot into a file",
	.help = help,
	.run = run,
};
