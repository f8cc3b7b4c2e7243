// SPDX-License-Identifier: MIT
/*
 * clouddrived that raises no number when an answer was lost: linked with --wrap, so
 * that the write is sent again as it was
 */
#include "drive/owner.h"

void __wrap_owner_doubt_write(struct owner *o, uint64_t number);

void __wrap_owner_doubt_write(struct owner *o, uint64_t number)
{
	(void)o, (void)number;
}
