/* SPDX-License-Identifier: MIT */
/*
 * storage.h - where devstore keeps containers and page blobs
 *
 * One small interface, so that another engine can take the place of the one
 * that is there (engine.c: a directory).  The engine knows objects, pages and
 * opaque metadata; it knows nothing of HTTP, leases or conditions.  Single
 * threaded: the server calls it from its loop.
 *
 * An object is named by a key: account/container for a container,
 * account/container/blob for a blob, with a snapshot's time beside it.  Any
 * bytes but NUL may stand in the parts; the engine makes file names of them
 * that stay within its directory.
 *
 * Promises.  What returned 0 survives the process's death at any moment, as one
 * whole: of an operation that was under way, all or nothing is there after it
 * (a write of pages: each 512-byte page whole, old or new).  What failed has
 * changed nothing; only a clear of more than 4 MiB may be done in part, which its
 * stamp shows.  With @durable, storage_sync() makes it survive a power loss too.
 * Opening recovers by itself.  Every block read is verified by its checksum: -EBADMSG says that the
 * disk changed it, and nothing of it is returned.  Space: a blob takes what was
 * written to it; a snapshot what changed after it; clearing gives space back.
 *
 * The stamp: what a client may take for a sign of change (the ETag) goes in with
 * the pages that change, or before them: a death between the two leaves a new
 * stamp on old data, and never the reverse.
 *
 * A full disk.  What is there is read, what gives space back is done, all else
 * answers -ENOSPC (or -EDQUOT) until there is room.  A storage can be opened on a
 * full disk, too.
 *
 * The end.  When the disk refuses what can't be taken back (a flush of a durable
 * storage), or the directory is gone, nothing changes any more: all such calls
 * answer -EIO, and storage_failure() says why.
 *
 * Functions return 0 or a negative errno: -ENOENT, -EEXIST, -ENOSPC, -EBADMSG,
 * -ENOTEMPTY (deleting a blob that has snapshots), -EINVAL (no multiple of 512,
 * beyond the end), -EROFS (changing a snapshot), -EIO, -ENOMEM.
 */
#ifndef DEVSTORE_STORAGE_H
#define DEVSTORE_STORAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct storage;
struct storage_blob; /* an open blob or snapshot; counted */

struct storage_key {
	const char *account;
	const char *container;
	const char *blob; /* NULL: the container itself */
	const char *snapshot; /* NULL: the blob itself */
};

/* Opaque to the engine: the server's record of the object. */
struct storage_meta {
	const void *data;
	size_t len;
};

/* Makes @dir when it is missing; -EBUSY when another process has it open,
 * -EPROTONOSUPPORT when a later version of this engine made it. */
int storage_open(struct storage **out, const char *dir, bool durable);
/* No blob may be open any more.  Not 0: what was acknowledged is as good as it is
 * on that disk, and the next opening has something to recover. */
int storage_close(struct storage *s);

/* Why nothing changes any more: a negative errno (-ESTALE: the directory is gone),
 * or 0. */
int storage_failure(const struct storage *s);
/* Whether the disk is so full that nothing can be changed for now. */
bool storage_crowded(const struct storage *s);

/* With @durable: everything that returned before this call is on the disk when
 * it returns.  The server groups the writes of one turn before one call. */
int storage_sync(struct storage *s);

/* --- containers (key.blob == NULL) --- */
int storage_container_create(struct storage *s, const struct storage_key *key,
			     struct storage_meta meta);
/* With every blob and snapshot in it, as one. */
int storage_container_delete(struct storage *s, const struct storage_key *key);

/* --- metadata of containers, blobs and snapshots --- */
/* *data is malloc'ed, the caller's. */
int storage_meta_get(struct storage *s, const struct storage_key *key, void **data, size_t *len);
int storage_meta_set(struct storage *s, const struct storage_key *key, struct storage_meta meta);

/*
 * Calls @each for every container of an account (@parent: the account alone), or
 * every blob and snapshot of a container, whose name begins with @prefix (NULL:
 * all), until it returns false.  In the order Azure lists them: by name, byte by
 * byte, and a blob's snapshots, oldest first, before the blob.  @after: only what
 * comes after this one in that order (it need not exist any more; of a listing
 * of containers only its container counts); NULL: from the start.  The key's
 * strings live as long as the call; @each may read metadata and change nothing.
 */
int storage_list(struct storage *s, const struct storage_key *parent, const char *prefix,
		 const struct storage_key *after,
		 bool (*each)(void *arg, const struct storage_key *key), void *arg);

/* --- blobs --- */
/* Makes a blob of @size zero bytes, or replaces the one there is (its data; its
 * snapshots stay). */
int storage_blob_create(struct storage *s, const struct storage_key *key, uint64_t size,
			struct storage_meta meta);
/*
 * A blob that nobody sees, to be written and then to appear as a whole, in place of
 * the one there is: *out, open.  It ends by storage_blob_publish(), which leaves it
 * open, or by storage_blob_discard(), which closes it; a death discards it.
 */
int storage_blob_prepare(struct storage *s, const struct storage_key *key, uint64_t size,
			 struct storage_blob **out);
int storage_blob_publish(struct storage_blob *b, struct storage_meta meta);
void storage_blob_discard(struct storage_blob *b);
/* A snapshot, or a blob that has none (-ENOTEMPTY). */
int storage_blob_delete(struct storage *s, const struct storage_key *key);
/* A blob and all its snapshots, as one; with @keep_blob the snapshots only. */
int storage_blob_purge(struct storage *s, const struct storage_key *key, bool keep_blob);

/* A blob that is deleted or replaced while it is open answers -ENOENT. */
int storage_blob_get(struct storage *s, const struct storage_key *key, struct storage_blob **out);
void storage_blob_put(struct storage_blob *b);
uint64_t storage_blob_size(const struct storage_blob *b);

/* The stamp of the last change of pages; 0: there was none, or none had one. */
uint64_t storage_stamp(const struct storage_blob *b);
/* The same of what @key names. */
int storage_stamp_of(struct storage *s, const struct storage_key *key, uint64_t *stamp);
/* The next write or clear of this blob brings @stamp along, which is higher than
 * the one before. */
void storage_stamp_next(struct storage_blob *b, uint64_t stamp);

/* Page operations: multiples of 512, within the blob. */
int storage_write(struct storage_blob *b, uint64_t offset, const void *data, size_t len);
int storage_clear(struct storage_blob *b, uint64_t offset, uint64_t len);
int storage_read(struct storage_blob *b, uint64_t offset, void *buf, size_t len);
/* What is new is zero.  @meta: the metadata that goes with it, as one; NULL: what
 * there is. */
int storage_resize(struct storage_blob *b, uint64_t size, const struct storage_meta *meta);

/* The ranges that hold data in [offset, offset + len), ascending and merged. */
int storage_ranges(struct storage_blob *b, uint64_t offset, uint64_t len,
		   bool (*each)(void *arg, uint64_t offset, uint64_t len), void *arg);

/* What differs from @older, a snapshot of the same blob: ranges written, and
 * (cleared = true) ranges that held data then and hold none now. */
int storage_diff(struct storage_blob *b, struct storage_blob *older, uint64_t offset, uint64_t len,
		 bool (*each)(void *arg, uint64_t offset, uint64_t len, bool cleared), void *arg);

/* A snapshot of the blob as it is now; @key has the snapshot's time.  Times go
 * up: -EEXIST when the blob has one of this time or of a later one. */
int storage_snapshot(struct storage *s, const struct storage_key *key, struct storage_meta meta);

/* Copies up to @max bytes worth of ranges from @from to @to (which is no smaller),
 * and clears what is none, going on at *position; *position == size of @from when
 * it is complete.  So that a copy can be asynchronous. */
int storage_copy(struct storage_blob *to, struct storage_blob *from, uint64_t *position,
		 uint64_t max);

#endif
