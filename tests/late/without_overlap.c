// SPDX-License-Identifier: MIT
/*
 * clouddrived that does not look whether something in doubt overlaps: linked with --wrap,
 * so that the number is raised only when there is nothing else to do
 */
#include "drive/doubt.h"

bool __wrap_doubts_overlap(const struct doubts *d, uint64_t offset, uint64_t len, const void *of);

bool __wrap_doubts_overlap(const struct doubts *d, uint64_t offset, uint64_t len, const void *of)
{
	(void)d, (void)offset, (void)len, (void)of;
	return false;
}
