/* SPDX-License-Identifier: MIT */
/*
 * expiry.h - a drive whose park limit has passed, and how it goes on
 *
 * What the driver had waiting has failed then, and all that comes fails, until this
 * helper says that it knows of it.  What failed may have been sent, and may land yet:
 * nothing of it is repeated, and the sequence number is raised first, so that none of it
 * lands after what comes later (Documentation/design.rst, "The sequence number").  A
 * snapshot has no number: its properties are read, until that succeeds.
 */
#ifndef DRIVE_EXPIRY_H
#define DRIVE_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "azure/client.h"
#include "lib/loop.h"
#include "lib/retry.h"

struct drive;

struct expiry {
	struct drive *drive;
	bool passed; /* and the driver was not told yet that we know */
	uint64_t number; /* what failed may have named it, or a smaller one */
	struct az_call *probe; /* of a snapshot */
	struct loop_timer timer; /* for its next try */
	struct retry retry;
};

void expiry_init(struct expiry *e, struct drive *d);

/* The driver says that the limit has passed. */
void expiry_passed(struct expiry *e);

/* The lease is held, and the number settled. */
void expiry_held(struct expiry *e);

void expiry_stop(struct expiry *e);

#endif
