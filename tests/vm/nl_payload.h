/* SPDX-License-Identifier: MIT */
/* nl_payload.h - what the parts of nl_payload share */
#ifndef CD_TESTS_NL_PAYLOAD_H
#define CD_TESTS_NL_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#define TAGS 4 /* the latest: some of them are in flight */
#define ARENA (8u << 20) /* memory to copy from and to */

/* Of all processes and threads. */
struct shared {
	volatile bool stop;
	volatile uint32_t index; /* of the drive */
	volatile uint32_t tags[TAGS];
	volatile unsigned long copies, faults, completed, attached, adopted;
};

extern struct shared *shared;
extern int payload;
extern unsigned char *arena;

/* Less than @n. chance() is the helper's; this one is each thread's own. */
uint32_t draw(uint64_t *state, uint32_t n);

/* A read or write of the payload device, plain or with vectors. */
void copy(uint64_t *s);
void vectors(uint64_t *s);
/* A thread that does all that there is; its seed. */
void *abuser(void *arg);

#endif
