// SPDX-License-Identifier: MIT
/* Error bodies and page lists, whole, in pieces, and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "azure/xml.h"

#define DECL "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>"

/* The service's own example ("Status and error codes"), with the BOM it sends */
static const char denied[] = DECL
	"<Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the "
	"request. Make sure the value of the Authorization header is formed correctly including "
	"the signature.\nRequestId:1\nTime:2026-11-20T10:00:00.0000000Z</Message>"
	"<AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [a] "
	"- Expiry [b]\nmore</AuthenticationErrorDetail></Error>";

static void error_in_pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(denied); piece++) {
		struct az_xml_error e;
		struct az_xml *x = az_xml_error_new(&e);

		for (size_t at = 0; at < sizeof(denied) - 1; at += piece) {
			size_t n = sizeof(denied) - 1 - at;

			assert_int_equal(az_xml_feed(x, denied + at, n < piece ? n : piece), 0);
		}
		assert_int_equal(az_xml_finish(x), 0);
		assert_string_equal(e.code, "AuthenticationFailed");
		assert_string_equal(
			e.message,
			"Server failed to authenticate the request. Make sure the value of "
			"the Authorization header is formed correctly including the "
			"signature.");
		assert_string_equal(e.detail, "Signature not valid in the specified time frame: "
					      "Start [a] - Expiry [b]");
		az_xml_free(x);
	}
}

static void long_error_texts_are_cut(void **state)
{
	struct az_xml_error e;
	struct az_xml *x = az_xml_error_new(&e);
	char a[1000];

	(void)state;
	memset(a, 'a', sizeof(a));
	assert_int_equal(az_xml_feed(x, "<Error><Code>", 13), 0);
	assert_int_equal(az_xml_feed(x, a, sizeof(a)), 0);
	assert_int_equal(az_xml_feed(x, "</Code><Message>", 16), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(az_xml_feed(x, a, sizeof(a)), 0);
	assert_int_equal(az_xml_feed(x, "\x1b</Message></Error>", 1), -EBADMSG);
	az_xml_free(x);
	x = az_xml_error_new(&e);
	assert_int_equal(az_xml_feed(x, "<Error><Code>a\xc2\x9b\tb</Code></Error>", 33), 0);
	assert_string_equal(e.code, "a???b"); /* nothing that a terminal obeys */
	az_xml_free(x);
}

struct ranges {
	int n;
	uint64_t start[8], end[8];
};

static int on_range(void *arg, uint64_t start, uint64_t end)
{
	struct ranges *r = arg;

	if (r->n == 8)
		return -1;
	r->start[r->n] = start;
	r->end[r->n++] = end;
	return 0;
}

static int feed(const char *doc, struct ranges *r, char *marker)
{
	struct az_xml *x = az_xml_pages_new(on_range, r);
	int err;

	*r = (struct ranges){ 0 };
	err = az_xml_feed(x, doc, strlen(doc));
	if (!err)
		err = az_xml_finish(x);
	if (marker)
		strcpy(marker, az_xml_marker(x));
	az_xml_free(x);
	return err;
}

static void page_list(void **state)
{
	char marker[AZ_XML_TEXT];
	struct ranges r;

	(void)state;
	assert_int_equal(feed(DECL
			      "<PageList>\n <PageRange><Start>0</Start><End>511</End></PageRange>"
			      "<ClearRange><Start>512</Start><End>1023</End></ClearRange>"
			      "<PageRange>\n<End>8796093022207</End> <Start>1024</Start>"
			      "</PageRange><NextMarker>a&amp;b==</NextMarker></PageList>",
			      &r, marker),
			 0);
	assert_int_equal(r.n, 2);
	assert_int_equal(r.start[0], 0);
	assert_int_equal(r.end[0], 511);
	assert_int_equal(r.start[1], 1024);
	assert_true(r.end[1] == 8796093022207ull);
	assert_string_equal(marker, "a&b==");
	assert_int_equal(feed("<PageList/>", &r, marker), 0);
	assert_int_equal(r.n, 0);
	assert_string_equal(marker, "");
	assert_int_equal(feed("<PageList><NextMarker/></PageList>", &r, marker), 0);
	assert_string_equal(marker, "");
}

#define RANGE(inner) "<PageList><PageRange>" inner "</PageRange></PageList>"

static void hostile(void **state)
{
	static const char *const bad[] = {
		"",
		"no XML",
		"<html><body>login here</body></html>",
		"<Error></Error>",
		"<Error/>",
		"<PageList><a><b><c><d><e><f><g><h/><i/></g></f></e></d></c></b></a></PageList>",
		"<PageList>",
		"<PageList><PageRange></PageList>",
		"<PageList/><PageList/>",
		RANGE(""),
		RANGE("<Start>0</Start>"),
		RANGE("<End>0</End>"),
		RANGE("<Start>x</Start><End>511</End>"),
		RANGE("<Start>-1</Start><End>511</End>"),
		RANGE("<Start> 0</Start><End>511</End>"),
		RANGE("<Start>0</Start><End>18446744073709551616</End>"),
		RANGE("<Start>0</Start><End>99999999999999999999999999</End>"),
		RANGE("<Start>512</Start><End>511</End>"),
		RANGE("<Start>0</Start><End></End>"),
		"<!DOCTYPE PageList [<!ENTITY a \"1\">]><PageList/>",
		"<!DOCTYPE PageList SYSTEM \"file:///etc/passwd\"><PageList/>",
		"<PageList>&undefined;</PageList>",
		"<PageList><a><b><c><d><e><f><g><h/></g></f></e></d></c></b></a></PageList>",
		"<PageList attr=\"unclosed></PageList>",
		"<?xml version=\"1.0\" encoding=\"x-none\"?><PageList/>",
	};
	struct ranges r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		if (feed(bad[i], &r, NULL) != -EBADMSG)
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(r.n, 0);
	}
	/* as deep as is allowed */
	assert_int_equal(feed("<PageList><a><b><c><d><e><f><g/></f></e></d></c></b></a></PageList>",
			      &r, NULL),
			 0);
}

static void long_marker(void **state)
{
	char doc[AZ_XML_TEXT + 100], marker[AZ_XML_TEXT];
	struct ranges r;

	(void)state;
	snprintf(doc, sizeof(doc), "<PageList><NextMarker>%0*d</NextMarker></PageList>",
		 AZ_XML_TEXT - 1, 0);
	assert_int_equal(feed(doc, &r, marker), 0);
	assert_int_equal(strlen(marker), AZ_XML_TEXT - 1);
	snprintf(doc, sizeof(doc), "<PageList><NextMarker>%0*d</NextMarker></PageList>",
		 AZ_XML_TEXT, 0);
	assert_int_equal(feed(doc, &r, NULL), -EBADMSG);
}

static int refuse(void *arg, uint64_t start, uint64_t end)
{
	(void)start;
	(void)end;
	++*(int *)arg;
	return -1;
}

static void handler_ends_it(void **state)
{
	static const char doc[] = "<PageList><PageRange><Start>0</Start><End>1</End></PageRange>"
				  "<PageRange><Start>2</Start><End>3</End></PageRange></PageList>";
	int calls = 0;
	struct az_xml *x = az_xml_pages_new(refuse, &calls);

	(void)state;
	assert_int_equal(az_xml_feed(x, doc, sizeof(doc) - 1), -EBADMSG);
	assert_int_equal(az_xml_feed(x, doc, sizeof(doc) - 1), -EBADMSG);
	assert_int_equal(az_xml_finish(x), -EBADMSG);
	assert_int_equal(calls, 1);
	az_xml_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_in_pieces), cmocka_unit_test(long_error_texts_are_cut),
		cmocka_unit_test(page_list),	   cmocka_unit_test(hostile),
		cmocka_unit_test(long_marker),	   cmocka_unit_test(handler_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
