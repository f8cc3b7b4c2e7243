// SPDX-License-Identifier: MIT
/* The cache comes with the first drive and goes with the last (helper/cache/activate.c): files
 * and index are real, the driver is the test's. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/activate.h"
#include "cache/device.h"
#include "cache/file.h"
#include "cache/header.h"
#include "lib/driver.h"

#define VALIDATOR "\"0x8D1\""

static struct {
	char dir[64], index[128];
	struct cache_config config;
	/* the driver */
	enum cdrive_cache_state state;
	unsigned int slots;
	bool volume; /* it has one, without drive, of one entry */
	unsigned int opened, closed;
	unsigned int drives, cached;
	int set_error, import_error;
	bool no_device;
} t;

/* --- the driver ------------------------------------------------------------------------ */

int cache_device_open(void)
{
	return t.no_device ? -ENOENT : open("/dev/null", O_RDWR | O_CLOEXEC);
}

int cache_device_info(int dev, struct cdrive_cache_info *info)
{
	(void)dev;
	*info = (struct cdrive_cache_info){ .state = t.state, .slots = t.slots };
	return 0;
}

/* What the index tells must not be found again, whatever happens from here on. */
int cache_device_set(int dev, int fd, uint32_t slots)
{
	struct cache_header h;

	(void)dev;
	assert_int_equal(t.state, CDRIVE_CACHE_NONE);
	assert_int_equal(access(t.index, F_OK), -1);
	assert_int_equal(cache_header_read(fd, &h), 0);
	assert_int_equal(h.state, CACHE_OPEN);
	if (t.set_error)
		return t.set_error;
	t.state = CDRIVE_CACHE_ON;
	t.slots = slots;
	t.volume = false;
	t.opened++;
	return 0;
}

int cache_device_close(int dev)
{
	(void)dev;
	t.state = CDRIVE_CACHE_NONE;
	t.volume = false;
	t.closed++;
	return 0;
}

int cache_device_volume(int dev, uint32_t number, struct cdrive_cache_volume_info *v)
{
	(void)dev;
	if (number || !t.volume)
		return -ENOENT;
	*v = (struct cdrive_cache_volume_info){ .sectors = 2048 };
	strcpy((char *)v->name, "host/c/b");
	strcpy((char *)v->validator, VALIDATOR);
	return 0;
}

int cache_device_export(int dev, struct cdrive_cache_volume_info *v, struct cdrive_cache_entry *e,
			uint32_t n)
{
	(void)dev, (void)n;
	v->count = !v->cursor;
	if (v->count)
		*e = (struct cdrive_cache_entry){ .slot = 7, .chunk = 3, .sectors = { 255 } };
	v->cursor = 1;
	return 0;
}

int cache_device_import(int dev, struct cdrive_cache_volume_info *v,
			const struct cdrive_cache_entry *e, uint32_t n)
{
	(void)dev;
	if (t.import_error)
		return t.import_error;
	assert_string_equal((char *)v->validator, VALIDATOR);
	if (n)
		assert_int_equal(e->slot, 7);
	t.volume = true;
	v->cursor = 1;
	return 0;
}

int cache_device_resize(int dev, uint32_t slots)
{
	(void)dev, (void)slots;
	return 0;
}

int cache_device_reserve(int dev, unsigned int index, uint64_t size)
{
	(void)dev, (void)index, (void)size;
	return 0;
}

int cache_device_fill_runs(int dev, unsigned int index)
{
	(void)dev, (void)index;
	return 0;
}

int cache_device_validator(int dev, const char *name, char validator[CDRIVE_MAX_VALIDATOR + 1])
{
	(void)dev, (void)name;
	*validator = '\0';
	return 0;
}

int driver_open(struct driver **out)
{
	*out = (struct driver *)&t;
	return 0;
}

void driver_close(struct driver *d)
{
	(void)d;
}

int driver_list(struct driver *d, struct driver_drive drives[CDRIVE_MAX_DRIVES])
{
	(void)d;
	for (unsigned int i = 0; i < t.drives; i++)
		drives[i] = (struct driver_drive){ .index = i, .cached = i < t.cached };
	return (int)t.drives;
}

int driver_get(struct driver *d, unsigned int index, struct driver_drive *drive)
{
	(void)d, (void)index, (void)drive;
	return -ENODEV;
}

/* --- the test ---------------------------------------------------------------------------- */

static int setup(void **state)
{
	char why[CACHE_WARNING];
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	snprintf(t.dir, sizeof(t.dir), "/var/tmp/active.XXXXXX");
	assert_non_null(mkdtemp(t.dir));
	setenv("CLOUDDRIVE_CONFIG_DIR", t.dir, 1);
	setenv("CLOUDDRIVE_STATE_DIR", t.dir, 1);
	setenv("CLOUDDRIVE_RUNTIME_DIR", t.dir, 1);
	snprintf(t.index, sizeof(t.index), "%s/clouddrive.index", t.dir);
	t.config.size = CACHE_SIZE_LEAST;
	assert_int_equal(cache_file_locate(t.dir, &t.config, why, sizeof(why)), 0);
	fd = cache_file_make(&t.config, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(cache_config_save(&t.config), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", t.dir);
	return system(command);
}

static struct cache_use use;

static void first_mount(void)
{
	cache_activate(&use);
	cache_release(&use);
}

static void last_unmount(const char *warning)
{
	char said[CACHE_WARNING];

	cache_deactivate(said);
	if (warning)
		assert_non_null(strstr(said, warning));
	else
		assert_string_equal(said, "");
}

static void is_cold(const char *expected)
{
	char why[256];

	assert_false(t.volume);
	assert_int_equal(t.state, CDRIVE_CACHE_ON);
	assert_true(cache_began_cold(why, sizeof(why)));
	assert_non_null(strstr(why, expected));
}

static void is_warm(void)
{
	char why[256];

	assert_true(t.volume);
	assert_int_equal(t.state, CDRIVE_CACHE_ON);
	assert_false(cache_began_cold(why, sizeof(why)));
	assert_string_equal(use.warning, "");
}

/* A drive was mounted and unmounted, and its volume kept. */
static void closed_well(void)
{
	first_mount();
	t.volume = true;
	last_unmount(NULL);
	assert_int_equal(t.state, CDRIVE_CACHE_NONE);
	assert_int_equal(access(t.index, F_OK), 0);
}

static void comes_and_goes(void **state)
{
	(void)state;
	first_mount();
	is_cold("nothing was in it yet");
	assert_int_equal(t.slots, 256);
	t.volume = true;
	last_unmount(NULL);
	assert_int_equal(t.state, CDRIVE_CACHE_NONE);
	for (int i = 0; i < 3; i++) {
		first_mount();
		is_warm();
		assert_int_equal(access(t.index, F_OK), -1);
		last_unmount(NULL);
	}
}

static void none_is_configured(void **state)
{
	(void)state;
	assert_int_equal(cache_config_remove(), 0);
	first_mount();
	assert_false(use.configured);
	assert_string_equal(use.warning, "");
	assert_int_equal(t.opened, 0);
	last_unmount(NULL);
}

/* The next mount finds it open. */
static void a_second_drive(void **state)
{
	(void)state;
	first_mount();
	t.drives = t.cached = 1;
	first_mount();
	assert_int_equal(t.opened, 1);
	last_unmount(NULL); /* but one of two */
	assert_int_equal(t.closed, 0);
	/* One that is left has none of it. */
	t.cached = 0;
	last_unmount(NULL);
	assert_int_equal(t.closed, 1);
}

static void after_a_crash(void **state)
{
	(void)state;
	closed_well();
	first_mount();
	is_warm();
	t.state = CDRIVE_CACHE_NONE;
	t.volume = false;
	first_mount();
	is_cold("cold after an unclean shutdown");
}

/* The index was there again, as its removal had not got to the disk. */
static void an_index_of_before(void **state)
{
	char copy[256], command[512];

	(void)state;
	closed_well();
	snprintf(copy, sizeof(copy), "%s/copy", t.dir);
	snprintf(command, sizeof(command), "cp %s %s", t.index, copy);
	assert_int_equal(system(command), 0);
	first_mount();
	is_warm();
	t.state = CDRIVE_CACHE_NONE;
	t.volume = false;
	assert_int_equal(rename(copy, t.index), 0);
	first_mount();
	is_cold("unclean shutdown");
	assert_int_equal(access(t.index, F_OK), -1);
}

/* Of a time before: the cache was used, and closed, since. */
static void an_old_index(void **state)
{
	char copy[256], command[512];

	(void)state;
	closed_well();
	snprintf(copy, sizeof(copy), "%s/copy", t.dir);
	snprintf(command, sizeof(command), "cp %s %s", t.index, copy);
	assert_int_equal(system(command), 0);
	first_mount();
	last_unmount(NULL);
	assert_int_equal(rename(copy, t.index), 0);
	first_mount();
	is_cold("the cache was used since");
	assert_non_null(strstr(use.warning, "begins cold"));
}

static void a_damaged_index(void **state)
{
	unsigned int opened;

	(void)state;
	closed_well();
	assert_int_equal(truncate(t.index, 800), 0);
	opened = t.opened;
	first_mount();
	is_cold("cut off");
	assert_non_null(strstr(use.warning, "begins cold, its index can't be used: it is cut off"));
	/* What the driver had taken of it by then it has forgotten. */
	assert_int_equal(t.opened, opened + 2);

	last_unmount(NULL);
	assert_int_equal(unlink(t.index), 0);
	first_mount();
	is_cold("could not be read");
}

static void the_driver_refuses_the_map(void **state)
{
	(void)state;
	closed_well();
	t.import_error = -ENOMEM;
	first_mount();
	is_cold("Cannot allocate memory");
}

/* Drives that were there before it have begun to use it. */
static void opened_late(void **state)
{
	(void)state;
	closed_well();
	t.drives = t.cached = 1;
	first_mount();
	is_cold("drives were mounted before");
}

/* Those that may have none of it (--cache 0) have not. */
static void beside_drives_without(void **state)
{
	(void)state;
	closed_well();
	t.drives = 1;
	first_mount();
	is_warm();
}

static void the_disk_is_gone(void **state)
{
	(void)state;
	assert_int_equal(unlink(t.config.path), 0);
	cache_activate(&use);
	assert_true(use.configured);
	assert_int_equal(use.dev, -1);
	assert_int_equal(use.lock, -1);
	assert_non_null(strstr(use.warning, "No such file"));
	assert_non_null(strstr(use.warning, "goes on without it, see clouddrivectl init-cache"));
	last_unmount(NULL);

	t.set_error = -EINVAL;
	teardown(state);
	setup(state);
	t.set_error = -EINVAL;
	first_mount();
	assert_non_null(strstr(use.warning, "the driver does not take it: Invalid argument"));
	t.no_device = true;
	first_mount();
	assert_non_null(strstr(use.warning, "the module that is loaded has none"));
}

static void a_configuration_of_nonsense(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/cache.conf", t.dir);
	f = fopen(path, "w");
	fputs("{}", f);
	fclose(f);
	first_mount();
	assert_non_null(strstr(use.warning, "makes no sense"));
	assert_int_equal(t.opened, 0);
}

/* Another mount is under way: it is to find the cache open. */
static void somebody_mounts(void **state)
{
	(void)state;
	cache_activate(&use);
	t.volume = true;
	last_unmount(NULL);
	assert_int_equal(t.closed, 0);
	cache_release(&use);
	last_unmount(NULL);
	assert_int_equal(t.closed, 1);
}

/* What can't be kept is forgotten, and the cache closed all the same. */
static void no_room_for_the_index(void **state)
{
	char path[256];

	(void)state;
	first_mount();
	t.volume = true;
	snprintf(path, sizeof(path), "%s.new", t.index);
	assert_int_equal(mkdir(path, 0700), 0);
	last_unmount("will begin cold, its index could not be written");
	assert_int_equal(t.state, CDRIVE_CACHE_NONE);
	first_mount();
	is_cold("unclean shutdown");
}

/* A cache whose disk has failed has nothing that is worth to be kept. */
static void failed(void **state)
{
	(void)state;
	first_mount();
	t.volume = true;
	t.state = CDRIVE_CACHE_FAILED;
	last_unmount(NULL);
	assert_int_equal(t.closed, 1);
	assert_int_equal(access(t.index, F_OK), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(comes_and_goes),
		TEST(none_is_configured),
		TEST(a_second_drive),
		TEST(after_a_crash),
		TEST(an_index_of_before),
		TEST(an_old_index),
		TEST(a_damaged_index),
		TEST(the_driver_refuses_the_map),
		TEST(opened_late),
		TEST(beside_drives_without),
		TEST(the_disk_is_gone),
		TEST(a_configuration_of_nonsense),
		TEST(somebody_mounts),
		TEST(no_room_for_the_index),
		TEST(failed),
	};

	return cmocka_run_group_tests_name("cache activate", tests, NULL, NULL);
}
