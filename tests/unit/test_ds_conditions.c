// SPDX-License-Identifier: MIT
/* Conditional headers, sequence numbers, ranges, dates: what is taken, what met. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devstore/service/conditions.h"
#include "devstore/service/range.h"
#include "lib/date.h"

#define ETAG 0x8DF47D317456A4Bull
#define SAME "\"0x8DF47D317456A4B\""
#define OTHER "\"0x8DF47D317456A4C\""
#define BEFORE "Sat, 21 Nov 2026 13:26:45 GMT"
#define MODIFIED "Sat, 21 Nov 2026 13:26:46 GMT"
#define AFTER "Sat, 21 Nov 2026 13:26:47 GMT"

static struct ds_request *req;
static int64_t modified;

static int setup(void **state)
{
	(void)state;
	req = calloc(1, sizeof(*req));
	assert_non_null(req);
	assert_true(date_parse_http(MODIFIED, &modified));
	modified += 1234567; /* Last-Modified has no fractions */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ds_request_free(req);
	free(req);
	return 0;
}

static enum ds_err judge(const char *match, const char *none, const char *since,
			 const char *unmodified, bool read)
{
	struct ds_conditions c;
	enum ds_err err;

	ds_request_begin(req, "GET", "/account1/abc/b");
	if (match)
		ds_request_header(req, "If-Match", match);
	if (none)
		ds_request_header(req, "If-None-Match", none);
	if (since)
		ds_request_header(req, "If-Modified-Since", since);
	if (unmodified)
		ds_request_header(req, "If-Unmodified-Since", unmodified);
	assert_int_equal(req->bad, DS_OK);
	err = ds_conditions_parse(req, read, &c);
	return err ? err : ds_conditions_check(&c, ETAG, modified, read);
}

static void combinations(void **state)
{
	static const struct {
		const char *match, *none, *since, *unmodified;
		enum ds_err read, write;
	} cases[] = {
		{ .read = DS_OK },
		{ SAME, NULL, NULL, NULL, DS_OK, DS_OK },
		{ "*", NULL, NULL, NULL, DS_OK, DS_OK },
		{ OTHER ", " SAME, NULL, NULL, NULL, DS_OK,
		  ERR_MultipleConditionHeadersNotSupported },
		{ NULL, OTHER "," SAME, NULL, NULL, ERR_ConditionNotMet_304,
		  ERR_MultipleConditionHeadersNotSupported },
		{ "0x8DF47D317456A4B", NULL, NULL, NULL, DS_OK, DS_OK },
		{ OTHER, NULL, NULL, NULL, ERR_ConditionNotMet, ERR_ConditionNotMet },
		{ "\"\"", NULL, NULL, NULL, ERR_ConditionNotMet, ERR_ConditionNotMet },
		{ NULL, OTHER, NULL, NULL, DS_OK, DS_OK },
		{ NULL, SAME, NULL, NULL, ERR_ConditionNotMet_304, ERR_ConditionNotMet },
		{ NULL, "*", NULL, NULL, ERR_UnsatisfiableCondition, ERR_ConditionNotMet },
		{ NULL, NULL, BEFORE, NULL, DS_OK, DS_OK },
		{ NULL, NULL, MODIFIED, NULL, ERR_ConditionNotMet_304, ERR_ConditionNotMet },
		{ NULL, NULL, AFTER, NULL, ERR_ConditionNotMet_304, ERR_ConditionNotMet },
		{ NULL, NULL, NULL, BEFORE, ERR_ConditionNotMet, ERR_ConditionNotMet },
		{ NULL, NULL, NULL, MODIFIED, DS_OK, DS_OK },
		{ NULL, NULL, NULL, AFTER, DS_OK, DS_OK },
		/* The two pairs: a read judges both of them, a write the ETag. */
		{ SAME, NULL, NULL, AFTER, DS_OK, DS_OK },
		{ SAME, NULL, NULL, BEFORE, ERR_ConditionNotMet, DS_OK },
		{ OTHER, NULL, NULL, AFTER, ERR_ConditionNotMet, ERR_ConditionNotMet },
		{ NULL, SAME, BEFORE, NULL, DS_OK, ERR_ConditionNotMet },
		{ NULL, OTHER, AFTER, NULL, DS_OK, DS_OK },
		{ NULL, SAME, AFTER, NULL, ERR_ConditionNotMet_304, ERR_ConditionNotMet },
		/* What a write can't combine. */
		{ SAME, OTHER, NULL, NULL, DS_OK, ERR_MultipleConditionHeadersNotSupported },
		{ SAME, SAME, NULL, NULL, ERR_ConditionNotMet_304,
		  ERR_MultipleConditionHeadersNotSupported },
		{ OTHER, SAME, NULL, NULL, ERR_ConditionNotMet,
		  ERR_MultipleConditionHeadersNotSupported },
		{ SAME, NULL, BEFORE, NULL, DS_OK, ERR_MultipleConditionHeadersNotSupported },
		{ NULL, NULL, BEFORE, AFTER, DS_OK, ERR_MultipleConditionHeadersNotSupported },
		{ NULL, NULL, AFTER, AFTER, ERR_ConditionNotMet_304,
		  ERR_MultipleConditionHeadersNotSupported },
		{ SAME, OTHER, AFTER, AFTER, DS_OK, ERR_MultipleConditionHeadersNotSupported },
		/* Ours are strong. */
		{ "W/" SAME, NULL, NULL, NULL, ERR_ConditionNotMet, ERR_ConditionNotMet },
		{ NULL, "W/" SAME, NULL, NULL, ERR_ConditionNotMet_304, ERR_ConditionNotMet },
		{ NULL, "W/" OTHER, NULL, NULL, DS_OK, DS_OK },
		/* What is no ETag. */
		{ "", NULL, NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "\"0x8DF47D317456A4B", NULL, NULL, ERR_InvalidHeaderValue,
		  ERR_InvalidHeaderValue },
		{ NULL, SAME "x", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, SAME SAME, NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, SAME ",", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, ",", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "a b", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "W/", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "W/*", NULL, NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, "*, " OTHER, NULL, NULL, ERR_InvalidHeaderValue,
		  ERR_MultipleConditionHeadersNotSupported },
		{ NULL, NULL, "yesterday", NULL, ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
		{ NULL, NULL, NULL, "", ERR_InvalidHeaderValue, ERR_InvalidHeaderValue },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(judge(cases[i].match, cases[i].none, cases[i].since,
				       cases[i].unmodified, true),
				 cases[i].read);
		assert_int_equal(judge(cases[i].match, cases[i].none, cases[i].since,
				       cases[i].unmodified, false),
				 cases[i].write);
	}
}

/* Before 2013-08-15 a read had the conditions of a write. */
static void old_reads(void **state)
{
	struct ds_conditions c;

	(void)state;
	for (int old = 0; old < 2; old++) {
		ds_request_begin(req, "GET", "/account1/abc/b");
		ds_request_header(req, "x-ms-version", old ? "2012-02-12" : "2013-08-15");
		ds_request_header(req, "If-Match", SAME);
		ds_request_header(req, "If-None-Match", OTHER);
		assert_int_equal(ds_conditions_parse(req, true, &c),
				 old ? ERR_MultipleConditionHeadersNotSupported : DS_OK);
	}
}

static void if_range(void **state)
{
	static const struct {
		const char *value;
		bool same;
	} cases[] = {
		{ NULL, true },		  { SAME, true },   { "0x8DF47D317456A4B", true },
		{ MODIFIED, true },	  { OTHER, false }, { "W/" SAME, false },
		{ BEFORE, false },	  { AFTER, false }, { "*", false },
		{ SAME "," SAME, false }, { "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ds_request_begin(req, "GET", "/account1/abc/b");
		if (cases[i].value)
			ds_request_header(req, "If-Range", cases[i].value);
		assert_int_equal(ds_conditions_range(req, ETAG, modified), cases[i].same);
	}
}

static enum ds_err sequence(const char *name, const char *value, uint64_t number)
{
	struct ds_conditions c;
	enum ds_err err;

	ds_request_begin(req, "PUT", "/account1/abc/b?comp=page");
	ds_request_header(req, name, value);
	err = ds_conditions_parse(req, false, &c);
	return err ? err : ds_conditions_check_sequence(&c, number);
}

static void sequence_numbers(void **state)
{
	static const struct {
		const char *name;
		enum ds_err at4, at5, at6;
	} cases[] = {
		{ "x-ms-if-sequence-number-le", DS_OK, DS_OK, ERR_SequenceNumberConditionNotMet },
		{ "x-ms-if-sequence-number-lt", DS_OK, ERR_SequenceNumberConditionNotMet,
		  ERR_SequenceNumberConditionNotMet },
		{ "x-ms-if-sequence-number-eq", ERR_SequenceNumberConditionNotMet, DS_OK,
		  ERR_SequenceNumberConditionNotMet },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(sequence(cases[i].name, "5", 4), cases[i].at4);
		assert_int_equal(sequence(cases[i].name, "5", 5), cases[i].at5);
		assert_int_equal(sequence(cases[i].name, "5", 6), cases[i].at6);
		assert_int_equal(sequence(cases[i].name, "-1", 6), ERR_InvalidHeaderValue);
		assert_int_equal(sequence(cases[i].name, "", 6), ERR_InvalidHeaderValue);
		assert_int_equal(sequence(cases[i].name, "5x", 6), ERR_InvalidHeaderValue);
		assert_int_equal(sequence(cases[i].name, "9223372036854775808", 6),
				 ERR_InvalidHeaderValue);
	}
}

static void etags(void **state)
{
	char text[DS_ETAG_TEXT];

	(void)state;
	ds_etag_text(ETAG, text);
	assert_string_equal(text, SAME);
	ds_etag_text(0, text);
	assert_string_equal(text, "\"0x000000000000000\"");
}

static void ranges(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t first, last;
	} cases[] = {
		{ "bytes=0-511", true, 0, 511 },
		{ "bytes=0-0", true, 0, 0 },
		{ "bytes=512-", true, 512, UINT64_MAX },
		{ "bytes=18446744073709551615-18446744073709551615", true, UINT64_MAX, UINT64_MAX },
		{ "bytes=18446744073709551616-", false, 0, 0 },
		{ "bytes=-500", false, 0, 0 },
		{ "bytes=2-1", false, 0, 0 },
		{ "bytes=0-1,3-4", false, 0, 0 },
		{ "bytes= 0-1", false, 0, 0 },
		{ "bytes=", false, 0, 0 },
		{ "bytes", false, 0, 0 },
		{ "", false, 0, 0 },
		{ "pages=0-1", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ds_range r;

		assert_int_equal(ds_range_parse(cases[i].text, &r), cases[i].good);
		if (!cases[i].good)
			continue;
		assert_int_equal(r.first, cases[i].first);
		assert_int_equal(r.last, cases[i].last);
	}
}

static void own_range_wins(void **state)
{
	struct ds_range r;
	bool has;

	(void)state;
	ds_request_begin(req, "GET", "/account1/abc/b");
	assert_int_equal(ds_range_of(req, &r, &has), DS_OK);
	assert_false(has);
	ds_request_header(req, "Range", "bytes=0-9");
	ds_request_header(req, "x-ms-range", "bytes=10-19");
	assert_int_equal(ds_range_of(req, &r, &has), DS_OK);
	assert_true(has);
	assert_int_equal(r.first, 10);
	assert_true(ds_range_asked(req, &r));
	/* A read passes over one that is none; it is not replaced by the other. */
	ds_request_begin(req, "GET", "/account1/abc/b");
	ds_request_header(req, "Range", "bytes=0-9");
	ds_request_header(req, "x-ms-range", "bytes=9-0");
	assert_int_equal(ds_range_of(req, &r, &has), ERR_InvalidHeaderValue);
	assert_false(ds_range_asked(req, &r));
}

static void dates(void **state)
{
	static const struct {
		const char *in, *out;
	} iso[] = {
		{ "2026-02-28", "2026-02-28T00:00:00.0000000Z" },
		{ "2024-02-29", "2024-02-29T00:00:00.0000000Z" },
		{ "2026-02-29", NULL },
		{ "2026-11-21T13:26Z", "2026-11-21T13:26:00.0000000Z" },
		{ "2026-11-21T13:26:46Z", "2026-11-21T13:26:46.0000000Z" },
		{ "2026-11-21T13:26:46.4968586Z", "2026-11-21T13:26:46.4968586Z" },
		{ "2026-11-21T13:26:46.49Z", "2026-11-21T13:26:46.4900000Z" },
		{ "2026-11-21T13:26:46+01:30", "2026-11-21T11:56:46.0000000Z" },
		{ "1969-12-31T23:59:59.75Z", "1969-12-31T23:59:59.7500000Z" },
		{ "1601-01-01", "1601-01-01T00:00:00.0000000Z" },
		{ "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z" },
		{ "1600-12-31", NULL },
		{ "1601-01-01T00:00+00:01", NULL },
		{ "9999-12-31T23:59-00:01", NULL },
		{ "9999-12-31T23:59:60Z", NULL },
		{ "2026-11-21T13:26:46", NULL },
		{ "2026-11-21T25:26:46Z", NULL },
		{ "2026-13-21", NULL },
		{ "2026-1", NULL },
		{ "", NULL },
		{ "2026-11-21T13:26:46Zx", NULL },
	};
	char text[DATE_ISO], http[DATE_HTTP];
	int64_t t;

	(void)state;
	for (size_t i = 0; i < sizeof(iso) / sizeof(*iso); i++) {
		assert_int_equal(date_parse_iso(iso[i].in, &t), iso[i].out != NULL);
		if (!iso[i].out)
			continue;
		date_iso(t, text);
		assert_string_equal(text, iso[i].out);
	}
	date_http(modified, http);
	assert_string_equal(http, MODIFIED);
	assert_true(date_parse_http("Wed, 31 Dec 1969 23:59:59 GMT", &t));
	date_http(t, http);
	assert_string_equal(http, "Wed, 31 Dec 1969 23:59:59 GMT");
	assert_false(date_parse_http("Sat, 31 Feb 2026 13:26:46 GMT", &t));
	assert_false(date_parse_http("Sat, 21 Nov 2026 13:26:46 UTC", &t));
	assert_false(date_parse_http("Sat, 21 Nux 2026 13:26:46 GMT", &t));
	assert_string_equal(date_seconds(0, text), "1970-01-01T00:00:00Z");
	assert_string_equal(date_seconds(-1, text), "1969-12-31T23:59:59Z");
	assert_string_equal(date_seconds(1795168800, text), "2026-11-20T10:00:00Z");
	assert_string_equal(date_seconds(253402300799, text), "9999-12-31T23:59:59Z");
	assert_null(date_seconds(253402300800, text));
	assert_string_equal(text, "");
	assert_null(date_seconds(INT64_MAX, text));
	assert_null(date_seconds(INT64_MIN, text));
}

/* --- requests --------------------------------------------------------------------------- */

static void names(void **state)
{
	static const struct {
		const char *uri;
		enum ds_err err;
		const char *container, *blob;
	} cases[] = {
		{ "/account1", DS_OK, NULL, NULL },
		{ "/account1/", DS_OK, NULL, NULL },
		{ "/account1/abc?restype=container", DS_OK, "abc", NULL },
		{ "/account1/abc", DS_OK, "$root", "abc" },
		{ "/account1/$root/x", DS_OK, "$root", "x" },
		{ "/account1/$root/x/y", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/$root/x%2Fy", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/$root/x\\", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/x%5Cy", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/abc/a\\b%5cc", DS_OK, "abc", "a/b/c" },
		{ "/account1/abc/", DS_OK, "abc", NULL },
		{ "/account1/abc/a%2Fb", DS_OK, "abc", "a/b" },
		{ "/account1/abc/../../etc/passwd", DS_OK, "abc", "../../etc/passwd" },
		{ "/account1/abc/%C3%A4", DS_OK, "abc", "\xc3\xa4" },
		{ "/account1/ABC/x", ERR_InvalidResourceName, "ABC", NULL },
		{ "/account1/a--b/x", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/-ab/x", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/..%2f/x", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/ab/x", ERR_OutOfRangeInput, NULL, NULL },
		{ "/account1/abc/%00", ERR_InvalidUri, NULL, NULL },
		{ "/account1/abc/%", ERR_InvalidUri, NULL, NULL },
		{ "/account1/abc/%zz", ERR_InvalidUri, NULL, NULL },
		{ "/account1/abc/%FF", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/abc/%C0%AF", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/abc/%ED%A0%80", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/abc/%0A", ERR_InvalidResourceName, NULL, NULL },
		{ "/account1/abc/%E2%82", ERR_InvalidResourceName, NULL, NULL },
		{ "/Account1/abc/x", ERR_InvalidUri, NULL, NULL },
		{ "/../abc/x", ERR_InvalidUri, NULL, NULL },
		{ "", ERR_InvalidUri, NULL, NULL },
		{ "*", ERR_InvalidUri, NULL, NULL },
		{ "http://host/account1/abc/x", ERR_InvalidUri, NULL, NULL },
		{ "/account1/abc/x?a=1&a=2", ERR_InvalidQueryParameterValue, NULL, NULL },
		{ "/account1/abc/x?a=%", ERR_InvalidUri, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		ds_request_begin(req, "GET", cases[i].uri);
		assert_int_equal(req->bad, cases[i].err);
		if (cases[i].err)
			continue;
		if (cases[i].container)
			assert_string_equal(req->container, cases[i].container);
		else
			assert_null(req->container);
		if (cases[i].blob)
			assert_string_equal(req->blob, cases[i].blob);
		else
			assert_null(req->blob);
	}
}

/* Past every bound there is an error, and memory stays within it. */
static void bounds(void **state)
{
	const size_t huge = 1u << 20;
	char *s = malloc(huge + 1);

	(void)state;
	assert_non_null(s);
	memset(s, 'a', huge);
	s[huge] = '\0';
	s[0] = '/';
	ds_request_begin(req, "GET", s);
	assert_int_equal(req->bad, ERR_InvalidUri);
	s[0] = 'a';
	ds_request_begin(req, "GET", "/account1/abc/x");
	ds_request_header(req, "x-ms-meta-a", s);
	assert_int_equal(req->bad, ERR_InvalidInput);
	ds_request_begin(req, "GET", "/account1/abc/x");
	ds_request_header(req, s, "1");
	ds_request_header(req, "If-Match", "1");
	assert_int_equal(req->bad, DS_OK); /* no header of ours */
	ds_request_begin(req, "GET", "/account1/abc/x");
	memcpy(s, "x-ms-", 5);
	ds_request_header(req, s, "1");
	assert_int_equal(req->bad, ERR_InvalidInput);
	ds_request_begin(req, "GET", "/account1/abc/x");
	for (int i = 0; i <= DS_MAX_MS; i++)
		ds_request_header(req, "x-ms-meta-a", "1");
	assert_int_equal(req->bad, ERR_InvalidInput);
	ds_request_begin(req, "GET", "/account1/abc/x");
	ds_request_header(req, "If-Match", "1");
	ds_request_header(req, "if-match", "1");
	assert_int_equal(req->bad, ERR_InvalidHeaderValue);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(combinations),	  cmocka_unit_test(old_reads),
		cmocka_unit_test(if_range),	  cmocka_unit_test(sequence_numbers),
		cmocka_unit_test(etags),	  cmocka_unit_test(ranges),
		cmocka_unit_test(own_range_wins), cmocka_unit_test(dates),
		cmocka_unit_test(names),	  cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
