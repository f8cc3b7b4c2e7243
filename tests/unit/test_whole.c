// SPDX-License-Identifier: MIT
/* What is read and written as a whole, by pieces if need be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/whole.h"

#define SIZE (1 << 20) /* more than a pipe holds */

static char data[SIZE], got[SIZE + 1];

static void *write_it(void *arg)
{
	int *fd = arg, err = whole_write(*fd, data, SIZE);

	close(*fd);
	return (void *)(intptr_t)err;
}

/* A pipe takes and gives less than it is asked to. */
static void by_pieces(void **state)
{
	pthread_t thread;
	void *err;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pthread_create(&thread, NULL, write_it, &fds[1]), 0);
	assert_int_equal(whole_read(fds[0], got, sizeof(got)), SIZE);
	pthread_join(thread, &err);
	assert_null(err);
	assert_memory_equal(got, data, SIZE);
	close(fds[0]);
}

static void at_an_offset(void **state)
{
	char path[] = "/tmp/whole.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(whole_pwrite(fd, data, SIZE, 4096), 0);
	assert_int_equal(whole_pread(fd, got, SIZE, 4096), SIZE);
	assert_memory_equal(got, data, SIZE);
	assert_int_equal(whole_pread(fd, got, SIZE, 4096 + 100), SIZE - 100);
	assert_memory_equal(got, data + 100, SIZE - 100);
	assert_int_equal(whole_pread(fd, got, SIZE, 4096 + SIZE), 0);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
}

static void errors(void **state)
{
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(whole_write(fd, data, 1), -ENOSPC);
	close(fd);
	assert_int_equal(whole_read(-1, got, 1), -EBADF);
	assert_int_equal(whole_pread(-1, got, 1, 0), -EBADF);
	assert_int_equal(whole_pwrite(-1, data, 1, 0), -EBADF);
	assert_int_equal(whole_sync_parent("/nowhere/at/all"), -ENOENT);
	assert_int_equal(whole_sync_parent("/tmp/all"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_pieces),
		cmocka_unit_test(at_an_offset),
		cmocka_unit_test(errors),
	};

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
