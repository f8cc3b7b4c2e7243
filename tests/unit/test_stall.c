// SPDX-License-Identifier: MIT
/*
 * Which calls are ended because they get nowhere, and which are not: slow answers, slow
 * lines, servers that are gone.
 */
#include "client_fixture.h"
#include "relay.h"

#include "azure/call.h"

static int running;
static bool all_done;

static void one_done(void *arg, const struct az_result *r)
{
	(void)arg;
	if (r->err.class)
		fail_msg("class %d: %s", r->err.class, r->err.message);
	if (!--running)
		all_done = true;
}

static void wait_for_all(void)
{
	all_done = false;
	assert_int_equal(loop_run_until(loop, &all_done), 0);
}

/* With the limits that everybody has, all at once. */
static void slow_answers_are_waited_for(void **state)
{
	static const struct reply slow[] = { { .text = CREATED, .delay_ms = 25000 } };
	static const struct reply renewed[] = {
		{ .text = "HTTP/1.1 200 x\r\n" MARKS "Content-Length: 0\r\nx-ms-lease-id: "
			  "aaaaaaaa-2222-3333-4444-555555555555\r\n\r\n",
		  .delay_ms = 25000 },
	};
	struct httpd first;
	struct az_url there;
	struct az_blob leased;
	char text[100], why[256];

	(void)state;
	opt = (struct az_client_options){ 0 };
	httpd_start(&first, slow);
	snprintf(text, sizeof(text), "http://127.0.0.1:%d/acct/drives/disk", first.port);
	assert_int_equal(az_url_parse(text, &there, why, sizeof(why)), 0);
	START(renewed);
	leased = blob;
	strcpy(leased.lease_id, "aaaaaaaa-2222-3333-4444-555555555555");
	blob.url = &there;
	running = 3;
	assert_non_null(az_put_page(client, &blob, 0, SIZE, 7, &source, one_done, NULL));
	assert_non_null(az_clear_pages(client, &blob, 0, SIZE, 7, one_done, NULL));
	assert_non_null(az_lease(client, &leased, AZ_LEASE_RENEW, 60, one_done, NULL));
	wait_for_all();
	opt = (struct az_client_options)PATIENT;
	stop_all();
	az_url_free(&there);
	httpd_stop(&first);
}

static struct az_sync second;

static void start_another(void *arg, const struct az_result *r)
{
	(void)arg;
	res = *r;
	assert_non_null(az_put_page(client, &blob, 0, 512, 7, &source, az_sync_done, &second));
}

/* A call that was started as another one was ended has had no time yet. */
static void started_by_an_ended_one(void **state)
{
	static const struct reply script[] = { { .end = HANG }, { .text = CREATED } };

	(void)state;
	opt.answer_timeout_ms = 300;
	START(script);
	second = (struct az_sync){ 0 };
	assert_non_null(az_put_page(client, &blob, 0, 512, 7, &source, start_another, NULL));
	assert_int_equal(az_sync_wait(loop, &second), 0);
	expect(AZ_NO_RESPONSE, "no answer for 0.3 s");
	res = second.res;
	expect(AZ_OK, "");
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

static int compare(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	return memcmp(buf, data + pos, len) ? -1 : 0;
}

static void open_by(struct relay *r)
{
	char text[100];

	snprintf(text, sizeof(text), "http://127.0.0.1:%d/acct/drives/disk", r->port);
	open_client_on(text);
}

/* 16 connections share a line, and need much longer than any limit. */
static void slow_lines_are_no_dead_ones(void **state)
{
	enum { LEN = 256 << 10 };
	struct reply script[] = { range_reply(LEN, crc_header(LEN)) };
	const struct reply created[] = { { .text = CREATED } };
	const struct az_sink check = { .write = compare };
	struct relay line;
	uint64_t start;

	(void)state;
	opt.silence_timeout_ms = 4000;
	opt.answer_timeout_ms = 4000;
	for (int read = 0; read < 2; read++) {
		httpd_start_n(&server, read ? script : created, 1);
		relay_start(&line, server.port, 512 << 10, 0);
		open_by(&line);
		start = loop_now();
		for (running = 0; running < 16; running++) {
			if (read)
				assert_non_null(az_get_range(client, &blob, 0, LEN, &check,
							     one_done, NULL));
			else
				assert_non_null(az_put_page(client, &blob, 0, LEN, 7, &source,
							    one_done, NULL));
		}
		wait_for_all();
		assert_true(loop_now() - start >= LOOP_SEC(6));
		relay_stop(&line);
		close_client();
		httpd_stop(&server);
	}
	while (reply_count)
		free(replies[--reply_count]);
	opt = (struct az_client_options)PATIENT;
}

/* It answers every probe, and takes nothing: it is alive. */
static void no_room_is_no_death(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	struct relay line;
	uint64_t start;

	(void)state;
	opt.silence_timeout_ms = 2000;
	httpd_start(&server, script);
	relay_start(&line, server.port, 64 << 20, 8000);
	open_by(&line);
	start = loop_now();
	PUT(SIZE);
	expect(AZ_OK, "");
	assert_true(loop_now() - start >= LOOP_MS(6000));
	opt = (struct az_client_options)PATIENT;
	relay_stop(&line);
	stop_all();
}

/* Nothing is acknowledged any more; what was sent stays unknown. */
static void vanished_on_the_way(void **state)
{
	static const struct reply script[] = { { .at_headers = true, .end = VANISH } };
	uint64_t start;

	(void)state;
	opt.silence_timeout_ms = 500;
	START(script);
	start = loop_now();
	PUT(SIZE);
	expect(AZ_NO_RESPONSE, "no acknowledgement for 0.5 s");
	assert_true(res.err.sent);
	assert_true(az_error_maybe_applied(&res.err));
	assert_true(loop_now() - start < LOOP_SEC(30));
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

/* It had acknowledged the whole request: probes find out that nobody is there. */
static void vanished_before_the_answer(void **state)
{
	static const struct reply script[] = { { .end = VANISH } };
	uint64_t start;

	(void)state;
	opt.silence_timeout_ms = 3000;
	START(script);
	start = loop_now();
	PUT(512);
	if (res.err.class != AZ_NO_RESPONSE) /* or the kernel was faster */
		expect(AZ_NO_RESPONSE, "no acknowledgement for 3.0 s");
	assert_true(res.err.sent);
	assert_true(loop_now() - start < LOOP_SEC(35));
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

/* One that nobody remembers takes one short limit, not that of the dead; and its idle
 * siblings go with it. */
static void forgotten_connections(void **state)
{
	enum { SIBLINGS = 6 };
	struct reply script[SIBLINGS + 1];
	uint64_t start;

	(void)state;
	for (int i = 0; i < SIBLINGS; i++)
		script[i] = (struct reply){ .text = CREATED, .end = VANISH, .delay_ms = 300 };
	script[SIBLINGS] = (struct reply){ .text = CREATED };
	opt = (struct az_client_options){ 0 };
	START(script);
	for (running = 0; running < SIBLINGS; running++)
		assert_non_null(az_put_page(client, &blob, 0, 512, 7, &source, one_done, NULL));
	wait_for_all();
	assert_int_equal(server.seen->connections, SIBLINGS);
	start = loop_now();
	PUT(512);
	expect(AZ_NO_RESPONSE, "no acknowledgement for 3.0 s");
	/* It may have been read, as far as we know. */
	assert_true(res.err.sent && az_error_maybe_applied(&res.err));
	assert_true(loop_now() - start < LOOP_SEC(15));
	for (running = 0; running < SIBLINGS - 1; running++)
		assert_non_null(az_put_page(client, &blob, 0, 512, 7, &source, one_done, NULL));
	wait_for_all();
	assert_int_equal(server.seen->connections, 2 * SIBLINGS - 1);
	/* Those are trusted. */
	PUT(512);
	expect(AZ_OK, "");
	assert_int_equal(server.seen->connections, 2 * SIBLINGS - 1);
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

/* As many as were idle, used at once: one short limit for all. */
static void all_forgotten_at_once(void **state)
{
	enum { N = 6 };
	struct reply script[N + 1];
	uint64_t start;
	struct az_sync s[N] = { 0 };

	(void)state;
	for (int i = 0; i < N; i++)
		script[i] = (struct reply){ .text = CREATED, .end = VANISH, .delay_ms = 300 };
	script[N] = (struct reply){ .text = CREATED };
	opt = (struct az_client_options){ 0 };
	START(script);
	for (running = 0; running < N; running++)
		assert_non_null(az_put_page(client, &blob, 0, 512, 7, &source, one_done, NULL));
	wait_for_all();
	start = loop_now();
	for (int i = 0; i < N; i++)
		assert_non_null(az_get_properties(client, &blob, az_sync_done, &s[i]));
	for (int i = 0; i < N; i++) {
		assert_int_equal(az_sync_wait(loop, &s[i]), 0);
		res = s[i].res;
		expect(AZ_NO_RESPONSE, "no acknowledgement for 3.0 s");
	}
	PUT(512);
	expect(AZ_OK, "");
	assert_true(loop_now() - start < LOOP_SEC(17)); /* 18: one after the other */
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

#define RENEWED(id) "HTTP/1.1 200 x\r\n" MARKS "Content-Length: 0\r\nx-ms-lease-id: " id "\r\n\r\n"
#define LEASE_ID "aaaaaaaa-2222-3333-4444-555555555555"
#define REFUSED                                                                             \
	"HTTP/1.1 409 x\r\n" MARKS "x-ms-error-code: LeaseIdMismatchWithLeaseOperation\r\n" \
	"Content-Length: 0\r\n\r\n"
#define BUSY "HTTP/1.1 503 x\r\n" MARKS "Content-Length: 0\r\n\r\n"

/* Who is in a hurry asks a second time, on another connection; what speaks first, by the
 * one or the other, is the answer. */
static void asked_twice(void **state)
{
	static const struct {
		struct reply first, second;
		enum az_class class;
		int requests; /* at least */
	} cases[] = {
		{ { .end = HANG }, { .text = RENEWED(LEASE_ID) }, AZ_OK, 2 },
		{ { .text = RENEWED(LEASE_ID), .delay_ms = 2000 },
		  { .text = RENEWED(LEASE_ID), .delay_ms = 20000 },
		  AZ_OK,
		  2 },
		{ { .text = RENEWED(LEASE_ID), .delay_ms = 2000 }, { .end = CLOSE }, AZ_OK, 2 },
		{ { .text = RENEWED(LEASE_ID), .delay_ms = 2000 }, { .text = BUSY }, AZ_OK, 2 },
		{ { .end = CLOSE, .delay_ms = 1500 },
		  { .text = RENEWED(LEASE_ID), .delay_ms = 3000 },
		  AZ_OK,
		  2 },
		{ { .end = CLOSE, .delay_ms = 1500 },
		  { .text = BUSY, .delay_ms = 3000 },
		  AZ_BUSY,
		  2 },
		{ { .end = HANG }, { .text = REFUSED }, AZ_CONFLICT, 2 },
		{ { .text = REFUSED, .delay_ms = 2000 }, { .end = HANG }, AZ_CONFLICT, 2 },
		{ { .text = RENEWED(LEASE_ID) }, { .end = HANG }, AZ_OK, 1 },
	};

	(void)state;
	opt.repeat_after_ms = 500;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct reply script[] = { cases[i].first, cases[i].second };
		uint64_t start;

		START(script);
		strcpy(blob.lease_id, LEASE_ID);
		start = loop_now();
		WAIT(az_lease(client, &blob, AZ_LEASE_RENEW, 60, az_sync_done, &s));
		print_message("# case %zu: %d\n", i, res.err.class);
		expect(cases[i].class, "");
		assert_true(loop_now() - start < LOOP_SEC(15));
		assert_true(server.seen->requests >= cases[i].requests);
		/* One that fails is followed by another, in due time. */
		assert_in_range(server.seen->connections, cases[i].requests, 6);
		/* Nothing is left of it. */
		assert_null(client->calls);
		stop_all();
	}
	opt = (struct az_client_options)PATIENT;
}

static void not_to_be_called(void *arg, const struct az_result *r)
{
	(void)arg, (void)r;
	fail();
}

/* A write is not, whoever is in a hurry; and cancelling ends both. */
static void asked_once(void **state)
{
	static const struct reply slow[] = { { .text = CREATED, .delay_ms = 2000 } };
	static const struct reply hang[] = { { .end = HANG } };
	struct loop_timer timer;
	struct az_call *call;

	(void)state;
	opt.repeat_after_ms = 300;
	START(slow);
	PUT(512);
	expect(AZ_OK, "");
	assert_int_equal(server.seen->requests, 1);
	stop_all();
	START(hang);
	call = az_get_properties(client, &blob, not_to_be_called, NULL);
	loop_timer_init(&timer, (loop_fn)loop_stop, loop);
	while (server.seen->requests < 2) {
		loop_timer_arm(loop, &timer, LOOP_MS(50));
		loop_run(loop);
	}
	az_call_cancel(call);
	assert_null(client->calls);
	az_get_properties(client, &blob, not_to_be_called, NULL);
	while (server.seen->requests < 4) {
		loop_timer_arm(loop, &timer, LOOP_MS(50));
		loop_run(loop);
	}
	opt = (struct az_client_options)PATIENT;
	stop_all(); /* with both in flight */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_answers_are_waited_for),
		cmocka_unit_test(started_by_an_ended_one),
		cmocka_unit_test(slow_lines_are_no_dead_ones),
		cmocka_unit_test(no_room_is_no_death),
		cmocka_unit_test(vanished_on_the_way),
		cmocka_unit_test(vanished_before_the_answer),
		cmocka_unit_test(forgotten_connections),
		cmocka_unit_test(all_forgotten_at_once),
		cmocka_unit_test(asked_twice),
		cmocka_unit_test(asked_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
