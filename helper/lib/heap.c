// SPDX-License-Identifier: MIT
#include "lib/heap.h"

#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/log.h"

/* A heap that grows all the same does it in large steps. */
#define STEP (1 << 20)

/* More than is used by a handler of the loop's, libcurl's and OpenSSL's frames included
 * (the largest buffer is a message's, 32 KiB). */
#define STACK (256u << 10)

static struct {
	char *end; /* of the heap, when it was reserved */
	uint64_t faults;
	bool told;
} begun;

static uint64_t faults(void)
{
	struct rusage usage = { 0 };

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

/* sbrk(0) is a variable of the C library's. */
static uint64_t grown(void)
{
	return begun.end ? (uint64_t)((char *)sbrk(0) - begun.end) : 0;
}

void heap_init(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1); /* never */
	mallopt(M_TOP_PAD, STEP);
}

static void touch(volatile char *p, size_t len)
{
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 0;
}

__attribute__((noinline)) static void touch_stack(void)
{
	char frame[STACK];

	touch(frame, sizeof(frame));
}

int heap_reserve(size_t bytes)
{
	char *p = malloc(bytes);

	if (!p)
		return -ENOMEM;
	touch(p, bytes);
	free(p);
	touch_stack();
	begun.end = sbrk(0);
	begun.faults = faults();
	return 0;
}

struct heap_usage heap_usage(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct heap_usage){
		.reserved = m.arena + m.hblkhd,
		.used = m.uordblks + m.hblkhd,
		.grown = grown(),
		.faults = faults() - begun.faults,
	};
}

void heap_check(void)
{
	uint64_t bytes = grown();

	if (!bytes || begun.told)
		return;
	begun.told = true;
	log_error(
		"the memory that was reserved did not suffice, %llu bytes more were taken; please report it with the drive's status",
		(unsigned long long)bytes);
}
