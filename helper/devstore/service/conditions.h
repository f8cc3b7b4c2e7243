/* SPDX-License-Identifier: MIT */
/*
 * conditions.h - "Specifying conditional headers for Blob service operations"
 *
 * And the three conditions on a page blob's sequence number ("Put Page").
 * Pure: they are read from a request, and judged against an ETag, a time and
 * a number.
 *
 * Reads since version 2013-08-15 may have any combination of the four, and lists
 * of ETags: If-Match && If-Unmodified-Since && (If-None-Match || If-Modified-Since).
 * Writes, and older reads, have one ETag each and one condition, or one of two
 * pairs, of which the ETag's decides: If-Match (If-Unmodified-Since) and
 * If-None-Match (If-Modified-Since).
 */
#ifndef DEVSTORE_CONDITIONS_H
#define DEVSTORE_CONDITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "devstore/request/error.h"
#include "devstore/request/request.h"

struct ds_conditions {
	bool combined; /* the rule of reads since 2013-08-15 */
	const char *if_match, *if_none_match; /* as they came, well-formed; NULL: none */
	int64_t modified_since, unmodified_since; /* ticks, of whole seconds; 0: none */
	bool has_eq, has_le, has_lt;
	uint64_t eq, le, lt;
};

#define DS_ETAG_TEXT 20
void ds_etag_text(uint64_t etag, char text[DS_ETAG_TEXT]); /* with its quotes */

/* @read: an operation that reads. */
enum ds_err ds_conditions_parse(const struct ds_request *r, bool read, struct ds_conditions *c);
/* Of a copy's source: x-ms-source-if-…; no sequence numbers. */
enum ds_err ds_conditions_parse_source(const struct ds_request *r, struct ds_conditions *c);

/* @read: a failure of If-None-Match and If-Modified-Since is 304, not 412. */
enum ds_err ds_conditions_check(const struct ds_conditions *c, uint64_t etag, int64_t modified,
				bool read);
/* If-Range: whether a range is to be had of this version; else all of it is. */
bool ds_conditions_range(const struct ds_request *r, uint64_t etag, int64_t modified);
/* Where nothing is there yet (a blob about to be created). */
enum ds_err ds_conditions_check_absent(const struct ds_conditions *c);
enum ds_err ds_conditions_check_sequence(const struct ds_conditions *c, uint64_t number);

#endif
