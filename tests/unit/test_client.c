// SPDX-License-Identifier: MIT
/*
 * The client against a scripted server: what it sends, how often, and what it
 * makes of good answers.  Bad answers: test_response.c.
 */
#include "client_fixture.h"

#include "azure/call.h"

static bool no_pointless_headers(int request)
{
	return !head_has(request, "\r\nExpect:") && !head_has(request, "\r\nAccept:") &&
	       !head_has(request, "\r\nContent-Type:");
}

static void put_page(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };

	(void)state;
	START(script);
	strcpy(blob.lease_id, "11111111-2222-3333-4444-555555555555");
	PUT(512);
	expect(AZ_OK, "done");
	assert_int_equal(res.err.http, 201);
	assert_true(head_has(0, "PUT /acct/drives/disk?comp=page HTTP/1.1\r\n"));
	assert_true(head_has(0, "\r\nx-ms-page-write: update\r\n"));
	assert_true(head_has(0, "\r\nx-ms-range: bytes=0-511\r\n"));
	assert_true(head_has(0, "\r\nx-ms-if-sequence-number-eq: 7\r\n"));
	assert_true(head_has(0, "\r\nx-ms-lease-id: 11111111-2222-3333-4444-555555555555\r\n"));
	assert_true(head_has(0, "\r\nx-ms-version: 2021-08-06\r\n"));
	assert_true(head_has(0, "\r\nx-ms-client-request-id: "));
	assert_true(head_has(0, "\r\nAuthorization: SharedKey acct:"));
	assert_true(head_has(0, "\r\nContent-Length: 512\r\n"));
	assert_true(head_has(0, "\r\nContent-MD5: "));
	assert_true(no_pointless_headers(0));
	assert_int_equal(server.seen->body[0], 512);

	PUT(SIZE); /* not from memory: read again while it is sent */
	expect(AZ_OK, "done");
	assert_int_equal(server.seen->body[1], SIZE);
	assert_true(no_pointless_headers(1));

	WAIT(az_clear_pages(client, &blob, 512, 1ull << 40, AZ_NO_SEQUENCE, az_sync_done, &s));
	expect(AZ_OK, "done");
	assert_true(head_has(2, "\r\nx-ms-page-write: clear\r\n"));
	assert_true(head_has(2, "\r\nx-ms-range: bytes=512-1099511628287\r\n"));
	assert_true(head_has(2, "\r\nContent-Length: 0\r\n"));
	assert_false(head_has(2, "sequence-number"));
	assert_true(no_pointless_headers(2));

	assert_int_equal(server.seen->connections, 1);
	assert_int_equal(az_client_counters(client)->calls, 3);
	assert_int_equal(az_client_counters(client)->writes, 2);
	assert_int_equal(az_client_counters(client)->clears, 1);
	assert_int_equal(az_client_counters(client)->failed, 0);
	assert_int_equal(az_client_counters(client)->bytes_out, SIZE + 512);
	stop_all();
}

/* A read shows that the service does CRC64; from then on writes use it. */
static void crc64_both_ways(void **state)
{
	struct reply script[] = { range_reply(SIZE, crc_header(SIZE)), { .text = CREATED } };

	(void)state;
	START(script);
	GET(SIZE);
	expect(AZ_OK, "done");
	assert_int_equal(got_len, SIZE);
	assert_memory_equal(got, data, SIZE);
	assert_int_equal(res.props.size, 8388608);
	assert_int_equal(res.props.type, AZ_BLOB_PAGE);
	assert_true(head_has(0, "\r\nx-ms-range-get-content-crc64: true\r\n"));
	assert_true(no_pointless_headers(0));
	PUT(4096);
	expect(AZ_OK, "done");
	assert_false(head_has(1, "Content-MD5"));
	/* "x-ms-content-crc64: VALUE\r\n", as the service would have sent it */
	assert_true(head_has(1, crc_header(4096)));
	for (unsigned int len = 512; len <= SIZE; len += SIZE - 512) {
		const struct az_source memory = { .memory = data };

		WAIT(az_put_page(client, &blob, 0, len, 7, &memory, az_sync_done, &s));
		expect(AZ_OK, "done");
		assert_true(head_has(server.seen->requests - 1, crc_header(len)));
		assert_int_equal(server.seen->body[server.seen->requests - 1], len);
	}
	stop_all();
}

/* Services without CRC64 refuse the header (Azurite) or ignore it (Azurite
 * --loose): the read is asked for again with MD5, once. */
static void falls_back_to_md5(void **state)
{
	static const char md5[] = "Content-MD5: twkENUOKY7seNWMylxpmiQ==\r\n";
	static const struct reply refusal = {
		.text = "HTTP/1.1 500 x\r\n" MARKS "x-ms-error-code: FeatureNotSupported\r\n"
			"Content-Length: 0\r\n\r\n",
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct reply script[] = { i ? range_reply(4096, "") : refusal,
					  range_reply(4096, md5),
					  range_reply(4096, md5),
					  { .text = CREATED } };

		START(script);
		GET(4096);
		expect(AZ_OK, "done");
		assert_int_equal(got_len, 4096);
		assert_memory_equal(got, data, 4096);
		assert_true(head_has(0, "\r\nx-ms-range-get-content-crc64: true\r\n"));
		assert_true(head_has(1, "\r\nx-ms-range-get-content-md5: true\r\n"));
		assert_false(head_has(1, "crc64"));
		GET(4096); /* it remembers */
		assert_true(head_has(2, "\r\nx-ms-range-get-content-md5: true\r\n"));
		PUT(4096);
		assert_true(head_has(3, md5));
		assert_int_equal(az_client_counters(client)->calls, 4);
		stop_all();
	}
}

/*
 * The kept connection is closed by the server after it read the request: the
 * fate of the write is unknown.  libcurl would send it again by itself; here it
 * must arrive once, and end as unknown.  (Without prereq in call.c it arrives
 * twice and ends AZ_OK.)  The read of the same script shows that libcurl does
 * what this guards against.
 */
static void write_is_never_sent_twice(void **state)
{
	static const struct reply script[] = {
		{ .text = CREATED },
		{ .end = CLOSE },
		{ .text = CREATED },
	};

	(void)state;
	for (int i = 0; i < 4; i++) {
		START(script);
		PUT(512);
		expect(AZ_OK, "done");
		if (i == 0)
			PUT(512);
		else if (i == 1)
			PUT(SIZE);
		else if (i == 2)
			WAIT(az_raise_sequence(client, &blob, 8, az_sync_done, &s));
		else
			WAIT(az_delete_blob(client, &blob, false, az_sync_done, &s));
		expect(AZ_NO_RESPONSE, "closed before an answer");
		assert_true(res.err.sent);
		assert_true(az_error_maybe_applied(&res.err));
		assert_int_equal(server.seen->requests, 2);
		assert_int_equal(az_client_counters(client)->calls, 2);
		stop_all();
	}
}

static void read_may_be_sent_twice(void **state)
{
	struct reply script[] = { { .text = CREATED },
				  { .end = CLOSE },
				  range_reply(512, crc_header(512)) };

	(void)state;
	START(script);
	PUT(512);
	GET(512);
	expect(AZ_OK, "done");
	assert_memory_equal(got, data, 512);
	assert_int_equal(server.seen->requests, 3);
	assert_int_equal(az_client_counters(client)->calls, 3);
	stop_all();
}

/* A connection that the server has announced to close soon isn't reused for
 * long: a write on it could meet the closing. */
static void keep_alive_is_heeded(void **state)
{
	static const struct reply script[] = {
		{ .text = "HTTP/1.1 201 Created\r\n" MARKS
			  "Keep-Alive: timeout=3\r\nContent-Length: 0\r\n\r\n" },
	};

	(void)state;
	START(script);
	PUT(512);
	PUT(512);
	assert_int_equal(server.seen->connections, 1);
	usleep(2100000);
	PUT(512);
	expect(AZ_OK, "done");
	assert_int_equal(server.seen->connections, 2);
	stop_all();
}

static void sas_in_the_url(void **state)
{
	static const struct reply script[] = {
		{ .text = CREATED },
		{ .text = "HTTP/1.1 403 x\r\n" MARKS "Content-Length: 147\r\n\r\n"
			  "<Error><Code>AuthenticationFailed</Code><Message>no</Message>"
			  "<AuthenticationErrorDetail>bad /x?sig=SECRETsecret</AuthenticationErrorDetail>"
			  "</Error>" },
		{ .text = "HTTP/1.1 403 x\r\n" MARKS "x-ms-error-code: AuthenticationFailed\r\n"
			  "Content-Length: 0\r\n\r\n" },
	};

	(void)state;
	START(script);
	az_credential_set_sas(&cred, SAS);
	PUT(512);
	expect(AZ_OK, "done");
	assert_true(head_has(0, "PUT /acct/drives/disk?comp=page&" SAS " HTTP/1.1\r\n"));
	assert_false(head_has(0, "Authorization"));
	PUT(512);
	expect(AZ_DENIED, "403 AuthenticationFailed: bad /x");
	assert_int_equal(az_error_exit(&res.err), 4);
	assert_int_equal(res.err.hint, AZ_HINT_SAS);
	az_credential_set_sas(&cred, SAS "&se=2020-01-01T00:00:00Z");
	HEAD();
	expect(AZ_DENIED, "the SAS expired at 2020-01-01T00:00:00Z");
	stop_all();
}

static void snapshots_take_no_lease(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };

	(void)state;
	START(script);
	url.snapshot = strdup("2026-11-20T10:00:00.0000000Z");
	strcpy(blob.lease_id, "11111111-2222-3333-4444-555555555555");
	HEAD();
	assert_true(
		head_has(0, "HEAD /acct/drives/disk?snapshot=2026-11-20T10%3A00%3A00.0000000Z"));
	assert_false(head_has(0, "lease-id"));
	stop_all();
}

static void leases(void **state)
{
#define LEASED(status) "HTTP/1.1 " status " x\r\n" MARKS "Content-Length: 0\r\nx-ms-lease-id: "
	static const struct reply script[] = {
		{ .text = LEASED("201") "AAAAAAAA-2222-3333-4444-555555555555\r\n\r\n" },
		{ .text = LEASED("200") "aaaaaaaa-2222-3333-4444-555555555555\r\n\r\n" },
		{ .text = LEASED("200") "bbbbbbbb-2222-3333-4444-555555555555\r\n\r\n" },
		{ .text = "HTTP/1.1 200 x\r\n" MARKS "Content-Length: 0\r\n\r\n" },
		{ .text = "HTTP/1.1 202 x\r\n" MARKS "x-ms-lease-time: 0\r\n"
			  "Content-Length: 0\r\n\r\n" },
		{ .end = CLOSE },
	};

	(void)state;
	START(script);
	strcpy(blob.lease_id, "aaaaaaaa-2222-3333-4444-555555555555");
	WAIT(az_lease(client, &blob, AZ_LEASE_ACQUIRE, 60, az_sync_done, &s));
	expect(AZ_OK, "done");
	assert_true(head_has(0, "\r\nx-ms-lease-action: acquire\r\n"));
	assert_true(head_has(0, "\r\nx-ms-lease-duration: 60\r\n"));
	assert_true(head_has(0, "\r\nx-ms-proposed-lease-id: aaaaaaaa-"));
	assert_false(head_has(0, "\r\nx-ms-lease-id"));
	WAIT(az_lease(client, &blob, AZ_LEASE_RENEW, 60, az_sync_done, &s));
	expect(AZ_OK, "done");
	assert_true(head_has(1, "\r\nx-ms-lease-id: aaaaaaaa-"));
	assert_false(head_has(1, "duration"));
	WAIT(az_lease(client, &blob, AZ_LEASE_RENEW, 60, az_sync_done, &s));
	expect(AZ_CORRUPT, "another lease");
	WAIT(az_lease(client, &blob, AZ_LEASE_RELEASE, 0, az_sync_done, &s));
	expect(AZ_OK, "done");
	WAIT(az_lease(client, &blob, AZ_LEASE_BREAK, 0, az_sync_done, &s));
	expect(AZ_OK, "done");
	assert_true(head_has(4, "\r\nx-ms-lease-action: break\r\n"));
	assert_true(head_has(4, "\r\nx-ms-lease-break-period: 0\r\n"));
	assert_false(head_has(4, "\r\nx-ms-lease-id"));
	assert_false(head_has(4, "proposed"));
	/* On a kept connection that turns out to be dead: not sent again. */
	WAIT(az_lease(client, &blob, AZ_LEASE_BREAK, 0, az_sync_done, &s));
	expect(AZ_NO_RESPONSE, "");
	stop_all();
}

/* Many calls at once, each on a connection of its own, then again on those. */
static int running;
static bool all_done;

static void one_done(void *arg, const struct az_result *r)
{
	(void)arg;
	assert_int_equal(r->err.class, AZ_OK);
	if (!--running)
		all_done = true;
}

static int drop(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	return memcmp(buf, data + pos, len) ? -1 : 0;
}

static void many_at_once(void **state)
{
	struct reply script[] = { range_reply(4096, crc_header(4096)) };
	const struct az_sink check = { .write = drop };

	(void)state;
	START(script);
	for (int round = 0; round < 5; round++) {
		all_done = false;
		for (running = 0; running < 40; running++)
			assert_non_null(
				az_get_range(client, &blob, 0, 4096, &check, one_done, NULL));
		assert_int_equal(loop_run_until(loop, &all_done), 0);
	}
	assert_int_equal(az_client_counters(client)->calls, 200);
	assert_true(server.seen->connections <= 40);
	stop_all();
}

/* From within a sink, that is from within libcurl: start and cancel calls. */
static struct az_call *mine, *other;
static struct az_sync from_sink;

static int meddle(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)pos;
	if (other) {
		az_call_cancel(other);
		other = NULL;
		az_call_cancel(mine);
		assert_non_null(
			az_get_range(client, &blob, 0, 512, &sink, az_sync_done, &from_sink));
	}
	return 0;
}

static void not_to_be_called(void *arg, const struct az_result *r)
{
	(void)arg;
	(void)r;
	fail_msg("a cancelled call was called back");
}

static void sinks_may_start_and_cancel(void **state)
{
	struct reply script[] = { range_reply(512, crc_header(512)) };
	const struct az_sink meddler = { .write = meddle };

	(void)state;
	START(script);
	from_sink = (struct az_sync){ 0 };
	mine = az_get_range(client, &blob, 0, 512, &meddler, not_to_be_called, NULL);
	other = az_get_range(client, &blob, 0, 512, &meddler, not_to_be_called, NULL);
	/* whichever is first cancels both */
	assert_int_equal(az_sync_wait(loop, &from_sink), 0);
	assert_int_equal(from_sink.res.err.class, AZ_OK);
	stop_all();
}

static void free_client(void *arg, const struct az_result *r)
{
	(void)r;
	assert_non_null(client); /* no other is called back */
	az_client_free(client);
	client = NULL;
	*(bool *)arg = true;
}

static void freed_in_flight(void **state)
{
	static const struct reply hang[] = { { .end = HANG } };
	static const struct reply script[] = { { .text = CREATED } };
	struct loop_timer t;
	bool flag = false;

	(void)state;
	START(hang);
	for (int i = 0; i < 5; i++)
		az_put_page(client, &blob, 0, 512, 7, &source, not_to_be_called, NULL);
	loop_timer_init(&t, (loop_fn)loop_stop, loop);
	loop_timer_arm(loop, &t, LOOP_MS(50));
	loop_run(loop);
	stop_all();

	START(script); /* from the first done function */
	for (int i = 0; i < 5; i++)
		az_put_page(client, &blob, 0, 512, 7, &source, free_client, &flag);
	assert_int_equal(loop_run_until(loop, &flag), 0);
	stop_all();
}

static void cancelled_calls_stay_silent(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	struct az_call *call;

	(void)state;
	START(script);
	call = az_put_page(client, &blob, 0, 512, 7, &source, not_to_be_called, NULL);
	az_call_cancel(call);
	PUT(512);
	expect(AZ_OK, "done");
	stop_all();
}

/* A write that is repeated must be what it was: else nothing is sent. */
static void a_repetition_is_the_same(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };

	(void)state;
	for (unsigned int len = 512; len <= SIZE; len += SIZE - 512) {
		struct az_digest digest = { 0 }, first;
		struct az_source twice = source;

		twice.digest = &digest;
		START(script);
		WAIT(az_put_page(client, &blob, 0, len, 7, &twice, az_sync_done, &s));
		expect(AZ_OK, "done");
		first = digest;
		client->sum = AZ_SUM_CRC64; /* the kind stays the first one's */
		WAIT(az_put_page(client, &blob, 0, len, 7, &twice, az_sync_done, &s));
		expect(AZ_OK, "done");
		assert_memory_equal(&digest, &first, sizeof(digest));
		assert_true(head_has(1, "Content-MD5: "));
		data[len - 1] ^= 1;
		WAIT(az_put_page(client, &blob, 0, len, 7, &twice, az_sync_done, &s));
		expect(AZ_CHANGED, "the data changed between two tries");
		assert_false(res.err.sent);
		assert_int_equal(server.seen->requests, 2);
		assert_memory_equal(&digest, &first, sizeof(digest));
		digest = (struct az_digest){ 0 };
		WAIT(az_put_page(client, &blob, 0, len, 7, &twice, az_sync_done, &s));
		expect(AZ_OK, "done");
		assert_int_equal(digest.sum, AZ_SUM_CRC64);
		stop_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(put_page),
		cmocka_unit_test(crc64_both_ways),
		cmocka_unit_test(falls_back_to_md5),
		cmocka_unit_test(write_is_never_sent_twice),
		cmocka_unit_test(a_repetition_is_the_same),
		cmocka_unit_test(read_may_be_sent_twice),
		cmocka_unit_test(keep_alive_is_heeded),
		cmocka_unit_test(sas_in_the_url),
		cmocka_unit_test(snapshots_take_no_lease),
		cmocka_unit_test(leases),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(sinks_may_start_and_cancel),
		cmocka_unit_test(freed_in_flight),
		cmocka_unit_test(cancelled_calls_stay_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
