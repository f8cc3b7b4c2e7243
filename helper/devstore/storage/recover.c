// SPDX-License-Identifier: MIT
/* recover.c - opening, committing, rewriting the journal */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "devstore/storage/engine.h"

#define FORMAT 2 /* of the files; 1 has no stamps */
#define COMPACT_MIN (16ull << 20) /* bytes of the journal that may be past */
#define COMMIT_AT (16ull << 20) /* bytes of the journal that may wait for a commit */

/* --- committing ------------------------------------------------------------------- */

static int fail(struct storage *s, int rc)
{
	/* The page cache may have dropped what it couldn't write: trying again would
	 * report a success that is none. */
	if (!s->failure)
		s->failure = rc;
	return rc;
}

int storage_present(struct storage *s)
{
	struct stat here, ours;

	if (fstat(s->journal.fd, &ours) || stat(s->journal_path, &here)) {
		if (errno != ENOENT && errno != ENOTDIR)
			return -errno;
		return fail(s, -ESTALE);
	}
	return here.st_ino == ours.st_ino && here.st_dev == ours.st_dev ? 0 : fail(s, -ESTALE);
}

int storage_present_lately(struct storage *s)
{
	struct timespec now;
	struct stat ours;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec != s->looked) {
		s->looked = now.tv_sec;
		return storage_present(s);
	}
	if (fstat(s->journal.fd, &ours))
		return -errno;
	return ours.st_nlink ? 0 : fail(s, -ESTALE);
}

int storage_failure(const struct storage *s)
{
	return !s->failure && s->journal.broken ? -EIO : s->failure;
}

bool storage_crowded(const struct storage *s)
{
	return s->crowded;
}

static int sync_data(struct storage *s)
{
	for (size_t i = 0; i < s->loaded_n; i++) {
		const struct family *f = s->loaded[i];

		if (f->dirty && f->data_fd >= 0 && fdatasync(f->data_fd))
			return -errno;
	}
	return objects_sync(s);
}

/* The journal has it: now the indexes may. */
static int apply(struct family *f)
{
	int rc = table_apply(&f->desc);

	for (size_t i = 0; i < f->n && !rc; i++)
		rc = table_apply(&f->versions[i]->index);
	if (rc)
		return rc;
	f->dirty = false;
	return 0;
}

static void free_slots(struct storage *s)
{
	s->limbo = false;
	for (size_t i = 0; i < s->loaded_n; i++) {
		struct family *f = s->loaded[i];

		slots_committed(s, f);
		slots_trim(f);
		s->limbo |= f->slots.limbo[1].n;
	}
}

int storage_commit(struct storage *s)
{
	int rc;

	if (!s->journalled || (s->journal.end == s->clean_end && !s->limbo && !s->unapplied))
		return 0;
	if (s->failure)
		return -EIO;
	rc = sync_data(s);
	if (!rc)
		rc = journal_sync(&s->journal);
	if (rc)
		return fail(s, rc);
	s->clean_end = s->journal.end;
	free_slots(s);
	for (size_t i = 0; i < s->loaded_n && !rc; i++)
		if (s->loaded[i]->dirty)
			rc = apply(s->loaded[i]);
	/* Without space for it the journal has it, until the next commit. */
	s->unapplied = no_space(rc);
	return s->unapplied ? 0 : fail(s, rc);
}

int storage_sync(struct storage *s)
{
	return storage_commit(s);
}

int record(struct storage *s, struct journal_record r, const char *name, struct storage_meta meta)
{
	bool frees = r.type == J_DYING || r.type == J_FAMILY_GONE || r.type == J_CONTAINER_GONE;
	uint64_t at;
	int rc = s->failure ? -EIO : storage_present(s);

	if (!rc)
		rc = journal_tidy(s, frees);

	if (rc)
		return rc;
	if (meta.len > UINT32_MAX)
		return -EINVAL;
	r.data_len = (uint32_t)meta.len;
	rc = journal_append(&s->journal, r, (struct journal_body){ name, meta.data }, frees, &at);
	if (!rc && frees)
		rc = storage_commit(s);
	if (rc)
		return rc;
	/* It is in the journal; memory that runs out now would leave us behind it. */
	return fail(s, catalog_take(s, &r, name, at));
}

/* --- rewriting the journal --------------------------------------------------------- */

static int copy_version(struct storage *s, struct journal *to, struct storage_blob *v)
{
	struct journal_record r = { .type = J_VERSION,
				    .id = v->id,
				    .parent = v->family->id,
				    .arg = v->size,
				    .name_len = v->snapshot ? (uint16_t)strlen(v->snapshot) : 0,
				    .flags = (v->barrier ? J_BARRIER : 0) |
					     (v->dying ? J_IS_DYING : 0) |
					     (v->prepared ? J_PREPARED : 0) };

	struct journal_record stamp = { .type = J_STAMP, .id = v->id, .arg = v->stamp };
	int rc;

	v->meta_new = v->meta_at;
	rc = journal_copy(to, &s->journal, &v->meta_new, r, v->snapshot);
	if (!rc && v->stamp)
		rc = journal_append(to, stamp, (struct journal_body){ 0 }, false, NULL);
	return rc;
}

static int copy_family(struct storage *s, struct journal *to, const struct family *f)
{
	struct journal_record r = { .type = J_FAMILY,
				    .id = f->id,
				    .parent = f->container->id,
				    .name_len = (uint16_t)strlen(f->name) };
	int rc = journal_append(to, r, (struct journal_body){ f->name, NULL }, false, NULL);

	for (size_t i = 0; i < f->n && !rc; i++)
		rc = copy_version(s, to, f->versions[i]);
	return rc;
}

static int copy_container(struct storage *s, struct journal *to, struct container *c)
{
	size_t account = strlen(c->account), name = strlen(c->name);
	struct journal_record r = { .type = J_CONTAINER,
				    .id = c->id,
				    .name_len = (uint16_t)(account + 1 + name) };
	char *both = malloc(account + name + 2);
	int rc;

	if (!both)
		return -ENOMEM;
	memcpy(both, c->account, account + 1);
	memcpy(both + account + 1, c->name, name + 1);
	c->meta_new = c->meta_at;
	rc = journal_copy(to, &s->journal, &c->meta_new, r, both);
	free(both);
	for (size_t i = 0; i < c->n && !rc; i++)
		rc = copy_family(s, to, c->families[i]);
	return rc;
}

static int append_open(const struct storage *s, struct journal *to)
{
	struct journal_record r = { .type = J_OPEN,
				    .parent = FORMAT,
				    .arg = s->next_id,
				    .flags = s->durable ? J_DURABLE : 0 };

	return journal_append(to, r, (struct journal_body){ 0 }, false, NULL);
}

static void switch_family(const struct family *f)
{
	for (size_t i = 0; i < f->n; i++) {
		f->versions[i]->meta_at = f->versions[i]->meta_new;
		f->versions[i]->stamp_saved = f->versions[i]->stamp;
	}
}

/* The new journal is the journal. */
static void switch_journal(struct storage *s, const struct journal *to)
{
	close(s->journal.fd);
	s->journal = *to;
	s->journal.compact_at = to->end * 2 + COMPACT_MIN;
	s->clean_end = to->end;
	for (size_t i = 0; i < s->n; i++) {
		struct container *c = s->containers[i];

		c->meta_at = c->meta_new;
		for (size_t k = 0; k < c->n; k++)
			switch_family(c->families[k]);
	}
	s->crowded = false;
}

static int rewrite(struct storage *s, struct journal *to)
{
	int rc = append_open(s, to);

	for (size_t i = 0; i < s->n && !rc; i++)
		rc = copy_container(s, to, s->containers[i]);
	if (!rc && s->durable)
		rc = journal_sync(to);
	if (!rc && renameat(s->dir_fd, "journal.new", s->dir_fd, "journal"))
		rc = -errno;
	return rc;
}

int journal_compact(struct storage *s)
{
	struct journal to = { 0 };
	int rc = storage_commit(s);

	if (!rc && s->unapplied)
		rc = -ENOSPC;
	for (size_t i = 0; i < s->loaded_n && !rc && s->durable; i++)
		rc = family_sync(s->loaded[i]);
	if (rc)
		return rc;
	to.fd = openat(s->dir_fd, "journal.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (to.fd < 0)
		return -errno;
	rc = rewrite(s, &to);
	if (rc) {
		close(to.fd);
		(void)unlinkat(s->dir_fd, "journal.new", 0);
		return rc;
	}
	switch_journal(s, &to);
	if (s->durable && fsync(s->dir_fd))
		return fail(s, -errno);
	if (s->journalled)
		free_slots(s); /* the journal names no slot any more */
	return 0;
}

int journal_tidy(struct storage *s, bool frees)
{
	int rc = 0;

	if (s->failure)
		return -EIO;
	if (s->crowded) {
		rc = journal_compact(s);
		if (no_space(rc) && frees && !s->mixed)
			rc = 0;
	} else if (s->journal.end >= s->journal.compact_at) {
		rc = journal_compact(s);
		/* No space for a new one: later. */
		if (no_space(rc)) {
			s->journal.compact_at = s->journal.end + COMPACT_MIN;
			rc = 0;
		}
	} else if (s->journalled && s->journal.end - s->clean_end >= COMMIT_AT) {
		rc = storage_commit(s);
	}
	return rc;
}

/* --- opening ------------------------------------------------------------------------- */

struct recovery {
	struct storage *s;
	bool index; /* there were changes of indexes: they are in place now */
	bool closed; /* in order */
	bool durable; /* the last run was */
};

/* The data that an index change names, as far as one can tell. */
static bool intact(void *arg, const struct journal_record *r, struct journal_body body)
{
	struct storage *s = ((struct recovery *)arg)->s;
	struct storage_blob *v = ids_find(&s->ids, r->id, ID_VERSION);
	unsigned char data[BLOCK_BYTES];

	if (!v || family_load(s, v->family))
		return false;
	for (size_t i = 0; i < r->data_len / sizeof(struct journal_block); i++) {
		struct journal_block b;

		memcpy(&b, (const char *)body.data + i * sizeof(b), sizeof(b));
		if (b.pushed || !b.entry)
			continue;
		if (read_all(v->family->data_fd, data, sizeof(data),
			     (uint64_t)ENTRY_SLOT(b.entry) * BLOCK_BYTES) ||
		    block_crc(v->family->id, b.block, ENTRY_SLOT(b.entry), (uint8_t)b.desc, data) !=
			    ENTRY_CRC(b.entry))
			return false;
	}
	return true;
}

static int apply_block(struct storage_blob *v, struct storage_blob *snap, struct journal_block b)
{
	struct storage_blob *to = b.pushed ? snap : v;
	/* What is nothing already takes no room to become so. */
	bool nothing = to && !b.entry && !table_get64(&to->index, b.block);
	int rc = to && !nothing ? table_reserve(&to->index, b.block * 8, 8) : 0;

	if (!rc && b.entry && !b.pushed)
		rc = table_reserve(&v->family->desc, ENTRY_SLOT(b.entry) * 4ull, 4);
	if (rc)
		return rc;
	if (b.entry && !b.pushed)
		table_set32(&v->family->desc, ENTRY_SLOT(b.entry), b.desc);
	if (to && !nothing)
		table_set64(&to->index, b.block, b.entry);
	return 0;
}

static int apply_index(struct recovery *re, const struct journal_record *r, const char *data)
{
	struct storage_blob *v = ids_find(&re->s->ids, r->id, ID_VERSION);
	struct storage_blob *snap = ids_find(&re->s->ids, r->parent, ID_VERSION);
	int rc = v ? family_load(re->s, v->family) : -EBADMSG;

	re->index = true;
	if (!rc && r->arg > v->stamp)
		v->stamp = r->arg;
	for (size_t i = 0; i < r->data_len / sizeof(struct journal_block) && !rc; i++) {
		struct journal_block b;

		memcpy(&b, data + i * sizeof(b), sizeof(b));
		rc = apply_block(v, snap, b);
	}
	return rc;
}

static int take(void *arg, const struct journal_record *r, struct journal_body body, uint64_t at)
{
	struct recovery *re = arg;

	re->closed = r->type == J_CLOSE;
	switch (r->type) {
	case J_OPEN:
		if (!r->parent || r->parent > FORMAT)
			return -EPROTONOSUPPORT;
		re->durable = r->flags & J_DURABLE;
		if (r->arg > re->s->next_id)
			re->s->next_id = r->arg;
		return 0;
	case J_CLOSE:
	case J_NOTE:
		return 0;
	case J_INDEX:
		return apply_index(re, r, body.data);
	default:
		return catalog_take(re->s, r, body.name, at);
	}
}

/*
 * The disk is too full for a new journal: the old one is gone on with, by what gives
 * space back alone.  Everything else waits for a new one: changes of indexes that the
 * old one has are done again at the next opening, over all that came after them.
 */
static int stay_as_it_is(struct storage *s, const struct recovery *re)
{
	s->crowded = true;
	s->mixed = s->durable != re->durable;
	s->clean_end = s->journal.end;
	return 0;
}

int recover(struct storage *s)
{
	struct recovery re = { .s = s, .closed = true };
	const struct journal_reader reader = { take, intact, &re };
	int rc;

	s->replaying = true;
	rc = journal_replay(&s->journal, &reader);
	if (rc)
		return rc;
	catalog_settle(s);
	s->replaying = false;
	s->journal.reserved = 0;
	if (!re.closed)
		rc = objects_sweep(s);
	/* What is only in the page cache, of a run without durability or a killed one. */
	if (!rc && s->durable && (!re.durable || !re.closed) && syncfs(s->dir_fd))
		rc = -errno;
	if (!rc && !re.closed)
		rc = families_read_stamps(s);
	if (!rc)
		rc = journal_compact(s);
	if (no_space(rc))
		rc = stay_as_it_is(s, &re);
	while (s->loaded_n)
		family_unload(s, s->loaded[0]);
	s->journalled = s->durable;
	return rc;
}
