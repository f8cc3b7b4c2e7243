// SPDX-License-Identifier: MIT
/*
 * The space a storage takes: what was written, what a snapshot keeps apart, and not
 * what was cleared or deleted.
 */
#include "storage_fixture.h"

#define MIB (1ull << 20)
#define TIB (1ull << 40)
/* Beside the data: tables, the journal with what it keeps in reserve, slots that
 * wait for the next write. */
#define EXTRA (2 * MIB)

static uint64_t sum;
static unsigned char data[10 * MIB];

static int add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)ftw;
	if (type == FTW_F)
		sum += (uint64_t)st->st_blocks * 512;
	return 0;
}

static uint64_t taken(struct fixture *f)
{
	OK(storage_sync(f->s));
	OK(storage_sync(f->s)); /* durable: what one commit frees the next one gives back */
	sum = 0;
	OK(nftw(f->dir, add, 16, FTW_PHYS));
	return sum;
}

static void between(uint64_t n, uint64_t least, uint64_t most)
{
	if (n < least || n > most)
		print_message("%llu KiB taken\n", (unsigned long long)(n >> 10));
	assert_true(n >= least && n <= most);
}

/* 10 MiB in 40 places. */
static void scatter(struct storage_blob *b)
{
	fill(data, sizeof(data));
	for (uint64_t i = 0; i < 40; i++)
		OK(storage_write(b, i * (TIB / 40) / 4096 * 4096, data + i * (MIB / 4), MIB / 4));
}

static void drive(struct fixture *f)
{
	struct storage_blob *b = fixture_blob(f, "disk", TIB);

	between(taken(f), 0, MIB / 2);
	scatter(b);
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	for (int i = 0; i < 5; i++)
		scatter(b); /* again in the same places */
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	/* Random single blocks in between leave nothing behind either. */
	for (int i = 0; i < 5000; i++)
		OK(storage_write(b, chance(64) * 4096, data, 4096));
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	storage_blob_put(b);
}

static void snapshots(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));
	uint64_t before = taken(f);

	OK(storage_snapshot(f->s, &SNAPSHOT("disk", "1"), META("")));
	between(taken(f), before, before + MIB / 16);
	OK(storage_write(b, 0, data, MIB / 4));
	OK(storage_write(b, 0, data, MIB / 4));
	between(taken(f), before, before + MIB);
	OK(storage_blob_delete(f->s, &SNAPSHOT("disk", "1")));
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	/* A snapshot keeps what the blob no longer has. */
	OK(storage_snapshot(f->s, &SNAPSHOT("disk", "2"), META("")));
	OK(storage_clear(b, 0, TIB));
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	OK(storage_blob_purge(f->s, &KEY("disk"), true));
	between(taken(f), 0, MIB);
	storage_blob_put(b);
}

static void giving_back(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));

	scatter(b);
	OK(storage_clear(b, 0, TIB));
	between(taken(f), 0, MIB);
	scatter(b);
	for (uint64_t i = 0; i < 40; i++) /* every second block */
		for (uint64_t k = 0; k < 64; k += 2)
			OK(storage_clear(b, i * (TIB / 40) / 4096 * 4096 + k * 4096, 4096));
	between(taken(f), 5 * MIB, 5 * MIB + EXTRA);
	OK(storage_resize(b, TIB / 2, NULL));
	between(taken(f), 5 * MIB / 2, 5 * MIB / 2 + EXTRA);
	storage_blob_put(b);
	OK(storage_blob_create(f->s, &KEY("disk"), TIB, META("")));
	between(taken(f), 0, MIB);
}

static void copies(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk")), *to;
	uint64_t position = 0;

	scatter(b);
	to = fixture_blob(f, "copy", TIB);
	while (position < TIB)
		OK(storage_copy(to, b, &position, MIB));
	between(taken(f), 20 * MIB, 20 * MIB + EXTRA);
	storage_blob_put(to);
	storage_blob_put(b);
	OK(storage_blob_delete(f->s, &KEY("copy")));
	between(taken(f), 10 * MIB, 10 * MIB + EXTRA);
	OK(storage_container_delete(f->s, &KEY(NULL)));
	between(taken(f), 0, MIB / 2);
}

static void run(bool durable)
{
	struct fixture *f = fixture_new(durable);

	drive(f);
	fixture_reopen(f);
	snapshots(f);
	giving_back(f);
	copies(f);
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
