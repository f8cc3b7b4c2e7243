/* SPDX-License-Identifier: MIT */
/*
 * file.h - a local file as the image of a disk: what it is
 *
 * A fixed VHD is known by its footer.  Other formats of disk images are known by
 * their first bytes, and refused by name, with the command that converts them.  A
 * file without such a mark may be a raw image, or anything; only the user can say.
 */
#ifndef IMAGE_FILE_H
#define IMAGE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "image/job.h"
#include "vhd/footer.h"

/* What the first bytes of a file say that it is; NULL: nothing known. */
struct image_kind {
	const char *name; /* "a qcow2 image" */
	const char *format; /* qemu-img's name for it; NULL: it isn't for qemu-img */
	const char *advice; /* then: what to do */
};
#define IMAGE_HEAD 4096 /* bytes that are enough to tell */
const struct image_kind *image_recognise(const unsigned char *head, size_t len);

struct image_file {
	const char *path; /* as given, for messages */
	int fd;
	bool pipe; /* or a terminal, or a socket: can be read once */
	uint64_t size; /* of a pipe: 0 */
	bool vhd;
	unsigned char footer[VHD_FOOTER_SIZE]; /* of a VHD */
	struct stat opened; /* as it was */
};

/*
 * Opens @path ("-": standard input) and looks whether it is what it is said to
 * be: a fixed VHD, or, with @raw, the disk itself.  0 or -1; image_file_close()
 * is right after both.
 */
int image_file_open(struct job *job, struct image_file *f, const char *path, bool raw);
void image_file_close(struct image_file *f);

/* Who it is: changes when it is written to or replaced. At most AZ_MARK. */
void image_file_identity(const struct image_file *f, char *buf, size_t len);

/* -1 when it is not what it was when it was opened. */
int image_file_unchanged(struct job *job, const struct image_file *f);

#endif
