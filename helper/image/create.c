// SPDX-License-Identifier: MIT
#include "image/create.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <uuid/uuid.h>

#include "image/blob_writer.h"
#include "vhd/footer.h"
#include "vhd/mbr.h"

/* Where the file system is. */
static uint64_t start_of(const struct create *c)
{
	return c->vhd ? MBR_START : 0;
}

static uint64_t size_of(const struct create *c)
{
	return c->vhd ? mbr_partition_size(c->size) : c->size;
}

static int put_mbr(const struct create *c, struct blob_writer *w)
{
	unsigned char mbr[MBR_SIZE];
	uint32_t signature;

	if (RAND_bytes((unsigned char *)&signature, sizeof(signature)) != 1)
		return job_fail(c->job, EXIT_FAILED, "no random numbers; try again");
	mbr_make(mbr, c->size, c->mkfs->type, signature ? signature : 1);
	return blob_writer_put(w, 0, mbr, sizeof(mbr));
}

static int put_footer(const struct create *c, struct blob_writer *w)
{
	unsigned char footer[VHD_FOOTER_SIZE];
	uuid_t id;

	uuid_generate(id);
	vhd_footer_make(footer, c->size, id, time(NULL));
	return blob_writer_put(w, c->size, footer, sizeof(footer));
}

static int fill(const struct create *c, struct blob_writer *w, int file)
{
	struct scan scan;
	int err = 0;

	if (c->mkfs) {
		scan_init(&scan, file, false, 0, size_of(c));
		c->job->total = scan_estimate(file, 0, size_of(c));
		err = blob_writer_send(w, &scan, start_of(c));
		scan_free(&scan);
	}
	if (!err && c->mkfs && c->vhd)
		err = put_mbr(c, w);
	if (!err && c->vhd)
		err = put_footer(c, w);
	return err ? err : blob_writer_commit(w, NULL, NULL);
}

int create_run(struct create *c)
{
	char mark[AZ_MARK] = "create ";
	struct blob_writer w = { 0 };
	uuid_t id;
	int file = -1, err;

	c->blob_size = c->size + (c->vhd ? VHD_FOOTER_SIZE : 0);
	if (c->mkfs) {
		file = mkfs_run(c->job, c->mkfs, size_of(c), start_of(c), c->label);
		if (file < 0)
			return -1;
	}
	uuid_generate(id);
	uuid_unparse_lower(id, mark + strlen(mark));
	err = blob_writer_begin(&w, c->job, c->blob_size, mark);
	if (!err)
		err = fill(c, &w, file);
	if (err && w.there)
		c->left = blob_writer_abort(&w) != 0;
	c->pages = w.pages;
	blob_writer_free(&w);
	if (file >= 0)
		close(file);
	return err;
}
