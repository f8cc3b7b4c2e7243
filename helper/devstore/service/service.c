// SPDX-License-Identifier: MIT
/*
 * service.c - admitting and running calls, and what operations share
 */
#include "devstore/service/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "devstore/service/parameters.h"
#include "devstore/service/route.h"
#include "lib/base64.h"
#include "lib/crc64.h"
#include "lib/log.h"
#include "lib/date.h"

#define METADATA "x-ms-meta-"
#define MD5_LEN 16
#define MD5_TEXT BASE64_SIZE(MD5_LEN)

int ds_init(struct ds *ds, struct loop *loop, struct storage *storage)
{
	unsigned char random[8];
	int err;

	ds->loop = loop;
	ds->storage = storage;
	ds_copy_init(ds);
	if (RAND_bytes(random, sizeof(random)) != 1)
		return -EIO;
	snprintf(ds->id_prefix, sizeof(ds->id_prefix), "%02x%02x%02x%02x-%02x%02x-%02x%02x-",
		 random[0], random[1], random[2], random[3], random[4], random[5], random[6],
		 random[7]);
	err = ds_accounts_init(&ds->accounts);
	if (!err)
		err = ds_objects_init(&ds->objects, storage);
	return err;
}

void ds_free(struct ds *ds)
{
	ds_copy_end_all(ds);
	ds_request_free(&ds->source);
	ds_objects_free(&ds->objects);
	ds_accounts_free(&ds->accounts);
}

/* --- admitting ------------------------------------------------------------------- */

/* "00000000-0000-0000-" of this process, and a count. */
static void make_request_id(struct ds_call *c)
{
	static const char hex[] = "0123456789abcdef";
	uint64_t n = ++c->ds->id_serial;
	char *p = c->request_id + 36;

	memcpy(c->request_id, c->ds->id_prefix, 19);
	*p = '\0';
	for (int i = 0; i < 16; i++, n >>= 4) {
		*--p = hex[n & 15];
		if (i == 11)
			*--p = '-';
	}
}

static void look_at_clock(struct ds_call *c)
{
	c->now = date_now() + c->clock_ahead * DATE_TICKS;
	c->mono = loop_now();
}

void ds_call_reset(struct ds_call *c, int64_t ahead)
{
	ds_response_drop(&c->response);
	c->op = OP_Unsupported;
	c->writes = false;
	c->detail = NULL;
	c->retry_after = 0;
	c->content_range = NULL;
	c->clock_ahead = ahead;
	look_at_clock(c);
	make_request_id(c);
}

bool ds_find_policy(void *arg, const char *account, const char *container, const char *id,
		    struct ds_policy *out)
{
	const struct storage_key key = { .account = account, .container = container };
	struct ds *ds = arg;
	struct ds_object *obj;
	bool found = false;

	if (ds_object_get(&ds->objects, &key, &obj))
		return false;
	for (size_t i = 0; obj->policies && i < DS_MAX_POLICIES && !found; i++) {
		found = obj->policies[i].id[0] && !strcmp(obj->policies[i].id, id);
		if (found)
			*out = obj->policies[i];
	}
	ds_object_put(&ds->objects, obj);
	return found;
}

static bool valid_version(const char *v)
{
	static const char form[] = "0000-00-00";

	if (strlen(v) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; form[i]; i++)
		if (form[i] == '-' ? v[i] != '-' : v[i] < '0' || v[i] > '9')
			return false;
	return true;
}

static enum ds_err check_form(const struct ds_request *r)
{
	const char *version = r->header[H_MS_VERSION];

	if (version && !valid_version(version))
		return ERR_InvalidHeaderValue;
	if (r->header[H_CLIENT_REQUEST_ID] && strlen(r->header[H_CLIENT_REQUEST_ID]) > 1024)
		return ERR_InvalidHeaderValue;
	if (r->method != DS_PUT && r->method != DS_POST)
		return DS_OK;
	/* A length must be known before the first byte. */
	if (r->header[H_TRANSFER_ENCODING] || !r->header[H_CONTENT_LENGTH])
		return ERR_MissingContentLengthHeader;
	return DS_OK;
}

enum ds_err ds_call_admit(struct ds_call *c)
{
	enum ds_err err = c->req.bad;

	if (err)
		return err;
	c->op = ds_route(&c->req);
	c->grant = (struct ds_grant){ 0 };
	/* Browsers ask without saying who they are. */
	if (c->op == OP_PreflightBlobRequest)
		return DS_OK;
	err = ds_authorize(&c->ds->accounts, &c->req, &ds_ops[c->op].need, ds_find_policy, c->ds,
			   c->now, &c->grant);
	c->detail = c->ds->accounts.detail;
	if (!err)
		err = check_form(&c->req);
	return err ? err : ds_check_parameters(&c->req, c->op);
}

/* What the client is told no more of than that it is our fault. */
static void log_call(const struct ds_call *c, int err)
{
	const struct ds_request *r = &c->req;

	log_error("%s %s%s%s%s%s: %s", ds_ops[c->op].name, r->account ? r->account : "",
		  r->container ? "/" : "", r->container ? r->container : "", r->blob ? "/" : "",
		  r->blob ? r->blob : "", err ? strerror(-err) : "failed");
}

/* Says when there is no room any more, and when there is again. */
static void note_room(struct ds_call *c)
{
	bool full = c->response.err == ERR_InsufficientStorage;

	if (full == c->ds->full || !(full || (c->writes && !c->response.err)))
		return;
	c->ds->full = full;
	if (full)
		log_error("%s: the disk is full: reading and deleting go on, all else is refused "
			  "until there is room",
			  c->ds->place);
	else
		log_info("%s: there is room again", c->ds->place);
}

void ds_call_run(struct ds_call *c)
{
	/* Time may have passed since it was admitted. */
	look_at_clock(c);
	(void)ds_error_untold();
	ds_response_finish(c, ds_ops[c->op].run(c));
	if (c->response.err == ERR_InternalError)
		log_call(c, ds_error_untold());
	note_room(c);
}

void ds_call_refuse(struct ds_call *c, enum ds_err err)
{
	ds_response_finish(c, err);
}

enum ds_err ds_op_Unsupported(struct ds_call *c)
{
	(void)c;
	return ERR_NotImplemented;
}

enum ds_err ds_op_Unknown(struct ds_call *c)
{
	return ds_route_error(&c->req);
}

/* "Preflight Blob Request": there are no rules that could allow anything. */
enum ds_err ds_op_PreflightBlobRequest(struct ds_call *c)
{
	const char *const *h = c->req.header;

	return h[H_ORIGIN] && h[H_CORS_METHOD] ? ERR_CorsPreflightFailure : ERR_InvalidHeaderValue;
}

/* "Get Account Information" */
enum ds_err ds_op_GetAccountInformation(struct ds_call *c)
{
	ds_response_field(c, "x-ms-sku-name", "Standard_LRS");
	ds_response_field(c, "x-ms-account-kind", "StorageV2");
	ds_response_field(c, "x-ms-is-hns-enabled", "false");
	c->response.status = 200;
	return DS_OK;
}

/* --- objects ------------------------------------------------------------------------ */

struct storage_key ds_call_key(const struct ds_call *c)
{
	return (struct storage_key){ .account = c->req.account,
				     .container = c->req.container,
				     .blob = c->req.blob };
}

enum ds_err ds_call_container(struct ds_call *c, struct ds_object **out)
{
	struct storage_key key = ds_call_key(c);
	int err;

	key.blob = NULL;
	err = ds_object_get(&c->ds->objects, &key, out);
	return err == -ENOENT ? ERR_ContainerNotFound : ds_error_of(err);
}

void ds_call_put(struct ds_call *c, struct ds_object *obj)
{
	ds_object_put(&c->ds->objects, obj);
}

enum ds_err ds_call_blob(struct ds_call *c, struct ds_object **out)
{
	struct storage_key key = ds_call_key(c);
	struct ds_object *container;
	enum ds_err err;
	int64_t ticks;
	int res;

	key.snapshot = ds_query(&c->req, "snapshot");
	if (key.snapshot && !date_parse_iso(key.snapshot, &ticks))
		return ERR_InvalidQueryParameterValue;
	res = ds_object_get(&c->ds->objects, &key, out);
	if (!res) {
		ds_copy_wake(c->ds, *out);
		return DS_OK;
	}
	if (res != -ENOENT)
		return ds_error_of(res);
	err = ds_call_container(c, &container);
	if (err)
		return err;
	ds_call_put(c, container);
	return ERR_BlobNotFound;
}

enum ds_err ds_call_on_blob(struct ds_call *c, ds_act_fn act)
{
	struct ds_object *blob;
	enum ds_err err;

	err = ds_call_blob(c, &blob);
	if (err)
		return err;
	err = act(c, blob);
	ds_call_put(c, blob);
	return err;
}

enum ds_err ds_call_on_container(struct ds_call *c, ds_act_fn act)
{
	struct ds_object *container;
	enum ds_err err;

	err = ds_call_container(c, &container);
	if (err)
		return err;
	err = act(c, container);
	ds_call_put(c, container);
	return err;
}

enum ds_err ds_call_lease_id(struct ds_call *c, enum ds_header which, const char **id)
{
	const char *text = c->req.header[which];
	char *kept;

	*id = NULL;
	if (!text)
		return DS_OK;
	kept = ds_arena_alloc(&c->req.arena, DS_LEASE_ID);
	if (!kept || !ds_lease_id(text, kept))
		return ERR_InvalidHeaderValue;
	*id = kept;
	return DS_OK;
}

/* @write: in the sense of leases; @read: in that of conditions. */
static enum ds_err check(struct ds_call *c, const struct ds_object *obj, bool write, bool read)
{
	bool container = obj->type == DS_CONTAINER;
	struct ds_conditions conditions;
	const char *id;
	enum ds_err err;

	err = ds_call_lease_id(c, H_LEASE_ID, &id);
	if (!err)
		err = (write ? ds_lease_check_write : ds_lease_check_read)(&obj->lease, c->mono, id,
									   container);
	if (!err)
		err = ds_conditions_parse(&c->req, read, &conditions);
	if (!err)
		err = ds_conditions_check(&conditions, obj->etag, obj->modified, read);
	return err;
}

enum ds_err ds_call_check_read(struct ds_call *c, const struct ds_object *obj)
{
	return check(c, obj, false, true);
}

enum ds_err ds_call_check_write(struct ds_call *c, const struct ds_object *obj)
{
	return check(c, obj, true, false);
}

enum ds_err ds_call_check_beside(struct ds_call *c, const struct ds_object *obj)
{
	return check(c, obj, false, false);
}

enum ds_err ds_call_write_blob(struct ds_call *c, bool page, struct ds_object **out)
{
	enum ds_err err;

	if (ds_query(&c->req, "snapshot"))
		return ERR_InvalidQueryParameterValue;
	err = ds_call_blob(c, out);
	if (err)
		return err;
	if (page && (*out)->type != DS_PAGE_BLOB)
		err = ERR_InvalidBlobType;
	else
		err = ds_call_check_write(c, *out);
	if (!err && (*out)->copy == DS_COPY_PENDING)
		err = ERR_PendingCopyOperation;
	if (!err && (*out)->incremental)
		err = ERR_OperationNotAllowedOnIncrementalCopyBlob;
	if (err)
		ds_call_put(c, *out);
	return err;
}

enum ds_err ds_call_save(struct ds_call *c, struct ds_object *obj)
{
	c->writes = true;
	return ds_error_of(ds_object_save(&c->ds->objects, obj));
}

enum ds_err ds_call_draft(struct ds_call *c, const struct ds_object *obj, struct ds_object **draft)
{
	*draft = ds_object_draft(&c->ds->objects, obj);
	return *draft ? DS_OK : ERR_InternalError;
}

enum ds_err ds_call_change(struct ds_call *c, struct ds_object *obj, struct ds_object *draft)
{
	c->writes = true;
	ds_object_touch(&c->ds->objects, draft);
	/* A container's lease protects it against being deleted, and no more. */
	if (obj->type != DS_CONTAINER)
		ds_lease_written(&draft->lease, c->mono);
	return ds_error_of(ds_object_commit(&c->ds->objects, obj, draft));
}

/* --- what requests carry ---------------------------------------------------------------- */

enum ds_err ds_call_number(struct ds_call *c, enum ds_header which, uint64_t *number)
{
	const char *text = c->req.header[which];

	if (!text)
		return ERR_MissingRequiredHeader;
	return text_u64(text, strlen(text), number) && *number <= INT64_MAX ?
		       DS_OK :
		       ERR_InvalidHeaderValue;
}

enum ds_err ds_call_beyond(struct ds_call *c, const struct ds_object *obj)
{
	c->content_range =
		ds_arena_printf(&c->req.arena, "bytes */%llu", (unsigned long long)obj->size);
	return ERR_InvalidRange;
}

static bool read_md5(const char *text, unsigned char md5[MD5_LEN])
{
	return base64_decode(text, strlen(text), md5, MD5_LEN) == MD5_LEN;
}

enum ds_err ds_call_check_md5(const struct ds_call *c, enum ds_header which)
{
	unsigned char md5[MD5_LEN];

	return !c->req.header[which] || read_md5(c->req.header[which], md5) ? DS_OK :
									      ERR_InvalidMd5;
}

static enum ds_err verify_md5(struct ds_call *c)
{
	unsigned char given[MD5_LEN], md5[MD5_LEN];
	const char *text = c->req.header[H_CONTENT_MD5];
	size_t len;

	if (!read_md5(text, given))
		return ERR_InvalidMd5;
	if (!EVP_Q_digest(NULL, "MD5", NULL, c->req.body, c->req.body_len, md5, &len))
		return ERR_InternalError;
	if (memcmp(given, md5, MD5_LEN) != 0)
		return ERR_Md5Mismatch;
	ds_response_field(c, "Content-MD5", text);
	return DS_OK;
}

enum ds_err ds_call_verify_body(struct ds_call *c)
{
	const char *text = c->req.header[H_CONTENT_CRC64];
	unsigned char given[8];
	char crc[CRC64_TEXT];

	if (c->req.header[H_CONTENT_MD5]) {
		/* One or the other ("Put Page"). */
		return text ? ERR_BothCrc64AndMd5HeaderPresent : verify_md5(c);
	}
	if (text && base64_decode(text, strlen(text), given, sizeof(given)) != sizeof(given))
		return ERR_InvalidHeaderValue;
	crc64_text(crc64(0, c->req.body, c->req.body_len), crc);
	if (text && strcmp(text, crc) != 0)
		return ERR_Crc64Mismatch;
	ds_response_copy(c, "x-ms-content-crc64", crc);
	return DS_OK;
}

static bool metadata_name(const char *s)
{
	/* A C# identifier, of which HTTP leaves the ASCII ones; in lower case here. */
	if (!(*s >= 'a' && *s <= 'z') && *s != '_')
		return false;
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') && *s != '_')
			return false;
	return true;
}

static bool metadata_value(const char *s)
{
	for (; *s; s++)
		if (*s != '\t' && (*s < ' ' || *s > '~'))
			return false;
	return true;
}

static bool is_metadata(const struct ds_ms *h)
{
	return !strncmp(h->name, METADATA, sizeof(METADATA) - 1);
}

/* Whether another header before it says the same name, in whatever case. */
static bool said_before(const struct ds_request *r, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(r->ms[j].name, r->ms[i].name))
			return true;
	return false;
}

static enum ds_err check_metadata(const struct ds_request *r, size_t i)
{
	const char *name = r->ms[i].name + sizeof(METADATA) - 1;

	if (!*name)
		return ERR_EmptyMetadataKey;
	return metadata_name(name) && metadata_value(r->ms[i].value) && !said_before(r, i) ?
		       DS_OK :
		       ERR_InvalidMetadata;
}

bool ds_call_has_metadata(const struct ds_call *c)
{
	for (size_t i = 0; i < c->req.ms_count; i++)
		if (is_metadata(&c->req.ms[i]))
			return true;
	return false;
}

enum ds_err ds_call_take_metadata(struct ds_call *c, struct ds_object *obj)
{
	struct text t = { 0 };
	size_t total = 0;

	for (size_t i = 0; i < c->req.ms_count; i++) {
		const struct ds_ms *h = &c->req.ms[i];
		enum ds_err err;

		if (!is_metadata(h))
			continue;
		total += strlen(h->name) - (sizeof(METADATA) - 1) + strlen(h->value);
		err = check_metadata(&c->req, i);
		if (!err && total > DS_MAX_METADATA)
			err = ERR_MetadataTooLarge;
		if (err) {
			text_free(&t);
			return err;
		}
		/* The name keeps the case that it has. */
		text_add(&t, METADATA);
		text_addn(&t, h->sent + sizeof(METADATA) - 1,
			  strlen(h->sent) - (sizeof(METADATA) - 1) + 1);
		text_addn(&t, h->value, strlen(h->value) + 1);
	}
	if (t.failed) {
		text_free(&t);
		return ERR_InternalError;
	}
	free(obj->metadata);
	obj->metadata = t.s;
	obj->metadata_len = t.len;
	return DS_OK;
}
