// SPDX-License-Identifier: MIT
/*
 * list.c - "List Blobs", "List Containers"
 *
 * A marker names the last item of a page, "NAME\nSNAPSHOT" in base64, and the
 * storage goes on after it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/service/service.h"
#include "devstore/service/xml.h"
#include "lib/base64.h"
#include "lib/date.h"

#define MAX_RESULTS 5000u
#define NAME_MAX_BYTES 4200 /* 1024 characters, and some */
#define MARKER_MAX (NAME_MAX_BYTES + 40)

struct list {
	struct ds_call *c;
	struct text items;
	const char *prefix, *delimiter;
	bool snapshots, metadata, copy;
	uint64_t left;
	enum ds_err err;

	char name[NAME_MAX_BYTES + 1], snapshot[32]; /* how far the list has come */
	char group[NAME_MAX_BYTES]; /* the BlobPrefix that was listed last */
	bool more;
};

/* --- markers ------------------------------------------------------------------------ */

/* *after is NULL where there is no marker. */
static enum ds_err read_marker(struct ds_call *c, struct storage_key *key,
			       const struct storage_key **after)
{
	const char *marker = ds_query(&c->req, "marker");
	char *name, *snapshot;
	ssize_t n;

	*after = NULL;
	if (!marker || !*marker)
		return DS_OK;
	name = ds_arena_alloc(&c->req.arena, MARKER_MAX);
	n = name ? base64_decode(marker, strlen(marker), name, MARKER_MAX - 1) : -1;
	if (n < 0)
		return ERR_OutOfRangeInput;
	name[n] = '\0';
	snapshot = strchr(name, '\n');
	if (!snapshot || strlen(name) != (size_t)n)
		return ERR_OutOfRangeInput;
	*snapshot++ = '\0';
	*key = (struct storage_key){ .account = c->req.account };
	key->container = c->req.container ? c->req.container : name;
	key->blob = c->req.container ? name : NULL;
	key->snapshot = *snapshot ? snapshot : NULL;
	*after = key;
	return DS_OK;
}

static void add_marker(struct text *t, const struct list *l)
{
	struct text plain = { 0 };
	char *coded;

	if (!l->more) {
		text_add(t, "<NextMarker/>");
		return;
	}
	text_add(&plain, l->name);
	text_add(&plain, "\n");
	text_add(&plain, l->snapshot);
	coded = plain.failed ? NULL : malloc(BASE64_SIZE(plain.len));
	if (coded) {
		base64_encode(plain.s, plain.len, coded);
		ds_xml_element(t, "NextMarker", coded);
	} else {
		t->failed = true;
	}
	free(coded);
	text_free(&plain);
}

static void came_to(struct list *l, const char *name, const char *snapshot)
{
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->snapshot, sizeof(l->snapshot), "%s", snapshot ? snapshot : "");
}

/* --- items --------------------------------------------------------------------------- */

static void add_date(struct text *t, const char *name, int64_t ticks)
{
	char http[DATE_HTTP];

	date_http(ticks, http);
	ds_xml_element(t, name, http);
}

static void add_optional(struct text *t, const char *name, const char *value)
{
	ds_xml_element(t, name, value ? value : "");
}

static void add_version(struct text *t, const struct ds_object *obj)
{
	char etag[DS_ETAG_TEXT];

	ds_etag_text(obj->etag, etag);
	etag[strlen(etag) - 1] = '\0'; /* without its quotes */
	add_date(t, "Last-Modified", obj->modified);
	ds_xml_element(t, "Etag", etag + 1);
}

static void add_lease(struct list *l, const struct ds_object *obj)
{
	enum ds_lease_state state = ds_lease_state(&obj->lease, l->c->mono);

	ds_xml_element(&l->items, "LeaseStatus", ds_lease_locked(state) ? "locked" : "unlocked");
	ds_xml_element(&l->items, "LeaseState", ds_lease_state_name(state));
	if (state == DS_LEASE_LEASED)
		ds_xml_element(&l->items, "LeaseDuration",
			       obj->lease.duration == DS_LEASE_INFINITE ? "infinite" : "fixed");
}

static void add_metadata(struct text *t, const struct ds_object *obj)
{
	struct ds_pair p;
	size_t at = 0;

	text_add(t, "<Metadata>");
	while (ds_object_metadata(obj, &at, &p))
		ds_xml_element(t, p.name + 10, p.value);
	text_add(t, "</Metadata>");
}

static void add_copy(struct text *t, const struct ds_object *obj)
{
	char progress[48];

	if (!obj->copy)
		return;
	ds_copy_progress(obj, progress, sizeof(progress));
	add_optional(t, "CopyId", obj->text[DS_COPY_ID]);
	add_optional(t, "CopySource", obj->text[DS_COPY_SOURCE]);
	ds_xml_element(t, "CopyStatus", ds_copy_status_name(obj->copy));
	ds_xml_element(t, "CopyProgress", progress);
	if (obj->copy_finished)
		add_date(t, "CopyCompletionTime", obj->copy_finished);
	if (obj->text[DS_COPY_DESCRIPTION])
		ds_xml_element(t, "CopyStatusDescription", obj->text[DS_COPY_DESCRIPTION]);
	if (obj->incremental) {
		text_add(t, "<IncrementalCopy>true</IncrementalCopy>");
		if (obj->text[DS_COPY_MADE])
			ds_xml_element(t, "CopyDestinationSnapshot", obj->text[DS_COPY_MADE]);
	}
}

static void add_properties(struct list *l, const struct ds_object *obj)
{
	struct text *t = &l->items;

	text_add(t, "<Properties>");
	add_date(t, "Creation-Time", obj->created);
	add_version(t, obj);
	text_addf(t, "<Content-Length>%llu</Content-Length>", (unsigned long long)obj->size);
	add_optional(t, "Content-Type", obj->text[DS_CONTENT_TYPE]);
	add_optional(t, "Content-Encoding", obj->text[DS_CONTENT_ENCODING]);
	add_optional(t, "Content-Language", obj->text[DS_CONTENT_LANGUAGE]);
	add_optional(t, "Content-MD5", obj->text[DS_CONTENT_MD5]);
	add_optional(t, "Cache-Control", obj->text[DS_CACHE_CONTROL]);
	add_optional(t, "Content-Disposition", obj->text[DS_CONTENT_DISPOSITION]);
	if (obj->type == DS_PAGE_BLOB)
		text_addf(t, "<x-ms-blob-sequence-number>%llu</x-ms-blob-sequence-number>",
			  (unsigned long long)obj->sequence);
	ds_xml_element(t, "BlobType", obj->type == DS_PAGE_BLOB ? "PageBlob" : "BlockBlob");
	if (!obj->key.snapshot)
		add_lease(l, obj);
	if (l->copy)
		add_copy(t, obj);
	text_add(t, "<ServerEncrypted>true</ServerEncrypted></Properties>");
}

static void add_blob(struct list *l, const struct ds_object *obj)
{
	struct text *t = &l->items;

	text_add(t, "<Blob>");
	ds_xml_element(t, "Name", obj->key.blob);
	if (obj->key.snapshot)
		ds_xml_element(t, "Snapshot", obj->key.snapshot);
	add_properties(l, obj);
	if (l->metadata)
		add_metadata(t, obj);
	text_add(t, "</Blob>");
}

static void add_container(struct list *l, const struct ds_object *obj)
{
	struct text *t = &l->items;

	text_add(t, "<Container>");
	ds_xml_element(t, "Name", obj->key.container);
	text_add(t, "<Properties>");
	add_version(t, obj);
	add_lease(l, obj);
	text_add(t, "<HasImmutabilityPolicy>false</HasImmutabilityPolicy>"
		    "<HasLegalHold>false</HasLegalHold></Properties>");
	if (l->metadata)
		add_metadata(t, obj);
	text_add(t, "</Container>");
}

/* --- walking -------------------------------------------------------------------------- */

/* The part of a name up to the first delimiter after the prefix; false: it has
 * none. */
static bool group_of(const struct list *l, const char *name, char group[NAME_MAX_BYTES])
{
	const char *at = NULL;

	if (l->delimiter && *l->delimiter)
		at = strstr(name + strlen(l->prefix), l->delimiter);
	if (!at)
		return false;
	snprintf(group, NAME_MAX_BYTES, "%.*s", (int)(at - name + (ptrdiff_t)strlen(l->delimiter)),
		 name);
	return true;
}

static bool room(struct list *l)
{
	l->more = !l->left;
	if (l->left)
		l->left--;
	return !l->more;
}

/* A group is one item, and done with, whatever else is in it. */
static bool list_group(struct list *l, const char *group)
{
	if (!strcmp(group, l->group))
		return true;
	if (!room(l))
		return false;
	memcpy(l->group, group, strlen(group) + 1);
	text_add(&l->items, "<BlobPrefix>");
	ds_xml_element(&l->items, "Name", group);
	text_add(&l->items, "</BlobPrefix>");
	/* After all names that begin so: no UTF-8 has this byte. */
	came_to(l, group, NULL);
	snprintf(l->name, sizeof(l->name), "%s\xff", group);
	return true;
}

static bool each(void *arg, const struct storage_key *key)
{
	struct list *l = arg;
	struct ds_object *obj;
	char group[NAME_MAX_BYTES];
	int err;

	if (key->snapshot && !l->snapshots)
		return true;
	if (key->blob && group_of(l, key->blob, group))
		return list_group(l, group);
	if (!room(l))
		return false;
	err = ds_object_get(&l->c->ds->objects, key, &obj);
	if (err) {
		l->err = ds_error_of(err);
		return false;
	}
	if (key->blob)
		add_blob(l, obj);
	else
		add_container(l, obj);
	came_to(l, key->blob ? key->blob : key->container, key->snapshot);
	ds_object_put(&l->c->ds->objects, obj);
	return !l->items.failed;
}

static bool includes(const char *list, const char *what)
{
	size_t len = strlen(what);

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(list, what, n))
			return true;
		list += n;
		list += *list == ',';
	}
	return false;
}

/* Only what the documentation knows; of some of it there is nothing here. */
static bool valid_include(const char *list)
{
	static const char known[] =
		"snapshots,metadata,uncommittedblobs,copy,deleted,tags,versions,"
		"deletedwithversions,immutabilitypolicy,legalhold,permissions,"
		"system";

	while (list && *list) {
		size_t n = strcspn(list, ",");
		char what[32];

		if (!n || n >= sizeof(what))
			return false;
		memcpy(what, list, n);
		what[n] = '\0';
		if (!includes(known, what))
			return false;
		list += n;
		list += *list == ',';
	}
	return true;
}

static enum ds_err read_query(struct ds_call *c, struct list *l)
{
	const char *max = ds_query(&c->req, "maxresults"), *include = ds_query(&c->req, "include");

	l->c = c;
	l->left = MAX_RESULTS;
	if (max && !text_u64(max, strlen(max), &l->left))
		return ERR_InvalidQueryParameterValue;
	if (!l->left)
		return ERR_OutOfRangeQueryParameterValue;
	if (l->left > MAX_RESULTS)
		l->left = MAX_RESULTS;
	l->prefix = ds_query(&c->req, "prefix");
	l->prefix = l->prefix ? l->prefix : "";
	l->delimiter = ds_query(&c->req, "delimiter");
	if (!valid_include(include))
		return ERR_InvalidQueryParameterValue;
	l->snapshots = includes(include, "snapshots");
	l->metadata = includes(include, "metadata");
	l->copy = includes(include, "copy");
	/* A list in groups has no place for snapshots. */
	if (l->delimiter && *l->delimiter && l->snapshots)
		return ERR_InvalidQueryParameterValue;
	return DS_OK;
}

static void add_echo(struct text *t, struct ds_call *c, const char *query, const char *name)
{
	const char *value = ds_query(&c->req, query);

	if (value)
		ds_xml_element(t, name, value);
}

static enum ds_err finish(struct ds_call *c, struct list *l, const char *items)
{
	const char *host = c->req.header[H_HOST];
	struct text t = { 0 };

	text_add(&t, DS_XML_HEAD "<EnumerationResults ServiceEndpoint=\"");
	text_add(&t, c->req.https ? "https://" : "http://");
	ds_xml_text(&t, host ? host : "");
	text_addf(&t, "/%s/\"", c->req.account);
	if (c->req.container)
		text_addf(&t, " ContainerName=\"%s\"", c->req.container);
	text_add(&t, ">");
	add_echo(&t, c, "prefix", "Prefix");
	add_echo(&t, c, "marker", "Marker");
	add_echo(&t, c, "maxresults", "MaxResults");
	add_echo(&t, c, "delimiter", "Delimiter");
	text_addf(&t, "<%s>", items);
	if (l->items.s)
		text_addn(&t, l->items.s, l->items.len);
	text_addf(&t, "</%s>", items);
	add_marker(&t, l);
	text_add(&t, "</EnumerationResults>");
	if (t.failed || l->items.failed) {
		text_free(&t);
		return ERR_InternalError;
	}
	ds_response_xml(c, &t);
	c->response.status = 200;
	return DS_OK;
}

static enum ds_err list(struct ds_call *c, const struct storage_key *parent, const char *items)
{
	struct list *l = calloc(1, sizeof(*l));
	const struct storage_key *after;
	struct storage_key key;
	enum ds_err err;
	int res;

	if (!l)
		return ERR_InternalError;
	err = read_query(c, l);
	if (!err)
		err = read_marker(c, &key, &after);
	if (!err) {
		res = storage_list(c->ds->storage, parent, l->prefix, after, each, l);
		err = l->err ? l->err : ds_error_of(res);
	}
	if (!err)
		err = finish(c, l, items);
	text_free(&l->items);
	free(l);
	return err;
}

enum ds_err ds_op_ListBlobs(struct ds_call *c)
{
	const struct storage_key parent = { .account = c->req.account,
					    .container = c->req.container };
	struct ds_object *container;
	enum ds_err err;

	err = ds_call_container(c, &container);
	if (err)
		return err;
	ds_call_put(c, container);
	return list(c, &parent, "Blobs");
}

enum ds_err ds_op_ListContainers(struct ds_call *c)
{
	const struct storage_key parent = { .account = c->req.account };

	return list(c, &parent, "Containers");
}
