// SPDX-License-Identifier: MIT
/* Records and control sockets: what helper/lib/runtime.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/runtime.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/runtime.XXXXXX");
	if (!mkdtemp(dir) || rmdir(dir))
		return -1;
	setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
	return runtime_init();
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		runtime_remove(i);
	return rmdir(dir);
}

static void directory_is_private(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(chmod(dir, 0777), 0);
	assert_int_equal(runtime_init(), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void directory_must_be_one(void **state)
{
	char path[80];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	setenv("CLOUDDRIVE_RUNTIME_DIR", path, 1);
	assert_int_equal(runtime_init(), -ENOTDIR);
	unlink(path);
	assert_int_equal(symlink(dir, path), 0);
	assert_int_equal(runtime_init(), -ENOTDIR);
	unlink(path);
	setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
}

static void paths(void **state)
{
	char path[80], expected[100];

	(void)state;
	snprintf(expected, sizeof(expected), "%s/cdrive15.sock", dir);
	assert_string_equal(runtime_path(15, "sock", path, sizeof(path)), expected);
	unsetenv("CLOUDDRIVE_RUNTIME_DIR");
	assert_string_equal(runtime_dir(), "/run/clouddrive");
	setenv("CLOUDDRIVE_RUNTIME_DIR", "", 1);
	assert_string_equal(runtime_dir(), "/run/clouddrive");
	setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
}

/* --- records -------------------------------------------------------------- */

static void record_comes_back(void **state)
{
	json_t *record = json_pack("{s:s, s:i}", "url", "https://a/b", "index", 3);
	json_t *loaded;

	(void)state;
	assert_null(runtime_load(3));
	assert_int_equal(runtime_save(3, record), 0);
	loaded = runtime_load(3);
	assert_true(json_equal(loaded, record));
	assert_null(runtime_load(4));
	json_decref(loaded);
	runtime_remove(3);
	assert_null(runtime_load(3));
	json_decref(record);
}

static void record_is_private(void **state)
{
	json_t *record = json_object();
	char path[80];
	struct stat st;

	(void)state;
	assert_int_equal(runtime_save(0, record), 0);
	assert_int_equal(stat(runtime_path(0, "json", path, sizeof(path)), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	json_decref(record);
}

static void write_record(unsigned int index, const char *text)
{
	char path[80];
	FILE *f = fopen(runtime_path(index, "json", path, sizeof(path)), "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void damaged_record_is_none(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "\"url\"", "{\"a\": 1, \"a\": 2}", "{\"url\": \"\xff\"}", "{} {}"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_record(1, texts[i]);
		assert_null(runtime_load(1));
	}
	runtime_remove(1);
}

static void update_merges(void **state)
{
	json_t *first = json_pack("{s:s, s:i}", "url", "u", "number", 7);
	json_t *changes = json_pack("{s:s, s:n}", "mounted_at", "/mnt", "url");
	json_t *expected = json_pack("{s:i, s:s}", "number", 7, "mounted_at", "/mnt");
	json_t *loaded;

	(void)state;
	assert_int_equal(runtime_save(2, first), 0);
	assert_int_equal(runtime_update(2, changes), 0);
	loaded = runtime_load(2);
	assert_true(json_equal(loaded, expected));
	json_decref(loaded);
	json_decref(expected);
	json_decref(changes);
	json_decref(first);
}

static void add_many(const char *name)
{
	for (int i = 0; i < 50; i++) {
		char key[32];
		json_t *changes = json_object();

		snprintf(key, sizeof(key), "%s%d", name, i);
		json_object_set_new(changes, key, json_true());
		if (runtime_update(5, changes))
			_exit(1);
		json_decref(changes);
	}
}

static void updates_at_once_lose_nothing(void **state)
{
	pid_t pid = fork();
	json_t *loaded;
	int status;

	(void)state;
	if (pid == 0) {
		add_many("child");
		_exit(0);
	}
	add_many("parent");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	loaded = runtime_load(5);
	assert_int_equal(json_object_size(loaded), 100);
	json_decref(loaded);
}

static void save_without_directory_fails(void **state)
{
	json_t *record = json_object();

	(void)state;
	setenv("CLOUDDRIVE_RUNTIME_DIR", "/nonexistent/runtime", 1);
	assert_int_equal(runtime_save(0, record), -ENOENT);
	assert_int_equal(runtime_update(0, record), -ENOENT);
	assert_int_equal(runtime_init(), -ENOENT);
	setenv("CLOUDDRIVE_RUNTIME_DIR", dir, 1);
	json_decref(record);
}

/* --- messages ------------------------------------------------------------- */

static void make_pair(int fd[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd), 0);
}

static void message_arrives(void **state)
{
	json_t *out = json_pack("{s:s}", "command", "status"), *in;
	int fd[2];

	(void)state;
	make_pair(fd);
	assert_int_equal(runtime_send(fd[0], out), 0);
	assert_int_equal(runtime_receive(fd[1], &in, 1000), 0);
	assert_true(json_equal(in, out));
	json_decref(in);
	json_decref(out);
	close(fd[0]);
	assert_int_equal(runtime_receive(fd[1], &in, 1000), -ECONNRESET);
	assert_null(in);
	close(fd[1]);
}

static void send_to_nobody_is_an_error(void **state)
{
	json_t *out = json_object();
	int fd[2];

	(void)state;
	make_pair(fd);
	close(fd[1]);
	assert_int_equal(runtime_send(fd[0], out), -ECONNRESET);
	json_decref(out);
	close(fd[0]);
}

static void garbage_is_refused(void **state)
{
	static const char *const texts[] = { "x", "[1]", "{\"a\":1}{", "{\"a\":1,\"a\":1}",
					     "null" };
	json_t *in;
	int fd[2];

	(void)state;
	make_pair(fd);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_true(send(fd[0], texts[i], strlen(texts[i]), 0) > 0);
		assert_int_equal(runtime_receive(fd[1], &in, 1000), -EPROTO);
		assert_null(in);
	}
	close(fd[0]);
	close(fd[1]);
}

static void size_is_limited(void **state)
{
	char *text = calloc(1, RUNTIME_MESSAGE_MAX + 2);
	json_t *out = json_object(), *in;
	int fd[2];

	(void)state;
	assert_non_null(text);
	memset(text, 'a', RUNTIME_MESSAGE_MAX + 1);
	make_pair(fd);
	json_object_set_new(out, "text", json_string(text));
	assert_int_equal(runtime_send(fd[0], out), -EMSGSIZE);
	assert_true(send(fd[0], text, RUNTIME_MESSAGE_MAX + 1, 0) > 0);
	assert_int_equal(runtime_receive(fd[1], &in, 1000), -EMSGSIZE);
	text[RUNTIME_MESSAGE_MAX - strlen("{\"text\":\"\"}")] = '\0';
	json_object_set_new(out, "text", json_string(text));
	assert_int_equal(runtime_send(fd[0], out), 0);
	assert_int_equal(runtime_receive(fd[1], &in, 1000), 0);
	assert_true(json_equal(in, out));
	json_decref(in);
	json_decref(out);
	free(text);
	close(fd[0]);
	close(fd[1]);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* Interrupted all the while, it waits no shorter and not for ever. */
static void receive_times_out(void **state)
{
	json_t *in;
	int fd[2];

	(void)state;
	make_pair(fd);
	signal(SIGALRM, on_alarm);
	ualarm(10000, 10000);
	assert_int_equal(runtime_receive(fd[1], &in, 100), -ETIMEDOUT);
	ualarm(0, 0);
	assert_int_equal(runtime_receive(fd[1], &in, 0), -ETIMEDOUT);
	assert_null(in);
	close(fd[0]);
	close(fd[1]);
}

/* --- the control socket --------------------------------------------------- */

static int listen_as_helper(unsigned int index)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	runtime_path(index, "sock", sa.sun_path, sizeof(sa.sun_path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void answer_one(int listener)
{
	int fd = accept(listener, NULL, NULL);
	json_t *request, *response;

	if (runtime_receive(fd, &request, 5000))
		_exit(1);
	response = json_pack("{s:O}", "echo", request);
	_exit(runtime_send(fd, response) ? 1 : 0);
}

static void helper_answers(void **state)
{
	json_t *request = json_pack("{s:s}", "command", "status"), *response;
	int listener = listen_as_helper(6), status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		answer_one(listener);
	assert_int_equal(runtime_request(6, request, &response, 5000), 0);
	assert_true(json_equal(json_object_get(response, "echo"), request));
	json_decref(response);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Nobody accepts: connected, and no answer. */
	assert_int_equal(runtime_request(6, request, &response, 50), -ETIMEDOUT);
	assert_null(response);
	close(listener);
	assert_int_equal(runtime_request(6, request, &response, 50), -ECONNREFUSED);
	runtime_remove(6);
	assert_int_equal(runtime_request(6, request, &response, 50), -ENOENT);
	json_decref(request);
}

static void error_has_its_shape(void **state)
{
	json_t *error = runtime_error(5, "%s: leased; wait", "https://a/b");
	json_t *expected = json_pack("{s:{s:i, s:s}}", "error", "exit", 5, "message",
				     "https://a/b: leased; wait");

	(void)state;
	assert_true(json_equal(error, expected));
	json_decref(error);
	json_decref(expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory_is_private),
		cmocka_unit_test(directory_must_be_one),
		cmocka_unit_test(paths),
		cmocka_unit_test(record_comes_back),
		cmocka_unit_test(record_is_private),
		cmocka_unit_test(damaged_record_is_none),
		cmocka_unit_test(update_merges),
		cmocka_unit_test(updates_at_once_lose_nothing),
		cmocka_unit_test(save_without_directory_fails),
		cmocka_unit_test(message_arrives),
		cmocka_unit_test(send_to_nobody_is_an_error),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(size_is_limited),
		cmocka_unit_test(receive_times_out),
		cmocka_unit_test(helper_answers),
		cmocka_unit_test(error_has_its_shape),
	};

	return cmocka_run_group_tests_name("runtime", tests, set_up, tear_down);
}
