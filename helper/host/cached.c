// SPDX-License-Identifier: MIT
#include "host/cached.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "azure/devname.h"
#include "cache/device.h"
#include "command/message.h"
#include "host/drives.h"
#include "lib/text.h"

/* --- the sum of reservations ------------------------------------------------------------- */

void cached_reserved(struct text *t)
{
	struct drives drives;
	char device[DEVICE_SIZE], size[16];

	if (drives_load(&drives))
		return;
	for (size_t i = 0; i < drives.count; i++) {
		const struct driver_drive *d = &drives.drive[i].driver;

		if (d->cached && d->cache.flags & CDRIVE_CACHE_F_RESERVED)
			text_addf(t, "%s%s has %s", t->len ? ", " : "",
				  device_name(d->index, device),
				  size_text(d->cache.size, size, sizeof(size)));
	}
	drives_free(&drives);
}

static int too_much(const struct mount *m, const struct cdrive_cache_info *info)
{
	char asked[16], left[16], all[16];
	uint64_t slots = info->slots - info->reserved, slot = CDRIVE_CACHE_SLOT;
	struct text who = { 0 };
	int status;

	cached_reserved(&who);
	status = fail(
		EXIT_FAILED,
		"%s: --cache %s: of the cache's %s only %s are left%s%s; reserve less, or make it larger (clouddrivectl init-cache)",
		m->session.text, size_text(m->cache, asked, sizeof(asked)),
		size_text(info->slots * slot, all, sizeof(all)),
		size_text(slots * slot, left, sizeof(left)), who.len ? ": " : "",
		who.len ? who.s : "");
	text_free(&who);
	return status;
}

static uint64_t slots_of(uint64_t bytes)
{
	return bytes / CDRIVE_CACHE_SLOT + !!(bytes % CDRIVE_CACHE_SLOT);
}

static int check_sum(const struct mount *m)
{
	struct cdrive_cache_info info;

	if (m->cache == CACHE_UNSET || cache_device_info(m->cache_use.dev, &info))
		return EXIT_OK;
	if (slots_of(m->cache) <= info.slots - info.reserved)
		return EXIT_OK;
	return too_much(m, &info);
}

/* --- a drive --------------------------------------------------------------------------------- */

int cached_begin(struct mount *m)
{
	char *name;

	cache_activate(&m->cache_use);
	if (m->cache_use.warning[0])
		note("%s", m->cache_use.warning);
	if (!m->cache_use.configured && m->cache != CACHE_UNSET && m->cache)
		return fail(
			EXIT_FAILED,
			"--cache: this machine has no cache; make one: clouddrivectl init-cache DIR --size SIZE");
	if (m->cache_use.dev < 0)
		return EXIT_OK;
	name = devname_of(&m->session.url);
	if (name)
		cache_device_validator(m->cache_use.dev, name, m->kept);
	free(name);
	return EXIT_OK;
}

/* What the drive may have holds for a cache that is set up later, too. */
void cached_request(const struct mount *m, json_t *request)
{
	if (m->cache != CACHE_UNSET && !access("/dev/" CDRIVE_CACHE_NAME, F_OK))
		json_object_set_new(request, "cache", json_integer((json_int_t)m->cache));
	if (m->cache_use.dev < 0)
		return;
	if (m->kept[0])
		json_object_set_new(request, "cache_validator", json_string(m->kept));
}

int cached_check(const struct mount *m)
{
	return m->cache_use.dev < 0 ? EXIT_OK : check_sum(m);
}

int cached_change(const struct mount *m)
{
	struct cdrive_cache_info info = { 0 };
	int err;

	if (m->cache == CACHE_UNSET || m->cache_use.dev < 0)
		return EXIT_OK;
	err = cache_device_reserve(m->cache_use.dev, m->index, m->cache);
	if (!err)
		return EXIT_OK;
	if (err != -ENOSPC)
		return fail(EXIT_FAILED, "%s: --cache: %s; see dmesg", m->session.text,
			    strerror(-err));
	cache_device_info(m->cache_use.dev, &info);
	return too_much(m, &info);
}

void cached_end(struct mount *m)
{
	cache_release(&m->cache_use);
}

void cached_put_away(void)
{
	char warning[CACHE_WARNING];

	cache_deactivate(warning);
	if (*warning)
		note("%s", warning);
}
