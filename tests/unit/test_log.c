// SPDX-License-Identifier: MIT
/*
 * The log is never waited for (lib/log.h): with a /dev/log of this test's own, in a mount
 * namespace, that nobody reads, or that goes and comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"

static bool no_namespace;

/* /dev becomes a directory that is ours alone. */
static int own_dev(void **state)
{
	char null[64];
	int fd;

	(void)state;
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
		no_namespace = true;
		return 0;
	}
	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	snprintf(null, sizeof(null), "/proc/self/fd/%d", fd);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/dev", "tmpfs", 0, NULL) || mknod("/dev/null", S_IFREG | 0644, 0) ||
	    mount(null, "/dev/null", NULL, MS_BIND, NULL))
		return -1;
	close(fd);
	return 0;
}

static int daemon_start(void)
{
	static const struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(name.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	return fd;
}

/* The next message, "" when there is none. */
static const char *message(int fd)
{
	static char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void begin(void)
{
	if (no_namespace)
		skip();
	alarm(20); /* who waits is ended */
}

static void messages_are_as_syslog_sends_them(void **state)
{
	int day, hour, minute, second, pid, fd;
	char month[4], text[32];

	(void)state;
	begin();
	fd = daemon_start();
	log_open("test", false);
	log_error("%s %d", "one", 1);
	assert_int_equal(sscanf(message(fd), "<27>%3s %d %d:%d:%d test[%d]: %31[^\n]", month, &day,
				&hour, &minute, &second, &pid, text),
			 7);
	assert_int_equal(pid, getpid());
	assert_string_equal(text, "one 1");
	log_info("two");
	assert_non_null(strstr(message(fd), "<30>"));
	assert_string_equal(message(fd), "");
	close(fd);
}

static void nobody_reads(void **state)
{
	int fd, came = 0;
	char told[64];

	(void)state;
	begin();
	fd = daemon_start();
	log_open("test", false);
	for (int i = 0; i < 5000; i++)
		log_info("message %d", i);
	while (*message(fd))
		came++;
	assert_in_range(came, 1, 4999);
	log_info("the next");
	snprintf(told, sizeof(told), ": %d messages were lost", 5000 - came);
	assert_non_null(strstr(message(fd), told));
	assert_non_null(strstr(message(fd), ": the next"));
	log_info("and one more");
	assert_non_null(strstr(message(fd), ": and one more"));
	close(fd);
}

static void started_again(void **state)
{
	int fd;

	(void)state;
	begin();
	fd = daemon_start();
	log_open("test", false);
	log_info("one");
	assert_non_null(strstr(message(fd), ": one"));
	close(fd);
	fd = daemon_start();
	log_info("two");
	assert_non_null(strstr(message(fd), ": two"));
	close(fd);
	unlink("/dev/log");
	log_info("three");
	log_info("four");
	fd = daemon_start();
	log_info("five");
	assert_non_null(strstr(message(fd), ": 2 messages were lost"));
	assert_non_null(strstr(message(fd), ": five"));
	close(fd);
}

static void not_there_at_first(void **state)
{
	int fd;

	(void)state;
	begin();
	unlink("/dev/log");
	log_open("test", false);
	fd = daemon_start();
	log_info("one");
	assert_non_null(strstr(message(fd), ": one"));
	close(fd);
}

/* Who says what standard error is made of: a pipe, or a socket as a service's is. */
static void standard_error_is_full(void **state)
{
	(void)state;
	for (int socket = 0; socket < 2; socket++) {
		static char text[1 << 20];
		int fds[2], before = dup(STDERR_FILENO);
		unsigned int number;
		ssize_t n;

		alarm(20);
		if (socket)
			assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		else
			assert_int_equal(pipe(fds), 0);
		dup2(fds[1], STDERR_FILENO);
		close(fds[1]);
		log_open("test", true);
		for (int i = 0; i < 20000; i++)
			log_info("a line that is of some length, and no longer than this, %d", i);
		fcntl(fds[0], F_SETFL, O_NONBLOCK);
		while ((n = read(fds[0], text, sizeof(text))) > 0)
			;
		log_info("the next");
		n = read(fds[0], text, sizeof(text) - 1);
		dup2(before, STDERR_FILENO);
		close(before);
		close(fds[0]);
		assert_true(n > 0);
		text[n] = '\0';
		assert_int_equal(sscanf(text, "test: %u messages were lost", &number), 1);
		assert_in_range(number, 1, 19999);
		assert_non_null(strstr(text, "\ntest: the next\n"));
	}
}

static void nobody_has_standard_error(void **state)
{
	int fds[2], before = dup(STDERR_FILENO);

	(void)state;
	alarm(20);
	signal(SIGPIPE, SIG_IGN); /* as all our programs have it */
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
	log_open("test", true);
	log_info("one");
	dup2(before, STDERR_FILENO);
	close(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_as_syslog_sends_them),
		cmocka_unit_test(nobody_reads),
		cmocka_unit_test(started_again),
		cmocka_unit_test(not_there_at_first),
		cmocka_unit_test(standard_error_is_full),
		cmocka_unit_test(nobody_has_standard_error),
	};

	return cmocka_run_group_tests(tests, own_dev, NULL);
}
