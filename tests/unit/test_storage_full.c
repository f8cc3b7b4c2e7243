// SPDX-License-Identifier: MIT
/*
 * A disk that is full, at any write: the operation says so, nothing that was there
 * is lost, and once there is space again all goes on.  This program brings its own
 * pwritev(), fallocate() and openat(), which run out of space by a count.
 */
#include "storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../devstore/crash_model.c"

static int writes_left = -1; /* -1: as many as are asked for */

static bool full(void)
{
	if (!writes_left) {
		errno = ENOSPC;
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

/* What there is must be @state, or what @op makes of it; and becomes @state. */
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
		assert_true(model_matches(seen, state, op) || model_matches(seen, after, NULL));
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

		assert_true(!synced || synced == -ENOSPC);
	}
	writes_left = -1;
	assert_true(!rc || rc == -ENOSPC);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast),
		cmocka_unit_test(durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
