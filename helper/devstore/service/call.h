/* SPDX-License-Identifier: MIT */
/*
 * call.h - one call of the Blob service: what is asked, by whom, the response
 *
 *   route.c    which operation a request is, and what it asks of a signature
 *   service.c  authorising and running a call; what operations share
 *   parameters.c  which parameters and headers an operation knows
 *   container.c list.c blob.c properties.c pages.c ranges.c leases.c copy.c
 *   copies.c   the operations
 *   response.c the response's headers, error documents
 *   ../http/   HTTP
 *
 * Nothing here knows of connections: a call can be run for a client that has
 * gone.
 */
#ifndef DEVSTORE_CALL_H
#define DEVSTORE_CALL_H

#include "devstore/auth/auth.h"
#include "devstore/request/request.h"
#include "devstore/service/conditions.h"
#include "devstore/service/object.h"
#include "devstore/service/range.h"

#define DS_MAX_FIELDS (DS_MAX_MS + 64)
#define DS_MAX_BODY DS_MAX_PAGES /* of anything that is sent to us */

struct ds;
struct ds_call;

/* Classes of transactions, as they are counted and, in Azure, billed. */
enum ds_class { DS_CLASS_WRITE, DS_CLASS_READ, DS_CLASS_LIST, DS_CLASS_OTHER, DS_CLASSES };

/* X(name, class, resource, account SAS, service SAS): the name is Azure's; the
 * three others are struct ds_need.  Unsupported is all that Azure has and devstore
 * has not, Unknown what Azure hasn't either; whoever is authorised for anything
 * may learn which. */
#define DS_ANY "racwdxyltfmeopiu"
#define DS_OPS(X)                                           \
	X(ListContainers, LIST, 's', "l", "")               \
	X(GetAccountInformation, OTHER, 's', "rwdlacu", "") \
	X(CreateContainer, WRITE, 'c', "cw", "")            \
	X(DeleteContainer, OTHER, 'c', "d", "")             \
	X(GetContainerProperties, OTHER, 'c', "r", "")      \
	X(GetContainerMetadata, OTHER, 'c', "r", "")        \
	X(SetContainerMetadata, WRITE, 'c', "w", "")        \
	X(GetContainerACL, OTHER, 'c', "", "")              \
	X(SetContainerACL, OTHER, 'c', "", "")              \
	X(LeaseContainer, OTHER, 'c', "w", "")              \
	X(BreakContainerLease, OTHER, 'c', "wd", "")        \
	X(ListBlobs, LIST, 'c', "l", "l")                   \
	X(PutBlob, WRITE, 'o', "wc", "wc")                  \
	X(GetBlob, READ, 'o', "r", "r")                     \
	X(GetBlobProperties, OTHER, 'o', "r", "r")          \
	X(GetBlobMetadata, OTHER, 'o', "r", "r")            \
	X(SetBlobProperties, OTHER, 'o', "w", "w")          \
	X(SetBlobMetadata, OTHER, 'o', "w", "w")            \
	X(LeaseBlob, OTHER, 'o', "w", "w")                  \
	X(BreakBlobLease, OTHER, 'o', "wd", "wd")           \
	X(SnapshotBlob, WRITE, 'o', "wc", "wc")             \
	X(CopyBlob, WRITE, 'o', "wc", "wc")                 \
	X(IncrementalCopyBlob, WRITE, 'o', "wc", "wc")      \
	X(AbortCopyBlob, OTHER, 'o', "w", "w")              \
	X(DeleteBlob, OTHER, 'o', "d", "d")                 \
	X(PutPage, WRITE, 'o', "w", "w")                    \
	X(ClearPages, WRITE, 'o', "w", "w")                 \
	X(PutPageFromURL, WRITE, 'o', "w", "w")             \
	X(GetPageRanges, OTHER, 'o', "r", "r")              \
	X(PreflightBlobRequest, OTHER, 's', "", "")         \
	X(Unsupported, OTHER, '\0', DS_ANY, DS_ANY)         \
	X(Unknown, OTHER, '\0', DS_ANY, DS_ANY)

enum ds_op {
#define X(name, class, resource, account, service) OP_##name,
	DS_OPS(X)
#undef X
		DS_OP_COUNT
};

struct ds_op_info {
	const char *name;
	enum ds_class class;
	struct ds_need need;
	enum ds_err (*run)(struct ds_call *c);
};
extern const struct ds_op_info ds_ops[DS_OP_COUNT];

#define X(name, class, resource, account, service) enum ds_err ds_op_##name(struct ds_call *c);
DS_OPS(X)
#undef X

struct ds_response {
	unsigned int status;
	struct ds_pair field[DS_MAX_FIELDS]; /* values live as long as the call */
	size_t fields;
	unsigned char *body; /* malloc'ed */
	size_t body_len;
	/* Instead of a body: this many bytes of a blob, from @offset; or, to HEAD,
	 * the length that a body would have. */
	struct storage_blob *stream;
	uint64_t offset, length;
	uint64_t listed; /* ranges */
	enum ds_err err;
};

struct ds_call {
	struct ds *ds;
	struct ds_request req;
	enum ds_op op;
	struct ds_grant grant;
	int64_t now; /* ticks */
	int64_t clock_ahead; /* seconds of it that are a fault's */
	uint64_t mono; /* loop_now() */
	char request_id[37];
	bool writes; /* it changed the storage */
	const char *detail; /* why it was refused */
	const char *source; /* of a copy, as it is shown */
	unsigned int retry_after; /* seconds, of an error that passes */
	const char *content_range; /* of a range that can't be had */
	struct ds_response response;
};

/* --- service.c ------------------------------------------------------------------ */

/* Empties a call for the next request; the service's clock is @ahead seconds ahead of the
 * machine's. */
void ds_call_reset(struct ds_call *c, int64_t ahead);
/* Once all headers are there: which operation it is, and whether it may be.  An
 * error is told without looking at the body. */
enum ds_err ds_call_admit(struct ds_call *c);
/* Once the body is there, too.  The response is complete afterwards. */
void ds_call_run(struct ds_call *c);
/* The same for an error. */
void ds_call_refuse(struct ds_call *c, enum ds_err err);

/* The blob or snapshot that the request names, held. */
enum ds_err ds_call_blob(struct ds_call *c, struct ds_object **out);
enum ds_err ds_call_container(struct ds_call *c, struct ds_object **out);
void ds_call_put(struct ds_call *c, struct ds_object *obj);
/* Has @act deal with one of these. */
typedef enum ds_err (*ds_act_fn)(struct ds_call *c, struct ds_object *obj);
enum ds_err ds_call_on_blob(struct ds_call *c, ds_act_fn act);
enum ds_err ds_call_on_container(struct ds_call *c, ds_act_fn act);
struct storage_key ds_call_key(const struct ds_call *c);

/* Lease id and conditions of the request, against the object. */
enum ds_err ds_call_check_read(struct ds_call *c, const struct ds_object *obj);
enum ds_err ds_call_check_write(struct ds_call *c, const struct ds_object *obj);
/* Of a change that a lease doesn't protect against: a snapshot, a container's
 * metadata and policies. */
enum ds_err ds_call_check_beside(struct ds_call *c, const struct ds_object *obj);
/* What every write of a blob begins with: the blob, held, which is a page blob
 * (@page) or any, no snapshot, not being copied to, and allowed to be written. */
enum ds_err ds_call_write_blob(struct ds_call *c, bool page, struct ds_object **out);
/* x-ms-lease-id in the form of leases; *id is NULL where there is none. */
enum ds_err ds_call_lease_id(struct ds_call *c, enum ds_header which, const char **id);
/* InvalidRange, with the size that there is. */
enum ds_err ds_call_beyond(struct ds_call *c, const struct ds_object *obj);
/* A GUID of chance (RFC 4122), for leases and copies; false: there is no chance. */
bool ds_random_id(char id[DS_LEASE_ID]);
/* A copy of @obj to be changed (object.h). */
enum ds_err ds_call_draft(struct ds_call *c, const struct ds_object *obj, struct ds_object **draft);
/* @obj becomes what the draft is, with a new ETag; or on an error stays as it was. */
enum ds_err ds_call_change(struct ds_call *c, struct ds_object *obj, struct ds_object *draft);
enum ds_err ds_call_save(struct ds_call *c, struct ds_object *obj);

/* Verifies Content-MD5 and x-ms-content-crc64 of the body, and answers one. */
enum ds_err ds_call_verify_body(struct ds_call *c);
/* InvalidMd5, where a header is there that is no MD5 in base64. */
enum ds_err ds_call_check_md5(const struct ds_call *c, enum ds_header which);
/* x-ms-meta-* as the object's metadata. */
enum ds_err ds_call_take_metadata(struct ds_call *c, struct ds_object *obj);
bool ds_call_has_metadata(const struct ds_call *c);
/* A decimal header, required. */
enum ds_err ds_call_number(struct ds_call *c, enum ds_header which, uint64_t *number);

/* --- response.c -------------------------------------------------------------------- */

void ds_response_field(struct ds_call *c, const char *name, const char *value); /* kept as it is */
void ds_response_copy(struct ds_call *c, const char *name, const char *value);
void ds_response_number(struct ds_call *c, const char *name, uint64_t value);
void ds_response_date(struct ds_call *c, const char *name, int64_t ticks);
/* ETag and Last-Modified. */
void ds_response_version(struct ds_call *c, const struct ds_object *obj);
/* x-ms-lease-status and so on. */
void ds_response_lease(struct ds_call *c, const struct ds_object *obj);
void ds_response_metadata(struct ds_call *c, const struct ds_object *obj);
/* A document; takes t->s over. */
void ds_response_xml(struct ds_call *c, struct text *t);
/* The headers that every response has; the error document where it failed. */
void ds_response_finish(struct ds_call *c, enum ds_err err);
void ds_response_drop(struct ds_response *a);
const char *ds_copy_status_name(enum ds_copy_status status);
/* "BYTES/TOTAL" */
void ds_copy_progress(const struct ds_object *obj, char *buf, size_t len);

#endif
