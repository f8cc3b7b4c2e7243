// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/lock.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "host/drives.h"
#include "host/mounts.h"
#include "lib/state.h"

#define NONE "-"

static json_t *cache_of(const struct driver_drive *d)
{
	if (!d->cached)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "size", (json_int_t)d->cache.size, "used",
			 (json_int_t)d->cache.used, "hits", (json_int_t)d->cache.hits, "lookups",
			 (json_int_t)d->cache.lookups);
}

/* One drive, as it is shown and printed. */
static json_t *describe(const struct drive *drive)
{
	char device[DEVICE_SIZE];
	const char *url = drive->url;
	const struct driver_drive *d = &drive->driver;
	struct agent_info agent;
	struct mounts m;

	if (mounts_of(d->index, &m))
		return NULL;
	agent_query(d->index, &agent);
	json_t *o = json_pack("{s:i, s:s, s:s?, s:s?, s:I, s:b, s:s, s:o, s:o, s:o}", "index",
			      (int)d->index, "device", device_name(d->index, device), "mount_point",
			      m.count ? m.dirs[0] : NULL, "url", url, "size", drive_size(drive),
			      "read_only", d->read_only, "state", state_name(d->state),
			      "helper_pid",
			      d->helper_pid ? json_integer(d->helper_pid) : json_null(),
			      "agent_pid", agent.alive ? json_integer(agent.pid) : json_null(),
			      "cache", cache_of(d));

	mounts_free(&m);
	return o;
}

static const char *text_of(json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : NONE;
}

static json_int_t of_cache(json_t *o, const char *key)
{
	return json_integer_value(json_object_get(json_object_get(o, "cache"), key));
}

static bool any_cached(json_t *list)
{
	size_t n;
	json_t *o;

	json_array_foreach(list, n, o) {
		if (json_is_object(json_object_get(o, "cache")))
			return true;
	}
	return false;
}

/* "1.2G of 4G, 93% hits" */
static void print_cache(json_t *o)
{
	json_int_t lookups = of_cache(o, "lookups");
	char used[16], size[16];

	if (json_is_object(json_object_get(o, "cache")))
		printf("  %s of %s, %lld%% hits",
		       size_text((uint64_t)of_cache(o, "used"), used, sizeof(used)),
		       size_text((uint64_t)of_cache(o, "size"), size, sizeof(size)),
		       (long long)(lookups ? of_cache(o, "hits") * 100 / lookups : 0));
}

static void print_table(json_t *list)
{
	static const char *const heads[] = { "DEVICE", "MOUNT POINT", "URL", "SIZE", "STATE" };
	static const char *const keys[] = { "device", "mount_point", "url" };
	bool cached = any_cached(list);
	int width[3], i;
	char size[16];
	size_t n;
	json_t *o;

	for (i = 0; i < 3; i++) {
		width[i] = strlen(heads[i]);
		json_array_foreach(list, n, o) {
			int len = strlen(text_of(o, keys[i]));

			width[i] = len > width[i] ? len : width[i];
		}
	}
	printf("%-*s  %-*s  %-*s  %6s  %s%s\n", width[0], heads[0], width[1], heads[1], width[2],
	       heads[2], heads[3], heads[4], cached ? "    CACHE" : "");
	json_array_foreach(list, n, o) {
		uint64_t bytes = json_integer_value(json_object_get(o, "size"));

		printf("%-*s  %-*s  %-*s  %6s  %-*s", width[0], text_of(o, keys[0]), width[1],
		       text_of(o, keys[1]), width[2], text_of(o, keys[2]),
		       size_text(bytes, size, sizeof(size)), cached ? 7 : 0, text_of(o, "state"));
		print_cache(o);
		putchar('\n');
	}
}

static int list_drives(bool json)
{
	struct drives drives;
	json_t *list = json_array();
	size_t i;
	int status;

	status = drives_load(&drives);
	if (status) {
		json_decref(list);
		return status;
	}
	for (i = 0; i < drives.count; i++)
		json_array_append_new(list, describe(&drives.drive[i]));
	drives_free(&drives);
	if (json)
		return print_json(list);
	print_table(list);
	json_decref(list);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	bool json = false;
	const struct option options[] = {
		FLAG("json", &json),
		{ 0 },
	};
	const struct argument arguments[] = { { 0 } };
	int status;

	status = options_parse(argc, argv, options, arguments);
	return status ? status : list_drives(json);
}

static const char help[] =
	"usage: clouddrivectl list [--json]\n"
	"\n"
	"Lists the drives of this machine: device, mount point, URL, size and state. A dash\n"
	"stands for what there is not; URLs are shown to root only.\n"
	"\n"
	"States: live; parked: requests wait, as the service can't be reached, the SAS or the\n"
	"lease has run out, or the drive has no helper; failing: they waited too long, and fail\n"
	"until that is over; fenced: requests fail for good, unmount it.\n"
	"\n"
	"  --json  an array of {\"index\", \"device\", \"mount_point\", \"url\", \"size\", \"read_only\",\n"
	"          \"state\", \"helper_pid\", \"agent_pid\", \"cache\" {\"size\", \"used\", \"hits\",\n"
	"          \"lookups\"}}; size in bytes, null for what there is\n"
	"          not, and for what root alone may see (url, agent_pid); more members may be\n"
	"          added, none changes\n"
	"\n"
	"Example:\n"
	"  clouddrivectl list --json | jq -r '.[] | select(.state != \"live\").device'\n"
	"\n"
	"Exit status: 0 done, also when there are none; 1 it failed; 2 wrong usage.\n";

const struct verb verb_list = {
	.name = "list",
	.arguments = "[--json]",
	.summary = "show the drives of this machine",
	.help = help,
	.run = run,
};
