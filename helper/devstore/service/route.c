// SPDX-License-Identifier: MIT
/*
 * route.c - which operation a request is
 */
#include <string.h>
#include <strings.h>

#include "devstore/service/route.h"

const struct ds_op_info ds_ops[DS_OP_COUNT] = {
#define X(name, class, resource, account, service)                                                 \
	[OP_##name] = {                                                                            \
		#name, DS_CLASS_##class, { (resource), (account), (service), false }, ds_op_##name \
	},
	DS_OPS(X)
#undef X
};

static bool is(const char *value, const char *what)
{
	return value && !strcmp(value, what);
}

struct rule {
	const char *comp; /* NULL: none */
	enum ds_method method;
	enum ds_op op;
};

/* All operations of Azure; HEAD is as GET.  OP_Unsupported: that are not here. */
static const struct rule account_rules[] = {
	{ "list", DS_GET, OP_ListContainers },
	{ "properties", DS_GET, OP_Unsupported },
	{ "properties", DS_PUT, OP_Unsupported },
	{ "stats", DS_GET, OP_Unsupported },
	{ "userdelegationkey", DS_POST, OP_Unsupported },
	{ "batch", DS_POST, OP_Unsupported },
	{ "blobs", DS_GET, OP_Unsupported },
};

static const struct rule container_rules[] = {
	{ NULL, DS_PUT, OP_CreateContainer },
	{ NULL, DS_GET, OP_GetContainerProperties },
	{ NULL, DS_DELETE, OP_DeleteContainer },
	{ "metadata", DS_GET, OP_GetContainerMetadata },
	{ "metadata", DS_PUT, OP_SetContainerMetadata },
	{ "acl", DS_GET, OP_GetContainerACL },
	{ "acl", DS_PUT, OP_SetContainerACL },
	{ "lease", DS_PUT, OP_LeaseContainer },
	{ "list", DS_GET, OP_ListBlobs },
	{ "undelete", DS_PUT, OP_Unsupported },
	{ "rename", DS_PUT, OP_Unsupported },
	{ "batch", DS_POST, OP_Unsupported },
	{ "blobs", DS_GET, OP_Unsupported },
};

static const struct rule blob_rules[] = {
	{ NULL, DS_GET, OP_GetBlob },
	{ NULL, DS_PUT, OP_PutBlob },
	{ NULL, DS_DELETE, OP_DeleteBlob },
	{ "page", DS_PUT, OP_PutPage },
	{ "pagelist", DS_GET, OP_GetPageRanges },
	{ "properties", DS_PUT, OP_SetBlobProperties },
	{ "metadata", DS_GET, OP_GetBlobMetadata },
	{ "metadata", DS_PUT, OP_SetBlobMetadata },
	{ "lease", DS_PUT, OP_LeaseBlob },
	{ "snapshot", DS_PUT, OP_SnapshotBlob },
	{ "copy", DS_PUT, OP_AbortCopyBlob },
	{ "incrementalcopy", DS_PUT, OP_IncrementalCopyBlob },
	{ "block", DS_PUT, OP_Unsupported },
	{ "blocklist", DS_PUT, OP_Unsupported },
	{ "blocklist", DS_GET, OP_Unsupported },
	{ "appendblock", DS_PUT, OP_Unsupported },
	{ "seal", DS_PUT, OP_Unsupported },
	{ "tags", DS_GET, OP_Unsupported },
	{ "tags", DS_PUT, OP_Unsupported },
	{ "tier", DS_PUT, OP_Unsupported },
	{ "query", DS_POST, OP_Unsupported },
	{ "expiry", DS_PUT, OP_Unsupported },
	{ "undelete", DS_PUT, OP_Unsupported },
	{ "legalhold", DS_PUT, OP_Unsupported },
	{ "immutabilityPolicies", DS_PUT, OP_Unsupported },
	{ "immutabilityPolicies", DS_DELETE, OP_Unsupported },
};

#define COUNT(rules) (sizeof(rules) / sizeof(*(rules)))

static enum ds_op find(const struct rule *rules, size_t count, enum ds_method method,
		       const char *comp)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i].method == method && (comp ? is(rules[i].comp, comp) : !rules[i].comp))
			return rules[i].op;
	return OP_Unknown;
}

#define FIND(rules, method, comp) find(rules, COUNT(rules), method, comp)

static bool has_comp(const struct rule *rules, size_t count, const char *comp)
{
	for (size_t i = 0; i < count; i++)
		if (is(rules[i].comp, comp))
			return true;
	return false;
}

/* Where a path and comp serve for several. */
static enum ds_op refine(const struct ds_request *r, enum ds_op op)
{
	const char *const *h = r->header;

	switch (op) {
	case OP_GetBlob:
		return r->method == DS_HEAD ? OP_GetBlobProperties : op;
	case OP_PutBlob:
		if (!h[H_COPY_SOURCE])
			return op;
		/* With a type it is "Put Blob From URL". */
		return h[H_BLOB_TYPE] ? OP_Unsupported : OP_CopyBlob;
	case OP_PutPage:
		if (h[H_COPY_SOURCE])
			return OP_PutPageFromURL;
		return h[H_PAGE_WRITE] && !strcasecmp(h[H_PAGE_WRITE], "clear") ? OP_ClearPages :
										  op;
	case OP_LeaseBlob:
		return is(h[H_LEASE_ACTION], "break") ? OP_BreakBlobLease : op;
	case OP_LeaseContainer:
		return is(h[H_LEASE_ACTION], "break") ? OP_BreakContainerLease : op;
	default:
		return op;
	}
}

enum ds_op ds_route(const struct ds_request *r)
{
	enum ds_method method = r->method == DS_HEAD ? DS_GET : r->method;
	const char *comp = ds_query(r, "comp"), *restype = ds_query(r, "restype");
	enum ds_op op;

	if (method == DS_OPTIONS)
		return OP_PreflightBlobRequest;
	if (method == DS_GET && is(restype, "account") && is(comp, "properties"))
		return OP_GetAccountInformation;
	if (r->blob)
		op = FIND(blob_rules, method, comp);
	else if (r->container)
		op = is(restype, "container") ? FIND(container_rules, method, comp) : OP_Unknown;
	else
		op = FIND(account_rules, method, comp);
	/* Lists and ranges are documents: nothing to be had with HEAD. */
	if (r->method == DS_HEAD &&
	    (op == OP_ListContainers || op == OP_ListBlobs || op == OP_GetPageRanges))
		return OP_Unknown;
	return refine(r, op);
}

enum ds_err ds_route_error(const struct ds_request *r)
{
	const char *comp = ds_query(r, "comp"), *restype = ds_query(r, "restype");
	bool account = !r->container, container = r->container && !r->blob;

	if (comp && !has_comp(account_rules, COUNT(account_rules), comp) &&
	    !has_comp(container_rules, COUNT(container_rules), comp) &&
	    !has_comp(blob_rules, COUNT(blob_rules), comp))
		return ERR_InvalidQueryParameterValue;
	if (r->method == DS_POST || r->method == DS_OTHER_METHOD)
		return ERR_UnsupportedHttpVerb;
	if ((account && !comp) || (container && !restype))
		return ERR_MissingRequiredQueryParameter;
	if (container && !is(restype, "container"))
		return ERR_InvalidQueryParameterValue;
	return ERR_UnsupportedHttpVerb;
}
