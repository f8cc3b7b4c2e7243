/* SPDX-License-Identifier: MIT */
/*
 * index.h - the index file: what is in the cache, while the driver has no map of it
 *
 * A sequence of records, of which each has a checksum of all that is before it, too, so that
 * what is damaged, short, or put together of two, is found where it begins:
 *
 *	cache		which cache, and which generation of it (header.h)
 *	volume		a drive's name, validator and size; what follows is of it
 *	entries		slots of it (struct cdrive_cache_entry), INDEX_ENTRIES at most
 *	end		how many volumes and entries there were
 *
 * It may be some GiB: it is written and read as it goes along.  Numbers are in
 * the machine's order of bytes; it is for the machine that has the cache.
 */
#ifndef CACHE_INDEX_H
#define CACHE_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include <linux/cdrive_cache.h>
#include <uuid/uuid.h>

#define INDEX_ENTRIES 1024u

struct index_id {
	uuid_t uuid;
	uint64_t generation;
};

struct index_volume {
	uint64_t sectors;
	char name[CDRIVE_MAX_NAME + 1];
	char validator[CDRIVE_MAX_VALIDATOR + 1];
};

/* Each returns 0 or -errno; after an error what was written is of no use.  Nothing is
 * durable before it is made so. */
struct index_writer {
	int fd;
	uint64_t crc;
	uint64_t volumes, entries;
};

int index_begin(struct index_writer *w, int fd, const struct index_id *id);
int index_add_volume(struct index_writer *w, const struct index_volume *v);
int index_add_entries(struct index_writer *w, const struct cdrive_cache_entry *e, unsigned int n);
int index_end(struct index_writer *w);

struct index_ops {
	/* An error of these ends the reading. */
	int (*volume)(void *arg, const struct index_volume *v);
	int (*entries)(void *arg, const struct cdrive_cache_entry *e, unsigned int n);
};

/*
 * Reads the file @fd from where it is.  0; -EBADMSG: it is damaged, or of another cache, as
 * @why says for people: what was told by then is right, and not all there is; or another
 * -errno, also of @ops.
 */
int index_read(int fd, const struct index_id *id, const struct index_ops *ops, void *arg,
	       const char **why);

#endif
