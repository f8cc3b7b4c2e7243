// SPDX-License-Identifier: MIT
/*
 * Runs of data, against what a file was made of: random stretches of data, zeroes
 * and holes, read as a file, and through a pipe in odd portions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/ranges.h"
#include "image/scan.h"

#define KIB (1u << 10)
#define MIB (1u << 20)
#define SIZE (24u * MIB)

static unsigned char *content; /* what the file holds */
static uint64_t seed;

static uint64_t chance(uint64_t below)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % below;
}

static int file_of(uint64_t size)
{
	int fd = memfd_create("scan", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void put(int fd, uint64_t offset, size_t len, int byte)
{
	memset(content + offset, byte, len);
	assert_int_equal(pwrite(fd, content + offset, len, (off_t)offset), len);
}

static int setup(void **state)
{
	(void)state;
	content = calloc(1, SIZE);
	return content ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(content);
	return 0;
}

static bool zero(uint64_t offset, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (content[offset + i])
			return false;
	return true;
}

/* All runs, checked: in order, whole pages, data at both ends, no wide gap inside,
 * all data in one of them, and no two that could have been one. */
static unsigned int check_runs(struct scan *s, uint64_t end)
{
	uint64_t last = s->pos, offset = 0;
	unsigned int runs = 0;
	uint32_t len = 0, last_len = 0;
	unsigned char *buf;
	int found;

	while ((found = scan_next(s, &buf, &offset, &len)) != SCAN_END) {
		if (found == SCAN_WAIT)
			continue;
		assert_int_equal(found, SCAN_RUN_FOUND);
		assert_true(offset >= last && offset % 512 == 0);
		assert_true(len && len % 512 == 0 && len <= SCAN_RUN && offset + len <= end);
		assert_memory_equal(buf, content + offset, len);
		assert_false(zero(offset, 512));
		assert_false(zero(offset + len - 512, 512));
		assert_true(zero(last, offset - last));
		for (size_t i = 0, gap = 0; i < len; i += 512) {
			gap = zero(offset + i, 512) ? gap + 512 : 0;
			assert_true(gap < SCAN_GAP);
		}
		if (runs && offset - last < SCAN_GAP && !s->pipe && s->data_end == end)
			assert_int_equal(last_len, SCAN_RUN);
		last = offset + len;
		last_len = len;
		runs++;
		scan_recycle(s, buf);
	}
	assert_true(zero(last, end - last));
	return runs;
}

static unsigned int runs_of(int fd, uint64_t start, uint64_t end)
{
	struct scan s;
	unsigned int n;

	scan_init(&s, fd, false, start, end);
	n = check_runs(&s, end);
	scan_free(&s);
	return n;
}

static void empty(void **state)
{
	int fd = file_of(SIZE);

	(void)state;
	assert_int_equal(runs_of(fd, 0, SIZE), 0);
	assert_int_equal(scan_estimate(fd, 0, SIZE), 0);
	put(fd, 0, SIZE, 0); /* zeroes, and no hole */
	assert_int_equal(runs_of(fd, 0, SIZE), 0);
	assert_int_equal(scan_estimate(fd, 0, SIZE), SIZE);
	assert_int_equal(runs_of(fd, 0, 0), 0);
	close(fd);
}

/* As few requests as 4 MiB allow, wherever the data begins. */
static void whole(void **state)
{
	int fd = file_of(SIZE);

	(void)state;
	put(fd, 0, SIZE, 1);
	assert_int_equal(runs_of(fd, 0, SIZE), 6);
	put(fd, 0, 512, 0);
	put(fd, SIZE - 3 * 512, 3 * 512, 0);
	assert_int_equal(runs_of(fd, 0, SIZE), 6);
	put(fd, 0, 3 * MIB, 0);
	put(fd, 23 * MIB, MIB, 0);
	assert_int_equal(runs_of(fd, 0, SIZE), 5); /* 20 MiB */
	close(fd);
}

static void gaps(void **state)
{
	int fd = file_of(SIZE);

	(void)state;
	put(fd, 0, MIB, 1);
	put(fd, 64 * KIB + 512, 4096 - 512, 0); /* too small to matter */
	assert_int_equal(runs_of(fd, 0, SIZE), 1);
	put(fd, 64 * KIB + 512, 4096, 0);
	assert_int_equal(runs_of(fd, 0, SIZE), 2);
	assert_int_equal(runs_of(fd, 64 * KIB + 1024, SIZE), 1);
	put(fd, 200 * KIB, 4096 * 30, 0);
	assert_int_equal(runs_of(fd, 0, SIZE), 3);
	assert_int_equal(runs_of(fd, 0, 200 * KIB), 2);
	put(fd, 2 * MIB + 511, 1, 1); /* one byte is a page */
	assert_int_equal(runs_of(fd, 0, SIZE), 4);
	close(fd);
}

static void shuffle(int fd)
{
	uint64_t at = 0;

	while (at < SIZE) {
		uint64_t most = chance(4) ? 64 : 12288;
		uint64_t len = (1 + chance(most)) * 512;

		if (len > SIZE - at)
			len = SIZE - at;
		switch (chance(4)) {
		case 0:
			put(fd, at, len, 0);
			break;
		case 1:
		case 2:
			put(fd, at, len, 1 + (int)chance(255));
			break;
		}
		at += len;
	}
}

static void at_random(void **state)
{
	(void)state;
	for (seed = 1; seed < 12; seed++) {
		int fd = file_of(SIZE);

		memset(content, 0, SIZE);
		shuffle(fd);
		runs_of(fd, 0, SIZE);
		close(fd);
	}
}

/* The writing end is filled before each look, with what a pipe takes. */
static void through_a_pipe(void **state)
{
	(void)state;
	for (seed = 100; seed < 104; seed++) {
		uint64_t written = 0, last = 0, offset = 0;
		int fd = file_of(SIZE), ends[2];
		unsigned char *buf;
		struct scan s;
		uint32_t len = 0;
		int found;

		memset(content, 0, SIZE);
		shuffle(fd);
		assert_int_equal(pipe(ends), 0);
		scan_init(&s, ends[0], true, 0, 0);
		while ((found = scan_next(&s, &buf, &offset, &len)) != SCAN_END) {
			if (found == SCAN_WAIT) {
				size_t n = 1 + chance(60000);

				n = n < SIZE - written ? n : SIZE - written;
				assert_int_equal(write(ends[1], content + written, n), n);
				written += n;
				if (written == SIZE && ends[1] >= 0) {
					close(ends[1]);
					ends[1] = -1;
				}
				continue;
			}
			assert_int_equal(found, SCAN_RUN_FOUND);
			assert_memory_equal(buf, content + offset, len);
			assert_true(zero(last, offset - last));
			last = offset + len;
			scan_recycle(&s, buf);
		}
		assert_true(zero(last, SIZE - last));
		assert_int_equal(s.pos + s.have, SIZE);
		assert_int_equal(s.have, 0);
		scan_free(&s);
		close(ends[0]);
		close(fd);
	}
}

static void half_a_page(void **state)
{
	unsigned char data[700];
	unsigned char *buf;
	struct scan s;
	uint64_t offset;
	uint32_t len;
	int ends[2];

	(void)state;
	memset(data, 7, sizeof(data));
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], data, sizeof(data)), sizeof(data));
	close(ends[1]);
	scan_init(&s, ends[0], true, 0, 0);
	assert_int_equal(scan_next(&s, &buf, &offset, &len), SCAN_RUN_FOUND);
	assert_int_equal(len, 512);
	scan_recycle(&s, buf);
	assert_int_equal(scan_next(&s, &buf, &offset, &len), SCAN_END);
	assert_int_equal(s.pos, 512);
	assert_int_equal(s.have, 188);
	scan_free(&s);
	close(ends[0]);
}

static void shorter_than_it_was(void **state)
{
	int fd = file_of(SIZE);
	unsigned char *buf;
	struct scan s;
	uint64_t offset;
	uint32_t len;

	(void)state;
	put(fd, 0, SIZE, 1);
	scan_init(&s, fd, false, 0, SIZE);
	assert_int_equal(scan_next(&s, &buf, &offset, &len), SCAN_RUN_FOUND);
	scan_recycle(&s, buf);
	assert_int_equal(ftruncate(fd, 5 * MIB), 0);
	assert_int_equal(scan_next(&s, &buf, &offset, &len), -61 /* -ENODATA */);
	scan_free(&s);
	close(fd);
}

/* --- ranges ---------------------------------------------------------------- */

#define PAGES 300

static void ranges_as_a_set(void **state)
{
	(void)state;
	for (seed = 1; seed < 300; seed++) {
		unsigned char model[PAGES] = { 0 };
		struct ranges r = { 0 };
		uint64_t total = 0;

		for (int i = 0; i < 30; i++) {
			uint64_t at = chance(PAGES), len = 1 + chance(12);

			if (at + len > PAGES)
				len = PAGES - at;
			ranges_add(&r, at, len);
			memset(model + at, 1, len);
		}
		for (size_t i = 0; i < PAGES; i++)
			total += model[i];
		assert_int_equal(ranges_total(&r), total);
		for (size_t i = 1; i < r.n; i++)
			assert_true(r.v[i].offset > r.v[i - 1].offset + r.v[i - 1].len);
		for (int i = 0; i < 300; i++) {
			uint64_t at = chance(PAGES), len = chance(9);

			if (at + len > PAGES)
				len = PAGES - at;
			assert_int_equal(ranges_hold(&r, at, len),
					 !len || !memchr(model + at, 0, len));
		}
		ranges_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(empty, setup, teardown),
		cmocka_unit_test_setup_teardown(whole, setup, teardown),
		cmocka_unit_test_setup_teardown(gaps, setup, teardown),
		cmocka_unit_test_setup_teardown(at_random, setup, teardown),
		cmocka_unit_test_setup_teardown(through_a_pipe, setup, teardown),
		cmocka_unit_test(half_a_page),
		cmocka_unit_test_setup_teardown(shorter_than_it_was, setup, teardown),
		cmocka_unit_test(ranges_as_a_set),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
