// SPDX-License-Identifier: MIT
/*
 * SharedKey against the strings of "Authorize with Shared Key", and HMAC
 * against the values of Microsoft's own client.  That whole requests are
 * signed as the service wants it is shown by tests/azurite/client.t.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "azure/sign.h"

static void expect(const struct az_signed *in, const char *string)
{
	struct text t = { 0 };

	az_string_to_sign(in, &t);
	assert_false(t.failed);
	assert_string_equal(t.s, string);
	text_free(&t);
}

#define N(a) (sizeof(a) / sizeof(*(a)))

/* "GET … ?comp=metadata&restype=container&timeout=20" */
static void documented_get(void **state)
{
	static const struct az_pair headers[] = {
		{ "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT" },
		{ "x-ms-version", "2015-02-21" },
	};
	static const struct az_pair query[] = {
		{ "comp", "metadata" },
		{ "restype", "container" },
		{ "timeout", "20" },
	};
	const struct az_signed in = {
		.method = "GET",
		.headers = headers,
		.header_count = N(headers),
		.account = "myaccount",
		.path = "/mycontainer",
		.path_len = 12,
		.query = query,
		.query_count = N(query),
	};

	(void)state;
	expect(&in, "GET\n\n\n\n\n\n\n\n\n\n\n\n"
		    "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
		    "x-ms-version:2015-02-21\n"
		    "/myaccount/mycontainer\ncomp:metadata\nrestype:container\ntimeout:20");
}

/* "PUT … Content-Length: 0" is signed as an empty string from 2015-02-21 on. */
static void documented_put_of_nothing(void **state)
{
	static const struct az_pair headers[] = {
		{ "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT" },
		{ "x-ms-version", "2015-02-21" },
	};
	static const struct az_pair query[] = { { "restype", "container" }, { "timeout", "30" } };
	const struct az_signed in = {
		.method = "PUT",
		.headers = headers,
		.header_count = N(headers),
		.account = "myaccount",
		.path = "/mycontainer",
		.path_len = 12,
		.query = query,
		.query_count = N(query),
	};

	(void)state;
	expect(&in, "PUT\n\n\n\n\n\n\n\n\n\n\n\n"
		    "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
		    "x-ms-version:2015-02-21\n"
		    "/myaccount/mycontainer\nrestype:container\ntimeout:30");
}

/* All standard headers that we send, and path style: the account twice. */
static void put_page_in_path_style(void **state)
{
	static const struct az_pair headers[] = {
		{ "x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT" },
		{ "x-ms-page-write", "update" },
		{ "x-ms-range", "bytes=0-511" },
		{ "x-ms-version", "2021-08-06" },
	};
	static const struct az_pair query[] = { { "comp", "page" } };
	const struct az_signed in = {
		.method = "PUT",
		.content_length = 512,
		.content_md5 = "v2GerAzfP2jUluqTRBN+iw==",
		.if_none_match = "*",
		.headers = headers,
		.header_count = N(headers),
		.account = "devstoreaccount1",
		.path = "/devstoreaccount1/drives/a%20b?",
		.path_len = 30, /* as in the middle of a URL */
		.query = query,
		.query_count = N(query),
	};

	(void)state;
	expect(&in, "PUT\n\n\n512\nv2GerAzfP2jUluqTRBN+iw==\n\n\n\n\n*\n\n\n"
		    "x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n"
		    "x-ms-page-write:update\n"
		    "x-ms-range:bytes=0-511\n"
		    "x-ms-version:2021-08-06\n"
		    "/devstoreaccount1/devstoreaccount1/drives/a%20b\ncomp:page");
}

/* azure-sdk-for-cpp, crypt_functions_test.cpp */
static void hmac(void **state)
{
	static const char key[] = "8CwtGFF1mGR4bPEP9eZ0x1fxKiQ3Ca5N";
	struct az_credential cred = { .kind = AZ_CREDENTIAL_KEY, .key_len = sizeof(key) - 1 };
	char signature[AZ_SIGNATURE];
	struct text t = { 0 };

	(void)state;
	memcpy(cred.key, key, cred.key_len);
	text_add(&t, "");
	assert_int_equal(az_sign(&cred, &t, signature), 0);
	assert_string_equal(signature, "fFy2T+EuCvAgouw/vB/RAJ75z7jwTj+uiURebkFKF5M=");
	text_add(&t, "Hello Azure!");
	assert_int_equal(az_sign(&cred, &t, signature), 0);
	assert_string_equal(signature, "+SBESxQVhI53mSEdZJcCBpdBkaqwzfPaVYZMAf5LP3c=");
	text_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(documented_get),
		cmocka_unit_test(documented_put_of_nothing),
		cmocka_unit_test(put_page_in_path_style),
		cmocka_unit_test(hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
