// SPDX-License-Identifier: MIT
#include "image/download.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "azure/props.h"
#include "image/partial.h"
#include "image/ranges.h"
#include "image/transfer.h"

/* Two ranges with less than that between them are fetched as one: zeroes on the
 * way cost less than another call. */
#define GAP (32u << 10)

struct fetch {
	struct download *d;
	struct partial partial;
	struct ranges ranges; /* that hold data */
	struct range *pieces;
	uint32_t count;
	uint32_t next;
	char etag[64];
	int error; /* of writing, positive errno */
};

/* --- what to fetch -------------------------------------------------------------------- */

static int no_memory(struct job *job)
{
	return job_fail(job, EXIT_FAILED, "out of memory; free some and try again");
}

static bool add_piece(struct fetch *f, uint64_t offset, uint64_t len)
{
	if (f->count == UINT32_MAX)
		return false;
	if ((f->count & (f->count - 1)) == 0) { /* a power of two: full */
		struct range *v =
			reallocarray(f->pieces, f->count ? 2ul * f->count : 1, sizeof(*v));

		if (!v)
			return false;
		f->pieces = v;
	}
	f->pieces[f->count++] = (struct range){ offset, len };
	return true;
}

/* The ranges, joined where little lies between them, cut into pieces. */
static bool plan(struct fetch *f)
{
	const struct range *v = f->ranges.v;

	for (size_t i = 0; i < f->ranges.n; i++) {
		uint64_t at = v[i].offset, end;

		while (i + 1 < f->ranges.n && v[i + 1].offset - (v[i].offset + v[i].len) < GAP)
			i++;
		end = v[i].offset + v[i].len;
		for (; at < end; at += AZ_MAX_TRANSFER)
			if (!add_piece(f, at,
				       end - at < AZ_MAX_TRANSFER ? end - at : AZ_MAX_TRANSFER))
				return false;
	}
	return true;
}

static int look(struct fetch *f)
{
	struct job *job = f->d->job;
	enum exit_status status;
	struct az_result res;
	char why[256];

	if (job_properties(job, &res))
		return -1;
	if (res.props.type != AZ_BLOB_PAGE)
		return job_fail(
			job, EXIT_NOT_A_DRIVE,
			"%s: not a page blob, so not a drive; get it with another tool, such as azcopy",
			job->name);
	if (res.props.unfinished[0])
		return job_fail(
			job, EXIT_NOT_A_DRIVE,
			"%s: unfinished: its create or upload has not ended yet, or was interrupted; wait, upload it again, or delete it",
			job->name);
	status = az_props_copied(&res.props, why, sizeof(why));
	if (status)
		return job_fail(job, status, "%s: %s", job->name, why);
	f->d->size = res.props.size;
	memcpy(f->etag, res.props.etag, sizeof(f->etag));
	job->blob->if_match = f->etag[0] ? f->etag : NULL;
	if (job_page_ranges(job, f->d->size, &f->ranges))
		return -1;
	if (!plan(f))
		return no_memory(job);
	f->d->data = ranges_total(&f->ranges);
	return 0;
}

/* --- fetching it -------------------------------------------------------------------------- */

static enum transfer_next next(void *arg, struct piece *p)
{
	struct fetch *f = arg;

	while (f->next < f->count && f->partial.arrived[f->next]) {
		f->d->skipped += f->pieces[f->next].len;
		f->d->job->done += f->pieces[f->next].len;
		f->next++;
	}
	if (f->next == f->count)
		return TRANSFER_END;
	p->offset = f->pieces[f->next].offset;
	p->len = (uint32_t)f->pieces[f->next].len;
	p->index = f->next++;
	return TRANSFER_PIECE;
}

static int write_part(void *arg, const void *buf, size_t len, uint64_t pos)
{
	const struct piece *p = arg;
	struct fetch *f = p->owner;
	int err = partial_write(&f->partial, buf, len, p->offset + pos);

	if (err)
		f->error = -err;
	return err;
}

static struct az_call *start(void *arg, struct piece *p, az_done_fn done, void *done_arg)
{
	struct fetch *f = arg;
	struct job *job = f->d->job;
	const struct az_sink sink = { write_part, p };

	p->owner = f;
	return az_get_range(job->client, job->blob, p->offset, p->len, &sink, done, done_arg);
}

static int arrived(void *arg, struct piece *p)
{
	struct fetch *f = arg;
	int err = partial_arrived(&f->partial, p->index, p->offset, p->len);

	f->d->job->done += p->len;
	return err ? partial_failed(f->d->job, &f->partial, -err) : 0;
}

static void failed(void *arg, struct piece *p)
{
	struct fetch *f = arg;

	(void)p;
	if (f->error)
		partial_failed(f->d->job, &f->partial, f->error);
}

static const struct transfer_ops fetching = {
	.next = next,
	.start = start,
	.arrived = arrived,
	.failed = failed,
};

/* 412 without a word of leases: the blob is not what it was. */
static void explain(struct fetch *f)
{
	struct job_error *e = &f->d->job->error;

	if (e->failure != JOB_SERVICE || e->service.class != AZ_PRECONDITION ||
	    !strncmp(e->service.code, "Lease", 5))
		return;
	e->failure = JOB_OK;
	job_fail(
		f->d->job, EXIT_FAILED,
		"%s: changed while it was downloaded; unmount it first, or download a snapshot of it",
		f->d->job->name);
	f->d->left = DOWNLOAD_NOTHING;
}

static int fetch(struct fetch *f)
{
	struct job *job = f->d->job;

	if (partial_open(job, &f->partial, f->d->file, f->d->size, f->count, job->name, f->etag))
		return -1;
	f->d->left = DOWNLOAD_PART;
	for (uint32_t i = 0; i < f->count; i++)
		job->total += f->pieces[i].len;
	if (transfer_run(job, &fetching, f, NULL))
		return -1;
	return partial_finish(job, &f->partial);
}

int download_run(struct download *d)
{
	struct fetch f = { .d = d, .partial = { .fd = -1 } };
	int err;

	d->left = DOWNLOAD_NOTHING;
	err = look(&f);
	if (!err)
		err = fetch(&f);
	d->job->blob->if_match = NULL;
	if (err)
		explain(&f);
	if (f.partial.whole)
		d->left = DOWNLOAD_WHOLE;
	partial_close(&f.partial, err && d->left == DOWNLOAD_NOTHING);
	ranges_free(&f.ranges);
	free(f.pieces);
	return err;
}
