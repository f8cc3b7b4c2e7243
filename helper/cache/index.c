// SPDX-License-Identifier: MIT
#include "cache/index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/crc64.h"
#include "lib/whole.h"

#define MAGIC "cloudidx"
#define VERSION 1

enum kind { RECORD_CACHE = 1, RECORD_VOLUME, RECORD_ENTRIES, RECORD_END };

struct head {
	uint32_t kind;
	uint32_t len; /* of what follows */
	uint64_t crc; /* of all records so far: kinds, lengths and contents */
};

struct cache_record {
	char magic[8];
	uint32_t version;
	uint32_t pad;
	uint8_t uuid[16];
	uint64_t generation;
};

struct end_record {
	uint64_t volumes, entries;
};

union content {
	struct cache_record cache;
	struct index_volume volume;
	struct cdrive_cache_entry entries[INDEX_ENTRIES];
	struct end_record end;
};

static uint64_t crc_with(uint64_t crc, const struct head *h, const void *content)
{
	crc = crc64(crc, h, offsetof(struct head, crc));
	return crc64(crc, content, h->len);
}

/* --- writing --------------------------------------------------------------------------- */

static int put(struct index_writer *w, enum kind kind, const void *content, size_t len)
{
	struct head h = { .kind = kind, .len = (uint32_t)len };
	int err;

	h.crc = w->crc = crc_with(w->crc, &h, content);
	err = whole_write(w->fd, &h, sizeof(h));
	return err ? err : whole_write(w->fd, content, len);
}

int index_begin(struct index_writer *w, int fd, const struct index_id *id)
{
	struct cache_record r = { .magic = MAGIC,
				  .version = VERSION,
				  .generation = id->generation };

	memcpy(r.uuid, id->uuid, sizeof(r.uuid));
	*w = (struct index_writer){ .fd = fd };
	return put(w, RECORD_CACHE, &r, sizeof(r));
}

int index_add_volume(struct index_writer *w, const struct index_volume *v)
{
	struct index_volume clean = { .sectors = v->sectors };

	/* Nothing of what happened to be behind the strings. */
	memcpy(clean.name, v->name, strnlen(v->name, CDRIVE_MAX_NAME));
	memcpy(clean.validator, v->validator, strnlen(v->validator, CDRIVE_MAX_VALIDATOR));
	w->volumes++;
	return put(w, RECORD_VOLUME, &clean, sizeof(clean));
}

int index_add_entries(struct index_writer *w, const struct cdrive_cache_entry *e, unsigned int n)
{
	int err = 0;

	while (n && !err) {
		unsigned int some = n < INDEX_ENTRIES ? n : INDEX_ENTRIES;

		err = put(w, RECORD_ENTRIES, e, some * sizeof(*e));
		w->entries += some;
		e += some;
		n -= some;
	}
	return err;
}

int index_end(struct index_writer *w)
{
	struct end_record r = { w->volumes, w->entries };

	return put(w, RECORD_END, &r, sizeof(r));
}

/* --- reading --------------------------------------------------------------------------- */

struct reader {
	int fd;
	uint64_t crc;
	uint64_t volumes, entries;
	const struct index_id *id;
	const struct index_ops *ops;
	void *arg;
	const char *why;
	struct head head;
	union content content;
};

static int bad(struct reader *r, const char *why)
{
	r->why = why;
	return -EBADMSG;
}

static int get_all(struct reader *r, void *buf, size_t len)
{
	ssize_t n = whole_read(r->fd, buf, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : bad(r, "it is cut off");
}

static int get(struct reader *r)
{
	int err = get_all(r, &r->head, sizeof(r->head));

	if (err)
		return err;
	if (r->head.len > sizeof(r->content))
		return bad(r, "it is damaged");
	err = get_all(r, &r->content, r->head.len);
	if (err)
		return err;
	r->crc = crc_with(r->crc, &r->head, &r->content);
	return r->crc == r->head.crc ? 0 : bad(r, "it is damaged");
}

static int begin(struct reader *r)
{
	const struct cache_record *c = &r->content.cache;
	int err = get(r);

	if (err)
		return err;
	if (r->head.kind != RECORD_CACHE || r->head.len != sizeof(*c) ||
	    memcmp(c->magic, MAGIC, sizeof(c->magic)) != 0 || c->version != VERSION)
		return bad(r, "it is none, or of another version");
	if (memcmp(c->uuid, r->id->uuid, sizeof(c->uuid)) != 0)
		return bad(r, "it is of another cache");
	if (c->generation != r->id->generation)
		return bad(r, "the cache was used since it was written");
	return 0;
}

static int take_volume(struct reader *r)
{
	struct index_volume *v = &r->content.volume;

	if (r->head.len != sizeof(*v) || v->name[CDRIVE_MAX_NAME] ||
	    v->validator[CDRIVE_MAX_VALIDATOR])
		return bad(r, "it is damaged");
	r->volumes++;
	return r->ops->volume(r->arg, v);
}

static int take_entries(struct reader *r)
{
	unsigned int n = r->head.len / sizeof(r->content.entries[0]);

	if (!r->volumes || r->head.len % sizeof(r->content.entries[0]))
		return bad(r, "it is damaged");
	r->entries += n;
	return r->ops->entries(r->arg, r->content.entries, n);
}

static int take_end(struct reader *r)
{
	const struct end_record *end = &r->content.end;
	char c;

	if (r->head.len != sizeof(*end) || end->volumes != r->volumes || end->entries != r->entries)
		return bad(r, "it is damaged");
	return whole_read(r->fd, &c, 1) ? bad(r, "more follows its end") : 0;
}

static int read_records(struct reader *r)
{
	int err = begin(r);

	while (!err) {
		err = get(r);
		if (err)
			break;
		switch (r->head.kind) {
		case RECORD_VOLUME:
			err = take_volume(r);
			break;
		case RECORD_ENTRIES:
			err = take_entries(r);
			break;
		case RECORD_END:
			return take_end(r);
		default:
			err = bad(r, "it is damaged");
		}
	}
	return err;
}

int index_read(int fd, const struct index_id *id, const struct index_ops *ops, void *arg,
	       const char **why)
{
	struct reader *r = malloc(sizeof(*r));
	int err;

	*why = "";
	if (!r)
		return -ENOMEM;
	*r = (struct reader){ .fd = fd, .id = id, .ops = ops, .arg = arg, .why = "" };
	err = read_records(r);
	*why = r->why;
	free(r);
	return err;
}
