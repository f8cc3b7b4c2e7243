// SPDX-License-Identifier: MIT
#include "image/blob_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <openssl/rand.h>

#include "image/transfer.h"

/* Enough that no two are the same, and a number that JSON's readers get right. */
#define SEQUENCE_BITS 48
#define UNDO_TRIES 5
#define MOUNTS_SINCE 1000
#define BREATH (64u << 20) /* bytes found to be there, between turns of the loop */

/* --- single calls -------------------------------------------------------------- */

static struct az_call *start_create(struct job *job, void *arg, struct az_sync *sync)
{
	struct blob_writer *w = arg;

	return az_create_unfinished(job->client, job->blob, w->size, w->mark, w->sequence,
				    az_sync_done, sync);
}

/* What became of a call that was not answered; the job's error stays what it is. */
static int look_up(struct job *job, struct az_result *res)
{
	struct job_error why = job->error;
	int err;

	job->error = (struct job_error){ 0 };
	err = job_properties(job, res);
	job->error = why;
	return err;
}

static bool is_ours(const struct blob_writer *w, const struct az_props *props)
{
	return !strcmp(props->unfinished, w->mark) && props->sequence_number == w->sequence;
}

/* So it is finished by us; it may have been mounted since, which raises the number. */
static bool was_ours(const struct blob_writer *w, const struct az_props *props)
{
	return !props->unfinished[0] && props->sequence_number - w->sequence < MOUNTS_SINCE;
}

/* Was it made?  When that can't be found out, it may be. */
static bool may_be_there(struct blob_writer *w)
{
	struct az_result now;

	if (look_up(w->job, &now))
		return now.err.class != AZ_NOT_FOUND;
	return is_ours(w, &now.props);
}

/* Not repeated: a second one could not tell its own first from another's. */
int blob_writer_begin(struct blob_writer *w, struct job *job, uint64_t size, const char *mark)
{
	struct az_result res;
	int err;

	*w = (struct blob_writer){ .job = job, .mark = mark, .size = size };
	if (RAND_bytes((unsigned char *)&w->sequence, sizeof(w->sequence)) != 1)
		return job_fail(job, EXIT_FAILED, "no random numbers; try again");
	w->sequence = w->sequence >> (64 - SEQUENCE_BITS) | 1;
	err = job_call_once(job, start_create, w, &res);
	w->there = !res.err.class || (az_error_maybe_applied(&res.err) && may_be_there(w));
	return err;
}

static struct az_call *start_raise(struct job *job, void *arg, struct az_sync *sync)
{
	struct blob_writer *w = arg;

	return az_raise_sequence(job->client, job->blob, w->sequence, az_sync_done, sync);
}

int blob_writer_resume(struct blob_writer *w, struct job *job, const struct az_props *props,
		       const char *mark)
{
	struct az_result res;

	*w = (struct blob_writer){
		.job = job,
		.mark = mark,
		.there = true,
		.resumed = true,
		.size = props->size,
		.sequence = props->sequence_number + 1,
	};
	if (job_call(job, start_raise, w, &res))
		return -1;
	w->sequence = res.props.sequence_number;
	return job_page_ranges(job, w->size, &w->present);
}

static struct az_call *start_resize(struct job *job, void *arg, struct az_sync *sync)
{
	return az_resize(job->client, job->blob, *(uint64_t *)arg, az_sync_done, sync);
}

int blob_writer_resize(struct blob_writer *w, uint64_t size)
{
	struct az_result res;

	if (job_call(w->job, start_resize, &size, &res))
		return -1;
	w->size = size;
	return 0;
}

struct put {
	struct blob_writer *writer;
	uint64_t offset;
	uint32_t len;
	const unsigned char *buf;
};

static struct az_call *put_page(struct blob_writer *w, uint64_t offset, uint32_t len,
				const unsigned char *buf, az_done_fn done, void *arg)
{
	const struct az_source source = { .memory = buf };
	struct job *job = w->job;

	return az_put_page(job->client, job->blob, offset, len, w->sequence, &source, done, arg);
}

static struct az_call *start_put(struct job *job, void *arg, struct az_sync *sync)
{
	struct put *p = arg;

	(void)job;
	return put_page(p->writer, p->offset, p->len, p->buf, az_sync_done, sync);
}

static void sent(struct blob_writer *w, uint64_t offset, uint32_t len)
{
	ranges_add(&w->sent, offset, len);
	w->pages += len / AZ_PAGE;
}

int blob_writer_put(struct blob_writer *w, uint64_t offset, const void *buf, uint32_t len)
{
	struct put p = { w, offset, len, buf };
	struct az_result res;

	if (job_call(w->job, start_put, &p, &res))
		return -1;
	sent(w, offset, len);
	return 0;
}

/* --- sending --------------------------------------------------------------------- */

static void on_pipe(void *arg, uint32_t events)
{
	struct blob_writer *w = arg;

	(void)events;
	loop_fd_del(w->job->loop, &w->watch);
	transfer_more(w->transfer);
}

static enum transfer_next wait_for_pipe(struct blob_writer *w)
{
	int err = loop_fd_add(w->job->loop, &w->watch, w->scan->fd, EPOLLIN, on_pipe, w);

	if (!err)
		return TRANSFER_WAIT;
	job_fail(w->job, EXIT_FAILED, "standard input: %s; try again", strerror(-err));
	return TRANSFER_FAILED;
}

static void go_on(void *arg)
{
	struct blob_writer *w = arg;

	transfer_more(w->transfer);
}

static enum transfer_next breathe(struct blob_writer *w)
{
	loop_timer_arm(w->job->loop, &w->breath, 0);
	return TRANSFER_WAIT;
}

static enum transfer_next no_read(struct blob_writer *w, int err)
{
	if (err == -ENODATA)
		job_fail(
			w->job, EXIT_FAILED,
			"the file became shorter while it was uploaded; upload it when nothing writes to it");
	else
		job_fail(w->job, EXIT_FAILED, "the file can't be read: %s; %s", strerror(-err),
			 err == -ENOMEM ? "free some memory" : "check the disk that it is on");
	return TRANSFER_FAILED;
}

/* What has been seen of the file, less what is on its way. */
static void show(struct blob_writer *w)
{
	w->job->done = w->scan->seen > w->on_the_way ? w->scan->seen - w->on_the_way : 0;
}

static enum transfer_next sends(struct blob_writer *w, const struct piece *p)
{
	w->on_the_way += p->len;
	show(w);
	return TRANSFER_PIECE;
}

static enum transfer_next next(void *arg, struct piece *p)
{
	struct blob_writer *w = arg;
	uint64_t there = w->skipped;
	int found;

	if (w->held) {
		if (w->held->offset + w->held->len > w->size)
			return TRANSFER_END; /* of this round */
		*p = *w->held;
		free(w->held);
		w->held = NULL;
		return sends(w, p);
	}
	for (;;) {
		if (w->skipped - there > BREATH)
			return breathe(w);
		found = scan_next(w->scan, &p->buf, &p->offset, &p->len);
		if (found == SCAN_END)
			return TRANSFER_END;
		if (found == SCAN_WAIT)
			return wait_for_pipe(w);
		if (found == SCAN_PAUSE)
			return breathe(w);
		if (found < 0)
			return no_read(w, found);
		p->offset += w->base;
		if (!ranges_hold(&w->present, p->offset, p->len))
			break;
		ranges_add(&w->sent, p->offset, p->len);
		w->skipped += p->len;
		show(w);
		scan_recycle(w->scan, p->buf);
	}
	if (p->offset + p->len <= w->size)
		return sends(w, p);
	w->held = malloc(sizeof(*p));
	if (!w->held) {
		scan_recycle(w->scan, p->buf);
		return no_read(w, -ENOMEM);
	}
	*w->held = *p;
	return TRANSFER_END;
}

static struct az_call *start(void *arg, struct piece *p, az_done_fn done, void *done_arg)
{
	return put_page(arg, p->offset, p->len, p->buf, done, done_arg);
}

static int arrived(void *arg, struct piece *p)
{
	struct blob_writer *w = arg;

	sent(w, p->offset, p->len);
	w->on_the_way -= p->len;
	show(w);
	scan_recycle(w->scan, p->buf);
	return 0;
}

static void dropped(void *arg, struct piece *p)
{
	struct blob_writer *w = arg;

	w->on_the_way -= p->len;
	scan_recycle(w->scan, p->buf);
}

static const struct transfer_ops sending = {
	.next = next,
	.start = start,
	.arrived = arrived,
	.dropped = dropped,
};

int blob_writer_send(struct blob_writer *w, struct scan *scan, uint64_t base)
{
	int err;

	w->scan = scan;
	w->base = base;
	w->watch.fd = -1;
	loop_timer_init(&w->breath, go_on, w);
	for (;;) {
		err = transfer_run(w->job, &sending, w, &w->transfer);
		loop_timer_cancel(w->job->loop, &w->breath);
		if (w->watch.fd >= 0)
			loop_fd_del(w->job->loop, &w->watch);
		if (err || !w->held)
			break;
		err = blob_writer_resize(w, 2 * w->size);
		if (err)
			break;
	}
	if (w->held)
		scan_recycle(scan, w->held->buf);
	free(w->held);
	w->held = NULL;
	w->scan = NULL;
	return err;
}

/* --- the end ------------------------------------------------------------------------ */

static int not_ours(struct blob_writer *w)
{
	w->there = false;
	return job_fail(w->job, EXIT_FAILED,
			"%s: somebody else has deleted or taken it meanwhile; choose another name",
			w->job->name);
}

static int lacks(struct blob_writer *w, const struct range *r)
{
	w->spoilt = true;
	return job_fail(
		w->job, EXIT_FAILED,
		"the service lacks some of the %llu bytes at %llu that it had accepted; delete the blob and begin again",
		(unsigned long long)r->len, (unsigned long long)r->offset);
}

/* What is checked is one version of the blob: that of w->etag. */
static int check_ranges(struct blob_writer *w)
{
	struct ranges there = { 0 };
	struct az_result res;
	int err = job_properties(w->job, &res);

	if (!err && !is_ours(w, &res.props))
		err = not_ours(w);
	if (err)
		return err;
	memcpy(w->etag, res.props.etag, sizeof(w->etag));
	w->job->blob->if_match = w->etag[0] ? w->etag : NULL;
	err = job_page_ranges(w->job, w->size, &there);
	w->job->blob->if_match = NULL;
	if (!err && w->sent.failed)
		err = job_fail(w->job, EXIT_FAILED, "out of memory; free some and try again");
	for (size_t i = 0; !err && i < w->sent.n; i++)
		if (!ranges_hold(&there, w->sent.v[i].offset, w->sent.v[i].len))
			err = lacks(w, &w->sent.v[i]);
	ranges_free(&there);
	return err;
}

struct reading {
	struct blob_writer *w;
	blob_compare_fn compare;
	void *arg;
	size_t range; /* in w->sent */
	uint64_t at; /* in it */
};

static enum transfer_next next_back(void *arg, struct piece *p)
{
	struct reading *r = arg;
	const struct range *range;

	if (r->range == r->w->sent.n)
		return TRANSFER_END;
	range = &r->w->sent.v[r->range];
	p->offset = range->offset + r->at;
	p->len = range->len - r->at < AZ_MAX_TRANSFER ? (uint32_t)(range->len - r->at) :
							AZ_MAX_TRANSFER;
	p->buf = malloc(p->len);
	if (!p->buf)
		return no_read(r->w, -ENOMEM);
	r->at += p->len;
	if (r->at == range->len) {
		r->range++;
		r->at = 0;
	}
	return TRANSFER_PIECE;
}

static int to_memory(void *arg, const void *buf, size_t len, uint64_t pos)
{
	memcpy((unsigned char *)arg + pos, buf, len);
	return 0;
}

static struct az_call *start_back(void *arg, struct piece *p, az_done_fn done, void *done_arg)
{
	struct job *job = ((struct reading *)arg)->w->job;
	const struct az_sink sink = { to_memory, p->buf };

	return az_get_range(job->client, job->blob, p->offset, p->len, &sink, done, done_arg);
}

static int arrived_back(void *arg, struct piece *p)
{
	struct reading *r = arg;
	int wrong = r->compare(r->arg, p->offset, p->buf, p->len);

	free(p->buf);
	r->w->job->done += p->len;
	if (!wrong)
		return 0;
	r->w->spoilt = !r->w->job->error.failure;
	return job_fail(
		r->w->job, EXIT_FAILED,
		"what was read back at %llu is not what was sent; delete the blob and begin again",
		(unsigned long long)p->offset);
}

static void dropped_back(void *arg, struct piece *p)
{
	(void)arg;
	free(p->buf);
}

static const struct transfer_ops reading_back = {
	.next = next_back,
	.start = start_back,
	.arrived = arrived_back,
	.dropped = dropped_back,
};

static struct az_call *start_finish(struct job *job, void *arg, struct az_sync *sync)
{
	(void)arg;
	return az_finish(job->client, job->blob, az_sync_done, sync);
}

/*
 * Whatever else came of it, if the mark is gone it is done: a signal can come while
 * the call is on its way, its answer can be lost, and then the repetition is refused
 * for what the first did.
 */
static int take_mark(struct blob_writer *w)
{
	struct job *job = w->job;
	struct az_result res, now;
	int err;

	job->blob->if_match = w->etag[0] ? w->etag : NULL;
	err = job_call_last(job, start_finish, w, &res);
	job->blob->if_match = NULL;
	if (err && res.err.class) {
		err = look_up(job, &now);
		w->there = err ? now.err.class != AZ_NOT_FOUND : is_ours(w, &now.props);
		w->unsure = w->there && (err || az_error_maybe_applied(&res.err));
		if (err || !was_ours(w, &now.props))
			return -1;
	}
	job->error = (struct job_error){ 0 };
	return 0;
}

int blob_writer_commit(struct blob_writer *w, blob_compare_fn compare, void *arg)
{
	struct reading r = { .w = w, .compare = compare, .arg = arg };
	int err = check_ranges(w);

	if (!err && compare) {
		w->job->done = 0;
		w->job->total = ranges_total(&w->sent);
		w->job->blob->if_match = w->etag;
		err = transfer_run(w->job, &reading_back, &r, NULL);
		w->job->blob->if_match = NULL;
	}
	return err ? err : take_mark(w);
}

static struct az_call *start_delete(struct job *job, void *arg, struct az_sync *sync)
{
	(void)arg;
	return az_delete_blob(job->client, job->blob, false, az_sync_done, sync);
}

/* The one that was looked at, and no other of its name. */
static int delete_ours(struct blob_writer *w, const struct az_props *props)
{
	struct job *job = w->job;
	struct az_result res;
	char etag[sizeof(props->etag)];
	int err;

	memcpy(etag, props->etag, sizeof(etag));
	job->blob->if_match = etag;
	err = job_call(job, start_delete, NULL, &res);
	job->blob->if_match = NULL;
	/* A repetition finds nothing when the first answer was lost. */
	if (!res.err.class || res.err.class == AZ_NOT_FOUND)
		return 0;
	return res.err.class == AZ_PRECONDITION ? -EAGAIN : err;
}

int blob_writer_abort(struct blob_writer *w)
{
	struct job *job = w->job;
	struct job_error why = job->error;
	int err = -EAGAIN;

	/* It can change still: what was cut short may be on its way. */
	for (int i = 0; i < UNDO_TRIES && err == -EAGAIN; i++) {
		struct az_result now;

		job->error = (struct job_error){ 0 };
		err = job_properties(job, &now);
		if (err && now.err.class == AZ_NOT_FOUND)
			err = 0;
		else if (!err && is_ours(w, &now.props))
			err = delete_ours(w, &now.props);
	}
	job->error = why;
	return err;
}

void blob_writer_free(struct blob_writer *w)
{
	ranges_free(&w->present);
	ranges_free(&w->sent);
}
