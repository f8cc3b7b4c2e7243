// SPDX-License-Identifier: MIT
/*
 * What a local file is: by its first bytes, by its footer, by its size; and that
 * it is noticed when it changes.  Images that qemu-img makes are looked at where
 * it is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "image/file.h"

#define MIB (1u << 20)

static char dir[] = "/tmp/image_file.XXXXXX";
static char path[64];
static struct job job;
static struct image_file file;

static int setup(void **state)
{
	(void)state;
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/image", dir);
	job = (struct job){ 0 };
	file = (struct image_file){ .fd = -1 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	image_file_close(&file);
	unlink(path);
	return rmdir(dir);
}

static void write_file(const void *data, size_t len, uint64_t offset, uint64_t size)
{
	FILE *f = fopen(path, "r+");

	if (!f)
		f = fopen(path, "w+");
	assert_non_null(f);
	assert_int_equal(fseeko(f, (off_t)offset, SEEK_SET), 0);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(ftruncate(fileno(f), (off_t)size), 0);
	fclose(f);
}

static int look(bool raw)
{
	image_file_close(&file);
	job.error = (struct job_error){ 0 };
	return image_file_open(&job, &file, path, raw);
}

/* Refused, with that status, and words that hold @what. */
static void refused(bool raw, int exit, const char *what)
{
	assert_int_equal(look(raw), -1);
	assert_int_equal(job.error.failure, JOB_LOCAL);
	if (!strstr(job.error.text, what))
		fail_msg("\"%s\" is not in \"%s\"", what, job.error.text);
	assert_int_equal(job.error.exit, exit);
	assert_non_null(strchr(job.error.text, ';'));
}

static void by_magic(void **state)
{
	static const struct {
		const char *magic;
		size_t len, at;
		const char *what;
	} cases[] = {
		{ "vhdxfile", 8, 0,
		  "a VHDX image, not a fixed VHD; convert it: qemu-img convert -f vhdx" },
		{ "QFI\xfb\0\0\0\3", 8, 0, "a qcow2 image" },
		{ "QFI\xfb\0\0\0\2", 8, 0, "-f qcow2 -O vpc -o subformat=fixed,force_size=on" },
		{ "QFI\xfb\0\0\0\1", 8, 0, "-f qcow -O" },
		{ "KDMV", 4, 0, "a VMDK image" },
		{ "# Disk DescriptorFile\n", 22, 0, "-f vmdk" },
		{ "\x7f\x10\xda\xbe", 4, 64, "a VDI image" },
		{ "QED", 4, 0, "a QED image" },
		{ "WithouFreSpacExt", 16, 0, "-f parallels" },
		{ "\x1f\x8b\x08", 3, 0, "compressed by gzip, not a disk; decompress it first" },
		{ "\xfd\x37zXZ", 6, 0, "compressed by xz" },
		{ "\x28\xb5\x2f\xfd", 4, 0, "compressed by zstd" },
		{ "PK\3\4", 4, 0, "a zip archive" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_file(cases[i].magic, cases[i].len, cases[i].at, MIB);
		refused(false, 8, cases[i].what);
		refused(true, 8, cases[i].what);
		/* Whatever their sizes are. */
		write_file(cases[i].magic, cases[i].len, cases[i].at, 100001);
		refused(false, 8, cases[i].what);
		unlink(path);
	}
}

static void by_footer(void **state)
{
	unsigned char f[VHD_FOOTER_SIZE];

	(void)state;
	vhd_footer_make(f, MIB, (const unsigned char *)"0123456789abcdef", 0);
	write_file(f, sizeof(f), MIB, MIB + 512);
	assert_int_equal(look(false), 0);
	assert_true(file.vhd && !file.pipe);
	assert_int_equal(file.size, MIB + 512);
	assert_memory_equal(file.footer, f, sizeof(f));
	assert_int_equal(look(true), 0); /* the same, byte for byte */
	assert_true(file.vhd);
	f[60 + 3] = 3; /* dynamic, and the checksum with it */
	f[67] -= 1;
	write_file(f, sizeof(f), MIB, MIB + 512);
	refused(false, 8, "a dynamic VHD, not a fixed one; convert it: qemu-img convert -f vpc");
	f[60 + 3] = 4;
	f[67] -= 1;
	write_file(f, sizeof(f), MIB, MIB + 512);
	refused(false, 8, "a differencing VHD");
	/* With the copy that both have in front, as well. */
	write_file(f, sizeof(f), 0, MIB + 512);
	refused(false, 8, "a differencing VHD");
	refused(true, 8, "a differencing VHD");
	f[67] ^= 1;
	write_file(f, sizeof(f), MIB, MIB + 512);
	refused(false, 8, "its VHD footer is damaged: its checksum is");
	refused(true, 8, "its VHD footer is damaged: its checksum is");
}

static void raw(void **state)
{
	(void)state;
	write_file("disk", 4, 0, MIB);
	refused(false, 8, "not a VHD: it has no footer; if it is the raw image");
	assert_int_equal(look(true), 0);
	assert_false(file.vhd);
	write_file("disk", 4, 0, MIB + 1);
	refused(true, 8, "1048577 bytes, is not a multiple of 512");
	refused(false, 8, "is not a multiple of 512");
	write_file("", 0, 0, 0);
	refused(true, 8, "empty");
	write_file("d", 1, 0, 512);
	assert_int_equal(look(true), 0);
	write_file("d", 1, 0, 100);
	refused(true, 8, "100 bytes, is not a multiple");
	write_file("d", 1, 0, (8ull << 40) + 512);
	refused(true, 1, "larger than a page blob");
}

static void not_there(void **state)
{
	(void)state;
	refused(true, 1, "No such file or directory; check the name");
	snprintf(path, sizeof(path), "%s", dir);
	refused(true, 1, "Is a directory");
	snprintf(path, sizeof(path), "/dev/null");
	refused(false, 2, "a VHD can't be read from a pipe");
	snprintf(path, sizeof(path), "%s/image", dir);
}

static void changes(void **state)
{
	(void)state;
	write_file("disk", 4, 0, MIB);
	assert_int_equal(look(true), 0);
	assert_int_equal(image_file_unchanged(&job, &file), 0);
	usleep(20000); /* the kernel's clock of files ticks by 4 or 10 ms */
	write_file("d", 1, 100, MIB);
	assert_int_equal(image_file_unchanged(&job, &file), -1);
	assert_non_null(strstr(job.error.text, "changed while it was uploaded"));
	assert_int_equal(look(true), 0);
	write_file("", 0, 0, MIB + 512);
	assert_int_equal(image_file_unchanged(&job, &file), -1);
}

/* Its own times set back do not make it what it was. */
static void identity(void **state)
{
	struct timespec times[2];
	char was[AZ_MARK], is[AZ_MARK];

	(void)state;
	write_file("disk", 4, 0, MIB);
	assert_int_equal(look(true), 0);
	image_file_identity(&file, was, sizeof(was));
	times[0] = file.opened.st_atim;
	times[1] = file.opened.st_mtim;
	assert_int_equal(look(true), 0);
	image_file_identity(&file, is, sizeof(is));
	assert_string_equal(was, is);
	usleep(20000);
	write_file("D", 1, 0, MIB);
	assert_int_equal(futimens(file.fd, times), 0);
	assert_int_equal(look(true), 0);
	image_file_identity(&file, is, sizeof(is));
	assert_string_not_equal(was, is);
	for (const char *s = is; *s; s++)
		assert_in_range(*s, ' ', '~');
}

static void made_by_qemu(void **state)
{
	static const struct {
		const char *options, *what; /* NULL: a fixed VHD */
	} cases[] = {
		{ "-f vpc -o subformat=fixed,force_size=on", NULL },
		{ "-f vpc -o subformat=fixed", NULL },
		{ "-f vpc", "a dynamic VHD" },
		{ "-f vhdx", "a VHDX image" },
		{ "-f qcow2", "a qcow2 image" },
		{ "-f vmdk", "a VMDK image" },
		{ "-f vdi", "a VDI image" },
		{ "-f qed", "a QED image" },
	};
	char command[256];

	(void)state;
	if (system("qemu-img --version >/dev/null 2>&1")) {
		skip();
		return;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(command, sizeof(command), "qemu-img create -q %s %s 20M", cases[i].options,
			 path);
		assert_int_equal(system(command), 0);
		if (cases[i].what) {
			refused(false, 8, cases[i].what);
		} else {
			assert_int_equal(look(false), 0);
			assert_true(file.vhd);
		}
		unlink(path);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_magic), TEST(by_footer), TEST(raw),	     TEST(not_there),
		TEST(changes),	TEST(identity),	 TEST(made_by_qemu),
	};

	return cmocka_run_group_tests_name("image_file", tests, NULL, NULL);
}
