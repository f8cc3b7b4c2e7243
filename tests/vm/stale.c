// SPDX-License-Identifier: MIT
/*
 * stale - reads a drive, and finds what is old
 *
 * usage: stale read DEVICE LEFT	until SIGTERM, the first 4 MiB; says how many reads went well,
 *				how many of those were begun past the lease's deadline, and
 *				how many failed. LEFT is the drive's lease_left_ms.
 *        stale load DEVICE	until SIGTERM; verified reads, writes, discards and zeroes
 *				that overlap
 *        stale scribble DEVICE READS	so many, to buffers that are written to meanwhile
 *
 * 1 when something was wrong, in a line each.
 *
 * load: each sector holds its number and that of the write, which has a beginning and an
 * end. A read may find what any write left that was not over when another began, which
 * itself was over when the read began: what is older than that is stale.
 */
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

#define THREADS 6
#define BLOCK 4096u
#define SECTOR 512u
#define LARGEST 40u /* blocks of a request: more than two of the cache's slots */
#define HOT 1024u /* blocks that half of the requests are for */
#define MOST 16384u /* blocks */
#define KEPT 64u /* writes of a block */

static const char *device, *left_file;
static uint32_t blocks, most_reads;
static atomic_bool over;
static atomic_uint reads, writes, clears, wrong, failed;

static void on_term(int signal)
{
	(void)signal;
	over = true;
}

static uint32_t chance(uint32_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

static void *buffer_new(void)
{
	void *buffer;

	if (posix_memalign(&buffer, BLOCK, LARGEST * BLOCK))
		errx(2, "out of memory");
	return buffer;
}

static int device_open(int flags)
{
	int fd = open(device, flags | O_DIRECT | O_CLOEXEC);

	if (fd < 0)
		err(2, "%s", device);
	return fd;
}

/* --- under the deadline -------------------------------------------------------------- */

static atomic_llong deadline; /* the last known, milliseconds of CLOCK_BOOTTIME */

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* It may have been renewed since. */
static bool is_past_deadline(long long when)
{
	FILE *f;
	long long left;

	if (when <= deadline)
		return false;
	f = fopen(left_file, "r");
	if (!f || fscanf(f, "%lld", &left) != 1)
		errx(2, "%s: no deadline", left_file);
	fclose(f);
	deadline = now_ms() + left;
	return when > deadline;
}

static void *keep_reading(void *arg)
{
	uint32_t state = 77 + (uint32_t)(uintptr_t)arg;
	void *buffer = buffer_new();
	int fd = device_open(O_RDONLY);

	while (!over) {
		long long begun = now_ms();

		if (pread(fd, buffer, BLOCK, (off_t)chance(&state, HOT) * BLOCK) != BLOCK) {
			failed++;
			usleep(100000);
			continue;
		}
		reads++;
		if (is_past_deadline(begun))
			wrong++;
		usleep(5000); /* the machine has other things to do, too */
	}
	return NULL;
}

/* --- verified load --------------------------------------------------------------------- */

struct version {
	uint32_t id; /* 0: none */
	bool zeroes;
	uint64_t replaced; /* when a write ended that began after this had ended; 0: not yet */
	uint64_t ended; /* 0: not yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct version history[MOST][KEPT];
static uint64_t now = 1; /* counts events */
static uint32_t last_id;

struct stamp {
	uint32_t block, id;
};

struct op {
	uint32_t block, count, id;
	uint64_t began;
};

/* A place for another version: what has been replaced longest. */
static struct version *oldest(struct version *h)
{
	struct version *found = NULL;
	unsigned int i;

	for (i = 0; i < KEPT; i++) {
		if (!h[i].id)
			return &h[i];
		if (h[i].replaced && (!found || h[i].replaced < found->replaced))
			found = &h[i];
	}
	if (!found)
		errx(2, "too many writes at once");
	return found;
}

static void write_begins(struct op *op, bool zeroes)
{
	uint32_t b;

	pthread_mutex_lock(&lock);
	op->id = ++last_id;
	op->began = ++now;
	for (b = op->block; b < op->block + op->count; b++)
		*oldest(history[b]) = (struct version){ .id = op->id, .zeroes = zeroes };
	pthread_mutex_unlock(&lock);
}

static void write_ends(const struct op *op)
{
	uint64_t ended;
	uint32_t b;
	unsigned int i;

	pthread_mutex_lock(&lock);
	ended = ++now;
	for (b = op->block; b < op->block + op->count; b++)
		for (i = 0; i < KEPT; i++) {
			struct version *v = &history[b][i];

			if (v->id == op->id)
				v->ended = ended;
			else if (v->ended && v->ended < op->began && !v->replaced)
				v->replaced = ended;
		}
	pthread_mutex_unlock(&lock);
}

static void read_begins(struct op *op)
{
	pthread_mutex_lock(&lock);
	op->began = ++now;
	pthread_mutex_unlock(&lock);
}

/* @id 0: zeroes, by any that wrote these */
static bool may_be(const struct version *h, uint32_t id, uint64_t began)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		if (h[i].id && (id ? h[i].id == id && !h[i].zeroes : h[i].zeroes) &&
		    (!h[i].replaced || h[i].replaced > began))
			return true;
	return false;
}

static void check_block(const unsigned char *data, uint32_t block, uint64_t began)
{
	static const unsigned char zeroes[SECTOR];
	struct stamp stamp;
	unsigned int s;

	for (s = 0; s < BLOCK; s += SECTOR) {
		memcpy(&stamp, data + s, sizeof(stamp));
		if (!memcmp(data + s, zeroes, SECTOR))
			stamp = (struct stamp){ block, 0 };
		else if (!stamp.id)
			stamp.block = UINT32_MAX;
		if (stamp.block == block && may_be(history[block], stamp.id, began))
			continue;
		if (wrong++ < 20)
			printf("block %u: write %u of block %u, of %u writes\n", block, stamp.id,
			       stamp.block, last_id);
		return;
	}
}

static void check_read(const unsigned char *buffer, const struct op *op)
{
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < op->count; i++)
		check_block(buffer + i * BLOCK, op->block + i, op->began);
	pthread_mutex_unlock(&lock);
}

static void fill(unsigned char *buffer, const struct op *op)
{
	uint32_t i, s;

	for (i = 0; i < op->count; i++)
		for (s = 0; s < BLOCK; s += SECTOR) {
			struct stamp stamp = { op->block + i, op->id };

			memset(buffer + i * BLOCK + s, (int)(op->id | 1), SECTOR);
			memcpy(buffer + i * BLOCK + s, &stamp, sizeof(stamp));
		}
}

static void went(bool well, const char *what, const struct op *op)
{
	if (!well && failed++ < 20)
		printf("%s of %u blocks at %u failed\n", what, op->count, op->block);
}

static void read_once(int fd, unsigned char *buffer, struct op *op)
{
	ssize_t len = (ssize_t)op->count * BLOCK;

	read_begins(op);
	if (pread(fd, buffer, (size_t)len, (off_t)op->block * BLOCK) == len)
		check_read(buffer, op);
	else
		went(false, "read", op);
	reads++;
}

static void write_once(int fd, unsigned char *buffer, struct op *op)
{
	ssize_t len = (ssize_t)op->count * BLOCK;

	write_begins(op, false);
	fill(buffer, op);
	went(pwrite(fd, buffer, (size_t)len, (off_t)op->block * BLOCK) == len, "write", op);
	write_ends(op);
	writes++;
}

static void clear_once(int fd, struct op *op, unsigned long how)
{
	uint64_t range[] = { (uint64_t)op->block * BLOCK, (uint64_t)op->count * BLOCK };

	write_begins(op, true);
	went(!ioctl(fd, how, range), "discard", op);
	write_ends(op);
	clears++;
}

static void *load(void *arg)
{
	uint32_t state = 99 + (uint32_t)(uintptr_t)arg;
	unsigned char *buffer = buffer_new();
	int fd = device_open(O_RDWR);

	while (!over) {
		uint32_t area = chance(&state, 2) ? HOT : blocks - LARGEST;
		struct op op = { .block = chance(&state, area), .count = 1 };
		uint32_t what = chance(&state, 16);

		if (!chance(&state, 4))
			op.count = 1 + chance(&state, LARGEST);
		if (what < 10)
			read_once(fd, buffer, &op);
		else if (what < 14)
			write_once(fd, buffer, &op);
		else
			clear_once(fd, &op, what == 14 ? BLKDISCARD : BLKZEROOUT);
		usleep(chance(&state, 5000)); /* the machine has other things to do, too */
	}
	return NULL;
}

/* --- scribbling ----------------------------------------------------------------------- */

static unsigned char *scribbled[THREADS];

static void *scribble(void *arg)
{
	uint32_t state = 55;

	(void)arg;
	while (!over) {
		uint32_t i = chance(&state, THREADS);

		scribbled[i][chance(&state, LARGEST * BLOCK)] ^= (unsigned char)(state >> 8 | 1);
	}
	return NULL;
}

static void *read_scribbled(void *arg)
{
	unsigned int i = (unsigned int)(uintptr_t)arg;
	int fd = device_open(O_RDONLY);
	uint32_t state = 33 + i;

	while (!over && reads < most_reads) {
		struct op op = { .block = chance(&state, blocks - LARGEST),
				 .count = 1 + chance(&state, LARGEST) };
		ssize_t len = (ssize_t)op.count * BLOCK;

		went(pread(fd, scribbled[i], (size_t)len, (off_t)op.block * BLOCK) == len, "read",
		     &op);
		reads++;
	}
	return NULL;
}

/* --- all of it -------------------------------------------------------------------------- */

static void run(void *(*function)(void *))
{
	pthread_t threads[THREADS];
	uintptr_t i;

	for (i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, function, (void *)i))
			errx(2, "no thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void run_load(void)
{
	struct op all = { .count = blocks }, op = { .count = 1 };
	unsigned char *buffer = buffer_new();
	int fd = device_open(O_RDWR);

	clear_once(fd, &all, BLKZEROOUT);
	run(load);
	for (; op.block < blocks; op.block++)
		read_once(fd, buffer, &op);
}

static void run_scribble(void)
{
	pthread_t scribbler;
	unsigned int i;

	for (i = 0; i < THREADS; i++)
		scribbled[i] = buffer_new();
	if (pthread_create(&scribbler, NULL, scribble, NULL))
		errx(2, "no thread");
	run(read_scribbled);
	over = true;
	pthread_join(scribbler, NULL);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term, .sa_flags = SA_RESTART };
	int fd;

	if (argc < 3)
		errx(2, "usage: stale read|load|scribble DEVICE LEFT|READS");
	sigaction(SIGTERM, &action, NULL);
	device = argv[2];
	left_file = argv[3];
	most_reads = argc > 3 ? (unsigned int)atoi(argv[3]) : 0;
	fd = device_open(O_RDONLY);
	blocks = (uint32_t)(lseek(fd, 0, SEEK_END) / BLOCK);
	close(fd);
	if (blocks > MOST || blocks < HOT + LARGEST)
		errx(2, "%s: not of this size", device);
	if (!strcmp(argv[1], "read"))
		run(keep_reading);
	else if (!strcmp(argv[1], "load"))
		run_load();
	else
		run_scribble();
	printf("%u reads, %u writes, %u clears; %u wrong, %u failed\n", reads, writes, clears,
	       wrong, failed);
	return wrong || (failed && strcmp(argv[1], "read"));
}
