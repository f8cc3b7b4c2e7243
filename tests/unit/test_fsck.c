// SPDX-License-Identifier: MIT
/* Checkers of file systems, on images in files: what repairs and what refuses. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../helper/host/fsck.c"

#include <cmocka.h>

/* Replaying needs root, and a device: tests/vm/snapshot.t has it. */
int mounts_mount(const char *device, const char *type, const char *dir, enum mounts_how how,
		 char *why, size_t len)
{
	(void)device;
	(void)type;
	(void)dir;
	(void)how;
	snprintf(why, len, "not here");
	return -EPERM;
}

static struct filesystem fs;
static char why[512];

static void shell(const char *fmt, const char *file)
{
	char command[512];

	snprintf(command, sizeof(command), fmt, file);
	assert_int_equal(system(command), 0);
}

static int make_file(void **state)
{
	int fd;

	(void)state;
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	strcpy(fs.device, "/tmp/test_fsck.XXXXXX");
	fd = mkstemp(fs.device);
	if (fd < 0 || ftruncate(fd, 64 << 20))
		return -1;
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(fs.device);
}

static void make(const char *type, const char *mkfs)
{
	strcpy(fs.type, type);
	shell(mkfs, fs.device);
}

static void ext4(void)
{
	make("ext4", "mkfs.ext4 -q -F %s");
}

static void clean_ones(void **state)
{
	(void)state;
	ext4();
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(fsck_run(&fs, true, -1, why, sizeof(why)), 0);
	make("ntfs", "mkntfs -q -Q -F %s >/dev/null 2>&1");
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

/* A count that is wrong can only be meant one way. */
static void repaired(void **state)
{
	(void)state;
	ext4();
	shell("debugfs -w -R 'set_bg 0 free_blocks_count 7' %s >/dev/null 2>&1", fs.device);
	shell("debugfs -w -R 'ssv state 2' %s >/dev/null 2>&1", fs.device);
	assert_int_equal(fsck_run(&fs, true, -1, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "e2fsck says that it is damaged (exit status 4"));
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), 0);
	assert_string_equal(why, "e2fsck has repaired the file system (exit status 1)");
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), 0);
	assert_string_equal(why, "");
}

static void beyond_repair(void **state)
{
	(void)state;
	ext4();
	shell("debugfs -w -R 'clri <2>' %s >/dev/null 2>&1", fs.device);
	shell("debugfs -w -R 'ssv state 2' %s >/dev/null 2>&1", fs.device);
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "e2fsck says that it is damaged (exit status 4: "));
	assert_non_null(strstr(why, "; mount it with --no-fs and repair it with e2fsck"));
}

static void not_known(void **state)
{
	(void)state;
	strcpy(fs.type, "vfat");
	assert_int_equal(fsck_run(&fs, false, -1, why, sizeof(why)), -1);
	assert_string_equal(why, "no checker is known for vfat; leave --fsck out");
}

/* What it says may be longer than a line, and hold anything. */
static void last_line(void **state)
{
	struct run r = { .line = "" };
	char many[400];

	(void)state;
	memset(many, 'x', sizeof(many));
	r.fresh = true;
	keep(&r, "one\ntw", 6);
	keep(&r, "o\033[31m\n\r\n", 8);
	assert_string_equal(r.line, "two[31m");
	keep(&r, many, sizeof(many));
	assert_int_equal(strlen(r.line), sizeof(r.line) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(clean_ones, make_file, remove_file),
		cmocka_unit_test_setup_teardown(repaired, make_file, remove_file),
		cmocka_unit_test_setup_teardown(beyond_repair, make_file, remove_file),
		cmocka_unit_test(not_known),
		cmocka_unit_test(last_line),
	};

	return cmocka_run_group_tests_name("fsck", tests, NULL, NULL);
}
