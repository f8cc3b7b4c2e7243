// SPDX-License-Identifier: MIT
/*
 * A data directory that goes away, and a disk that answers EIO: nothing is
 * acknowledged that is not there, and the storage says when it is at its end.  This
 * program brings its own pwritev() and fdatasync().
 */
#include "storage_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static bool broken, flush_broken;
static unsigned char data[8192], back[8192];

ssize_t pwritev(int fd, const struct iovec *iov, int n, off_t at)
{
	if (broken) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pwritev, fd, iov, n, at, 0);
}

int fdatasync(int fd)
{
	if (flush_broken) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* Whatever changes something fails with @rc. */
static void refuses(struct fixture *f, struct storage_blob *b, int rc)
{
	assert_int_equal(storage_write(b, 0, data, 512), rc);
	assert_int_equal(storage_clear(b, 0, 512), rc);
	assert_int_equal(storage_resize(b, 512, NULL), rc);
	assert_int_equal(storage_meta_set(f->s, &KEY("disk"), META("x")), rc);
	assert_int_equal(storage_snapshot(f->s, &SNAPSHOT("disk", "1"), META("")), rc);
	assert_int_equal(storage_blob_create(f->s, &KEY("new"), 512, META("")), rc);
	assert_int_equal(storage_blob_delete(f->s, &KEY("disk")), rc);
	assert_int_equal(storage_container_delete(f->s, &KEY(NULL)), rc);
}

static void gone(bool durable, bool moved)
{
	struct fixture *f = fixture_new(durable);
	struct storage_blob *b = fixture_blob(f, "disk", sizeof(data));
	struct storage_blob *other = fixture_blob(f, "other", sizeof(data));
	char elsewhere[80];

	OK(storage_write(b, 0, data, sizeof(data)));
	OK(storage_write(other, 0, data, sizeof(data)));
	storage_blob_put(other);
	storage_blob_put(b);
	fixture_reopen(f);
	b = fixture_get(f, KEY("disk"));
	OK(storage_write(b, 0, data, 512));
	snprintf(elsewhere, sizeof(elsewhere), "%s.moved", f->dir);
	if (moved)
		OK(rename(f->dir, elsewhere));
	else
		nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
	/* What is not open any more must not be taken for empty. */
	other = fixture_get(f, KEY("other"));
	assert_int_equal(storage_read(other, 0, back, sizeof(back)), -ESTALE);
	assert_int_equal(storage_failure(f->s), -ESTALE);
	refuses(f, b, -EIO);
	storage_blob_put(b);
	storage_blob_put(other);
	assert_int_equal(storage_close(f->s), -EIO);
	nftw(elsewhere, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
	free(f);
}

static void directory_gone(void **state)
{
	(void)state;
	gone(false, false);
	gone(true, false);
	gone(false, true);
}

static void never_made(void **state)
{
	const struct storage_key new = { "account", "new", NULL, NULL };
	struct fixture *f = fixture_new(false);

	(void)state;
	nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(storage_container_create(f->s, &new, META("")), -ESTALE);
	assert_int_equal(storage_failure(f->s), -ESTALE);
	assert_int_equal(storage_close(f->s), -EIO);
	free(f);
}

/* A write that fails has changed nothing, and the next one may succeed. */
static void a_write_fails(void **state)
{
	struct fixture *f = fixture_new(false);
	struct storage_blob *b = fixture_blob(f, "disk", sizeof(data));

	(void)state;
	fill(data, sizeof(data));
	OK(storage_write(b, 0, data, sizeof(data)));
	broken = true;
	assert_int_equal(storage_write(b, 0, data + 512, 512), -EIO);
	assert_int_equal(storage_meta_set(f->s, &KEY("disk"), META("x")), -EIO);
	assert_int_equal(storage_blob_create(f->s, &KEY("new"), 512, META("")), -EIO);
	broken = false;
	assert_int_equal(storage_failure(f->s), 0);
	OK(storage_read(b, 0, back, sizeof(back)));
	assert_memory_equal(back, data, sizeof(data));
	OK(storage_write(b, 0, data + 512, 512));
	storage_blob_put(b);
	fixture_reopen(f);
	b = fixture_get(f, KEY("disk"));
	OK(storage_read(b, 0, back, sizeof(back)));
	assert_memory_equal(back, data + 512, 512);
	storage_blob_put(b);
	fixture_free(f);
}

/* After a flush that failed nobody knows what is on the disk. */
static void a_flush_fails(void **state)
{
	struct fixture *f = fixture_new(true);
	struct storage_blob *b = fixture_blob(f, "disk", sizeof(data));

	(void)state;
	OK(storage_write(b, 0, data, sizeof(data)));
	flush_broken = true;
	assert_int_equal(storage_sync(f->s), -EIO);
	flush_broken = false;
	assert_int_equal(storage_failure(f->s), -EIO);
	refuses(f, b, -EIO);
	OK(storage_read(b, 0, back, sizeof(back)));
	storage_blob_put(b);
	assert_int_equal(storage_close(f->s), -EIO);
	fixture_open(f);
	fixture_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directory_gone),
		cmocka_unit_test(never_made),
		cmocka_unit_test(a_write_fails),
		cmocka_unit_test(a_flush_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
