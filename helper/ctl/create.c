// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "ctl/options.h"
#include "ctl/store.h"

#define MAX_SIZE (8ull << 40) /* "Put Blob": x-ms-blob-content-length */

struct create {
	struct store_options store;
	const char *fs, *format;
	uint64_t size;
	bool json;
};

static int check(const struct create *c)
{
	if (strcmp(c->format, "raw") != 0)
		return fail(
			CTL_USAGE,
			"--format: only raw is available in this version; see clouddrivectl create --help");
	if (strcmp(c->fs, "none") != 0)
		return fail(
			CTL_USAGE,
			"--fs: only none is available in this version; mount it with --no-fs and run mkfs");
	if (!c->size)
		return fail(CTL_USAGE, "--size: missing or zero; see clouddrivectl create --help");
	if (c->size % AZ_PAGE)
		return fail(CTL_USAGE, "--size: not a multiple of 512 bytes; round it up");
	if (c->size > MAX_SIZE)
		return fail(CTL_USAGE, "--size: more than a page blob holds; 8T at most");
	return CTL_OK;
}

static int create(struct create *c)
{
	struct az_sync sync = { 0 };
	struct store s = { 0 };
	int status;

	status = store_open(&s, &c->store);
	if (!status)
		status = store_wait(
			&s, az_create_page_blob(s.client, &s.blob, c->size, az_sync_done, &sync),
			&sync);
	if (!status && c->json)
		status = print_json(
			json_pack("{s:s, s:I}", "url", s.text, "size", (json_int_t)c->size));
	store_close(&s);
	return status;
}

static int run(int argc, char **argv)
{
	struct create c = { .fs = "none", .format = "raw" };
	const struct option options[] = {
		STORE_OPTIONS(&c.store),   SIZE("size", &c.size), TEXT("fs", &c.fs),
		TEXT("format", &c.format), FLAG("json", &c.json), { 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &c.store.url),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = check(&c);
	return status ? status : create(&c);
}

static const char help[] =
	"usage: clouddrivectl create URL --size SIZE [--format raw] [--fs none]\n"
	"                            [--key-file FILE] [--allow-http] [--json]\n"
	"\n"
	"Makes an empty drive: a page blob of SIZE bytes, all zeroes, at URL. Its container\n"
	"must be there, the blob must not. Space that is never written costs nothing.\n"
	"\n"
	"  --size SIZE      a multiple of 512 bytes, 8T at most; K, M, G and T are powers of 1024\n"
	"  --format raw     the blob is the disk, byte for byte (the default)\n"
	"  --fs none        without a file system (the default)\n"
	"  --key-file FILE  the account key in base64; - is standard input\n"
	"  --allow-http     plain http to a host other than this one\n"
	"  --json           print {\"url\", \"size\"}; nothing is printed otherwise\n"
	"\n" STORE_HELP "\n"
	"Examples:\n"
	"  clouddrivectl create https://acct.blob.core.windows.net/disks/disk1 --size 10G --key-file key\n"
	"  clouddrivectl create \"https://acct.blob.core.windows.net/disks/disk1?sv=...&sig=...\" --size 512M\n"
	"\n"
	"Exit status: 0 done; 1 it failed, or the blob exists already; 2 wrong usage; 3 no such\n"
	"account or container; 4 not authorised; 7 the service can't be reached.\n";

const struct verb verb_create = {
	.name = "create",
	.arguments = "URL --size SIZE",
	.summary = "make an empty drive",
	.help = help,
	.run = run,
};
