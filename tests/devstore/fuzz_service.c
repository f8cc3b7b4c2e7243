// SPDX-License-Identifier: MIT
/*
 * fuzz_service.c - a libFuzzer target: the operations
 *
 * Each input is requests as of the owner of the account (fuzz.h), run one after the
 * other on a store that has a container "ccc" with a page blob "b", a snapshot of it
 * (whose time "@" stands for in a URI) and an empty page blob "e". What must hold,
 * whatever was asked: an answer has a status; its headers are lines; an error is a
 * document; no file is made outside the directory of the store.
 */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/service/route.h"
#include "devstore/service/service.h"
#include "fuzz.h"

#define MAX_REQUESTS 8

static char dir[256];
static struct loop *loop;
static struct storage *storage;
static struct ds ds;
static struct ds_call call;
static char snapshot[40];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(void)
{
	ds_call_reset(&call, 0);
	if (call.req.bad) {
		ds_call_refuse(&call, call.req.bad);
		return;
	}
	call.op = ds_route(&call.req);
	/* Account and container names are in the path that was authorised. */
	if (!call.req.account || strcmp(call.req.account, DS_DEV_ACCOUNT) != 0)
		return;
	call.grant = (struct ds_grant){ 0 };
	ds_call_run(&call);
}

static void ask(const char *text)
{
	struct fuzz_input in = { text, text + strlen(text) };

	promise(fuzz_request(&in, &call.req));
	run();
	promise(call.response.status / 100 == 2);
}

static void start_over(void)
{
	struct storage_key key = { .account = DS_DEV_ACCOUNT, .container = "ccc" };
	struct fuzz_input in;
	static const char delete[] = "DELETE /" DS_DEV_ACCOUNT "/ccc?restype=container\n";

	in = (struct fuzz_input){ delete, delete + sizeof(delete) - 1 };
	fuzz_request(&in, &call.req);
	run();
	if (call.response.status != 404) {
		/* Leased, then: away with it all the same. */
		storage_container_delete(storage, &key);
		ds_objects_forget_container(&ds.objects, &key);
	}
	ask("PUT /" DS_DEV_ACCOUNT "/ccc?restype=container\n=0\n");
	ask("PUT /" DS_DEV_ACCOUNT "/ccc/b\nx-ms-blob-type: PageBlob\n"
	    "x-ms-blob-content-length: 65536\nx-ms-meta-a: b\n=0\n");
	ask("PUT /" DS_DEV_ACCOUNT "/ccc/b?comp=page\nx-ms-page-write: update\n"
	    "x-ms-range: bytes=512-2047\n=1536\n");
	ask("PUT /" DS_DEV_ACCOUNT "/ccc/b?comp=snapshot\n=0\n");
	for (size_t i = 0; i < call.response.fields; i++)
		if (!strcasecmp(call.response.field[i].name, "x-ms-snapshot"))
			snprintf(snapshot, sizeof(snapshot), "%s", call.response.field[i].value);
	promise(*snapshot);
	ask("PUT /" DS_DEV_ACCOUNT "/ccc/b?comp=page\nx-ms-page-write: clear\n"
	    "x-ms-range: bytes=1024-1535\n=0\n");
	ask("PUT /" DS_DEV_ACCOUNT "/ccc/e\nx-ms-blob-type: PageBlob\n"
	    "x-ms-blob-content-length: 65536\n=0\n");
}

/* Puts the snapshot's time for "@" in the URI, which is what a client would do
 * after it was told. */
static void insert_snapshot(const uint8_t *data, size_t size, struct text *t)
{
	text_reset(t);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '@')
			text_add(t, snapshot);
		else
			text_addn(t, (const char *)data + i, 1);
	}
}

static void check_answer(void)
{
	const struct ds_response *a = &call.response;

	promise(a->status >= 200 && a->status < 600);
	promise(a->fields <= DS_MAX_FIELDS);
	for (size_t i = 0; i < a->fields; i++) {
		promise(a->field[i].value);
		promise(!strpbrk(a->field[i].value, "\r\n"));
	}
	promise(!a->body_len || a->body);
	if (a->status >= 400 && call.req.method != DS_HEAD)
		promise(a->body_len > 5 && !memcmp(a->body, "<?xml", 5));
	if (a->stream)
		promise(a->length <= storage_blob_size(a->stream));
	promise(a->status != 500);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *base = getenv("FUZZ_DIR");

	(void)argc;
	(void)argv;
	snprintf(dir, sizeof(dir), "%s/devstore.%d", base ? base : "/tmp", (int)getpid());
	promise(!mkdir(dir, 0700));
	strcat(dir, "/data");
	promise(!storage_open(&storage, dir, false));
	promise(!loop_new(&loop));
	promise(!ds_init(&ds, loop, storage));
	ds.async_above = 1 << 20;
	ds.copy_step = 1 << 20;
	strcpy(ds.host, "127.0.0.1:10000");
	promise(!ds_accounts_add(&ds.accounts, DS_DEV_ACCOUNT, DS_DEV_KEY));
	call.ds = &ds;
	return 0;
}

/* "data" is all there is beside it: a name has led nowhere else. */
static void check_directory(void)
{
	char parent[sizeof(dir)];
	struct dirent *entry;
	DIR *d;

	snprintf(parent, sizeof(parent), "%s", dir);
	*strrchr(parent, '/') = '\0';
	d = opendir(parent);
	promise(d);
	while ((entry = readdir(d)))
		promise(!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
			!strcmp(entry->d_name, "data"));
	closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct text t;
	struct fuzz_input in;

	start_over();
	insert_snapshot(data, size, &t);
	text_add(&t, "\n");
	promise(t.s);
	in = (struct fuzz_input){ t.s, t.s + t.len };
	for (int i = 0; i < MAX_REQUESTS && fuzz_request(&in, &call.req); i++) {
		call.response.status = 0;
		run();
		if (call.response.status)
			check_answer();
	}
	ds_response_drop(&call.response);
	check_directory();
	return 0;
}
