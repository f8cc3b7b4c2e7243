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
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/io_uring.h>

#define READS 4
#define BLOCK 4096u
#define SECTOR 512u
#define SIZE (256u << 10)

struct ring {
	int fd;
	unsigned int *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static void *map(int fd, size_t len, off_t at)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, at);

	if (p == MAP_FAILED)
		err(1, "mmap of the ring");
	return p;
}

static void ring_open(struct ring *r, unsigned int flags)
{
	struct io_uring_params p = { .flags = flags };
	char *sq, *cq;

	r->fd = (int)syscall(SYS_io_uring_setup, 64, &p);
	if (r->fd < 0) {
		/* Compiled out, or forbidden: io_uring_disabled. */
		printf("unsupported %s\n", strerrorname_np(errno));
		exit(0);
	}
	sq = map(r->fd, p.sq_off.array + p.sq_entries * sizeof(unsigned int), IORING_OFF_SQ_RING);
	cq = map(r->fd, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
		 IORING_OFF_CQ_RING);
	r->sqes = map(r->fd, p.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	r->sq_tail = (unsigned int *)(sq + p.sq_off.tail);
	r->sq_mask = (unsigned int *)(sq + p.sq_off.ring_mask);
	r->sq_array = (unsigned int *)(sq + p.sq_off.array);
	r->cq_head = (unsigned int *)(cq + p.cq_off.head);
	r->cq_tail = (unsigned int *)(cq + p.cq_off.tail);
	r->cq_mask = (unsigned int *)(cq + p.cq_off.ring_mask);
	r->cqes = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
}

static void submit(struct ring *r, struct io_uring_sqe sqe)
{
	unsigned int tail = *r->sq_tail, at = tail & *r->sq_mask;

	r->sqes[at] = sqe;
	r->sq_array[at] = at;
	__atomic_store_n(r->sq_tail, tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) != 1)
		err(1, "io_uring_enter");
}

/* What the next one to complete came to; @which it is may be NULL. */
static int next(struct ring *r, uint64_t *which)
{
	struct io_uring_cqe *cqe;
	int res;

	while (*r->cq_head == __atomic_load_n(r->cq_tail, __ATOMIC_ACQUIRE))
		if (syscall(SYS_io_uring_enter, r->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 &&
		    errno != EINTR)
			err(1, "io_uring_enter");
	cqe = &r->cqes[*r->cq_head & *r->cq_mask];
	res = cqe->res;
	if (which)
		*which = cqe->user_data;
	__atomic_store_n(r->cq_head, *r->cq_head + 1, __ATOMIC_RELEASE);
	return res;
}

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
		submit(r, (struct io_uring_sqe){ .opcode = IORING_OP_READ,
						 .fd = fd,
						 .addr = (uint64_t)(memory + i * BLOCK),
						 .len = BLOCK,
						 .off = 2ull * i * BLOCK,
						 .user_data = i });
}

static void cancel(struct ring *r)
{
	for (unsigned int i = 0; i < READS; i++)
		submit(r, (struct io_uring_sqe){ .opcode = IORING_OP_ASYNC_CANCEL,
						 .fd = -1,
						 .addr = i,
						 .user_data = READS + i });
	for (int i = 0; i < 2 * READS; i++) {
		uint64_t which;
		int res = next(r, &which);

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
		submit(r, (struct io_uring_sqe){ .opcode = write ? IORING_OP_WRITE_FIXED :
								   IORING_OP_READ_FIXED,
						 .flags = IOSQE_FIXED_FILE,
						 .addr = (uint64_t)(memory + from),
						 .len = len,
						 .off = at });
		res = next(r, NULL);
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
	ring_open(&ring, strcmp(argv[1], "polled") ? 0 : IORING_SETUP_IOPOLL);
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
		say("read", next(&ring, NULL));
	return 0;
}
