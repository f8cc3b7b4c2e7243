// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/lock.h"
#include "cache/activate.h"
#include "command/options.h"
#include "ctl/ctl.h"
#include "host/drives.h"
#include "host/helper.h"
#include "host/mounts.h"
#include "lib/runtime.h"
#include "lib/state.h"

#define HELPER_MS 10000
#define LINKS "/dev/disk/by-clouddrive/"

static json_int_t integer(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *string(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "unknown";
}

/* --- what is known ------------------------------------------------------------ */

static json_t *driver_facts(const struct drive *drive)
{
	const struct driver_drive *d = &drive->driver;

	return json_pack("{s:s, s:I, s:b, s:i, s:i, s:o, s:o, s:s, s:I, s:I}", "state",
			 state_name(d->state), "size", drive_size(drive), "read_only", d->read_only,
			 "in_flight", (int)d->in_flight, "openers", (int)d->openers, "park_limit",
			 d->park_limit ? json_integer(d->park_limit) : json_null(), "helper_pid",
			 d->helper_pid ? json_integer(d->helper_pid) : json_null(), "name", d->name,
			 "failed", (json_int_t)d->failed, "failed_writes",
			 (json_int_t)d->failed_writes);
}

/* @start: the helper that began it knows why it began so. */
static json_t *cache_facts(const struct driver_drive *d, const char *start)
{
	const struct cdrive_cache_counters *c = &d->cache;

	if (!d->cached)
		return json_null();
	return json_pack(
		"{s:I, s:I, s:b, s:b, s:s*, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"size", (json_int_t)c->size, "used", (json_int_t)c->used, "reserved",
		!!(c->flags & CDRIVE_CACHE_F_RESERVED), "warm", !!(c->flags & CDRIVE_CACHE_F_WARM),
		"start", start, "lookups", (json_int_t)c->lookups, "hits", (json_int_t)c->hits,
		"hit_bytes", (json_int_t)c->hit_bytes, "fills", (json_int_t)c->fills, "skipped",
		(json_int_t)c->skipped, "evictions", (json_int_t)c->evictions, "invalidations",
		(json_int_t)c->invalidations, "checksum_errors", (json_int_t)c->checksum_errors,
		"io_errors", (json_int_t)c->io_errors, "bypassed", (json_int_t)c->bypassed);
}

/* Of a drive for which nothing was kept it is the cache's story. */
static const char *start_of(const struct driver_drive *d, const json_t *o, char *cold, size_t len)
{
	const char *start = json_string_value(json_object_get(o, "cache_start"));

	if (d->cache.flags & CDRIVE_CACHE_F_WARM)
		return "warm";
	if (start && !strcmp(start, DRIVE_NOTHING_KEPT) && cache_began_cold(cold, len))
		return cold;
	return start;
}

static json_t *agent_facts(const struct driver_drive *d)
{
	struct agent_info agent;

	helper_agent(d, &agent);
	if (!agent.alive)
		return json_null();
	return json_pack("{s:i, s:s}", "pid", (int)agent.pid, "credential",
			 agent.has_key ? "key" : "sas");
}

static json_t *mount_points(unsigned int index)
{
	json_t *list = json_array();
	struct mounts m;
	size_t i;

	if (mounts_of(index, &m))
		return list;
	for (i = 0; i < m.count; i++)
		json_array_append_new(list, json_string(m.dirs[i]));
	mounts_free(&m);
	return list;
}

/* Without a helper to ask: what it wrote down. */
static json_t *from_record(const struct drive *drive)
{
	const struct driver_drive *d = &drive->driver;
	char device[DEVICE_SIZE];

	return json_pack("{s:i, s:s, s:s?, s:s, s:I, s:b, s:n}", "index", (int)d->index, "device",
			 device_name(d->index, device), "url", drive->url, "state",
			 state_name(d->state), "size", drive_size(drive), "read_only", d->read_only,
			 "helper_pid");
}

static int gather(const struct drive *drive, json_t **out)
{
	json_t *request = json_pack("{s:s}", "command", "status");
	unsigned int index = drive->driver.index;
	json_t *o = NULL;
	char cold[256];
	int err, status;

	err = runtime_request(index, request, &o, HELPER_MS);
	json_decref(request);
	status = fail_response(o);
	if (status) {
		json_decref(o);
		return status;
	}
	if (err && drive->driver.helper_pid)
		note("/dev/cdrive%u: its helper (process %d) does not answer: %s; what follows is the driver's view",
		     index, (int)drive->driver.helper_pid, strerror(-err));
	if (err)
		o = from_record(drive);
	json_object_set_new(o, "mount_points", mount_points(index));
	json_object_set_new(o, "agent", agent_facts(&drive->driver));
	json_object_set_new(o, "cache",
			    cache_facts(&drive->driver,
					start_of(&drive->driver, o, cold, sizeof(cold))));
	json_object_del(o, "cache_start");
	json_object_set_new(o, "driver", driver_facts(drive));
	*out = o;
	return EXIT_OK;
}

/* --- the same for people --------------------------------------------------------- */

/* Where udev makes it. */
static void print_link(const struct drive *drive)
{
	char path[sizeof(drive->driver.name) + sizeof(LINKS)];

	snprintf(path, sizeof(path), LINKS "%s", drive->driver.name);
	if (*drive->driver.name && !access(path, F_OK))
		printf("link:          %s\n", path);
}

static void print_lease(const json_t *o)
{
	json_t *lease = json_object_get(o, "lease");

	if (!lease)
		return;
	if (!strcmp(string(lease, "state"), "none")) {
		puts("lease:         none, as a snapshot needs none");
		return;
	}
	printf("lease:         %s", string(lease, "state"));
	if (json_object_get(lease, "until_seconds"))
		printf(", ours for another %lld s", (long long)integer(lease, "until_seconds"));
	putchar('\n');
}

static void print_requests(const json_t *o)
{
	json_t *r = json_object_get(o, "requests");
	char in[16], out[16];

	if (!r)
		return;
	printf("requests:      %lld reads (%s), %lld writes (%s), %lld discards, %lld write-zeroes; %lld in flight, %lld waiting\n",
	       (long long)integer(r, "reads"), size_text(integer(r, "read_bytes"), in, sizeof(in)),
	       (long long)integer(r, "writes"),
	       size_text(integer(r, "written_bytes"), out, sizeof(out)),
	       (long long)integer(r, "discards"), (long long)integer(r, "write_zeroes"),
	       (long long)integer(r, "in_flight"), (long long)integer(r, "waiting"));
}

/* They lasted, whoever was the helper then. */
static void print_failed(const struct driver_drive *d)
{
	if (d->failed)
		printf("failed:        %llu requests, of which %llu were writes\n",
		       (unsigned long long)d->failed, (unsigned long long)d->failed_writes);
}

static void print_transactions(const json_t *o)
{
	json_t *t = json_object_get(o, "transactions");

	if (!t)
		return;
	printf("transactions:  %lld: %lld reads, %lld writes, %lld clears, %lld lists, %lld others; %lld failed, %lld retries\n",
	       (long long)integer(t, "total"), (long long)integer(t, "reads"),
	       (long long)integer(t, "writes"), (long long)integer(t, "clears"),
	       (long long)integer(t, "lists"), (long long)integer(t, "others"),
	       (long long)integer(t, "failed"), (long long)integer(o, "retries"));
}

static void print_service(const json_t *o)
{
	json_t *s = json_object_get(o, "service");
	double rate = json_number_value(json_object_get(s, "rate"));

	if (!s)
		return;
	printf("service:       %lld calls refused as too many", (long long)integer(s, "throttled"));
	if (rate > 0)
		printf(", %.0f a second are sent now", rate);
	printf("; %lld writes in doubt, %lld raises; %lld late reads asked for twice\n",
	       (long long)integer(s, "in_doubt"), (long long)integer(s, "raises"),
	       (long long)integer(s, "hedged"));
}

static void print_memory(const json_t *o)
{
	json_t *m = json_object_get(o, "memory");
	char reserved[16], sockets[16], grown[16];

	if (!m)
		return;
	printf("memory:        %s reserved, and up to %s for sockets",
	       size_text(integer(m, "reserved"), reserved, sizeof(reserved)),
	       size_text(integer(m, "sockets"), sockets, sizeof(sockets)));
	if (integer(m, "grown"))
		printf("; %s more were taken: please report it",
		       size_text(integer(m, "grown"), grown, sizeof(grown)));
	putchar('\n');
}

static void print_cache(const json_t *o)
{
	json_t *c = json_object_get(o, "cache");
	const char *start = json_string_value(json_object_get(c, "start"));
	json_int_t lookups = integer(c, "lookups");
	char size[16], used[16], hits[16];

	if (!json_is_object(c))
		return;
	printf("cache:         %s of %s used%s; began %s%s\n",
	       size_text(integer(c, "used"), used, sizeof(used)),
	       size_text(integer(c, "size"), size, sizeof(size)),
	       json_is_true(json_object_get(c, "reserved")) ? ", which are reserved" : "",
	       json_is_true(json_object_get(c, "warm")) ? "warm" :
	       start					? "cold: " :
							  "cold",
	       start && !json_is_true(json_object_get(c, "warm")) ? start : "");
	printf("cache hits:    %lld of %lld reads (%lld%%), %s; %lld fills, %lld skipped, %lld evictions, %lld invalidations\n",
	       (long long)integer(c, "hits"), (long long)lookups,
	       (long long)(lookups ? integer(c, "hits") * 100 / lookups : 0),
	       size_text(integer(c, "hit_bytes"), hits, sizeof(hits)),
	       (long long)integer(c, "fills"), (long long)integer(c, "skipped"),
	       (long long)integer(c, "evictions"), (long long)integer(c, "invalidations"));
	if (integer(c, "checksum_errors") || integer(c, "io_errors") || integer(c, "bypassed"))
		printf("cache errors:  %lld blocks were not what had been written, %lld reads and writes failed; %lld hits were not waited for\n",
		       (long long)integer(c, "checksum_errors"), (long long)integer(c, "io_errors"),
		       (long long)integer(c, "bypassed"));
}

static bool has_agent(const json_t *o)
{
	return json_is_object(json_object_get(o, "agent"));
}

static void print_agent(const json_t *o, const struct drive *drive)
{
	json_t *agent = json_object_get(o, "agent");
	const char *until =
		json_string_value(json_object_get(json_object_get(o, "credential"), "expires"));

	if (has_agent(o))
		printf("agent:         process %lld, holds %s\n", (long long)integer(agent, "pid"),
		       !strcmp(string(agent, "credential"), "key") ? "the account key" : "a SAS");
	else if (drive->driver.state == CDRIVE_STATE_FENCED)
		puts("agent:         none");
	else if (until)
		printf("agent:         none: requests wait from %s on; bring one back with clouddrivectl mount %s\n",
		       until, string(o, "url"));
	else
		printf("agent:         none: bring one back with clouddrivectl mount %s\n",
		       string(o, "url"));
}

static void print_credential(const json_t *o)
{
	json_t *c = json_object_get(o, "credential");
	const char *until = json_string_value(json_object_get(c, "expires"));

	if (!c)
		return;
	if (until)
		printf("credential:    a SAS, valid until %s (%lld s)\n", until,
		       (long long)integer(c, "expires_seconds"));
	else
		puts("credential:    a SAS, valid for as long as its stored access policy says");
}

static void print_helper(const json_t *o, const struct drive *drive)
{
	int pid = drive->driver.helper_pid;

	if (!pid && drive->driver.state == CDRIVE_STATE_FENCED)
		puts("helper:        none");
	else if (!pid && has_agent(o))
		puts("helper:        none: requests wait; its agent is about to bring one back");
	else if (!pid)
		puts("helper:        none: requests wait; bring one back with clouddrivectl mount URL");
	else if (json_object_get(o, "connections"))
		printf("helper:        process %d, %lld connections\n", pid,
		       (long long)integer(o, "connections"));
	else
		printf("helper:        process %d\n", pid);
}

static void print_state(const json_t *o)
{
	const char *state = string(o, "state");
	json_t *since = json_object_get(o, "parked_since_seconds");
	const char *why = json_string_value(
		json_object_get(o, !strcmp(state, "fenced") ? "fenced" : "parked_because"));

	printf("state:         %s", state);
	if (json_is_integer(since))
		printf(" for %lld s", (long long)json_integer_value(since));
	if (why)
		printf(": %s", why);
	if (!strcmp(state, "fenced"))
		printf("%s requests fail; unmount it", why ? ";" : ":");
	else if (!strcmp(state, "failing"))
		printf("%s the park limit has passed, and requests fail until it goes on",
		       why ? ";" : ":");
	putchar('\n');
}

static void print_text(const json_t *o, const struct drive *drive)
{
	uint64_t bytes = drive_size(drive);
	json_t *dirs = json_object_get(o, "mount_points");
	json_t *error = json_object_get(o, "last_error");
	char size[16];
	json_t *dir;
	size_t n;

	printf("device:        %s\n", string(o, "device"));
	print_link(drive);
	printf("url:           %s\n", string(o, "url"));
	json_array_foreach(dirs, n, dir)
		printf("mount point:   %s\n", json_string_value(dir));
	printf("size:          %s (%llu bytes)%s\n", size_text(bytes, size, sizeof(size)),
	       (unsigned long long)bytes, drive->driver.read_only ? ", read-only" : "");
	print_state(o);
	print_agent(o, drive);
	print_helper(o, drive);
	print_credential(o);
	print_lease(o);
	print_requests(o);
	print_failed(&drive->driver);
	print_transactions(o);
	print_service(o);
	print_memory(o);
	print_cache(o);
	if (json_string_length(error))
		printf("last error:    %s\n", json_string_value(error));
}

static int show(const struct drive *drive, void *json)
{
	json_t *o = NULL;
	int status = gather(drive, &o);

	if (!status && *(bool *)json)
		status = print_json(json_incref(o));
	else if (!status)
		print_text(o, drive);
	json_decref(o);
	return status;
}

static int run(int argc, char **argv)
{
	const char *arg = NULL;
	bool json = false;
	const struct option options[] = {
		FLAG("json", &json),
		{ 0 },
	};
	const struct argument arguments[] = {
		ARGUMENT("DRIVE", &arg),
		{ 0 },
	};
	int status;

	status = options_parse(argc, argv, options, arguments);
	if (!status)
		status = need_root();
	return status ? status : drives_act(arg, show, &json);
}

static const char help[] =
	"usage: clouddrivectl status DRIVE [--json]\n"
	"\n"
	"Shows what a drive is doing: state and why, agent, until when its SAS is valid, lease,\n"
	"requests, and the transactions it has made so far, as the service bills them. DRIVE is\n"
	"a URL, a device or a mount point. Needs root.\n"
	"\n"
	"  --json  one object with all there is: \"index\", \"device\", \"url\", \"state\", \"size\",\n"
	"          \"read_only\", \"mount_points\", \"agent\" (null: none) {\"pid\", \"credential\":\n"
	"          \"key\" or \"sas\"}, \"helper_pid\", \"connections\", \"credential\" {\"kind\",\n"
	"          \"expires\" (null: not known), \"expires_seconds\"}, \"lease\" {\"id\", \"state\",\n"
	"          \"until_seconds\"}, \"sequence_number\", \"requests\", \"transactions\", \"retries\",\n"
	"          \"service\" {\"throttled\", \"rate\", \"in_doubt\", \"raises\", \"hedged\",\n"
	"          \"hedges_won\", \"listed\"}, \"memory\" {\"reserved\", \"used\", \"sockets\",\n"
	"          \"grown\", \"faults\"}, \"cache\" (null: no part of it is the drive's) {\"size\",\n"
	"          \"used\", \"reserved\", \"warm\", \"start\" (warm, or why it began cold),\n"
	"          \"lookups\", \"hits\", \"hit_bytes\", \"fills\", \"skipped\", \"evictions\",\n"
	"          \"invalidations\", \"checksum_errors\", \"io_errors\", \"bypassed\"}, \"last_error\", \"parked_because\",\n"
	"          \"parked_since_seconds\" and \"fenced\" (why) where they apply, and\n"
	"          \"driver\" with the kernel's view. A drive without helper has no counters, and null as its \"helper_pid\".\n"
	"\n"
	"Examples:\n"
	"  clouddrivectl status /dev/cdrive0\n"
	"  clouddrivectl status /mnt/disk1 --json | jq .transactions.total\n"
	"\n"
	"Exit status: 0 done; 1 it failed; 2 wrong usage; 3 no such drive on this machine.\n";

const struct verb verb_status = {
	.name = "status",
	.arguments = "DRIVE [--json]",
	.summary = "show what a drive is doing",
	.help = help,
	.run = run,
};
