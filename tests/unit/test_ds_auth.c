// SPDX-License-Identifier: MIT
/*
 * Signatures: what @azure/storage-blob 12.27 signed with the published key is
 * accepted, and nothing that differs from it by a character.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/auth/auth.h"
#include "lib/base64.h"
#include "lib/date.h"

static struct ds_accounts accounts;
static struct ds_request *req;
static int64_t now;

static int setup(void **state)
{
	(void)state;
	req = calloc(1, sizeof(*req));
	assert_non_null(req);
	assert_int_equal(ds_accounts_init(&accounts), 0);
	assert_int_equal(ds_accounts_add(&accounts, DS_DEV_ACCOUNT, DS_DEV_KEY), 0);
	assert_true(date_parse_http("Sat, 21 Nov 2026 13:38:10 GMT", &now));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ds_accounts_free(&accounts);
	ds_request_free(req);
	free(req);
	return 0;
}

/* --- policies ------------------------------------------------------------------- */

static struct ds_policy stored = { .id = "p1" };

static bool find_policy(void *arg, const char *account, const char *container, const char *id,
			struct ds_policy *out)
{
	(void)arg;
	if (strcmp(account, DS_DEV_ACCOUNT) != 0 || strcmp(container, "drives") != 0 ||
	    strcmp(id, stored.id) != 0)
		return false;
	*out = stored;
	return true;
}

static const struct ds_need read_blob = { 'o', "r", "r", false };
static const struct ds_need write_blob = { 'o', "w", "w", false };
static const struct ds_need list_blobs = { 'c', "l", "l", false };
static const struct ds_need list_containers = { 's', "l", "", false };
static const struct ds_need set_acl = { 'c', "", "", false };

static enum ds_err check(const struct ds_need *need)
{
	struct ds_grant grant;

	return ds_authorize(&accounts, req, need, find_policy, NULL, now, &grant);
}

/* --- SharedKey --------------------------------------------------------------------- */

static const struct vector {
	const char *verb, *uri;
	struct {
		const char *name, *value;
	} header[16];
} vectors[] = {
	{
		"PUT",
		"/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd",
		{
			{ "x-ms-version", "2025-05-05" },
			{ "content-length", "0" },
			{ "x-ms-meta-b_c", "x" },
			{ "x-ms-meta-bc", "y  z" },
			{ "x-ms-meta-b1", "1" },
			{ "x-ms-meta-a9_", "q" },
			{ "if-none-match", "*" },
			{ "x-ms-blob-type", "PageBlob" },
			{ "x-ms-blob-content-length", "1048576" },
			{ "x-ms-client-request-id", "5d2905e5-2b9e-4549-8279-1220bb6126be" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:4H/3ELa5NOHrKhCR61SX0lKshqjMcJIM6nAMQUF6Mxg=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
	{
		"PUT",
		"/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd?comp=page",
		{
			{ "content-type", "application/octet-stream" },
			{ "x-ms-version", "2025-05-05" },
			{ "content-length", "512" },
			{ "x-ms-lease-id", "11111111-2222-3333-4444-555555555555" },
			{ "x-ms-range", "bytes=512-1023" },
			{ "content-md5", "AgICAgICAgICAgICAgICAg==" },
			{ "x-ms-page-write", "update" },
			{ "x-ms-if-sequence-number-eq", "3" },
			{ "x-ms-client-request-id", "d7fc33cf-c7f4-425f-beec-990495b92d64" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:AP8TFihnwVKrRPoBRJrxqO2nN6/7W0Lyj2Qa/VLsaWo=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
	{
		"GET",
		"/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd",
		{
			{ "x-ms-version", "2025-05-05" },
			{ "if-unmodified-since", "Sun, 09 Sep 2001 01:46:40 GMT" },
			{ "x-ms-range", "bytes=0-4095" },
			{ "x-ms-range-get-content-crc64", "true" },
			{ "if-match", "\"0x8D\"" },
			{ "x-ms-client-request-id", "b676a3b4-27ae-41c4-aa72-a7abdc33b4de" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:MTEEGc5KrnDTpRod9RArWkmXR2Rz7j390ba1GOzoFxo=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
	{
		"GET",
		"/devstoreaccount1/drives?comp=list&prefix=%C3%BC%20%26&restype=container&include=metadata,snapshots",
		{
			{ "x-ms-version", "2025-05-05" },
			{ "x-ms-client-request-id", "233d3fe6-45bf-4765-8745-509c78dadc86" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:+CzWduIsmwazxGK+eZXsYf2GErAj1UgpdCgnYHZbR4w=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
	{
		"PUT",
		"/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd?comp=page",
		{
			{ "x-ms-version", "2025-05-05" },
			{ "content-length", "0" },
			{ "x-ms-range", "bytes=0-511" },
			{ "x-ms-page-write", "clear" },
			{ "x-ms-client-request-id", "d891cb08-62ba-4572-8c6f-e63d589b975d" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:MVPcT6bdU+vgaY1dbhMGXlrlmjS1CU3lI3muv41C3QE=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
	{
		"PUT",
		"/devstoreaccount1/drives?restype=container&comp=acl",
		{
			{ "content-type", "application/xml" },
			{ "x-ms-version", "2025-05-05" },
			{ "x-ms-client-request-id", "b8e87586-480b-4c1a-a46a-b9fa626727e7" },
			{ "content-length", "75" },
			{ "x-ms-date", "Sat, 21 Nov 2026 13:38:10 GMT" },
			{ "authorization",
			  "SharedKey devstoreaccount1:CtWrtpsMmjcr2KXw59//Ywv7SXrgS7cqOpRalQ7jHsg=" },
			{ "host", "127.0.0.1:10000" },
		},
	},
};

#define VECTORS (sizeof(vectors) / sizeof(*vectors))

/* The request, with header @changed as @value instead (NULL: left out). */
static void load(const struct vector *v, const char *changed, const char *value)
{
	ds_request_begin(req, v->verb, v->uri);
	for (size_t i = 0; v->header[i].name; i++) {
		bool hit = changed && !strcmp(v->header[i].name, changed);

		if (!hit || value)
			ds_request_header(req, v->header[i].name, hit ? value : v->header[i].value);
	}
	assert_int_equal(req->bad, DS_OK);
}

static void client_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		load(&vectors[i], NULL, NULL);
		if (check(&read_blob))
			print_error("%s %s: %s\n", vectors[i].verb, vectors[i].uri,
				    accounts.detail);
		assert_int_equal(check(&read_blob), DS_OK);
	}
}

/* Every header that is signed. */
static void changed_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		for (size_t h = 0; vectors[i].header[h].name; h++) {
			const char *name = vectors[i].header[h].name;
			char value[256];

			if (!strcmp(name, "host"))
				continue;
			snprintf(value, sizeof(value), "%s1", vectors[i].header[h].value);
			load(&vectors[i], name, value);
			assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
			load(&vectors[i], name, NULL);
			if (strcmp(name, "content-length") != 0 ||
			    strcmp(vectors[i].header[h].value, "0") != 0)
				assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
		}
		/* One that was added is not signed. */
		load(&vectors[i], NULL, NULL);
		ds_request_header(req, "x-ms-extra", "1");
		assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	}
}

static void changed_request_line(void **state)
{
	struct vector v = vectors[0];

	(void)state;
	v.verb = "DELETE";
	load(&v, NULL, NULL);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	v = vectors[0];
	v.uri = "/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhe";
	load(&v, NULL, NULL);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	v.uri = "/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd?comp=page";
	load(&v, NULL, NULL);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	/* Of another account, real or not, the key says nothing. */
	v.uri = "/otheraccount1/drives/a%20b/%C3%BC%2B%25.vhd";
	load(&v, NULL, NULL);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
}

static void skew(void **state)
{
	const int64_t minute = 60 * DATE_TICKS, then = now;

	(void)state;
	load(&vectors[0], NULL, NULL);
	now = then + 14 * minute;
	assert_int_equal(check(&read_blob), DS_OK);
	now = then - 14 * minute;
	assert_int_equal(check(&read_blob), DS_OK);
	now = then + 16 * minute;
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	assert_non_null(strstr(accounts.detail, "Request date header too old"));
	now = then - 16 * minute;
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	now = then;
}

static void malformed(void **state)
{
	static const struct {
		const char *value;
		enum ds_err err;
	} cases[] = {
		{ "SharedKey", ERR_AuthenticationFailed },
		{ "SharedKey x", ERR_InvalidAuthenticationInfo },
		{ "SharedKey devstoreaccount1", ERR_InvalidAuthenticationInfo },
		{ "SharedKey devstoreaccount1:", ERR_AuthenticationFailed },
		{ "SharedKey devstoreaccount1:AAAA", ERR_AuthenticationFailed },
		{ "SharedKey devstoreaccount1:%%%%", ERR_AuthenticationFailed },
		{ "SharedKey :h0ScIZ+Z9Fu/peGSDMJz8mF3PiN1Qyms9/n8B+k6tgM=",
		  ERR_AuthenticationFailed },
		{ "Bearer abc", ERR_AuthenticationFailed },
		{ "", ERR_AuthenticationFailed },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		load(&vectors[0], "authorization", cases[i].value);
		assert_int_equal(check(&read_blob), cases[i].err);
	}
	load(&vectors[0], "authorization", NULL);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
}

/* Signs what the test says, to see which variants are taken. */
static void sign(const char *string, const char *scheme, char *header, size_t len)
{
	struct text t = { 0 };
	unsigned char mac[DS_MAC];
	char text[BASE64_SIZE(DS_MAC)];

	text_add(&t, string);
	assert_true(ds_account_mac(&accounts.account[0], &t, mac));
	text_free(&t);
	base64_encode(mac, sizeof(mac), text);
	snprintf(header, len, "%s " DS_DEV_ACCOUNT ":%s", scheme, text);
}

#define DATE "Sat, 21 Nov 2026 13:38:10 GMT"

static void lite(void **state)
{
	char header[128];

	(void)state;
	sign("PUT\n\ntext/plain\n\nx-ms-date:" DATE "\n"
	     "/devstoreaccount1/devstoreaccount1/drives?comp=acl",
	     "SharedKeyLite", header, sizeof(header));
	ds_request_begin(req, "PUT", "/devstoreaccount1/drives?restype=container&comp=acl");
	ds_request_header(req, "Content-Type", "text/plain");
	ds_request_header(req, "x-ms-date", DATE);
	ds_request_header(req, "Authorization", header);
	assert_int_equal(check(&set_acl), DS_OK);
}

/* .NET's order passes over dashes; the plain one does not. */
static void orders(void **state)
{
	static const char *const strings[] = {
		"GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-a-c:1\nx-ms-ab:2\nx-ms-date:" DATE
		"\n/devstoreaccount1/devstoreaccount1/drives/d",
		"GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-ab:2\nx-ms-a-c:1\nx-ms-date:" DATE
		"\n/devstoreaccount1/devstoreaccount1/drives/d",
		"GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:" DATE "\nx-ms-a-c:1\nx-ms-ab:2"
		"\n/devstoreaccount1/devstoreaccount1/drives/d",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char header[128];

		sign(strings[i], "SharedKey", header, sizeof(header));
		ds_request_begin(req, "GET", "/devstoreaccount1/drives/d");
		ds_request_header(req, "X-MS-ab", " 2");
		ds_request_header(req, "x-ms-a-c", "1 ");
		ds_request_header(req, "x-ms-date", DATE);
		ds_request_header(req, "Authorization", header);
		assert_int_equal(check(&read_blob), i == 2 ? ERR_AuthenticationFailed : DS_OK);
	}
}

/* --- shared access signatures ------------------------------------------------------------ */

static const struct {
	char kind; /* blob, container, account */
	const char *query;
} tokens[] = {
	{ 'b',
	  "sv=2015-04-05&spr=https%2Chttp&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sip=10.0.0.1-10.0.0.9&sr=b&sp=rw&sig=C95tEd%2BeW2Q6eMU1ccCE%2FDLaTEJB0wWZMtldOKFcJ24%3D&rsct=text%2Fx" },
	{ 'c',
	  "sv=2015-04-05&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sr=c&sp=rl&sig=%2FnCxvG%2Bz1Xv3dUWiAjUN6ddaIq6hRSJ5GiX4VzkBFiM%3D" },
	{ 'a',
	  "sv=2015-04-05&ss=b&srt=co&spr=https&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sp=rl&sig=HMseT%2BeoeNMS4TeVgKVPCvmOqGuxUIf4EYdQ3SYHDEM%3D" },
	{ 'b',
	  "sv=2018-11-09&spr=https%2Chttp&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sip=10.0.0.1-10.0.0.9&sr=b&sp=rw&sig=qEWGmcDg6e2iynhPKEhnM1YkUcC43jbyDZtZ7FSsXj4%3D&rsct=text%2Fx" },
	{ 'c',
	  "sv=2018-11-09&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sr=c&sp=rl&sig=DQhPU8VexctFNmxJ5qRC%2Bs5YgvXuYdJWn3wfK63RR0k%3D" },
	{ 'a',
	  "sv=2018-11-09&ss=b&srt=co&spr=https&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sp=rl&sig=Jz8YsU18KCd2bxBDhSsqL5rDklg%2BtZj5iqedcrCz7w4%3D" },
	{ 'b',
	  "sv=2020-08-04&spr=https%2Chttp&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sip=10.0.0.1-10.0.0.9&sr=b&sp=rw&sig=XPoj9ReyWVF3mrxkclAWRm83Pos7N7JCHO7BG0uHroE%3D&rsct=text%2Fx" },
	{ 'c',
	  "sv=2020-08-04&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sr=c&sp=rl&sig=RzCDjjktPDUKvD15EK4PHNMC0PohuRNdYxSDFhLPFrY%3D" },
	{ 'a',
	  "sv=2020-08-04&ss=b&srt=co&spr=https&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sp=rl&sig=vbP6svoLIhRRyE8lowiVf6K9MiwDS2yUG2ME1LEN1T4%3D" },
	{ 'b',
	  "sv=2020-12-06&spr=https%2Chttp&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sip=10.0.0.1-10.0.0.9&sr=b&sp=rw&sig=JEqvLcldqp7NbtreSL1YPYTu2xYphVk6Nbze9MpGNUg%3D&rsct=text%2Fx" },
	{ 'c',
	  "sv=2020-12-06&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sr=c&sp=rl&sig=BTFvkgfPJQds0X18g8exfwXsSqD1pWCEZZGtiyOaCM8%3D" },
	{ 'a',
	  "sv=2020-12-06&ss=b&srt=co&spr=https&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sp=rl&sig=JA0Rc4zzjPVtP6Dv7PTWtQVF9U8kbSFthrqxQRDXFyc%3D" },
	{ 'b',
	  "sv=2025-05-05&spr=https%2Chttp&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sip=10.0.0.1-10.0.0.9&sr=b&sp=rw&sig=QrmZeTs5HMg9WtMYvZjOMTpDzQOTIfilrABAx%2FV2bKY%3D&rsct=text%2Fx" },
	{ 'c',
	  "sv=2025-05-05&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sr=c&sp=rl&sig=v6MOnolaDYw0%2FHxoe9wCqVdGnNAIgN4BzYYaEhDhqyc%3D" },
	{ 'a',
	  "sv=2025-05-05&ss=b&srt=co&spr=https&st=2026-01-01T00%3A00%3A00Z&se=2026-12-31T23%3A59%3A59Z&sp=rl&sig=aRTeiwCC4BcQX2cckLYgZyUbUbKiWaJPqnVU37gNgQc%3D" },
};

#define TOKENS (sizeof(tokens) / sizeof(*tokens))
#define BLOB "/devstoreaccount1/drives/a%20b/%C3%BC%2B%25.vhd"
#define SNAPSHOT_TOKEN \
	"sv=2025-05-05&se=2026-12-31T23%3A59%3A59Z&sr=bs&sp=r&sig=SajJEjpg5lqXQU0kuYVPRaUeX8cXyMfnFf8TJ02cowA%3D"
#define POLICY_TOKEN "sv=2025-05-05&si=p1&sr=b&sig=hpPaaXXqMnLJqWseDPabEgvDNwRkx6wpPljIcVA3eDw%3D"

static void ask(const char *verb, const char *path, const char *query)
{
	char uri[1024];

	snprintf(uri, sizeof(uri), "%s%s%s", path, strchr(path, '?') ? "&" : "?", query);
	ds_request_begin(req, verb, uri);
	strcpy(req->client, "10.0.0.5");
	req->https = true;
	assert_int_equal(req->bad, DS_OK);
}

static void client_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < TOKENS; i++) {
		ask("GET", BLOB, tokens[i].query);
		if (check(&read_blob))
			print_error("%s: %s\n", tokens[i].query, accounts.detail);
		assert_int_equal(check(&read_blob), DS_OK);
		assert_int_equal(check(&write_blob), tokens[i].kind == 'b' ?
							     DS_OK :
							     ERR_AuthorizationPermissionMismatch);
		assert_int_equal(check(&set_acl), ERR_AuthorizationPermissionMismatch);
	}
}

/* Every character of the token. */
static void changed_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < TOKENS; i++) {
		const char *query = tokens[i].query;

		for (size_t at = 0; query[at]; at++) {
			char changed[512];

			strcpy(changed, query);
			/* The last digit of base64 has bits that stand for nothing. */
			if (!strncmp(query + at + 1, "%3D", 3) || query[at] == '%' ||
			    (at > 0 && query[at - 1] == '%') || (at > 1 && query[at - 2] == '%'))
				continue;
			changed[at] = query[at] == 'A' ? 'B' : 'A';
			ds_request_begin(req, "GET", BLOB);
			ask("GET", BLOB, changed);
			assert_int_not_equal(check(&read_blob), DS_OK);
		}
	}
}

static void scopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < TOKENS; i++) {
		enum ds_err err;

		ask("GET", "/devstoreaccount1/drives/other", tokens[i].query);
		err = check(&read_blob);
		assert_int_equal(err, tokens[i].kind == 'b' ? ERR_AuthenticationFailed : DS_OK);
		ask("GET", "/devstoreaccount1/others/a", tokens[i].query);
		err = check(&read_blob);
		assert_int_equal(err, tokens[i].kind == 'a' ? DS_OK : ERR_AuthenticationFailed);
		ask("GET", "/devstoreaccount1/drives?restype=container&comp=list", tokens[i].query);
		err = check(&list_blobs);
		assert_int_equal(err, tokens[i].kind == 'b' ? ERR_AuthenticationFailed : DS_OK);
		ask("GET", "/devstoreaccount1?comp=list", tokens[i].query);
		err = check(&list_containers);
		assert_int_equal(err, tokens[i].kind == 'a' ?
					      ERR_AuthorizationResourceTypeMismatch :
					      ERR_AuthenticationFailed);
		ask("GET", "/nobodyatall/drives/a", tokens[i].query);
		assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	}
}

static void origins(void **state)
{
	(void)state;
	ask("GET", BLOB, tokens[3].query); /* with a range of addresses */
	strcpy(req->client, "10.0.0.10");
	assert_int_equal(check(&read_blob), ERR_AuthorizationSourceIPMismatch);
	strcpy(req->client, "::1");
	assert_int_equal(check(&read_blob), ERR_AuthorizationSourceIPMismatch);
	strcpy(req->client, "10.0.0.9");
	req->https = false; /* "https,http" */
	assert_int_equal(check(&read_blob), DS_OK);
	ask("GET", BLOB, tokens[2].query); /* https alone */
	req->https = false;
	assert_int_equal(check(&read_blob), ERR_AuthorizationProtocolMismatch);
}

static void times(void **state)
{
	const int64_t then = now;

	(void)state;
	for (size_t i = 0; i < TOKENS; i++) {
		ask("GET", BLOB, tokens[i].query);
		assert_true(date_parse_iso("2026-12-31T23:59:58.9999999Z", &now));
		assert_int_equal(check(&read_blob), DS_OK);
		assert_true(date_parse_iso("2026-12-31T23:59:59Z", &now));
		assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
		assert_true(date_parse_iso("2026-01-01", &now));
		assert_int_equal(check(&read_blob), DS_OK);
		now--;
		assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	}
	now = then;
}

static void snapshots(void **state)
{
	(void)state;
	ask("GET", "/devstoreaccount1/drives/d?snapshot=2026-11-21T13:26:46.4968586Z",
	    SNAPSHOT_TOKEN);
	assert_int_equal(check(&read_blob), DS_OK);
	ask("GET", "/devstoreaccount1/drives/d?snapshot=2026-11-21T13:26:46.4968587Z",
	    SNAPSHOT_TOKEN);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	ask("GET", "/devstoreaccount1/drives/d", SNAPSHOT_TOKEN);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	/* From 2018-11-09 on a blob's SAS is not for its snapshots. */
	ask("GET", BLOB "?snapshot=2026-11-21T13:26:46.4968586Z", tokens[3].query);
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	ask("GET", BLOB "?snapshot=2026-11-21T13:26:46.4968586Z", tokens[0].query);
	assert_int_equal(check(&read_blob), DS_OK);
}

static void policies(void **state)
{
	(void)state;
	stored = (struct ds_policy){ .id = "p1", .expiry = now + 1, .permissions = "r" };
	ask("GET", "/devstoreaccount1/drives/d", POLICY_TOKEN);
	assert_int_equal(check(&read_blob), DS_OK);
	assert_int_equal(check(&write_blob), ERR_AuthorizationPermissionMismatch);
	stored.expiry = now;
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	stored.expiry = now + 1;
	stored.start = now + 1;
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	/* What the policy leaves open, nobody says. */
	stored = (struct ds_policy){ .id = "p1", .permissions = "r" };
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	stored = (struct ds_policy){ .id = "p1", .expiry = now + 1 };
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
	/* Withdrawn. */
	stored = (struct ds_policy){ .id = "p2", .expiry = now + 1, .permissions = "r" };
	assert_int_equal(check(&read_blob), ERR_AuthenticationFailed);
}

static void accounts_of_all_kinds(void **state)
{
	(void)state;
	assert_int_equal(ds_accounts_add(&accounts, DS_DEV_ACCOUNT, DS_DEV_KEY), -EEXIST);
	assert_int_equal(ds_accounts_add(&accounts, "ab", DS_DEV_KEY), -EINVAL);
	assert_int_equal(ds_accounts_add(&accounts, "Abc", DS_DEV_KEY), -EINVAL);
	assert_int_equal(ds_accounts_add(&accounts, "abc", "no key"), -EINVAL);
	assert_int_equal(ds_accounts_add(&accounts, "abc", ""), -EINVAL);
	assert_int_equal(ds_accounts_add(&accounts, "abc", "AAAA"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_requests),
		cmocka_unit_test(changed_headers),
		cmocka_unit_test(changed_request_line),
		cmocka_unit_test(skew),
		cmocka_unit_test(malformed),
		cmocka_unit_test(lite),
		cmocka_unit_test(orders),
		cmocka_unit_test(client_tokens),
		cmocka_unit_test(changed_tokens),
		cmocka_unit_test(scopes),
		cmocka_unit_test(origins),
		cmocka_unit_test(times),
		cmocka_unit_test(snapshots),
		cmocka_unit_test(policies),
		cmocka_unit_test(accounts_of_all_kinds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
