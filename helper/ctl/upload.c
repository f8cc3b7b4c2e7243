// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "command/options.h"
#include "command/session.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "image/upload.h"

struct upload_options {
	struct session_options session;
	const char *file, *format;
	uint64_t connections;
	bool verify, json;
};

static int report(const struct upload_options *o, const struct progress *p, const struct upload *u)
{
	const struct az_counters *n = az_client_counters(p->job.client);
	char text[96], there[48] = "", size[16];

	if (o->json)
		return print_json(
			json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "url", p->session->text, "size",
				  (json_int_t)u->size, "pages", (json_int_t)u->pages,
				  "skipped_bytes", (json_int_t)u->skipped, "transactions",
				  (json_int_t)n->calls, "put_pages", (json_int_t)n->writes));
	if (u->skipped)
		snprintf(there, sizeof(there), ", %s were there",
			 size_text(u->skipped, size, sizeof(size)));
	printf("%s: %llu pages, %s%s\n", p->session->text, (unsigned long long)u->pages,
	       progress_text(p, u->pages * AZ_PAGE, text, sizeof(text)), there);
	return EXIT_OK;
}

static const char *what_is_left(const struct upload *u)
{
	switch (u->left) {
	case UPLOAD_RESUMABLE:
		return "What was sent stays in the unfinished blob: the same command goes on with it, delete removes it";
	case UPLOAD_TAKEN:
		return "Another run of this upload has gone on with the blob, or somebody has mounted it";
	case UPLOAD_UNSURE:
		return "Everything was sent, but whether the last step was taken is not known: the same command takes it, or finds the blob finished";
	case UPLOAD_REST:
		return "There may be an unfinished blob, which could not be deleted; look, and delete it";
	case UPLOAD_NOTHING:
		break;
	}
	return NULL;
}

static int transfer(const struct upload_options *o, struct session *s, bool raw)
{
	struct image_file file = { .fd = -1 };
	struct progress p;
	struct upload u = { .job = &p.job, .file = &file, .verify = o->verify };
	int status = progress_start(&p, s, o->connections);

	if (status)
		return status;
	status = image_file_open(&p.job, &file, o->file, raw);
	if (!status && file.pipe && o->verify)
		status = job_fail(&p.job, EXIT_USAGE,
				  "--verify: a pipe can't be read twice; upload a file");
	if (!status) {
		progress_show(&p);
		status = upload_run(&u);
	}
	progress_end(&p);
	status = status ? progress_fail(&p, what_is_left(&u)) : report(o, &p, &u);
	image_file_close(&file);
	return status;
}

static int upload(const struct upload_options *o, bool raw)
{
	struct session s = { 0 };
	int status = session_open(&s, &o->session);

	if (!status)
		status = transfer(o, &s, raw);
	session_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct upload_options o = { .format = "vhd", .connections = JOB_CONNECTIONS };
	const struct option options[] = {
		SESSION_OPTIONS(&o.session),
		TEXT("format", &o.format),
		NUMBER("connections", &o.connections, 1, 128),
		FLAG("verify", &o.verify),
		FLAG("json", &o.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("FILE", &o.file),
		ARGUMENT("URL", &o.session.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (status)
		return status;
	if (strcmp(o.format, "vhd") != 0 && strcmp(o.format, "raw") != 0)
		return fail(EXIT_USAGE,
			    "--format: neither vhd nor raw; see clouddrivectl upload --help");
	if (!strcmp(o.file, "-") && o.session.key_file && !strcmp(o.session.key_file, "-"))
		return fail(EXIT_USAGE,
			    "--key-file: standard input is the image; give the key in a file");
	return upload(&o, !strcmp(o.format, "raw"));
}

static const char help[] =
	"usage: clouddrivectl upload FILE URL [--format vhd|raw] [--verify] [--connections N]\n"
	"                            [--key-file FILE] [--allow-http] [--json]\n"
	"\n"
	"Makes a drive of the image of a disk: a new page blob at URL with what is in FILE.\n"
	"Only what holds data is sent, in requests of 4 MiB, many at once, each with its\n"
	"checksum; a VHD's footer goes last. Until all is there, and was found there, the\n"
	"blob is marked as unfinished, and neither mounts nor downloads.\n"
	"\n"
	"Interrupted, it leaves the unfinished blob; the same command goes on with it, and\n"
	"sends what is missing. A file that changes while it is uploaded is refused.\n"
	"\n"
	"  --format vhd     FILE is a fixed VHD (the default); other images are refused, with\n"
	"                   the command that converts them\n"
	"  --format raw     FILE is the disk, or file system, byte for byte; - is standard\n"
	"                   input, and a pipe is fine: its length is found out on the way\n"
	"  --verify         read all of it back in the end, and compare\n"
	"  --connections N  at most N requests at once, 1 to 128; 8 if left out\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"url\", \"size\", \"pages\" (of 512 bytes, written),\n"
	"                   \"skipped_bytes\", \"transactions\", \"put_pages\"}\n"
	"\n" SESSION_HELP "\n"
	"Examples:\n"
	"  clouddrivectl upload disk1.vhd https://acct.blob.core.windows.net/disks/disk1 --key-file key\n"
	"  zcat disk1.img.gz | clouddrivectl upload - \"https://acct.blob.core.windows.net/disks/disk1?sv=...&sig=...\" --format raw\n"
	"\n"
	"Exit status: 0 done; 1 it failed, was interrupted, or the blob exists already; 2 wrong\n"
	"usage; 3 no such account or container; 4 not authorised; 7 the service can't be\n"
	"reached; 8 FILE is not a fixed VHD, or not whole pages of 512 bytes.\n";

const struct verb verb_upload = {
	.name = "upload",
	.arguments = "FILE URL",
	.summary = "make a drive of a VHD or raw image",
	.help = help,
	.run = run,
};
