/* SPDX-License-Identifier: MIT */
/*
 * engine.h - what the parts of the file engine share (its model is in engine.c)
 *
 * catalog.c   containers, blobs, versions: found, listed, built from the journal
 * family.c    a blob's files: opened, closed, what a deleted version leaves
 * slots.c     places in the data file: taken, given, punched
 * blocks.c    entries, descriptions, one batch of changed blocks
 * pages.c     storage_read, _write, _clear, _resize
 * ranges.c    storage_ranges, _diff, _copy
 * recover.c   opening, committing, rewriting the journal
 * io.c        whole reads and writes, file names
 */
#ifndef DEVSTORE_ENGINE_H
#define DEVSTORE_ENGINE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <time.h>

#include "devstore/storage/bits.h"
#include "devstore/storage/ids.h"
#include "devstore/storage/journal.h"
#include "devstore/storage/table.h"
#include "devstore/storage/storage.h"

#define BLOCK_BYTES 4096u
#define PAGE_BYTES 512u
#define BLOCK_PAGES (BLOCK_BYTES / PAGE_BYTES)
#define ALL_PAGES 0xffu
#define BLOB_MAX (8ull << 40) /* Azure's; a slot number names twice that */
#define BATCH_BLOCKS 64u /* written or read by one call */
#define WHOLE_BLOCKS 1025u /* changed as one, at least: 4 MiB wherever they begin */

struct family;

/* A version: the blob as it is now, or a snapshot.  Also what a caller holds open. */
struct storage_blob {
	struct storage *s;
	struct family *family;
	uint64_t id;
	char *snapshot; /* NULL: the blob */
	uint64_t size;
	uint64_t meta_at; /* the record in the journal that has the metadata */
	uint64_t meta_new; /* the same while the journal is rewritten */
	uint64_t stamp, stamp_next; /* of the last change of pages; of the one to come */
	uint64_t stamp_saved; /* the one that the journal has */
	size_t at; /* in family->versions */
	unsigned int refs;
	bool barrier; /* what the version before it lacks is zero, and not here */
	bool prepared; /* being written, and seen by nobody but who writes it */
	bool dying; /* deleted, its blocks not yet sorted; only the engine sees it */
	bool dead; /* out of its family, kept by its callers */
	struct table index;
};

/* Where blocks of data are; slot 0 stays empty. */
struct slots {
	bool known; /* which are free */
	uint32_t n; /* of the file */
	size_t cursor;
	unsigned int keep; /* that many may be free and take space, for the next write */
	struct bits free; /* not in any index */
	struct bits dirty; /* free, and taking space */
	struct limbo {
		uint32_t *slots;
		size_t n, cap;
	} limbo[2]; /* given up after the last commit, and before it */
};

/* A blob name with its versions, oldest first; the blob, if it is there, last. */
struct family {
	struct container *container;
	uint64_t id;
	char *name;
	struct storage_blob **versions;
	size_t n, cap;
	/* While it is loaded: */
	bool loaded;
	bool unfinished; /* versions to be reaped, or blocks beyond the end, may be there */
	bool dirty; /* changed since the last commit */
	uint64_t used; /* when, for unloading the one longest unused */
	int data_fd; /* -1: no file yet */
	struct table desc; /* of the slots */
	struct slots slots;
};

struct container {
	char *account, *name;
	uint64_t id, meta_at, meta_new;
	struct family **families; /* by name */
	size_t n, cap;
};

struct storage {
	int dir_fd, lock_fd;
	char *journal_path; /* of the file that journal.fd is, or the directory is gone */
	bool durable;
	bool journalled; /* index changes go through the journal: durable, and open */
	bool replaying; /* records come from the journal, and the files are as they are */
	int failure; /* the disk refused what can't be taken back; nothing changes any more */
	bool crowded; /* the journal could not be rewritten when it was opened */
	time_t looked; /* when it was last seen that the directory is where it was, s */
	bool mixed; /* and it is another kind of run's, which can't be gone on with */
	bool limbo; /* slots wait for one more commit */
	bool unapplied; /* so do changes of indexes, for space */
	bool no_punch; /* the file system can't */
	struct journal journal;
	uint64_t clean_end; /* the journal's end when all was last committed */
	uint64_t next_id, clock;
	struct ids ids;
	struct container **containers; /* by account and name */
	size_t n, cap;
	struct family **loaded;
	size_t loaded_n, loaded_cap;
	bool dir_changed[257]; /* the 256 directories of objects, and the one above */
};

/* --- io.c --- */

/* All of it or an error; reading past the end is -EBADMSG. */
int read_all(int fd, void *buf, size_t len, uint64_t at);
int write_all(int fd, const void *buf, size_t len, uint64_t at);
/* Changes @iov on the way. */
int writev_all(int fd, struct iovec *iov, int n, uint64_t at);

/* The file of an object: an fd or a negative errno; with O_CREAT also its directory. */
int object_open(struct storage *s, uint64_t id, const char *kind, int flags);
void object_remove(struct storage *s, uint64_t id, const char *kind);
/* Removes the files that belong to nothing in the catalogue. */
int objects_sweep(struct storage *s);
/* Makes the names of new files durable. */
int objects_sync(struct storage *s);

/* --- catalog.c --- */

struct container *catalog_container(struct storage *s, const struct storage_key *key);
struct family *catalog_family(struct storage *s, const struct storage_key *key);
/* The blob or snapshot that @key names, or NULL. */
struct storage_blob *catalog_version(struct storage *s, const struct storage_key *key);
/* The blob itself, or NULL. */
struct storage_blob *family_live(const struct family *f);
/* Takes a record in, from the journal or just appended to it at @at. */
int catalog_take(struct storage *s, const struct journal_record *r, const char *name, uint64_t at);
/* After the last record: blobs that never came to be go. */
void catalog_settle(struct storage *s);
void catalog_free(struct storage *s);
void version_free(struct storage_blob *v);

/* --- family.c --- */

int family_load(struct storage *s, struct family *f);
/* Also knows which slots are free, and is done with what a death left undone. */
int family_load_to_change(struct storage *s, struct family *f);
void family_unload(struct storage *s, struct family *f);
/* What was stored in its tables, to the disk. */
int family_sync(struct family *f);
/* Each blob's stamp as its data file has it, after a death. */
int families_read_stamps(struct storage *s);
/* Puts @v's next stamp into its family's data file. */
int family_write_stamp(const struct storage_blob *v);
/* Sorts out the blocks of dying versions; what fails is tried again by and by. */
int family_reap(struct storage *s, struct family *f);

/* --- slots.c --- */

int slots_know(struct storage *s, struct family *f);
/* Up to @want slots in a row from *@first on: how many, or a negative errno. */
int slots_take(struct family *f, uint32_t want, uint32_t *first);
/* What no index names any more; @now: and none ever did. */
void slots_give(struct storage *s, struct family *f, uint32_t slot, bool now);
/* After a commit. */
void slots_committed(struct storage *s, struct family *f);
/* When nothing is left: nor is the file. */
void slots_trim(struct family *f);
void slots_forget(struct family *f);

/* --- blocks.c --- */

/* A place in the data file and the checksum of what is there; 0: nothing. */
#define ENTRY(slot, crc) ((uint64_t)(crc) << 32 | (slot))
#define ENTRY_SLOT(entry) ((uint32_t)(entry))
#define ENTRY_CRC(entry) ((uint32_t)((entry) >> 32))
#define HOLE_SLOT UINT32_MAX /* of a snapshot: nothing, whatever the next version has */

/* Which pages of a slot hold data, and which were written since the snapshot below. */
struct desc {
	uint8_t pages, changed;
};

/* What version @v has at @block, if need be by way of the versions after it: 0 or
 * an entry with a slot; -EBADMSG. */
int block_entry(const struct storage_blob *v, uint64_t block, uint64_t *entry);
int block_desc(const struct family *f, uint64_t block, uint64_t entry, struct desc *d);
void block_set_desc(struct family *f, uint64_t block, uint64_t entry, struct desc d);
uint64_t block_hole(const struct family *f, uint64_t block);
uint32_t block_crc(uint64_t family, uint64_t block, uint32_t slot, uint8_t pages, const void *data);
/* The first block at or after @block that @v may have, or TABLE_NONE. */
uint64_t block_next(const struct storage_blob *v, uint64_t block);

/* Takes from @v's index the entries that the version after it has as well, which
 * a death can leave: then every slot is named once. */
void blocks_unshare(struct storage_blob *v);

/* One block's change: to these pages of @data (4 KiB), none of them: to nothing. */
struct change {
	uint64_t block;
	const unsigned char *data;
	uint8_t pages, written;
	/* The engine's: */
	uint64_t old, entry;
	struct desc desc;
	bool push, sound;
};

/* Makes changes to @v, blocks ascending, and brings its stamp along; on failure
 * none. */
int blocks_change(struct storage *s, struct storage_blob *v, struct change *c, unsigned int n);

/* --- pages.c --- */

/* Nothing lies beyond a blob's end, where it may grow to. */
int pages_clear_beyond(struct storage_blob *v);

/* --- recover.c --- */

/* Appends a record and takes it in; one that takes something away only once it
 * is on the disk, as the files then go. */
int record(struct storage *s, struct journal_record r, const char *name, struct storage_meta meta);
int storage_commit(struct storage *s);
/* Commits and rewrites the journal without what is past. */
int journal_compact(struct storage *s);
/* Either, when it is worth while; before every change.  @frees: it gives space back,
 * and goes where nothing else does. */
int journal_tidy(struct storage *s, bool frees);
/* Whether the directory is where it was; -ESTALE is the end.  Lately: whether it is
 * there still, and was where it was a second ago, for less. */
int storage_present(struct storage *s);
int storage_present_lately(struct storage *s);
/* Whether an error says that there is no room. */
static inline bool no_space(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}
/* Reads the journal and puts everything in order. */
int recover(struct storage *s);

#endif
