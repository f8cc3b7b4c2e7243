/* SPDX-License-Identifier: MIT */
/*
 * xml.h - the two XML documents that we read: an error, and a page list
 *
 * Both are parsed as they arrive, in bounded memory.  A document with a DTD,
 * deep nesting or long texts is not one of the service's and is refused.
 * References: "Status and error codes", "Get Page Ranges".
 */
#ifndef AZURE_XML_H
#define AZURE_XML_H

#include <stddef.h>
#include <stdint.h>

#define AZ_XML_TEXT 2048 /* longest text of one element; markers are opaque */

struct az_xml;

struct az_xml_error {
	char code[64];
	char message[256]; /* first line */
	char detail[256]; /* AuthenticationErrorDetail, first line; or "" */
};

/* @start and @end as the service says them: bytes, @end is the last.  Not 0
 * ends the parsing. */
typedef int (*az_xml_range_fn)(void *arg, uint64_t start, uint64_t end);

/* NULL when memory is out. */
struct az_xml *az_xml_error_new(struct az_xml_error *into);
struct az_xml *az_xml_pages_new(az_xml_range_fn range, void *arg);
void az_xml_free(struct az_xml *x);

/* 0; -EBADMSG when it is not such a document; -ENOMEM. */
int az_xml_feed(struct az_xml *x, const void *buf, size_t len);
/* The document must be complete. */
int az_xml_finish(struct az_xml *x);

/* NextMarker, "" when there is none; valid until az_xml_free(). */
const char *az_xml_marker(const struct az_xml *x);

#endif
