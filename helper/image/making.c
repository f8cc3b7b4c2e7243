// SPDX-License-Identifier: MIT
#include "image/making.h"

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
	struct making *m = arg;

	return az_create_unfinished(job->client, job->blob, m->size, m->mark, m->sequence,
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

static bool is_ours(const struct making *m, const struct az_props *props)
{
	return !strcmp(props->unfinished, m->mark) && props->sequence_number == m->sequence;
}

/* So it is finished by us; it may have been mounted since, which raises the number. */
static bool was_ours(const struct making *m, const struct az_props *props)
{
	return !props->unfinished[0] && props->sequence_number - m->sequence < MOUNTS_SINCE;
}

/* Was it made?  When that can't be found out, it may be. */
static bool may_be_there(struct making *m)
{
	struct az_result now;

	if (look_up(m->job, &now))
		return now.err.class != AZ_NOT_FOUND;
	return is_ours(m, &now.props);
}

/* Not repeated: a second one could not tell its own first from another's. */
int making_begin(struct making *m, struct job *job, uint64_t size, const char *mark)
{
	struct az_result res;
	int err;

	*m = (struct making){ .job = job, .mark = mark, .size = size };
	if (RAND_bytes((unsigned char *)&m->sequence, sizeof(m->sequence)) != 1)
		return job_fail(job, EXIT_FAILED, "no random numbers; try again");
	m->sequence = m->sequence >> (64 - SEQUENCE_BITS) | 1;
	err = job_call_once(job, start_create, m, &res);
	m->there = !res.err.class || (az_error_maybe_applied(&res.err) && may_be_there(m));
	return err;
}

static struct az_call *start_raise(struct job *job, void *arg, struct az_sync *sync)
{
	struct making *m = arg;

	return az_raise_sequence(job->client, job->blob, m->sequence, az_sync_done, sync);
}

struct listing {
	struct az_sync *sync;
	struct ranges *ranges;
};

static void on_range(void *arg, uint64_t offset, uint64_t len)
{
	struct listing *l = arg;

	ranges_add(l->ranges, offset, len);
}

static void on_listed(void *arg, const struct az_result *res)
{
	struct listing *l = arg;

	az_sync_done(l->sync, res);
}

static struct az_call *start_list(struct job *job, void *arg, struct az_sync *sync)
{
	struct listing *l = arg;

	ranges_free(l->ranges); /* of a try that failed half-way */
	l->sync = sync;
	return az_get_page_ranges(job->client, job->blob, on_range, on_listed, l);
}

static int list(struct job *job, struct ranges *ranges, struct az_result *res)
{
	struct listing l = { .ranges = ranges };

	if (job_call(job, start_list, &l, res))
		return -1;
	if (ranges->failed)
		return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
	return 0;
}

int making_resume(struct making *m, struct job *job, const struct az_props *props, const char *mark)
{
	struct az_result res;

	*m = (struct making){
		.job = job,
		.mark = mark,
		.there = true,
		.resumed = true,
		.size = props->size,
		.sequence = props->sequence_number + 1,
	};
	if (job_call(job, start_raise, m, &res))
		return -1;
	m->sequence = res.props.sequence_number;
	return list(job, &m->present, &res);
}

static struct az_call *start_resize(struct job *job, void *arg, struct az_sync *sync)
{
	return az_resize(job->client, job->blob, *(uint64_t *)arg, az_sync_done, sync);
}

int making_resize(struct making *m, uint64_t size)
{
	struct az_result res;

	if (job_call(m->job, start_resize, &size, &res))
		return -1;
	m->size = size;
	return 0;
}

struct put {
	struct making *making;
	uint64_t offset;
	uint32_t len;
	const unsigned char *buf;
};

static struct az_call *put_page(struct making *m, uint64_t offset, uint32_t len,
				const unsigned char *buf, az_done_fn done, void *arg)
{
	const struct az_source source = { .memory = buf };
	struct job *job = m->job;

	return az_put_page(job->client, job->blob, offset, len, m->sequence, &source, done, arg);
}

static struct az_call *start_put(struct job *job, void *arg, struct az_sync *sync)
{
	struct put *p = arg;

	(void)job;
	return put_page(p->making, p->offset, p->len, p->buf, az_sync_done, sync);
}

static void sent(struct making *m, uint64_t offset, uint32_t len)
{
	ranges_add(&m->sent, offset, len);
	m->pages += len / AZ_PAGE;
}

int making_put(struct making *m, uint64_t offset, const void *buf, uint32_t len)
{
	struct put p = { m, offset, len, buf };
	struct az_result res;

	if (job_call(m->job, start_put, &p, &res))
		return -1;
	sent(m, offset, len);
	return 0;
}

/* --- sending --------------------------------------------------------------------- */

static void on_pipe(void *arg, uint32_t events)
{
	struct making *m = arg;

	(void)events;
	loop_fd_del(m->job->loop, &m->watch);
	transfer_more(m->transfer);
}

static enum transfer_next wait_for_pipe(struct making *m)
{
	int err = loop_fd_add(m->job->loop, &m->watch, m->scan->fd, EPOLLIN, on_pipe, m);

	if (!err)
		return TRANSFER_WAIT;
	job_fail(m->job, EXIT_FAILED, "standard input: %s; try again", strerror(-err));
	return TRANSFER_FAILED;
}

static void go_on(void *arg)
{
	struct making *m = arg;

	transfer_more(m->transfer);
}

static enum transfer_next breathe(struct making *m)
{
	loop_timer_arm(m->job->loop, &m->breath, 0);
	return TRANSFER_WAIT;
}

static enum transfer_next no_read(struct making *m, int err)
{
	if (err == -ENODATA)
		job_fail(
			m->job, EXIT_FAILED,
			"the file became shorter while it was uploaded; upload it when nothing writes to it");
	else
		job_fail(m->job, EXIT_FAILED, "the file can't be read: %s; %s", strerror(-err),
			 err == -ENOMEM ? "free some memory" : "check the disk that it is on");
	return TRANSFER_FAILED;
}

/* What has been seen of the file, less what is on its way. */
static void show(struct making *m)
{
	m->job->done = m->scan->seen > m->on_the_way ? m->scan->seen - m->on_the_way : 0;
}

static enum transfer_next sends(struct making *m, const struct piece *p)
{
	m->on_the_way += p->len;
	show(m);
	return TRANSFER_PIECE;
}

static enum transfer_next next(void *arg, struct piece *p)
{
	struct making *m = arg;
	uint64_t there = m->skipped;
	int found;

	if (m->held) {
		if (m->held->offset + m->held->len > m->size)
			return TRANSFER_END; /* of this round */
		*p = *m->held;
		free(m->held);
		m->held = NULL;
		return sends(m, p);
	}
	for (;;) {
		if (m->skipped - there > BREATH)
			return breathe(m);
		found = scan_next(m->scan, &p->buf, &p->offset, &p->len);
		if (found == SCAN_END)
			return TRANSFER_END;
		if (found == SCAN_WAIT)
			return wait_for_pipe(m);
		if (found == SCAN_PAUSE)
			return breathe(m);
		if (found < 0)
			return no_read(m, found);
		p->offset += m->base;
		if (!ranges_hold(&m->present, p->offset, p->len))
			break;
		ranges_add(&m->sent, p->offset, p->len);
		m->skipped += p->len;
		show(m);
		scan_recycle(m->scan, p->buf);
	}
	if (p->offset + p->len <= m->size)
		return sends(m, p);
	m->held = malloc(sizeof(*p));
	if (!m->held) {
		scan_recycle(m->scan, p->buf);
		return no_read(m, -ENOMEM);
	}
	*m->held = *p;
	return TRANSFER_END;
}

static struct az_call *start(void *arg, struct piece *p, az_done_fn done, void *done_arg)
{
	return put_page(arg, p->offset, p->len, p->buf, done, done_arg);
}

static int arrived(void *arg, struct piece *p)
{
	struct making *m = arg;

	sent(m, p->offset, p->len);
	m->on_the_way -= p->len;
	show(m);
	scan_recycle(m->scan, p->buf);
	return 0;
}

static void dropped(void *arg, struct piece *p)
{
	struct making *m = arg;

	m->on_the_way -= p->len;
	scan_recycle(m->scan, p->buf);
}

static const struct transfer_ops sending = {
	.next = next,
	.start = start,
	.arrived = arrived,
	.dropped = dropped,
};

int making_send(struct making *m, struct scan *scan, uint64_t base)
{
	int err;

	m->scan = scan;
	m->base = base;
	m->watch.fd = -1;
	loop_timer_init(&m->breath, go_on, m);
	for (;;) {
		err = transfer_run(m->job, &sending, m, &m->transfer);
		loop_timer_cancel(m->job->loop, &m->breath);
		if (m->watch.fd >= 0)
			loop_fd_del(m->job->loop, &m->watch);
		if (err || !m->held)
			break;
		err = making_resize(m, 2 * m->size);
		if (err)
			break;
	}
	if (m->held)
		scan_recycle(scan, m->held->buf);
	free(m->held);
	m->held = NULL;
	m->scan = NULL;
	return err;
}

/* --- the end ------------------------------------------------------------------------ */

static int not_ours(struct making *m)
{
	m->there = false;
	return job_fail(m->job, EXIT_FAILED,
			"%s: somebody else has deleted or taken it meanwhile; choose another name",
			m->job->name);
}

static int lacks(struct making *m, const struct range *r)
{
	m->spoilt = true;
	return job_fail(
		m->job, EXIT_FAILED,
		"the service lacks some of the %llu bytes at %llu that it had accepted; delete the blob and begin again",
		(unsigned long long)r->len, (unsigned long long)r->offset);
}

/* What is checked is one version of the blob: that of m->etag. */
static int check_ranges(struct making *m)
{
	struct ranges there = { 0 };
	struct az_result res;
	int err = job_properties(m->job, &res);

	if (!err && !is_ours(m, &res.props))
		err = not_ours(m);
	if (err)
		return err;
	memcpy(m->etag, res.props.etag, sizeof(m->etag));
	m->job->blob->if_match = m->etag[0] ? m->etag : NULL;
	err = list(m->job, &there, &res);
	m->job->blob->if_match = NULL;
	if (!err && m->sent.failed)
		err = job_fail(m->job, EXIT_FAILED, "out of memory; free some and try again");
	for (size_t i = 0; !err && i < m->sent.n; i++)
		if (!ranges_hold(&there, m->sent.v[i].offset, m->sent.v[i].len))
			err = lacks(m, &m->sent.v[i]);
	ranges_free(&there);
	return err;
}

struct reading {
	struct making *m;
	making_compare_fn compare;
	void *arg;
	size_t range; /* in m->sent */
	uint64_t at; /* in it */
};

static enum transfer_next next_back(void *arg, struct piece *p)
{
	struct reading *r = arg;
	const struct range *range;

	if (r->range == r->m->sent.n)
		return TRANSFER_END;
	range = &r->m->sent.v[r->range];
	p->offset = range->offset + r->at;
	p->len = range->len - r->at < AZ_MAX_TRANSFER ? (uint32_t)(range->len - r->at) :
							AZ_MAX_TRANSFER;
	p->buf = malloc(p->len);
	if (!p->buf)
		return no_read(r->m, -ENOMEM);
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
	struct job *job = ((struct reading *)arg)->m->job;
	const struct az_sink sink = { to_memory, p->buf };

	return az_get_range(job->client, job->blob, p->offset, p->len, &sink, done, done_arg);
}

static int arrived_back(void *arg, struct piece *p)
{
	struct reading *r = arg;
	int wrong = r->compare(r->arg, p->offset, p->buf, p->len);

	free(p->buf);
	r->m->job->done += p->len;
	if (!wrong)
		return 0;
	r->m->spoilt = !r->m->job->error.failure;
	return job_fail(
		r->m->job, EXIT_FAILED,
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
static int take_mark(struct making *m)
{
	struct job *job = m->job;
	struct az_result res, now;
	int err;

	job->blob->if_match = m->etag[0] ? m->etag : NULL;
	err = job_call_last(job, start_finish, m, &res);
	job->blob->if_match = NULL;
	if (err && res.err.class) {
		err = look_up(job, &now);
		m->there = err ? now.err.class != AZ_NOT_FOUND : is_ours(m, &now.props);
		m->unsure = m->there && (err || az_error_maybe_applied(&res.err));
		if (err || !was_ours(m, &now.props))
			return -1;
	}
	job->error = (struct job_error){ 0 };
	return 0;
}

int making_finish(struct making *m, making_compare_fn compare, void *arg)
{
	struct reading r = { .m = m, .compare = compare, .arg = arg };
	int err = check_ranges(m);

	if (!err && compare) {
		m->job->done = 0;
		m->job->total = ranges_total(&m->sent);
		m->job->blob->if_match = m->etag;
		err = transfer_run(m->job, &reading_back, &r, NULL);
		m->job->blob->if_match = NULL;
	}
	return err ? err : take_mark(m);
}

static struct az_call *start_delete(struct job *job, void *arg, struct az_sync *sync)
{
	(void)arg;
	return az_delete_blob(job->client, job->blob, false, az_sync_done, sync);
}

/* The one that was looked at, and no other of its name. */
static int delete_ours(struct making *m, const struct az_props *props)
{
	struct job *job = m->job;
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

int making_undo(struct making *m)
{
	struct job *job = m->job;
	struct job_error why = job->error;
	int err = -EAGAIN;

	/* It can change still: what was cut short may be on its way. */
	for (int i = 0; i < UNDO_TRIES && err == -EAGAIN; i++) {
		struct az_result now;

		job->error = (struct job_error){ 0 };
		err = job_properties(job, &now);
		if (err && now.err.class == AZ_NOT_FOUND)
			err = 0;
		else if (!err && is_ours(m, &now.props))
			err = delete_ours(m, &now.props);
	}
	job->error = why;
	return err;
}

void making_free(struct making *m)
{
	ranges_free(&m->present);
	ranges_free(&m->sent);
}
