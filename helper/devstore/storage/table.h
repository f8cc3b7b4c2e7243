/* SPDX-License-Identifier: MIT */
/*
 * table.h - a sparse array of small numbers in a file, mapped
 *
 * The index of a version (8 bytes a block) and the slot descriptions of a blob
 * (4 bytes a slot) are such tables.  What was never stored is zero and takes no
 * space; which pages of the file exist is kept beside the mapping, so that a
 * look into a hole touches neither (reading a hole through a mapping would make
 * tmpfs fill it).  Room is made by table_reserve(), which is where a full disk
 * shows; after it a store can't fail.
 *
 * One aligned store is one instruction: a process killed at any moment has made
 * it or has not.  A store into a shared mapping is in the page cache at once.
 * When the storage is durable the mapping is private: stores stay in memory until
 * table_apply(), which is called once the journal that has them is on the disk.
 */
#ifndef DEVSTORE_TABLE_H
#define DEVSTORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devstore/storage/bits.h"

struct storage;

#define TABLE_PAGE 4096u
#define TABLE_NONE UINT64_MAX

struct table {
	struct storage *s;
	uint64_t id; /* whose, and with @kind the file's name */
	const char *kind;
	bool ready;
	bool unsynced; /* applied, and not known to be on the disk */
	int fd; /* for changing it; -1: not open */
	unsigned char *map;
	uint64_t size;
	struct bits present, dirty; /* pages: in the file; stored to since table_apply() */
};

void table_init(struct table *t, struct storage *s, uint64_t id, const char *kind);
/* Maps what is there; no file is an empty table. */
int table_use(struct table *t);
void table_close(struct table *t);
/* Closes the file and keeps the mapping. */
void table_rest(struct table *t);

/* Element number @i; 0 in a hole. */
uint64_t table_get64(const struct table *t, uint64_t i);
uint32_t table_get32(const struct table *t, uint64_t i);

/* Byte offset of the first page at or after that of @offset, or TABLE_NONE. */
uint64_t table_next(const struct table *t, uint64_t offset);

/* Room for these bytes: -ENOSPC and the like, with nothing changed. */
int table_reserve(struct table *t, uint64_t offset, uint64_t len);
/* Reserved before. */
void table_set64(struct table *t, uint64_t i, uint64_t value);
void table_set32(struct table *t, uint64_t i, uint32_t value);

/* Gives back the whole pages within these bytes (with @zero: those that hold
 * nothing but zeroes).  What is waiting for table_apply() stays. */
void table_discard(struct table *t, uint64_t offset, uint64_t len, bool zero);

int table_apply(struct table *t);
int table_sync(struct table *t);

#endif
