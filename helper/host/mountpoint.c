// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command/message.h"
#include "host/filesystem.h"
#include "host/flush.h"
#include "host/fsck.h"
#include "host/mount.h"
#include "host/mounts.h"
#include "lib/runtime.h"

int mount_interrupted(const struct mount *m)
{
	return fail(EXIT_FAILED, "%s: interrupted; %s", m->session.text,
		    m->was_there ? "it stays as it was before" : "it is unmounted again");
}

int mountpoint_check(struct mount *m)
{
	struct stat st;
	size_t n;

	if (m->no_fs && m->fsck)
		return fail(
			EXIT_USAGE,
			"--fsck: checks a file system, and --no-fs looks for none; leave one of them out");
	if (!m->where)
		return EXIT_OK;
	if (m->no_fs)
		return fail(EXIT_USAGE,
			    "%s: a mount point, but --no-fs mounts nothing; leave one of them out",
			    m->where);
	/* A drive's own file system may hang: it is not asked where it is. */
	if (m->where[0] == '/' && mounts_drive_at(m->where) >= 0) {
		snprintf(m->dir, sizeof(m->dir), "%s", m->where);
		for (n = strlen(m->dir); n > 1 && m->dir[n - 1] == '/'; n--)
			m->dir[n - 1] = '\0';
		return EXIT_OK;
	}
	if (!realpath(m->where, m->dir) || stat(m->dir, &st))
		return fail(EXIT_FAILED, "%s: %s; make the mount point first", m->where,
			    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fail(EXIT_FAILED, "%s: not a directory; name one to mount at", m->where);
	return EXIT_OK;
}

static int choose_dir(struct mount *m)
{
	snprintf(m->dir, sizeof(m->dir), "/mnt/cdrive%u", m->index);
	if (mkdir(m->dir, 0755) == 0)
		m->made_dir = true;
	else if (errno != EEXIST)
		return fail(EXIT_FAILED, "%s: %s; name a mount point: clouddrivectl mount URL DIR",
			    m->dir, strerror(errno));
	else if (is_mount_point(m->dir))
		return fail(
			EXIT_FAILED,
			"%s: something else is mounted there; name a mount point: clouddrivectl mount URL DIR",
			m->dir);
	return EXIT_OK;
}

static int not_repaired(const struct mount *m, const struct filesystem *fs, int err)
{
	flush_lost(m->index, "what the file system's checker wrote could not be written out");
	return fail(
		err == -ETIMEDOUT ? EXIT_UNREACHABLE : EXIT_FAILED,
		"%s: its %s file system: what was repaired is not in the blob: %s; mount it again with --fsck when it works",
		m->session.text, fs->type, strerror(-err));
}

static int check_filesystem(struct mount *m, const struct filesystem *fs)
{
	struct flush flush;
	char why[512];
	int bad, err;

	/* What it repairs it writes to the device, and may not wait for. */
	flush_devices_begin(&flush, m->index);
	bad = fsck_run(fs, m->read_only, m->agent.signals, why, sizeof(why));
	err = flush_devices_end(&flush, false);
	/* Its checker was ended, then, and has found nothing. */
	if (agent_interrupted(&m->agent))
		return EXIT_OK;
	if (err)
		return not_repaired(m, fs, err);
	if (bad)
		return fail(EXIT_FAILED, "%s: its %s file system: %s", m->session.text, fs->type,
			    why);
	if (*why)
		note("%s: %s", m->session.text, why);
	return EXIT_OK;
}

static enum mounts_how how_to_mount(const struct mount *m)
{
	if (m->session.url.snapshot)
		return MOUNTS_SNAPSHOT;
	return m->read_only ? MOUNTS_READ : MOUNTS_WRITE;
}

static int mount_filesystem(struct mount *m)
{
	struct filesystem fs;
	char why[384];
	int err, status;

	if (filesystem_find(m->index, &fs, why, sizeof(why)))
		return fail(EXIT_FAILED, "%s: %s", m->session.text, why);
	status = m->fsck ? check_filesystem(m, &fs) : EXIT_OK;
	if (!status && agent_interrupted(&m->agent))
		return mount_interrupted(m);
	if (status)
		return status;
	status = m->where ? EXIT_OK : choose_dir(m);
	if (status)
		return status;
	err = mounts_mount(fs.device, fs.type, m->dir, how_to_mount(m), why, sizeof(why));
	if (!err)
		return EXIT_OK;
	if (m->made_dir)
		rmdir(m->dir);
	return fail(EXIT_FAILED, "%s: its %s file system can't be mounted at %s: %s%s",
		    m->session.text, fs.type, m->dir, why,
		    err == -ENODEV ? "" : "; check it with --fsck");
}

/* A drive that was there has its file system mounted as it was; attach() has
 * compared that with what was asked for. */
static bool still_mounted(struct mount *m)
{
	struct mounts at;
	bool found;

	if (!m->was_there || mounts_of(m->index, &at))
		return false;
	found = at.count;
	if (found && !m->where)
		snprintf(m->dir, sizeof(m->dir), "%s", at.dirs[0]);
	mounts_free(&at);
	return found;
}

static void write_down(const struct mount *m)
{
	json_t *changes = json_pack("{s:s}", "mounted_at", m->dir);

	if (m->made_dir)
		json_object_set_new(changes, "made_mount_point", json_string(m->dir));
	runtime_update(m->index, changes);
	json_decref(changes);
}

int mountpoint_mount(struct mount *m)
{
	int status;

	if (m->no_fs)
		return EXIT_OK;
	if (still_mounted(m)) {
		if (m->fsck)
			note("%s: mounted already, and so not checked", m->session.text);
		return EXIT_OK;
	}
	status = mount_filesystem(m);
	if (!status)
		write_down(m);
	return status;
}
