/* SPDX-License-Identifier: MIT */
/*
 * listing.h - the page ranges of a whole blob, in segments
 *
 * The list of a fragmented blob may take the service longer than its own limit: it says
 * 500 then, or nothing for a long time.  So the blob is listed in segments, one after the
 * other.  The first is of LISTING_FIRST bytes.  One that takes longer than LISTING_LATE_S,
 * or that the service could not answer, is asked for again as one of a quarter of the
 * size; after one that was quick the next is four times as long.  (Microsoft, "Get Page
 * Ranges": "for a page blob with many writes, retrieve a subset of the ranges".)
 *
 * A listing is the caller's; it allocates nothing.
 */
#ifndef AZURE_LISTING_H
#define AZURE_LISTING_H

#include "azure/client.h"
#include "lib/loop.h"
#include "lib/retry.h"

#define LISTING_FIRST (16ull << 30)
#define LISTING_LEAST (4ull << 20)
#define LISTING_LATE_S 15u
#define LISTING_QUICK_MS 1000u

struct az_listing_ops {
	/* @offset … @len holds data.  In ascending order, but what comes of a segment that is
	 * asked for again may have come before. */
	void (*range)(void *arg, uint64_t offset, uint64_t len);
	/* NULL, or: a segment is about to be asked for; it is listed whole. */
	void (*begins)(void *arg, uint64_t offset, uint64_t len);
	void (*listed)(void *arg, uint64_t offset, uint64_t len);
	/* A try failed.  True: it is tried again, later.  (It must not end the listing.) */
	bool (*failed)(void *arg, const struct az_error *err, const struct retry *retry);
	/* The end: all is listed (AZ_OK), or why it was given up. */
	void (*done)(void *arg, const struct az_error *err);
};

struct az_listing {
	struct loop *loop;
	struct az_client *client;
	const struct az_blob *blob;
	const struct az_listing_ops *ops;
	void *arg;
	uint64_t size; /* of the blob, bytes; not 0 */

	uint64_t at; /* all before is listed */
	uint64_t segment; /* bytes of the next */
	uint64_t asked; /* bytes of the one under way */
	uint64_t started; /* when */
	struct az_call *call; /* NULL while it waits */
	struct loop_timer late, again;
	struct retry retry;
};

/* Begins; the loop does the rest.  None of @ops is called from within. */
void az_listing_start(struct az_listing *l, struct loop *loop, struct az_client *client,
		      const struct az_blob *blob, uint64_t size, const struct az_listing_ops *ops,
		      void *arg);

/* Ends it, without done().  Of one that has ended or never began: does nothing. */
void az_listing_stop(struct az_listing *l);

#endif
