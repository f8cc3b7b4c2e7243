// SPDX-License-Identifier: MIT
/* The index of the cache (helper/cache/index.c), and the way between it and the driver's map
 * (map.c), with a driver that the test plays. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/device.h"
#include "cache/map.h"

#define VOLUMES 3u
#define ENTRIES 2500u /* of a volume at most: more than two pieces */

struct volume {
	struct index_volume v;
	unsigned int n;
	struct cdrive_cache_entry e[ENTRIES];
};

static struct {
	struct volume has[VOLUMES], got[VOLUMES];
	unsigned int n, n_got;
	int again; /* how often the map changes while it is read */
	int import_error;
	FILE *file;
	struct index_id id;
} t;

/* --- the driver ------------------------------------------------------------------------ */

int cache_device_volume(int dev, uint32_t number, struct cdrive_cache_volume_info *v)
{
	const struct volume *has = &t.has[number];

	assert_int_equal(dev, 7);
	if (number >= t.n)
		return -ENOENT;
	*v = (struct cdrive_cache_volume_info){ .number = number, .sectors = has->v.sectors };
	memcpy(v->name, has->v.name, sizeof(v->name));
	memcpy(v->validator, has->v.validator, sizeof(v->validator));
	return 0;
}

int cache_device_export(int dev, struct cdrive_cache_volume_info *v, struct cdrive_cache_entry *e,
			uint32_t n)
{
	(void)dev;
	for (unsigned int i = 0; i < t.n; i++) {
		const struct volume *has = &t.has[i];

		if (strcmp(has->v.name, (char *)v->name) != 0)
			continue;
		if (v->cursor && t.again) {
			t.again--;
			return -EAGAIN;
		}
		assert_true(v->cursor <= has->n);
		v->count = has->n - (uint32_t)v->cursor < n ? has->n - (uint32_t)v->cursor : n;
		memcpy(e, has->e + v->cursor, v->count * sizeof(*e));
		v->cursor += v->count;
		return 0;
	}
	return -ENOENT;
}

int cache_device_import(int dev, struct cdrive_cache_volume_info *v,
			const struct cdrive_cache_entry *e, uint32_t n)
{
	struct volume *got;

	(void)dev;
	if (t.import_error)
		return t.import_error;
	if (!v->cursor) {
		assert_true(t.n_got < VOLUMES);
		got = &t.got[t.n_got++];
		got->v.sectors = v->sectors;
		memcpy(got->v.name, v->name, sizeof(v->name));
		memcpy(got->v.validator, v->validator, sizeof(v->validator));
	}
	got = &t.got[t.n_got - 1];
	assert_string_equal(got->v.name, (char *)v->name);
	assert_true(got->n + n <= ENTRIES);
	if (n)
		memcpy(got->e + got->n, e, n * sizeof(*e));
	got->n += n;
	v->cursor = 1;
	return 0;
}

/* --- the test ---------------------------------------------------------------------------- */

static void add(const char *name, const char *validator, unsigned int n)
{
	struct volume *v = &t.has[t.n++];

	snprintf(v->v.name, sizeof(v->v.name), "%s", name);
	snprintf(v->v.validator, sizeof(v->v.validator), "%s", validator);
	v->v.sectors = 1000 + t.n;
	v->n = n;
	for (unsigned int i = 0; i < n; i++) {
		v->e[i].slot = t.n * 100000 + i;
		v->e[i].chunk = i * 3;
		memset(v->e[i].sectors, (int)i, sizeof(v->e[i].sectors));
		for (unsigned int k = 0; k < CDRIVE_CACHE_BLOCKS; k++)
			v->e[i].crc[k] = i * 65599 + k;
	}
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.file = tmpfile();
	assert_non_null(t.file);
	t.id.generation = 42;
	uuid_generate_random(t.id.uuid);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fclose(t.file);
	return 0;
}

static void export(void)
{
	assert_int_equal(map_export(7, fileno(t.file), &t.id), 0);
}

static int import(uint32_t slots, const char **why)
{
	lseek(fileno(t.file), 0, SEEK_SET);
	memset(t.got, 0, sizeof(t.got));
	t.n_got = 0;
	return map_import(7, fileno(t.file), &t.id, slots, why);
}

static void comes_back(void **state)
{
	const char *why;

	(void)state;
	add("host/account/container/a", "\"0x8DC\"", ENTRIES);
	add("none", "", 5); /* nobody could prove anything of it */
	add("host/account/container/empty", "\"e\"", 0);
	export();
	assert_int_equal(import(UINT32_MAX, &why), 0);
	assert_int_equal(t.n_got, 2);
	assert_int_equal(t.got[0].n, ENTRIES);
	assert_memory_equal(&t.got[0].v, &t.has[0].v, sizeof(t.has[0].v));
	assert_memory_equal(t.got[0].e, t.has[0].e, sizeof(t.has[0].e));
	assert_int_equal(t.got[1].n, 0);
	assert_memory_equal(&t.got[1].v, &t.has[2].v, sizeof(t.has[2].v));
}

static void nothing_comes_back(void **state)
{
	const char *why;

	(void)state;
	export();
	assert_int_equal(import(UINT32_MAX, &why), 0);
	assert_int_equal(t.n_got, 0);
}

/* The cache has become smaller. */
static void slots_beyond_are_left_out(void **state)
{
	const char *why;

	(void)state;
	add("a", "v", 2000);
	export();
	assert_int_equal(import(100000 + 1500, &why), 0);
	assert_int_equal(t.got[0].n, 1500);
	assert_int_equal(import(100000, &why), 0);
	assert_int_equal(t.n_got, 1);
	assert_int_equal(t.got[0].n, 0);
}

static void changed_meanwhile(void **state)
{
	const char *why;

	(void)state;
	add("a", "v", ENTRIES);
	t.again = 2;
	export();
	assert_int_equal(import(UINT32_MAX, &why), 0);
	assert_int_equal(t.n_got, 1);
	assert_int_equal(t.got[0].n, ENTRIES);

	t.again = 100;
	assert_int_equal(map_export(7, fileno(t.file), &t.id), -EAGAIN);
}

static void of_another_cache(void **state)
{
	const char *why;

	(void)state;
	add("a", "v", 10);
	export();
	t.id.generation++;
	assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
	assert_non_null(strstr(why, "used since"));
	t.id.generation--;
	t.id.uuid[3] ^= 1;
	assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
	assert_non_null(strstr(why, "another cache"));
	assert_int_equal(t.n_got, 0);
}

static void driver_refuses(void **state)
{
	const char *why;

	(void)state;
	add("a", "v", 10);
	export();
	t.import_error = -ENOMEM;
	assert_int_equal(import(UINT32_MAX, &why), -ENOMEM);
}

/* --- damage -------------------------------------------------------------------------------- */

static void add_small(void)
{
	add("host/account/container/a", "\"0x8DC\"", 3);
	add("host/account/container/b", "\"0x8DD\"", 2);
	export();
}

static void every_truncation(void **state)
{
	const char *why;
	off_t size;

	(void)state;
	add_small();
	size = lseek(fileno(t.file), 0, SEEK_END);
	assert_true(size > 1000);
	for (off_t len = size - 1; len >= 0; len--) {
		assert_int_equal(ftruncate(fileno(t.file), len), 0);
		assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
		assert_string_not_equal(why, "");
	}
}

static void every_byte(void **state)
{
	const char *why;
	off_t size;

	(void)state;
	add_small();
	size = lseek(fileno(t.file), 0, SEEK_END);
	for (off_t at = 0; at < size; at++) {
		for (int bit = 0; bit < 8; bit += 7) {
			unsigned char c, flipped;

			assert_int_equal(pread(fileno(t.file), &c, 1, at), 1);
			flipped = c ^ (unsigned char)(1 << bit);
			assert_int_equal(pwrite(fileno(t.file), &flipped, 1, at), 1);
			assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
			assert_string_not_equal(why, "");
			assert_int_equal(pwrite(fileno(t.file), &c, 1, at), 1);
		}
	}
	assert_int_equal(import(UINT32_MAX, &why), 0);
}

static void more_than_all(void **state)
{
	const char *why;

	(void)state;
	add_small();
	lseek(fileno(t.file), 0, SEEK_END);
	assert_int_equal(write(fileno(t.file), "x", 1), 1);
	assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
}

static void no_index(void **state)
{
	const char *why;

	(void)state;
	assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(fputc(i * 31 & 255, t.file), i * 31 & 255);
	fflush(t.file);
	assert_int_equal(import(UINT32_MAX, &why), -EBADMSG);
	assert_int_equal(t.n_got, 0);
}

/* What can't be written is no index. */
static void full_disk(void **state)
{
	FILE *full = fopen("/dev/full", "w");
	struct index_writer w;

	(void)state;
	add("a", "v", 10);
	assert_non_null(full);
	assert_int_equal(index_begin(&w, fileno(full), &t.id), -ENOSPC);
	fclose(full);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(comes_back),	 TEST(nothing_comes_back), TEST(slots_beyond_are_left_out),
		TEST(changed_meanwhile), TEST(of_another_cache),   TEST(driver_refuses),
		TEST(every_truncation),	 TEST(every_byte),	   TEST(more_than_all),
		TEST(no_index),		 TEST(full_disk),
	};

	return cmocka_run_group_tests_name("cache index", tests, NULL, NULL);
}
