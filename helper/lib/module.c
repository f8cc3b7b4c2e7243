// SPDX-License-Identifier: MIT
#include "lib/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <libkmod.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/family.h>
#include <netlink/genl/genl.h>

#include <linux/cdrive.h>

#include "lib/driver.h"

#define MODULE "cdrive"
#define LOCKDOWN "/sys/kernel/security/lockdown"

static bool loaded(void)
{
	struct driver *d;

	if (driver_open(&d))
		return false;
	driver_close(d);
	return true;
}

int module_protocol(void)
{
	struct nl_sock *sock = nl_socket_alloc();
	struct genl_family *family = NULL;
	struct nl_cache *cache = NULL;
	int version = -ENOENT;

	if (!sock)
		return -ENOMEM;
	if (!genl_connect(sock) && !genl_ctrl_alloc_cache(sock, &cache))
		family = genl_ctrl_search_by_name(cache, CDRIVE_GENL_NAME);
	if (family) {
		version = (int)genl_family_get_version(family);
		genl_family_put(family);
	}
	if (cache)
		nl_cache_free(cache);
	nl_socket_free(sock);
	return version;
}

static void no_log(void *data, int priority, const char *file, int line, const char *fn,
		   const char *format, va_list args)
{
	(void)data, (void)priority, (void)file, (void)line, (void)fn;
	(void)format, (void)args;
}

static int insert(struct kmod_ctx *ctx)
{
	struct kmod_module *mod;
	struct kmod_list *list = NULL;
	int err;

	err = kmod_module_new_from_lookup(ctx, MODULE, &list);
	if (err < 0)
		return err;
	if (!list)
		return -ENOENT;
	mod = kmod_module_get_module(list);
	err = kmod_module_probe_insert_module(mod, KMOD_PROBE_APPLY_BLACKLIST, NULL, NULL, NULL,
					      NULL);
	kmod_module_unref(mod);
	kmod_module_unref_list(list);
	if (err == KMOD_PROBE_APPLY_BLACKLIST)
		return -EACCES;
	return err == -EEXIST ? 0 : err;
}

/* --- why not --------------------------------------------------------------------- */

bool module_locked_down(const char *text)
{
	return strchr(text, '[') && !strstr(text, "[none]");
}

static bool signed_only(void)
{
	char text[128];
	int fd = open(LOCKDOWN, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return module_locked_down(text);
}

void module_why(int err, const char *release, bool signed_only, char *why, size_t len)
{
	switch (err) {
	case -ENOENT:
		snprintf(
			why, len,
			"module cdrive not found for kernel %s; install clouddrive-dkms and linux-headers-%s, or build it: make && make install, or insmod cdrive.ko",
			release, release);
		return;
	case -EACCES:
		snprintf(
			why, len,
			"module cdrive is blacklisted in modprobe.d; allow it there, or insmod cdrive.ko");
		return;
	case -EPERM:
		if (!signed_only) {
			snprintf(
				why, len,
				"module cdrive may not be loaded: Operation not permitted; must be root with CAP_SYS_MODULE");
			return;
		}
		break;
	case -EKEYREJECTED: /* the kernel insists; without a key, or a wrong one */
	case -ENOKEY:
	case -ENODATA:
	case -EBADMSG:
		break;
	default:
		snprintf(why, len,
			 "module cdrive could not be loaded into kernel %s: %s; see dmesg", release,
			 strerror(-err));
		return;
	}
	snprintf(
		why, len,
		"module cdrive is not signed with a key that this kernel trusts (Secure Boot): %s; enroll DKMS's key: mokutil --import /var/lib/dkms/mok.pub, then reboot and confirm it; see clouddrivectl(8), SECURE BOOT",
		strerror(-err));
}

int module_load(char *why, size_t len)
{
	struct kmod_ctx *ctx;
	struct utsname u;
	int err;

	if (loaded())
		return 0;
	ctx = kmod_new(NULL, NULL);
	if (ctx) {
		kmod_set_log_fn(ctx, no_log, NULL);
		err = insert(ctx);
		kmod_unref(ctx);
	} else {
		err = -ENOMEM;
	}
	if (!err && !loaded())
		err = -ENODEV;
	uname(&u);
	if (err)
		module_why(err, u.release, signed_only(), why, len);
	return err;
}
