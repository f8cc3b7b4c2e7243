/* SPDX-License-Identifier: MIT */
/*
 * wire.h - a helper's socket, of which nothing is assumed
 *
 * helper/drive/link.h says what a good helper says, from its one thread.  This one
 * says it at any time, about any drive, waits for what the driver answers to it, and
 * lets other threads complete requests and copy payload meanwhile.  Functions return
 * 0 or a negative errno: the driver's, -ENOENT when the family is not there (the module
 * is unloaded), -ETIMEDOUT when no answer came.
 */
#ifndef STRESS_WIRE_H
#define STRESS_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/cdrive.h>

struct wire {
	atomic_int fd, payload; /* -1: closed */
	uint16_t family;
	uint32_t seq;
	unsigned int index; /* of the drive that is its own */

	/* called by whoever waits for an answer, or asks wire_receive() */
	void (*request)(void *arg, const struct cdrive_descriptor *d);
	void (*ready)(void *arg, int err);
	void *arg;
	/* a command was sent, so has been carried out */
	void (*sent)(void);
};

struct wire_drive {
	uint64_t sectors;
	uint64_t until; /* 0: none */
	unsigned int park_limit; /* 0: the module's */
	bool read_only;
};

int wire_open(struct wire *w);
void wire_close(struct wire *w);

/* The payload device, which holds the module; for the socket that is open. */
int wire_open_payload(struct wire *w);

/* These two make the drive the wire's own, of which the others speak. */
int wire_attach(struct wire *w, const struct wire_drive *drive);
int wire_adopt(struct wire *w, unsigned int index, uint64_t until);
/* 0, too, when there is no such drive (any more). */
int wire_detach(struct wire *w, bool force);
/* PARK, RESUME, FENCE */
int wire_ask(struct wire *w, enum cdrive_cmd cmd);

/* These two go by the payload device; by any thread. */
int wire_lease(struct wire *w, uint64_t until);
int wire_complete(struct wire *w, const struct cdrive_completion *done, unsigned int n);

/* Handles what comes within @ms. */
void wire_receive(struct wire *w, int ms);

/* Like pread(2) and pwrite(2): bytes or a negative errno; by any thread. */
long wire_read(struct wire *w, uint32_t tag, void *buf, size_t len, uint32_t pos);
long wire_write(struct wire *w, uint32_t tag, const void *buf, size_t len, uint32_t pos);

#endif
