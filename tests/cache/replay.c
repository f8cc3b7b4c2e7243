// SPDX-License-Identifier: MIT
/*
 * replay - what the cache's replacement makes of a trace, beside LRU
 *
 * usage: replay [--alpha X] [--chunks N] [--reads N] [--seed N] [--percent N] [--print]
 *
 * Reads of whole chunks, one after the other, whose popularity is Zipf's: the Nth in rank is read
 * N^-alpha times as often as the first.  The cache holds so many percent (10) of the chunks.
 * The driver's own code decides what stays.  --print prints the trace instead.
 *
 *	replay --scan	one volume with a working set that fits its part, beside one that
 *			reads ten times the cache once: what is left of the set
 *
 * Prints a line, and exits with 1 if LRU has more hits, or the scan took something.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>

#include "internal.h"

unsigned int kernel_locks;
static u64 dice;

void kernel_unlocked(void)
{
}

void *kernel_memory(size_t size, gfp_t flags)
{
	void *memory = calloc(1, size);

	(void)flags;
	assert(memory);
	return memory;
}

static u64 roll(void)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice >> 11;
}

/* --- the trace ---------------------------------------------------------------- */

struct trace {
	u32 *reads; /* of chunks */
	u32 length, chunks;
	double alpha;
};

/* Sums of popularities, by rank. */
static double *make_sums(const struct trace *trace)
{
	double *sums = calloc(trace->chunks, sizeof(*sums)), sum = 0;
	u32 i;

	assert(sums);
	for (i = 0; i < trace->chunks; i++) {
		sum += pow(i + 1, -trace->alpha);
		sums[i] = sum;
	}
	return sums;
}

static u32 rank_of(const double *sums, u32 n, double at)
{
	u32 low = 0, high = n - 1;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (sums[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Where on the drive a rank is: anywhere. */
static u32 *make_order(u32 n)
{
	u32 *order = calloc(n, sizeof(*order)), i;

	assert(order);
	for (i = 0; i < n; i++) {
		u32 j = (u32)(roll() % (i + 1));

		order[i] = order[j];
		order[j] = i;
	}
	return order;
}

static void make_trace(struct trace *trace)
{
	double *sums = make_sums(trace);
	u32 *order = make_order(trace->chunks), i;

	trace->reads = calloc(trace->length, sizeof(*trace->reads));
	assert(trace->reads);
	for (i = 0; i < trace->length; i++) {
		double at = (double)roll() / (double)(1ull << 53) * sums[trace->chunks - 1];

		trace->reads[i] = order[rank_of(sums, trace->chunks, at)];
	}
	free(order);
	free(sums);
}

/* --- LRU ------------------------------------------------------------------------ */

static u32 replay_lru(const struct trace *trace, u32 slots)
{
	u32 n = trace->chunks, i, hits = 0, used = 0;
	/* Chunks by when they were read last; n: the ends of the list. */
	u32 *next = calloc(n + 1, sizeof(*next)), *prev = calloc(n + 1, sizeof(*prev));
	bool *there = calloc(n, sizeof(*there));

	assert(next && prev && there);
	next[n] = n;
	prev[n] = n;
	for (i = 0; i < trace->length; i++) {
		u32 chunk = trace->reads[i];

		if (!there[chunk] && used == slots) {
			u32 last = prev[n];

			there[last] = false;
			prev[n] = prev[last];
			next[prev[last]] = n;
			used--;
		}
		if (there[chunk]) {
			hits++;
			next[prev[chunk]] = next[chunk];
			prev[next[chunk]] = prev[chunk];
		} else {
			there[chunk] = true;
			used++;
		}
		next[chunk] = next[n];
		prev[chunk] = n;
		prev[next[n]] = chunk;
		next[n] = chunk;
	}
	free(next);
	free(prev);
	free(there);
	return hits;
}

/* --- the driver's map --------------------------------------------------------------- */

static struct cdrive_volume *new_volume(struct cdrive_pool *pool, u32 chunks)
{
	struct cdrive_volume *volume;

	volume = cdrive_volume_new(pool, "drive", (u64)chunks * CDRIVE_CHUNK_SECTORS);
	assert(volume);
	cdrive_pool_set_idle(pool, volume, false);
	return volume;
}

static bool read_chunk(struct cdrive_volume *volume, u32 chunk)
{
	static const u32 crc[CDRIVE_CACHE_BLOCKS];
	struct cdrive_extent extents[CDRIVE_MAX_EXTENTS];
	u64 sector = (u64)chunk * CDRIVE_CHUNK_SECTORS;
	u64 generation = cdrive_volume_read(volume, sector, CDRIVE_CHUNK_SECTORS);

	if (cdrive_volume_hit(volume, sector, CDRIVE_CHUNK_SECTORS)) {
		cdrive_volume_unpin(volume, sector, CDRIVE_CHUNK_SECTORS);
		return true;
	}
	if (cdrive_volume_fill(volume, sector, CDRIVE_CHUNK_SECTORS, generation, extents))
		cdrive_volume_enter(volume, sector, CDRIVE_CHUNK_SECTORS, generation, extents, crc,
				    true);
	return false;
}

static u32 replay_map(const struct trace *trace, u32 slots)
{
	struct cdrive_pool *pool = cdrive_pool_new(slots);
	struct cdrive_volume *volume = new_volume(pool, trace->chunks);
	u32 i, hits = 0;

	for (i = 0; i < trace->length; i++)
		hits += read_chunk(volume, trace->reads[i]);
	cdrive_volume_free(volume);
	cdrive_pool_free(pool);
	return hits;
}

/* --- a scan ------------------------------------------------------------------------- */

#define CACHE 4096u

static int scan(void)
{
	struct cdrive_pool *pool = cdrive_pool_new(CACHE);
	struct cdrive_volume *works = new_volume(pool, CACHE);
	struct cdrive_volume *scans = new_volume(pool, 10 * CACHE);
	struct cdrive_cache_info info;
	u32 i, left = 0, set = CACHE / 2;

	for (i = 0; i < 2 * set; i++)
		read_chunk(works, i % set);
	for (i = 0; i < 10 * CACHE; i++)
		read_chunk(scans, i);
	for (i = 0; i < set; i++)
		left += read_chunk(works, i);
	cdrive_pool_info(pool, &info);
	printf("scan: of a working set of %u of %u slots %u are left beside a scan of %u\n", set,
	       CACHE, left, 10 * CACHE);
	printf("index: %.1f bytes a slot\n", (double)info.index_bytes / info.used);
	cdrive_volume_free(works);
	cdrive_volume_free(scans);
	cdrive_pool_free(pool);
	return left == set ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "alpha", required_argument, NULL, 'a' },
						 { "chunks", required_argument, NULL, 'c' },
						 { "reads", required_argument, NULL, 'r' },
						 { "seed", required_argument, NULL, 's' },
						 { "percent", required_argument, NULL, 'p' },
						 { "print", no_argument, NULL, 'P' },
						 { "scan", no_argument, NULL, 'S' },
						 { 0 } };
	struct trace trace = { .length = 2000000, .chunks = 100000, .alpha = 0.9 };
	u32 percent = 10, seed = 1, slots, lru, map, i;
	bool print = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'a')
			trace.alpha = strtod(optarg, NULL);
		else if (c == 'c')
			trace.chunks = (u32)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			trace.length = (u32)strtoul(optarg, NULL, 10);
		else if (c == 's')
			seed = (u32)strtoul(optarg, NULL, 10);
		else if (c == 'p')
			percent = (u32)strtoul(optarg, NULL, 10);
		else if (c == 'P')
			print = true;
		else
			return c == 'S' ? scan() : 2;
	}
	dice = seed * 0x9e3779b97f4a7c15ull | 1;
	make_trace(&trace);
	for (i = 0; print && i < trace.length; i++)
		printf("%u\n", trace.reads[i]);
	if (print)
		return 0;
	slots = (u32)((u64)trace.chunks * percent / 100);
	lru = replay_lru(&trace, slots);
	map = replay_map(&trace, slots);
	printf("zipf %.2f, %u reads of %u chunks, seed %u, cache %u %%: hits %.4f, LRU %.4f\n",
	       trace.alpha, trace.length, trace.chunks, seed, percent, (double)map / trace.length,
	       (double)lru / trace.length);
	free(trace.reads);
	return map >= lru ? 0 : 1;
}
