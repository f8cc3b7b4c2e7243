/* SPDX-License-Identifier: MIT */
/*
 * machine.h - a machine that mounts the blob: a driver, and clouddrived's parts
 *
 * The driver is played: it keeps requests with their payload, hands them to the
 * helper, and to the next one in order of arrival when a helper has died, as
 * the kernel's does on adoption.  The helper is clouddrived's own lease, store,
 * queue and page map, put together as drive.c and open.c do it.
 *
 * Every write puts a version of its own into all of its sectors.
 */
#ifndef LATE_MACHINE_H
#define LATE_MACHINE_H

#include "drive/acquire.h"
#include "drive/queue.h"
#include "drive/store.h"

#include "world.h"

#define MACHINE_DEPTH 32u
#define LATE_SECTOR 512u
#define MACHINE_OLDER 4u

enum machine_state {
	MACHINE_OFF,
	MACHINE_OPENING,
	MACHINE_LIVE,
	MACHINE_DEAD, /* the helper is; its record and the driver are there */
	MACHINE_FENCED,
};

struct machine;

struct link {
	struct machine *machine;
};

struct machine_ops {
	/* The lease is had and the number raised: what others sent has landed
	 * by now, or never will. */
	void (*settled)(struct machine *m);
	/* A request ended.  Its data is still there. */
	void (*ended)(struct machine *m, unsigned int slot, int status);
	/* A request was failed by the driver: nobody knows what became of it. */
	void (*failed)(struct machine *m, unsigned int slot);
};

struct machine {
	const struct machine_ops *ops;
	void *arg;
	struct world *world;
	enum machine_state state;
	unsigned int connections;

	/* the helper */
	struct az_client *client;
	struct az_blob blob;
	struct lease lease;
	struct store store;
	struct store_buffers *buffers;
	struct io_queue queue;
	struct link link;
	bool resuming, dying;

	/* what is kept when it dies */
	struct {
		char lease_id[37];
		uint64_t number, raising_to;
	} record;

	/* the driver */
	struct machine_slot {
		bool busy;
		bool landed; /* when another machine took over */
		uint32_t generation;
		uint64_t arrival;
		uint64_t version;
		/* A program wrote to its buffer meanwhile: versions that it held before. */
		uint64_t older[MACHINE_OLDER];
		unsigned int olders;
		struct cdrive_descriptor desc;
		unsigned char data[LATE_MOST * LATE_SECTOR];
	} slot[MACHINE_DEPTH];
	uint64_t arrivals;
	unsigned int busy;

	char why[160]; /* it gave a drive up, last */
	bool usurped; /* another has taken over, and this one may not know */
};

/*
 * Mounts, or, when the helper had died, resumes; waits in the world.  0, -1
 * when it could not, or -2 when the machine must give the drive up.
 */
int machine_open(struct machine *m, bool force);

/* A request for a live machine with a free slot; @version 0: discard. */
void machine_submit(struct machine *m, uint32_t op, uint64_t sector, uint32_t sectors,
		    uint64_t version);

/* The program that submitted a write puts another version into its buffer. */
void machine_scribble(struct machine *m, unsigned int slot, uint64_t version);

/* The helper is killed, at any moment. */
void machine_die(struct machine *m);

/* The driver fails everything. */
void machine_fence(struct machine *m);

/* Ends an idle one as unmount does. */
void machine_close(struct machine *m);

/* Takes everything apart, whatever its state. */
void machine_free(struct machine *m);

/* A sector's version; UINT64_MAX when it holds no one version. */
uint64_t late_version(const unsigned char *sector);
void late_fill(unsigned char *sector, uint64_t version);

#endif
