/* SPDX-License-Identifier: MIT */
/*
 * io.h - the request path: from a descriptor to whoever carries it out
 *
 *   link (driver) --descriptor--> queue --io--> backend
 *                 <--completion--       <--io_done()
 *
 * The link receives descriptors and sends completions; the queue holds a
 * request back while it overlaps an earlier one (Documentation/design.rst,
 * "Rules that keep the data"); the backend does the work: the page blob, or
 * memory in the benchmark.  All in one loop, nothing locks.
 */
#ifndef DRIVE_IO_H
#define DRIVE_IO_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/cdrive.h>

struct io_queue;

/* One request in the helper's hands.  There is one for each of the driver's
 * slots, so none is ever allocated. */
struct io {
	struct cdrive_descriptor desc;
	unsigned int slot;
	bool busy;
	unsigned int blockers; /* earlier requests that this one waits for */
	struct io *prev, *next; /* order of arrival */
	struct io *next_ready;
	struct io_queue *queue;
};

static inline uint64_t io_offset(const struct io *io)
{
	return io->desc.sector << 9;
}

static inline uint64_t io_bytes(const struct io *io)
{
	return (uint64_t)io->desc.sectors << 9;
}

/*
 * What carries requests out.  submit() may call io_done() before it returns.
 * Requests given to it at one time never overlap, but for reads with reads.
 * cancel() stops work on all of them; io_done() is not called for them then.
 */
struct backend_ops {
	void (*submit)(void *backend, struct io *io);
	void (*cancel)(void *backend);
};

/* Ends a request with 0 or a negative errno. */
void io_done(struct io *io, int status);

#endif
