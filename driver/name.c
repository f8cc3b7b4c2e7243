// SPDX-License-Identifier: GPL-2.0-only
#include "name.h"

#include <linux/ctype.h>
#include <linux/string.h>

bool cdrive_name_is_valid(const char *name)
{
	size_t len, i;

	do {
		len = strcspn(name, "/");
		/* The first 0, 1 or 2 characters of "..": empty, . or .. */
		if (len <= 2 && !strncmp(name, "..", len))
			return false;
		for (i = 0; i < len; i++)
			if (!isascii(name[i]) || !isgraph(name[i]))
				return false;
		name += len;
	} while (*name++);
	return true;
}
