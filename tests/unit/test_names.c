// SPDX-License-Identifier: MIT
/*
 * Names of services (azure/resolver.h, azure/route.h): a name server that is silent, fails,
 * or says something else than before, keeps nobody from working, and the loop never waits
 * for it.
 */
#include "client_fixture.h"
#include "named.h"

#define CREATED_AND_CLOSED \
	"HTTP/1.1 201 Created\r\n" MARKS "Content-Length: 0\r\nConnection: close\r\n\r\n"

static bool no_namespaces;

static int set_up(void **state)
{
	(void)state;
	if (!named && !no_namespaces)
		no_namespaces = !named_namespaces();
	if (no_namespaces)
		return 0;
	named_start();
	*named = (struct named_state){
		.known = "acct.blob.test",
		.address = { 127, 0, 0, 1 },
		.ttl = 1,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (!no_namespaces)
		named_stop();
	return 0;
}

static void open_named(void)
{
	char text[100];

	snprintf(text, sizeof(text), "http://acct.blob.test:%d/drives/disk", server.port);
	open_client_on(text);
}

/* Time in the loop that nobody had anything to do in; the longest of it, in ms, if it is
 * never blocked for longer than its timer. */
static struct loop_timer ticker;
static uint64_t ticked, longest;

static void tick(void *arg)
{
	uint64_t now = loop_now();

	(void)arg;
	if (now - ticked > longest)
		longest = now - ticked;
	ticked = now;
	loop_timer_arm(loop, &ticker, LOOP_MS(20));
}

static void start_ticking(void)
{
	longest = 0;
	ticked = loop_now();
	loop_timer_init(&ticker, tick, NULL);
	loop_timer_arm(loop, &ticker, LOOP_MS(20));
}

static void rest(unsigned int ms)
{
	struct loop_timer timer;

	loop_timer_init(&timer, (loop_fn)loop_stop, loop);
	loop_timer_arm(loop, &timer, LOOP_MS(ms));
	loop_run(loop);
}

static void names_are_found(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	open_named();
	for (int i = 0; i < 10; i++) {
		PUT(512);
		expect(AZ_OK, "");
	}
	assert_true(head_has(0, "PUT /drives/disk?comp=page HTTP/1.1\r\n"));
	assert_true(head_has(0, "\r\nHost: acct.blob.test:"));
	assert_int_equal(named->queries, 1);
	stop_all();
}

/* As long as it takes a time to live to pass, and more: every call on a connection of its
 * own, forty a second. */
static void silent_after_a_while(void **state)
{
	static const struct reply script[] = { { .text = CREATED_AND_CLOSED, .end = CLOSE } };
	uint64_t start, worst = 0;

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	open_named();
	PUT(512);
	expect(AZ_OK, "");
	alarm(120);
	for (int mode = 0; mode < 2; mode++) {
		int asked = named->queries;

		named->mode = mode ? NAMED_FAILS : NAMED_IS_SILENT;
		start = loop_now();
		start_ticking();
		/* Past the least time for which an answer is taken, or 10 s after one
		 * that failed. */
		while (named->queries == asked || loop_now() - start < LOOP_SEC(5)) {
			uint64_t began = loop_now();

			PUT(512);
			expect(AZ_OK, "");
			if (loop_now() - began > worst)
				worst = loop_now() - began;
			rest(25);
		}
		loop_timer_cancel(loop, &ticker);
	}
	print_message("# the worst of %d: %llu ms\n", server.seen->requests,
		      (unsigned long long)(worst / 1000000));
	assert_true(worst < LOOP_SEC(1));
	assert_true(longest < LOOP_SEC(1));
	stop_all();
}

static void silent_from_the_start(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	uint64_t start;

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	named->mode = NAMED_IS_SILENT;
	opt.connect_timeout_ms = 1000;
	open_named();
	start_ticking();
	start = loop_now();
	PUT(512);
	expect(AZ_UNREACHABLE, "resolve");
	assert_false(res.err.sent);
	assert_true(loop_now() - start < LOOP_SEC(20));
	assert_true(longest < LOOP_MS(700));
	loop_timer_cancel(loop, &ticker);
	/* Neither cancelling nor ending waits for it. */
	start = loop_now();
	az_call_cancel(az_get_properties(client, &blob, az_sync_done, NULL));
	assert_non_null(az_get_properties(client, &blob, az_sync_done, NULL));
	rest(50);
	close_client();
	assert_true(loop_now() - start < LOOP_MS(700));
	opt = (struct az_client_options)PATIENT;
	httpd_stop(&server);
}

static void failing_at_first(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	opt.connect_timeout_ms = 10000;
	open_named();
	for (int i = 0; i < 2; i++) {
		named->mode = i ? NAMED_KNOWS_NONE : NAMED_FAILS;
		rest(1100); /* nothing is asked for more often */
		PUT(512);
		expect(AZ_UNREACHABLE, "Could not resolve host: acct.blob.test");
		assert_false(res.err.sent);
		assert_int_equal(az_error_exit(&res.err), EXIT_UNREACHABLE);
	}
	named->mode = NAMED_ANSWERS;
	rest(1100);
	PUT(512);
	expect(AZ_OK, "");
	opt = (struct az_client_options)PATIENT;
	stop_all();
}

/* The service moves: what can't be connected to is asked for anew. */
static void another_address(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	int port, tries = 0;

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	port = server.port;
	open_named();
	PUT(512);
	expect(AZ_OK, "");
	httpd_stop(&server);
	named->address[3] = 2;
	httpd_start_at(&server, INADDR_LOOPBACK + 1, port, script, 1);
	do {
		rest(300);
		PUT(512);
	} while (res.err.class && ++tries < 20);
	expect(AZ_OK, "");
	assert_true(server.seen->requests > 0);
	stop_all();
}

/* Whoever goes by a proxy needs the proxy's name, and no other. */
static void by_a_proxy(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	char proxy[64];

	(void)state;
	if (no_namespaces)
		skip();
	httpd_start(&server, script);
	strcpy(named->known, "proxy.test");
	snprintf(proxy, sizeof(proxy), "http://proxy.test:%d", server.port);
	setenv("http_proxy", proxy, 1);
	open_client_on("http://acct.blob.test/drives/disk");
	PUT(512);
	expect(AZ_OK, "");
	assert_true(head_has(0, "PUT http://acct.blob.test/drives/disk?comp=page HTTP/1.1\r\n"));
	close_client();
	/* What is exempt goes there itself. */
	strcpy(named->known, "acct.blob.test");
	for (int i = 0; i < 4; i++) {
		static const char *const exempt[] = { "example.org, blob.test", ".test", "*",
						      "acct.blob.test" };

		setenv("no_proxy", exempt[i], 1);
		open_named();
		PUT(512);
		expect(AZ_OK, "");
		assert_true(head_has(1 + i, "PUT /drives/disk?comp=page HTTP/1.1\r\n"));
		close_client();
	}
	setenv("no_proxy", "lob.test,192.0.2.0/24", 1);
	open_named();
	PUT(512);
	expect(AZ_UNREACHABLE, "Could not resolve host: proxy.test");
	close_client();
	unsetenv("no_proxy");
	unsetenv("http_proxy");
	httpd_stop(&server);
}

/* A name of /etc/hosts needs no name server. */
static void by_a_file(void **state)
{
	static const struct reply script[] = { { .text = CREATED } };
	char text[100];

	(void)state;
	if (no_namespaces)
		skip();
	named->mode = NAMED_IS_SILENT;
	httpd_start(&server, script);
	snprintf(text, sizeof(text), "http://localhost:%d/acct/drives/disk", server.port);
	open_client_on(text);
	PUT(512);
	expect(AZ_OK, "");
	stop_all();
}

#define NAMED(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		NAMED(names_are_found),	 NAMED(silent_after_a_while), NAMED(silent_from_the_start),
		NAMED(failing_at_first), NAMED(another_address),      NAMED(by_a_proxy),
		NAMED(by_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
