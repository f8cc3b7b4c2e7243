// SPDX-License-Identifier: MIT
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/aio_abi.h>
#include <linux/fs.h>

#include "model.h"
#include "report.h"

/* The start is left alone: it is where partition tables are looked for. */
#define FIRST_SECTOR 64
#define JOB_SECTORS 512u
#define AIO_JOBS 8
#define JOBS (AIO_JOBS + 2)

enum what { READ, WRITE, DISCARD, ZERO, RESCAN, FLUSH };

/* A part of the drive, on which one operation at a time is under way. */
struct job {
	struct load *load;
	struct model model;
	struct chance chance;
	unsigned char *buf;
	int fd;
	bool buffered;

	enum what what;
	uint32_t from, n, version;
	unsigned int still;
	bool must_fail;
	atomic_uint_fast64_t since; /* 0: nothing is under way */
	struct iocb iocb;
};

struct load {
	unsigned int index;
	struct weather *weather;
	struct job jobs[JOBS];
	atomic_bool stop;
	atomic_uint running; /* threads */
	atomic_ulong ended;
};

/* --- one operation ------------------------------------------------------------------ */

static void begin(struct job *j)
{
	struct weather *w = j->load->weather;

	j->n = 1 + chance(&j->chance, one_in(&j->chance, 8) ? JOB_SECTORS : 32);
	j->from = chance(&j->chance, JOB_SECTORS - j->n + 1);
	if (j->what == WRITE)
		j->version = model_fill(&j->model, j->from, j->n, j->buf);
	else
		j->version = 0;
	atomic_store(&j->since, now_ns());
	j->must_fail = atomic_load(&w->must_fail);
	j->still = atomic_load(&w->still);
}

static const char *name(enum what what)
{
	static const char *const names[] = { "read",	"write",  "discard",
					     "zeroing", "rescan", "flush" };

	return names[what];
}

/* What came of it: 0, or a negative errno. */
static void end(struct job *j, int err)
{
	struct weather *w = j->load->weather;
	bool may_fail = atomic_load(&w->may_fail);

	if (!j->buffered && j->still % 2 && j->still == atomic_load(&w->still))
		complain("cdrive%u: a %s of sector %llu ended (%d) while the drive was to wait",
			 j->load->index, name(j->what),
			 (unsigned long long)j->model.first + j->from, err);
	if (!j->buffered && j->must_fail && !err)
		complain(
			"cdrive%u: a %s of sector %llu was done by a drive that was fenced or gone",
			j->load->index, name(j->what),
			(unsigned long long)j->model.first + j->from);
	if (err && !may_fail)
		complain("cdrive%u: a %s of sector %llu failed: %s", j->load->index, name(j->what),
			 (unsigned long long)j->model.first + j->from, strerror(-err));
	if (j->what == READ && !err)
		model_check(&j->model, j->from, j->n, j->buf);
	else if (j->what != READ && !err)
		model_wrote(&j->model, j->from, j->n, j->version);
	else if (j->what != READ)
		model_failed(&j->model, j->from, j->n, j->version);
	atomic_store(&j->since, 0);
	atomic_fetch_add(&j->load->ended, 1);
}

static int result(ssize_t did, const struct job *j)
{
	return did == (ssize_t)(j->n * SECTOR) ? 0 : -EIO;
}

static off_t at(const struct job *j)
{
	return (off_t)(j->model.first + j->from) * SECTOR;
}

/* --- one at a time -------------------------------------------------------------------- */

/* Of these nothing is known: partitions are in use, the drive goes. */
static void manners(struct job *j)
{
	char dump[4096];

	if (one_in(&j->chance, 2))
		ioctl(j->fd, BLKFLSBUF, 0);
	else if (one_in(&j->chance, 2))
		ioctl(j->fd, BLKRRPART, 0);
	else
		(void)!pread(j->fd, dump, sizeof(dump), 0);
}

static int do_now(struct job *j)
{
	uint64_t range[2] = { (uint64_t)at(j), (uint64_t)j->n * SECTOR };

	switch (j->what) {
	case READ:
		if (j->buffered && one_in(&j->chance, 2))
			posix_fadvise(j->fd, at(j), (off_t)range[1], POSIX_FADV_DONTNEED);
		return result(pread(j->fd, j->buf, j->n * SECTOR, at(j)), j);
	case WRITE:
		if (pwrite(j->fd, j->buf, j->n * SECTOR, at(j)) != (ssize_t)(j->n * SECTOR))
			return -EIO;
		return j->buffered && one_in(&j->chance, 4) && fdatasync(j->fd) ? -errno : 0;
	case DISCARD:
		return ioctl(j->fd, BLKDISCARD, range) ? -errno : 0;
	default:
		return ioctl(j->fd, BLKZEROOUT, range) ? -errno : 0;
	}
}

/* A page that could not be written stays what it is in the cache, or goes. */
static void forget_cache(struct job *j)
{
	if (!j->buffered || !atomic_load(&j->load->weather->may_fail))
		return;
	for (uint32_t i = 0; i < JOB_SECTORS; i++)
		j->model.sectors[i] =
			(struct model_sector){ .newest = j->model.version, .or_zero = true };
}

static void *one_at_a_time(void *arg)
{
	struct job *j = arg;

	while (!atomic_load(&j->load->stop)) {
		if (one_in(&j->chance, j->buffered ? 8 : 64))
			manners(j);
		j->what = chance(&j->chance, j->buffered ? 2 : 8);
		if (j->what > ZERO)
			j->what %= 2;
		begin(j);
		forget_cache(j);
		end(j, do_now(j));
		forget_cache(j);
		/* A dead drive fails as fast as it can be asked. */
		if (atomic_load(&j->load->weather->must_fail))
			sleep_ms(1);
	}
	/* What is dirty must not be written when nobody answers any more. */
	if (j->buffered)
		fsync(j->fd);
	atomic_fetch_sub(&j->load->running, 1);
	return NULL;
}

/* --- many at a time --------------------------------------------------------------------- */

static void submit(aio_context_t aio, struct job *j)
{
	struct iocb *one = &j->iocb;

	j->what = chance(&j->chance, 2);
	begin(j);
	*one = (struct iocb){
		.aio_data = (uint64_t)(uintptr_t)j,
		.aio_lio_opcode = j->what == READ ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)j->fd,
		.aio_buf = (uint64_t)(uintptr_t)j->buf,
		.aio_nbytes = j->n * SECTOR,
		.aio_offset = at(j),
	};
	if (syscall(SYS_io_submit, aio, 1, &one) != 1)
		end(j, -errno);
}

static void *many_at_a_time(void *arg)
{
	struct load *l = arg;
	struct io_event events[AIO_JOBS];
	aio_context_t aio = 0;
	unsigned int under_way = 0;

	if (syscall(SYS_io_setup, AIO_JOBS, &aio))
		give_up("io_setup: %s", strerror(errno));
	do {
		struct timespec limit = { .tv_nsec = 100000000 };
		long n;

		for (unsigned int i = 0; i < AIO_JOBS && !atomic_load(&l->stop); i++) {
			if (atomic_load(&l->jobs[i].since))
				continue;
			submit(aio, &l->jobs[i]);
			under_way += !!atomic_load(&l->jobs[i].since);
		}
		if (!under_way) {
			sleep_ms(1);
			continue;
		}
		n = syscall(SYS_io_getevents, aio, 1, AIO_JOBS, events, &limit);
		for (long i = 0; i < n; i++) {
			struct job *j = (struct job *)(uintptr_t)events[i].data;
			int64_t res = events[i].res;

			end(j, res < 0 ? (int)res : result(res, j));
			under_way--;
		}
		if (atomic_load(&l->weather->must_fail))
			sleep_ms(1);
	} while (under_way || !atomic_load(&l->stop));
	syscall(SYS_io_destroy, aio);
	atomic_fetch_sub(&l->running, 1);
	return NULL;
}

/* --- from outside -------------------------------------------------------------------------- */

static int open_drive(const struct load *l, int flags)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/cdrive%u", l->index);
	/* devtmpfs may be a moment late. */
	while ((fd = open(path, O_RDWR | O_CLOEXEC | flags)) < 0 && errno == ENOENT &&
	       now_ns() < end)
		sleep_ms(1);
	if (fd < 0)
		complain("%s can't be opened: %s", path, strerror(errno));
	return fd;
}

static void start_thread(void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, run, arg))
		give_up("no thread");
	pthread_attr_destroy(&attr);
}

struct load *load_start(unsigned int index, uint64_t serial, uint64_t seed, struct weather *weather)
{
	struct load *l = calloc(1, sizeof(*l));
	int direct, cached;

	if (!l)
		give_up("no memory for a load");
	l->index = index;
	l->weather = weather;
	direct = open_drive(l, O_DIRECT);
	cached = open_drive(l, 0);
	for (unsigned int i = 0; i < JOBS; i++) {
		struct job *j = &l->jobs[i];

		j->load = l;
		j->buffered = i == JOBS - 1;
		j->fd = j->buffered ? cached : direct;
		chance_seed(&j->chance, seed * JOBS + i);
		model_init(&j->model, serial, FIRST_SECTOR + (uint64_t)i * JOB_SECTORS,
			   JOB_SECTORS);
		if (posix_memalign((void **)&j->buf, 4096, JOB_SECTORS * SECTOR))
			give_up("no memory for a load");
	}
	l->running = 3;
	start_thread(many_at_a_time, l);
	start_thread(one_at_a_time, &l->jobs[AIO_JOBS]);
	start_thread(one_at_a_time, &l->jobs[AIO_JOBS + 1]);
	return l;
}

unsigned long load_ended(const struct load *l)
{
	return atomic_load(&l->ended);
}

void load_check_stuck(const struct load *l)
{
	uint64_t now = now_ns();

	for (unsigned int i = 0; i < JOBS; i++) {
		const struct job *j = &l->jobs[i];
		uint64_t since = atomic_load(&j->since);

		if (since && now > since + SECONDS(STUCK_SECONDS))
			give_up_stuck("cdrive%u: a %s%s of sector %llu is stuck for %llu s",
				      l->index, j->buffered ? "buffered " : "", name(j->what),
				      (unsigned long long)j->model.first + j->from,
				      (unsigned long long)(now - since) / 1000000000);
	}
}

void load_stop(struct load *l)
{
	uint64_t limit = now_ns() + SECONDS(2 * STUCK_SECONDS);

	atomic_store(&l->stop, true);
	while (atomic_load(&l->running)) {
		load_check_stuck(l);
		if (now_ns() > limit)
			give_up_stuck("cdrive%u: its load does not end", l->index);
		sleep_ms(1);
	}
	close(l->jobs[0].fd);
	close(l->jobs[JOBS - 1].fd);
	for (unsigned int i = 0; i < JOBS; i++) {
		model_free(&l->jobs[i].model);
		free(l->jobs[i].buf);
	}
	free(l);
}
