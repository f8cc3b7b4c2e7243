// SPDX-License-Identifier: MIT
/*
 * scan.c - runs of data
 *
 * The window is the part of the file that was read and not handed out: a buffer
 * of its own, which becomes the run's, while what was read beyond the run moves
 * to the next window.  Reading goes in chunks, so that this is little.
 */
#include "image/scan.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 512u
#define CHUNK (256u << 10)
#define ROOM (SCAN_RUN + CHUNK)
#define PAUSE_AFTER (64u << 20) /* bytes of zeroes */

void scan_init(struct scan *s, int fd, bool pipe, uint64_t start, uint64_t end)
{
	*s = (struct scan){
		.fd = fd,
		.pipe = pipe,
		.pos = start,
		.end = pipe ? UINT64_MAX : end,
		.data_end = pipe ? UINT64_MAX : start,
	};
}

static unsigned char *buffer_new(struct scan *s)
{
	struct scan_buffer *b = s->free;
	void *p;

	if (b) {
		s->free = b->next;
		return (unsigned char *)b;
	}
	return posix_memalign(&p, 4096, ROOM) ? NULL : p;
}

void scan_recycle(struct scan *s, unsigned char *buf)
{
	struct scan_buffer *b = (struct scan_buffer *)(void *)buf;

	b->next = s->free;
	s->free = b;
}

void scan_free(struct scan *s)
{
	while (s->free) {
		struct scan_buffer *b = s->free;

		s->free = b->next;
		free(b);
	}
	free(s->window);
	s->window = NULL;
}

/* memcmp() with itself, one byte on, is as fast as memory. */
static bool is_zero(const unsigned char *p, size_t len)
{
	return !*p && !memcmp(p, p + 1, len - 1);
}

/* --- reading ------------------------------------------------------------------- */

/* The window is empty: to the next data. */
static int skip_hole(struct scan *s)
{
	off_t data, hole;

	data = lseek(s->fd, (off_t)s->pos, SEEK_DATA);
	if (data < 0 && errno == ENXIO) {
		s->pos = s->end; /* nothing but a hole is left */
		return 0;
	}
	if (data < 0) { /* a file system, or a disk, that can't tell */
		s->data_end = s->end;
		return 0;
	}
	hole = lseek(s->fd, data, SEEK_HOLE);
	data &= ~(off_t)(PAGE - 1);
	s->pos = (uint64_t)data < s->end ? (uint64_t)data : s->end;
	s->data_end = hole < 0 ? s->end : ((uint64_t)hole + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	if (s->data_end > s->end)
		s->data_end = s->end;
	return 0;
}

/* Bytes that were read, 0 when there are none now. */
static ssize_t read_pipe(struct scan *s, size_t len)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return 0;
	n = read(s->fd, s->window + s->have, len);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	s->ended = !n;
	return n;
}

static ssize_t read_file(struct scan *s, size_t len)
{
	uint64_t at = s->pos + s->have;
	ssize_t n;

	if (len > s->data_end - at)
		len = (size_t)(s->data_end - at);
	n = pread(s->fd, s->window + s->have, len, (off_t)at);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? n : -ENODATA; /* it was longer a moment ago */
}

/* Another chunk: 0 or a negative errno. */
static int read_more(struct scan *s)
{
	size_t room = ROOM - s->have;
	size_t len = room < CHUNK ? room : CHUNK;
	ssize_t n;

	if (!s->window) {
		s->window = buffer_new(s);
		if (!s->window)
			return -ENOMEM;
	}
	n = s->pipe ? read_pipe(s, len) : read_file(s, len);
	if (n < 0)
		return (int)n;
	s->have += (size_t)n;
	s->seen += (uint64_t)n;
	return 0;
}

/* Is all read up to the next hole, or the end? */
static bool read_up(const struct scan *s)
{
	return s->pipe ? s->ended : s->pos + s->have >= s->data_end;
}

/* --- finding ------------------------------------------------------------------------ */

/* Drops @n bytes from the window's front. */
static void drop(struct scan *s, size_t n)
{
	s->pos += n;
	s->have -= n;
	if (s->have)
		memmove(s->window, s->window + n, s->have);
}

/* Drops the zeroes at the window's front. True when data is there. */
static bool at_data(struct scan *s)
{
	size_t whole = s->have & ~(size_t)(PAGE - 1), n = 0;

	while (n < whole && is_zero(s->window + n, PAGE))
		n += PAGE;
	if (n)
		drop(s, n);
	return n < whole;
}

/*
 * How long the run at the window's front is, of what is in the window so far;
 * *@whole when no more could be added to it.  *@from is where to go on looking,
 * and the end of the last data before it.
 */
static size_t run_length(const struct scan *s, size_t *from, size_t *data, bool *whole)
{
	size_t limit = s->have & ~(size_t)(PAGE - 1);
	size_t i = *from;

	if (limit > SCAN_RUN)
		limit = SCAN_RUN;
	for (; i < limit && i - *data < SCAN_GAP; i += PAGE)
		if (!is_zero(s->window + i, PAGE))
			*data = i + PAGE;
	*from = i;
	*whole = i == SCAN_RUN || i - *data >= SCAN_GAP;
	return *data;
}

/* Hands out the window's first @len bytes, and the window with them. */
static int hand_out(struct scan *s, size_t len, unsigned char **buf, uint64_t *offset,
		    uint32_t *out)
{
	size_t rest = s->have - len;
	unsigned char *next = buffer_new(s);

	if (!next)
		return -ENOMEM;
	memcpy(next, s->window + len, rest);
	*buf = s->window;
	*offset = s->pos;
	*out = (uint32_t)len;
	s->window = next;
	s->pos += len;
	s->have = rest;
	return SCAN_RUN_FOUND;
}

/* To the first data.  1 when it is there, else what scan_next() says. */
static int find_data(struct scan *s)
{
	size_t looked = 0;

	while (!s->have || !at_data(s)) {
		size_t before = s->have;
		int err;

		if (s->pipe && s->ended)
			return SCAN_END;
		if (!s->pipe && s->pos + s->have >= s->end)
			return SCAN_END;
		if (!s->pipe && !s->have && s->pos >= s->data_end) {
			err = skip_hole(s);
			if (err)
				return err;
			if (s->pos >= s->end)
				return SCAN_END;
		}
		err = read_more(s);
		if (err)
			return err;
		if (s->pipe && s->have == before && !s->ended)
			return SCAN_WAIT;
		looked += s->have - before;
		if (looked > PAUSE_AFTER)
			return SCAN_PAUSE;
	}
	return SCAN_RUN_FOUND;
}

int scan_next(struct scan *s, unsigned char **buf, uint64_t *offset, uint32_t *len)
{
	size_t from = 0, data = 0, n;
	int found = find_data(s);
	bool whole;

	if (found != SCAN_RUN_FOUND)
		return found;
	for (;;) {
		size_t before = s->have;
		int err;

		n = run_length(s, &from, &data, &whole);
		if (whole || read_up(s))
			return hand_out(s, n, buf, offset, len);
		err = read_more(s);
		if (err)
			return err;
		if (s->pipe && s->have == before && !s->ended)
			return SCAN_WAIT;
	}
}

uint64_t scan_estimate(int fd, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;
	off_t at = (off_t)start;

	while ((uint64_t)at < end) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0)
			return errno == ENXIO ? sum : end - start;
		if ((uint64_t)data >= end)
			break;
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || (uint64_t)hole > end)
			hole = (off_t)end;
		sum += (uint64_t)(hole - data);
		at = hole;
	}
	return sum;
}
