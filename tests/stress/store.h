/* SPDX-License-Identifier: MIT */
/*
 * store.h - what a drive's helpers share: the data, and a book of requests
 *
 * Lies in memory that forked processes share, and survives whichever of them is
 * killed in whatever it is doing.  Each helper has an epoch, and one of the past
 * changes nothing any more: as with a page blob, whose sequence number the next
 * helper raises.
 *
 * The book has an entry for each slot of the drive, and with it finds out when the
 * driver uses a slot again too soon, and what a helper that adopts the drive is sent
 * in the wrong order, or not as it was.
 */
#ifndef STRESS_STORE_H
#define STRESS_STORE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <linux/cdrive.h>

#define SECTOR 512
#define STORE_SECTORS 8192u

enum store_progress {
	STORE_NONE,
	STORE_OPEN, /* is the helper's to carry out */
	STORE_ENDING, /* a completion is being sent: may have been, when the helper dies */
	STORE_DONE, /* was sent */
};

struct store_entry {
	struct cdrive_descriptor d;
	uint32_t order; /* of arrival, over all helpers */
	enum store_progress progress;
	bool stored; /* carried out, at least in part */
	unsigned int sending; /* threads that complete it */
};

struct store {
	pthread_mutex_t lock; /* all but the counters */
	unsigned int index; /* for people */
	uint32_t epoch;
	uint32_t order;
	struct store_entry now[CDRIVE_QUEUE_DEPTH];
	/* What the last helper had, until it comes again. */
	struct store_entry before[CDRIVE_QUEUE_DEPTH];
	uint32_t last; /* order of what came last of that */
	bool news; /* something else has come since */

	atomic_ulong requests, replayed, stale;
	unsigned char data[STORE_SECTORS * SECTOR];
};

struct store *store_new(void);
/* For a new drive. */
void store_reset(struct store *s, unsigned int index);

/* A new helper: its epoch. */
uint32_t store_take_over(struct store *s);

/* A request has come to the helper of @epoch. */
void store_arrived(struct store *s, uint32_t epoch, const struct cdrive_descriptor *d);

/* Carries @d out, with @buf as its data; false: it is not this helper's any more, or done
 * already.  Reads may be done again, writes are done once. */
bool store_carry_out(struct store *s, uint32_t epoch, const struct cdrive_descriptor *d,
		     unsigned char *buf);

/* Marks @tag; false: it is not this helper's any more. */
bool store_progress(struct store *s, uint32_t epoch, uint32_t tag, enum store_progress progress);

#endif
