// SPDX-License-Identifier: MIT
/* What the answers of Get Blob Properties, Set Blob Properties and Get Page
 * Ranges must hold. */
#include "client_fixture.h"

#define PROPS "HTTP/1.1 200 OK\r\n" MARKS

static void properties(void **state)
{
	static const struct reply script[] = {
		{ .text = PROPS "x-ms-blob-type: PageBlob\r\nContent-Length: 1024\r\n"
				"x-ms-blob-sequence-number: 5\r\nx-ms-lease-state: leased\r\n"
				"x-ms-lease-status: locked\r\nETag: \"0x1\"\r\nServer: S\r\n\r\n" },
		{ .text = PROPS "x-ms-blob-type: BlockBlob\r\nContent-Length: 3\r\n\r\n" },
		{ .text = PROPS "Content-Length: 1024\r\n\r\n" },
		{ .text = PROPS
		  "x-ms-blob-type: PageBlob\r\nx-ms-blob-sequence-number: 5\r\n\r\n" },
		{ .text = PROPS "x-ms-blob-type: PageBlob\r\nContent-Length: 1024\r\n\r\n" },
		{ .text = PROPS "x-ms-blob-type: PageBlob\r\nContent-Length: 1000\r\n"
				"x-ms-blob-sequence-number: 5\r\n\r\n" },
		{ .text = PROPS "x-ms-blob-type: PageBlob\r\nContent-Length: 1024\r\n"
				"x-ms-blob-sequence-number: 99999999999999999999\r\n\r\n" },
	};

	(void)state;
	START(script);
	HEAD();
	expect(AZ_OK, "");
	assert_int_equal(res.props.type, AZ_BLOB_PAGE);
	assert_int_equal(res.props.size, 1024);
	assert_true(res.props.has_sequence_number);
	assert_int_equal(res.props.sequence_number, 5);
	assert_string_equal(res.props.lease_state, "leased");
	assert_string_equal(res.props.lease_status, "locked");
	assert_string_equal(res.props.etag, "\"0x1\"");
	assert_string_equal(res.props.server, "S");
	HEAD();
	expect(AZ_OK, "");
	assert_int_equal(res.props.type, AZ_BLOB_BLOCK);
	for (int i = 2; i < 7; i++) {
		HEAD();
		expect(AZ_CORRUPT, "");
	}
	stop_all();
}

static void raising_the_sequence_number(void **state)
{
	static const struct reply script[] = {
		{ .text = PROPS "x-ms-blob-sequence-number: 9\r\nContent-Length: 0\r\n\r\n" },
		{ .text = PROPS "x-ms-blob-sequence-number: 7\r\nContent-Length: 0\r\n\r\n" },
		{ .text = PROPS "Content-Length: 0\r\n\r\n" },
	};

	(void)state;
	START(script);
	WAIT(az_raise_sequence(client, &blob, 8, az_sync_done, &s));
	expect(AZ_OK, ""); /* someone was faster: the caller sees 9 */
	assert_int_equal(res.props.sequence_number, 9);
	assert_true(head_has(0, "\r\nx-ms-sequence-number-action: max\r\n"));
	WAIT(az_raise_sequence(client, &blob, 8, az_sync_done, &s));
	expect(AZ_CORRUPT, "not raised");
	WAIT(az_raise_sequence(client, &blob, 8, az_sync_done, &s));
	expect(AZ_CORRUPT, "lacks");
	stop_all();
}

static uint64_t ranges[8][2];
static int range_count;

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	(void)arg;
	ranges[range_count % 8][0] = offset;
	ranges[range_count++ % 8][1] = len;
}

#define LIST(size) "HTTP/1.1 200 OK\r\n" MARKS "x-ms-blob-content-length: " size "\r\n\r\n"
#define R(start, end) "<PageRange><Start>" start "</Start><End>" end "</End></PageRange>"
#define RANGES() WAIT(az_get_page_ranges(client, &blob, 0, UINT64_MAX, on_range, az_sync_done, &s))

static void page_ranges(void **state)
{
	static const struct reply script[] = {
		{ .text = LIST("4096") "<PageList>" R("0", "511")
			  R("1024", "1535") "<NextMarker>a b&amp;c</NextMarker></PageList>",
		  .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("1536", "4095") "</PageList>", .end = CLOSE },
	};

	(void)state;
	START(script);
	range_count = 0;
	RANGES();
	expect(AZ_OK, "");
	assert_int_equal(range_count, 3);
	assert_int_equal(ranges[2][0], 1536);
	assert_int_equal(ranges[2][1], 2560);
	assert_int_equal(res.props.size, 4096);
	assert_true(head_has(0, "?comp=pagelist HTTP"));
	assert_true(head_has(1, "?comp=pagelist&marker=a%20b%26c HTTP"));
	assert_int_equal(az_client_counters(client)->lists, 2);
	stop_all();
}

/* Of a part of the blob; what reaches beyond it is cut off. */
static void page_ranges_of_a_part(void **state)
{
	static const struct reply script[] = {
		{ .text = LIST("16384") "<PageList>" R("0", "4607") R("5120", "5631")
			  R("8192", "16383") "</PageList>",
		  .end = CLOSE },
	};

	(void)state;
	START(script);
	range_count = 0;
	WAIT(az_get_page_ranges(client, &blob, 4096, 8192, on_range, az_sync_done, &s));
	expect(AZ_OK, "");
	assert_true(head_has(0, "\r\nx-ms-range: bytes=4096-12287\r\n"));
	assert_int_equal(range_count, 3);
	assert_int_equal(ranges[0][0], 4096);
	assert_int_equal(ranges[0][1], 512);
	assert_int_equal(ranges[2][0], 8192);
	assert_int_equal(ranges[2][1], 4096);
	stop_all();
}

static void bad_page_ranges(void **state)
{
	static const struct reply script[] = {
		{ .text = LIST("4096") "<PageList>" R("512", "1023") R("0", "511") "</PageList>",
		  .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("0", "1023") R("512", "1535") "</PageList>",
		  .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("0", "510") "</PageList>", .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("1", "511") "</PageList>", .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("0", "4607") "</PageList>", .end = CLOSE },
		{ .text = LIST("4096") "<PageList>" R("0", "18446744073709551615") "</PageList>",
		  .end = CLOSE },
		{ .text = "HTTP/1.1 200 OK\r\n" MARKS "\r\n<PageList/>", .end = CLOSE },
		{ .text = LIST("4096") "<PageList>", .end = CLOSE },
		{ .text = LIST("4096"), .end = CLOSE },
		{ .text = LIST("4096") "<Error/>", .end = CLOSE },
		/* a list without end */
		{ .text = LIST("4096") "<PageList><NextMarker>a</NextMarker></PageList>",
		  .end = CLOSE },
	};

	(void)state;
	START(script);
	for (int i = 0; i < 11; i++) {
		RANGES();
		expect(AZ_CORRUPT, i == 6 ? "x-ms-blob-content-length" : "page list");
	}
	stop_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties),	   cmocka_unit_test(raising_the_sequence_number),
		cmocka_unit_test(page_ranges),	   cmocka_unit_test(page_ranges_of_a_part),
		cmocka_unit_test(bad_page_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
