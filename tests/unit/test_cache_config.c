// SPDX-License-Identifier: MIT
/* What is remembered of the cache (helper/cache/config.c), its header (header.c), and on what
 * it may lie (below.c). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/below.h"
#include "cache/config.h"
#include "cache/file.h"
#include "cache/header.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	/* Not below /tmp, which may be in memory. */
	snprintf(dir, sizeof(dir), "/var/tmp/cache.XXXXXX");
	assert_non_null(mkdtemp(dir));
	setenv("CLOUDDRIVE_CONFIG_DIR", dir, 1);
	setenv("CLOUDDRIVE_STATE_DIR", dir, 1);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const char *in_dir(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(in_dir(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* --- the configuration ------------------------------------------------------------------- */

static void is_remembered(void **state)
{
	struct cache_config c = { .path = "/var/cache/drives/clouddrive.cache",
				  .size = 5ull << 30 };
	struct cache_config got;
	struct stat st;

	(void)state;
	assert_int_equal(cache_config_load(&got), -ENOENT);
	uuid_generate_random(c.uuid);
	assert_int_equal(cache_config_save(&c), 0);
	assert_int_equal(cache_config_load(&got), 0);
	assert_string_equal(got.path, c.path);
	assert_false(got.device);
	assert_int_equal(got.size, c.size);
	assert_int_equal(uuid_compare(got.uuid, c.uuid), 0);
	assert_int_equal(stat(in_dir("cache.conf"), &st), 0);
	assert_int_equal(st.st_mode & 0022, 0);

	c.device = true;
	c.size = CACHE_SIZE_MOST;
	snprintf(c.path, sizeof(c.path), "/dev/disk/by-id/nvme-1");
	assert_int_equal(cache_config_save(&c), 0);
	assert_int_equal(cache_config_load(&got), 0);
	assert_true(got.device);
	assert_int_equal(got.size, CACHE_SIZE_MOST);
	assert_int_equal(access(in_dir("cache.conf.new"), F_OK), -1);

	assert_int_equal(cache_config_remove(), 0);
	assert_int_equal(cache_config_load(&got), -ENOENT);
	assert_int_equal(cache_config_remove(), 0);
}

static void what_makes_no_sense(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"{\"path\": \"/x\", \"device\": false, \"size\": 1073741824}",
		"{\"path\": \"x\", \"device\": false, \"size\": 1073741824, \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}",
		"{\"path\": \"/x\", \"device\": 0, \"size\": 1073741824, \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}",
		"{\"path\": \"/x\", \"device\": false, \"size\": 16777215, \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}",
		"{\"path\": \"/x\", \"device\": false, \"size\": 2199023255553, \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}",
		"{\"path\": \"/x\", \"device\": false, \"size\": -1, \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\"}",
		"{\"path\": \"/x\", \"device\": false, \"size\": 1073741824, \"uuid\": \"nobody\"}",
	};
	struct cache_config c;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put("cache.conf", texts[i]);
		assert_int_equal(cache_config_load(&c), -EBADMSG);
	}
}

static void where_the_index_is(void **state)
{
	struct cache_config c = { .path = "/var/cache/clouddrive.cache" };
	char path[PATH_MAX];

	(void)state;
	assert_string_equal(cache_index_path(&c, path), "/var/cache/clouddrive.index");
	snprintf(c.path, sizeof(c.path), "/" CACHE_FILE);
	assert_string_equal(cache_index_path(&c, path), "/clouddrive.index");
	c.device = true;
	assert_string_equal(cache_index_path(&c, path), in_dir("cache.index"));
}

static void slots_and_memory(void **state)
{
	(void)state;
	assert_int_equal(cache_slots(CACHE_SIZE_LEAST), 256);
	assert_int_equal(cache_slots(CACHE_SIZE_MOST), 1u << 25);
	assert_int_equal(cache_slots((1 << 20) + 65535), 16);
	/* Some two parts in a thousand. */
	assert_in_range(cache_map_memory(1ull << 30), 1 << 20, 3 << 20);
}

/* --- the file ---------------------------------------------------------------------------- */

static void header_comes_back(void **state)
{
	struct cache_header h = { .state = CACHE_OPEN, .generation = 7, .size = 1 << 30 }, got;
	int fd = open(in_dir("cache"), O_RDWR | O_CREAT, 0600);
	char c;

	(void)state;
	uuid_generate_random(h.uuid);
	assert_int_equal(cache_header_read(fd, &got), -EBADMSG);
	assert_int_equal(cache_header_write(fd, &h), 0);
	assert_int_equal(cache_header_read(fd, &got), 0);
	assert_memory_equal(&got, &h, sizeof(h));
	for (off_t at = 0; at < 64; at++) {
		assert_int_equal(pread(fd, &c, 1, at), 1);
		c ^= 4;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
		assert_int_equal(cache_header_read(fd, &got), -EBADMSG);
		c ^= 4;
		assert_int_equal(pwrite(fd, &c, 1, at), 1);
	}
	assert_int_equal(cache_header_read(fd, &got), 0);
	assert_int_equal(cache_header_wipe(fd), 0);
	assert_int_equal(cache_header_read(fd, &got), -EBADMSG);
	close(fd);
}

static void file_is_made_and_found(void **state)
{
	struct cache_config c = { .size = CACHE_SIZE_LEAST };
	char why[512] = "";
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(cache_file_locate(dir, &c, why, sizeof(why)), 0);
	assert_string_equal(c.path, in_dir(CACHE_FILE));
	assert_false(c.device);
	put(CACHE_FILE, "of before");
	fd = cache_file_make(&c, why, sizeof(why));
	if (fd == -EINVAL)
		skip(); /* no O_DIRECT here */
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, (17 << 20));
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_int_equal(st.st_mode & 07777, 0600);
	close(fd);
	fd = cache_file_open(&c, false, why, sizeof(why));
	assert_true(fd >= 0);
	c.size *= 2;
	assert_int_equal(cache_file_resize(fd, &c, why, sizeof(why)), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, (33 << 20));
	close(fd);

	/* Not the one that was set up. */
	c.uuid[0] ^= 1;
	assert_int_equal(cache_file_open(&c, false, why, sizeof(why)), -ESTALE);
	assert_non_null(strstr(why, "is not the cache"));
	put(CACHE_FILE, "something else");
	assert_int_equal(cache_file_open(&c, false, why, sizeof(why)), -ESTALE);
	cache_file_remove(&c);
	assert_int_equal(cache_file_open(&c, false, why, sizeof(why)), -ENOENT);
}

static void places_that_wont_do(void **state)
{
	struct cache_config c = { .size = CACHE_SIZE_LEAST };
	char why[512] = "";

	(void)state;
	assert_int_equal(cache_file_locate(in_dir("nowhere"), &c, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "nowhere: No such file"));
	put("file", "");
	assert_int_equal(cache_file_locate(in_dir("file"), &c, why, sizeof(why)), -ENOTDIR);
	assert_int_equal(cache_file_locate("/dev/null", &c, why, sizeof(why)), -ENOTDIR);
	/* It can't do O_DIRECT, if it may be written to at all. */
	snprintf(c.path, sizeof(c.path), "/proc/clouddrive.cache");
	assert_true(cache_file_make(&c, why, sizeof(why)) < 0);
}

/* --- what lies below ---------------------------------------------------------------------- */

static void make_dir(const char *name)
{
	assert_int_equal(mkdir(in_dir(name), 0700), 0);
}

static void make_link(const char *name, const char *target)
{
	assert_int_equal(symlink(target, in_dir(name)), 0);
}

/*
 * 8:1 is a partition of sda; 253:0 is LVM on dm-1 (253:1), which is dm-crypt on a partition
 * of cdrive3; 7:0 a loop device of a file; 259:0 goes round in a circle.
 */
static void make_sysfs(void)
{
	static const char *const dirs[] = { "dev",
					    "dev/block",
					    "devices",
					    "devices/sda",
					    "devices/sda/sda1",
					    "devices/cdrive3",
					    "devices/cdrive3/cdrive3p1",
					    "devices/cdrivers",
					    "devices/dm-0",
					    "devices/dm-0/slaves",
					    "devices/dm-1",
					    "devices/dm-1/slaves",
					    "devices/round",
					    "devices/round/slaves",
					    "devices/loop0",
					    "devices/loop0/loop" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(dirs[i]);
	put("devices/sda/sda1/partition", "1\n");
	put("devices/cdrive3/cdrive3p1/partition", "1\n");
	make_link("devices/dm-0/slaves/dm-1", "../../dm-1");
	make_link("devices/dm-0/slaves/sda1", "../../sda/sda1");
	make_link("devices/dm-1/slaves/cdrive3p1", "../../cdrive3/cdrive3p1");
	make_link("devices/round/slaves/round", "../../round");
	make_link("dev/block/8:1", "../../devices/sda/sda1");
	make_link("dev/block/252:48", "../../devices/cdrive3");
	make_link("dev/block/252:49", "../../devices/cdrive3/cdrive3p1");
	make_link("dev/block/253:0", "../../devices/dm-0");
	make_link("dev/block/253:1", "../../devices/dm-1");
	make_link("dev/block/254:0", "../../devices/cdrivers");
	make_link("dev/block/259:0", "../../devices/round");
	make_link("dev/block/7:0", "../../devices/loop0");
}

static void drives_below(void **state)
{
	char name[32], file[PATH_MAX];
	struct stat st;

	(void)state;
	make_sysfs();
	assert_false(below_device(dir, makedev(8, 1), name, sizeof(name)));
	assert_true(below_device(dir, makedev(252, 48), name, sizeof(name)));
	assert_string_equal(name, "cdrive3");
	assert_true(below_device(dir, makedev(252, 49), name, sizeof(name)));
	assert_string_equal(name, "cdrive3");
	assert_true(below_device(dir, makedev(253, 0), name, sizeof(name)));
	assert_true(below_device(dir, makedev(253, 1), name, sizeof(name)));
	assert_false(below_device(dir, makedev(254, 0), name, sizeof(name)));
	assert_false(below_device(dir, makedev(259, 0), name, sizeof(name)));
	assert_false(below_device(dir, makedev(1, 1), name, sizeof(name)));

	/* The file of the loop device lies where this test's directory does. */
	assert_int_equal(stat(dir, &st), 0);
	if (!major(st.st_dev))
		return;
	snprintf(file, sizeof(file), "dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	unlink(in_dir(file));
	put("devices/loop0/loop/backing_file", in_dir("cache.conf"));
	put("cache.conf", "");
	snprintf(name, sizeof(name), "%s", "");
	assert_false(below_device(dir, makedev(7, 0), name, sizeof(name)));
	make_link(file, "../../devices/dm-0");
	assert_true(below_device(dir, makedev(7, 0), name, sizeof(name)));
	assert_true(below_path(dir, in_dir("cache.conf"), name, sizeof(name)));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_remembered),	   TEST(what_makes_no_sense), TEST(where_the_index_is),
		TEST(slots_and_memory),	   TEST(header_comes_back),   TEST(file_is_made_and_found),
		TEST(places_that_wont_do), TEST(drives_below),
	};

	return cmocka_run_group_tests_name("cache config", tests, NULL, NULL);
}
