// SPDX-License-Identifier: MIT
#include "devstore/service/parameters.h"

#include <assert.h>
#include <string.h>

#include "lib/text.h"

/* --- sets of operations -------------------------------------------------------------- */

#define OP(name) (1ull << OP_##name)
#define NONE 0ull

#define READS (OP(GetBlob) | OP(GetBlobProperties) | OP(GetBlobMetadata) | OP(GetPageRanges))
#define PAGES (OP(PutPage) | OP(ClearPages) | OP(PutPageFromURL))
#define COPIES (OP(CopyBlob) | OP(IncrementalCopyBlob))
#define LEASES (OP(LeaseBlob) | OP(BreakBlobLease))
#define WRITES                                                                                 \
	(PAGES | COPIES | LEASES | OP(PutBlob) | OP(SetBlobProperties) | OP(SetBlobMetadata) | \
	 OP(SnapshotBlob) | OP(DeleteBlob))
#define BLOBS (READS | WRITES | OP(AbortCopyBlob))
#define LISTS (OP(ListContainers) | OP(ListBlobs))
#define CONTAINER_CHANGES \
	(OP(DeleteContainer) | OP(SetContainerACL) | OP(LeaseContainer) | OP(BreakContainerLease))
#define CONTAINERS                                                                   \
	(CONTAINER_CHANGES | OP(CreateContainer) | OP(GetContainerProperties) |      \
	 OP(GetContainerMetadata) | OP(SetContainerMetadata) | OP(GetContainerACL) | \
	 OP(ListBlobs))

struct parameter {
	const char *name; /* in lower case; a * at the end stands for any ending */
	uint64_t ops; /* that do as it says */
	enum ds_err err; /* of others */
};

static_assert(DS_OP_COUNT <= 64, "a set of operations is a word");

/* --- headers --------------------------------------------------------------------------- */

/* The conditions of HTTP, as "Specifying conditional headers for Blob service
 * operations" and the pages of the operations have them. */
static const struct {
	enum ds_header header;
	uint64_t ops;
} conditions[] = {
	{ H_IF_MATCH, READS | WRITES },
	{ H_IF_NONE_MATCH, READS | WRITES },
	{ H_IF_MODIFIED_SINCE, READS | WRITES | CONTAINER_CHANGES | OP(SetContainerMetadata) },
	{ H_IF_UNMODIFIED_SINCE, READS | WRITES | CONTAINER_CHANGES },
};

#define CONDITION(name, ops)                                \
	{                                                   \
		name, ops, ERR_ConditionHeadersNotSupported \
	}
#define HEADER(name, ops)                        \
	{                                        \
		name, ops, ERR_UnsupportedHeader \
	}

/* x-ms-*: the first that fits. */
static const struct parameter headers[] = {
	CONDITION("x-ms-if-sequence-number-eq", PAGES),
	CONDITION("x-ms-if-sequence-number-le", PAGES),
	CONDITION("x-ms-if-sequence-number-lt", PAGES),
	CONDITION("x-ms-if-*", NONE), /* tags */
	CONDITION("x-ms-blob-condition-*", NONE), /* append blobs */
	CONDITION("x-ms-source-if-match", OP(CopyBlob) | OP(PutPageFromURL)),
	CONDITION("x-ms-source-if-none-match", OP(CopyBlob) | OP(PutPageFromURL)),
	CONDITION("x-ms-source-if-modified-since", OP(CopyBlob) | OP(PutPageFromURL)),
	CONDITION("x-ms-source-if-unmodified-since", OP(CopyBlob) | OP(PutPageFromURL)),
	CONDITION("x-ms-source-if-*", NONE),
	HEADER("x-ms-source-lease-id", OP(CopyBlob) | OP(PutPageFromURL)),
	HEADER("x-ms-source-range", OP(PutPageFromURL)),
	HEADER("x-ms-source-content-md5", OP(CopyBlob) | OP(PutPageFromURL)),
	HEADER("x-ms-source-content-crc64", OP(PutPageFromURL)),
	HEADER("x-ms-source-*", NONE),
	HEADER("x-ms-copy-source", COPIES | OP(PutPageFromURL)),
	HEADER("x-ms-copy-source-*", NONE), /* another's token, tags, properties */
	HEADER("x-ms-requires-sync", OP(CopyBlob)),
	HEADER("x-ms-content-crc64", OP(PutBlob) | OP(PutPage)),
	HEADER("x-ms-structured-*", NONE),
	HEADER("x-ms-previous-snapshot-url", NONE), /* for managed disks */
	HEADER("x-ms-encryption-*", NONE), /* customers' keys, scopes */
	HEADER("x-ms-default-encryption-scope", NONE),
	HEADER("x-ms-deny-encryption-scope-override", NONE),
	HEADER("x-ms-tags", NONE),
	HEADER("x-ms-access-tier*", NONE),
	HEADER("x-ms-rehydrate-priority", NONE),
	HEADER("x-ms-immutability-policy-*", NONE),
	HEADER("x-ms-legal-hold", NONE),
	HEADER("x-ms-expiry-*", NONE),
	HEADER("x-ms-seal-blob", NONE),
	HEADER("x-ms-deleted-container-*", NONE),
	HEADER("x-ms-undelete-source", NONE),
	/* Hierarchical namespaces. */
	HEADER("x-ms-owner", NONE),
	HEADER("x-ms-group", NONE),
	HEADER("x-ms-permissions", NONE),
	HEADER("x-ms-acl", NONE),
	HEADER("x-ms-upn", NONE),
};

/* --- query parameters -------------------------------------------------------------------- */

#define QUERY(name, ops)                                 \
	{                                                \
		name, ops, ERR_UnsupportedQueryParameter \
	}

static const struct parameter queries[] = {
	/* Versions and soft delete are not there: what they name is not what there is. */
	{ "versionid", NONE, ERR_NotImplemented },
	{ "deletetype", NONE, ERR_NotImplemented },
	{ "restype", CONTAINERS | OP(GetAccountInformation), ERR_InvalidQueryParameterValue },
	QUERY("snapshot", BLOBS), /* writes refuse it by themselves */
	QUERY("prevsnapshot", OP(GetPageRanges)),
	QUERY("copyid", OP(AbortCopyBlob)),
	QUERY("prefix", LISTS),
	QUERY("delimiter", OP(ListBlobs)),
	QUERY("include", LISTS),
	QUERY("marker", LISTS | OP(GetPageRanges)),
	QUERY("maxresults", LISTS | OP(GetPageRanges)),
	QUERY("showonly", NONE),
	QUERY("startfrom", NONE),
	QUERY("endbefore", NONE),
	QUERY("where", NONE),
	QUERY("blockid", NONE),
	QUERY("blocklisttype", NONE),
	QUERY("upn", NONE),
};

/* --- looking them up ---------------------------------------------------------------------- */

static bool fits(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	return pattern[len - 1] == '*' ? !strncmp(pattern, name, len - 1) : !strcmp(pattern, name);
}

static enum ds_err check(const struct parameter *table, size_t count, const char *name,
			 enum ds_op op)
{
	for (size_t i = 0; i < count; i++)
		if (fits(table[i].name, name))
			return table[i].ops >> op & 1 ? DS_OK : table[i].err;
	return DS_OK;
}

#define CHECK(table, name, op) check(table, sizeof(table) / sizeof(*(table)), name, op)

/* "Setting timeouts for Blob service operations": seconds; more than is allowed
 * counts as what is. */
static bool valid_timeout(const char *text)
{
	uint64_t seconds;

	return text_u64(text, strlen(text), &seconds) && seconds <= INT32_MAX;
}

enum ds_err ds_check_parameters(const struct ds_request *r, enum ds_op op)
{
	const char *timeout = ds_query(r, "timeout");
	enum ds_err err = DS_OK;

	if (op == OP_Unsupported || op == OP_Unknown)
		return DS_OK; /* which is what they will be told */
	for (size_t i = 0; i < r->queries && !err; i++)
		err = CHECK(queries, r->query[i].name, op);
	if (!err && timeout && !valid_timeout(timeout))
		err = ERR_InvalidQueryParameterValue;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(*conditions) && !err; i++)
		if (r->header[conditions[i].header] && !(conditions[i].ops >> op & 1))
			err = ERR_ConditionHeadersNotSupported;
	for (size_t i = 0; i < r->ms_count && !err; i++)
		err = CHECK(headers, r->ms[i].name, op);
	return err;
}
