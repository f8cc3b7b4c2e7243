// SPDX-License-Identifier: MIT
/*
 * Reads what holds data of a drive, so that the driver enters it into the cache.
 *
 * A child process reads, as who reads from a drive that is parked can't be interrupted.  The
 * driver leaves out what comes faster than the cache's disk can take it; that is read again.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cache/device.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "ctl/progress.h"
#include "host/drives.h"
#include "host/watched.h"
#include "lib/runtime.h"
#include "lib/whole.h"

#define PIECE (8u << 20) /* a read; the driver makes several requests of it */
#define ALIGN 4096u

/* Until what was left out is read again, and how often it is. */
#define AGAIN_MS 200
#define AGAIN_TIMES 5

#define HELPER_MS 10000
#define LISTED_S 60 /* for the helper to have the list of page ranges */
#define LISTED_AGAIN_MS 200

/* linux/ioprio.h */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_IDLE (3 << 13)

struct warm {
	const char *arg, *range;
	bool json;
	uint64_t from, to; /* bytes */

	unsigned int index;
	int dev; /* /dev/cdrive-cache: long runs are cached while it is open */
	struct progress progress;
	struct session session;
	struct driver_drive driver; /* as it was looked at last */
	bool full;

	/* the child */
	pid_t reader;
	int asked[2], responded[2]; /* pipes */
	struct loop_fd watch;
	bool response;
	int err;
};

struct piece {
	uint64_t offset;
	uint64_t len;
};

/* --- the child -------------------------------------------------------------------------------- */

static int read_piece(int fd, char *buf, const struct piece *p)
{
	ssize_t n = whole_pread(fd, buf, p->len, p->offset);

	return n < 0 ? (int)-n : n < (ssize_t)p->len ? EIO : 0;
}

static int serve_reads(void *arg)
{
	const struct warm *w = arg;
	char device[DEVICE_SIZE], *buf;
	struct piece p;
	int fd, err = 0;

	signal(SIGPIPE, SIG_IGN);
	close(w->asked[1]);
	close(w->responded[0]);
	syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	fd = open(device_name(w->index, device), O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		err = errno;
	buf = mmap(NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buf == MAP_FAILED)
		err = ENOMEM;
	while (read(w->asked[0], &p, sizeof(p)) == sizeof(p)) {
		if (!err)
			err = read_piece(fd, buf, &p);
		if (write(w->responded[1], &err, sizeof(err)) != sizeof(err))
			break;
	}
	return 0;
}

/* --- on this side ------------------------------------------------------------------------------ */

static void on_response(void *arg, uint32_t events)
{
	struct warm *w = arg;

	(void)events;
	if (read(w->responded[0], &w->err, sizeof(w->err)) != sizeof(w->err))
		w->err = EPIPE;
	w->response = true;
}

static int start_reader(struct warm *w)
{
	int err;

	if (pipe2(w->asked, O_CLOEXEC) || pipe2(w->responded, O_CLOEXEC))
		return -errno;
	w->reader = watched_start(serve_reads, w);
	close(w->asked[0]);
	close(w->responded[1]);
	if (w->reader < 0)
		return (int)w->reader;
	err = loop_fd_add(w->session.loop, &w->watch, w->responded[0], EPOLLIN, on_response, w);
	return err;
}

/* It may be waiting for the drive, and is left to itself then. */
static void end_reader(struct warm *w)
{
	if (w->watch.fn)
		loop_fd_del(w->session.loop, &w->watch);
	if (w->reader > 0)
		kill(w->reader, SIGKILL);
	close(w->asked[1]);
	close(w->responded[0]);
}

static int read_through(struct warm *w, const struct piece *p)
{
	struct job *job = &w->progress.job;

	w->response = false;
	if (write(w->asked[1], p, sizeof(*p)) != sizeof(*p))
		return job_fail(job, EXIT_FAILED, "%s: the process that reads is gone; try again",
				w->session.text);
	if (job_wait(job, &w->response))
		return -1;
	if (w->err)
		return job_fail(job, EXIT_FAILED,
				"%s: reading at %llu: %s; see clouddrivectl status %s",
				w->session.text, (unsigned long long)p->offset, strerror(w->err),
				w->session.text);
	return 0;
}

/* --- the cache ----------------------------------------------------------------------------------- */

static int look(struct warm *w)
{
	int err = driver_query(w->index, &w->driver);

	if (!err && !w->driver.cached)
		err = -ENODEV;
	if (err)
		return job_fail(&w->progress.job, EXIT_FAILED,
				"%s: has no part of the cache any more: %s", w->session.text,
				strerror(-err));
	return 0;
}

/* One that shares the rest may have more than its part while there is room. */
static bool is_full(const struct warm *w)
{
	const struct cdrive_cache_counters *c = &w->driver.cache;
	struct cdrive_cache_info info;

	if (c->used < c->size)
		return false;
	if (c->flags & CDRIVE_CACHE_F_RESERVED)
		return true;
	return !cache_device_info(w->dev, &info) && info.used >= info.slots;
}

static int warm_piece(struct warm *w, const struct piece *p)
{
	uint64_t skipped;

	for (int tries = 0; tries < AGAIN_TIMES; tries++) {
		skipped = w->driver.cache.skipped;
		if (read_through(w, p) || look(w))
			return -1;
		w->full = is_full(w);
		if (w->full || w->driver.cache.skipped == skipped)
			return 0;
		if (job_pause(&w->progress.job, LOOP_MS(AGAIN_MS)))
			return -1;
	}
	return 0;
}

/* The range without what is not asked for, in whole blocks. */
static struct piece clip(const struct warm *w, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	if (offset < w->from)
		offset = w->from;
	if (end > w->to)
		end = w->to;
	offset -= offset % ALIGN;
	return (struct piece){ offset, end > offset ? end - offset : 0 };
}

static int warm_range(struct warm *w, uint64_t offset, uint64_t len)
{
	struct piece range = clip(w, offset, len), p;

	while (range.len && !w->full) {
		p = range;
		if (p.len > PIECE)
			p.len = PIECE;
		/* The end of a disk need not be that of a block. */
		if (warm_piece(w, &p))
			return -1;
		w->progress.job.done += p.len;
		range.offset += p.len;
		range.len -= p.len;
	}
	return 0;
}

/* --- what holds data ------------------------------------------------------------------------------- */

typedef int (*range_fn)(struct warm *w, uint64_t offset, uint64_t len);

static int no_helper(struct warm *w, int err)
{
	return job_fail(
		&w->progress.job, EXIT_FAILED,
		"%s: its helper does not say what holds data: %s; see clouddrivectl status %s",
		w->session.text, strerror(-err), w->session.text);
}

static int ask(struct warm *w, const char *command, uint64_t from, json_t **response)
{
	json_t *request = json_pack("{s:s, s:I}", "command", command, "from", (json_int_t)from);
	int err = runtime_request(w->index, request, response, HELPER_MS);

	json_decref(request);
	if (!err && json_object_get(*response, "error")) {
		json_decref(*response);
		err = -EPROTO;
	}
	return err ? no_helper(w, err) : 0;
}

/* Until the list is there all counts as data. */
static int wait_for_list(struct warm *w)
{
	uint64_t end = loop_now() + LOOP_SEC(LISTED_S);
	bool listed = false;

	while (!listed && loop_now() < end) {
		json_t *o;

		if (ask(w, "status", 0, &o))
			return -1;
		listed = json_is_true(json_object_get(json_object_get(o, "service"), "listed"));
		json_decref(o);
		if (!listed && job_pause(&w->progress.job, LOOP_MS(LISTED_AGAIN_MS)))
			return -1;
	}
	return 0;
}

static int each_of(struct warm *w, const json_t *ranges, range_fn fn)
{
	json_t *range;
	size_t n;

	json_array_foreach(ranges, n, range) {
		uint64_t offset = (uint64_t)json_integer_value(json_array_get(range, 0));
		uint64_t len = (uint64_t)json_integer_value(json_array_get(range, 1));

		if (offset < w->to && !w->full && fn(w, offset, len))
			return -1;
	}
	return 0;
}

static int each_range(struct warm *w, range_fn fn)
{
	uint64_t at = w->from, next;
	int err = 0;

	while (at < w->to && !err && !w->full) {
		json_t *o;

		if (ask(w, "data", at, &o))
			return -1;
		next = (uint64_t)json_integer_value(json_object_get(o, "next"));
		err = next > at ? each_of(w, json_object_get(o, "ranges"), fn) :
				  no_helper(w, -EPROTO);
		json_decref(o);
		at = next;
	}
	return err;
}

static int count_range(struct warm *w, uint64_t offset, uint64_t len)
{
	w->progress.job.total += clip(w, offset, len).len;
	return 0;
}

/* --- all of it ------------------------------------------------------------------------------------- */

static int warm_all(struct warm *w)
{
	int err = start_reader(w);

	if (err)
		return job_fail(&w->progress.job, EXIT_FAILED, "%s: %s; try again", w->session.text,
				strerror(-err));
	if (wait_for_list(w) || each_range(w, count_range) || look(w))
		return -1;
	progress_show(&w->progress);
	err = each_range(w, warm_range);
	progress_hide(&w->progress);
	return err;
}

static int report(const struct warm *w)
{
	const struct job *job = &w->progress.job;
	const struct cdrive_cache_counters *c = &w->driver.cache;
	char done[16], total[16], used[16], size[16];

	if (w->json)
		return print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:b}", "device",
					    w->session.text, "data", (json_int_t)job->total, "read",
					    (json_int_t)job->done, "used", (json_int_t)c->used,
					    "size", (json_int_t)c->size, "full", w->full));
	printf("%s: %s of %s that hold data were read; %s of the cache's %s are used\n",
	       w->session.text, size_text(job->done, done, sizeof(done)),
	       size_text(job->total, total, sizeof(total)), size_text(c->used, used, sizeof(used)),
	       size_text(c->size, size, sizeof(size)));
	if (w->full)
		note("%s: its part of the cache is full; give it more: clouddrivectl mount URL --cache SIZE",
		     w->session.text);
	return EXIT_OK;
}

static int run_job(struct warm *w)
{
	int status = progress_start(&w->progress, &w->session, 1);

	if (status)
		return status;
	status = warm_all(w);
	end_reader(w);
	progress_end(&w->progress);
	return status ? progress_fail(&w->progress, "what was read is in the cache") : report(w);
}

static int warm_drive(struct warm *w)
{
	int status, err = cache_device_fill_runs(w->dev, w->index);

	if (err)
		return fail(EXIT_FAILED, "%s: %s; see dmesg", w->session.text, strerror(-err));
	err = loop_new(&w->session.loop);
	if (err)
		return fail(EXIT_FAILED, "%s", strerror(-err));
	status = run_job(w);
	loop_free(w->session.loop);
	return status;
}

static int warm(const struct drive *drive, void *arg)
{
	char device[DEVICE_SIZE];
	struct warm *w = arg;
	uint64_t size = (uint64_t)drive_size(drive);
	int status;

	w->index = drive->driver.index;
	w->driver = drive->driver;
	w->session.text = (char *)device_name(w->index, device);
	if (!drive->driver.cached)
		return fail(
			EXIT_FAILED,
			"%s: has no part of a cache; see clouddrivectl init-cache, and mount --cache",
			device);
	if (w->to > size)
		w->to = size;
	if (w->from >= w->to)
		return fail(EXIT_USAGE, "--range: begins past the end of %s", device);
	w->dev = cache_device_open();
	if (w->dev < 0)
		return fail(EXIT_FAILED, "/dev/cdrive-cache: %s", strerror(-w->dev));
	status = warm_drive(w);
	close(w->dev);
	return status;
}

/* "1G-2G", "1G-": from the one to before the other, or the end. */
static int parse_range(struct warm *w)
{
	const char *dash = strchr(w->range, '-');
	char first[32];

	w->to = UINT64_MAX;
	if (!dash || dash - w->range >= (int)sizeof(first))
		return -EINVAL;
	snprintf(first, sizeof(first), "%.*s", (int)(dash - w->range), w->range);
	if (parse_size(first, &w->from) || (dash[1] && parse_size(dash + 1, &w->to)) ||
	    w->from >= w->to)
		return -EINVAL;
	return 0;
}

static int run(int argc, char **argv)
{
	struct warm w = { .to = UINT64_MAX, .dev = -1 };
	const struct option options[] = {
		TEXT("range", &w.range),
		FLAG("json", &w.json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("DRIVE", &w.arg),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status && w.range && parse_range(&w))
		status = fail(EXIT_USAGE,
			      "--range: not two sizes, as in 1G-2G; see clouddrivectl warm --help");
	if (!status)
		status = need_root();
	return status ? status : drives_act(w.arg, warm, &w);
}

static const char help[] =
	"usage: clouddrivectl warm DRIVE [--range A-B] [--json]\n"
	"\n"
	"Reads what holds data of a drive into the cache (init-cache), at idle priority, until\n"
	"the drive's part of it is full. DRIVE is a URL, a device or a mount point. Interrupted,\n"
	"it leaves in the cache what it has read. Needs root.\n"
	"\n"
	"  --range A-B  only from byte A to before byte B, which are sizes, such as 1G-2G; without\n"
	"               B to the end\n"
	"  --json       print {\"device\", \"data\" (bytes that hold data), \"read\", \"used\" and\n"
	"               \"size\" (of the drive's part of the cache), \"full\"}\n"
	"\n"
	"Example:\n"
	"  clouddrivectl warm /srv/data\n"
	"\n"
	"Exit status: 0 done, also when the cache had less room; 1 it failed or was interrupted, or\n"
	"there is no cache; 2 wrong usage; 3 no such drive on this machine.\n";

const struct verb verb_warm = {
	.name = "warm",
	.arguments = "DRIVE [--range A-B]",
	.summary = "read a drive into the cache",
	.help = help,
	.run = run,
};
