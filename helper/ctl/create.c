// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "command/options.h"
#include "command/session.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "image/create.h"
#include "vhd/footer.h"

#define MAX_SIZE (8ull << 40) /* "Put Blob": x-ms-blob-content-length */

struct create_options {
	struct session_options session;
	const char *fs, *format, *label;
	uint64_t size;
	bool json;
};

static int check_size(const struct create_options *o, bool vhd)
{
	if (!o->size)
		return fail(EXIT_USAGE, "--size: missing or zero; see clouddrivectl create --help");
	if (o->size % AZ_PAGE)
		return fail(EXIT_USAGE, "--size: not a multiple of 512 bytes; round it up");
	if (vhd && (o->size < VHD_LEAST || o->size > VHD_MOST))
		return fail(EXIT_USAGE,
			    "--size: a VHD has 16M to 1T; choose another size, or --format raw");
	if (o->size > MAX_SIZE)
		return fail(EXIT_USAGE, "--size: more than a page blob holds; 8T at most");
	return EXIT_OK;
}

static int check_label(const struct create_options *o, const struct mkfs *f)
{
	if (!o->label)
		return EXIT_OK;
	if (!f)
		return fail(EXIT_USAGE,
			    "--label: names a file system; leave it out with --fs none");
	for (const char *s = o->label; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 127)
			return fail(EXIT_USAGE,
				    "--label: holds a control character; choose another");
	if (!*o->label || strlen(o->label) > f->longest_label)
		return fail(EXIT_USAGE, "--label: must have 1 to %zu bytes for %s; choose another",
			    f->longest_label, f->name);
	return EXIT_OK;
}

static int check(const struct create_options *o, struct create *c)
{
	int status;

	c->vhd = !strcmp(o->format, "vhd");
	if (!c->vhd && strcmp(o->format, "raw") != 0)
		return fail(EXIT_USAGE,
			    "--format: neither vhd nor raw; see clouddrivectl create --help");
	c->mkfs = mkfs_find(o->fs);
	if (!c->mkfs && strcmp(o->fs, "none") != 0)
		return fail(EXIT_USAGE,
			    "--fs: not ntfs, ext4, xfs or none; see clouddrivectl create --help");
	c->size = o->size;
	c->label = o->label;
	status = check_size(o, c->vhd);
	return status ? status : check_label(o, c->mkfs);
}

static int report(const struct create_options *o, const struct session *s, const struct create *c)
{
	const struct az_counters *n = az_client_counters(s->client);
	char size[16];

	if (o->json)
		return print_json(json_pack("{s:s, s:I, s:I, s:s, s:s, s:I, s:I}", "url", s->text,
					    "size", (json_int_t)c->size, "blob_size",
					    (json_int_t)c->blob_size, "format", o->format, "fs",
					    o->fs, "pages", (json_int_t)c->pages, "transactions",
					    (json_int_t)n->calls));
	printf("%s: %s, %s, %llu pages written in %llu transaction%s\n", s->text,
	       size_text(c->size, size, sizeof(size)), c->mkfs ? c->mkfs->name : o->format,
	       (unsigned long long)c->pages, (unsigned long long)n->calls,
	       n->calls == 1 ? "" : "s");
	return EXIT_OK;
}

static struct az_call *start_bare(struct session *s, struct az_sync *sync, void *arg)
{
	const struct create *c = arg;

	return az_create_page_blob(s->client, &s->blob, c->size, az_sync_done, sync);
}

/* A raw blob without a file system is made, and finished, by one call. */
static int make_bare(struct session *s, struct create *c)
{
	static const char again[] =
		"The service has not answered clearly at first: it may be this very one; look, and delete it or use it";
	struct az_sync sync;
	unsigned int tries;
	int status;

	c->blob_size = c->size;
	status = session_try(s, start_bare, c, &sync, &tries);
	if (status || !sync.res.err.class)
		return status;
	return session_fail(s, &sync.res.err,
			    tries > 1 && az_error_is(&sync.res.err, "BlobAlreadyExists") ? again :
											   NULL);
}

static int make(struct session *s, struct create *c)
{
	struct progress p;
	int status = progress_start(&p, s, JOB_CONNECTIONS);

	if (status)
		return status;
	c->job = &p.job;
	status = c->mkfs ? mkfs_check(c->job, c->mkfs) : 0;
	if (!status) {
		progress_show(&p);
		status = create_run(c);
	}
	progress_end(&p);
	c->job = NULL;
	if (!status)
		return EXIT_OK;
	return progress_fail(
		&p,
		c->left ?
			"There may be an unfinished blob, which could not be deleted; look, and delete it" :
			NULL);
}

static int create(const struct create_options *o, struct create *c)
{
	struct session s = { 0 };
	int status;

	status = session_open(&s, &o->session);
	if (!status)
		status = c->vhd || c->mkfs ? make(&s, c) : make_bare(&s, c);
	if (!status)
		status = report(o, &s, c);
	session_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct create_options o = { .fs = "ext4", .format = "vhd" };
	struct create c = { 0 };
	const struct option options[] = {
		SESSION_OPTIONS(&o.session),
		SIZE("size", &o.size),
		TEXT("fs", &o.fs),
		TEXT("label", &o.label),
		TEXT("format", &o.format),
		FLAG("json", &o.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &o.session.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = check(&o, &c);
	return status ? status : create(&o, &c);
}

static const char help[] =
	"usage: clouddrivectl create URL --size SIZE [--fs ext4|xfs|ntfs|none] [--label NAME]\n"
	"                            [--format vhd|raw] [--key-file FILE] [--allow-http] [--json]\n"
	"\n"
	"Makes a drive: a page blob at URL that is a disk of SIZE bytes with an empty file\n"
	"system. Its container must be there, the blob must not. Only what the file system's\n"
	"own tool (mkfs.ext4, mkfs.xfs, mkntfs) wrote is sent: space that is never written\n"
	"costs nothing. Needs neither root nor the module. Interrupted, it deletes the blob;\n"
	"killed, it may leave one, which is marked as unfinished and does not mount.\n"
	"\n"
	"  --size SIZE      of the disk, a multiple of 512 bytes: 16M to 1T for a VHD, 8T at most\n"
	"                   for a raw blob; K, M, G and T are powers of 1024\n"
	"  --fs NAME        the file system: ext4 (the default), xfs, ntfs, or none\n"
	"  --label NAME     its label\n"
	"  --format vhd     a fixed VHD (the default): the blob has 512 bytes more, its footer;\n"
	"                   a file system is in one partition, at 1 MiB\n"
	"  --format raw     the blob is the file system, or the disk, byte for byte\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"url\", \"size\", \"blob_size\", \"format\", \"fs\", \"pages\" (of\n"
	"                   512 bytes, written), \"transactions\"} instead of a line\n"
	"\n" SESSION_HELP "\n"
	"Examples:\n"
	"  clouddrivectl create https://acct.blob.core.windows.net/disks/disk1 --size 10G --key-file key\n"
	"  clouddrivectl create \"https://acct.blob.core.windows.net/disks/disk1?sv=...&sig=...\" --size 1T --fs ntfs --label DATA\n"
	"\n"
	"Exit status: 0 done; 1 it failed, was interrupted, or the blob exists already; 2 wrong\n"
	"usage; 3 no such account or container; 4 not authorised; 7 the service can't be\n"
	"reached.\n";

const struct verb verb_create = {
	.name = "create",
	.arguments = "URL --size SIZE",
	.summary = "make a drive",
	.help = help,
	.run = run,
};
