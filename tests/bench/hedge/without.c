// SPDX-License-Identifier: MIT
/* In the place of hedge_after(), by the linker's --wrap: no read is ever late. */
#include "drive/hedge.h"

uint64_t __wrap_hedge_after(const struct hedge *h);

uint64_t __wrap_hedge_after(const struct hedge *h)
{
	(void)h;
	return 0;
}
