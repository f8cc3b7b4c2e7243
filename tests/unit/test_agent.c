// SPDX-License-Identifier: MIT
/* When an agent acts, what it holds, and its locks. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/key.h"
#include "agent/lock.h"
#include "agent/restart.h"
#include "lib/loop.h"
#include "lib/runtime.h"
#include "lib/text.h"

#define BLOB "http://127.0.0.1:10000/devstoreaccount1/disks/disk"
#define KEY "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* --- when --------------------------------------------------------------------------- */

static void refreshes(void **state)
{
	(void)state;
	assert_int_equal(key_refresh_s(1800), 300);
	assert_int_equal(key_refresh_s(10), 1);
	assert_int_equal(key_refresh_s(20), 3);
	assert_int_equal(key_refresh_s(1), 1);
	assert_int_equal(key_refresh_s(86400), 14400);
}

static void backs_off(void **state)
{
	static const unsigned int ms[] = { 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000 };
	struct restart r = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		assert_int_equal(restart_delay_ms(&r, LOOP_SEC(1000)), ms[i]);
		restart_failed(&r);
	}
	for (i = 0; i < 1000; i++)
		restart_failed(&r);
	assert_int_equal(restart_delay_ms(&r, LOOP_SEC(1000)), RETRY_MOST_MS);
	restart_succeeded(&r);
	assert_int_equal(restart_delay_ms(&r, LOOP_SEC(1000)), 0);
}

/* Each start succeeds, and the helper dies at once. */
static void slows_down_repeated_deaths(void **state)
{
	uint64_t now = LOOP_SEC(5000);
	struct restart r = { 0 };
	int i;

	(void)state;
	for (i = 0; i < RESTART_STARTS; i++) {
		assert_int_equal(restart_delay_ms(&r, now), 0);
		restart_started(&r, now);
		restart_succeeded(&r);
		now += LOOP_SEC(1);
	}
	assert_int_equal(restart_delay_ms(&r, now), RETRY_MOST_MS);
	/* The first of the five is longer ago than the window then. */
	now += LOOP_SEC(RESTART_WINDOW_S) - LOOP_SEC(RESTART_STARTS);
	assert_int_equal(restart_delay_ms(&r, now), 0);
}

/* --- what ----------------------------------------------------------------------------- */

static struct key *key_from(const char *name, const char *value, unsigned int lifetime)
{
	json_t *request = json_pack("{s:s}", name, value);
	struct key *key = key_new(request, lifetime);

	json_decref(request);
	return key;
}

static void parse(struct az_url *url)
{
	char why[256];

	assert_int_equal(az_url_parse(BLOB, url, why, sizeof(why)), 0);
}

static void a_key_makes_tokens(void **state)
{
	struct key *key = key_from("key", KEY, 60);
	struct az_url url;
	char *token;

	(void)state;
	assert_non_null(key);
	assert_true(key_signs(key));
	parse(&url);
	token = key_token(key, &url, 1700000000);
	assert_non_null(token);
	assert_non_null(strstr(token, "sig="));
	assert_non_null(strstr(token, "sr=b"));
	assert_null(strstr(token, KEY));
	assert_int_equal(key_token_expiry(key, 1700000000), 1700000060);
	assert_int_equal(key_replace(key, "sig=x"), -EINVAL);
	text_free_secret(token);
	az_url_free(&url);
	key_free(key);
}

/* The service's clock, as a helper tells it: of one that lies no token lives long. */
static void tokens_go_by_the_services_clock(void **state)
{
	struct key *key = key_from("key", KEY, 1800);
	struct az_url url;
	char *token;

	(void)state;
	assert_int_equal(key_clock_ahead(0), 0);
	assert_int_equal(key_clock_ahead(600), 600);
	assert_int_equal(key_clock_ahead(-600), -600);
	assert_int_equal(key_clock_ahead(-10 * 86400), -10 * 86400);
	assert_int_equal(key_clock_ahead(3601), 3600);
	assert_int_equal(key_clock_ahead(INT64_MAX), 3600);
	assert_int_equal(key_clock_ahead(INT64_MIN), -366 * 86400);
	parse(&url);
	token = key_token(key, &url, 1700000000 + key_clock_ahead(-600));
	assert_non_null(strstr(token, "st=2023-11-14T21%3A58%3A20Z"));
	assert_non_null(strstr(token, "se=2023-11-14T22%3A33%3A20Z"));
	text_free_secret(token);
	az_url_free(&url);
	key_free(key);
}

/* What another agent is told makes the same tokens. */
static void a_successor_gets_the_same(void **state)
{
	static const char *const what[][2] = { { "key", KEY }, { "sas", "sp=rw&sig=abc" } };
	struct az_url url;

	(void)state;
	parse(&url);
	for (size_t i = 0; i < 2; i++) {
		struct key *key = key_from(what[i][0], what[i][1], 1234), *other;
		json_t *request = json_object();
		char *token = key_token(key, &url, 1700000000), *again;

		assert_int_equal(key_put(key, request), 0);
		assert_int_equal(json_integer_value(json_object_get(request, "lifetime")), 1234);
		assert_int_equal(json_object_size(request), 2);
		other = key_new(request, 1234);
		assert_non_null(other);
		again = key_token(other, &url, 1700000000);
		assert_string_equal(token, again);
		text_free_secret(token);
		text_free_secret(again);
		json_decref(request);
		key_free(key);
		key_free(other);
	}
	az_url_free(&url);
}

static void a_sas_is_handed_on(void **state)
{
	struct key *key = key_from("sas", "?sp=rw&se=2030-01-01T00:00:00Z&sig=abc", 60);
	char big[4096] = "sig=";
	struct az_url url;
	char *token;

	(void)state;
	assert_non_null(key);
	assert_false(key_signs(key));
	parse(&url);
	token = key_token(key, &url, 0);
	assert_string_equal(token, "sp=rw&se=2030-01-01T00:00:00Z&sig=abc");
	text_free_secret(token);
	assert_int_equal(key_token_expiry(key, 0), 1893456000);
	memset(big + 4, 'a', sizeof(big) - 5);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(key_replace(key, big), -EINVAL);
	assert_int_equal(key_replace(key, "no SAS"), -EINVAL);
	assert_int_equal(key_replace(key, "si=policy&sig=def"), 0);
	token = key_token(key, &url, 0);
	assert_string_equal(token, "si=policy&sig=def");
	text_free_secret(token);
	assert_int_equal(key_token_expiry(key, 0), 0);
	az_url_free(&url);
	key_free(key);
}

static void nothing_is_no_credential(void **state)
{
	(void)state;
	assert_null(key_from("neither", "x", 60));
	assert_int_equal(errno, EINVAL);
	assert_null(key_from("key", "not base64!", 60));
	assert_null(key_from("sas", "sp=rw", 60));
}

/* --- locks ------------------------------------------------------------------------------ */

static char dir[] = "/tmp/test_agent.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* fails when a lock was left behind */
}

/* A process that holds the agent's lock for @ms, or until it is ended; it has it when
 * this returns. */
static pid_t holder(unsigned int ms)
{
	int p[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (!pid) {
		int fd = agent_lock(3, true, 1);

		if (fd < 0 || write(p[1], "x", 1) != 1)
			_exit(1);
		usleep(ms * 1000);
		agent_unlock(fd, 3);
		_exit(0);
	}
	close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 1);
	close(p[0]);
	return pid;
}

static void agents_are_seen(void **state)
{
	struct agent_info info;
	pid_t pid;

	(void)state;
	agent_query(3, &info);
	assert_false(info.alive);
	pid = holder(60000);
	agent_query(3, &info);
	assert_true(info.alive);
	assert_true(info.has_key);
	assert_int_equal(info.pid, pid);
	assert_int_equal(agent_lock(3, false, 0), -ETIMEDOUT);
	kill(pid, SIGKILL);
	agent_wait_end(&info, 5);
	waitpid(pid, NULL, 0);
	/* What a killed one leaves is no agent, and is in nobody's way. */
	agent_query(3, &info);
	assert_false(info.alive);
	agent_unlock(agent_lock(3, false, 0), 3);
}

static void locks_are_waited_for(void **state)
{
	uint64_t begun = loop_now();
	pid_t pid = holder(300);
	struct agent_info info;
	int fd;

	(void)state;
	fd = agent_lock(3, false, 10);
	assert_true(fd >= 0);
	assert_true(loop_now() - begun >= LOOP_MS(250));
	assert_true(loop_now() - begun < LOOP_SEC(8));
	waitpid(pid, NULL, 0);
	/* The holder removed its file; ours is another, which others see. */
	pid = fork();
	if (!pid) {
		agent_query(3, &info);
		_exit(info.alive && !info.has_key ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &(int){ 0 }, 0), pid);
	agent_query(3, &info);
	assert_true(info.alive);
	assert_false(info.has_key);
	assert_int_equal(info.pid, getpid());
	agent_unlock(fd, 3);
}

static void a_url_has_one_lock(void **state)
{
	char a[4096], b[4096], why[256];
	struct az_url url, with_sas;

	(void)state;
	parse(&url);
	assert_int_equal(az_url_parse(BLOB "?sp=r&sig=abc", &with_sas, why, sizeof(why)), 0);
	assert_string_equal(lock_path_url(&url, a), lock_path_url(&with_sas, b));
	assert_int_equal(strncmp(a, dir, strlen(dir)), 0);
	assert_int_equal(strlen(strrchr(a, '/')), strlen("/url-.lock") + 32);
	az_url_free(&url);
	az_url_free(&with_sas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refreshes),
		cmocka_unit_test(backs_off),
		cmocka_unit_test(slows_down_repeated_deaths),
		cmocka_unit_test(a_key_makes_tokens),
		cmocka_unit_test(tokens_go_by_the_services_clock),
		cmocka_unit_test(a_successor_gets_the_same),
		cmocka_unit_test(a_sas_is_handed_on),
		cmocka_unit_test(nothing_is_no_credential),
		cmocka_unit_test(agents_are_seen),
		cmocka_unit_test(locks_are_waited_for),
		cmocka_unit_test(a_url_has_one_lock),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
