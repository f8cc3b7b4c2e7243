// SPDX-License-Identifier: MIT
/*
 * record.c - an object's record as bytes: fields of a tag, a length, and as many
 * bytes; integers are 8 bytes, little endian.  A tag that is not known is an
 * error: the record was written by a newer devstore, and to drop what it says
 * would lose it.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/service/object.h"
#include "lib/date.h"
#include "lib/loop.h"

enum tag {
	TAG_TYPE = 1,
	TAG_SIZE,
	TAG_ETAG,
	TAG_SEQUENCE,
	TAG_CREATED,
	TAG_MODIFIED,
	TAG_METADATA,
	TAG_POLICIES,
	TAG_COPY,
	TAG_INCREMENTAL,
	TAG_COPIED,
	TAG_COPY_TOTAL,
	TAG_COPY_FINISHED,
	TAG_SOURCE_ETAG,
	TAG_MARKED,
	TAG_LEASE_STATE,
	TAG_LEASE_ID,
	TAG_LEASE_DURATION,
	TAG_LEASE_UNTIL, /* ticks of the wall clock: the machine may start anew */
	TAG_TEXT = 64, /* and the text's number */
};

static void put(struct text *t, unsigned int tag, const void *data, size_t len)
{
	uint32_t head[2] = { htole32(tag), htole32((uint32_t)len) };

	text_addn(t, (const char *)head, sizeof(head));
	text_addn(t, data, len);
}

static void put_number(struct text *t, unsigned int tag, uint64_t v)
{
	if (!v)
		return;
	v = htole64(v);
	put(t, tag, &v, sizeof(v));
}

static uint64_t lease_until(const struct ds_lease *l)
{
	if (l->until == DS_LEASE_NEVER || !l->until)
		return l->until;
	return (uint64_t)(date_now() + ((int64_t)l->until - (int64_t)loop_now()) / 100);
}

static void put_lease(struct text *t, const struct ds_lease *l)
{
	if (l->state == DS_LEASE_AVAILABLE)
		return;
	put_number(t, TAG_LEASE_STATE, l->state);
	put(t, TAG_LEASE_ID, l->id, strlen(l->id));
	put_number(t, TAG_LEASE_DURATION, (uint64_t)l->duration);
	put_number(t, TAG_LEASE_UNTIL, lease_until(l));
}

int ds_object_encode(const struct ds_object *obj, void **data, size_t *len)
{
	struct text t = { 0 };

	put_number(&t, TAG_TYPE, obj->type);
	put_number(&t, TAG_SIZE, obj->size);
	put_number(&t, TAG_ETAG, obj->etag);
	put_number(&t, TAG_SEQUENCE, obj->sequence);
	put_number(&t, TAG_CREATED, (uint64_t)obj->created);
	put_number(&t, TAG_MODIFIED, (uint64_t)obj->modified);
	put_number(&t, TAG_COPY, obj->copy);
	put_number(&t, TAG_INCREMENTAL, obj->incremental);
	put_number(&t, TAG_COPIED, obj->copied);
	put_number(&t, TAG_COPY_TOTAL, obj->copy_total);
	put_number(&t, TAG_COPY_FINISHED, (uint64_t)obj->copy_finished);
	put_number(&t, TAG_SOURCE_ETAG, obj->source_etag);
	put_number(&t, TAG_MARKED, obj->marked);
	put_lease(&t, &obj->lease);
	if (obj->metadata_len)
		put(&t, TAG_METADATA, obj->metadata, obj->metadata_len);
	if (obj->policies)
		put(&t, TAG_POLICIES, obj->policies, DS_MAX_POLICIES * sizeof(*obj->policies));
	for (unsigned int i = 0; i < DS_TEXTS; i++)
		if (obj->text[i])
			put(&t, TAG_TEXT + i, obj->text[i], strlen(obj->text[i]));
	if (t.failed) {
		text_free(&t);
		return -ENOMEM;
	}
	*data = t.s;
	*len = t.len;
	return 0;
}

/* --- reading -------------------------------------------------------------------- */

static void read_lease_until(struct ds_lease *l, uint64_t v)
{
	int64_t left;

	if (v == DS_LEASE_NEVER) {
		l->until = v;
		return;
	}
	left = (int64_t)v - date_now();
	/* Never longer than it may be, whatever the wall clock did meanwhile. */
	if (left > 60 * DATE_TICKS)
		left = 60 * DATE_TICKS;
	l->until = left > 0 ? loop_now() + (uint64_t)left * 100 : 1;
}

static char *copy(const char *data, size_t len)
{
	char *p = malloc(len + 1);

	if (!p)
		return NULL;
	memcpy(p, data, len);
	p[len] = '\0';
	return p;
}

static int read_metadata(struct ds_object *obj, const char *data, size_t len)
{
	size_t nuls = 0;

	for (size_t i = 0; i < len; i++)
		nuls += !data[i];
	if (!len || data[len - 1] || nuls % 2 || obj->metadata)
		return -EBADMSG;
	obj->metadata = copy(data, len);
	obj->metadata_len = len;
	return obj->metadata ? 0 : -ENOMEM;
}

static int read_policies(struct ds_object *obj, const char *data, size_t len)
{
	if (len != DS_MAX_POLICIES * sizeof(*obj->policies) || obj->policies)
		return -EBADMSG;
	obj->policies = malloc(len);
	if (!obj->policies)
		return -ENOMEM;
	memcpy(obj->policies, data, len);
	for (size_t i = 0; i < DS_MAX_POLICIES; i++) {
		struct ds_policy *p = &obj->policies[i];

		p->id[sizeof(p->id) - 1] = p->permissions[sizeof(p->permissions) - 1] = '\0';
	}
	return 0;
}

static int read_bytes(struct ds_object *obj, unsigned int tag, const char *data, size_t len)
{
	switch (tag) {
	case TAG_METADATA:
		return read_metadata(obj, data, len);
	case TAG_POLICIES:
		return read_policies(obj, data, len);
	case TAG_LEASE_ID:
		if (len >= sizeof(obj->lease.id))
			return -EBADMSG;
		memcpy(obj->lease.id, data, len);
		obj->lease.id[len] = '\0';
		return 0;
	default:
		break;
	}
	if (tag < TAG_TEXT || tag >= TAG_TEXT + DS_TEXTS || obj->text[tag - TAG_TEXT])
		return -EBADMSG;
	obj->text[tag - TAG_TEXT] = copy(data, len);
	return obj->text[tag - TAG_TEXT] ? 0 : -ENOMEM;
}

static bool read_number(struct ds_object *obj, unsigned int tag, uint64_t v)
{
	switch (tag) {
	case TAG_TYPE:
		obj->type = (enum ds_type)v;
		return v <= DS_BLOCK_BLOB;
	case TAG_SIZE:
		obj->size = v;
		return true;
	case TAG_ETAG:
		obj->etag = v;
		return true;
	case TAG_SEQUENCE:
		obj->sequence = v;
		return true;
	case TAG_CREATED:
		obj->created = (int64_t)v;
		return true;
	case TAG_MODIFIED:
		obj->modified = (int64_t)v;
		return true;
	case TAG_COPY:
		obj->copy = (enum ds_copy_status)v;
		return v <= DS_COPY_FAILED;
	case TAG_INCREMENTAL:
		obj->incremental = v != 0;
		return true;
	case TAG_COPIED:
		obj->copied = v;
		return true;
	case TAG_COPY_TOTAL:
		obj->copy_total = v;
		return true;
	case TAG_COPY_FINISHED:
		obj->copy_finished = (int64_t)v;
		return true;
	case TAG_SOURCE_ETAG:
		obj->source_etag = v;
		return true;
	case TAG_MARKED:
		obj->marked = v != 0;
		return true;
	case TAG_LEASE_STATE:
		obj->lease.state = (enum ds_lease_state)v;
		return v <= DS_LEASE_EXPIRED;
	case TAG_LEASE_DURATION:
		obj->lease.duration = (int)v;
		return true;
	case TAG_LEASE_UNTIL:
		read_lease_until(&obj->lease, v);
		return true;
	default:
		return false;
	}
}

static bool is_number(unsigned int tag)
{
	return tag < TAG_TEXT && tag != TAG_METADATA && tag != TAG_POLICIES && tag != TAG_LEASE_ID;
}

int ds_object_decode(struct ds_object *obj, const void *data, size_t len)
{
	const char *p = data;

	obj->type = DS_CONTAINER;
	while (len) {
		uint32_t head[2], tag, size;
		uint64_t v;
		int err;

		if (len < sizeof(head))
			return -EBADMSG;
		memcpy(head, p, sizeof(head));
		tag = le32toh(head[0]);
		size = le32toh(head[1]);
		p += sizeof(head);
		len -= sizeof(head);
		if (size > len)
			return -EBADMSG;
		if (is_number(tag)) {
			if (size != sizeof(v))
				return -EBADMSG;
			memcpy(&v, p, sizeof(v));
			err = read_number(obj, tag, le64toh(v)) ? 0 : -EBADMSG;
		} else {
			err = read_bytes(obj, tag, p, size);
		}
		if (err)
			return err;
		p += size;
		len -= size;
	}
	return 0;
}
