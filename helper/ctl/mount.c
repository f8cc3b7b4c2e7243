// SPDX-License-Identifier: MIT
/*
 * Mounting: everything that can be checked without touching the blob is checked
 * first; then an agent is started, whose helper takes the lease and makes the
 * device (attach.c); then the file system on it is found and mounted (mountpoint.c).
 * What fails after the device is there takes it away again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/key.h"
#include "agent/lock.h"
#include "azure/sas.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "host/cached.h"
#include "host/detach.h"
#include "host/drives.h"
#include "host/mount.h"
#include "lib/driver.h"
#include "lib/module.h"
#include "lib/runtime.h"
#include "lib/text.h"

/* As the kernel has it by itself on a machine of 256 MiB.  With so much a machine of
 * 512 MiB, of two processors, swaps on a drive: tests/vm/swap.t. */
#define MIN_FREE_KBYTES 2048

#define LOCK_S 60

/* By how much the service's clock may be ahead of ours for a SAS to be tried. */
#define BEGINS_SOON_S 900

/* The command line. */
struct request {
	struct mount mount; /* what holds for each URL */
	struct mount *mounts; /* one a URL */
	size_t count;
};

/* --- before anything is touched ------------------------------------------------ */

/* Of the environment and of standard input there is only one reading, so the URLs
 * without a SAS of their own share what the first of them found. */
static void share_credential(struct mount *m, const struct mount *first)
{
	if (strcmp(m->session.url.account, first->session.url.account) != 0) {
		m->no_credential = -ENOKEY;
		snprintf(
			m->why, sizeof(m->why),
			"the credential is for account \"%.24s\", the URL for \"%.24s\"; mount them one by one",
			first->session.url.account, m->session.url.account);
		return;
	}
	m->no_credential = first->no_credential;
	memcpy(m->why, first->why, sizeof(m->why));
	m->session.cred = first->session.cred;
	m->session.cred.sas = NULL;
	if (first->session.cred.sas) {
		m->session.cred.kind = AZ_CREDENTIAL_NONE;
		m->no_credential = az_credential_set_sas(&m->session.cred, first->session.cred.sas);
	}
}

static void find_credential(struct mount *m, const struct mount **first)
{
	if (*first && !m->session.url.sas) {
		share_credential(m, *first);
		return;
	}
	m->no_credential = az_credential_load(&m->session.cred, &m->session.url,
					      m->options.key_file, m->why, sizeof(m->why));
	if (!m->session.url.sas)
		*first = m;
}

static void find_credentials(struct request *r)
{
	const struct mount *first = NULL;
	size_t i;

	for (i = 0; i < r->count; i++)
		if (!r->mounts[i].session.url.sas)
			find_credential(&r->mounts[i], &first);
	for (i = 0; i < r->count; i++)
		if (r->mounts[i].session.url.sas)
			find_credential(&r->mounts[i], &first);
}

static bool sas_fits(const struct mount *m, int64_t now, char *why, size_t len)
{
	return !az_sas_check(&m->session.cred, &m->session.url, az_sas_needed(&m->session.url), now,
			     why, len);
}

/* One that begins soon may have begun by the service's clock, which is the one that counts:
 * the service says. */
static int check_sas(const struct mount *m)
{
	int64_t now = time(NULL);
	char why[256], later[256];

	if (m->no_credential || m->session.cred.kind != AZ_CREDENTIAL_SAS ||
	    sas_fits(m, now, why, sizeof(why)) ||
	    sas_fits(m, now + BEGINS_SOON_S, later, sizeof(later)))
		return EXIT_OK;
	return fail(EXIT_DENIED, "%s: %s", m->session.text, why);
}

/* A snapshot can't be written to, and so has no lease. */
static int check_snapshot(struct mount *m)
{
	if (!m->session.url.snapshot)
		return EXIT_OK;
	if (m->force)
		return fail(EXIT_USAGE, "--force: nobody leases a snapshot (%s); leave it out",
			    m->session.text);
	m->read_only = true;
	return EXIT_OK;
}

static int prepare(struct request *r)
{
	char why[256];
	size_t i;
	int err, status = EXIT_OK;

	for (i = 0; i < r->count && !status; i++)
		status = session_url(&r->mounts[i].session, &r->mounts[i].options);
	for (i = 0; i < r->count && !status; i++)
		status = check_snapshot(&r->mounts[i]);
	for (i = 0; i < r->count && !status; i++)
		status = mountpoint_check(&r->mounts[i]);
	if (!status)
		status = need_root();
	if (status)
		return status;
	find_credentials(r);
	err = runtime_init();
	if (err)
		return fail(EXIT_FAILED, "%s: %s; it must be a directory of root's alone",
			    runtime_dir(), strerror(-err));
	if (module_load(why, sizeof(why)))
		return fail(EXIT_FAILED, "%s", why);
	return EXIT_OK;
}

/* --- one URL -------------------------------------------------------------------------- */

static int mount_locked(struct mount *m)
{
	int status;
	bool gone;

	status = attach(m);
	if (status)
		return status;
	status = mountpoint_mount(m);
	if (!status && agent_interrupted(&m->agent))
		status = mount_interrupted(m);
	if (status && !m->was_there)
		detach_index(m->index, false, &gone);
	return status;
}

static int mount_url(struct mount *m)
{
	char path[PATH_MAX];
	int lock, status;

	status = check_sas(m);
	if (status)
		return status;
	lock = lock_take(lock_path_url(&m->session.url, path), LOCK_S);
	if (lock == -ETIMEDOUT)
		return fail(EXIT_BUSY,
			    "%s: another clouddrivectl has been mounting it for %d s; try again",
			    m->session.text, LOCK_S);
	if (lock < 0)
		return fail(EXIT_FAILED, "%s: %s", path, strerror(-lock));
	status = mount_locked(m);
	lock_drop(lock, path);
	if (status)
		cached_put_away();
	return status;
}

/* --- the first that is free ------------------------------------------------------------ */

/* What another URL may not have. */
static bool passes_over(int status)
{
	return status >= EXIT_MISSING && status <= EXIT_NOT_A_DRIVE;
}

/* EXIT_OK and *@mounted; or a status, of those that said something else than that
 * somebody has it the first. */
static int mount_first(struct request *r, struct mount **mounted)
{
	int status, verdict = EXIT_OK;
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct mount *m = &r->mounts[i];

		status = mount_url(m);
		*mounted = m;
		if (!status || r->count == 1 || !passes_over(status))
			return status;
		agent_forget(&m->agent);
		if (!verdict && status != EXIT_LEASED && status != EXIT_BUSY)
			verdict = status;
	}
	return fail(verdict ? verdict : EXIT_LEASED,
		    "none of %zu blobs could be mounted; the reasons are above", r->count);
}

/* --- the result ------------------------------------------------------------------------ */

static int print_result(const struct mount *m)
{
	char device[DEVICE_SIZE];
	const char *dir = m->dir[0] && !m->no_fs ? m->dir : NULL;

	device_name(m->index, device);
	if (m->json)
		return print_json(json_pack("{s:s, s:s?, s:s}", "device", device, "mount_point",
					    dir, "url", m->session.text));
	printf("%s%s%s%s%s\n", device, dir ? " " : "", dir ? dir : "", m->several ? " " : "",
	       m->several ? m->session.text : "");
	return EXIT_OK;
}

/* They are the agent's from here on.  (What was an argument is a copy by now, which
 * main.c made.) */
static void forget_secrets(struct request *r)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		struct mount *m = &r->mounts[i];
		char *url = (char *)m->options.url;
		char *query = url ? strchr(url, '?') : NULL;

		az_credential_free(&m->session.cred);
		if (m->session.url.sas)
			explicit_bzero(m->session.url.sas, strlen(m->session.url.sas));
		if (query)
			explicit_bzero(query, strlen(query));
	}
}

/* Until it is unmounted, by whomever.  While files are in use it goes on. */
static int stay(struct mount *m)
{
	struct driver_drive d;
	bool gone;

	fflush(stdout);
	if (m->agent.fd < 0) {
		note("%s: has an agent in the background already; not staying", m->session.text);
		return EXIT_OK;
	}
	while (agent_watch(&m->agent)) {
		int status = detach_index(m->index, false, &gone);

		if (gone)
			return status;
	}
	if (driver_query(m->index, &d))
		return EXIT_OK;
	if (d.state == CDRIVE_STATE_FENCED)
		return fail(
			EXIT_FAILED,
			"%s: /dev/cdrive%u was fenced; unmount it, which says whether something was lost",
			m->session.text, m->index);
	return fail(
		EXIT_FAILED,
		"%s: its agent ended, /dev/cdrive%u goes on without it for as long as its SAS is valid; bring one back: clouddrivectl mount %s",
		m->session.text, m->index, m->session.text);
}

/*
 * What the service answers comes in packets, whose memory the kernel takes when they
 * arrive; it can't wait then, and has what is kept free by vm.min_free_kbytes.
 */
static void look_at_free_memory(void)
{
	uint64_t kbytes;

	if (text_u64_of_file("/proc/sys/vm/min_free_kbytes", &kbytes) && kbytes < MIN_FREE_KBYTES)
		note("vm.min_free_kbytes is %llu; when memory is short the network may not receive what drives wait for: sysctl vm.min_free_kbytes=%d",
		     (unsigned long long)kbytes, MIN_FREE_KBYTES);
}

static int mount_request(struct request *r)
{
	struct mount *m = NULL;
	size_t i;
	int status;

	status = prepare(r);
	if (!status)
		status = mount_first(r, &m);
	forget_secrets(r);
	if (!status && m)
		status = print_result(m);
	if (!status && m)
		look_at_free_memory();
	if (!status && m && m->foreground)
		status = stay(m);
	if (!status)
		agent_too_late();
	for (i = 0; i < r->count; i++) {
		agent_forget(&r->mounts[i].agent);
		session_close(&r->mounts[i].session);
	}
	return status;
}

/* --- the command line ------------------------------------------------------------------- */

/* URLs have "://" in them; what hasn't is DIR, unless it is alone. */
static int sort_arguments(struct request *r, const struct rest *rest)
{
	size_t i;

	r->mounts = calloc(rest->count, sizeof(*r->mounts));
	if (!r->mounts)
		return fail(EXIT_FAILED, "out of memory");
	for (i = 0; i < rest->count; i++) {
		if (strstr(rest->items[i], "://") || rest->count == 1)
			r->mounts[r->count++].options.url = rest->items[i];
		else if (r->mount.where)
			return options_unexpected(rest->items[i]);
		else
			r->mount.where = rest->items[i];
	}
	if (!r->count)
		return fail(EXIT_USAGE, "URL: missing; see clouddrivectl mount --help");
	if (r->count > 1 && r->mount.force)
		return fail(EXIT_USAGE, "--force: says not which of %zu blobs; give the URL of one",
			    r->count);
	return EXIT_OK;
}

static void fill_in(struct request *r)
{
	size_t i;

	for (i = 0; i < r->count; i++) {
		const char *url = r->mounts[i].options.url;

		r->mounts[i] = r->mount;
		r->mounts[i].options.url = url;
		r->mounts[i].several = r->count > 1;
	}
}

static int run(int argc, char **argv)
{
	const char *items[argc];
	struct rest rest = { items, 0 };
	struct request r = { .mount = { .options.snapshot = true,
					.connections = 32,
					.park_limit = PARK_LIMIT_UNSET,
					.lifetime = KEY_LIFETIME_S,
					.cache = CACHE_UNSET,
					.cache_use = CACHE_USE_NONE,
					.agent = AGENT_START_NONE } };
	struct mount *m = &r.mount;
	const struct option options[] = {
		SESSION_OPTIONS(&m->options),
		FLAG("read-only", &m->read_only),
		FLAG("no-fs", &m->no_fs),
		FLAG("fsck", &m->fsck),
		FLAG("force", &m->force),
		FLAG("foreground", &m->foreground),
		FLAG("json", &m->json),
		NUMBER("connections", &m->connections, 1, 128),
		LIMIT("park-limit", &m->park_limit, 1, 86400),
		SIZE("cache", &m->cache),
		NUMBER("sas-lifetime", &m->lifetime, 10, 86400),
		{ 0 },
	};
	const struct argument arguments[] = {
		REST("URL", &rest),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = sort_arguments(&r, &rest);
	fill_in(&r);
	if (!status)
		status = mount_request(&r);
	free(r.mounts);
	return status;
}

static const char help[] =
	"usage: clouddrivectl mount URL [DIR] [--read-only] [--no-fs] [--fsck] [--force] [--foreground]\n"
	"                           [--cache SIZE] [--connections N] [--park-limit SECONDS|none]\n"
	"                           [--sas-lifetime SECONDS] [--key-file FILE] [--allow-http]\n"
	"                           [--json]\n"
	"       clouddrivectl mount URL URL... [DIR] [OPTION]...\n"
	"\n"
	"Makes the page blob at URL a block device, mounts the file system on it at DIR, or\n"
	"at /mnt/cdriveN when DIR is left out, and prints DEVICE MOUNT-POINT. The blob is\n"
	"leased, so that no other client writes to it meanwhile. The file system is the whole\n"
	"of the blob, or its single partition. Needs root; loads the module cdrive.\n"
	"\n"
	"The URL of a snapshot, ?snapshot=TIME, is mounted read-only and without a lease: by any\n"
	"number of machines at once.\n"
	"\n"
	"A process stays behind, the drive's agent. It keeps the account key to itself and\n"
	"gives the process that does the I/O, the helper, SAS tokens for this one blob; and\n"
	"it starts a new helper within a second when one dies. Without agent a drive goes on\n"
	"for as long as its last SAS is valid, and then waits.\n"
	"\n"
	"Of a drive that is on this machine already the same is printed again, and nothing is\n"
	"changed but what is missing: an agent, a helper, the mounted file system. A SAS in the\n"
	"URL takes the place of one that it was mounted with. A fenced drive is taken away first,\n"
	"and the blob mounted afresh.\n"
	"\n"
	"Of several URLs the first is mounted that nobody else has, and printed after the mount\n"
	"point; those that are passed over are told on standard error, with the reason.\n"
	"\n"
	"  --read-only           a read-only device and file system; the blob is leased all the same\n"
	"  --no-fs               the device only: prints DEVICE\n"
	"  --fsck                have the file system's own checker (e2fsck -p, xfs_repair, ntfsfix)\n"
	"                        repair it first; what it can't repair is not mounted\n"
	"  --force               take the blob from another client that has leased it; what that\n"
	"                        has not written by then it can't write any more\n"
	"  --foreground          stay until the drive is unmounted; unmount it at ^C or SIGTERM\n"
	"  --cache SIZE          reserve so much of the machine's cache (init-cache) for this drive;\n"
	"                        0: none of it is its; without: it shares what nobody has\n"
	"                        reserved. Of a drive that is mounted already it is changed\n"
	"  --connections N       at most N requests to the service at once, 1 to 128 (32)\n"
	"  --park-limit SECONDS  how long requests wait for a service that can't be reached,\n"
	"                        or for a new helper, before they fail; 1 to 86400 (300),\n"
	"                        or none: for ever\n"
	"  --sas-lifetime SECONDS\n"
	"                        how long each SAS that the agent makes is valid, 10 to 86400\n"
	"                        (1800); the helper gets a fresh one every sixth of that\n"
	"  --key-file FILE       the account key in base64; - is standard input\n"
	"  --allow-http          plain http to a host other than this one\n"
	"  --json                print {\"device\", \"mount_point\", \"url\"}\n"
	"\n" SESSION_HELP "A SAS needs the permissions read and write, one of a snapshot read.\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl mount https://acct.blob.core.windows.net/disks/disk1 /srv/data --key-file key\n"
	"  device=$(clouddrivectl mount --no-fs \"$URL\") && mkfs.ext4 $device\n"
	"  clouddrivectl mount $DISKS/work1 $DISKS/work2 $DISKS/work3 /srv/work --key-file key\n"
	"\n"
	"Exit status: 0 done; 1 it failed; 2 wrong usage; 3 no such account, container or blob;\n"
	"4 not authorised; 5 leased by another client; 6 mounted on this machine in another way;\n"
	"7 the service can't be reached; 8 the blob is not a drive. Of several URLs: 5 when all\n"
	"are in use, else the first other reason.\n";

const struct verb verb_mount = {
	.name = "mount",
	.arguments = "URL... [DIR]",
	.summary = "make a blob a disk and mount it",
	.help = help,
	.run = run,
};
