// SPDX-License-Identifier: MIT
#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "azure/blob.h"

uint64_t late_version(const unsigned char *sector)
{
	uint64_t version, word;

	memcpy(&version, sector, sizeof(version));
	for (unsigned int i = 8; i < LATE_SECTOR; i += 8) {
		memcpy(&word, sector + i, sizeof(word));
		if (word != version)
			return UINT64_MAX;
	}
	return version;
}

void late_fill(unsigned char *sector, uint64_t version)
{
	for (unsigned int i = 0; i < LATE_SECTOR; i += 8)
		memcpy(sector + i, &version, sizeof(version));
}

/* --- the driver: payload ------------------------------------------------------ */

/* NULL: -ESTALE. */
static unsigned char *payload(struct link *l, uint32_t tag, size_t len, uint64_t pos)
{
	struct machine *m = l->machine;
	unsigned int slot = tag & CDRIVE_TAG_SLOT_MASK;

	if (slot >= MACHINE_DEPTH || !m->slot[slot].busy || m->slot[slot].desc.tag != tag ||
	    pos + len > (uint64_t)m->slot[slot].desc.sectors * LATE_SECTOR)
		return NULL;
	return m->slot[slot].data + pos;
}

int link_payload_read(struct link *l, uint32_t tag, void *buf, size_t len, uint64_t pos)
{
	unsigned char *p = payload(l, tag, len, pos);

	if (p)
		memcpy(buf, p, len);
	return p ? 0 : -ESTALE;
}

int link_payload_write(struct link *l, uint32_t tag, const void *buf, size_t len, uint64_t pos)
{
	unsigned char *p = payload(l, tag, len, pos);

	if (p)
		memcpy(p, buf, len);
	return p ? 0 : -ESTALE;
}

int link_payload_zero(struct link *l, uint32_t tag, uint64_t len, uint64_t pos)
{
	unsigned char *p = payload(l, tag, len, pos);

	if (p)
		memset(p, 0, len);
	return p ? 0 : -ESTALE;
}

/* --- the driver: requests ----------------------------------------------------- */

static void complete(void *arg, uint32_t tag, int status)
{
	struct machine *m = arg;
	unsigned int slot = tag & CDRIVE_TAG_SLOT_MASK;

	m->ops->ended(m, slot, status);
	m->slot[slot].busy = false;
	m->busy--;
}

void machine_submit(struct machine *m, uint32_t op, uint64_t sector, uint32_t sectors,
		    uint64_t version)
{
	unsigned int slot = 0;
	struct machine_slot *s;

	while (m->slot[slot].busy)
		slot++;
	s = &m->slot[slot];
	s->busy = true;
	s->landed = false;
	s->olders = 0;
	s->generation++;
	s->arrival = m->arrivals++;
	s->version = version;
	s->desc = (struct cdrive_descriptor){ .sector = sector,
					      .sectors = sectors,
					      .tag = slot | s->generation << CDRIVE_TAG_SLOT_BITS,
					      .op = op };
	/* A read must write all of it, so what is there is no version. */
	memset(s->data, 0x77, sizeof(s->data));
	for (uint32_t i = 0; op == CDRIVE_OP_WRITE && i < sectors; i++)
		late_fill(s->data + i * (size_t)LATE_SECTOR, version);
	m->busy++;
	io_queue_submit(&m->queue, &s->desc);
}

void machine_scribble(struct machine *m, unsigned int slot, uint64_t version)
{
	struct machine_slot *s = &m->slot[slot];

	s->older[s->olders++] = s->version;
	s->version = version;
	for (uint32_t i = 0; i < s->desc.sectors; i++)
		late_fill(s->data + i * (size_t)LATE_SECTOR, version);
}

/* All that is in flight, for a new helper, in order of arrival. */
static void replay(struct machine *m)
{
	uint64_t before = 0;

	for (unsigned int n = m->busy; n; n--) {
		struct machine_slot *first = NULL;

		for (unsigned int i = 0; i < MACHINE_DEPTH; i++) {
			struct machine_slot *s = &m->slot[i];

			if (s->busy && s->arrival >= before &&
			    (!first || s->arrival < first->arrival))
				first = s;
		}
		if (!first)
			return; /* some ended meanwhile */
		before = first->arrival + 1;
		io_queue_submit(&m->queue, &first->desc);
	}
}

void machine_fence(struct machine *m)
{
	m->state = MACHINE_FENCED;
	for (unsigned int i = 0; i < MACHINE_DEPTH; i++) {
		if (!m->slot[i].busy)
			continue;
		m->ops->failed(m, i);
		m->slot[i].busy = false;
	}
	m->busy = 0;
}

/* --- the helper, as drive.c has it -------------------------------------------- */

static void on_held(void *arg)
{
	struct machine *m = arg;

	store_run(&m->store);
}

static void on_deadline(void *arg, uint64_t until)
{
	(void)arg, (void)until;
}

static void on_lost(void *arg, const char *why)
{
	struct machine *m = arg;

	if (m->state == MACHINE_FENCED)
		return;
	snprintf(m->why, sizeof(m->why), "%s", why);
	lease_drop(&m->lease);
	io_queue_drop(&m->queue);
	machine_fence(m);
}

static void save(struct machine *m, uint64_t number, uint64_t raising_to)
{
	memcpy(m->record.lease_id, m->blob.lease_id, sizeof(m->record.lease_id));
	m->record.number = number;
	m->record.raising_to = raising_to;
}

static void on_forgotten(void *arg)
{
	(void)arg; /* nothing is cached here */
}

static void on_record(void *arg, uint64_t number, uint64_t raising_to)
{
	struct machine *m = arg;

	if (m->state == MACHINE_LIVE || m->resuming)
		save(m, number, raising_to);
}

static void on_trouble(void *arg, struct retry *r, const char *what, const struct az_error *err)
{
	(void)arg, (void)r, (void)what, (void)err;
}

static const struct lease_ops lease_ops = {
	.held = on_held,
	.deadline = on_deadline,
	.forgotten = on_forgotten,
	.lost = on_lost,
	.record = on_record,
	.trouble = on_trouble,
};

static void take_apart(struct machine *m)
{
	if (!m->client)
		return;
	lease_stop(&m->lease);
	io_queue_drop(&m->queue);
	store_stop(&m->store);
	az_client_free(m->client);
	pagemap_free(m->store.map);
	m->client = NULL;
	m->store.map = NULL;
}

static int put_together(struct machine *m)
{
	struct loop *loop = m->world->loop;

	take_apart(m);
	if (az_client_new(&m->client, loop, &(struct az_client_options){ 0 }))
		return -1;
	m->blob = m->world->blob;
	m->link.machine = m;
	lease_init(&m->lease, loop, m->client, &m->blob, &lease_ops, m);
	m->store = (struct store){
		.loop = loop,
		.client = m->client,
		.blob = &m->blob,
		.link = &m->link,
		.lease = &m->lease,
		.connections = m->connections,
		.buffers = m->buffers,
		.trouble = on_trouble,
		.lost = on_lost,
		.arg = m,
		.map = pagemap_new(LATE_SECTORS * LATE_SECTOR),
	};
	store_init(&m->store);
	io_queue_init(&m->queue, &store_ops, &m->store, complete, m);
	return m->store.map ? 0 : -1;
}

/* --- the helper's beginning, as open.c has it ----------------------------------- */

struct listing {
	struct az_sync sync; /* first: az_sync_done() gets the whole */
	struct pagemap *map;
};

static void have_range(void *arg, uint64_t offset, uint64_t len)
{
	struct listing *l = arg;

	pagemap_set(l->map, offset, len);
}

static int read_ranges(struct machine *m)
{
	struct listing l = { .map = m->store.map };

	if (!az_get_page_ranges(m->client, &m->blob, 0, UINT64_MAX, have_range, az_sync_done, &l) ||
	    az_sync_wait(m->world->loop, &l.sync))
		return -1;
	return l.sync.res.err.class == AZ_OK ? 0 : -1;
}

static int acquire(struct machine *m, bool force)
{
	struct az_props props;
	struct az_error err = { 0 };

	return lease_acquire(&m->lease, force, &props, &err);
}

static int resume(struct machine *m)
{
	struct az_props props;
	struct az_error err = { 0 };
	char why[128] = "";

	memcpy(m->blob.lease_id, m->record.lease_id, sizeof(m->blob.lease_id));
	if (!lease_resume(&m->lease, m->record.number, m->record.raising_to, &props, &err, why,
			  sizeof(why)))
		return 0;
	if (!why[0])
		return -1;
	snprintf(m->why, sizeof(m->why), "%s", why);
	return -2;
}

/* What was begun is undone, but for a drive that may be resumed yet. */
static void give_up(struct machine *m)
{
	struct az_error err;

	if (!m->resuming && !m->dying)
		lease_release(&m->lease, 10, &err);
	take_apart(m);
	m->state = m->resuming ? MACHINE_DEAD : MACHINE_OFF;
}

int machine_open(struct machine *m, bool force)
{
	int err;

	m->resuming = m->state == MACHINE_DEAD;
	m->dying = false;
	err = put_together(m);
	m->state = MACHINE_OPENING;
	if (!err)
		err = m->resuming ? resume(m) : acquire(m, force);
	if (!err) {
		m->ops->settled(m);
		err = read_ranges(m);
	}
	if (err || m->dying) {
		give_up(m);
		return err ? err : -1;
	}
	m->state = MACHINE_LIVE;
	save(m, m->lease.sequence.number, m->lease.sequence.raising_to);
	lease_start(&m->lease);
	if (m->resuming)
		replay(m);
	return 0;
}

/* --- its end -------------------------------------------------------------------- */

void machine_die(struct machine *m)
{
	if (m->state == MACHINE_OPENING) {
		m->dying = true;
		m->world->ops->interrupt(m->world);
		return;
	}
	take_apart(m);
	m->state = MACHINE_DEAD;
}

void machine_close(struct machine *m)
{
	struct az_error err;

	m->state = MACHINE_OPENING; /* neither here nor there */
	m->resuming = false;
	m->dying = false;
	lease_release(&m->lease, 10, &err);
	take_apart(m);
	m->state = MACHINE_OFF;
}

void machine_free(struct machine *m)
{
	take_apart(m);
	m->state = MACHINE_OFF;
}
