/* SPDX-License-Identifier: MIT */
/*
 * driver.h - commanding cdrive.ko: the part that is no helper's own
 *
 * A socket of its own on the generic netlink family "cdrive", synchronous, for
 * programs that look at drives or take them away.  (A helper's socket, which
 * carries requests, is helper/drive/link.h.)  Protocol: uapi/linux/cdrive.h.
 * Functions return 0 or a negative errno; -ENOENT from driver_open(): the
 * module is not loaded.
 */
#ifndef LIB_DRIVER_H
#define LIB_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/cdrive.h>
#include <linux/cdrive_cache.h>

struct driver;

/* What the driver keeps of a drive for the helper that comes next. */
struct driver_memory {
	bool told; /* ever, and to whom may know it: root */
	uint64_t sequence_number; /* that the service has confirmed */
	uint64_t raising_to; /* 0: no raise is in doubt */
	char lease_id[CDRIVE_MAX_LEASE_ID + 1];
	size_t notes_len;
	char notes[CDRIVE_MAX_NOTES + 1]; /* see lib/notes.h; ends in a NUL of its own */
};

struct driver_drive {
	uint64_t sectors;
	uint64_t lease_until; /* with has_lease: nanoseconds of CLOCK_BOOTTIME */
	uint64_t failed; /* requests, since it was attached */
	uint64_t failed_writes; /* of these */
	struct cdrive_cache_counters cache; /* with cached */
	unsigned int index;
	enum cdrive_state state;
	unsigned int park_reasons; /* 1 << enum cdrive_park_reason, or-ed */
	unsigned int park_limit;
	pid_t helper_pid; /* 0: none */
	unsigned int in_flight;
	unsigned int openers;
	bool cached; /* a part of the machine's cache is its */
	bool read_only;
	bool has_lease;
	char name[CDRIVE_MAX_NAME + 1]; /* its link below /dev/disk/by-clouddrive; "": none */
	struct driver_memory memory;
};

int driver_open(struct driver **out);
void driver_close(struct driver *d);

/* All drives, in order of index; returns their number or a negative errno. */
int driver_list(struct driver *d, struct driver_drive drives[CDRIVE_MAX_DRIVES]);
int driver_get(struct driver *d, unsigned int index, struct driver_drive *drive);

/* -EBUSY: open, or just being opened (udev does, for a moment) */
int driver_detach(struct driver *d, unsigned int index, bool force);

#endif
