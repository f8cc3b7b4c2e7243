/* SPDX-License-Identifier: MIT */
/*
 * journal.h - the journal: what there is, in the order in which it came to be
 *
 * One file of records.  Appending a record is what makes an operation on names,
 * versions or metadata happen; a record cut short by a death is cut off when the
 * journal is next read, and anything else that is wrong with one is damage
 * (-EBADMSG).  Reading it from the start builds the catalogue (catalog.c);
 * metadata stays in the file and is read, and verified, when asked for.
 */
#ifndef DEVSTORE_JOURNAL_H
#define DEVSTORE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devstore/storage/storage.h"

enum journal_type {
	J_OPEN = 1, /* the first of a run; parent: the files' format; arg: the next id; flags:
		     * J_DURABLE */
	J_CLOSE, /* in order: nothing is left to recover */
	J_NOTE, /* nothing but what every record tells: @committed */
	J_CONTAINER, /* name: account NUL container */
	J_CONTAINER_GONE,
	J_FAMILY, /* a blob with its snapshots; parent: container; name */
	J_FAMILY_GONE,
	J_VERSION, /* parent: family; arg: size; name: the snapshot's, none: the blob */
	J_DYING, /* a version, or a family's snapshots: seen no more, blocks not yet sorted */
	J_GONE, /* a version's blocks are sorted */
	J_SIZE, /* of a version; arg; with its metadata, or without data */
	J_META, /* of a container or a version */
	J_INDEX, /* parent: the snapshot below, or 0; arg: the stamp, or 0; an array of
		  * struct journal_block */
	J_STAMP, /* of a version; arg */
	J_READY, /* a version that was prepared is the blob; with its metadata */
};

#define J_DURABLE 1 /* of J_OPEN: after what is committed all may be torn */
#define J_BARRIER 2 /* of J_VERSION: see struct storage_blob */
#define J_IS_DYING 4 /* of J_VERSION */
#define J_PREPARED 8 /* of J_VERSION: J_READY makes it the blob, if it comes */

struct journal_record {
	uint32_t data_len;
	uint16_t name_len;
	uint8_t type, flags;
	uint64_t id, parent, arg;
	uint32_t data_crc, name_crc;
	uint32_t committed; /* the journal up to here, and the data it names, is on the disk */
	uint32_t crc; /* of all above */
};

/* One changed block of J_INDEX. */
struct journal_block {
	uint64_t block, entry;
	uint32_t desc, pushed; /* 1: @entry goes to the snapshot's index */
};

struct journal {
	int fd;
	uint64_t end;
	uint64_t committed; /* up to here, it and the data it names are on the disk */
	uint64_t reserved; /* the file has blocks up to here */
	uint64_t compact_at; /* the size from which on it is worth while */
	bool broken; /* half a record is at its end that can't be cut off */
};

/* A record's name and data, one after the other as in the file. */
struct journal_body {
	const void *name, *data;
};

/* Appends @r, whose lengths and type are set, with its body; *@at (may be NULL)
 * is where it went.  @frees: it gives space back and may take the last that is
 * kept for that. */
int journal_append(struct journal *j, struct journal_record r, struct journal_body body, bool frees,
		   uint64_t *at);

/* To the disk with it, and with a note that it is there: from then on what can't be
 * read before that note is damage, and not a torn end. */
int journal_sync(struct journal *j);

/* Appends @from's record at @at to @j, as it is but for what @as says. */
int journal_copy(struct journal *j, const struct journal *from, uint64_t *at,
		 struct journal_record as, const void *name);

/* The data of the record at @at, malloc'ed and verified. */
int journal_read(const struct journal *j, uint64_t at, void **data, size_t *len);

/*
 * Calls @each for every record until one returns non-zero, and cuts off a torn
 * end.  @body.data is verified (and *@each called with it) only after the last
 * commit and for J_INDEX.  @intact tells whether the data a J_INDEX names is
 * on the disk, when it may not be.
 */
struct journal_reader {
	int (*each)(void *arg, const struct journal_record *r, struct journal_body body,
		    uint64_t at);
	bool (*intact)(void *arg, const struct journal_record *r, struct journal_body body);
	void *arg;
};
int journal_replay(struct journal *j, const struct journal_reader *reader);

#endif
