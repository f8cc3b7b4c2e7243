/* SPDX-License-Identifier: MIT */
/*
 * request.h - one HTTP request as it arrived, in parts
 *
 * Knows the form of a request (path-style URI, query, headers) and nothing of
 * its meaning.  A request owns all its strings, in an arena that is reused, so
 * that it can outlive the connection that brought it (a write that is applied
 * late) and costs no allocation of ours in the common case.
 *
 * Bounds: the sum of all strings is at most DS_ARENA_MAX; query parameters and
 * headers are counted; a request that exceeds them is refused, not cut.
 */
#ifndef DEVSTORE_REQUEST_H
#define DEVSTORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devstore/request/error.h"

#define DS_ARENA_FIRST 8192u
#define DS_ARENA_MAX (192u << 10)
#define DS_MAX_QUERY 40
#define DS_MAX_MS 256 /* x-ms-* headers of one request */
#define DS_MAX_URI 16384u
#define DS_MAX_METADATA 8192u /* names and values together */

enum ds_method { DS_GET, DS_HEAD, DS_PUT, DS_POST, DS_DELETE, DS_OPTIONS, DS_OTHER_METHOD };

/* X(name, spelling): the headers that mean something here. */
#define DS_HEADERS(X)                                                    \
	X(AUTHORIZATION, "authorization")                                \
	X(CACHE_CONTROL, "cache-control")                                \
	X(CONTENT_DISPOSITION, "content-disposition")                    \
	X(CONTENT_ENCODING, "content-encoding")                          \
	X(CONTENT_LANGUAGE, "content-language")                          \
	X(CONTENT_LENGTH, "content-length")                              \
	X(CONTENT_MD5, "content-md5")                                    \
	X(CONTENT_TYPE, "content-type")                                  \
	X(CORS_METHOD, "access-control-request-method")                  \
	X(DATE, "date")                                                  \
	X(HOST, "host")                                                  \
	X(IF_MATCH, "if-match")                                          \
	X(IF_MODIFIED_SINCE, "if-modified-since")                        \
	X(IF_NONE_MATCH, "if-none-match")                                \
	X(IF_RANGE, "if-range")                                          \
	X(IF_UNMODIFIED_SINCE, "if-unmodified-since")                    \
	X(ORIGIN, "origin")                                              \
	X(RANGE, "range")                                                \
	X(TRANSFER_ENCODING, "transfer-encoding")                        \
	X(BLOB_CACHE_CONTROL, "x-ms-blob-cache-control")                 \
	X(BLOB_CONTENT_DISPOSITION, "x-ms-blob-content-disposition")     \
	X(BLOB_CONTENT_ENCODING, "x-ms-blob-content-encoding")           \
	X(BLOB_CONTENT_LANGUAGE, "x-ms-blob-content-language")           \
	X(BLOB_CONTENT_LENGTH, "x-ms-blob-content-length")               \
	X(BLOB_CONTENT_MD5, "x-ms-blob-content-md5")                     \
	X(BLOB_CONTENT_TYPE, "x-ms-blob-content-type")                   \
	X(BLOB_PUBLIC_ACCESS, "x-ms-blob-public-access")                 \
	X(BLOB_SEQUENCE_NUMBER, "x-ms-blob-sequence-number")             \
	X(BLOB_TYPE, "x-ms-blob-type")                                   \
	X(CLIENT_REQUEST_ID, "x-ms-client-request-id")                   \
	X(CONTENT_CRC64, "x-ms-content-crc64")                           \
	X(COPY_ACTION, "x-ms-copy-action")                               \
	X(COPY_SOURCE, "x-ms-copy-source")                               \
	X(MS_DATE, "x-ms-date")                                          \
	X(DELETE_SNAPSHOTS, "x-ms-delete-snapshots")                     \
	X(IF_SEQUENCE_EQ, "x-ms-if-sequence-number-eq")                  \
	X(IF_SEQUENCE_LE, "x-ms-if-sequence-number-le")                  \
	X(IF_SEQUENCE_LT, "x-ms-if-sequence-number-lt")                  \
	X(LEASE_ACTION, "x-ms-lease-action")                             \
	X(LEASE_BREAK_PERIOD, "x-ms-lease-break-period")                 \
	X(LEASE_DURATION, "x-ms-lease-duration")                         \
	X(LEASE_ID, "x-ms-lease-id")                                     \
	X(PAGE_WRITE, "x-ms-page-write")                                 \
	X(PREVIOUS_SNAPSHOT_URL, "x-ms-previous-snapshot-url")           \
	X(PROPOSED_LEASE_ID, "x-ms-proposed-lease-id")                   \
	X(MS_RANGE, "x-ms-range")                                        \
	X(RANGE_GET_CRC64, "x-ms-range-get-content-crc64")               \
	X(RANGE_GET_MD5, "x-ms-range-get-content-md5")                   \
	X(REQUIRES_SYNC, "x-ms-requires-sync")                           \
	X(SEQUENCE_ACTION, "x-ms-sequence-number-action")                \
	X(SOURCE_CONTENT_CRC64, "x-ms-source-content-crc64")             \
	X(SOURCE_CONTENT_MD5, "x-ms-source-content-md5")                 \
	X(SOURCE_IF_MATCH, "x-ms-source-if-match")                       \
	X(SOURCE_IF_MODIFIED_SINCE, "x-ms-source-if-modified-since")     \
	X(SOURCE_IF_NONE_MATCH, "x-ms-source-if-none-match")             \
	X(SOURCE_IF_UNMODIFIED_SINCE, "x-ms-source-if-unmodified-since") \
	X(SOURCE_LEASE_ID, "x-ms-source-lease-id")                       \
	X(SOURCE_RANGE, "x-ms-source-range")                             \
	X(MS_VERSION, "x-ms-version")

enum ds_header {
#define X(name, spelling) H_##name,
	DS_HEADERS(X)
#undef X
		H_COUNT
};

struct ds_pair {
	const char *name, *value;
};

/* An x-ms-* header. */
struct ds_ms {
	const char *name; /* in lower case */
	const char *value;
	const char *sent; /* the name as it came */
};

struct ds_arena_chunk {
	struct ds_arena_chunk *next;
	char data[];
};

struct ds_arena {
	size_t used, total; /* in the chunk being filled; in all */
	size_t cap;
	char *at;
	struct ds_arena_chunk *more;
	char first[DS_ARENA_FIRST];
};

void ds_arena_reset(struct ds_arena *a);
/* NULL: out of memory, or past DS_ARENA_MAX. */
void *ds_arena_alloc(struct ds_arena *a, size_t len);
char *ds_arena_copy(struct ds_arena *a, const char *s, size_t len);
char *ds_arena_printf(struct ds_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct ds_request {
	enum ds_method method;
	const char *verb;
	bool https;
	char client[46]; /* the address that it came from, as text */
	enum ds_err bad; /* the first thing that is malformed */

	const char *path; /* as it came, still encoded, without the query */
	/* Of the path, decoded; NULL where it ends earlier. */
	const char *account, *container, *blob;
	struct ds_pair query[DS_MAX_QUERY]; /* decoded; names in lower case; sorted */
	size_t queries;

	const char *header[H_COUNT];
	struct ds_ms ms[DS_MAX_MS]; /* all x-ms-*, in the order in which they came */
	size_t ms_count;

	unsigned char *body; /* malloc'ed, all of it, when there is one */
	size_t body_len;

	struct ds_arena arena;
};

/* Empties @r and reads the request line.  The rest follows header by header.
 * Nothing of what is passed is kept. */
void ds_request_begin(struct ds_request *r, const char *verb, const char *uri);
void ds_request_header(struct ds_request *r, const char *name, const char *value);
void ds_request_free(struct ds_request *r); /* what it holds */

/* The value of a query parameter (its name in lower case), or NULL. */
const char *ds_query(const struct ds_request *r, const char *name);

/* "Naming and referencing containers, blobs, and metadata" */
enum ds_err ds_check_container(const char *name);
/* Splits a URI's path into account, container and blob, and checks the
 * names.  A backslash in a blob's is a slash. */
enum ds_err ds_split_path(struct ds_arena *a, const char *path, size_t len, bool container,
			  const char **account_out, const char **container_out,
			  const char **blob_out);
/* Splits and decodes a query into @query, sorted by name. */
enum ds_err ds_split_query(struct ds_arena *a, const char *s, struct ds_pair *query, size_t *count);

#endif
