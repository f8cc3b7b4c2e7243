// SPDX-License-Identifier: MIT
/*
 * route.c - which operation a request is
 */
#include <string.h>

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

/* The first that matches; HEAD is as GET. */
static const struct rule account_rules[] = {
	{ "list", DS_GET, OP_ListContainers },
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
