// SPDX-License-Identifier: MIT
/*
 * Mounting: everything that can be checked without touching the blob is
 * checked first; then a helper is started, which takes the lease and makes the
 * device; then the file system on it is found and mounted.  What fails after
 * the device is there takes it away again.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "ctl/drives.h"
#include "ctl/filesystem.h"
#include "ctl/mounts.h"
#include "ctl/options.h"
#include "ctl/start.h"
#include "ctl/store.h"
#include "ctl/takedown.h"
#include "lib/base64.h"
#include "lib/driver.h"
#include "lib/runtime.h"

struct mount {
	struct store_options options;
	const char *where; /* DIR as given, or NULL */
	bool read_only, no_fs, foreground, json;
	uint64_t connections, park_limit;

	struct store store;
	int adopt; /* the device whose helper is gone, or -1 */
	unsigned int index;
	char dir[PATH_MAX]; /* mount point; "" while there is none */
	bool made_dir;
};

/* --- before anything is touched ------------------------------------------------ */

static int check_dir(struct mount *m)
{
	struct stat st;

	if (!m->where)
		return CTL_OK;
	if (m->no_fs)
		return fail(CTL_USAGE,
			    "%s: a mount point, but --no-fs mounts nothing; leave one of them out",
			    m->where);
	if (!realpath(m->where, m->dir) || stat(m->dir, &st))
		return fail(CTL_FAILED, "%s: %s; make the mount point first", m->where,
			    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return fail(CTL_FAILED, "%s: not a directory; name one to mount at", m->where);
	return CTL_OK;
}

static int already(const struct mount *m, const struct drive *d)
{
	char device[DEVICE_SIZE];
	struct mounts at;
	int status;

	device_name(d->driver.index, device);
	if (d->driver.state == CDRIVE_STATE_FENCED)
		return fail(
			CTL_BUSY,
			"%s: is %s, which is fenced and of no use any more; clouddrivectl unmount %s, then mount it again",
			m->store.text, device, device);
	if (mounts_of(d->driver.index, &at))
		return fail(CTL_FAILED, "out of memory");
	status = fail(
		CTL_BUSY,
		"%s: already mounted on this machine as %s%s%s; use it there, or unmount it first",
		m->store.text, device, at.count ? " at " : "", at.count ? at.dirs[0] : "");
	mounts_free(&at);
	return status;
}

/* A drive that is there without helper is what this mount brings back. */
static int check_drives(struct mount *m)
{
	struct drives drives;
	struct drive *d;
	int status;

	status = drives_load(&drives);
	if (status)
		return status;
	d = drives_by_url(&drives, &m->store.url);
	if (d && (d->driver.helper_pid || d->driver.state == CDRIVE_STATE_FENCED)) {
		status = already(m, d);
	} else if (d) {
		m->adopt = d->driver.index;
		m->read_only = d->driver.read_only;
	} else if (drives.count == CDRIVE_MAX_DRIVES) {
		status = fail(CTL_FAILED,
			      "%s: all %d drives of this machine are in use; unmount one first",
			      m->store.text, CDRIVE_MAX_DRIVES);
	}
	drives_free(&drives);
	return status;
}

static int prepare(struct mount *m)
{
	char why[256];
	int err, status;

	status = store_url(&m->store, &m->options);
	if (!status)
		status = check_dir(m);
	if (!status)
		status = need_root();
	if (!status)
		status = check_drives(m);
	if (!status)
		status = store_credential(&m->store, &m->options);
	if (status)
		return status;
	if (driver_load_module(why, sizeof(why)))
		return fail(CTL_FAILED, "%s", why);
	err = runtime_init();
	if (err)
		return fail(CTL_FAILED, "%s: %s; it must be a directory of root's alone",
			    runtime_dir(), strerror(-err));
	return CTL_OK;
}

/* --- the helper ------------------------------------------------------------------- */

static void add_credential(json_t *o, const struct az_credential *cred)
{
	char key[BASE64_SIZE(sizeof(cred->key))];

	if (cred->kind == AZ_CREDENTIAL_SAS) {
		json_object_set_new(o, "sas", json_string(cred->sas));
		return;
	}
	base64_encode(cred->key, cred->key_len, key);
	json_object_set_new(o, "key", json_string(key));
	explicit_bzero(key, sizeof(key));
}

static json_t *request_new(const struct mount *m)
{
	json_t *o;

	o = json_pack("{s:s, s:b, s:I, s:b}", "url", m->store.text, "read_only", m->read_only,
		      "connections", (json_int_t)m->connections, "foreground", m->foreground);
	add_credential(o, &m->store.cred);
	if (m->park_limit)
		json_object_set_new(o, "park_limit", json_integer(m->park_limit));
	if (m->adopt >= 0)
		json_object_set_new(o, "adopt", json_integer(m->adopt));
	return o;
}

static int attach(struct mount *m, struct helper *h)
{
	json_t *request = request_new(m);
	int status = helper_start(h, request, m->foreground);

	json_decref(request);
	return status ? status : helper_wait(h, &m->index);
}

/* --- the file system ---------------------------------------------------------------- */

static int choose_dir(struct mount *m)
{
	snprintf(m->dir, sizeof(m->dir), "/mnt/cdrive%u", m->index);
	if (mkdir(m->dir, 0755) == 0)
		m->made_dir = true;
	else if (errno != EEXIST)
		return fail(CTL_FAILED, "%s: %s; name a mount point: clouddrivectl mount URL DIR",
			    m->dir, strerror(errno));
	else if (is_mount_point(m->dir))
		return fail(
			CTL_FAILED,
			"%s: something else is mounted there; name a mount point: clouddrivectl mount URL DIR",
			m->dir);
	return CTL_OK;
}

static int mount_filesystem(struct mount *m)
{
	struct filesystem fs;
	char why[384];
	int status;

	if (filesystem_find(m->index, &fs, why, sizeof(why)))
		return fail(CTL_FAILED, "%s: %s", m->store.text, why);
	status = m->where ? CTL_OK : choose_dir(m);
	if (status)
		return status;
	if (!mounts_mount(fs.device, fs.type, m->dir, m->read_only, why, sizeof(why)))
		return CTL_OK;
	if (m->made_dir)
		rmdir(m->dir);
	return fail(
		CTL_FAILED,
		"%s: its %s file system can't be mounted at %s: %s; check it with fsck after mount --no-fs",
		m->store.text, fs.type, m->dir, why);
}

/* A drive that was brought back has its file system mounted as it was. */
static bool still_mounted(struct mount *m)
{
	struct mounts at;
	bool found;

	if (m->adopt < 0 || mounts_of(m->index, &at))
		return false;
	found = at.count;
	if (found)
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

static int mount_it(struct mount *m, struct helper *h)
{
	int status = CTL_OK;

	if (!still_mounted(m) && !m->no_fs) {
		status = mount_filesystem(m);
		if (!status)
			write_down(m);
	}
	if (!status && helper_interrupted(h))
		status = fail(CTL_FAILED, "%s: interrupted; it was unmounted again", m->store.text);
	/* One that was there before is not this program's to take away. */
	if (status && m->adopt < 0)
		take_down_index(m->index, false);
	return status;
}

/* --- the result ------------------------------------------------------------------------ */

static int print_result(const struct mount *m)
{
	char device[DEVICE_SIZE];
	const char *dir = m->dir[0] ? m->dir : NULL;

	device_name(m->index, device);
	if (m->json)
		return print_json(json_pack("{s:s, s:s?, s:s}", "device", device, "mount_point",
					    dir, "url", m->store.text));
	printf("%s%s%s\n", device, dir ? " " : "", dir ? dir : "");
	return CTL_OK;
}

/* Until it is unmounted, by whomever.  While files are in use it goes on. */
static int stay(const struct mount *m, struct helper *h)
{
	struct driver_drive d;

	fflush(stdout);
	while (helper_watch(h))
		if (!take_down_index(m->index, false))
			return CTL_OK;
	if (driver_look(m->index, &d))
		return CTL_OK;
	return fail(
		CTL_FAILED,
		"%s: its helper died, /dev/cdrive%u waits; bring it back: clouddrivectl mount URL",
		m->store.text, m->index);
}

static int mount_url(struct mount *m)
{
	struct helper h = { .fd = -1, .signals = -1 };
	int status;

	status = prepare(m);
	if (!status)
		status = attach(m, &h);
	if (!status)
		status = mount_it(m, &h);
	if (!status)
		status = print_result(m);
	if (!status && m->foreground)
		status = stay(m, &h);
	helper_forget(&h);
	store_close(&m->store);
	return status;
}

static int run(int argc, char **argv)
{
	struct mount m = { .connections = 32, .adopt = -1 };
	const struct option options[] = {
		STORE_OPTIONS(&m.options),
		FLAG("read-only", &m.read_only),
		FLAG("no-fs", &m.no_fs),
		FLAG("foreground", &m.foreground),
		FLAG("json", &m.json),
		NUMBER("connections", &m.connections, 1, 128),
		NUMBER("park-limit", &m.park_limit, 1, 86400),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("URL", &m.options.url),
		OPTIONAL("DIR", &m.where),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	return status ? status : mount_url(&m);
}

static const char help[] =
	"usage: clouddrivectl mount URL [DIR] [--read-only] [--no-fs] [--foreground]\n"
	"                           [--connections N] [--park-limit SECONDS]\n"
	"                           [--key-file FILE] [--allow-http] [--json]\n"
	"\n"
	"Makes the page blob at URL a block device, mounts the file system on it at DIR, or\n"
	"at /mnt/cdriveN when DIR is left out, and prints DEVICE MOUNT-POINT. The blob is\n"
	"leased, so that no other client writes to it meanwhile. The file system is the whole\n"
	"of the blob, or its single partition. Needs root; loads the module cdrive.\n"
	"\n"
	"When the drive is on this machine already and its helper has died, a new helper\n"
	"takes it over: requests that waited go on, and the file system is mounted as it was.\n"
	"\n"
	"  --read-only           a read-only device and file system; the blob is leased all the same\n"
	"  --no-fs               the device only: prints DEVICE\n"
	"  --foreground          stay until the drive is unmounted; unmount it at ^C or SIGTERM\n"
	"  --connections N       at most N requests to the service at once, 1 to 128 (32)\n"
	"  --park-limit SECONDS  how long requests wait for a service that can't be reached,\n"
	"                        or for a new helper, before they fail; 1 to 86400 (300)\n"
	"  --key-file FILE       the account key in base64; - is standard input\n"
	"  --allow-http          plain http to a host other than this one\n"
	"  --json                print {\"device\", \"mount_point\", \"url\"}\n"
	"\n" STORE_HELP "A SAS needs the permissions read and write.\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl mount https://acct.blob.core.windows.net/disks/disk1 /srv/data --key-file key\n"
	"  device=$(clouddrivectl mount --no-fs \"$URL\") && mkfs.ext4 $device\n"
	"\n"
	"Exit status: 0 done; 1 it failed; 2 wrong usage; 3 no such account, container or blob;\n"
	"4 not authorised; 5 leased by another client; 6 already mounted on this machine; 7 the\n"
	"service can't be reached; 8 the blob is not a drive.\n";

const struct verb verb_mount = {
	.name = "mount",
	.arguments = "URL [DIR]",
	.summary = "make a blob a disk and mount it",
	.help = help,
	.run = run,
};
