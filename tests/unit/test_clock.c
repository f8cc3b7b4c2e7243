// SPDX-License-Identifier: MIT
/*
 * The service's clock and ours (helper/azure/clock.c): a scripted server dates its
 * responses, and what the client makes of that is in its next request.
 */
#include "client_fixture.h"

#include <time.h>

#include "lib/date.h"

#define REFUSED(code)                                                          \
	"HTTP/1.1 403 x\r\n" MARKS "x-ms-error-code: " code "\r\nDate: %s\r\n" \
	"Content-Length: 0\r\n\r\n"

/* @form with the date of @ahead seconds from now. */
static const char *dated(const char *form, int64_t ahead)
{
	char *text = replies[reply_count++] = malloc(1024), date[DATE_HTTP];

	date_http(date_now() + ahead * DATE_TICKS, date);
	snprintf(text, 1024, form, date);
	return text;
}

/* How far the request's x-ms-date is ahead of now, seconds. */
static int64_t request_ahead(int request)
{
	const char *at = strcasestr(server.seen->head[request], "x-ms-date: ");
	char text[DATE_HTTP];
	int64_t ticks;

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.29s", at + 11);
	assert_true(date_parse_http(text, &ticks));
	return (ticks - date_now()) / DATE_TICKS;
}

static bool near(int64_t a, int64_t b)
{
	return a - b < 60 && b - a < 60;
}

static void is_told(void **state)
{
	const struct reply script[] = {
		{ .text = CREATED },
		{ .text = dated("HTTP/1.1 201 x\r\n" MARKS "Date: %s\r\nContent-Length: 0\r\n\r\n",
				600) },
		{ .text = dated("HTTP/1.1 201 x\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", -7200) },
	};
	int64_t ahead;

	(void)state;
	START(script);
	assert_false(az_client_clock(client, &ahead));
	PUT(512);
	assert_false(az_client_clock(client, &ahead));
	PUT(512);
	assert_true(az_client_clock(client, &ahead));
	assert_true(near(ahead, 600));
	/* What is not the service's says nothing of its time. */
	PUT(512);
	assert_int_equal(res.err.class, AZ_CORRUPT);
	assert_true(az_client_clock(client, &ahead));
	assert_true(near(ahead, 600));
	stop_all();
}

/* Refused for its date, a request is signed by the service's clock, and so are the next. */
static void dates_requests_by_it(void **state)
{
	static const int64_t aheads[] = { 3600, -3600, 20 * 365 * 86400ll };
	static const char *const codes[] = { REFUSED("AuthenticationFailed"),
					     REFUSED("RequestTimeTooSkewed"),
					     REFUSED("AuthorizationFailure") };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct reply script[] = { { .text = dated(codes[i], aheads[i]) },
						{ .text = CREATED } };

		START(script);
		PUT(1 << 20);
		assert_int_equal(res.err.class, AZ_OK);
		PUT(512);
		assert_int_equal(server.seen->requests, 3);
		assert_true(near(request_ahead(0), 0));
		assert_true(near(request_ahead(1), aheads[i]));
		assert_true(near(request_ahead(2), aheads[i]));
		stop_all();
	}
}

/* Once: it is refused for something else then. */
static void not_again(void **state)
{
	const struct reply script[] = { { .text = dated(REFUSED("AuthenticationFailed"), 3600) } };

	(void)state;
	START(script);
	PUT(512);
	assert_int_equal(server.seen->requests, 2);
	expect(AZ_DENIED, "AuthenticationFailed");
	assert_int_equal(res.err.hint, AZ_HINT_KEY);
	PUT(512);
	assert_int_equal(server.seen->requests, 3);
	stop_all();
}

/* A clock that is set right is noticed as well. */
static void follows_ours(void **state)
{
	const struct reply script[] = { { .text = dated(REFUSED("AuthenticationFailed"), 3600) },
					{ .text = dated(REFUSED("AuthenticationFailed"), 0) },
					{ .text = CREATED } };

	(void)state;
	START(script);
	PUT(512);
	assert_int_equal(res.err.class, AZ_DENIED);
	PUT(512);
	assert_int_equal(res.err.class, AZ_OK);
	assert_true(near(request_ahead(1), 3600));
	assert_true(near(request_ahead(2), 3600));
	stop_all();
}

/* The clock is no reason: it is right, or the service had nothing against the signature. */
static void only_for_the_clock(void **state)
{
	static const struct {
		const char *reply;
		int64_t ahead;
	} cases[] = {
		{ REFUSED("AuthenticationFailed"), 0 },
		{ "HTTP/1.1 403 x\r\nDate: %s\r\nContent-Length: 0\r\n\r\n", 3600 },
		{ "HTTP/1.1 409 x\r\n" MARKS "Date: %s\r\nContent-Length: 0\r\n\r\n", 3600 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct reply script[] = { { .text = dated(cases[i].reply, cases[i].ahead) },
						{ .text = CREATED } };

		START(script);
		PUT(512);
		assert_int_equal(server.seen->requests, 1);
		stop_all();
	}
}

/* A SAS is the agent's to make anew. */
static void not_with_a_sas(void **state)
{
	const struct reply script[] = { { .text = dated(REFUSED("AuthenticationFailed"), -600) },
					{ .text = CREATED } };

	(void)state;
	START(script);
	az_credential_free(&cred);
	assert_int_equal(az_credential_set_sas(&cred, SAS), 0);
	PUT(512);
	assert_int_equal(server.seen->requests, 1);
	assert_int_equal(res.err.hint, AZ_HINT_CLOCK);
	expect(AZ_DENIED, "this machine's clock is 10 minutes ahead");
	stop_all();
}

/* Whether a SAS has ended is for the service's clock to say. */
static void ends_by_it(void **state)
{
	char sas[128], end[DATE_SECONDS];
	const struct reply script[] = { { .text = dated(REFUSED("AuthenticationFailed"), -3600) },
					{ .text = dated(REFUSED("AuthenticationFailed"), 3600) } };

	(void)state;
	START(script);
	az_credential_free(&cred);
	snprintf(sas, sizeof(sas), "sp=rw&se=%s&sig=SECRET",
		 date_seconds((int64_t)time(NULL) - 1800, end));
	assert_int_equal(az_credential_set_sas(&cred, sas), 0);
	PUT(512);
	assert_int_equal(res.err.hint, AZ_HINT_CLOCK);
	PUT(512);
	assert_int_equal(res.err.hint, AZ_HINT_SAS_EXPIRED);
	stop_all();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_told),
		cmocka_unit_test(dates_requests_by_it),
		cmocka_unit_test(not_again),
		cmocka_unit_test(follows_ours),
		cmocka_unit_test(only_for_the_clock),
		cmocka_unit_test(not_with_a_sas),
		cmocka_unit_test(ends_by_it),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
