// SPDX-License-Identifier: MIT
/*
 * route.c - which operation a request is
 */
#include <string.h>

#include "devstore/route.h"

const struct ds_op_info ds_ops[DS_OP_COUNT] = {
#define X(name, class, resource, account, service)                                          \
	[OP_##name] = {                                                                     \
		#name, DS_CLASS_##class, { (resource), (account), (service) }, ds_op_##name \
	},
	DS_OPS(X)
#undef X
};

static bool is(const char *value, const char *what)
{
	return value && !strcmp(value, what);
}

struct rule {
	enum ds_method method;
	const char *comp; /* NULL: none */
	enum ds_op op;
};

/* The first that matches; HEAD is as GET. */
static const struct rule account_rules[] = {
	{ DS_GET, "list", OP_ListContainers },
};

static const struct rule container_rules[] = {
	{ DS_PUT, NULL, OP_CreateContainer },
	{ DS_GET, NULL, OP_GetContainerProperties },
	{ DS_DELETE, NULL, OP_DeleteContainer },
	{ DS_GET, "metadata", OP_GetContainerMetadata },
	{ DS_PUT, "metadata", OP_SetContainerMetadata },
	{ DS_GET, "acl", OP_GetContainerACL },
	{ DS_PUT, "acl", OP_SetContainerACL },
	{ DS_PUT, "lease", OP_LeaseContainer },
	{ DS_GET, "list", OP_ListBlobs },
};

static const struct rule blob_rules[] = {
	{ DS_GET, NULL, OP_GetBlob },
	{ DS_PUT, NULL, OP_PutBlob },
	{ DS_DELETE, NULL, OP_DeleteBlob },
	{ DS_PUT, "page", OP_PutPage },
	{ DS_GET, "pagelist", OP_GetPageRanges },
	{ DS_PUT, "properties", OP_SetBlobProperties },
	{ DS_GET, "metadata", OP_GetBlobMetadata },
	{ DS_PUT, "metadata", OP_SetBlobMetadata },
	{ DS_PUT, "lease", OP_LeaseBlob },
	{ DS_PUT, "snapshot", OP_SnapshotBlob },
	{ DS_PUT, "copy", OP_AbortCopyBlob },
	{ DS_PUT, "incrementalcopy", OP_IncrementalCopyBlob },
};

static enum ds_op find(const struct rule *rules, size_t count, enum ds_method method,
		       const char *comp)
{
	for (size_t i = 0; i < count; i++)
		if (rules[i].method == method && (comp ? is(rules[i].comp, comp) : !rules[i].comp))
			return rules[i].op;
	return OP_Unsupported;
}

#define FIND(rules, method, comp) find(rules, sizeof(rules) / sizeof(*(rules)), method, comp)

/* Where a path and comp serve for several. */
static enum ds_op refine(const struct ds_request *r, enum ds_op op)
{
	const char *const *h = r->header;

	switch (op) {
	case OP_GetBlob:
		return r->method == DS_HEAD ? OP_GetBlobProperties : op;
	case OP_PutBlob:
		return h[H_COPY_SOURCE] ? OP_CopyBlob : op;
	case OP_PutPage:
		if (h[H_COPY_SOURCE])
			return OP_PutPageFromURL;
		return is(h[H_PAGE_WRITE], "clear") || is(h[H_PAGE_WRITE], "Clear") ?
			       OP_ClearPages :
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

	if (method == DS_GET && is(restype, "account") && is(comp, "properties"))
		return OP_GetAccountInformation;
	if (r->blob)
		op = FIND(blob_rules, method, comp);
	else if (r->container)
		op = is(restype, "container") ? FIND(container_rules, method, comp) :
						OP_Unsupported;
	else
		op = FIND(account_rules, method, comp);
	/* Lists and ranges are documents: nothing to be had with HEAD. */
	if (r->method == DS_HEAD &&
	    (op == OP_ListContainers || op == OP_ListBlobs || op == OP_GetPageRanges))
		return OP_Unsupported;
	return refine(r, op);
}
