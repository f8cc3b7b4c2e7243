// SPDX-License-Identifier: MIT
#include "image/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/blob_writer.h"

#define PIPE_START (1ull << 30) /* what the blob of a pipe begins with */
#define PROBE_FROM (16ull << 20) /* is worth a call to learn of CRC64 */

/* --- how it begins ----------------------------------------------------------------- */

static int exists(struct job *job, const struct az_props *props)
{
	if (props->unfinished[0])
		return job_fail(
			job, EXIT_FAILED,
			"%s: exists already: a create or upload that has not ended yet, or the rest of an interrupted one, of something else or of this file before it changed; wait, or delete it and upload again",
			job->name);
	return job_fail(job, EXIT_FAILED,
			"%s: exists already; choose another name, or delete that blob first",
			job->name);
}

static int drop(void *arg, const void *buf, size_t len, uint64_t pos)
{
	(void)arg;
	(void)buf;
	(void)len;
	(void)pos;
	return 0;
}

static struct az_call *start_probe(struct job *job, void *arg, struct az_sync *sync)
{
	return az_get_range(job->client, job->blob, 0, AZ_PAGE, arg, az_sync_done, sync);
}

/* One read shows whether the service knows CRC64, which costs both sides a
 * quarter of what MD5 does. */
static int probe(struct job *job)
{
	struct az_sink sink = { drop, NULL };
	struct az_result res;

	return job_call(job, start_probe, &sink, &res);
}

/* Who changes a block device leaves no trace. */
static bool resumable(const struct image_file *f)
{
	return S_ISREG(f->opened.st_mode);
}

/* Nothing there: begin.  This very file's unfinished blob: go on. */
static int begin(struct upload *u, struct blob_writer *w, const char *mark)
{
	struct job *job = u->job;
	struct az_result res;

	if (!job_properties(job, &res)) {
		if (!resumable(u->file) || strcmp(res.props.unfinished, mark) != 0 ||
		    res.props.type != AZ_BLOB_PAGE || res.props.size != u->size)
			return exists(job, &res.props);
		return blob_writer_resume(w, job, &res.props, mark);
	}
	if (job->error.failure != JOB_SERVICE || res.err.class != AZ_NOT_FOUND ||
	    az_error_is(&res.err, "ContainerNotFound"))
		return -1;
	job->error = (struct job_error){ 0 };
	return blob_writer_begin(w, job, u->size, mark);
}

/* --- the middle ------------------------------------------------------------------------ */

/* A pipe's length is known when it has ended. */
static int end_of_pipe(struct upload *u, struct blob_writer *w, const struct scan *scan)
{
	if (scan->have)
		return job_fail(
			u->job, EXIT_NOT_A_DRIVE,
			"standard input: %llu bytes, which is not a multiple of 512; fill it up with zeroes",
			(unsigned long long)scan->pos + scan->have);
	if (!scan->pos)
		return job_fail(u->job, EXIT_NOT_A_DRIVE,
				"standard input: empty; give the image of a disk");
	u->size = scan->pos;
	return blob_writer_resize(w, u->size);
}

static int send(struct upload *u, struct blob_writer *w)
{
	struct image_file *f = u->file;
	uint64_t end = f->vhd ? f->size - VHD_FOOTER_SIZE : f->size;
	struct scan scan;
	int err = 0;

	u->job->total = f->pipe ? 0 : scan_estimate(f->fd, 0, end);
	if (f->pipe || u->job->total > PROBE_FROM)
		err = probe(u->job);
	scan_init(&scan, f->fd, f->pipe, 0, end);
	if (!err)
		err = blob_writer_send(w, &scan, 0);
	if (!err && f->pipe)
		err = end_of_pipe(u, w, &scan);
	scan_free(&scan);
	u->skipped = w->skipped;
	return err;
}

static int read_again(struct upload *u, unsigned char *mine, uint64_t offset, size_t len)
{
	size_t have = 0;
	ssize_t n = 1;

	while (mine && have < len && n > 0) {
		n = pread(u->file->fd, mine + have, len - have, (off_t)(offset + have));
		have += n > 0 ? (size_t)n : 0;
	}
	if (have == len)
		return 0;
	return image_file_unchanged(u->job, u->file) ||
	       job_fail(u->job, EXIT_FAILED, "%s: can't be read again: %s; try again",
			u->file->path,
			strerror(!mine ? ENOMEM :
				 n < 0 ? errno :
					 ENODATA));
}

static int compare(void *arg, uint64_t offset, const void *buf, size_t len)
{
	unsigned char *mine = malloc(len);
	struct upload *u = arg;
	int wrong = read_again(u, mine, offset, len) || memcmp(mine, buf, len) != 0;

	/* Then it is no wonder. */
	if (wrong)
		image_file_unchanged(u->job, u->file);
	free(mine);
	return wrong;
}

static int complete(struct upload *u, struct blob_writer *w)
{
	struct image_file *f = u->file;

	if (f->vhd && blob_writer_put(w, f->size - VHD_FOOTER_SIZE, f->footer, VHD_FOOTER_SIZE))
		return -1;
	return blob_writer_commit(w, u->verify ? compare : NULL, u);
}

/* --- the end ------------------------------------------------------------------------------ */

static bool service_said(const struct job *job, enum az_class class)
{
	return job->error.failure == JOB_SERVICE && job->error.service.class == class;
}

/* After a failure: what the same command can go on with stays. */
static enum upload_left clean_up(const struct upload *u, struct blob_writer *w, bool goes_on)
{
	if (!w->there || w->spoilt || service_said(u->job, AZ_NOT_FOUND))
		return UPLOAD_NOTHING;
	if (goes_on && w->unsure)
		return UPLOAD_UNSURE;
	if (goes_on && (w->resumed || w->present.n || w->sent.n))
		return service_said(u->job, AZ_PRECONDITION) ? UPLOAD_TAKEN : UPLOAD_RESUMABLE;
	return blob_writer_abort(w) ? UPLOAD_REST : UPLOAD_NOTHING;
}

int upload_run(struct upload *u)
{
	bool goes_on = resumable(u->file);
	struct blob_writer w = { 0 };
	char mark[AZ_MARK];
	int err;

	u->size = u->file->pipe ? PIPE_START : u->file->size;
	u->left = UPLOAD_NOTHING;
	image_file_identity(u->file, mark, sizeof(mark));
	err = begin(u, &w, mark);
	if (!err)
		err = send(u, &w);
	/* What was sent of a file that has changed is of no use. */
	if (!err && image_file_unchanged(u->job, u->file)) {
		goes_on = false;
		err = -1;
	}
	if (!err)
		err = complete(u, &w);
	if (err)
		u->left = clean_up(u, &w, goes_on);
	u->pages = w.pages;
	blob_writer_free(&w);
	return err;
}
