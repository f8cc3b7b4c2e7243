/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memory.h - what the driver keeps of a drive for the helper that comes next
 *
 * It means nothing to the driver: who told it, and who is told, decides what it is
 * worth.  See "What outlives a helper" in uapi/linux/cdrive.h.
 */
#ifndef _CDRIVE_MEMORY_H
#define _CDRIVE_MEMORY_H

#include <linux/types.h>
#include <linux/cdrive.h>

#include "helper.h"

struct cdrive_memory {
	bool told;	/* ever */
	u64 sequence_number;
	u64 raising_to;
	char lease_id[CDRIVE_MAX_LEASE_ID + 1];
	u32 notes_len;
	u8 notes[CDRIVE_MAX_NOTES];
};

/* @id is NUL-terminated within @size bytes, and all of it visible ASCII. */
bool cdrive_lease_id_is_valid(const char *id, size_t size);

/*
 * Who has the socket of @cookie may say what is to be kept: the helper; and while
 * there is none, an @admin, who is about to adopt the drive.
 */
static inline bool cdrive_may_remember(const struct cdrive_helper *helper,
				       u64 cookie, bool admin)
{
	return cdrive_helper_is(helper, cookie) || (!helper->cookie && admin);
}

/* As told by ioctl(), for kfree(); or an ERR_PTR: -EFAULT, -EINVAL, -ENOMEM. */
struct cdrive_memory *
cdrive_memory_from_user(const struct cdrive_payload_remember *told);

#endif /* _CDRIVE_MEMORY_H */
