// SPDX-License-Identifier: MIT
/*
 * copies.c - copies that go on in the background
 *
 * A bit in each turn of the loop, so that everybody else is served between.
 * Until it is complete the destination is what Azure makes it: a blob of the
 * source's size, zero where nothing was copied yet, that nobody may write.  The
 * source must stay as it was at the beginning; a snapshot always does.  Where the
 * storage only shares blocks, a copy would be over before anybody can see that it
 * is pending: it takes a least time, so that clients have to wait for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devstore/service/blob.h"
#include "lib/log.h"

#define TURN_MS 5
#define STUCK_MS 1000 /* until it is tried again to save how a copy ended */

struct piece {
	uint64_t offset, len;
	bool cleared;
};

struct ds_copy {
	struct ds_copy *next;
	struct ds_object *to, *from; /* held */
	uint64_t position; /* of what is copied */
	struct piece *pieces; /* what differs; NULL: all is copied */
	size_t count, at;
	uint64_t begun; /* ns; 0: it is to be done at once */
};

static struct ds_copy *find(struct ds *ds, const struct ds_object *to)
{
	struct ds_copy *copy = ds->copies;

	while (copy && copy->to != to)
		copy = copy->next;
	return copy;
}

static void drop(struct ds *ds, struct ds_copy *copy)
{
	struct ds_copy **p = &ds->copies;

	while (*p != copy)
		p = &(*p)->next;
	*p = copy->next;
	ds_object_put(&ds->objects, copy->to);
	ds_object_put(&ds->objects, copy->from);
	free(copy->pieces);
	free(copy);
}

/* --- what differs ------------------------------------------------------------------- */

struct pieces {
	struct piece *v;
	size_t count, cap;
	bool failed;
};

static bool add_piece(void *arg, uint64_t offset, uint64_t len, bool cleared)
{
	struct pieces *p = arg;
	struct piece *v;

	if (p->count == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		v = reallocarray(p->v, p->cap, sizeof(*v));
		p->failed = !v;
		if (!v)
			return false;
		p->v = v;
	}
	p->v[p->count++] = (struct piece){ offset, len, cleared };
	return true;
}

/* An increment rewrites nothing else, so that the difference between the
 * snapshots that it makes is the one between those that it copies. */
static int find_pieces(struct ds *ds, struct ds_copy *copy, struct ds_object *older)
{
	struct pieces p = { 0 };
	int err;

	err = ds_object_open(&ds->objects, older);
	if (!err)
		err = ds_object_open(&ds->objects, copy->from);
	if (!err)
		err = storage_diff(copy->from->data, older->data, 0, copy->from->size, add_piece,
				   &p);
	if (!err && p.failed)
		err = -ENOMEM;
	if (!err && !p.count && !add_piece(&p, 0, 0, false)) /* it is not "all" */
		err = -ENOMEM;
	if (err) {
		free(p.v);
		return err;
	}
	copy->pieces = p.v;
	copy->count = p.count;
	return 0;
}

/* As much of a piece as there is room for; *done of it. */
static int copy_piece(struct ds_copy *copy, const struct piece *p, uint64_t max, uint64_t *done)
{
	uint64_t n = p->len < max ? p->len : max;
	void *buf;
	int err;

	if (p->cleared) {
		*done = p->len;
		return storage_clear(copy->to->data, p->offset, p->len);
	}
	*done = n < DS_MAX_PAGES ? n : DS_MAX_PAGES;
	if (!*done)
		return 0;
	buf = malloc(*done);
	if (!buf)
		return -ENOMEM;
	err = storage_read(copy->from->data, p->offset, buf, *done);
	if (!err)
		err = storage_write(copy->to->data, p->offset, buf, *done);
	free(buf);
	return err;
}

static int copy_pieces(struct ds_copy *copy, uint64_t max)
{
	while (copy->at < copy->count && max) {
		struct piece *p = &copy->pieces[copy->at];
		uint64_t done;
		int err = copy_piece(copy, p, max, &done);

		if (err)
			return err;
		p->offset += done;
		p->len -= done;
		max -= done < max ? done : max;
		copy->position = p->offset;
		copy->at += !p->len;
	}
	if (copy->at == copy->count)
		copy->position = copy->to->copy_total;
	return 0;
}

/* --- steps ---------------------------------------------------------------------------- */

/* An incremental copy ends as a snapshot of what it has made. */
static bool make_snapshot(struct ds *ds, struct ds_object *to)
{
	struct ds_object *snapshot;
	char name[DATE_ISO];
	bool made;

	made = !ds_snapshot(ds, NULL, to, &snapshot, name) && ds_object_set(to, DS_COPY_MADE, name);
	ds_object_put(&ds->objects, snapshot);
	return made;
}

/* The copy's end, with a new ETag: successful, or @why it isn't.  Not 0: it could not
 * be saved, and is to be tried again. */
static int end(struct ds *ds, struct ds_object *to, const char *why)
{
	struct ds_object *draft = ds_object_draft(&ds->objects, to);
	int err = -ENOMEM;

	if (!draft)
		return err;
	draft->copy = why ? DS_COPY_FAILED : DS_COPY_SUCCESS;
	draft->copied = to->copied;
	draft->copy_finished = date_now();
	ds_object_touch(&ds->objects, draft);
	if (!why && to->incremental && !make_snapshot(ds, draft)) {
		draft->copy = DS_COPY_FAILED;
		why = "500 InternalError \"no snapshot\"";
	}
	if (!why || ds_object_set(draft, DS_COPY_DESCRIPTION, why))
		err = ds_object_commit(&ds->objects, to, draft);
	ds_object_put(&ds->objects, draft);
	if (err)
		log_error("copy to %s/%s: its end can't be saved: %s", to->key.container,
			  to->key.blob, strerror(-err));
	return err;
}

/* Why it can't go on, or NULL. */
static const char *step(struct ds *ds, struct ds_copy *copy, uint64_t max)
{
	struct ds_object *to = copy->to, *from = copy->from;
	int err;

	if (from->etag != to->source_etag)
		return "412 ConditionNotMet \"The source was changed.\"";
	err = ds_object_open(&ds->objects, to);
	if (!err)
		err = ds_object_open(&ds->objects, from);
	if (!err)
		err = copy->pieces ? copy_pieces(copy, max) :
				     storage_copy(to->data, from->data, &copy->position, max);
	switch (err) {
	case 0:
		return NULL;
	case -ENOENT:
		return "404 BlobNotFound \"The source was deleted.\"";
	case -ENOSPC:
	case -EDQUOT:
		return "507 InsufficientStorage \"The disk that holds devstore's data is full.\"";
	default:
		log_error("copy to %s/%s: %s", to->key.container, to->key.blob, strerror(-err));
		return "500 InternalError \"Copy failed.\"";
	}
}

/* How far it has come, by the bytes or by the clock, whichever is behind. */
static uint64_t progress(struct ds *ds, const struct ds_copy *copy)
{
	uint64_t total = copy->to->copy_total, at = copy->position, passed;

	if (at > total)
		at = total;
	passed = copy->begun ? loop_now() - copy->begun : ds->copy_least;
	if (passed < ds->copy_least) {
		uint64_t due = (uint64_t)((double)total * (double)passed / (double)ds->copy_least);

		at = due < at ? due : at;
	}
	return at;
}

enum outcome { GOES_ON, STUCK, ENDED };

/* One step. */
static enum outcome advance(struct ds *ds, struct ds_copy *copy, uint64_t max)
{
	struct ds_object *to = copy->to;
	const char *why = NULL;

	if (to->gone)
		return ENDED;
	if (copy->position < to->copy_total)
		why = step(ds, copy, max);
	to->copied = progress(ds, copy);
	if (!why && to->copied < to->copy_total)
		return GOES_ON;
	return end(ds, to, why) ? STUCK : ENDED;
}

static void on_timer(void *arg)
{
	struct ds *ds = arg;
	struct ds_copy *copy, *next;
	bool stuck = true;

	for (copy = ds->copies; copy; copy = next) {
		enum outcome how = advance(ds, copy, ds->copy_step);

		next = copy->next;
		stuck &= how == STUCK;
		if (how == ENDED)
			drop(ds, copy);
	}
	if (ds->copies)
		loop_timer_arm(ds->loop, &ds->copy_timer, LOOP_MS(stuck ? STUCK_MS : TURN_MS));
}

void ds_copy_init(struct ds *ds)
{
	loop_timer_init(&ds->copy_timer, on_timer, ds);
}

enum ds_err ds_copy_start(struct ds *ds, struct ds_object *to, struct ds_object *from,
			  struct ds_object *older)
{
	struct ds_copy *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return ERR_InternalError;
	copy->to = ds_object_hold(to);
	copy->from = ds_object_hold(from);
	copy->next = ds->copies;
	ds->copies = copy;
	if (older && find_pieces(ds, copy, older)) {
		drop(ds, copy);
		return ERR_InternalError;
	}
	if (from->size <= ds->async_above) {
		enum outcome how;

		do {
			how = advance(ds, copy, UINT64_MAX);
		} while (how == GOES_ON);
		if (how == ENDED) {
			drop(ds, copy);
			return to->copy == DS_COPY_FAILED ? ERR_InternalError : DS_OK;
		}
	} else {
		copy->begun = loop_now();
	}
	loop_timer_arm(ds->loop, &ds->copy_timer, LOOP_MS(TURN_MS));
	return DS_OK;
}

void ds_copy_wake(struct ds *ds, struct ds_object *to)
{
	struct ds_object *from;
	struct storage_key key;
	const char *url, *host;

	if (to->copy != DS_COPY_PENDING || to->key.snapshot || find(ds, to))
		return;
	url = to->text[DS_COPY_SOURCE];
	host = url ? strstr(url, "://") : NULL;
	if (host) {
		char here[256];

		/* It was checked when the copy began; the port may be another now. */
		text_copy(here, sizeof(here), host + 3, strcspn(host + 3, "/"));
		if (!ds_copy_source_key(ds, url, here, &key) &&
		    !ds_object_get(&ds->objects, &key, &from)) {
			ds_copy_start(ds, to, from, NULL);
			ds_object_put(&ds->objects, from);
			return;
		}
	}
	(void)end(ds, to, "404 BlobNotFound \"The source is not there any more.\"");
}

void ds_copy_cancel(struct ds *ds, const struct ds_object *to)
{
	struct ds_copy *copy, *next;

	for (copy = ds->copies; copy; copy = next) {
		next = copy->next;
		if (copy->to == to || (to->type == DS_CONTAINER &&
				       !strcmp(copy->to->key.container, to->key.container) &&
				       !strcmp(copy->to->key.account, to->key.account)))
			drop(ds, copy);
	}
}

void ds_copy_end_all(struct ds *ds)
{
	loop_timer_cancel(ds->loop, &ds->copy_timer);
	while (ds->copies)
		drop(ds, ds->copies);
}
