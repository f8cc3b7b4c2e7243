// SPDX-License-Identifier: MIT
/*
 * manners_uring - io_uring on a device, without a library
 *
 * usage: manners_uring fixed DEVICE ROUNDS	reads and writes through registered buffers
 *						and a registered file, against a model
 *        manners_uring polled DEVICE		reads on a ring that polls for completions
 *        manners_uring cancel DEVICE		submits reads, tries to cancel them, and
 *						waits for them
 *        manners_uring wait DEVICE		submits them, and waits to be killed
 * Prints what each request came to.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uring.h"

#define READS 4
#define BLOCK 4096u
#define SECTOR 512u
#define SIZE (256u << 10)

static const char *word(int res)
{
	static char number[16];

	if (res < 0)
		return strerrorname_np(-res);
	snprintf(number, sizeof(number), "%d", res);
	return number;
}

static void say(const char *what, int res)
{
	printf("%s %s\n", what, word(res));
	fflush(stdout);
}

static void submit_reads(struct ring *r, int fd, unsigned char *memory)
{
	for (unsigned int i = 0; i < READS; i++)
		ring_submit(r, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
						      .fd = fd,
						      .addr = (uint64_t)(memory + i * BLOCK),
						      .len = BLOCK,
						      .off = 2ull * i * BLOCK,
						      .user_data = i });
}

static void cancel(struct ring *r)
{
	for (unsigned int i = 0; i < READS; i++)
		ring_submit(r, (struct io_uring_sqe){ .opcode = IORING_OP_ASYNC_CANCEL,
						      .fd = -1,
						      .addr = i,
						      .user_data = READS + i });
	for (int i = 0; i < 2 * READS; i++) {
		uint64_t which;
		int res = ring_next(r, &which);

		say(which < READS ? "read" : "cancel", res);
	}
}

/* One request at a time, as the model has one order only. */
static void fixed(struct ring *r, int fd, unsigned char *memory, unsigned long rounds)
{
	static unsigned char model[SIZE];
	struct iovec iov = { .iov_base = memory, .iov_len = SIZE };

	if (syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_BUFFERS, &iov, 1) ||
	    syscall(SYS_io_uring_register, r->fd, IORING_REGISTER_FILES, &fd, 1))
		err(1, "io_uring_register");
	if (pread(fd, memory, SIZE, 0) != SIZE)
		err(1, "pread");
	memcpy(model, memory, SIZE);
	srandom(1);
	for (unsigned long i = 0; i < rounds; i++) {
		unsigned int len = (1 + (unsigned int)random() % 64) * SECTOR;
		unsigned int at = (unsigned int)random() % ((SIZE - len) / SECTOR + 1) * SECTOR;
		unsigned int from = (unsigned int)random() % ((SIZE - len) / SECTOR + 1) * SECTOR;
		bool write = random() % 2;
		int res;

		memset(memory + from, (int)i, len);
		ring_submit(r, (struct io_uring_sqe){ .opcode = write ? IORING_OP_WRITE_FIXED :
									IORING_OP_READ_FIXED,
						      .flags = IOSQE_FIXED_FILE,
						      .addr = (uint64_t)(memory + from),
						      .len = len,
						      .off = at });
		res = ring_next(r, NULL);
		if (res != (int)len)
			errx(1, "%s of %u bytes at %u: %s", write ? "write" : "read", len, at,
			     word(res));
		if (write)
			memcpy(model + at, memory + from, len);
		else if (memcmp(model + at, memory + from, len) != 0)
			errx(1, "read at %u: not what was written", at);
	}
	if (pread(fd, memory, SIZE, 0) != SIZE || memcmp(model, memory, SIZE) != 0)
		errx(1, "in the end: not what was written");
	printf("fixed %lu\n", rounds);
}

int main(int argc, char **argv)
{
	unsigned char *memory = aligned_alloc(BLOCK, SIZE);
	struct ring ring;
	int fd;

	if (argc < 3 || !memory)
		errx(2, "usage: manners_uring fixed|polled|cancel|wait DEVICE [ROUNDS]");
	fd = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", argv[2]);
	if (ring_open(&ring, strcmp(argv[1], "polled") ? 0 : IORING_SETUP_IOPOLL)) {
		printf("unsupported %s\n", strerrorname_np(errno));
		return 0;
	}
	if (!strcmp(argv[1], "fixed")) {
		fixed(&ring, fd, memory, argc > 3 ? strtoul(argv[3], NULL, 10) : 100);
		return 0;
	}
	submit_reads(&ring, fd, memory);
	puts("submitted");
	fflush(stdout);
	if (!strcmp(argv[1], "wait"))
		pause();
	if (!strcmp(argv[1], "cancel")) {
		cancel(&ring);
		return 0;
	}
	for (int i = 0; i < READS; i++)
		say("read", ring_next(&ring, NULL));
	return 0;
}
