// SPDX-License-Identifier: GPL-2.0-only
#include "memory.h"

#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

bool cdrive_lease_id_is_valid(const char *id, size_t size)
{
	size_t len = strnlen(id, size), i;

	for (i = 0; i < len; i++)
		if (id[i] <= ' ' || id[i] > '~')
			return false;
	return len < size;
}

struct cdrive_memory *
cdrive_memory_from_user(const struct cdrive_payload_remember *told)
{
	struct cdrive_memory *memory;

	if (told->notes_len > CDRIVE_MAX_NOTES ||
	    !cdrive_lease_id_is_valid((const char *)told->lease_id,
				      sizeof(told->lease_id)))
		return ERR_PTR(-EINVAL);
	memory = kzalloc(sizeof(*memory), GFP_KERNEL);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	memory->told = true;
	memory->sequence_number = told->sequence_number;
	memory->raising_to = told->raising_to;
	memory->notes_len = told->notes_len;
	memcpy(memory->lease_id, told->lease_id, sizeof(memory->lease_id));
	if (told->notes_len &&
	    copy_from_user(memory->notes, u64_to_user_ptr(told->notes),
			   told->notes_len)) {
		kfree(memory);
		return ERR_PTR(-EFAULT);
	}
	return memory;
}
