// SPDX-License-Identifier: MIT
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "report.h"

int module_load(void)
{
	const char *path = getenv("CDRIVE_KO");
	int fd = open(path ? path : "", O_RDONLY | O_CLOEXEC), err = 0;

	/* What it needs may be what fails. */
	if (fd < 0 && path && errno != ENOENT)
		return -errno;
	if (fd < 0)
		give_up("$CDRIVE_KO must name the module");
	if (syscall(SYS_finit_module, fd, "", 0))
		err = -errno;
	close(fd);
	return err;
}

int module_load_again(void)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	int err;

	while ((err = module_load()) == -EBUSY && now_ns() < end)
		sleep_ms(1);
	return err == -EEXIST ? 0 : err;
}

int module_unload(void)
{
	return syscall(SYS_delete_module, "cdrive", O_NONBLOCK) ? -errno : 0;
}

int module_unload_unused(void)
{
	uint64_t end = now_ns() + SECONDS(STUCK_SECONDS);
	int err;

	while ((err = module_unload()) == -EWOULDBLOCK && now_ns() < end)
		sleep_ms(10);
	return err;
}
