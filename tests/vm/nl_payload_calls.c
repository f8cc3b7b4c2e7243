// SPDX-License-Identifier: MIT
#include "nl_payload.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#include <linux/cdrive.h>

#include "uring.h"

uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33) % n;
}

static off_t some_offset(uint64_t *s)
{
	uint32_t tag = shared->tags[draw(s, TAGS)], index = shared->index, pos;

	switch (draw(s, 8)) {
	case 0:
		pos = draw(s, 1u << 22);
		break;
	case 1:
		pos = (1u << 22) - 1 - draw(s, 3);
		break;
	case 2:
		pos = 4095 + draw(s, 3);
		break;
	default:
		pos = draw(s, 2) ? draw(s, 4096) : 0;
		break;
	}
	if (!draw(s, 50))
		tag ^= 1u << draw(s, 32);
	if (!draw(s, 50))
		index = draw(s, 1u << 9);
	return (off_t)CDRIVE_PAYLOAD_OFFSET(index, tag, pos);
}

static size_t some_length(uint64_t *s)
{
	static const size_t lengths[] = { 0, 1, 511, 512, 4096, 4097, 65536, 5u << 20 };

	return draw(s, 2) ? lengths[draw(s, 8)] : draw(s, 20000);
}

/* Mostly memory that is there. */
static void *some_memory(uint64_t *s, size_t len)
{
	if (!draw(s, 100))
		return draw(s, 2) ? NULL : (void *)(~0ul << draw(s, 40));
	if (len > ARENA)
		len = ARENA;
	return arena + draw(s, (uint32_t)(ARENA - len) + 1);
}

void vectors(uint64_t *s)
{
	struct iovec iov[16];
	int n = (int)draw(s, 17), flags = draw(s, 4) ? 0 : 1 << draw(s, 6);

	for (int i = 0; i < n; i++) {
		iov[i].iov_len = draw(s, 4) ? draw(s, 700) : some_length(s);
		iov[i].iov_base = some_memory(s, iov[i].iov_len);
	}
	if (draw(s, 2))
		(void)!preadv2(payload, iov, n, some_offset(s), flags);
	else
		(void)!pwritev2(payload, iov, n, some_offset(s), flags);
}

/* What only the helper is to say, of any drive: a deadline that parks nothing, and
 * completions from anywhere. */
static void tell(uint64_t *s)
{
	struct cdrive_payload_lease *lease = some_memory(s, sizeof(*lease));
	struct cdrive_payload_complete complete = {
		.index = draw(s, 4) ? shared->index : draw(s, CDRIVE_MAX_DRIVES + 1),
		.count = draw(s, CDRIVE_MAX_BATCH + 2),
		.completions = (uint64_t)some_memory(s, CDRIVE_MAX_BATCH * 8),
	};
	struct cdrive_payload_lease forever = {
		.index = complete.index,
		.until = draw(s, 2) ? INT64_MAX : UINT64_MAX,
		.pad = !draw(s, 4),
	};

	(void)!ioctl(payload, CDRIVE_PAYLOAD_COMPLETE, &complete);
	(void)!ioctl(payload, CDRIVE_PAYLOAD_COMPLETE, lease);
	(void)!ioctl(payload, CDRIVE_PAYLOAD_LEASE, &forever);
}

/* What moves pages rather than bytes. */
static void pipes(uint64_t *s)
{
	off_t at = some_offset(s);
	size_t len = some_length(s);
	int fd[2], memory = memfd_create("payload", MFD_CLOEXEC);
	void *map;

	if (memory >= 0 && !pipe2(fd, O_CLOEXEC | O_NONBLOCK)) {
		(void)!splice(payload, &at, fd[1], NULL, len, SPLICE_F_NONBLOCK);
		(void)!write(fd[1], arena, 4096);
		(void)!splice(fd[0], NULL, payload, &at, len, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
		(void)!ftruncate(memory, 65536);
		(void)!sendfile(memory, payload, &at, len);
		at = 0;
		(void)!sendfile(payload, memory, &at, len);
		(void)!copy_file_range(payload, &at, memory, NULL, len, 0);
		close(fd[0]);
		close(fd[1]);
	}
	if (memory >= 0)
		close(memory);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, draw(s, 2) ? MAP_SHARED : MAP_PRIVATE,
		   payload, some_offset(s) & ~4095);
	if (map != MAP_FAILED)
		errx(1, "the payload device was mapped");
	(void)!ioctl(payload, draw(s, 1u << 31), arena);
	tell(s);
	(void)!ftruncate(payload, at);
	(void)!fsync(payload);
	(void)!lseek(payload, at, (int)draw(s, 5));
}

static void aio(uint64_t *s)
{
	aio_context_t context = 0;
	struct iocb cb[8], *list[8];
	struct io_event event[8];
	long n;

	if (syscall(SYS_io_setup, 8, &context))
		return;
	for (int i = 0; i < 8; i++) {
		size_t len = some_length(s);

		cb[i] = (struct iocb){
			.aio_fildes = (uint32_t)payload,
			.aio_lio_opcode = draw(s, 2) ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
			.aio_buf = (uint64_t)some_memory(s, len),
			.aio_nbytes = len,
			.aio_offset = some_offset(s),
		};
		list[i] = &cb[i];
	}
	n = syscall(SYS_io_submit, context, 8, list);
	if (n > 0)
		syscall(SYS_io_getevents, context, n, 8, event, NULL);
	syscall(SYS_io_destroy, context);
}

static void uring(struct ring *r, uint64_t *s)
{
	size_t len = some_length(s);

	ring_submit(r,
		    (struct io_uring_sqe){ .opcode = draw(s, 2) ? IORING_OP_READ : IORING_OP_WRITE,
					   .flags = draw(s, 4) ? 0 : IOSQE_ASYNC,
					   .fd = payload,
					   .addr = (uint64_t)some_memory(s, len),
					   .len = (uint32_t)len,
					   .off = (uint64_t)some_offset(s) });
	ring_next(r, NULL);
}

void copy(uint64_t *s)
{
	size_t len = some_length(s);
	void *p = some_memory(s, len);
	ssize_t n = draw(s, 2) ? pread(payload, p, len, some_offset(s)) :
				 pwrite(payload, p, len, some_offset(s));

	if (n > 0)
		shared->copies++;
	else if (n < 0 && errno == EFAULT)
		shared->faults++;
}

void *abuser(void *arg)
{
	uint64_t s = (uint64_t)arg;
	struct ring ring;
	bool ringed = !ring_open(&ring, 0);

	while (!shared->stop) {
		if (!draw(&s, 8))
			usleep(draw(&s, 1000));
		switch (draw(&s, 16)) {
		case 0:
			vectors(&s);
			break;
		case 1:
			pipes(&s);
			break;
		case 2:
			aio(&s);
			break;
		case 3:
			if (ringed)
				uring(&ring, &s);
			break;
		default:
			copy(&s);
			break;
		}
	}
	return NULL;
}
