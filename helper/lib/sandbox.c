// SPDX-License-Identifier: MIT
#include "lib/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "lib/log.h"
#include "lib/sandbox_parts.h"

/* What a helper does before it enters its own sandbox. */
static const unsigned int spawner_keeps[] = {
	CAP_SYS_ADMIN, /* opens the payload device, attaches a disk */
	CAP_NET_ADMIN, /* the driver's netlink family */
	CAP_IPC_LOCK, /* mlockall(2) */
	CAP_SYS_RESOURCE, /* PR_SET_IO_FLUSHER, oom_score_adj, the limits below */
	CAP_SETPCAP, /* empties its bounding set */
	CAP_DAC_READ_SEARCH, /* programs and certificates in a user's directories */
};

/*
 * Without capabilities, locked memory is limited: under mlockall(MCL_FUTURE) every
 * allocation beyond would fail.
 */
static void unlimit_locked_memory(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (!setrlimit(RLIMIT_MEMLOCK, &limit))
		return;
	/* In a container that may not: as much as there is. */
	if (!getrlimit(RLIMIT_MEMLOCK, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_MEMLOCK, &limit);
	}
	log_error("locked memory stays limited to %llu bytes", (unsigned long long)limit.rlim_cur);
}

static bool spawner_needs(unsigned int cap)
{
	for (size_t i = 0; i < sizeof(spawner_keeps) / sizeof(*spawner_keeps); i++)
		if (spawner_keeps[i] == cap)
			return true;
	return false;
}

/* Whether what is left, in all sets, is nothing but what was to be kept. */
static bool capabilities_left(enum sandbox which)
{
	static const capng_type_t sets[] = { CAPNG_EFFECTIVE, CAPNG_PERMITTED, CAPNG_INHERITABLE,
					     CAPNG_BOUNDING_SET, CAPNG_AMBIENT };

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process())
		return true;
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (which == SANDBOX_SPAWNER && spawner_needs(cap))
			continue;
		for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
			if (capng_have_capability(sets[i], cap))
				return true;
	}
	return false;
}

static int drop_capabilities(enum sandbox which)
{
	/* Nothing to drop: capng_apply() would fail for want of CAP_SETPCAP. */
	if (!capabilities_left(which))
		return 0;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process())
		return -EIO;
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		capng_type_t sets = CAPNG_INHERITABLE | CAPNG_AMBIENT;

		if (which != SANDBOX_SPAWNER || !spawner_needs(cap))
			sets |= CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET;
		if (capng_update(CAPNG_DROP, sets, cap))
			return -EINVAL;
	}
	return capng_apply(CAPNG_SELECT_ALL) || capabilities_left(which) ? -EPERM : 0;
}

int sandbox_enter(enum sandbox which)
{
	int err;

	if (which != SANDBOX_SPAWNER)
		unlimit_locked_memory();
	err = drop_capabilities(which);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err)
		err = sandbox_files(which);
	return err ? err : sandbox_calls(which);
}
