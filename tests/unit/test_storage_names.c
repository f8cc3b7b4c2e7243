// SPDX-License-Identifier: MIT
/*
 * The storage engine's names: any bytes make one, and none a path; listings in
 * order, from any marker; what containers, blobs, snapshots and their metadata do
 * to one another.
 */
#include "storage_fixture.h"

#include <errno.h>

static struct fixture *f;

static int setup(void **state)
{
	(void)state;
	f = fixture_new(false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_free(f);
	return 0;
}

static void make(const char *name)
{
	OK(storage_blob_create(f->s, &KEY(name), 4096, META("m")));
}

static void snap(const char *name, const char *time)
{
	OK(storage_snapshot(f->s, &SNAPSHOT(name, time), META("s")));
}

/* --- listings -------------------------------------------------------------------- */

struct listed {
	char text[4096];
	unsigned int left; /* -1: all */
};

static bool add(void *arg, const struct storage_key *key)
{
	struct listed *l = arg;
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof(l->text) - n, "%s%s%s%s ", key->blob ? "" : key->container,
		 key->blob ? key->blob : "", key->snapshot ? "@" : "",
		 key->snapshot ? key->snapshot : "");
	return !l->left || --l->left;
}

static void lists(const char *prefix, const struct storage_key *after, unsigned int max,
		  const char *want)
{
	struct listed l = { "", max };

	OK(storage_list(f->s, &KEY(NULL), prefix, after, add, &l));
	assert_string_equal(l.text, want);
}

static void listing(void **state)
{
	(void)state;
	make("b");
	make("a/2");
	make("a/1");
	make("c");
	make("\xc3\xa4");
	snap("b", "2024-01");
	snap("b", "2024-02");
	for (int twice = 0; twice < 2; twice++) {
		lists(NULL, NULL, 0, "a/1 a/2 b@2024-01 b@2024-02 b c \xc3\xa4 ");
		lists("a/", NULL, 0, "a/1 a/2 ");
		lists("a/3", NULL, 0, "");
		lists(NULL, NULL, 3, "a/1 a/2 b@2024-01 ");
		lists(NULL, &SNAPSHOT("b", "2024-01"), 1, "b@2024-02 ");
		lists(NULL, &SNAPSHOT("b", "2024-01x"), 1, "b@2024-02 ");
		lists(NULL, &SNAPSHOT("b", "2024-02"), 0, "b c \xc3\xa4 ");
		lists(NULL, &KEY("b"), 0, "c \xc3\xa4 ");
		lists(NULL, &KEY("bb"), 0, "c \xc3\xa4 ");
		lists("b", &KEY("a/1"), 0, "b@2024-01 b@2024-02 b ");
		lists("b", &KEY("b"), 0, "");
		lists("", &KEY("\xff"), 0, "");
		fixture_reopen(f);
	}
	assert_int_equal(storage_list(f->s, &((struct storage_key){ "account", "no", NULL, NULL }),
				      NULL, NULL, add, NULL),
			 -ENOENT);
}

static void listing_of_containers(void **state)
{
	const struct storage_key account = { "account", NULL, NULL, NULL };
	const struct storage_key other = { "account2", "apart", NULL, NULL };
	struct listed l = { "", 0 };

	(void)state;
	OK(storage_container_create(f->s, &other, META("")));
	for (int i = 9; i >= 0; i--) {
		char name[16];
		const struct storage_key key = { "account", name, NULL, NULL };

		snprintf(name, sizeof(name), "d%d", i);
		OK(storage_container_create(f->s, &key, META("")));
	}
	OK(storage_list(f->s, &account, NULL, NULL, add, &l));
	assert_string_equal(l.text, "container d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 ");
	l = (struct listed){ "", 2 };
	OK(storage_list(f->s, &account, "d", &((struct storage_key){ "account", "d3", NULL, NULL }),
			add, &l));
	assert_string_equal(l.text, "d4 d5 ");
	l = (struct listed){ "", 0 };
	OK(storage_list(f->s, &((struct storage_key){ "nobody", NULL, NULL, NULL }), NULL, NULL,
			add, &l));
	assert_string_equal(l.text, "");
}

/* --- hostile names ------------------------------------------------------------------- */

static unsigned int strangers; /* files that are not ours to make */

static int look(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	(void)st;
	if (ftw->level == 1 && strcmp(name, "journal") && strcmp(name, "lock") &&
	    strcmp(name, "objects"))
		strangers++;
	if (ftw->level == 2 && strspn(name, "0123456789abcdef") != 2)
		strangers++;
	if (ftw->level == 3 && (strspn(name, "0123456789abcdef") != 16 || name[16] != '.'))
		strangers++;
	if (ftw->level > 3 || (type != FTW_F && type != FTW_D))
		strangers++;
	return 0;
}

static void hostile(void **state)
{
	static char longest[1024 * 4 + 1];
	const char *names[] = { "..",	  "../../../etc/passwd",
				"/",	  "a//b",
				"%2e%2e", "a\nb",
				"\x01",	  "\xff\xfe",
				"a.data", ".",
				"lock",	  "journal",
				longest,  "objects/00/0",
				"",	  "NUL",
				"a\\b",	  " " };
	const size_t n = sizeof(names) / sizeof(*names);
	char page[512];

	(void)state;
	for (size_t i = 0; i < 1024; i++)
		memcpy(longest + i * 4, "\xf0\x9f\x90\xa7", 4);
	for (size_t i = 0; i < n; i++) {
		struct storage_blob *b = fixture_blob(f, names[i], 4096);

		memset(page, (int)i + 1, sizeof(page));
		OK(storage_write(b, 512, page, sizeof(page)));
		storage_blob_put(b);
	}
	fixture_reopen(f);
	for (size_t i = 0; i < n; i++) {
		struct storage_blob *b = fixture_get(f, KEY(names[i]));

		OK(storage_read(b, 512, page, sizeof(page)));
		assert_int_equal(page[0], i + 1);
		storage_blob_put(b);
	}
	strangers = 0;
	OK(nftw(f->dir, look, 16, FTW_PHYS));
	assert_int_equal(strangers, 0);
}

static void too_long(void **state)
{
	char *name = malloc(100000);

	(void)state;
	assert_non_null(name);
	memset(name, 'x', 99999);
	name[99999] = '\0';
	make("b");
	assert_int_equal(storage_blob_create(f->s, &KEY(name), 0, META("")), -ENAMETOOLONG);
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("b", name), META("")), -EINVAL);
	assert_int_equal(storage_container_create(
				 f->s, &((struct storage_key){ name, "c", NULL, NULL }), META("")),
			 -ENAMETOOLONG);
	free(name);
}

/* --- metadata ---------------------------------------------------------------------------- */

static void meta_is(struct storage_key key, const char *want)
{
	void *data;
	size_t len;

	OK(storage_meta_get(f->s, &key, &data, &len));
	assert_int_equal(len, strlen(want));
	assert_memory_equal(data, want, len);
	free(data);
}

static void metadata(void **state)
{
	char *large = calloc(1, 100001);
	void *data;
	size_t len;

	(void)state;
	assert_non_null(large);
	memset(large, 'l', 100000);
	make("a");
	snap("a", "1");
	meta_is(KEY(NULL), "container");
	meta_is(KEY("a"), "m");
	meta_is(SNAPSHOT("a", "1"), "s");
	OK(storage_meta_set(f->s, &KEY("a"), META("")));
	OK(storage_meta_set(f->s, &SNAPSHOT("a", "1"), META("t")));
	OK(storage_meta_set(f->s, &KEY(NULL), (struct storage_meta){ large, 100000 }));
	for (int i = 0; i < 3; i++) {
		meta_is(KEY("a"), "");
		meta_is(SNAPSHOT("a", "1"), "t");
		meta_is(KEY(NULL), large);
		fixture_reopen(f);
	}
	assert_int_equal(storage_meta_get(f->s, &KEY("b"), &data, &len), -ENOENT);
	assert_int_equal(storage_meta_get(f->s, &SNAPSHOT("a", "2"), &data, &len), -ENOENT);
	assert_int_equal(storage_meta_set(f->s, &KEY("b"), META("")), -ENOENT);
	free(large);
}

/* The journal is rewritten before it grows without bound. */
static void much_metadata(void **state)
{
	static char meta[100000];
	char path[128];
	struct stat st;

	(void)state;
	make("a");
	make("b");
	snap("b", "1");
	for (int i = 0; i < 1000; i++) {
		memset(meta, i, sizeof(meta));
		OK(storage_meta_set(f->s, &KEY("a"), (struct storage_meta){ meta, sizeof(meta) }));
	}
	snprintf(path, sizeof(path), "%s/journal", f->dir);
	OK(stat(path, &st));
	assert_true(st.st_size < 20 << 20);
	meta_is(KEY("b"), "m");
	meta_is(SNAPSHOT("b", "1"), "s");
	fixture_reopen(f);
	meta_is(SNAPSHOT("b", "1"), "s");
	OK(stat(path, &st));
	assert_true(st.st_size < 200000);
}

/* --- what may be done when ----------------------------------------------------------------- */

static void rules(void **state)
{
	char page[512] = "x";
	struct storage_blob *b, *s;

	(void)state;
	assert_int_equal(storage_container_create(f->s, &KEY(NULL), META("")), -EEXIST);
	assert_int_equal(storage_blob_create(f->s, &KEY("a"), 100, META("")), -EINVAL);
	assert_int_equal(storage_blob_create(f->s, &KEY("a"), 9ull << 40, META("")), -EINVAL);
	assert_int_equal(storage_blob_get(f->s, &KEY("a"), &b), -ENOENT);
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("a", "1"), META("")), -ENOENT);
	b = fixture_blob(f, "a", 4096 + 512);
	assert_int_equal(storage_write(b, 1, page, 512), -EINVAL);
	assert_int_equal(storage_write(b, 0, page, 100), -EINVAL);
	assert_int_equal(storage_write(b, 4096 + 512, page, 512), -EINVAL);
	assert_int_equal(storage_read(b, 4096, page, 1024), -EINVAL);
	assert_int_equal(storage_clear(b, UINT64_MAX - 511, 1024), -EINVAL);
	assert_int_equal(storage_resize(b, 513, NULL), -EINVAL);
	OK(storage_write(b, 4096, page, 512));
	OK(storage_write(b, 4096 + 512, page, 0));
	assert_int_equal(storage_snapshot(f->s, &KEY("a"), META("")), -EINVAL);
	snap("a", "2");
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("a", "2"), META("")), -EEXIST);
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("a", "1"), META("")), -EEXIST);
	s = fixture_get(f, SNAPSHOT("a", "2"));
	assert_int_equal(storage_write(s, 0, page, 512), -EROFS);
	assert_int_equal(storage_clear(s, 0, 512), -EROFS);
	assert_int_equal(storage_resize(s, 512, NULL), -EROFS);
	assert_int_equal(storage_blob_delete(f->s, &KEY("a")), -ENOTEMPTY);
	OK(storage_blob_delete(f->s, &SNAPSHOT("a", "2")));
	assert_int_equal(storage_read(s, 0, page, 512), -ENOENT);
	storage_blob_put(s);
	OK(storage_read(b, 4096, page, 512));
	OK(storage_blob_create(f->s, &KEY("a"), 512, META(""))); /* replaced */
	assert_int_equal(storage_read(b, 4096, page, 512), -ENOENT);
	storage_blob_put(b);
	OK(storage_blob_delete(f->s, &KEY("a")));
	assert_int_equal(storage_blob_delete(f->s, &KEY("a")), -ENOENT);
}

static void one_process(void **state)
{
	struct storage *other;

	(void)state;
	assert_int_equal(storage_open(&other, f->dir, false), -EBUSY);
}

static void container_deletion(void **state)
{
	struct storage_blob *b;
	char page[512] = "x";

	(void)state;
	b = fixture_blob(f, "a", 4096);
	OK(storage_write(b, 0, page, sizeof(page)));
	make("z");
	snap("a", "1");
	OK(storage_container_delete(f->s, &KEY(NULL)));
	assert_int_equal(storage_write(b, 0, page, sizeof(page)), -ENOENT);
	storage_blob_put(b);
	assert_int_equal(storage_blob_get(f->s, &KEY("z"), &b), -ENOENT);
	assert_int_equal(storage_blob_create(f->s, &KEY("a"), 512, META("")), -ENOENT);
	assert_int_equal(storage_container_delete(f->s, &KEY(NULL)), -ENOENT);
	OK(storage_container_create(f->s, &KEY(NULL), META("again")));
	lists(NULL, NULL, 0, "");
	fixture_reopen(f);
	meta_is(KEY(NULL), "again");
	lists(NULL, NULL, 0, "");
}

/* More blobs than are kept open. */
static void many_blobs(void **state)
{
	char name[16], page[512];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 200; i++) {
			struct storage_blob *b;

			snprintf(name, sizeof(name), "blob%d", i);
			memset(page, i + round, sizeof(page));
			if (!round)
				make(name);
			b = fixture_get(f, KEY(name));
			if (round) {
				char had[512];

				OK(storage_read(b, 512, had, sizeof(had)));
				assert_int_equal((unsigned char)had[0], i);
			}
			OK(storage_write(b, 512, page, sizeof(page)));
			storage_blob_put(b);
		}
	}
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(listing),
		TEST(listing_of_containers),
		TEST(hostile),
		TEST(too_long),
		TEST(metadata),
		TEST(much_metadata),
		TEST(rules),
		TEST(one_process),
		TEST(container_deletion),
		TEST(many_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
