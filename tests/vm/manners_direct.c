// SPDX-License-Identifier: MIT
/*
 * manners_direct - O_DIRECT at every alignment, against a model in memory
 *
 * Reads and writes of whole sectors at any sector, from memory at any alignment that
 * queue/dma_alignment allows, in one piece and in several; what is written is
 * compared with a model of the device's first MiB after each round, and what is read
 * at once. What isn't aligned must be refused with EINVAL, and change nothing.
 *
 * usage: manners_direct DEVICE SEED ROUNDS	says what it did; 1 when something is wrong
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR 512u
#define SIZE (1u << 20)
#define LARGEST (192u * SECTOR)
#define PIECES 8

static int fd;
static unsigned char model[SIZE];
static unsigned char *memory; /* what is read into and written from, page-aligned */
static uint32_t alignment;
static uint64_t state;
static unsigned long done, refused;

/* xorshift64* */
static uint32_t chance(uint32_t n)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 32) % n;
}

static void fill(unsigned char *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (unsigned char)chance(256);
}

/* One transfer, in @n pieces, which lie apart in memory. */
static ssize_t transfer(bool write, const struct iovec *iov, int n, off_t at)
{
	return write ? pwritev(fd, iov, n, at) : preadv(fd, iov, n, at);
}

/* Pieces of whole sectors that are @len together, none aligned to more than it must be. */
static int split(struct iovec *iov, size_t len, uint32_t offset)
{
	unsigned char *p = memory + offset;
	int n = 0;

	while (len) {
		size_t part = n == PIECES - 1 ? len :
						(1 + chance((uint32_t)(len / SECTOR))) * SECTOR;

		iov[n++] = (struct iovec){ .iov_base = p, .iov_len = part };
		p += part + alignment * chance(4);
		len -= part;
	}
	return n;
}

static void sound(bool write, off_t at, size_t len, uint32_t offset, bool whole)
{
	struct iovec iov[PIECES] = { { .iov_base = memory + offset, .iov_len = len } };
	int n = whole ? 1 : split(iov, len, offset);
	size_t pos = (size_t)at;
	ssize_t got;

	for (int i = 0; i < n; i++)
		fill(iov[i].iov_base, iov[i].iov_len);
	got = transfer(write, iov, n, at);
	if (got != (ssize_t)len)
		err(1, "%s of %zu bytes at %lld, memory at %u, %d pieces: %zd",
		    write ? "write" : "read", len, (long long)at, offset, n, got);
	for (int i = 0; i < n; i++) {
		if (write)
			memcpy(model + pos, iov[i].iov_base, iov[i].iov_len);
		else if (memcmp(model + pos, iov[i].iov_base, iov[i].iov_len) != 0)
			errx(1, "read at %zu: not what was written", pos);
		pos += iov[i].iov_len;
	}
	done++;
}

static void unsound(const char *what, bool write, off_t at, size_t len, uint32_t offset)
{
	struct iovec iov = { .iov_base = memory + offset, .iov_len = len };
	ssize_t got = transfer(write, &iov, 1, at);

	if (got >= 0 || errno != EINVAL)
		err(1, "%s with %s: %zd, not EINVAL", write ? "write" : "read", what, got);
	refused++;
}

static void refuse(void)
{
	for (int write = 0; write < 2; write++) {
		for (uint32_t odd = 1; odd < SECTOR; odd += odd < 8 ? 1 : 63) {
			unsound("an odd offset", write, odd, SECTOR, 0);
			unsound("an odd length", write, 0, odd, 0);
			unsound("a length that is odd at the end", write, 0, 4096 + odd, 0);
		}
		for (uint32_t odd = 1; odd < alignment; odd <<= 1)
			unsound("odd memory", write, 0, 4096, odd);
	}
}

static void check(void)
{
	unsigned char *page = memory;

	for (uint32_t at = 0; at < SIZE; at += 1u << 16) {
		if (pread(fd, page, 1u << 16, at) != 1u << 16)
			err(1, "read at %u", at);
		if (memcmp(page, model + at, 1u << 16) != 0)
			errx(1, "64 KiB at %u: not what was written", at);
	}
}

/* All that differs within two pages, on both sides. */
static void grid(void)
{
	static const uint32_t lengths[] = { 1, 2, 3, 7, 8, 9, 15, 16, 17 };

	for (uint32_t at = 0; at < 9; at++)
		for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			uint32_t offset = alignment * chance(4096 / alignment);

			sound(true, at * SECTOR, lengths[i] * SECTOR, offset, true);
			sound(false, at * SECTOR, lengths[i] * SECTOR, 4096 - offset, true);
		}
}

static uint32_t dma_alignment(void)
{
	char path[64];
	uint32_t mask = SECTOR - 1;
	struct stat st;
	FILE *file;

	if (fstat(fd, &st))
		err(1, "fstat");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/dma_alignment", major(st.st_rdev),
		 minor(st.st_rdev));
	file = fopen(path, "re");
	if (!file)
		return SECTOR;
	if (fscanf(file, "%u", &mask) != 1)
		errx(1, "%s: no number", path);
	fclose(file);
	return mask + 1;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: manners_direct DEVICE SEED ROUNDS");
	fd = open(argv[1], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[1]);
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	alignment = dma_alignment();
	memory = aligned_alloc(4096, 2 * LARGEST + (1u << 16));
	if (!memory)
		err(1, "memory");
	fill(model, SIZE);
	for (uint32_t at = 0; at < SIZE; at += 1u << 16) {
		memcpy(memory, model + at, 1u << 16);
		if (pwrite(fd, memory, 1u << 16, at) != 1u << 16)
			err(1, "write at %u", at);
	}
	grid();
	refuse();
	check();
	for (unsigned long i = strtoul(argv[3], NULL, 10); i; i--) {
		uint32_t len = (1 + chance(chance(4) ? 24 : LARGEST / SECTOR)) * SECTOR;

		sound(chance(2), (off_t)chance((SIZE - len) / SECTOR + 1) * SECTOR, len,
		      alignment * chance(4096 / alignment), chance(2));
	}
	check();
	printf("%lu transfers, %lu refused, memory aligned to %u\n", done, refused, alignment);
	return 0;
}
