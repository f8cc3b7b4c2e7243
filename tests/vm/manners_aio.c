// SPDX-License-Identifier: MIT
/*
 * manners_aio - Linux AIO on a device whose requests take their time
 *
 * usage: manners_aio cancel DEVICE	submits reads, tries to cancel them, waits for
 *					them; prints what each came to
 *        manners_aio exit DEVICE	submits them, and ends
 *        manners_aio wait DEVICE	submits them, and waits to be killed
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/aio_abi.h>

#define READS 4
#define BLOCK 4096

int main(int argc, char **argv)
{
	struct iocb cb[READS], *list[READS];
	struct io_event event[READS];
	aio_context_t context = 0;
	unsigned char *memory;
	long got = 0;
	int fd;

	if (argc != 3)
		errx(2, "usage: manners_aio cancel|exit|wait DEVICE");
	fd = open(argv[2], O_RDONLY | O_DIRECT | O_CLOEXEC);
	memory = aligned_alloc(BLOCK, READS * BLOCK);
	if (fd < 0 || !memory || syscall(SYS_io_setup, READS, &context))
		err(1, "%s", argv[2]);
	for (int i = 0; i < READS; i++) {
		cb[i] = (struct iocb){
			.aio_fildes = (uint32_t)fd,
			.aio_lio_opcode = IOCB_CMD_PREAD,
			.aio_buf = (uint64_t)(memory + (long)i * BLOCK),
			.aio_nbytes = BLOCK,
			.aio_offset = (int64_t)i * 2 * BLOCK,
		};
		list[i] = &cb[i];
	}
	if (syscall(SYS_io_submit, context, READS, list) != READS)
		err(1, "io_submit");
	puts("submitted");
	fflush(stdout);
	if (!strcmp(argv[1], "exit"))
		return 0;
	if (!strcmp(argv[1], "wait"))
		pause();
	for (int i = 0; i < READS; i++)
		printf("cancel %s\n", syscall(SYS_io_cancel, context, &cb[i], &event[0]) ?
					      strerrorname_np(errno) :
					      "0");
	fflush(stdout);
	while (got < READS) {
		long n = syscall(SYS_io_getevents, context, 1, READS, event, NULL);

		if (n < 0)
			err(1, "io_getevents");
		for (long i = 0; i < n; i++)
			printf("read %lld\n", (long long)event[i].res);
		got += n;
	}
	return 0;
}
