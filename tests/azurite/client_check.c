// SPDX-License-Identifier: MIT
/*
 * client_check - the calls of helper/azure/blob.h, one after another, as words
 *
 * usage: client_check URL COMMAND [, COMMAND]...
 *
 *   props | create SIZE | delete | delete-all | pages
 *   acquire SECONDS | renew | release | break | raise NUMBER
 *   put OFFSET LENGTH SEQUENCE FILE   the same bytes of FILE; SEQUENCE may be -
 *   get OFFSET LENGTH FILE            into FILE, at OFFSET
 *   clear OFFSET LENGTH SEQUENCE
 *   lease ID                          from here on ("-" for none)
 *   flood COUNT FILE                  so many 4-KiB puts and gets, 32 at a time
 *   stats
 *   sas PERMISSIONS SECONDS           what az_sas_sign() makes of the account key; one that
 *                                     ended so many seconds ago when negative
 *   needs PERMISSIONS                 what az_sas_check() says
 *
 * Prints one line for each: its name, its error ("done" when there is none)
 * and what there is to tell.  Exits with the status of the last failed one.
 * Credentials come as for clouddrivectl.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "azure/blob.h"
#include "azure/sas.h"
#include "lib/text.h"

static struct loop *loop;
static struct az_client *client;
static struct az_url url;
static struct az_credential cred;
static struct az_blob blob;
static struct az_result res;
static int status;

struct file {
	int fd;
	uint64_t offset;
};

static int file_read(void *arg, void *buf, size_t len, uint64_t pos)
{
	const struct file *f = arg;

	return pread(f->fd, buf, len, (off_t)(f->offset + pos)) == (ssize_t)len ? 0 : -EIO;
}

static int file_write(void *arg, const void *buf, size_t len, uint64_t pos)
{
	const struct file *f = arg;

	return pwrite(f->fd, buf, len, (off_t)(f->offset + pos)) == (ssize_t)len ? 0 : -EIO;
}

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	printf("%llu %llu\n", (unsigned long long)offset, (unsigned long long)len);
}

static void end(struct az_call *call, struct az_sync *s, const char *name)
{
	char text[400];

	if (!call || az_sync_wait(loop, s)) {
		printf("%s: no call\n", name);
		exit(99);
	}
	res = s->res;
	printf("%s: %s", name, az_error_text(&res.err, text, sizeof(text)));
	if (res.err.class) {
		status = az_error_exit(&res.err);
		printf("; %s (%d)", az_error_advice(&res.err), status);
	}
}

#define CALL(name, ...)                               \
	do {                                          \
		struct az_sync s = { 0 };             \
		struct az_call *call = (__VA_ARGS__); \
		end(call, &s, name);                  \
	} while (0)

static uint64_t number(const char *s)
{
	return strcmp(s, "-") ? strtoull(s, NULL, 10) : AZ_NO_SEQUENCE;
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0666);

	if (fd < 0) {
		perror(path);
		exit(99);
	}
	return fd;
}

/* --- flood: how fast, and whether all of it is right ---------------------- */

static int flood_fd, flood_left, flood_flying;
static bool flood_done;
static uint64_t flood_failed;

struct flood {
	struct file at;
	bool reading;
	unsigned char got[4096];
};

static void flood_next(struct flood *f);

static int flood_keep(void *arg, const void *buf, size_t len, uint64_t pos)
{
	struct flood *f = arg;

	memcpy(f->got + pos, buf, len);
	return 0;
}

static void flood_ended(void *arg, const struct az_result *r)
{
	struct flood *f = arg;
	unsigned char want[4096];

	flood_flying--;
	if (r->err.class)
		flood_failed++;
	if (f->reading &&
	    (file_read(&f->at, want, sizeof(want), 0) || memcmp(want, f->got, sizeof(want)) != 0))
		flood_failed++;
	f->reading = !f->reading;
	flood_next(f);
	flood_done = !flood_flying;
}

static void flood_next(struct flood *f)
{
	const struct az_source source = { .read = file_read, .arg = &f->at };
	const struct az_sink sink = { .write = flood_keep, .arg = f };

	if (!flood_left)
		return;
	flood_left--;
	flood_flying++;
	if (f->reading)
		az_get_range(client, &blob, f->at.offset, 4096, &sink, flood_ended, f);
	else
		az_put_page(client, &blob, f->at.offset, 4096, AZ_NO_SEQUENCE, &source, flood_ended,
			    f);
}

static void flood(int count, const char *path)
{
	static struct flood slots[32];
	uint64_t start = loop_now();
	double seconds;

	flood_fd = open_file(path, O_RDONLY);
	flood_left = count;
	flood_done = false;
	for (int i = 0; i < 32; i++) {
		slots[i].at = (struct file){ .fd = flood_fd, .offset = (uint64_t)i * 4096 };
		flood_next(&slots[i]);
	}
	loop_run_until(loop, &flood_done);
	seconds = (double)(loop_now() - start) / 1e9;
	fprintf(stderr, "flood: %d calls, %.0f a second\n", count, count / seconds);
	printf("flood: %llu failed", (unsigned long long)flood_failed);
	close(flood_fd);
}

/* -------------------------------------------------------------------------- */

static void blob_command(char **w)
{
	const char *c = w[0];

	if (!strcmp(c, "props")) {
		CALL(c, az_get_properties(client, &blob, az_sync_done, &s));
		if (!res.err.class)
			printf("; type %d, size %llu, sequence number %llu, %s", res.props.type,
			       (unsigned long long)res.props.size,
			       (unsigned long long)res.props.sequence_number,
			       res.props.lease_state);
	} else if (!strcmp(c, "create")) {
		CALL(c, az_create_page_blob(client, &blob, number(w[1]), az_sync_done, &s));
	} else if (!strcmp(c, "delete")) {
		CALL(c, az_delete_blob(client, &blob, false, az_sync_done, &s));
	} else if (!strcmp(c, "delete-all")) {
		CALL(c, az_delete_blob(client, &blob, true, az_sync_done, &s));
	} else if (!strcmp(c, "pages")) {
		CALL(c,
		     az_get_page_ranges(client, &blob, 0, UINT64_MAX, on_range, az_sync_done, &s));
	} else if (!strcmp(c, "raise")) {
		CALL(c, az_raise_sequence(client, &blob, number(w[1]), az_sync_done, &s));
		printf("; %llu", (unsigned long long)res.props.sequence_number);
	} else if (!strcmp(c, "acquire")) {
		CALL(c, az_lease(client, &blob, AZ_LEASE_ACQUIRE, atoi(w[1]), az_sync_done, &s));
	} else if (!strcmp(c, "renew")) {
		CALL(c, az_lease(client, &blob, AZ_LEASE_RENEW, 0, az_sync_done, &s));
	} else if (!strcmp(c, "release")) {
		CALL(c, az_lease(client, &blob, AZ_LEASE_RELEASE, 0, az_sync_done, &s));
	} else if (!strcmp(c, "break")) {
		CALL(c, az_lease(client, &blob, AZ_LEASE_BREAK, 0, az_sync_done, &s));
	} else if (!strcmp(c, "sas")) {
		int64_t left = strtoll(w[2], NULL, 10), now = time(NULL);
		char *sas = left > 0 ? az_sas_sign(&url, &cred, w[1], now, (unsigned int)left) :
				       az_sas_sign(&url, &cred, w[1], now + left - 60, 60);

		printf("%s", sas ? sas : "no sas");
		text_free_secret(sas);
	} else if (!strcmp(c, "needs")) {
		char why[256];

		if (az_sas_check(&cred, &url, w[1], time(NULL), why, sizeof(why)))
			printf("needs: %s", why);
		else
			printf("needs: all there");
	} else if (!strcmp(c, "stats")) {
		const struct az_counters *n = az_client_counters(client);

		printf("stats: %llu calls, %llu reads, %llu writes, %llu clears, %llu lists, "
		       "%llu others, %llu failed",
		       (unsigned long long)n->calls, (unsigned long long)n->reads,
		       (unsigned long long)n->writes, (unsigned long long)n->clears,
		       (unsigned long long)n->lists, (unsigned long long)n->others,
		       (unsigned long long)n->failed);
	} else {
		fprintf(stderr, "client_check: no command %s\n", c);
		exit(99);
	}
}

static void page_command(char **w)
{
	const char *c = w[0];
	struct file f = { .fd = -1 };

	if (!strcmp(c, "put")) {
		const struct az_source source = { .read = file_read, .arg = &f };

		f = (struct file){ open_file(w[4], O_RDONLY), number(w[1]) };
		CALL(c, az_put_page(client, &blob, f.offset, (uint32_t)number(w[2]), number(w[3]),
				    &source, az_sync_done, &s));
	} else if (!strcmp(c, "get")) {
		const struct az_sink sink = { .write = file_write, .arg = &f };

		f = (struct file){ open_file(w[3], O_RDWR | O_CREAT), number(w[1]) };
		CALL(c, az_get_range(client, &blob, f.offset, (uint32_t)number(w[2]), &sink,
				     az_sync_done, &s));
	} else if (!strcmp(c, "clear")) {
		CALL(c, az_clear_pages(client, &blob, number(w[1]), number(w[2]), number(w[3]),
				       az_sync_done, &s));
	} else if (!strcmp(c, "flood")) {
		flood(atoi(w[1]), w[2]);
	} else if (!strcmp(c, "lease")) {
		snprintf(blob.lease_id, sizeof(blob.lease_id), "%s", strcmp(w[1], "-") ? w[1] : "");
		return;
	} else {
		blob_command(w);
	}
	printf("\n");
	if (f.fd >= 0)
		close(f.fd);
}

int main(int argc, char **argv)
{
	char why[256];

	if (argc < 3)
		return 99;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (az_url_parse(argv[1], &url, why, sizeof(why)) ||
	    az_credential_load(&cred, &url, NULL, why, sizeof(why))) {
		printf("%s\n", why);
		return 99;
	}
	if (loop_new(&loop) || az_client_new(&client, loop, NULL))
		return 99;
	blob = (struct az_blob){ .url = &url, .cred = &cred };
	for (int i = 2, from = 2; i <= argc; i++) {
		if (i < argc && strcmp(argv[i], ",") != 0)
			continue;
		if (i < argc)
			argv[i] = NULL;
		page_command(&argv[from]);
		from = i + 1;
	}
	az_client_free(client);
	loop_free(loop);
	az_credential_free(&cred);
	az_url_free(&url);
	return status;
}
