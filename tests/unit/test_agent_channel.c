// SPDX-License-Identifier: MIT
/*
 * The agent channel and the SAS that comes by it: helper/drive/agent_channel.h, with a date
 * that the test sets and an agent that it plays.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drive/agent_channel.h"
#include "lib/runtime.h"

#include "fake_loop.h"

/* Seconds since the epoch that a test begins at: 2027-01-15T08:16:40Z */
#define BEGIN 1800001000
#define SAS(se) "sp=rw&se=" se "&sig=c2VjcmV0"
#define AT_08_30 SAS("2027-01-15T08%3A30%3A00Z")
#define AT_09_00 SAS("2027-01-15T09:00:00Z")
#define LONG_AGO SAS("2026-01-01T00:00:00Z")
#define POLICY "si=policy&sig=c2VjcmV0"

static struct {
	struct agent_channel channel;
	struct az_credential cred;
	int theirs; /* the agent's end */
	unsigned int abandoned, expired, fresh, after;
	char why[256];
	int64_t ahead; /* the service's clock */
} t;

static void abandoned(void *arg)
{
	assert_ptr_equal(arg, &t);
	t.abandoned++;
}

static void expired(void *arg, const char *why)
{
	assert_ptr_equal(arg, &t);
	snprintf(t.why, sizeof(t.why), "%s", why);
	t.expired++;
}

static void fresh(void *arg, bool after)
{
	assert_ptr_equal(arg, &t);
	t.fresh++;
	t.after += after;
}

static int64_t clock_ahead(void *arg)
{
	assert_ptr_equal(arg, &t);
	return t.ahead;
}

static const struct agent_channel_ops ops = { .abandoned = abandoned,
					      .expired = expired,
					      .fresh = fresh,
					      .clock_ahead = clock_ahead };

static int open_channel(const json_t *request, int *theirs)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*theirs = pair[1];
	return agent_channel_open(&t.channel, pair[0], request);
}

static void begin(const char *sas, const json_t *request)
{
	memset(&t, 0, sizeof(t));
	fake_loop_reset(1);
	assert_int_equal(wall_clock(), BEGIN);
	assert_int_equal(az_credential_set_sas(&t.cred, sas), 0);
	agent_channel_init(&t.channel, &fake_loop, &t.cred, "https://a/disk", &ops, &t);
	assert_int_equal(open_channel(request, &t.theirs), 0);
}

static int setup(void **state)
{
	(void)state;
	begin(AT_08_30, NULL);
	return 0;
}

static int announced(void **state)
{
	setup(state);
	agent_channel_announced(&t.channel);
	return 0;
}

static int teardown(void **state)
{
	int fd = t.channel.socket.fd;

	(void)state;
	agent_channel_close(&t.channel);
	assert_null(fake_loop.timers);
	if (fd >= 0)
		close(fd);
	if (t.theirs >= 0)
		close(t.theirs);
	az_credential_free(&t.cred);
	return 0;
}

/* Has the handler read all that there is. */
static void hear(void)
{
	struct pollfd p = { .fd = t.channel.socket.fd, .events = POLLIN | POLLRDHUP };

	while (p.fd >= 0 && poll(&p, 1, 0) == 1) {
		t.channel.socket.fn(t.channel.socket.arg, EPOLLIN);
		p.fd = t.channel.socket.fd;
	}
}

static void send_text(const char *text)
{
	assert_int_equal(send(t.theirs, text, strlen(text), 0), strlen(text));
	hear();
}

static void send_sas(const char *sas)
{
	json_t *m = json_pack("{s:s}", "sas", sas);

	assert_int_equal(runtime_send(t.theirs, m), 0);
	json_decref(m);
	hear();
}

static void agent_dies(void)
{
	close(t.theirs);
	t.theirs = -1;
	hear();
}

/* An answer is consumed; "" when it is no error. */
static const char *error_of(json_t *response, int exit)
{
	static char text[512];
	const char *message = "";
	int status = 0;

	json_unpack(response, "{s:{s:i, s:s}}", "error", "exit", &status, "message", &message);
	assert_int_equal(status, exit);
	snprintf(text, sizeof(text), "%s", message);
	assert_null(strstr(text, "c2VjcmV0"));
	json_decref(response);
	return text;
}

static json_t *asked(const char *sas)
{
	json_t *request = json_pack("{s:s*}", "sas", sas);
	json_t *response = agent_channel_credential(&t.channel, request);

	json_decref(request);
	return response;
}

/* --- a fresh one ------------------------------------------------------------------ */

static void replaces_the_credential(void **state)
{
	(void)state;
	send_sas(AT_09_00);
	assert_string_equal(t.cred.sas, AT_09_00);
	assert_int_equal(t.fresh, 1);
	assert_int_equal(t.after, 0);
	send_sas(AT_08_30);
	assert_string_equal(t.cred.sas, AT_08_30);
	assert_int_equal(t.abandoned + t.expired, 0);
}

/* Before the drive is announced it is as good: bringing one up may take long. */
static void comes_before_the_announcement(void **state)
{
	replaces_the_credential(state);
	agent_channel_announced(&t.channel);
	assert_int_equal(t.expired, 0);
}

static void what_makes_no_sense_changes_nothing(void **state)
{
	static const char *const texts[] = { "x",
					     "[]",
					     "{}",
					     "{\"sas\":1}",
					     "{\"sas\":\"\"}",
					     "{\"sas\":\"sv=1\"}",
					     "{\"other\":\"x\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		send_text(texts[i]);
	send_sas(LONG_AGO);
	assert_string_equal(t.cred.sas, AT_08_30);
	assert_int_equal(t.fresh, 0);
	assert_true(t.channel.socket.fd >= 0);
	assert_null(strstr(fake_logged, "c2VjcmV0"));
}

/* --- its end ------------------------------------------------------------------------ */

static void parks_when_it_ends(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(799)); /* 08:29:59 */
	assert_int_equal(t.expired, 0);
	fake_loop_run(LOOP_SEC(2));
	assert_int_equal(t.expired, 1);
	assert_non_null(strstr(t.why, "2027-01-15T08:30:00Z"));
	assert_non_null(strstr(t.why, "clouddrivectl mount URL brings an agent back"));
	fake_loop_run(LOOP_SEC(3600));
	assert_int_equal(t.expired, 1);
	send_sas(LONG_AGO);
	assert_int_equal(t.fresh, 0);
	send_sas(SAS("2027-01-15T12:00:00Z"));
	assert_int_equal(t.fresh, 1);
	assert_int_equal(t.after, 1);
	/* And that one's end is watched, too. */
	fake_loop_run(LOOP_SEC(4 * 3600));
	assert_int_equal(t.expired, 2);
}

static void a_fresh_one_comes_in_time(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		fake_loop_run(LOOP_SEC(700));
		send_sas(i ? SAS("2027-01-15T09:30:00Z") : AT_09_00);
	}
	assert_int_equal(t.expired, 0);
	assert_int_equal(t.fresh, 3);
}

/* The timers stand still while the machine is suspended, and the date jumps. */
static void found_after_a_suspension(void **state)
{
	(void)state;
	fake_suspended = LOOP_SEC(3600);
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(t.expired, 1);
}

static void the_clock_is_set(void **state)
{
	(void)state;
	fake_wall += 7200;
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(t.expired, 1);
	fake_wall -= 7200; /* it was a mistake */
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(t.after, 1);
	fake_loop_run(LOOP_SEC(900));
	assert_int_equal(t.expired, 2);
}

/* The service says so before the timer does. */
static void found_when_asked(void **state)
{
	(void)state;
	agent_channel_check(&t.channel);
	assert_int_equal(t.expired, 0);
	fake_suspended = LOOP_SEC(3600);
	agent_channel_check(&t.channel);
	assert_int_equal(t.expired, 1);
}

static void a_policy_says_no_end(void **state)
{
	(void)state;
	begin(POLICY, NULL);
	agent_channel_announced(&t.channel);
	assert_null(fake_loop.timers);
	agent_dies();
	assert_non_null(strstr(fake_logged, "says not how long"));
}

/* Bringing a drive up fails by the service's word, not by this. */
static void not_before_the_announcement(void **state)
{
	(void)state;
	fake_loop_run(LOOP_SEC(3600));
	agent_channel_check(&t.channel);
	assert_int_equal(t.expired, 0);
	agent_channel_announced(&t.channel);
	assert_int_equal(t.expired, 1);
}

static void the_user_brings_another(void **state)
{
	json_t *request = json_pack("{s:b}", "user_sas", 1);

	(void)state;
	begin(AT_08_30, request);
	json_decref(request);
	agent_channel_announced(&t.channel);
	fake_loop_run(LOOP_SEC(900));
	assert_non_null(strstr(t.why, "with a new SAS in the URL"));
	t.ahead = 600; /* nothing can be done about that */
	assert_false(agent_channel_tell_clock(&t.channel));
}

/* --- the agent goes, and another comes ------------------------------------------------ */

static void abandoned_at_the_start(void **state)
{
	(void)state;
	agent_dies();
	assert_int_equal(t.abandoned, 1);
	assert_int_equal(t.channel.socket.fd, -1);
}

/* Closing the writing side means the same. */
static void abandoned_by_half(void **state)
{
	(void)state;
	shutdown(t.theirs, SHUT_WR);
	hear();
	assert_int_equal(t.abandoned, 1);
}

static void goes_on_without(void **state)
{
	(void)state;
	agent_dies();
	assert_int_equal(t.abandoned, 0);
	assert_int_equal(t.channel.socket.fd, -1);
	assert_non_null(strstr(fake_logged, "https://a/disk: its agent is gone"));
	assert_non_null(strstr(fake_logged, "valid until 2027-01-15T08:30:00Z"));
	assert_non_null(strstr(fake_logged, "clouddrivectl mount URL"));
	assert_string_equal(t.cred.sas, AT_08_30);
	fake_loop_run(LOOP_SEC(900));
	assert_int_equal(t.expired, 1);
}

static json_t *connect_again(const char *sas, int *theirs)
{
	json_t *request = json_pack("{s:s, s:s*}", "command", "agent", "sas", sas), *error;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	error = agent_channel_connect(&t.channel, pair[0], request);
	json_decref(request);
	*theirs = pair[1];
	if (error) {
		close(pair[0]);
		close(pair[1]);
		*theirs = -1;
	}
	return error;
}

static void another_becomes_the_agent(void **state)
{
	(void)state;
	agent_dies();
	fake_loop_run(LOOP_SEC(900));
	assert_int_equal(t.expired, 1);
	assert_null(connect_again(AT_09_00, &t.theirs));
	assert_string_equal(t.cred.sas, AT_09_00);
	assert_int_equal(t.after, 1);
	assert_int_equal(t.channel.pid, getpid());
	send_sas(SAS("2027-01-15T09:30:00Z"));
	assert_int_equal(t.fresh, 2);
	agent_dies();
	assert_int_equal(t.abandoned, 0);
}

/* The end of the first is still to be read when the second is there. */
static void another_comes_at_once(void **state)
{
	(void)state;
	close(t.theirs);
	assert_null(connect_again(AT_09_00, &t.theirs));
	hear();
	assert_true(t.channel.socket.fd >= 0);
	send_sas(AT_08_30);
	assert_string_equal(t.cred.sas, AT_08_30);
}

static void one_agent_at_a_time(void **state)
{
	int theirs;

	(void)state;
	assert_non_null(strstr(error_of(connect_again(AT_09_00, &theirs), 6), "has an agent"));
	assert_string_equal(t.cred.sas, AT_08_30);
	send_sas(AT_09_00); /* the first is heard as ever */
	assert_string_equal(t.cred.sas, AT_09_00);
}

static void an_agent_needs_a_sas(void **state)
{
	int theirs;

	(void)state;
	agent_dies();
	error_of(connect_again(NULL, &theirs), 4);
	assert_non_null(strstr(error_of(connect_again(LONG_AGO, &theirs), 4), "2026-01-01"));
	assert_int_equal(t.channel.socket.fd, -1);
	assert_string_equal(t.cred.sas, AT_08_30);
}

/* --- the service's clock ---------------------------------------------------------------- */

/* What the agent is told; 0: nothing. */
static int64_t told(void)
{
	int64_t ahead;
	json_t *m;

	if (runtime_receive(t.theirs, &m, 0))
		return 0;
	ahead = json_integer_value(json_object_get(m, "clock_ahead"));
	assert_int_not_equal(ahead, 0);
	json_decref(m);
	return ahead;
}

static void tells_the_services_clock(void **state)
{
	(void)state;
	t.ahead = 29; /* a response that took its time, perhaps */
	assert_false(agent_channel_tell_clock(&t.channel));
	t.ahead = -30;
	assert_true(agent_channel_tell_clock(&t.channel));
	assert_false(agent_channel_tell_clock(&t.channel));
	assert_int_equal(told(), -30);
	t.ahead = -3;
	assert_false(agent_channel_tell_clock(&t.channel));
	t.ahead = 0;
	assert_true(agent_channel_tell_clock(&t.channel));
	agent_dies();
	t.ahead = 600;
	assert_false(agent_channel_tell_clock(&t.channel));
}

/* Every few seconds, and when the service refuses. */
static void tells_it_in_time(void **state)
{
	(void)state;
	t.ahead = 600;
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(told(), 600);
	t.ahead = 700;
	agent_channel_check(&t.channel);
	assert_int_equal(told(), 700);
	fake_loop_run(LOOP_SEC(100)); /* 08:18:30, and 08:30:10 */
	assert_int_equal(t.expired, 1);
	t.ahead = 0;
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(t.after, 1);
}

/* Its SAS is over by that clock, and is not its last word. */
static void tells_it_to_another_agent(void **state)
{
	json_t *m;

	(void)state;
	t.ahead = 3600;
	agent_dies();
	fake_loop_run(LOOP_SEC(AGENT_CHANNEL_CHECK_S) + 1);
	assert_int_equal(t.expired, 1);
	assert_null(connect_again(AT_09_00, &t.theirs));
	assert_int_equal(runtime_receive(t.theirs, &m, 0), 0);
	assert_int_equal(json_integer_value(json_object_get(m, "clock_ahead")), 3600);
	json_decref(m);
	assert_int_equal(t.after, 0);
	send_sas(SAS("2027-01-15T09:47:00Z"));
	assert_int_equal(t.after, 1);
}

/* --- handed in by a user ---------------------------------------------------------------- */

static void handed_in(void **state)
{
	json_t *m;

	(void)state;
	assert_string_equal(error_of(asked(AT_09_00), 0), "");
	assert_string_equal(t.cred.sas, AT_09_00);
	/* The agent has it for the next helper. */
	assert_int_equal(runtime_receive(t.theirs, &m, 1000), 0);
	assert_string_equal(json_string_value(json_object_get(m, "sas")), AT_09_00);
	json_decref(m);
	agent_dies();
	assert_string_equal(error_of(asked(AT_08_30), 0), "");
	assert_string_equal(t.cred.sas, AT_08_30);
}

static void handed_in_to_no_avail(void **state)
{
	json_t *m;

	(void)state;
	error_of(asked(NULL), 4);
	error_of(asked("sv=1"), 4);
	assert_non_null(strstr(error_of(asked(LONG_AGO), 4), "expired"));
	assert_string_equal(t.cred.sas, AT_08_30);
	assert_int_equal(runtime_receive(t.theirs, &m, 0), -ETIMEDOUT);
}

/* An agent that is stopped, and whose buffer is full, stops nothing. */
static void the_agent_hangs(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++)
		assert_string_equal(error_of(asked(AT_09_00), 0), "");
	assert_non_null(strstr(fake_logged, "could not be given"));
}

/* --- status ------------------------------------------------------------------------------- */

static void is_json(json_t *got, json_t *expected)
{
	assert_true(json_equal(got, expected));
	json_decref(got);
	json_decref(expected);
}

static void status(void **state)
{
	json_t *request = json_pack("{s:i}", "agent_pid", 4711);

	(void)state;
	begin(AT_08_30, request);
	json_decref(request);
	is_json(agent_channel_status(&t.channel),
		json_pack("{s:i, s:b}", "pid", 4711, "user_sas", t.channel.user_sas));
	is_json(agent_channel_credential_status(&t.channel),
		json_pack("{s:s, s:s, s:i}", "kind", "sas", "expires", "2027-01-15T08:30:00Z",
			  "expires_seconds", 800));
	fake_loop_run(LOOP_SEC(900));
	is_json(agent_channel_credential_status(&t.channel),
		json_pack("{s:s, s:s, s:i}", "kind", "sas", "expires", "2027-01-15T08:30:00Z",
			  "expires_seconds", 0));
	send_sas(POLICY);
	is_json(agent_channel_credential_status(&t.channel),
		json_pack("{s:s, s:n, s:n}", "kind", "sas", "expires", "expires_seconds"));
	agent_dies();
	is_json(agent_channel_status(&t.channel), json_null());
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
#define ANNOUNCED(fn) cmocka_unit_test_setup_teardown(fn, announced, teardown)
#define ALONE(fn) cmocka_unit_test_teardown(fn, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANNOUNCED(replaces_the_credential),
		TEST(comes_before_the_announcement),
		ANNOUNCED(what_makes_no_sense_changes_nothing),
		ANNOUNCED(parks_when_it_ends),
		ANNOUNCED(a_fresh_one_comes_in_time),
		ANNOUNCED(found_after_a_suspension),
		ANNOUNCED(the_clock_is_set),
		ANNOUNCED(found_when_asked),
		ALONE(a_policy_says_no_end),
		TEST(not_before_the_announcement),
		ALONE(the_user_brings_another),
		TEST(abandoned_at_the_start),
		TEST(abandoned_by_half),
		ANNOUNCED(goes_on_without),
		ANNOUNCED(another_becomes_the_agent),
		ANNOUNCED(another_comes_at_once),
		ANNOUNCED(one_agent_at_a_time),
		ANNOUNCED(an_agent_needs_a_sas),
		TEST(tells_the_services_clock),
		ANNOUNCED(tells_it_in_time),
		ANNOUNCED(tells_it_to_another_agent),
		ANNOUNCED(handed_in),
		ANNOUNCED(handed_in_to_no_avail),
		ANNOUNCED(the_agent_hangs),
		ALONE(status),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
