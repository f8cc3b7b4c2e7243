/* SPDX-License-Identifier: MIT */
/*
 * validator.h - what is cached of a drive stays good after the drive is unmounted
 *
 * Just before a drive is detached the blob's ETag is read, under the lease and with no write
 * on its way, and the driver is told: while the blob has that ETag nobody has written to
 * it, and what is cached is what it holds (see l->etag, acquire.h).  A write that comes
 * after that changes the ETag, so the worst that can happen is that the cache begins empty.
 *
 * It is asked for once, and not waited for longer than VALIDATOR_MS: an unmount does not hang
 * on it.  Nothing is asked for where it would prove nothing: while a write is in doubt
 * (the service may carry it out yet), or once the lease was forgotten and another client
 * may have written.  Snapshots never change: theirs was read when they were mounted.
 */
#ifndef DRIVE_VALIDATOR_H
#define DRIVE_VALIDATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "drive/link.h"
#include "lib/loop.h"

#define VALIDATOR_MS 2000

struct az_call;
struct drive;

/* What a new drive is to have of the cache: with what is kept of it, if the blob is as it was
 * when that was told.  Notes why, or why not. */
struct link_cache validator_proven(struct drive *d);

struct validator {
	struct drive *drive;
	struct az_call *call;
	struct loop_timer timer;
	uint64_t writes; /* that had come when it was asked for */
	bool told; /* the driver knows it, as of so many writes */
	void (*done)(void *arg);
	void *arg;
};

void validator_init(struct validator *v, struct drive *d);

/* Calls @done when the driver knows it, or won't; which may be before this returns.
 * Nothing is done when it knows it already. */
void validator_tell(struct validator *v, void (*done)(void *arg), void *arg);

/* Nobody waits any more. */
void validator_stop(struct validator *v);

#endif
