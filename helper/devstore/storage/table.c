// SPDX-License-Identifier: MIT
/* table.c - a sparse array of small numbers in a file, mapped */
#include "devstore/storage/table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/storage/engine.h"

#define SIZE_MIN (64u * 1024)

void table_init(struct table *t, struct storage *s, uint64_t id, const char *kind)
{
	*t = (struct table){ .s = s, .id = id, .kind = kind, .fd = -1 };
}

void table_rest(struct table *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void table_close(struct table *t)
{
	if (t->map)
		munmap(t->map, t->size);
	table_rest(t);
	bits_free(&t->present);
	bits_free(&t->dirty);
	table_init(t, t->s, t->id, t->kind);
}

/* Maps @size bytes of the file, which has them. */
static int map(struct table *t, uint64_t size)
{
	int flags = t->s->journalled ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
	void *p = t->map ? mremap(t->map, t->size, size, MREMAP_MAYMOVE) :
			   mmap(NULL, size, PROT_READ | PROT_WRITE, flags, t->fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	t->map = p;
	t->size = size;
	return 0;
}

/* Which pages the file has. */
static int find_pages(struct table *t)
{
	off_t from = 0, to = 0;

	while ((from = lseek(t->fd, to, SEEK_DATA)) >= 0) {
		to = lseek(t->fd, from, SEEK_HOLE);
		if (to < 0)
			return -errno;
		for (off_t at = from / TABLE_PAGE; at < (to + TABLE_PAGE - 1) / TABLE_PAGE; at++)
			if ((uint64_t)at < t->size / TABLE_PAGE)
				bits_add(&t->present, (size_t)at);
	}
	return errno == ENXIO ? 0 : -errno;
}

static int open_file(struct table *t, int flags)
{
	if (t->fd < 0)
		t->fd = object_open(t->s, t->id, t->kind, flags);
	return t->fd < 0 ? t->fd : 0;
}

/* Makes file, mapping and page sets at least @size bytes large. */
static int grow(struct table *t, uint64_t size)
{
	int rc;

	if (size < t->size * 2)
		size = t->size * 2;
	size = size < SIZE_MIN ? SIZE_MIN : (size + TABLE_PAGE - 1) / TABLE_PAGE * TABLE_PAGE;
	rc = bits_grow(&t->present, size / TABLE_PAGE);
	if (!rc)
		rc = bits_grow(&t->dirty, size / TABLE_PAGE);
	if (!rc && ftruncate(t->fd, (off_t)size))
		rc = -errno;
	return rc ? rc : map(t, size);
}

int table_use(struct table *t)
{
	struct stat st;
	int rc;

	if (t->ready)
		return 0;
	rc = open_file(t, O_RDWR);
	if (rc == -ENOENT) {
		t->ready = true;
		return 0;
	}
	if (!rc && fstat(t->fd, &st))
		rc = -errno;
	if (!rc)
		rc = grow(t, (uint64_t)st.st_size);
	if (!rc)
		rc = find_pages(t);
	if (rc) {
		table_close(t);
		return rc;
	}
	t->ready = true;
	table_rest(t);
	return 0;
}

static const unsigned char *at(const struct table *t, uint64_t offset)
{
	return bits_has(&t->present, offset / TABLE_PAGE) ? t->map + offset : NULL;
}

uint64_t table_get64(const struct table *t, uint64_t i)
{
	const unsigned char *p = at(t, i * sizeof(uint64_t));

	return p ? *(const uint64_t *)p : 0;
}

uint32_t table_get32(const struct table *t, uint64_t i)
{
	const unsigned char *p = at(t, i * sizeof(uint32_t));

	return p ? *(const uint32_t *)p : 0;
}

uint64_t table_next(const struct table *t, uint64_t offset)
{
	size_t page = bits_next(&t->present, offset / TABLE_PAGE);

	return page == BITS_NONE ? TABLE_NONE : (uint64_t)page * TABLE_PAGE;
}

int table_reserve(struct table *t, uint64_t offset, uint64_t len)
{
	static const unsigned char zeroes[TABLE_PAGE];
	uint64_t end = offset + len;
	int rc;

	if (end > t->size) {
		rc = open_file(t, O_RDWR | O_CREAT);
		if (!rc)
			rc = grow(t, end);
		if (rc)
			return rc;
	}
	for (uint64_t page = offset / TABLE_PAGE; page * TABLE_PAGE < end; page++) {
		if (bits_has(&t->present, page))
			continue;
		rc = open_file(t, O_RDWR);
		if (!rc)
			rc = write_all(t->fd, zeroes, sizeof(zeroes), page * TABLE_PAGE);
		if (rc)
			return rc;
		bits_add(&t->present, page);
	}
	return 0;
}

static void set(struct table *t, uint64_t offset)
{
	if (t->s->journalled)
		bits_add(&t->dirty, offset / TABLE_PAGE);
	else
		t->unsynced = true;
}

void table_set64(struct table *t, uint64_t i, uint64_t value)
{
	__atomic_store_n((uint64_t *)t->map + i, value, __ATOMIC_RELEASE);
	set(t, i * sizeof(value));
}

void table_set32(struct table *t, uint64_t i, uint32_t value)
{
	__atomic_store_n((uint32_t *)t->map + i, value, __ATOMIC_RELEASE);
	set(t, i * sizeof(value));
}

static bool is_zero(const unsigned char *page)
{
	return !page[0] && !memcmp(page, page + 1, TABLE_PAGE - 1);
}

void table_discard(struct table *t, uint64_t offset, uint64_t len, bool zero)
{
	uint64_t page = (offset + TABLE_PAGE - 1) / TABLE_PAGE;
	uint64_t end = (offset + len < t->size ? offset + len : t->size) / TABLE_PAGE;

	for (; (page = bits_next(&t->present, page)) < end; page++) {
		if (bits_has(&t->dirty, page) || (zero && !is_zero(t->map + page * TABLE_PAGE)))
			continue;
		if (open_file(t, O_RDWR) ||
		    fallocate(t->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			      (off_t)(page * TABLE_PAGE), TABLE_PAGE))
			return; /* the space stays taken, and no harm done */
		bits_del(&t->present, page);
	}
}

int table_apply(struct table *t)
{
	for (size_t page = 0; (page = bits_next(&t->dirty, page)) != BITS_NONE; page++) {
		unsigned char *p = t->map + page * TABLE_PAGE;
		int rc = open_file(t, O_RDWR);

		if (!rc)
			rc = write_all(t->fd, p, TABLE_PAGE, page * TABLE_PAGE);
		if (rc)
			return rc;
		/* The private copy goes; the mapping shows the file again. */
		if (madvise(p, TABLE_PAGE, MADV_DONTNEED))
			return -errno;
		bits_del(&t->dirty, page);
		t->unsynced = true;
		table_discard(t, page * TABLE_PAGE, TABLE_PAGE, true);
	}
	return 0;
}

int table_sync(struct table *t)
{
	int rc = t->unsynced ? open_file(t, O_RDWR) : 0;

	if (!rc && t->unsynced && fdatasync(t->fd))
		rc = -errno;
	if (!rc)
		t->unsynced = false;
	return rc;
}
