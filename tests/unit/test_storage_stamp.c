// SPDX-License-Identifier: MIT
/*
 * Stamps: what a change of pages brings along is there after a death, as the change
 * is; what nobody changed keeps the one it had.
 */
#include "storage_fixture.h"

#include <errno.h>

#define MIB (1u << 20)

static unsigned char data[5 * MIB];

static void stamped(struct fixture *f, const char *name, uint64_t stamp)
{
	uint64_t got;

	OK(storage_stamp_of(f->s, &KEY(name), &got));
	assert_int_equal(got, stamp);
}

static void nothing(struct fixture *f)
{
	(void)f;
}

static void write_some(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));

	storage_stamp_next(b, 7);
	OK(storage_write(b, 0, data, 4096));
	storage_stamp_next(b, 8);
	OK(storage_write(b, 512, data, 4 * MIB));
	assert_int_equal(storage_stamp(b), 8);
	OK(storage_write(b, 0, data, 512)); /* that has none leaves it */
	assert_int_equal(storage_stamp(b), 8);
	OK(storage_sync(f->s));
}

static void clear_all(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));

	storage_stamp_next(b, 9);
	OK(storage_clear(b, 0, 8 * MIB));
	OK(storage_sync(f->s));
}

static void clear_what_is_clear(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));

	storage_stamp_next(b, 10);
	OK(storage_clear(b, 0, 8 * MIB));
	OK(storage_sync(f->s));
}

static void replace_it(struct fixture *f)
{
	OK(storage_snapshot(f->s, &SNAPSHOT("disk", "1"), META("")));
	OK(storage_blob_create(f->s, &KEY("disk"), 8ull * MIB, META("new")));
	OK(storage_sync(f->s));
}

static void resize_with_metadata(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));
	const struct storage_meta meta = META("smaller");

	OK(storage_resize(b, MIB, &meta));
	OK(storage_sync(f->s));
}

static void run(bool durable, bool then)
{
	struct fixture *f = fixture_new(durable);
	size_t len;
	void *meta;

	storage_blob_put(fixture_blob(f, "disk", 8ull * MIB));
	stamped(f, "disk", 0);
	die_after(f, write_some);
	f->durable = then; /* the next run may be of the other kind */
	stamped(f, "disk", 8);
	for (int i = 0; i < 3; i++)
		die_after(f, nothing);
	stamped(f, "disk", 8);
	fixture_reopen(f);
	stamped(f, "disk", 8);
	die_after(f, clear_all);
	stamped(f, "disk", 9);
	die_after(f, clear_what_is_clear);
	stamped(f, "disk", 10);
	fixture_reopen(f);
	stamped(f, "disk", 10);
	die_after(f, replace_it);
	stamped(f, "disk", 0);
	die_after(f, write_some);
	stamped(f, "disk", 8);
	die_after(f, resize_with_metadata);
	stamped(f, "disk", 8);
	OK(storage_meta_get(f->s, &KEY("disk"), &meta, &len));
	assert_int_equal(len, 7);
	assert_memory_equal(meta, "smaller", len);
	free(meta);
	fixture_free(f);
}

static void fast(void **state)
{
	(void)state;
	run(false, false);
}

static void durable(void **state)
{
	(void)state;
	run(true, true);
}

static void fast_then_durable(void **state)
{
	(void)state;
	run(false, true);
}

static void durable_then_fast(void **state)
{
	(void)state;
	run(true, false);
}

/* A stamp can't be had without the change. */
static void refused(void **state)
{
	struct fixture *f = fixture_new(false);
	struct storage_blob *b = fixture_blob(f, "disk", 4096);

	(void)state;
	storage_stamp_next(b, 3);
	assert_int_equal(storage_write(b, 4096, data, 512), -EINVAL);
	assert_int_equal(storage_stamp(b), 0);
	OK(storage_write(b, 0, data, 512));
	assert_int_equal(storage_stamp(b), 0);
	storage_blob_put(b);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast),
		cmocka_unit_test(durable),
		cmocka_unit_test(fast_then_durable),
		cmocka_unit_test(durable_then_fast),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
