// SPDX-License-Identifier: MIT
/* journal.c - appending to the journal, and reading it */
#include "devstore/storage/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devstore/storage/engine.h"
#include "devstore/storage/crc.h"

/* Blocks are reserved this far ahead, so that on a full disk there is room for
 * the records of deletion. */
#define RESERVE (256u * 1024)
#define RESERVE_FREES (64u * 1024)

static uint32_t own_crc(const struct journal_record *r)
{
	return crc32c(0, r, offsetof(struct journal_record, crc));
}

static uint64_t whole_len(const struct journal_record *r)
{
	return sizeof(*r) + r->name_len + (uint64_t)r->data_len;
}

static int reserve(struct journal *j, uint64_t len, bool frees)
{
	uint64_t need = j->end + len + (frees ? 0 : RESERVE_FREES);

	const uint64_t ahead[] = { len + RESERVE, need - j->end };

	if (need <= j->reserved)
		return 0;
	for (unsigned int i = 0; i < 2; i++) {
		if (!fallocate(j->fd, FALLOC_FL_KEEP_SIZE, (off_t)j->end, (off_t)ahead[i])) {
			j->reserved = j->end + ahead[i];
			return 0;
		}
		if (errno != ENOSPC && errno != EDQUOT)
			break;
	}
	/* A file system that can't reserve, or a block that has some room left: the
	 * write will tell. */
	return errno == EOPNOTSUPP || frees ? 0 : -errno;
}

static int put(struct journal *j, struct journal_record *r, struct journal_body body, bool frees,
	       uint64_t *at)
{
	uint64_t len = whole_len(r);
	int rc = j->broken ? -EIO : reserve(j, len, frees);
	struct iovec iov[] = {
		{ r, sizeof(*r) },
		{ (void *)body.name, r->name_len },
		{ (void *)body.data, r->data_len },
	};

	r->committed = (uint32_t)(j->committed < UINT32_MAX ? j->committed : UINT32_MAX);
	r->name_crc = crc32c(0, body.name, r->name_len);
	r->crc = own_crc(r);
	if (!rc)
		rc = writev_all(j->fd, iov, 3, j->end);
	if (rc) {
		/* What was written of it must not come before the next one. */
		j->broken |= ftruncate(j->fd, (off_t)j->end) != 0;
		j->reserved = j->end;
		return rc;
	}
	if (at)
		*at = j->end;
	j->end += len;
	return 0;
}

int journal_append(struct journal *j, struct journal_record r, struct journal_body body, bool frees,
		   uint64_t *at)
{
	r.data_crc = crc32c(0, body.data, r.data_len);
	return put(j, &r, body, frees, at);
}

int journal_sync(struct journal *j)
{
	if (fdatasync(j->fd))
		return -errno;
	j->committed = j->end;
	/* Without room for the note the next record says it. */
	(void)journal_append(j, (struct journal_record){ .type = J_NOTE },
			     (struct journal_body){ 0 }, true, NULL);
	return 0;
}

int journal_copy(struct journal *j, const struct journal *from, uint64_t *at,
		 struct journal_record as, const void *name)
{
	struct journal_record r;
	unsigned char *data;
	int rc = read_all(from->fd, &r, sizeof(r), *at);

	if (rc || r.crc != own_crc(&r))
		return rc ? rc : -EBADMSG;
	data = malloc(r.data_len + 1ull);
	if (!data)
		return -ENOMEM;
	rc = read_all(from->fd, data, r.data_len, *at + sizeof(r) + r.name_len);
	as.data_len = r.data_len;
	as.data_crc = r.data_crc; /* damage, if there is any, goes along and stays visible */
	if (!rc)
		rc = put(j, &as, (struct journal_body){ name, data }, false, at);
	free(data);
	return rc;
}

int journal_read(const struct journal *j, uint64_t at, void **data, size_t *len)
{
	struct journal_record r;
	int rc = read_all(j->fd, &r, sizeof(r), at);

	if (rc || r.crc != own_crc(&r))
		return rc ? rc : -EBADMSG;
	*len = r.data_len;
	*data = malloc(r.data_len + 1ull);
	if (!*data)
		return -ENOMEM;
	rc = read_all(j->fd, *data, r.data_len, at + sizeof(r) + r.name_len);
	if (!rc && crc32c(0, *data, r.data_len) != r.data_crc)
		rc = -EBADMSG;
	if (rc) {
		free(*data);
		*data = NULL;
	}
	return rc;
}

/* --- reading all of it ------------------------------------------------------- */

struct replay {
	const unsigned char *map;
	uint64_t size, at;
	bool doubtful; /* the disk may not have all of what follows */
	struct journal_record r;
	struct journal_body body;
};

enum { NEXT_END, NEXT_RECORD, NEXT_TORN, NEXT_DAMAGED };

static bool all_zero(const unsigned char *p, uint64_t len)
{
	while (len && !*p)
		p++, len--;
	return !len;
}

/* What stands at @p->at. */
static int next(struct replay *p)
{
	uint64_t left = p->size - p->at;
	const unsigned char *name = p->map + p->at + sizeof(p->r);

	if (!left)
		return NEXT_END;
	if (left < sizeof(p->r))
		return NEXT_TORN;
	memcpy(&p->r, p->map + p->at, sizeof(p->r));
	if (p->r.crc != own_crc(&p->r))
		return all_zero(p->map + p->at, left) ? NEXT_TORN : NEXT_DAMAGED;
	if (left < whole_len(&p->r))
		return NEXT_TORN;
	p->body = (struct journal_body){ name, name + p->r.name_len };
	if (crc32c(0, name, p->r.name_len) != p->r.name_crc)
		return NEXT_DAMAGED;
	if ((p->doubtful || p->r.type == J_INDEX) &&
	    crc32c(0, p->body.data, p->r.data_len) != p->r.data_crc)
		return NEXT_DAMAGED;
	return NEXT_RECORD;
}

/* Where the part begins that a loss of power may have torn: behind what is known
 * to be on the disk; without J_DURABLE nowhere.  (Each run that was opened has what
 * was before it on the disk, if it is a durable one.) */
static uint64_t doubtful_from(struct replay p)
{
	uint64_t from = UINT64_MAX;

	for (; next(&p) == NEXT_RECORD; p.at += whole_len(&p.r)) {
		if (p.r.type == J_OPEN)
			from = p.r.flags & J_DURABLE ? p.at : UINT64_MAX;
		if (from < p.r.committed)
			from = p.r.committed;
	}
	return from;
}

/* Whether a record behind what can't be read knows that it was once whole. */
static bool was_whole(const struct replay *p)
{
	for (uint64_t at = p->at + 1; at + sizeof(p->r) <= p->size; at++) {
		struct journal_record r;

		memcpy(&r, p->map + at, sizeof(r));
		if (r.committed > p->at && r.committed <= at && r.crc == own_crc(&r))
			return true;
	}
	return false;
}

static int read_records(struct replay *p, const struct journal_reader *reader)
{
	uint64_t doubtful = doubtful_from(*p);

	for (;; p->at += whole_len(&p->r)) {
		int what, rc;

		p->doubtful = p->at >= doubtful;
		what = next(p);
		if (what == NEXT_RECORD && p->doubtful && p->r.type == J_INDEX &&
		    !reader->intact(reader->arg, &p->r, p->body))
			what = NEXT_TORN;
		if (what == NEXT_DAMAGED)
			return p->doubtful && !was_whole(p) ? 0 : -EBADMSG;
		if (what != NEXT_RECORD)
			return 0;
		rc = reader->each(reader->arg, &p->r, p->body, p->at);
		if (rc)
			return rc;
	}
}

int journal_replay(struct journal *j, const struct journal_reader *reader)
{
	struct replay p = { 0 };
	struct stat st;
	void *map;
	int rc;

	if (fstat(j->fd, &st))
		return -errno;
	if (!st.st_size)
		return 0;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, j->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	p.map = map;
	p.size = (uint64_t)st.st_size;
	rc = read_records(&p, reader);
	munmap(map, (size_t)st.st_size);
	j->end = p.at;
	if (!rc && p.at < p.size && ftruncate(j->fd, (off_t)p.at))
		rc = -errno;
	return rc;
}
