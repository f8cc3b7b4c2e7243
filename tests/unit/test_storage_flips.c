// SPDX-License-Identifier: MIT
/*
 * A bit that the disk changes, anywhere: what is read is right or -EBADMSG, and so
 * it is after a write to something else.
 */
#include "storage_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#define PAGE 512u
#define SIZE (40u * 4096)
#define FILES 16

static unsigned char live[SIZE], old[SIZE], buf[SIZE];
static bool live_has[SIZE / PAGE], old_has[SIZE / PAGE];

/* The files as they were. */
static struct file {
	char path[300];
	unsigned char *data;
	size_t len;
} files[FILES];
static unsigned int n_files;

static void read_in(const char *path)
{
	struct file *file = &files[n_files];
	int fd = open(path, O_RDONLY);
	struct stat st;

	assert_true(fd >= 0 && n_files < FILES);
	OK(fstat(fd, &st));
	file->len = (size_t)st.st_size;
	file->data = malloc(file->len + 1);
	assert_non_null(file->data);
	assert_int_equal(read(fd, file->data, file->len), file->len);
	close(fd);
	snprintf(file->path, sizeof(file->path), "%s", path);
	n_files += file->len > 0;
	if (!file->len)
		free(file->data);
}

static int each_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)ftw;
	if (type == FTW_F)
		read_in(path);
	return 0;
}

static void put_back(void)
{
	for (unsigned int i = 0; i < n_files; i++) {
		const struct file *file = &files[i];
		int fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		assert_true(fd >= 0);
		OK(ftruncate(fd, (off_t)file->len));
		for (size_t at = 0; at < file->len; at += 4096) {
			size_t n = file->len - at < 4096 ? file->len - at : 4096;

			if (file->data[at] || memcmp(file->data + at, file->data + at + 1, n - 1))
				assert_int_equal(pwrite(fd, file->data + at, n, (off_t)at), n);
		}
		close(fd);
	}
}

/* Bytes that say something; a flip in the space between says nothing. */
static size_t somewhere(const struct file *file)
{
	size_t at;

	do {
		at = chance(file->len);
	} while (!file->data[at] && chance(5000));
	return at;
}

static void flip(const struct file *file, size_t at, unsigned int bit)
{
	unsigned char c = file->data[at] ^ (unsigned char)(1u << bit);
	int fd = open(file->path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &c, 1, (off_t)at), 1);
	close(fd);
}

/* --- what is looked at ------------------------------------------------------------- */

static void put(struct storage_blob *b, uint64_t offset, size_t len)
{
	fill(live + offset, len);
	memset(live_has + offset / PAGE, 1, len / PAGE);
	OK(storage_write(b, offset, live + offset, len));
}

static void make(struct fixture *f)
{
	struct storage_blob *b = fixture_blob(f, "disk", SIZE);

	memset(live, 0, SIZE);
	memset(live_has, 0, sizeof(live_has));
	put(b, 0, (size_t)16 * 4096);
	put(b, 20 * 4096 + PAGE, 2 * PAGE);
	memcpy(old, live, SIZE);
	memcpy(old_has, live_has, sizeof(live_has));
	OK(storage_snapshot(f->s, &SNAPSHOT("disk", "1"), META("snapshot")));
	put(b, (uint64_t)4 * 4096, (size_t)4 * 4096);
	put(b, (uint64_t)30 * 4096, 4096);
	OK(storage_clear(b, (uint64_t)10 * 4096, 4096 + PAGE));
	memset(live + 10 * 4096, 0, 4096 + PAGE);
	memset(live_has + 10 * 8, 0, 9);
	storage_blob_put(b);
	OK(storage_meta_set(f->s, &KEY("disk"), META("disk")));
}

static bool has(void *arg, uint64_t offset, uint64_t len)
{
	memset((bool *)arg + offset / PAGE, 1, len / PAGE);
	return true;
}

/* Whether something showed the damage. */
static bool look(struct storage *s, struct storage_key key, const unsigned char *data,
		 const bool *pages, const char *meta)
{
	bool seen[SIZE / PAGE] = { 0 }, damaged = false;
	struct storage_blob *b;
	void *m;
	size_t len;
	int rc;

	OK(storage_blob_get(s, &key, &b));
	assert_int_equal(storage_blob_size(b), SIZE);
	for (unsigned int at = 0; at < SIZE; at += 4096) {
		rc = storage_read(b, at, buf, 4096);
		assert_true(!rc || rc == -EBADMSG);
		damaged |= rc;
		if (!rc)
			assert_memory_equal(buf, data + at, 4096);
	}
	rc = storage_ranges(b, 0, SIZE, has, seen);
	assert_true(!rc || rc == -EBADMSG);
	damaged |= rc;
	if (!rc)
		assert_memory_equal(seen, pages, sizeof(seen));
	storage_blob_put(b);
	rc = storage_meta_get(s, &key, &m, &len);
	assert_true(!rc || rc == -EBADMSG);
	damaged |= rc;
	if (!rc) {
		assert_int_equal(len, strlen(meta));
		assert_memory_equal(m, meta, len);
		free(m);
	}
	return damaged;
}

static bool look_at_all(struct fixture *f)
{
	bool damaged = look(f->s, KEY("disk"), live, live_has, "disk");

	return look(f->s, SNAPSHOT("disk", "1"), old, old_has, "snapshot") || damaged;
}

/* Changes one block, healing it if need be, and takes what else may be wrong. */
static void write_something(struct fixture *f)
{
	unsigned int block = (unsigned int)chance(SIZE / 4096);
	struct storage_blob *b = fixture_get(f, KEY("disk"));
	int rc;

	memcpy(buf, live + block * 4096, 4096);
	rc = storage_write(b, block * 4096, buf, 4096);
	assert_true(!rc || rc == -EBADMSG);
	if (!rc) {
		rc = storage_read(b, block * 4096, buf, 4096);
		OK(rc);
		assert_memory_equal(buf, live + block * 4096, 4096);
		memset(live_has + block * 8, 1, 8);
	}
	storage_blob_put(b);
}

static unsigned int detected;

static void one(struct fixture *f)
{
	const struct file *file = &files[chance(n_files)];
	size_t at = somewhere(file);
	bool had[SIZE / PAGE];
	int rc;

	memcpy(had, live_has, sizeof(had));
	put_back();
	flip(file, at, (unsigned int)chance(8));
	rc = storage_open(&f->s, f->dir, f->durable);
	assert_true(!rc || rc == -EBADMSG);
	if (rc) {
		detected++;
		return;
	}
	detected += look_at_all(f);
	write_something(f);
	look_at_all(f);
	fixture_close(f);
	memcpy(live_has, had, sizeof(had));
}

static void run(bool durable)
{
	struct fixture *f = fixture_new(durable);
	const unsigned int rounds = 1500;

	make(f);
	fixture_close(f);
	n_files = detected = 0;
	OK(nftw(f->dir, each_file, 16, FTW_PHYS));
	assert_int_equal(n_files, 5); /* the journal, data, slots, two indexes */
	for (unsigned int i = 0; i < rounds; i++)
		one(f);
	/* Most of what is not zero is in use. */
	if (detected <= rounds / 2)
		print_message("%u of %u detected\n", detected, rounds);
	assert_true(detected > rounds / 2);
	f->s = NULL;
	put_back();
	fixture_open(f);
	assert_false(look_at_all(f));
	while (n_files)
		free(files[--n_files].data);
	fixture_free(f);
}

static void fast(void **state)
{
	(void)state;
	run(false);
}

static void durable(void **state)
{
	(void)state;
	run(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast),
		cmocka_unit_test(durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
