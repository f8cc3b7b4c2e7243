// SPDX-License-Identifier: MIT
/*
 * sandbox_files.c - which files are left: "Landlock: unprivileged access control"
 *
 * By raw system calls, as no library of Debian 12 has them.  What a kernel knows is
 * told by its ABI version; all that it knows is restricted.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/runtime.h"
#include "lib/sandbox_parts.h"

/* The whole of ABI 6 (Linux 6.12); older headers have less.  A kernel takes a longer
 * structure than its own when the rest is zero. */
struct ruleset {
	uint64_t fs, net, scoped;
};

#define FS_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13) /* ABI 2 */
#define FS_TRUNCATE (1ull << 14) /* ABI 3 */
#define FS_IOCTL_DEV (1ull << 15) /* ABI 5 */
#define NET_BIND_TCP (1ull << 0) /* ABI 4 */
#define NET_CONNECT_TCP (1ull << 1)
#define SCOPE_SIGNAL (1ull << 1) /* ABI 6 */

#define READ ((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR))
#define WRITE ((uint64_t)LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)
#define CHANGE                                                                   \
	((uint64_t)(LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
		    LANDLOCK_ACCESS_FS_REMOVE_FILE))
/* What applies to a file; a rule on one with more is refused. */
#define OF_FILES                                                                   \
	((uint64_t)(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | \
		    LANDLOCK_ACCESS_FS_EXECUTE) |                                  \
	 FS_TRUNCATE | FS_IOCTL_DEV)

struct area {
	const char *path;
	uint64_t access;
};

static const struct area both[] = {
	{ "/dev/null", READ | WRITE },
	{ "/dev/urandom", READ },
	/* shared libraries that are loaded late, and what configures them */
	{ "/usr/lib", READ },
	{ "/lib", READ },
	{ "/lib64", READ },
	{ "/usr/lib64", READ },
	{ "/usr/local/lib", READ },
	{ "/etc/ld.so.cache", READ },
	{ "/etc/ssl/openssl.cnf", READ },
	{ "/etc/crypto-policies", READ },
	/* the time in log lines */
	{ "/etc/localtime", READ },
	{ "/usr/share/zoneinfo", READ },
};

static const struct area helpers[] = {
	/* certificates; not what lies beside them (/etc/ssl/private) */
	{ "/etc/ssl/certs", READ },
	{ "/etc/ssl/cert.pem", READ },
	{ "/etc/pki/tls/certs", READ },
	{ "/etc/pki/tls/cert.pem", READ },
	{ "/etc/pki/tls/openssl.cnf", READ },
	{ "/etc/pki/ca-trust/extracted", READ },
	{ "/etc/ca-certificates", READ },
	{ "/usr/share/ca-certificates", READ },
	{ "/usr/local/share/ca-certificates", READ },
	/* where resolv.conf is a link to, and whom nsswitch.conf may name */
	{ "/run/systemd/resolve", READ },
	{ "/run/resolvconf", READ },
	{ "/run/NetworkManager", READ },
};

/* Read by c-ares and the C library's resolver; each may be replaced by another file. */
static const char *const resolver[] = {
	"/etc/resolv.conf", "/etc/hosts",    "/etc/nsswitch.conf", "/etc/host.conf",
	"/etc/gai.conf",    "/etc/services", "/etc/protocols",
};

#define RESOLVER (sizeof(resolver) / sizeof(*resolver))

/* What they were when the sandbox was entered. */
static struct stat known[RESOLVER];
static bool watching;

/* --- rules -------------------------------------------------------------------------- */

static uint64_t known_to(int abi)
{
	return FS_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) |
	       (abi >= 5 ? FS_IOCTL_DEV : 0);
}

/* What isn't there needs no rule. */
static int allow(int ruleset, uint64_t handled, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access & handled };
	struct stat st;
	int err = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : -errno;
	if (fstat(rule.parent_fd, &st))
		err = -errno;
	else if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (!err && syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

static int allow_all(int ruleset, uint64_t handled, const struct area *areas, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = allow(ruleset, handled, areas[i].path, areas[i].access);
	return err;
}

/*
 * The directory of a file that is a link to one outside of /etc is its maker's (as
 * systemd-resolved's is), so all of it may be read; files of /etc one by one.
 */
static int allow_resolver(int ruleset, uint64_t handled)
{
	char *real, *slash;
	int err = 0;

	for (size_t i = 0; i < RESOLVER && !err; i++) {
		if (stat(resolver[i], &known[i]))
			memset(&known[i], 0, sizeof(known[i]));
		real = realpath(resolver[i], NULL);
		slash = real ? strrchr(real, '/') : NULL;
		if (slash && slash != real && strncmp(real, "/etc/", 5) != 0)
			*slash = '\0';
		if (real)
			err = allow(ruleset, handled, real, READ);
		free(real);
	}
	return err;
}

static int allow_certificates(int ruleset, uint64_t handled)
{
	static const char *const names[] = { "SSL_CERT_FILE", "SSL_CERT_DIR" };
	int err = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !err; i++) {
		const char *path = getenv(names[i]);

		if (path && *path)
			err = allow(ruleset, handled, path, READ);
	}
	return err;
}

static int add_rules(int ruleset, enum sandbox which, uint64_t handled)
{
	int err = access(runtime_dir(), F_OK) ? -errno : 0;

	if (!err)
		err = allow(ruleset, handled, runtime_dir(), READ | WRITE | CHANGE);
	if (!err)
		err = allow_all(ruleset, handled, both, sizeof(both) / sizeof(*both));
	if (err || which != SANDBOX_HELPER)
		return err;
	err = allow_all(ruleset, handled, helpers, sizeof(helpers) / sizeof(*helpers));
	if (!err)
		err = allow_resolver(ruleset, handled);
	return err ? err : allow_certificates(ruleset, handled);
}

/* --- entering ------------------------------------------------------------------------ */

int sandbox_files(enum sandbox which)
{
	struct ruleset r = { 0 };
	int abi, fd, err;

	if (which == SANDBOX_SPAWNER)
		return 0;
	abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < 0) {
		if (errno != ENOSYS && errno != EOPNOTSUPP)
			return -errno;
		log_info("this kernel has no Landlock: file access is not restricted");
		return 0;
	}
	r.fs = known_to(abi);
	if (abi >= 4)
		r.net = NET_BIND_TCP | (which == SANDBOX_AGENT ? NET_CONNECT_TCP : 0);
	if (abi >= 6)
		r.scoped = SCOPE_SIGNAL;
	fd = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
	if (fd < 0)
		return -errno;
	err = add_rules(fd, which, r.fs);
	if (!err && syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	watching = !err && which == SANDBOX_HELPER;
	return err;
}

/* (access(2) would not tell: Landlock is about opening.) */
static bool locked_out(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd < 0 && errno == EACCES;
}

bool sandbox_stale(void)
{
	struct stat st;

	for (size_t i = 0; watching && i < RESOLVER; i++)
		if (!stat(resolver[i], &st) &&
		    (st.st_ino != known[i].st_ino || st.st_dev != known[i].st_dev) &&
		    locked_out(resolver[i]))
			return true;
	return false;
}
