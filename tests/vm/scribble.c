// SPDX-License-Identifier: MIT
/*
 * scribble - a program that writes to its buffers while the kernel writes them out
 *
 * Threads write from a buffer with O_DIRECT, each to its own part of FILE, at the sizes
 * that take different ways (4 KiB, 64 KiB, 1 MiB), while another thread changes bytes all
 * over the buffer. The kernel allows that; what is in the file then is one of the things
 * that the buffer held, or a mixture. It must harm nobody else.
 *
 * usage: scribble FILE SECONDS		says how many writes; 1 when one failed
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WRITERS 6u
#define LARGEST (1u << 20)

static const size_t sizes[] = { 4096, 65536, LARGEST };
static unsigned char *buffer[WRITERS];
static const char *file;
static atomic_bool over;
static atomic_ulong writes, failures;

static void *scribble(void *arg)
{
	unsigned int seed = 1;

	(void)arg;
	while (!over) {
		unsigned int i = (unsigned int)rand_r(&seed);

		buffer[i % WRITERS][i / WRITERS % LARGEST] ^= (unsigned char)(i >> 8 | 1);
	}
	return NULL;
}

static void *write_out(void *arg)
{
	size_t i = (size_t)arg, size = sizes[i % 3];
	int fd = open(file, O_WRONLY | O_DIRECT);

	if (fd < 0)
		err(2, "%s", file);
	while (!over) {
		if (pwrite(fd, buffer[i], size, (off_t)(i * LARGEST)) == (ssize_t)size)
			writes++;
		else
			failures++;
	}
	close(fd);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[WRITERS + 1];
	unsigned int i;

	if (argc != 3)
		errx(2, "usage: scribble FILE SECONDS");
	file = argv[1];
	for (i = 0; i < WRITERS; i++)
		if (posix_memalign((void **)&buffer[i], 4096, LARGEST))
			errx(2, "out of memory");
	for (i = 0; i < WRITERS; i++)
		if (pthread_create(&threads[i], NULL, write_out, (void *)(size_t)i))
			errx(2, "no thread");
	if (pthread_create(&threads[WRITERS], NULL, scribble, NULL))
		errx(2, "no thread");
	sleep((unsigned int)atoi(argv[2]));
	over = true;
	for (i = 0; i <= WRITERS; i++)
		pthread_join(threads[i], NULL);
	printf("%lu writes, %lu failed\n", (unsigned long)writes, (unsigned long)failures);
	return failures != 0;
}
