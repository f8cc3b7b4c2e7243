// SPDX-License-Identifier: MIT
/*
 * engine.c - the engine that keeps page blobs in a directory
 *
 *   journal                what there is: containers, blobs, snapshots, their sizes
 *                          and metadata, a record each (journal.h)
 *   objects/NN/ID.data     the blocks of a blob and of all its snapshots, in slots
 *                          of 4 KiB, in no order
 *   objects/NN/ID.slots    4 bytes a slot: which of its pages hold data, which were
 *                          written since the snapshot below, a tag
 *   objects/NN/ID.index    8 bytes a block, one file a version: slot and CRC32C
 *
 * All sparse, all made when first written to: an empty blob of any size is one
 * record.  The tables take 1/341 of the data, as clean page cache where they are
 * read; what must be in memory is a bit for every 2 MiB and two for every slot.
 *
 * A write never touches what is there.  It goes to free slots, and the blocks
 * change over one 8-byte store each.  So a process killed at any moment leaves
 * every block old or new; checksum and data can't disagree; and there is nothing
 * to repair but to find the free slots, which are those that no index names.
 *
 * A snapshot is a new, empty index below the blob's: what it lacks, it has from
 * the next newer version.  Before a block of the blob changes for the first time
 * after a snapshot, its old entry moves to the snapshot's index and the slot with
 * it.  So a snapshot is one record however large the blob is; a slot belongs to
 * one version and needs no count; reading an old snapshot asks the indexes of
 * those after it.  Deleting one hands what the snapshot below still sees through
 * it down to that one, and gives up the rest (family.c).  A blob that is
 * replaced stays as a version that is being deleted, and the new one does not
 * continue it: its @barrier says so.
 *
 * Durable means that a loss of power is survived too, where writes reach the disk
 * in any order.  Then an index changes in memory only (its mapping is private) and
 * a record of the change goes to the journal.  storage_sync() writes out the data,
 * then the journal with a mark at its end, and only then the indexes change and
 * slots that were given up may be used again.  Opening applies what the journal
 * has: all up to the last mark, and after it what proves complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devstore/storage/engine.h"

#define NAME_BYTES_MAX 32768u /* of a key's part; Azure's end at 1024 characters */

/* --- opening and closing ---------------------------------------------------------- */

static int open_files(struct storage *s, const char *dir)
{
	char *real;

	if (mkdir(dir, 0777) && errno != EEXIST)
		return -errno;
	s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir_fd < 0)
		return -errno;
	s->lock_fd = openat(s->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (s->lock_fd < 0)
		return -errno;
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (mkdirat(s->dir_fd, "objects", 0777) && errno != EEXIST)
		return -errno;
	s->journal.fd = openat(s->dir_fd, "journal", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (s->journal.fd < 0)
		return -errno;
	/* Absolute, so that it stays the same one wherever the process goes. */
	real = realpath(dir, NULL);
	if (!real || asprintf(&s->journal_path, "%s/journal", real) < 0)
		s->journal_path = NULL;
	free(real);
	return s->journal_path ? 0 : -ENOMEM;
}

static void destroy(struct storage *s)
{
	while (s->loaded_n)
		family_unload(s, s->loaded[0]);
	catalog_free(s);
	free(s->loaded);
	free(s->journal_path);
	if (s->journal.fd >= 0)
		close(s->journal.fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dir_fd >= 0)
		close(s->dir_fd);
	free(s);
}

int storage_open(struct storage **out, const char *dir, bool durable)
{
	struct storage *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	s->dir_fd = s->lock_fd = s->journal.fd = -1;
	s->durable = durable;
	s->next_id = 1;
	rc = open_files(s, dir);
	if (!rc)
		rc = recover(s);
	if (rc) {
		destroy(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* What only the data files have goes to the journal. */
static int save_stamps(struct storage *s, const struct family *f)
{
	struct storage_blob *v = family_live(f);
	struct journal_record r = { .type = J_STAMP };
	int rc;

	if (!v || v->stamp == v->stamp_saved)
		return 0;
	r.id = v->id;
	r.arg = v->stamp;
	rc = journal_append(&s->journal, r, (struct journal_body){ 0 }, true, NULL);
	if (!rc)
		v->stamp_saved = v->stamp;
	return rc;
}

/* Leaves nothing to recover. */
static int finish(struct storage *s)
{
	struct journal_record r = { .type = J_CLOSE };
	int rc = s->failure ? -EIO : storage_present(s);

	if (!rc && s->journalled)
		rc = journal_compact(s);
	for (size_t i = 0; i < s->n; i++)
		for (size_t k = 0; k < s->containers[i]->n && !rc; k++)
			rc = save_stamps(s, s->containers[i]->families[k]);
	if (!rc && !s->crowded)
		rc = journal_append(&s->journal, r, (struct journal_body){ 0 }, true, NULL);
	if (s->journalled && fdatasync(s->journal.fd) && !rc)
		rc = -errno;
	return rc;
}

int storage_close(struct storage *s)
{
	int rc;

	if (!s)
		return 0;
	/* What fails here leaves no mark, and the next opening does its work. */
	rc = finish(s);
	destroy(s);
	return no_space(rc) ? 0 : rc;
}

/* --- containers ---------------------------------------------------------------------- */

static bool names_fit(const struct storage_key *key)
{
	return strlen(key->account) + strlen(key->container) <= NAME_BYTES_MAX &&
	       (!key->blob || strlen(key->blob) <= NAME_BYTES_MAX) &&
	       (!key->snapshot || (*key->snapshot && strlen(key->snapshot) <= NAME_BYTES_MAX));
}

int storage_container_create(struct storage *s, const struct storage_key *key,
			     struct storage_meta meta)
{
	struct journal_record r = { .type = J_CONTAINER, .id = s->next_id };
	size_t account = strlen(key->account), name = strlen(key->container);
	char both[NAME_BYTES_MAX + 2];

	if (!names_fit(key))
		return -ENAMETOOLONG;
	if (catalog_container(s, key))
		return -EEXIST;
	memcpy(both, key->account, account + 1);
	memcpy(both + account + 1, key->container, name + 1);
	r.name_len = (uint16_t)(account + 1 + name);
	return record(s, r, both, meta);
}

int storage_container_delete(struct storage *s, const struct storage_key *key)
{
	const struct container *c = catalog_container(s, key);
	struct journal_record r = { .type = J_CONTAINER_GONE };

	if (!c)
		return -ENOENT;
	r.id = c->id;
	return record(s, r, NULL, (struct storage_meta){ 0 });
}

/* --- metadata --------------------------------------------------------------------------- */

/* What @key names: its number and where its metadata is. */
static int find(struct storage *s, const struct storage_key *key, uint64_t *id, uint64_t *meta_at)
{
	if (key->blob) {
		const struct storage_blob *v = catalog_version(s, key);

		if (!v)
			return -ENOENT;
		*id = v->id;
		*meta_at = v->meta_at;
	} else {
		const struct container *c = catalog_container(s, key);

		if (!c)
			return -ENOENT;
		*id = c->id;
		*meta_at = c->meta_at;
	}
	return 0;
}

int storage_meta_get(struct storage *s, const struct storage_key *key, void **data, size_t *len)
{
	uint64_t id, at;
	int rc = find(s, key, &id, &at);

	return rc ? rc : journal_read(&s->journal, at, data, len);
}

int storage_meta_set(struct storage *s, const struct storage_key *key, struct storage_meta meta)
{
	struct journal_record r = { .type = J_META };
	uint64_t at;
	int rc = find(s, key, &r.id, &at);

	return rc ? rc : record(s, r, NULL, meta);
}

/* --- blobs ------------------------------------------------------------------------------- */

static int add_version(struct storage *s, uint64_t family, uint64_t size, const char *snapshot,
		       uint8_t flags, struct storage_meta meta)
{
	struct journal_record r = { .type = J_VERSION,
				    .id = s->next_id,
				    .parent = family,
				    .arg = size,
				    .flags = flags,
				    .name_len = snapshot ? (uint16_t)strlen(snapshot) : 0 };

	return record(s, r, snapshot, meta);
}

static int replace(struct storage *s, struct family *f, uint64_t size, struct storage_meta meta)
{
	int rc = add_version(s, f->id, size, NULL, 0, meta);

	if (!rc)
		rc = storage_commit(s); /* before the old one's blocks go */
	if (!rc)
		(void)family_reap(s, f);
	return rc;
}

/* The family of a blob to be, whose name need not be there yet. */
static int make_family(struct storage *s, const struct storage_key *key, uint64_t size,
		       struct family **out)
{
	struct journal_record r = { .type = J_FAMILY, .id = s->next_id };
	const struct container *c = catalog_container(s, key);
	int rc;

	*out = c ? catalog_family(s, key) : NULL;
	if (!c)
		return -ENOENT;
	if (size % PAGE_BYTES || size > BLOB_MAX)
		return -EINVAL;
	if (!names_fit(key))
		return -ENAMETOOLONG;
	if (*out)
		return 0;
	r.parent = c->id;
	r.name_len = (uint16_t)strlen(key->blob);
	/* A name without a version is nothing yet. */
	rc = record(s, r, key->blob, (struct storage_meta){ 0 });
	*out = rc ? NULL : catalog_family(s, key);
	return rc;
}

int storage_blob_create(struct storage *s, const struct storage_key *key, uint64_t size,
			struct storage_meta meta)
{
	struct family *f;
	int rc = make_family(s, key, size, &f);

	if (rc)
		return rc;
	return f->n ? replace(s, f, size, meta) : add_version(s, f->id, size, NULL, 0, meta);
}

int storage_blob_prepare(struct storage *s, const struct storage_key *key, uint64_t size,
			 struct storage_blob **out)
{
	struct family *f;
	int rc = make_family(s, key, size, &f);

	if (!rc)
		rc = add_version(s, f->id, size, NULL, J_PREPARED, (struct storage_meta){ 0 });
	if (rc)
		return rc;
	*out = f->versions[f->n - 1];
	(*out)->refs++;
	return 0;
}

int storage_blob_publish(struct storage_blob *b, struct storage_meta meta)
{
	struct journal_record r = { .type = J_READY, .id = b->id };
	struct family *f = b->family;
	int rc = record(b->s, r, NULL, meta);

	if (!rc && f->n > 1)
		rc = storage_commit(b->s); /* before the old one's blocks go */
	if (!rc && f->n > 1)
		(void)family_reap(b->s, f);
	return rc;
}

void storage_blob_discard(struct storage_blob *b)
{
	/* Opening would find it to be nobody's; no record must say so. */
	b->prepared = false;
	b->dying = true;
	(void)family_reap(b->s, b->family);
	storage_blob_put(b);
}

int storage_snapshot(struct storage *s, const struct storage_key *key, struct storage_meta meta)
{
	struct storage_key base = { key->account, key->container, key->blob, NULL };
	const struct storage_blob *live = catalog_version(s, &base);
	struct storage_blob *newest;
	struct family *f;

	if (!live)
		return -ENOENT;
	if (!key->snapshot || !names_fit(key))
		return -EINVAL;
	f = live->family;
	for (size_t i = live->at; i--;) {
		newest = f->versions[i];
		if (!newest->snapshot)
			continue;
		if (strcmp(newest->snapshot, key->snapshot) >= 0)
			return -EEXIST;
		table_rest(&newest->index); /* it changes no more */
		break;
	}
	return add_version(s, f->id, live->size, key->snapshot, 0, meta);
}

static int gone(struct storage *s, const struct family *f)
{
	struct journal_record r = { .type = J_FAMILY_GONE, .id = f->id };

	return record(s, r, NULL, (struct storage_meta){ 0 });
}

/* A snapshot, or the family's all. */
static int dying(struct storage *s, uint64_t id)
{
	struct journal_record r = { .type = J_DYING, .id = id };

	return record(s, r, NULL, (struct storage_meta){ 0 });
}

/* Whether anybody can see a snapshot of it. */
static bool has_snapshots(const struct family *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->versions[i]->snapshot && !f->versions[i]->dying)
			return true;
	return false;
}

int storage_blob_delete(struct storage *s, const struct storage_key *key)
{
	struct storage_blob *v = catalog_version(s, key);
	struct family *f;
	int rc;

	if (!v)
		return -ENOENT;
	f = v->family;
	if (!v->snapshot)
		return has_snapshots(f) ? -ENOTEMPTY : gone(s, f);
	rc = dying(s, v->id);
	if (!rc)
		(void)family_reap(s, f);
	return rc;
}

int storage_blob_purge(struct storage *s, const struct storage_key *key, bool keep_blob)
{
	struct storage_key base = { key->account, key->container, key->blob, NULL };
	struct storage_blob *live = catalog_version(s, &base);
	struct family *f;
	int rc;

	if (!live)
		return -ENOENT;
	f = live->family;
	if (!keep_blob)
		return gone(s, f);
	if (!has_snapshots(f))
		return 0;
	rc = dying(s, f->id);
	if (!rc)
		(void)family_reap(s, f);
	return rc;
}

int storage_blob_get(struct storage *s, const struct storage_key *key, struct storage_blob **out)
{
	struct storage_blob *v = catalog_version(s, key);

	if (!v)
		return -ENOENT;
	v->refs++;
	*out = v;
	return 0;
}

void storage_blob_put(struct storage_blob *b)
{
	if (b && !--b->refs && b->dead)
		version_free(b);
}

uint64_t storage_blob_size(const struct storage_blob *b)
{
	return b->size;
}

uint64_t storage_stamp(const struct storage_blob *b)
{
	return b->stamp;
}

int storage_stamp_of(struct storage *s, const struct storage_key *key, uint64_t *stamp)
{
	const struct storage_blob *v = key->blob ? catalog_version(s, key) : NULL;

	*stamp = v ? v->stamp : 0;
	return v || !key->blob ? 0 : -ENOENT;
}

void storage_stamp_next(struct storage_blob *b, uint64_t stamp)
{
	b->stamp_next = stamp;
}
