// SPDX-License-Identifier: MIT
/*
 * clouddrived that raises no number when an answer was lost: linked with --wrap, so
 * that the write is sent again as it was
 */
#include "drive/lease.h"

void __wrap_lease_doubt_write(struct lease *l, uint64_t number);

void __wrap_lease_doubt_write(struct lease *l, uint64_t number)
{
	(void)l, (void)number;
}
