// SPDX-License-Identifier: MIT
#include "cache/map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache/device.h"

/* A map that changes while it is read is read anew. */
#define EXPORT_TRIES 3

/* --- export ------------------------------------------------------------------------------ */

static int export_volume(int dev, struct index_writer *w, struct cdrive_cache_volume_info *v,
			 struct cdrive_cache_entry *entries)
{
	struct index_volume volume = { .sectors = v->sectors };
	int err;

	snprintf(volume.name, sizeof(volume.name), "%s", (const char *)v->name);
	snprintf(volume.validator, sizeof(volume.validator), "%s", (const char *)v->validator);
	err = index_add_volume(w, &volume);
	v->cursor = 0;
	while (!err) {
		err = cache_device_export(dev, v, entries, INDEX_ENTRIES);
		if (err || !v->count)
			break;
		err = index_add_entries(w, entries, v->count);
	}
	return err;
}

static int export_all(int dev, int fd, const struct index_id *id,
		      struct cdrive_cache_entry *entries)
{
	struct cdrive_cache_volume_info v;
	struct index_writer w;
	int err = index_begin(&w, fd, id);

	for (uint32_t number = 0; !err; number++) {
		err = cache_device_volume(dev, number, &v);
		if (!err && v.validator[0])
			err = export_volume(dev, &w, &v, entries);
	}
	return err == -ENOENT ? index_end(&w) : err;
}

int map_export(int dev, int fd, const struct index_id *id)
{
	struct cdrive_cache_entry *entries = malloc(INDEX_ENTRIES * sizeof(*entries));
	int err = entries ? -EAGAIN : -ENOMEM;

	for (int tries = 0; err == -EAGAIN && tries < EXPORT_TRIES; tries++) {
		if (lseek(fd, 0, SEEK_SET) || ftruncate(fd, 0))
			err = -errno;
		else
			err = export_all(dev, fd, id, entries);
	}
	free(entries);
	return err;
}

/* --- import ------------------------------------------------------------------------------ */

struct import {
	int dev;
	uint32_t slots;
	struct cdrive_cache_volume_info volume;
	struct cdrive_cache_entry entries[INDEX_ENTRIES];
};

/* It is there from now on, even if it has no entries. */
static int import_volume(void *arg, const struct index_volume *v)
{
	struct import *i = arg;

	i->volume = (struct cdrive_cache_volume_info){ .sectors = v->sectors };
	memcpy(i->volume.name, v->name, sizeof(i->volume.name));
	memcpy(i->volume.validator, v->validator, sizeof(i->volume.validator));
	return cache_device_import(i->dev, &i->volume, NULL, 0);
}

static int import_entries(void *arg, const struct cdrive_cache_entry *e, unsigned int n)
{
	struct import *i = arg;
	uint32_t kept = 0;

	/* The cache may have become smaller. */
	for (unsigned int k = 0; k < n; k++)
		if (e[k].slot < i->slots)
			i->entries[kept++] = e[k];
	return kept ? cache_device_import(i->dev, &i->volume, i->entries, kept) : 0;
}

int map_import(int dev, int fd, const struct index_id *id, uint32_t slots, const char **why)
{
	static const struct index_ops ops = { import_volume, import_entries };
	struct import *i = calloc(1, sizeof(*i));
	int err;

	*why = "";
	if (!i)
		return -ENOMEM;
	i->dev = dev;
	i->slots = slots;
	err = index_read(fd, id, &ops, i, why);
	free(i);
	return err;
}
