// SPDX-License-Identifier: MIT
#include "cache/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static int control(int dev, unsigned long request, void *arg)
{
	return ioctl(dev, request, arg) < 0 ? -errno : 0;
}

int cache_device_open(void)
{
	int dev = open("/dev/" CDRIVE_CACHE_NAME, O_RDWR | O_CLOEXEC);

	return dev < 0 ? -errno : dev;
}

int cache_device_info(int dev, struct cdrive_cache_info *info)
{
	*info = (struct cdrive_cache_info){ 0 };
	return control(dev, CDRIVE_CACHE_GET, info);
}

int cache_device_set(int dev, int fd, uint32_t slots)
{
	struct cdrive_cache_open o = { .fd = fd, .slots = slots };

	return control(dev, CDRIVE_CACHE_OPEN, &o);
}

int cache_device_resize(int dev, uint32_t slots)
{
	struct cdrive_cache_open o = { .fd = -1, .slots = slots };

	return control(dev, CDRIVE_CACHE_RESIZE, &o);
}

int cache_device_close(int dev)
{
	return control(dev, CDRIVE_CACHE_CLOSE, NULL);
}

int cache_device_reserve(int dev, unsigned int index, uint64_t size)
{
	struct cdrive_cache_reserve r = { .index = index, .size = size };

	return control(dev, CDRIVE_CACHE_RESERVE, &r);
}

int cache_device_fill_runs(int dev, unsigned int index)
{
	struct cdrive_cache_reserve r = { .index = index };

	return control(dev, CDRIVE_CACHE_FILL_RUNS, &r);
}

int cache_device_volume(int dev, uint32_t number, struct cdrive_cache_volume_info *v)
{
	*v = (struct cdrive_cache_volume_info){ .number = number };
	return control(dev, CDRIVE_CACHE_VOLUME, v);
}

int cache_device_export(int dev, struct cdrive_cache_volume_info *v, struct cdrive_cache_entry *e,
			uint32_t n)
{
	v->number = CDRIVE_CACHE_BY_NAME;
	v->entries = (uint64_t)(uintptr_t)e;
	v->count = n;
	return control(dev, CDRIVE_CACHE_EXPORT, v);
}

int cache_device_import(int dev, struct cdrive_cache_volume_info *v,
			const struct cdrive_cache_entry *e, uint32_t n)
{
	int err;

	v->number = CDRIVE_CACHE_BY_NAME;
	v->entries = (uint64_t)(uintptr_t)e;
	v->count = n;
	err = control(dev, CDRIVE_CACHE_IMPORT, v);
	if (!err)
		v->cursor = 1; /* whatever comes next is more of it */
	return err;
}

int cache_device_validator(int dev, const char *name, char validator[CDRIVE_MAX_VALIDATOR + 1])
{
	struct cdrive_cache_volume_info v = { .number = CDRIVE_CACHE_BY_NAME };
	int err;

	*validator = '\0';
	if (strlen(name) >= sizeof(v.name))
		return -ENAMETOOLONG;
	memcpy(v.name, name, strlen(name) + 1);
	err = control(dev, CDRIVE_CACHE_VOLUME, &v);
	if (err)
		return err == -ENOENT ? 0 : err;
	v.validator[CDRIVE_MAX_VALIDATOR] = '\0';
	snprintf(validator, CDRIVE_MAX_VALIDATOR + 1, "%s", (const char *)v.validator);
	return 0;
}
