// SPDX-License-Identifier: MIT
#include "image/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/whole.h"

#define MOST (8ull << 40) /* "Put Blob": x-ms-blob-content-length */

#define CONVERT "qemu-img convert -f %s -O vpc -o subformat=fixed,force_size=on %s NEW.vhd"

/* --- what it is --------------------------------------------------------------- */

#define MAGIC(at, bytes) (at), sizeof(bytes) - 1, (bytes)

static const struct {
	size_t at, len;
	const char *bytes;
	struct image_kind kind;
} kinds[] = {
	{ MAGIC(0, "conectix"), { "a dynamic or differencing VHD", "vpc", NULL } },
	{ MAGIC(0, "vhdxfile"), { "a VHDX image", "vhdx", NULL } },
	{ MAGIC(0, "QFI\xfb\0\0\0\1"), { "a qcow image", "qcow", NULL } },
	{ MAGIC(0, "QFI\xfb"), { "a qcow2 image", "qcow2", NULL } },
	{ MAGIC(0, "QED\0"), { "a QED image", "qed", NULL } },
	{ MAGIC(0, "KDMV"), { "a VMDK image", "vmdk", NULL } },
	{ MAGIC(0, "COWD"), { "a VMDK image", "vmdk", NULL } },
	{ MAGIC(0, "# Disk DescriptorFile"), { "a VMDK image", "vmdk", NULL } },
	{ MAGIC(64, "\x7f\x10\xda\xbe"), { "a VDI image", "vdi", NULL } },
	{ MAGIC(0, "WithoutFreeSpace"), { "a Parallels image", "parallels", NULL } },
	{ MAGIC(0, "WithouFreSpacExt"), { "a Parallels image", "parallels", NULL } },
	{ MAGIC(0, "\x1f\x8b\x08"), { "compressed by gzip", NULL, "decompress it first" } },
	{ MAGIC(0, "\xfd\x37zXZ\0"), { "compressed by xz", NULL, "decompress it first" } },
	{ MAGIC(0, "\x28\xb5\x2f\xfd"), { "compressed by zstd", NULL, "decompress it first" } },
	{ MAGIC(0, "BZh"), { "compressed by bzip2", NULL, "decompress it first" } },
	{ MAGIC(0, "PK\3\4"), { "a zip archive", NULL, "take the image out of it first" } },
	{ MAGIC(0, "7z\xbc\xaf\x27\x1c"),
	  { "a 7-zip archive", NULL, "take the image out of it first" } },
};

const struct image_kind *image_recognise(const unsigned char *head, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (kinds[i].at + kinds[i].len <= len &&
		    !memcmp(head + kinds[i].at, kinds[i].bytes, kinds[i].len))
			return &kinds[i].kind;
	return NULL;
}

static int refuse_kind(struct job *job, const struct image_file *f, const struct image_kind *kind)
{
	if (!kind->format)
		return job_fail(job, EXIT_NOT_A_DRIVE, "%s: %s, not a disk; %s", f->path,
				kind->name, kind->advice);
	return job_fail(job, EXIT_NOT_A_DRIVE, "%s: %s, not a fixed VHD; convert it: " CONVERT,
			f->path, kind->name, kind->format, f->path);
}

/* --- opening it ------------------------------------------------------------------ */

static int no_read(struct job *job, const struct image_file *f, int err)
{
	return job_fail(job, EXIT_FAILED, "%s: %s; %s", f->path, strerror(err),
			err == EACCES ? "make it readable, or be root" :
			err == ENOENT ? "check the name" :
			err == EISDIR ? "give the image itself" :
					"check the disk that it is on");
}

static int no_vhd(struct job *job, const struct image_file *f)
{
	return job_fail(
		job, EXIT_NOT_A_DRIVE,
		"%s: not a VHD: it has no footer; if it is the raw image of a disk or file system, say --format raw",
		f->path);
}

/* The last 512 bytes; a raw image may have none, but not half a one. */
static int look_at_footer(struct job *job, struct image_file *f, bool raw)
{
	ssize_t n = f->size < VHD_FOOTER_SIZE ? 0 :
						whole_pread(f->fd, f->footer, VHD_FOOTER_SIZE,
							    f->size - VHD_FOOTER_SIZE);
	uint64_t disk;
	char why[96];

	if (n < 0)
		return no_read(job, f, (int)-n);
	switch (n == VHD_FOOTER_SIZE ? vhd_footer_parse(f->footer, f->size, &disk) : VHD_NONE) {
	case VHD_NONE:
		return raw ? 0 : no_vhd(job, f);
	case VHD_FIXED:
		f->vhd = true;
		return 0;
	case VHD_DYNAMIC:
		return job_fail(job, EXIT_NOT_A_DRIVE,
				"%s: a dynamic VHD, not a fixed one; convert it: " CONVERT, f->path,
				"vpc", f->path);
	case VHD_DIFFERENCING:
		return job_fail(
			job, EXIT_NOT_A_DRIVE,
			"%s: a differencing VHD, not a fixed one; merge it with its parent, then convert it: " CONVERT,
			f->path, "vpc", f->path);
	case VHD_DAMAGED:
		break;
	}
	return job_fail(job, EXIT_NOT_A_DRIVE,
			"%s: its VHD footer is damaged: %s; convert the image anew", f->path,
			vhd_footer_damage(f->footer, f->size, why, sizeof(why)));
}

/* QEMU before 5.0 and Virtual PC made footers of 511 bytes. */
static int odd_size(struct job *job, const struct image_file *f)
{
	return job_fail(job, EXIT_NOT_A_DRIVE,
			"%s: its size, %llu bytes, is not a multiple of 512; %s", f->path,
			(unsigned long long)f->size,
			"truncate -s %512 FILE fills up a raw image, qemu-img converts a VHD");
}

static int look_inside(struct job *job, struct image_file *f, bool raw)
{
	unsigned char head[IMAGE_HEAD];
	const struct image_kind *kind;
	ssize_t n = whole_pread(f->fd, head, sizeof(head), 0);

	if (n < 0)
		return no_read(job, f, (int)-n);
	if (!f->size)
		return job_fail(job, EXIT_NOT_A_DRIVE, "%s: empty; give the image of a disk",
				f->path);
	/* The footer tells dynamic from differencing, which the head does not. */
	kind = image_recognise(head, (size_t)n);
	if (kind && memcmp(head, "conectix", 8) != 0)
		return refuse_kind(job, f, kind);
	if (f->size % AZ_PAGE)
		return kind ? refuse_kind(job, f, kind) : odd_size(job, f);
	if (f->size > MOST)
		return job_fail(job, EXIT_FAILED,
				"%s: larger than a page blob, which holds 8T; split it", f->path);
	if (look_at_footer(job, f, raw || kind))
		return -1;
	return kind && !f->vhd ? refuse_kind(job, f, kind) : 0;
}

static int measure(struct job *job, struct image_file *f, bool raw)
{
	off_t end;

	if (S_ISDIR(f->opened.st_mode))
		return no_read(job, f, EISDIR);
	if (!S_ISREG(f->opened.st_mode) && !S_ISBLK(f->opened.st_mode)) {
		f->pipe = true;
		if (raw)
			return 0;
		return job_fail(
			job, EXIT_USAGE,
			"%s: a VHD can't be read from a pipe, as its end tells what it is; give a file, or say --format raw",
			f->path);
	}
	end = lseek(f->fd, 0, SEEK_END);
	if (end < 0)
		return no_read(job, f, errno);
	f->size = (uint64_t)end;
	return look_inside(job, f, raw);
}

int image_file_open(struct job *job, struct image_file *f, const char *path, bool raw)
{
	bool input = !strcmp(path, "-");

	*f = (struct image_file){ .path = input ? "standard input" : path };
	f->fd = input ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (f->fd < 0 || fstat(f->fd, &f->opened))
		return no_read(job, f, errno);
	return measure(job, f, raw);
}

void image_file_close(struct image_file *f)
{
	if (f->fd > 0)
		close(f->fd);
	f->fd = -1;
}

/* --- whether it stays so --------------------------------------------------------------- */

void image_file_identity(const struct image_file *f, char *buf, size_t len)
{
	const struct stat *st = &f->opened;

	/* The change time can't be set, as the others can. */
	snprintf(buf, len, "upload size=%llu inode=%llu modified=%lld.%09ld changed=%lld.%09ld",
		 (unsigned long long)f->size, (unsigned long long)st->st_ino,
		 (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (long long)st->st_ctim.tv_sec,
		 st->st_ctim.tv_nsec);
}

int image_file_unchanged(struct job *job, const struct image_file *f)
{
	struct image_file now = *f;
	char was[AZ_MARK], is[AZ_MARK];

	if (f->pipe || S_ISBLK(f->opened.st_mode))
		return 0;
	if (fstat(f->fd, &now.opened))
		return no_read(job, f, errno);
	now.size = (uint64_t)now.opened.st_size;
	image_file_identity(f, was, sizeof(was));
	image_file_identity(&now, is, sizeof(is));
	if (!strcmp(was, is))
		return 0;
	return job_fail(
		job, EXIT_FAILED,
		"%s: changed while it was uploaded; upload it when nothing writes to it, or upload a copy",
		f->path);
}
