/* SPDX-License-Identifier: MIT */
/*
 * heap.h - memory that is there before file systems wait for this process
 *
 * A helper that asks the kernel for memory while its drive is attached may ask when there
 * is none: because what would make room, writing pages out, waits for the helper.  So
 * its heap is made, and touched, before: as large as it will ever be needed, and never
 * given back.  (mlockall(2) alone keeps what is there; what comes later is taken from the
 * kernel at that moment, and at once, as it is locked.)
 *
 * All of malloc(3), so libcurl and OpenSSL too, takes from the one heap: one arena,
 * nothing by mmap(2), nothing trimmed.  An allocator of our own, or libcurl's and
 * OpenSSL's hooks to one, would do the same for a part of it, and have to be as good
 * as malloc at reusing what is freed.  Where the reserve proves too small the heap grows
 * all the same, as it is better to wait than to fail; that is counted, and said once.
 */
#ifndef LIB_HEAP_H
#define LIB_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_usage {
	uint64_t reserved; /* bytes of the heap, */
	uint64_t used; /* and of it what is allocated */
	uint64_t grown; /* bytes taken from the kernel since heap_reserve() */
	uint64_t faults; /* page faults since then, of all threads */
};

/* The first thing that a program does: from here on malloc() keeps to one heap. */
void heap_init(void);

/*
 * Sees to it that @bytes more can be allocated without the kernel, and that there is
 * stack for it; what is counted is counted from here on.  Where there is no memory it is
 * -ENOMEM.
 */
int heap_reserve(size_t bytes);

struct heap_usage heap_usage(void);

/* Logs, once, that the heap has grown since it was reserved.  Costs no system call. */
void heap_check(void);

#endif
