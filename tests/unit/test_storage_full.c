// SPDX-License-Identifier: MIT
/*
 * A disk that is full, at any write: the operation says so and has changed nothing,
 * and once there is space again all goes on.  This program brings its own
 * pwritev(), fallocate() and openat(), which run out of space by a count.
 */
#include "storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../devstore/crash_model.c"

static int writes_left = -1; /* -1: as many as are asked for */
static int no_room = ENOSPC; /* or EDQUOT */

static bool full(void)
{
	if (!writes_left) {
		errno = no_room;
		return true;
	}
	if (writes_left > 0)
		writes_left--;
	return false;
}

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	size_t len = 0;

	for (int i = 0; i < n; i++)
		len += iov[i].iov_len;
	if (full()) {
		/* Some of it may fit. */
		if (len > 8192)
			return pwrite(fd, iov->iov_base, iov->iov_len < 4096 ? iov->iov_len : 4096,
				      at);
		return -1;
	}
	return syscall(SYS_pwritev, fd, iov, n, at, 0);
}

int fallocate(int fd, int mode, off_t at, off_t len)
{
	if (!(mode & FALLOC_FL_PUNCH_HOLE) && full())
		return -1;
	return (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int openat(int dir, const char *path, int flags, ...)
{
	if (flags & O_CREAT && faccessat(dir, path, F_OK, 0) && full())
		return -1;
	return (int)syscall(SYS_openat, dir, path, flags, 0666);
}

/* What there is must be @state, or when @op was done what that makes of it; and
 * becomes @state.  (A name that was deleted stays deleted, though its blocks could
 * not be sorted.) */
static void check(struct fixture *f, struct state *state, const struct op *op, int rc)
{
	struct state *seen = calloc(2, sizeof(*seen)), *after = seen + 1;

	assert_non_null(seen);
	assert_true(model_read(f->s, seen));
	*after = *state;
	model_apply(after, op);
	if (!rc)
		assert_true(model_matches(seen, after, NULL));
	else
		assert_true(model_matches(seen, state, NULL) ||
			    (op->kind > RESIZE && model_matches(seen, after, NULL)));
	*state = *seen;
	free(seen);
}

static void step(struct fixture *f, struct state *state, uint32_t number, uint64_t *seed,
		 unsigned int *failed)
{
	struct op op = model_choose(state, number, seed);
	int rc;

	writes_left = model_random(seed, 4) ? (int)model_random(seed, 12) : -1;
	rc = model_perform(f->s, state, &op);
	if (f->durable && model_random(seed, 2)) {
		int synced = storage_sync(f->s);

		assert_true(!synced || synced == -no_room);
	}
	writes_left = -1;
	assert_true(!rc || rc == -no_room);
	*failed += !!rc;
	check(f, state, &op, rc);
}

static void run(bool durable, uint64_t seed)
{
	struct fixture *f = fixture_new(durable);
	struct state *state = calloc(1, sizeof(*state));
	unsigned int failed = 0;
	const unsigned int steps = 1500;

	assert_non_null(state);
	OK(storage_container_delete(f->s, &KEY(NULL)));
	OK(model_begin(f->s, state));
	for (uint32_t i = 1; i <= steps; i++) {
		step(f, state, i, &seed, &failed);
		if (!model_random(&seed, 30))
			fixture_reopen(f);
	}
	assert_true(failed > steps / 30 && failed < steps);
	free(state);
	fixture_free(f);
}

static void fast(void **state)
{
	const char *seed = getenv("STORAGE_SEED");

	(void)state;
	run(false, seed ? strtoull(seed, NULL, 0) : 42);
}

static void durable(void **state)
{
	const char *seed = getenv("STORAGE_SEED");

	(void)state;
	run(true, seed ? strtoull(seed, NULL, 0) : 43);
}

static void quota(void **state)
{
	(void)state;
	no_room = EDQUOT;
	run(false, 44);
	run(true, 45);
	no_room = ENOSPC;
}

static unsigned char data[8192], back[8192];

static void write_and_die(struct fixture *f)
{
	struct storage_blob *b = fixture_blob(f, "disk", sizeof(data));

	OK(storage_write(b, 0, data, sizeof(data)));
	OK(storage_sync(f->s));
}

/* Reads go on, and whatever takes room is refused. */
static void is_full(struct fixture *f)
{
	struct storage_blob *b = fixture_get(f, KEY("disk"));

	assert_true(storage_crowded(f->s));
	OK(storage_read(b, 0, back, sizeof(back)));
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(storage_write(b, 0, data, 512), -no_room);
	assert_int_equal(storage_clear(b, 0, 512), -no_room);
	assert_int_equal(storage_resize(b, 512, NULL), -no_room);
	assert_int_equal(storage_meta_set(f->s, &KEY("disk"), META("x")), -no_room);
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("disk", "1"), META("")), -no_room);
	assert_int_equal(storage_blob_create(f->s, &KEY("new"), 512, META("")), -no_room);
	assert_int_equal(storage_failure(f->s), 0);
	storage_blob_put(b);
}

/* A death, and no room when it is opened again, nor the next time. */
static void opened(bool durable, bool then)
{
	struct fixture *f = fixture_new(durable);
	struct storage_blob *b;

	fill(data, sizeof(data));
	die_after(f, write_and_die);
	die_after(f, write_and_die);
	f->durable = then;
	for (int i = 0; i < 3; i++) {
		fixture_close(f);
		writes_left = 0;
		fixture_open(f);
		is_full(f);
	}
	writes_left = -1;
	b = fixture_get(f, KEY("disk"));
	OK(storage_write(b, 0, data, 512));
	assert_false(storage_crowded(f->s));
	storage_blob_put(b);
	fixture_reopen(f);
	assert_false(storage_crowded(f->s));
	fixture_free(f);
}

static void opened_when_full(void **state)
{
	(void)state;
	opened(false, false);
	opened(true, true);
	opened(false, true);
	opened(true, false);
	no_room = EDQUOT;
	opened(false, false);
	no_room = ENOSPC;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast),
		cmocka_unit_test(durable),
		cmocka_unit_test(quota),
		cmocka_unit_test(opened_when_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
