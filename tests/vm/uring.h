/* SPDX-License-Identifier: MIT */
/* uring.h - io_uring, without a library; one request at a time is submitted */
#ifndef CD_TESTS_URING_H
#define CD_TESTS_URING_H

#include <stdint.h>

#include <linux/io_uring.h>

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

/* 0, or -1 and errno: compiled out, or forbidden (io_uring_disabled). */
int ring_open(struct ring *r, unsigned int flags);
void ring_submit(struct ring *r, struct io_uring_sqe sqe);
/* Waits for the next to complete; what it came to, and, if not NULL, @which it is. */
int ring_next(struct ring *r, uint64_t *which);

#endif
