// SPDX-License-Identifier: MIT
/*
 * container.c - "Create Container", "Delete Container", "Get Container
 * Properties", "Get/Set Container Metadata", "Get/Set Container ACL"
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/service/service.h"
#include "devstore/service/xml.h"
#include "lib/date.h"

static int make(struct ds *ds, struct ds_object *obj)
{
	void *data;
	size_t len;
	int err;

	err = ds_object_encode(obj, &data, &len);
	if (err)
		return err;
	err = storage_container_create(ds->storage, &obj->key, (struct storage_meta){ data, len });
	free(data);
	if (!err)
		ds_object_publish(&ds->objects, obj);
	return err;
}

int ds_make_container(struct ds *ds, const char *account, const char *name)
{
	const struct storage_key key = { .account = account, .container = name };
	struct ds_object *obj;
	int err;

	if (ds_check_container(name))
		return -EINVAL;
	obj = ds_object_new(&ds->objects, &key, DS_CONTAINER);
	if (!obj)
		return -ENOMEM;
	err = make(ds, obj);
	ds_object_put(&ds->objects, obj);
	return err == -EEXIST ? 0 : err;
}

static enum ds_err create(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err = ds_call_take_metadata(c, obj);
	int res;

	if (err)
		return err;
	res = make(c->ds, obj);
	if (res)
		return res == -EEXIST ? ERR_ContainerAlreadyExists : ds_error_of(res);
	c->writes = true;
	ds_response_version(c, obj);
	c->response.status = 201;
	return DS_OK;
}

/* Anonymous access is off, whoever asks for it. */
static enum ds_err check_public_access(struct ds_call *c)
{
	const char *access = c->req.header[H_BLOB_PUBLIC_ACCESS];

	if (!access)
		return DS_OK;
	return strcmp(access, "blob") != 0 && strcmp(access, "container") != 0 ?
		       ERR_InvalidHeaderValue :
		       ERR_PublicAccessNotPermitted;
}

enum ds_err ds_op_CreateContainer(struct ds_call *c)
{
	const struct storage_key key = ds_call_key(c);
	struct ds_object *obj;
	enum ds_err err;

	err = check_public_access(c);
	if (err)
		return err;
	obj = ds_object_new(&c->ds->objects, &key, DS_CONTAINER);
	err = obj ? create(c, obj) : ERR_InternalError;
	ds_call_put(c, obj);
	return err;
}

static enum ds_err delete_container(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err refused;
	int err;

	refused = ds_call_check_write(c, obj);
	if (refused)
		return refused;
	/* Copies into it have no place to go to any more. */
	ds_copy_cancel(c->ds, obj);
	err = storage_container_delete(c->ds->storage, &obj->key);
	if (err)
		return ds_error_of(err);
	c->writes = true;
	ds_objects_forget_container(&c->ds->objects, &obj->key);
	c->response.status = 202;
	return DS_OK;
}

enum ds_err ds_op_DeleteContainer(struct ds_call *c)
{
	return ds_call_on_container(c, delete_container);
}

static enum ds_err get_properties(struct ds_call *c, struct ds_object *obj)
{
	enum ds_err err = ds_call_check_read(c, obj);

	if (err)
		return err;
	ds_response_version(c, obj);
	ds_response_lease(c, obj);
	ds_response_field(c, "x-ms-has-immutability-policy", "false");
	ds_response_field(c, "x-ms-has-legal-hold", "false");
	ds_response_metadata(c, obj);
	c->response.status = 200;
	return DS_OK;
}

enum ds_err ds_op_GetContainerProperties(struct ds_call *c)
{
	return ds_call_on_container(c, get_properties);
}

enum ds_err ds_op_GetContainerMetadata(struct ds_call *c)
{
	return ds_op_GetContainerProperties(c);
}

/* A change to a container is not a write in the sense of its lease, which
 * protects it against being deleted ("Lease Container"). */
static enum ds_err change(struct ds_call *c,
			  enum ds_err (*take)(struct ds_call *, struct ds_object *))
{
	struct ds_object *obj, *draft = NULL;
	enum ds_err err;

	err = ds_call_container(c, &obj);
	if (err)
		return err;
	err = ds_call_check_beside(c, obj);
	if (!err)
		err = ds_call_draft(c, obj, &draft);
	if (!err)
		err = take(c, draft);
	if (!err)
		err = ds_call_change(c, obj, draft);
	if (!err) {
		ds_response_version(c, obj);
		c->response.status = 200;
	}
	ds_call_put(c, draft);
	ds_call_put(c, obj);
	return err;
}

enum ds_err ds_op_SetContainerMetadata(struct ds_call *c)
{
	return change(c, ds_call_take_metadata);
}

/* --- access policies ------------------------------------------------------------------- */

static enum ds_err take_policies(struct ds_call *c, struct ds_object *obj)
{
	struct ds_policy policies[DS_MAX_POLICIES] = { 0 };
	enum ds_err err;

	err = check_public_access(c);
	if (!err && c->req.header[H_CONTENT_MD5])
		err = ds_call_verify_body(c);
	if (err)
		return err;
	if (c->req.body_len) {
		err = ds_xml_policies(c->req.body, c->req.body_len, policies);
		if (err)
			return err;
	}
	if (!obj->policies)
		obj->policies = malloc(sizeof(policies));
	if (!obj->policies)
		return ERR_InternalError;
	memcpy(obj->policies, policies, sizeof(policies));
	return DS_OK;
}

enum ds_err ds_op_SetContainerACL(struct ds_call *c)
{
	return change(c, take_policies);
}

static void add_time(struct text *t, const char *name, int64_t ticks)
{
	char iso[DATE_ISO];

	if (!ticks)
		return;
	date_iso(ticks, iso);
	ds_xml_element(t, name, iso);
}

static void add_policy(struct text *t, const struct ds_policy *p)
{
	text_add(t, "<SignedIdentifier>");
	ds_xml_element(t, "Id", p->id);
	text_add(t, "<AccessPolicy>");
	add_time(t, "Start", p->start);
	add_time(t, "Expiry", p->expiry);
	if (p->permissions[0])
		ds_xml_element(t, "Permission", p->permissions);
	text_add(t, "</AccessPolicy></SignedIdentifier>");
}

static enum ds_err get_policies(struct ds_call *c, struct ds_object *obj)
{
	struct text t = { 0 };
	enum ds_err err = ds_call_check_read(c, obj);

	if (err)
		return err;
	text_add(&t, DS_XML_HEAD "<SignedIdentifiers>");
	for (size_t i = 0; obj->policies && i < DS_MAX_POLICIES; i++)
		if (obj->policies[i].id[0])
			add_policy(&t, &obj->policies[i]);
	text_add(&t, "</SignedIdentifiers>");
	if (t.failed) {
		text_free(&t);
		return ERR_InternalError;
	}
	ds_response_version(c, obj);
	ds_response_xml(c, &t);
	c->response.status = 200;
	return DS_OK;
}

enum ds_err ds_op_GetContainerACL(struct ds_call *c)
{
	return ds_call_on_container(c, get_policies);
}
