// SPDX-License-Identifier: MIT
/* Which headers and query parameters an operation takes, and which operation it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "devstore/service/parameters.h"
#include "devstore/service/route.h"

#define BLOB "/account1/abc/b"
#define CONTAINER "/account1/abc?restype=container"
#define REFUSED ERR_UnsupportedHeader
#define CONDITION ERR_ConditionHeadersNotSupported
#define QUERY ERR_UnsupportedQueryParameter

static struct ds_request *req;

static int setup(void **state)
{
	(void)state;
	req = calloc(1, sizeof(*req));
	assert_non_null(req);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ds_request_free(req);
	free(req);
	return 0;
}

static void headers(void **state)
{
	static const struct {
		const char *verb, *uri, *name, *value;
		enum ds_err err;
	} cases[] = {
		{ "PUT", BLOB "?comp=page", "x-ms-if-sequence-number-eq", "1", DS_OK },
		{ "PUT", BLOB "?comp=metadata", "x-ms-if-sequence-number-eq", "1", CONDITION },
		{ "DELETE", BLOB, "x-ms-if-sequence-number-le", "1", CONDITION },
		{ "GET", BLOB, "x-ms-if-sequence-number-lt", "1", CONDITION },
		{ "PUT", BLOB "?comp=page", "x-ms-if-tags", "a", CONDITION },
		{ "GET", BLOB, "X-Ms-If-Tags", "a", CONDITION },
		/* One of a version to come. */
		{ "PUT", BLOB "?comp=page", "x-ms-if-phase-of-moon", "full", CONDITION },
		{ "PUT", BLOB "?comp=snapshot", "x-ms-encryption-new", "1", REFUSED },
		{ "DELETE", BLOB, "If-Match", "*", DS_OK },
		{ "GET", BLOB "?comp=metadata", "If-None-Match", "1", DS_OK },
		{ "PUT", BLOB "?comp=copy&copyid=1", "If-Match", "*", CONDITION },
		{ "DELETE", CONTAINER, "If-Match", "*", CONDITION },
		{ "DELETE", CONTAINER, "If-Modified-Since", "x", DS_OK },
		{ "PUT", CONTAINER, "If-Modified-Since", "x", CONDITION },
		{ "PUT", CONTAINER "&comp=metadata", "If-Modified-Since", "x", DS_OK },
		{ "PUT", CONTAINER "&comp=metadata", "If-Unmodified-Since", "x", CONDITION },
		{ "PUT", CONTAINER "&comp=acl", "If-Unmodified-Since", "x", DS_OK },
		{ "GET", CONTAINER "&comp=list", "If-None-Match", "1", CONDITION },
		{ "GET", "/account1?comp=list", "If-Modified-Since", "x", CONDITION },
		{ "PUT", BLOB, "x-ms-tags", "a=b", REFUSED },
		{ "PUT", BLOB, "x-ms-access-tier", "P10", REFUSED },
		{ "PUT", BLOB, "x-ms-encryption-scope", "s", REFUSED },
		{ "PUT", BLOB, "x-ms-source-if-match", "*", CONDITION },
		{ "PUT", BLOB "?comp=incrementalcopy", "x-ms-source-if-match", "*", CONDITION },
		{ "GET", BLOB "?comp=pagelist", "x-ms-previous-snapshot-url", "x", REFUSED },
		{ "PUT", BLOB "?comp=properties", "x-ms-copy-source", "x", REFUSED },
		{ "PUT", BLOB "?comp=page", "x-ms-content-crc64", "x", DS_OK },
		{ "PUT", BLOB "?comp=metadata", "x-ms-content-crc64", "x", REFUSED },
		{ "PUT", BLOB "?comp=page", "x-ms-structured-body", "x", REFUSED },
		{ "PUT", CONTAINER, "x-ms-default-encryption-scope", "x", REFUSED },
		/* What Azure doesn't know, it passes over. */
		{ "PUT", BLOB, "x-ms-useragent", "x", DS_OK },
		{ "PUT", BLOB, "x-ms-meta-tags", "x", DS_OK },
		{ "PUT", BLOB, "x-ms-tag", "x", DS_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ds_request_begin(req, cases[i].verb, cases[i].uri);
		ds_request_header(req, cases[i].name, cases[i].value);
		assert_int_equal(req->bad, DS_OK);
		assert_int_equal(ds_check_parameters(req, ds_route(req)), cases[i].err);
	}
}

static void queries(void **state)
{
	static const struct {
		const char *verb, *uri;
		enum ds_err err;
	} cases[] = {
		{ "GET", BLOB "?snapshot=x", DS_OK },
		{ "GET", BLOB "?versionid=x", ERR_NotImplemented },
		{ "DELETE", BLOB "?VersionId=x", ERR_NotImplemented },
		{ "DELETE", BLOB "?deletetype=permanent", ERR_NotImplemented },
		{ "DELETE", BLOB "?restype=container", ERR_InvalidQueryParameterValue },
		{ "GET", BLOB "?prevsnapshot=x", QUERY },
		{ "GET", BLOB "?comp=pagelist&prevsnapshot=x&maxresults=1&marker=1", DS_OK },
		{ "GET", BLOB "?maxresults=1", QUERY },
		{ "GET", CONTAINER "&comp=list&prefix=a&delimiter=b&include=copy&marker=", DS_OK },
		{ "GET", CONTAINER "&comp=list&startFrom=a", QUERY },
		{ "GET", CONTAINER "&comp=list&showonly=deleted", QUERY },
		{ "GET", CONTAINER "&snapshot=x", QUERY },
		{ "GET", "/account1?comp=list&prefix=a", DS_OK },
		{ "GET", "/account1?comp=list&delimiter=a", QUERY },
		{ "GET", BLOB "?timeout=30&sv=x&sig=y&unknown=z", DS_OK },
		{ "GET", BLOB "?timeout=0", DS_OK },
		{ "GET", BLOB "?timeout=", ERR_InvalidQueryParameterValue },
		{ "GET", BLOB "?timeout=x", ERR_InvalidQueryParameterValue },
		{ "GET", BLOB "?timeout=-1", ERR_InvalidQueryParameterValue },
		{ "GET", BLOB "?timeout=2147483648", ERR_InvalidQueryParameterValue },
		{ "GET", BLOB "?restype=account&comp=properties", DS_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ds_request_begin(req, cases[i].verb, cases[i].uri);
		assert_int_equal(req->bad, DS_OK);
		assert_int_equal(ds_check_parameters(req, ds_route(req)), cases[i].err);
	}
}

static void routes(void **state)
{
	static const struct {
		const char *verb, *uri;
		enum ds_op op;
		enum ds_err err; /* of OP_Unknown */
	} cases[] = {
		{ "HEAD", BLOB, OP_GetBlobProperties, DS_OK },
		{ "OPTIONS", BLOB, OP_PreflightBlobRequest, DS_OK },
		{ "PUT", BLOB "?comp=tier", OP_Unsupported, DS_OK },
		{ "POST", BLOB "?comp=query", OP_Unsupported, DS_OK },
		{ "POST", "/account1?comp=batch", OP_Unsupported, DS_OK },
		{ "POST", CONTAINER "&comp=batch", OP_Unsupported, DS_OK },
		{ "GET", "/account1?restype=service&comp=properties", OP_Unsupported, DS_OK },
		{ "DELETE", BLOB "?comp=immutabilityPolicies", OP_Unsupported, DS_OK },
		{ "POST", BLOB, OP_Unknown, ERR_UnsupportedHttpVerb },
		{ "PATCH", BLOB, OP_Unknown, ERR_UnsupportedHttpVerb },
		{ "GET", BLOB "?comp=page", OP_Unknown, ERR_UnsupportedHttpVerb },
		{ "HEAD", BLOB "?comp=pagelist", OP_Unknown, ERR_UnsupportedHttpVerb },
		{ "DELETE", BLOB "?comp=tier", OP_Unknown, ERR_UnsupportedHttpVerb },
		{ "PUT", BLOB "?comp=nothing", OP_Unknown, ERR_InvalidQueryParameterValue },
		{ "POST", BLOB "?comp=nothing", OP_Unknown, ERR_InvalidQueryParameterValue },
		{ "GET", "/account1/abc/?comp=list", OP_Unknown,
		  ERR_MissingRequiredQueryParameter },
		{ "PUT", "/account1/abc/?restype=x", OP_Unknown, ERR_InvalidQueryParameterValue },
		{ "GET", "/account1", OP_Unknown, ERR_MissingRequiredQueryParameter },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ds_request_begin(req, cases[i].verb, cases[i].uri);
		assert_int_equal(req->bad, DS_OK);
		assert_int_equal(ds_route(req), cases[i].op);
		if (cases[i].op == OP_Unknown)
			assert_int_equal(ds_route_error(req), cases[i].err);
	}
}

/* Names of metadata are told apart without their case, and kept with it. */
static void spelling(void **state)
{
	(void)state;
	ds_request_begin(req, "PUT", BLOB);
	ds_request_header(req, "X-MS-Meta-MyName", "1");
	ds_request_header(req, "X-Ms-Version", "2021-08-06");
	assert_int_equal(req->ms_count, 2);
	assert_string_equal(req->ms[0].name, "x-ms-meta-myname");
	assert_string_equal(req->ms[0].sent, "X-MS-Meta-MyName");
	assert_string_equal(req->ms[1].name, "x-ms-version");
	assert_string_equal(req->header[H_MS_VERSION], "2021-08-06");
}

static void permissions(void **state)
{
	static const char *const good[] = { "",	   "r",	 "rw",	"racwdxltmeop",
					    "rcl", "ri", "ryw", "racwdxyltfmeopi" };
	static const char *const bad[] = { "wr", "rr", "rwr", "rq", "R", "lr", "rii", "r w" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(ds_sas_permissions(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(ds_sas_permissions(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),  cmocka_unit_test(queries),	   cmocka_unit_test(routes),
		cmocka_unit_test(spelling), cmocka_unit_test(permissions),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
