// SPDX-License-Identifier: MIT
/*
 * fuzz_request.c - a libFuzzer target: reading a request, and all that reads it
 * before anything is known of who sent it
 *
 * Beside crashes, which the sanitizers find: names and queries keep what request.h
 * promises, whatever was sent, and no request of a fuzzer is authorised.
 */
#include <ctype.h>

#include "devstore/auth/auth.h"
#include "devstore/service/conditions.h"
#include "devstore/service/lease.h"
#include "devstore/service/range.h"
#include "devstore/service/route.h"
#include "devstore/service/xml.h"
#include "lib/date.h"
#include "fuzz.h"

static struct ds_accounts accounts;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool no_policy(void *arg, const char *account, const char *container, const char *id,
		      struct ds_policy *out)
{
	(void)arg;
	(void)account;
	(void)container;
	(void)id;
	(void)out;
	return false;
}

static size_t characters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

/* "Naming and referencing containers, blobs, and metadata" */
static void check_names(const struct ds_request *r)
{
	size_t len;

	if (r->bad || !r->account)
		return;
	len = strlen(r->account);
	promise(len >= 3 && len <= 24);
	for (size_t i = 0; i < len; i++)
		promise(islower((unsigned char)r->account[i]) ||
			isdigit((unsigned char)r->account[i]));
	if (!r->container) {
		promise(!r->blob);
		return;
	}
	len = strlen(r->container);
	promise(len >= 3 && len <= 63);
	promise(!strpbrk(r->container, "/.\\ %"));
	if (r->blob) {
		promise(characters(r->blob) >= 1 && characters(r->blob) <= 1024);
		promise(!strpbrk(r->blob, "\r\n\t"));
	}
}

static void check_query(const struct ds_request *r)
{
	promise(r->queries <= DS_MAX_QUERY);
	promise(r->ms_count <= DS_MAX_MS);
	promise(r->arena.total <= DS_ARENA_MAX);
	for (size_t i = 0; i < r->queries; i++) {
		promise(r->query[i].name && r->query[i].value);
		promise(!i || r->bad || strcmp(r->query[i - 1].name, r->query[i].name) < 0);
	}
}

static void read_parts(const struct ds_request *r)
{
	struct ds_policy policies[DS_MAX_POLICIES];
	struct ds_conditions conditions;
	struct ds_range range;
	char id[DS_LEASE_ID];
	bool has;

	if (!ds_range_of(r, &range, &has) && has)
		promise(range.first <= range.last);
	promise(ds_range_asked(r, &range) <= has);
	for (int read = 0; read < 2; read++) {
		if (ds_conditions_parse(r, read, &conditions))
			continue;
		ds_conditions_check(&conditions, 1, DATE_TICKS, read);
		ds_conditions_check_absent(&conditions);
		ds_conditions_check_sequence(&conditions, 1);
	}
	if (!ds_conditions_parse_source(r, &conditions))
		ds_conditions_check(&conditions, 1, DATE_TICKS, false);
	if (r->header[H_LEASE_ID] && ds_lease_id(r->header[H_LEASE_ID], id))
		promise(strlen(id) == DS_LEASE_ID - 1);
	if (r->body)
		ds_xml_policies(r->body, r->body_len, policies);
}

/* A time that is read is written and read the same. */
static void read_times(const struct ds_request *r)
{
	const char *snapshot = ds_query(r, "snapshot");
	char iso[DATE_ISO], http[DATE_HTTP];
	int64_t ticks, again;

	if (snapshot && date_parse_iso(snapshot, &ticks)) {
		date_iso(ticks, iso);
		promise(date_parse_iso(iso, &again) && again == ticks);
	}
	if (r->header[H_MS_DATE] && date_parse_http(r->header[H_MS_DATE], &ticks)) {
		date_http(ticks, http);
		promise(date_parse_http(http, &again) && again == ticks);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	promise(!ds_accounts_init(&accounts));
	/* Not the published key, which is in no corpus for long. */
	promise(!ds_accounts_add(&accounts, DS_DEV_ACCOUNT, "bm8gZnV6emVyIGtub3dzIHRoaXM="));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = { (const char *)data, (const char *)data + size };
	static struct ds_request r;
	struct ds_grant grant;

	while (fuzz_request(&in, &r)) {
		enum ds_op op;

		check_names(&r);
		check_query(&r);
		if (r.bad)
			continue;
		op = ds_route(&r);
		promise(op < DS_OP_COUNT);
		promise(ds_authorize(&accounts, &r, &ds_ops[op].need, no_policy, NULL, date_now(),
				     &grant));
		read_parts(&r);
		read_times(&r);
		promise(r.arena.total <= DS_ARENA_MAX);
	}
	ds_request_free(&r);
	return 0;
}
