// SPDX-License-Identifier: MIT
/*
 * model - the map of the cache under random schedules; see model.h
 *
 * usage: model [--steps N] [--seconds N] [--seed N] [--stale] [--trusting]
 *
 * --stale     looks at nothing but the bytes of hits
 * --trusting  takes what was cached of a drive for current that another has written to
 *
 * Exits with 1 and says what was violated, and by which seed.  A schedule has 20000 steps, and
 * the seeds of schedules follow each other.
 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "model.h"

#define SCHEDULE 20000u

struct model model;
unsigned int kernel_locks;
static u64 seed = 1;

u32 chance(u32 n)
{
	model.dice ^= model.dice << 13;
	model.dice ^= model.dice >> 7;
	model.dice ^= model.dice << 17;
	return (u32)((model.dice >> 16) % n);
}

u32 checksum(const u32 *sectors)
{
	u32 sum = 0x811c9dc5;
	unsigned int i;

	for (i = 0; i < CDRIVE_BLOCK_SECTORS; i++)
		sum = cdrive_hash(sum ^ sectors[i]) * 0x01000193 + i;
	return sum;
}

void violated(const char *what, const struct request *r)
{
	if (model.stale && strcmp(what, STALE) != 0)
		return;
	printf("seed %llu, step %llu: %s", (unsigned long long)seed, (unsigned long long)model.now,
	       what);
	if (r)
		printf(" (drive %u, sector %llu, %u sectors)",
		       (unsigned int)(r->drive - model.drives), (unsigned long long)r->sector,
		       r->sectors);
	printf(": %s, %s file\n", model.ordered ? "in order" : "in any order",
	       model.honest ? "honest" : "lying");
	exit(1);
}

void *kernel_memory(size_t size, gfp_t flags)
{
	void *memory;

	might_sleep();
	if (flags & __GFP_NORETRY && !chance(16))
		return NULL;
	memory = calloc(1, size);
	assert(memory);
	return memory;
}

static void file_step(void)
{
	if (model.late.pending && !chance(32)) {
		memcpy(model.file[model.late.slot][model.late.block], model.late.data,
		       sizeof(model.late.data));
		model.late.pending = false;
	}
	if (!model.honest && !chance(64))
		model.file[chance(SLOTS)][chance(CDRIVE_CACHE_BLOCKS)]
			  [chance(CDRIVE_BLOCK_SECTORS)] ^= 1u << chance(32);
}

static void step(void)
{
	u32 what = chance(256);

	model.now++;
	model.counts.steps++;
	file_step();
	if (what < (model.depth ? 8 : 1))
		control_step();
	else if (what < 64)
		request_arrive(&model.drives[chance(DRIVES)]);
	else
		request_step(&model.requests[chance(REQUESTS)]);
}

/* Somebody else runs. */
void kernel_unlocked(void)
{
	struct request *filling = model.filling;
	unsigned int n;

	if (filling) {
		filling->seen = filling->changed;
		filling->size = model.pool->size;
	}
	if (model.quiet || model.depth > 2 || chance(16))
		return;
	model.filling = NULL;
	model.depth++;
	for (n = chance(8); n; n--) {
		model.counts.nested++;
		step();
	}
	model.depth--;
	model.filling = filling;
}

static void schedule(void)
{
	model.dice = seed * 0x9e3779b97f4a7c15ull | 1;
	model.ordered = seed & 1;
	model.honest = seed & 2;
	model.calm = 2u << chance(6);
	control_begin();
	while (model.now < SCHEDULE)
		step();
	control_end();
}

static void tell(void)
{
	const struct counts *c = &model.counts;

#define TELL(name) printf(#name " %llu\n", (unsigned long long)c->name)
	TELL(steps);
	TELL(nested);
	TELL(reads);
	TELL(hits);
	TELL(misses);
	TELL(writes);
	TELL(discards);
	TELL(fills);
	TELL(entered);
	TELL(wrong);
	TELL(resizes);
	TELL(attached);
	TELL(cold);
	TELL(imported);
#undef TELL
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "steps", required_argument, NULL, 'n' },
						 { "seconds", required_argument, NULL, 't' },
						 { "seed", required_argument, NULL, 's' },
						 { "stale", no_argument, NULL, 'S' },
						 { "trusting", no_argument, NULL, 'T' },
						 { 0 } };
	unsigned long long steps = 1000000;
	time_t end = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'n')
			steps = strtoull(optarg, NULL, 10);
		else if (c == 't')
			end = time(NULL) + atoi(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'S')
			model.stale = true;
		else if (c == 'T')
			model.trusting = true;
		else
			return 2;
	}
	for (; end ? time(NULL) < end : model.counts.steps < steps; seed++)
		schedule();
	tell();
	return 0;
}
