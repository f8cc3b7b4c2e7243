// SPDX-License-Identifier: MIT
#include "host/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libmount/libmount.h>

#include "linux/cdrive.h"

#define STACK_MAX 8 /* devices on top of each other */

/* --- whose device ----------------------------------------------------------- */

/* "cdrive3" or "cdrive3p1", @s being what follows "cdrive" */
static int drive_of_suffix(const char *s)
{
	unsigned long index;
	char *end;

	if (*s < '0' || *s > '9')
		return -1;
	index = strtoul(s, &end, 10);
	if ((*end && *end != 'p') || index >= CDRIVE_MAX_DRIVES)
		return -1;
	return index;
}

static int drive_of_name(const char *name)
{
	if (strncmp(name, "cdrive", 6) != 0)
		return -1;
	return drive_of_suffix(name + 6);
}

int drive_of_device(dev_t dev)
{
	char path[64], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	name = strrchr(target, '/');
	return name ? drive_of_name(name + 1) : -1;
}

/* By number; and by name for file systems that show numbers of their own
 * (btrfs). */
static int drive_of_mount(struct libmnt_fs *fs)
{
	const char *source = mnt_fs_get_srcpath(fs);
	int index = drive_of_device(mnt_fs_get_devno(fs));

	if (index < 0 && source && !strncmp(source, "/dev/", 5))
		index = drive_of_name(source + 5);
	return index;
}

/* What is made of other devices has them in a directory "slaves"; a partition has not,
 * but the disk that it is of. */
static int drive_below(const char *sys, unsigned int depth)
{
	char pattern[PATH_MAX];
	glob_t found = { 0 };
	int index = -1;

	snprintf(pattern, sizeof(pattern), "%s/{slaves,../slaves}/*", sys);
	if (depth < STACK_MAX && !glob(pattern, GLOB_BRACE, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc && index < 0; i++) {
			index = drive_of_name(strrchr(found.gl_pathv[i], '/') + 1);
			if (index < 0)
				index = drive_below(found.gl_pathv[i], depth + 1);
		}
	globfree(&found);
	return index;
}

static int drive_of_stack(struct libmnt_fs *fs)
{
	const char *source = mnt_fs_get_srcpath(fs);
	dev_t dev = mnt_fs_get_devno(fs);
	int index = drive_of_mount(fs);
	struct stat st;
	char sys[64];

	if (index >= 0)
		return index;
	if (!major(dev) && source && !strncmp(source, "/dev/", 5) && !stat(source, &st))
		dev = st.st_rdev;
	snprintf(sys, sizeof(sys), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	return drive_below(sys, 0);
}

/* --- the table ---------------------------------------------------------------- */

/* Calls @fn for each mount, in order of mounting, until it returns non-zero. */
static int each_mount(int (*fn)(struct libmnt_fs *fs, void *arg), void *arg)
{
	struct libmnt_table *table;
	struct libmnt_iter *iter;
	struct libmnt_fs *fs;
	int ret = 0;

	table = mnt_new_table_from_file("/proc/self/mountinfo");
	iter = mnt_new_iter(MNT_ITER_FORWARD);
	if (!table || !iter)
		ret = -ENOMEM;
	while (!ret && mnt_table_next_fs(table, iter, &fs) == 0)
		ret = fn(fs, arg);
	mnt_free_iter(iter);
	mnt_unref_table(table);
	return ret;
}

struct collect {
	int index;
	int (*drive_of)(struct libmnt_fs *fs);
	struct mounts *m;
};

static int collect(struct libmnt_fs *fs, void *arg)
{
	struct collect *c = arg;
	const char *dir = mnt_fs_get_target(fs);
	char **dirs;

	if (!dir || c->drive_of(fs) != c->index)
		return 0;
	dirs = reallocarray(c->m->dirs, c->m->count + 1, sizeof(*dirs));
	if (!dirs)
		return -ENOMEM;
	c->m->dirs = dirs;
	dirs[c->m->count] = strdup(dir);
	if (!dirs[c->m->count])
		return -ENOMEM;
	c->m->count++;
	return 0;
}

static int collect_all(unsigned int index, int (*drive_of)(struct libmnt_fs *fs), struct mounts *m)
{
	struct collect c = { index, drive_of, m };
	int err;

	memset(m, 0, sizeof(*m));
	err = each_mount(collect, &c);
	if (err)
		mounts_free(m);
	return err;
}

int mounts_of(unsigned int index, struct mounts *m)
{
	return collect_all(index, drive_of_mount, m);
}

int mounts_on(unsigned int index, struct mounts *m)
{
	return collect_all(index, drive_of_stack, m);
}

void mounts_free(struct mounts *m)
{
	while (m->count)
		free(m->dirs[--m->count]);
	free(m->dirs);
	m->dirs = NULL;
}

struct at {
	const char *dir;
	bool found, failed;
	int index;
	int (*drive_of)(struct libmnt_fs *fs);
};

/* Options of the mount, or of the file system itself. */
static bool may_write(const char *options)
{
	return !options || mnt_optstr_get_option(options, "ro", NULL, NULL) != 0;
}

/* The last one counts: it covers those before it. */
static int is_at(struct libmnt_fs *fs, void *arg)
{
	struct at *at = arg;
	const char *dir = mnt_fs_get_target(fs);

	if (dir && !strcmp(dir, at->dir)) {
		at->found = true;
		at->index = at->drive_of(fs);
		at->failed = may_write(mnt_fs_get_vfs_options(fs)) &&
			     !may_write(mnt_fs_get_fs_options(fs));
	}
	return 0;
}

/* First as it was typed: resolving may have to ask a file system that hangs. */
static struct at look_at(const char *dir, int (*drive_of)(struct libmnt_fs *fs))
{
	char path[PATH_MAX];
	size_t len = strlen(dir);
	struct at at = { .dir = path, .index = -1, .drive_of = drive_of };

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (len >= sizeof(path))
		return at;
	memcpy(path, dir, len);
	path[len] = '\0';
	each_mount(is_at, &at);
	if (!at.found && realpath(dir, path))
		each_mount(is_at, &at);
	return at;
}

int mounts_drive_at(const char *dir)
{
	return look_at(dir, drive_of_mount).index;
}

int mounts_drive_on(const char *dir)
{
	return look_at(dir, drive_of_stack).index;
}

bool is_mount_point(const char *dir)
{
	return look_at(dir, drive_of_mount).found;
}

bool mounts_failed(const char *dir)
{
	return look_at(dir, drive_of_mount).failed;
}

/* --- mounting ------------------------------------------------------------------ */

/* What is to be mounted, and what came of it. */
struct attempt {
	const char *device, *type, *dir, *options;
	bool read_only;
	int err; /* negative errno */
	char why[256];
};

static void attempt_here(struct attempt *a)
{
	struct libmnt_context *cxt = mnt_new_context();
	int rc;

	a->err = -ENOMEM;
	if (!cxt)
		return;
	mnt_context_set_source(cxt, a->device);
	mnt_context_set_target(cxt, a->dir);
	mnt_context_set_fstype(cxt, a->type);
	mnt_context_set_mflags(cxt, a->read_only ? MS_RDONLY : 0);
	if (a->options)
		mnt_context_append_options(cxt, a->options);
	/* What /etc/fstab may say about the directory is of another disk. */
	mnt_context_set_optsmode(cxt, MNT_OMODE_NOTAB);
	rc = mnt_context_mount(cxt);
	a->err = 0;
	if (rc || !mnt_context_get_status(cxt)) {
		a->err = -EIO;
		if (mnt_context_syscall_called(cxt) && mnt_context_get_syscall_errno(cxt) > 0)
			a->err = -mnt_context_get_syscall_errno(cxt);
		mnt_context_get_excode(cxt, rc, a->why, sizeof(a->why));
	}
	mnt_free_context(cxt);
}

/* A file system's own program (ntfs-3g) stays for as long as it is mounted, and must not
 * have this one's blocked signals: what ends the machine ends it by SIGTERM. */
static int try_mount(struct attempt *a, char *why, size_t len)
{
	struct attempt done = { .err = -EIO };
	sigset_t none;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		attempt_here(a);
		_exit(write(ends[1], a, sizeof(*a)) != sizeof(*a));
	}
	close(ends[1]);
	if (pid < 0)
		done.err = -errno;
	else if (read(ends[0], &done, sizeof(done)) != sizeof(done))
		snprintf(done.why, sizeof(done.why), "interrupted");
	close(ends[0]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (done.err)
		snprintf(why, len, "%s", *done.why ? done.why : strerror(-done.err));
	return done.err;
}

/* How to mount a file system without writing: first as it is, then one that was not
 * unmounted cleanly, whose journal can't be replayed on a device that is read-only. */
struct reading {
	const char *type;
	const char *plain[2], *no_replay[2]; /* of a drive, and of a snapshot */
};

static const struct reading readings[] = {
	{ "ext3", { NULL, NULL }, { "noload", "noload" } },
	{ "ext4", { NULL, NULL }, { "noload", "noload" } },
	/* XFS takes no two of one UUID at a time. */
	{ "xfs", { NULL, "nouuid" }, { "norecovery", "norecovery,nouuid" } },
};

static int mount_reading(struct attempt *a, bool snapshot, char *why, size_t len)
{
	const struct reading *r = NULL;
	int err;

	for (size_t i = 0; i < sizeof(readings) / sizeof(*readings); i++)
		if (!strcmp(readings[i].type, a->type))
			r = &readings[i];
	a->read_only = true;
	a->options = r ? r->plain[snapshot] : NULL;
	err = try_mount(a, why, len);
	if (!err || !r)
		return err;
	a->options = r->no_replay[snapshot];
	return try_mount(a, why, len);
}

static int mount_as(const char *device, const char *type, const char *dir, enum mounts_how how,
		    char *why, size_t len)
{
	struct attempt a = { .device = device, .type = type, .dir = dir };

	if (how == MOUNTS_WRITE)
		return try_mount(&a, why, len);
	return mount_reading(&a, how == MOUNTS_SNAPSHOT, why, len);
}

int mounts_mount(const char *device, const char *type, const char *dir, enum mounts_how how,
		 char *why, size_t len)
{
	bool ntfs = !strcmp(type, "ntfs");
	int err;

	err = mount_as(device, ntfs ? "ntfs3" : type, dir, how, why, len);
	if (err != -ENODEV)
		return err;
	if (ntfs)
		err = mount_as(device, "ntfs-3g", dir, how, why, len);
	if (err == -ENODEV && ntfs)
		snprintf(why, len,
			 "the kernel has no ntfs3, and ntfs-3g is not installed; install ntfs-3g");
	else if (err == -ENODEV)
		snprintf(why, len,
			 "this kernel has no %.32s; load its module, or boot a kernel that has it",
			 type);
	return err;
}
