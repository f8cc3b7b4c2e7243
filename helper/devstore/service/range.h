/* SPDX-License-Identifier: MIT */
/*
 * range.h - "Specifying the range header for Blob service operations"
 */
#ifndef DEVSTORE_RANGE_H
#define DEVSTORE_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "devstore/request/request.h"

#define DS_PAGE 512u
#define DS_MAX_BLOB (8ull << 40)
#define DS_MAX_PAGES (4u << 20) /* bytes of one Put Page, and of a range with a checksum */

struct ds_range {
	uint64_t first, last; /* inclusive; last is UINT64_MAX: to the end */
};

/* "bytes=FIRST-LAST" or "bytes=FIRST-". */
bool ds_range_parse(const char *text, struct ds_range *range);

/* Of a write: x-ms-range, which wins, or Range; *has is false when there is neither. */
enum ds_err ds_range_of(const struct ds_request *r, struct ds_range *range, bool *has);
/* Of a read, where one that is malformed, or of a form that Azure doesn't know
 * (suffixes, several), counts as none (RFC 9110, 14.2). */
bool ds_range_asked(const struct ds_request *r, struct ds_range *range);

#endif
