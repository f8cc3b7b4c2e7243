// SPDX-License-Identifier: MIT
#include "azure/props.h"

#include <stdio.h>
#include <string.h>

enum exit_status az_props_copied(const struct az_props *p, char *why, size_t len)
{
	*why = '\0';
	if (!p->copy_status[0] || !strcmp(p->copy_status, "success"))
		return EXIT_OK;
	if (!strcmp(p->copy_status, "pending")) {
		snprintf(why, len,
			 "a copy to it is under way (%llu of %llu bytes); wait until it has ended",
			 (unsigned long long)p->copy_done, (unsigned long long)p->copy_total);
		return EXIT_BUSY;
	}
	snprintf(why, len, "a copy to it did not end well (%s%s%s); delete it, then copy again",
		 p->copy_status, p->copy_why[0] ? ": " : "", p->copy_why);
	return EXIT_NOT_A_DRIVE;
}
