// SPDX-License-Identifier: MIT
/*
 * ledger - writes to a drive, keeps account of what was acknowledged, and says
 * whether all of that, and nothing else, is there.
 *
 *	ledger write SUBJECT PATH ACKS RUN	until SIGTERM
 *	ledger check SUBJECT PATH MODEL [ACKS [exact]]
 *	ledger covered SUBJECT MODEL ACKS
 *
 * SUBJECT is "block" (PATH: a device or an image of one) or "files" (PATH: a directory).
 * Both have slots, each owned by one of the writer's threads; a version (RUN, n)
 * replaces the one before, all of it or not at all.  A slot of "block" is a block of
 * 4 KiB, written with O_DIRECT; one of "files" a file, replaced by rename and made
 * durable by fsync.  "files" has a log beside, to which one more thread appends.
 *
 * After each write that succeeded, a line "A RUN THREAD N SLOT COUNT" is appended to
 * ACKS, which lies outside of the machine; "F RUN THREAD N ERRNO" after one that failed.
 * No write may succeed after one has failed: failing is for good.
 *
 * check: the MODEL is what was there exactly, and becomes what is there now.  Each
 * slot must have the version last acknowledged, in the MODEL or in ACKS; or, unless
 * "exact", that of the write which the thread had under way when the log ends.
 * covered: everything acknowledged in ACKS is in the MODEL, or something later.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK 4096
#define MAX_SLOTS 256
#define MAX_THREADS 4
#define FILE_MAX 49152 /* bytes of a file */
#define RECORD 64 /* bytes of one of the log's */

struct subject {
	const char *name;
	unsigned int threads, slots;
	bool log; /* the thread after the last */
};

static const struct subject subjects[] = {
	{ "block", 4, 256, false },
	{ "files", 2, 32, true },
};

struct version {
	uint32_t run, n;
};

struct model {
	struct version slots[MAX_SLOTS];
	uint64_t log_records, log_hash;
	struct version log; /* its last record's */
};

/* What ACKS says: of one run, as each has a file of its own. */
struct acks {
	struct version slots[MAX_SLOTS];
	uint32_t run, last[MAX_THREADS + 1]; /* by thread */
};

static const struct subject *subject;

static void die(const char *what)
{
	fprintf(stderr, "ledger: %s: %s\n", what, strerror(errno));
	exit(2);
}

static unsigned int owner(unsigned int slot)
{
	return slot / (subject->slots / subject->threads);
}

static int compare(struct version a, struct version b)
{
	if (a.run != b.run)
		return a.run < b.run ? -1 : 1;
	return a.n < b.n ? -1 : a.n > b.n;
}

/* --- contents: functions of slot and version ------------------------------------ */

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static uint32_t seed_of(unsigned int slot, struct version v)
{
	uint32_t state = (v.run * 2654435761u) ^ (v.n * 40503u) ^ (slot << 20) ^ 0x9e3779b9u;

	return state ? state : 1;
}

struct header {
	char magic[16];
	uint32_t slot, run, n, size;
};

/* @size is a multiple of 4 */
static void fill(void *buf, size_t size, unsigned int slot, struct version v)
{
	struct header h = { "cdrive ledger", slot, v.run, v.n, size };
	uint32_t *words = buf, state = seed_of(slot, v);
	size_t i;

	for (i = 0; i < size / 4; i++)
		words[i] = next_random(&state);
	memcpy(buf, &h, sizeof(h));
}

/* Which version of @slot this is; false when it is none. */
static bool recognise(const char *buf, size_t size, unsigned int slot, struct version *v)
{
	static char expected[FILE_MAX + 4];
	struct header h;

	if (size < sizeof(h) || size > FILE_MAX || size % 4)
		return false;
	memcpy(&h, buf, sizeof(h));
	*v = (struct version){ h.run, h.n };
	fill(expected, size, slot, *v);
	return !memcmp(buf, expected, size);
}

static size_t file_size(unsigned int slot, struct version v)
{
	uint32_t state = seed_of(slot, v) ^ 0x5bd1e995u;

	return sizeof(struct header) +
	       next_random(&state) % (FILE_MAX - sizeof(struct header)) / 4 * 4;
}

static void record(char buf[RECORD + 1], struct version v)
{
	snprintf(buf, RECORD + 1, "record %10u %10u %035u", v.run, v.n, v.run ^ v.n);
	buf[RECORD - 1] = '\n';
}

static bool is_record(const char *buf, struct version *v)
{
	char expected[RECORD + 1];

	if (sscanf(buf, "record %" SCNu32 " %" SCNu32 " ", &v->run, &v->n) != 2)
		return false;
	record(expected, *v);
	return !memcmp(buf, expected, RECORD);
}

static uint64_t hash(uint64_t h, const char *buf, size_t len)
{
	while (len--)
		h = (h ^ (unsigned char)*buf++) * 1099511628211u;
	return h;
}

/* --- writing ------------------------------------------------------------------------ */

static volatile sig_atomic_t stop;
static const char *path;
static int device = -1, acks_fd = -1, dir_fd = -1, log_fd = -1;
static uint32_t run;

struct writer {
	unsigned int thread;
	uint32_t n, random;
	bool failed, revived;
	pthread_t id;
	void *buf;
};

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

static void tell(const char *line)
{
	ssize_t len = strlen(line);

	if (write(acks_fd, line, len) != len)
		die("acknowledgements");
}

static int write_blocks(struct writer *w, unsigned int slot, unsigned int count)
{
	struct version v = { run, w->n };
	unsigned int i;
	ssize_t done;

	for (i = 0; i < count; i++)
		fill((char *)w->buf + i * BLOCK, BLOCK, slot + i, v);
	done = pwrite(device, w->buf, count * BLOCK, (off_t)slot * BLOCK);
	if (done < 0)
		return -errno;
	return done == (ssize_t)count * BLOCK ? 0 : -EIO;
}

static int write_file_fd(int fd, const void *buf, size_t size)
{
	ssize_t done = write(fd, buf, size);

	if (done < 0)
		return -errno;
	if ((size_t)done != size)
		return -EIO;
	return fsync(fd) ? -errno : 0;
}

static int write_file(struct writer *w, unsigned int slot)
{
	struct version v = { run, w->n };
	size_t size = file_size(slot, v);
	char temporary[32], name[32];
	int fd, err;

	snprintf(temporary, sizeof(temporary), "new%u", w->thread);
	snprintf(name, sizeof(name), "file%03u", slot);
	fill(w->buf, size, slot, v);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_file_fd(fd, w->buf, size);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(dir_fd, temporary, dir_fd, name))
		err = -errno;
	if (!err && fsync(dir_fd))
		err = -errno;
	return err;
}

static int append_record(struct writer *w)
{
	char buf[RECORD + 1];

	record(buf, (struct version){ run, w->n });
	return write_file_fd(log_fd, buf, RECORD);
}

/* One write by a thread, and its line. */
static void write_once(struct writer *w)
{
	unsigned int share = subject->slots / subject->threads, slot = 0, count = 1;
	char line[80];
	int err;

	w->n++;
	if (w->thread == subject->threads) {
		err = append_record(w);
	} else {
		slot = next_random(&w->random) % share;
		if (!subject->log && next_random(&w->random) % 8 == 0)
			count = 1 + next_random(&w->random) % (share - slot) % 16;
		slot += w->thread * share;
		err = subject->log ? write_file(w, slot) : write_blocks(w, slot, count);
	}
	if (err)
		snprintf(line, sizeof(line), "F %u %u %u %d\n", run, w->thread, w->n, -err);
	else
		snprintf(line, sizeof(line), "A %u %u %u %u %u\n", run, w->thread, w->n, slot,
			 count);
	tell(line);
	if (!err && w->failed)
		w->revived = true;
	w->failed |= !!err;
}

static void *keep_writing(void *arg)
{
	struct writer *w = arg;

	while (!stop) {
		write_once(w);
		/* The machine is slow, and has other things to do, too. */
		usleep(w->failed ? 100000 : next_random(&w->random) % 80000);
	}
	return NULL;
}

/* The log goes on after its last whole record: what a crash left half-done goes. */
static int open_log(void)
{
	int fd = openat(dir_fd, "log", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char buf[RECORD + 1] = "";
	struct version v;
	struct stat st;
	off_t whole;

	if (fd < 0 || fstat(fd, &st))
		die("log");
	whole = st.st_size / RECORD * RECORD;
	if (whole && (pread(fd, buf, RECORD, whole - RECORD) != RECORD || !is_record(buf, &v)))
		whole -= RECORD;
	if (whole != st.st_size && ftruncate(fd, whole))
		die("log");
	return fd;
}

static int write_on(void)
{
	struct sigaction action = { .sa_handler = on_term };
	static struct writer writers[MAX_THREADS + 1];
	unsigned int i, count = subject->threads + subject->log;
	bool revived = false;

	sigaction(SIGTERM, &action, NULL);
	if (subject->log) {
		dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir_fd < 0)
			die(path);
		log_fd = open_log();
	} else {
		device = open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (device < 0)
			die(path);
	}
	for (i = 0; i < count; i++) {
		struct writer *w = &writers[i];

		w->thread = i;
		w->random = seed_of(i, (struct version){ run, 0 });
		if (posix_memalign(&w->buf, BLOCK, 16 * BLOCK) ||
		    pthread_create(&w->id, NULL, keep_writing, w))
			die("threads");
	}
	for (i = 0; i < count; i++) {
		pthread_join(writers[i].id, NULL);
		revived |= writers[i].revived;
	}
	if (revived)
		fprintf(stderr, "ledger: a write succeeded after one had failed\n");
	return revived;
}

/* --- models and acknowledgements ------------------------------------------------------ */

static FILE *open_or_die(const char *name, const char *mode)
{
	FILE *f = fopen(name, mode);

	if (!f)
		die(name);
	return f;
}

static void load_model(const char *name, struct model *m)
{
	FILE *f = open_or_die(name, "r");
	struct version v;
	unsigned int slot;
	char line[128];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "log %" SCNu64 " %" SCNx64 " %u %u", &m->log_records, &m->log_hash,
			   &m->log.run, &m->log.n) == 4)
			continue;
		if (sscanf(line, "%u %u %u", &slot, &v.run, &v.n) != 3 || slot >= subject->slots) {
			errno = EINVAL;
			die(name);
		}
		m->slots[slot] = v;
	}
	fclose(f);
}

static void save_model(const char *name, const struct model *m)
{
	FILE *f = open_or_die(name, "w");
	unsigned int i;

	for (i = 0; i < subject->slots; i++)
		fprintf(f, "%u %u %u\n", i, m->slots[i].run, m->slots[i].n);
	fprintf(f, "log %" PRIu64 " %" PRIx64 " %u %u\n", m->log_records, m->log_hash, m->log.run,
		m->log.n);
	if (fclose(f))
		die(name);
}

/* The last line may be cut short, where the machine was killed: it counts for nothing. */
static void load_acks(const char *name, struct acks *a)
{
	FILE *f = open_or_die(name, "r");
	unsigned int thread, n, slot, count;
	char line[128];

	while (fgets(line, sizeof(line), f)) {
		if (!strchr(line, '\n') ||
		    sscanf(line, "A %u %u %u %u %u", &a->run, &thread, &n, &slot, &count) != 5)
			continue;
		if (thread > MAX_THREADS || slot + count > subject->slots) {
			errno = EINVAL;
			die(name);
		}
		a->last[thread] = n;
		while (thread < subject->threads && count--)
			a->slots[slot++] = (struct version){ a->run, n };
	}
	fclose(f);
}

/* --- checking ---------------------------------------------------------------------------- */

static unsigned int wrong;

static bool read_slot(unsigned int slot, void *buf, struct version *v)
{
	static const char zeroes[BLOCK];
	char name[32];
	ssize_t size;
	int fd;

	*v = (struct version){ 0, 0 };
	if (!subject->log) {
		if (pread(device, buf, BLOCK, (off_t)slot * BLOCK) != BLOCK)
			die(path);
		return !memcmp(buf, zeroes, BLOCK) || recognise(buf, BLOCK, slot, v);
	}
	snprintf(name, sizeof(name), "file%03u", slot);
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		die(name);
	size = read(fd, buf, FILE_MAX + 1);
	if (size < 0)
		die(name);
	close(fd);
	return recognise(buf, size, slot, v);
}

static void check_slot(unsigned int slot, void *buf, struct model *m, const struct acks *a,
		       bool exact)
{
	struct version expected = a->slots[slot].run ? a->slots[slot] : m->slots[slot];
	struct version under_way = { a->run, a->last[owner(slot)] + 1 }, found;

	if (!read_slot(slot, buf, &found)) {
		printf("slot %u: neither %u.%u nor any other version\n", slot, expected.run,
		       expected.n);
		wrong++;
		return;
	}
	if (compare(found, expected) && (exact || compare(found, under_way))) {
		printf("slot %u: %u.%u, and %u.%u was the last acknowledged, %u.%u the last of its thread\n",
		       slot, found.run, found.n, expected.run, expected.n, a->run, under_way.n - 1);
		wrong++;
	}
	m->slots[slot] = found;
}

/* Record number @i of those after the MODEL's must be the run's number @i. */
static void check_log(struct model *m, const struct acks *a, bool exact)
{
	FILE *f = fdopen(openat(dir_fd, "log", O_RDONLY | O_CREAT | O_CLOEXEC, 0600), "r");
	uint32_t acknowledged = a->last[subject->threads], more = 0;
	uint64_t h = 14695981039346656037u, count = 0;
	char buf[RECORD + 1] = "";
	struct version v;
	size_t len;

	if (!f)
		die("log");
	while ((len = fread(buf, 1, RECORD, f)) == RECORD && is_record(buf, &v)) {
		h = hash(h, buf, RECORD);
		count++;
		if (count > m->log_records && (v.run != a->run || v.n != ++more)) {
			printf("log: record %u.%u in place of %u.%u\n", v.run, v.n, a->run, more);
			wrong++;
			break;
		}
		if (count >= m->log_records)
			m->log = v;
		if (count == m->log_records && h != m->log_hash) {
			printf("log: other than it was\n");
			wrong++;
		}
	}
	if (count < m->log_records || more < acknowledged || more > acknowledged + !exact) {
		printf("log: %" PRIu64 " records, %u of them new; there were %" PRIu64
		       ", and %u were acknowledged\n",
		       count, more, m->log_records, acknowledged);
		wrong++;
	}
	/* What follows may be the one that was under way, half done. */
	if (len && (exact || more > acknowledged || fread(buf, 1, 1, f))) {
		printf("log: damaged after record %" PRIu64 "\n", count);
		wrong++;
	}
	m->log_records = count;
	m->log_hash = h;
	fclose(f);
}

static int check(const char *model, const char *acks, bool exact)
{
	static char buf[FILE_MAX + BLOCK] __attribute__((aligned(BLOCK)));
	static struct model m;
	static struct acks a;
	unsigned int slot;

	load_model(model, &m);
	if (acks)
		load_acks(acks, &a);
	if (subject->log)
		dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	else
		device = open(path, O_RDONLY | O_CLOEXEC);
	if (dir_fd < 0 && device < 0)
		die(path);
	posix_fadvise(device, 0, 0, POSIX_FADV_DONTNEED); /* what the drive has, no cache */
	for (slot = 0; slot < subject->slots; slot++)
		check_slot(slot, buf, &m, &a, exact || !acks);
	if (subject->log)
		check_log(&m, &a, exact || !acks);
	save_model(model, &m);
	return !!wrong;
}

static int covered(const char *model, const char *acks)
{
	static struct model m;
	static struct acks a;
	unsigned int slot;

	load_model(model, &m);
	load_acks(acks, &a);
	for (slot = 0; slot < subject->slots; slot++) {
		if (compare(m.slots[slot], a.slots[slot]) >= 0)
			continue;
		printf("slot %u: %u.%u was acknowledged, and there was %u.%u\n", slot,
		       a.slots[slot].run, a.slots[slot].n, m.slots[slot].run, m.slots[slot].n);
		wrong++;
	}
	if (subject->log && a.last[subject->threads] &&
	    compare(m.log, (struct version){ a.run, a.last[subject->threads] }) < 0) {
		printf("log: %u.%u was acknowledged, and the last was %u.%u\n", a.run,
		       a.last[subject->threads], m.log.run, m.log.n);
		wrong++;
	}
	return !!wrong;
}

static int usage(void)
{
	fprintf(stderr, "usage: ledger write SUBJECT PATH ACKS RUN\n"
			"       ledger check SUBJECT PATH MODEL [ACKS [exact]]\n"
			"       ledger covered SUBJECT MODEL ACKS\n");
	return 2;
}

int main(int argc, char **argv)
{
	size_t i;

	for (i = 0; argc > 2 && i < sizeof(subjects) / sizeof(subjects[0]); i++)
		if (!strcmp(argv[2], subjects[i].name))
			subject = &subjects[i];
	if (!subject || argc < 5)
		return usage();
	path = argv[3];
	if (!strcmp(argv[1], "write") && argc == 6) {
		acks_fd = open(argv[4], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		run = strtoul(argv[5], NULL, 10);
		if (acks_fd < 0)
			die(argv[4]);
		return write_on();
	}
	if (!strcmp(argv[1], "check"))
		return check(argv[4], argc > 5 ? argv[5] : NULL, argc > 6);
	if (!strcmp(argv[1], "covered"))
		return covered(argv[3], argv[4]);
	return usage();
}
