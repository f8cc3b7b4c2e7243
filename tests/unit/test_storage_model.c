// SPDX-License-Identifier: MIT
/*
 * The storage engine against a model in memory: random operations on a blob and
 * its snapshots, each followed by a look at one version as a whole.
 */
#include "storage_fixture.h"

#define PAGE 512u
#define SIZE_MAX_ (2560u * 1024) /* more blocks than one page of an index has entries */
#define PAGES (SIZE_MAX_ / PAGE)
#define SNAPSHOTS 6

struct version {
	uint32_t size;
	uint32_t taken; /* when; of a snapshot */
	char name[16];
	uint32_t written[PAGES]; /* when; 0: holds no data */
	unsigned char *data;
};

struct model {
	struct fixture *f;
	struct version live, snapshots[SNAPSHOTS];
	unsigned int n; /* snapshots */
	uint32_t now;
};

static unsigned char buf[SIZE_MAX_];

static void copy_version(struct version *to, const struct version *from)
{
	unsigned char *data = to->data ? to->data : malloc(SIZE_MAX_);

	assert_non_null(data);
	*to = *from;
	to->data = memcpy(data, from->data, SIZE_MAX_);
}

/* A place within the blob: mostly small, sometimes large, often where others were. */
static void somewhere(const struct version *v, uint32_t *offset, uint32_t *len)
{
	uint32_t pages = v->size / PAGE, longest = chance(8) ? 24 : 1500;

	*offset = (uint32_t)chance(chance(4) && pages > 200 ? 200 : pages);
	*len = 1 + (uint32_t)chance(longest);
	if (*len > pages - *offset)
		*len = pages - *offset;
	if (!chance(3)) { /* whole blocks */
		*offset &= ~7u;
		*len = (*len & ~7u) ? *len & ~7u : *len;
	}
	*offset *= PAGE;
	*len *= PAGE;
}

/* --- what is compared ------------------------------------------------------------- */

struct seen {
	unsigned char page[PAGES]; /* 1: data, 2: cleared */
	uint64_t end; /* of the last range */
	unsigned char last;
};

static bool see(void *arg, uint64_t offset, uint64_t len, bool cleared)
{
	struct seen *s = arg;
	unsigned char kind = cleared ? 2 : 1;

	assert_true(len && offset + len <= SIZE_MAX_ && !(offset % PAGE) && !(len % PAGE));
	assert_true(offset > s->end || !s->end || (offset == s->end && kind != s->last));
	for (uint64_t p = offset / PAGE; p < (offset + len) / PAGE; p++)
		s->page[p] = kind;
	s->end = offset + len;
	s->last = kind;
	return true;
}

static bool see_data(void *arg, uint64_t offset, uint64_t len)
{
	return see(arg, offset, len, false);
}

static struct storage_blob *open_version(struct model *m, const struct version *v)
{
	return fixture_get(m->f, SNAPSHOT("disk", v->name[0] ? v->name : NULL));
}

static void compare(struct model *m, const struct version *v)
{
	struct storage_blob *b = open_version(m, v);
	struct seen s = { 0 };

	assert_int_equal(storage_blob_size(b), v->size);
	OK(storage_read(b, 0, buf, v->size));
	assert_memory_equal(buf, v->data, v->size);
	OK(storage_ranges(b, 0, v->size, see_data, &s));
	for (uint32_t p = 0; p < v->size / PAGE; p++)
		assert_int_equal(s.page[p], !!v->written[p]);
	storage_blob_put(b);
}

static void compare_part(struct model *m, const struct version *v)
{
	struct storage_blob *b = open_version(m, v);
	uint32_t offset, len;

	somewhere(v, &offset, &len);
	OK(storage_read(b, offset, buf, len));
	assert_memory_equal(buf, v->data + offset, len);
	storage_blob_put(b);
}

static void compare_diff(struct model *m, const struct version *v, const struct version *older)
{
	struct storage_blob *b = open_version(m, v), *o = open_version(m, older);
	struct seen s = { 0 };
	uint32_t from, len;

	somewhere(v, &from, &len);
	OK(storage_diff(b, o, from, len, see, &s));
	for (uint32_t p = from / PAGE; p < (from + len) / PAGE; p++) {
		bool had = p < older->size / PAGE && older->written[p];
		int want = v->written[p] ? v->written[p] > older->taken : had ? 2 : 0;

		assert_int_equal(s.page[p], want);
	}
	storage_blob_put(b);
	storage_blob_put(o);
}

/* --- what is done --------------------------------------------------------------------- */

static void do_write(struct model *m)
{
	struct storage_blob *b = open_version(m, &m->live);
	uint32_t offset, len;

	somewhere(&m->live, &offset, &len);
	fill(m->live.data + offset, len);
	OK(storage_write(b, offset, m->live.data + offset, len));
	for (uint32_t p = offset / PAGE; p < (offset + len) / PAGE; p++)
		m->live.written[p] = m->now;
	storage_blob_put(b);
}

static void forget(struct version *v, uint32_t offset, uint32_t len)
{
	memset(v->data + offset, 0, len);
	for (uint32_t p = offset / PAGE; p < (offset + len) / PAGE; p++)
		v->written[p] = 0;
}

static void do_clear(struct model *m)
{
	struct storage_blob *b = open_version(m, &m->live);
	uint32_t offset, len;

	somewhere(&m->live, &offset, &len);
	OK(storage_clear(b, offset, len));
	forget(&m->live, offset, len);
	storage_blob_put(b);
}

static void do_resize(struct model *m)
{
	struct storage_blob *b = open_version(m, &m->live);
	uint32_t size = (1 + (uint32_t)chance(PAGES)) * PAGE;

	OK(storage_resize(b, size, NULL));
	if (size < m->live.size)
		forget(&m->live, size, m->live.size - size);
	m->live.size = size;
	storage_blob_put(b);
}

static void do_snapshot(struct model *m)
{
	struct version *v = &m->snapshots[m->n];

	if (m->n == SNAPSHOTS)
		return;
	m->n++;
	copy_version(v, &m->live);
	v->taken = m->now;
	snprintf(v->name, sizeof(v->name), "%010u", m->now);
	OK(storage_snapshot(m->f->s, &SNAPSHOT("disk", v->name), META("snapshot")));
}

static void do_delete_snapshot(struct model *m)
{
	unsigned int i;
	unsigned char *data;

	if (!m->n)
		return;
	i = (unsigned int)chance(m->n);
	OK(storage_blob_delete(m->f->s, &SNAPSHOT("disk", m->snapshots[i].name)));
	data = m->snapshots[i].data;
	m->n--;
	memmove(&m->snapshots[i], &m->snapshots[i + 1], (m->n - i) * sizeof(*m->snapshots));
	m->snapshots[m->n].data = data;
}

static void do_replace(struct model *m)
{
	OK(storage_blob_create(m->f->s, &KEY("disk"), SIZE_MAX_, META("again")));
	forget(&m->live, 0, SIZE_MAX_);
	m->live.size = SIZE_MAX_;
}

static void do_purge(struct model *m)
{
	OK(storage_blob_purge(m->f->s, &KEY("disk"), true));
	m->n = 0;
}

/* To another blob, and back from it. */
static void do_copy(struct model *m)
{
	const struct version *v = m->n ? &m->snapshots[chance(m->n)] : &m->live;
	struct storage_blob *from = open_version(m, v);
	struct storage_blob *to = fixture_blob(m->f, "copy", v->size);
	uint64_t position = 0;
	struct seen s = { 0 };

	OK(storage_write(to, 0, buf, v->size / PAGE / 2 * PAGE)); /* to be cleared */
	while (position < v->size)
		OK(storage_copy(to, from, &position, 1 + PAGE * (1 + chance(1000))));
	OK(storage_read(to, 0, buf, v->size));
	assert_memory_equal(buf, v->data, v->size);
	OK(storage_ranges(to, 0, v->size, see_data, &s));
	for (uint32_t p = 0; p < v->size / PAGE; p++)
		assert_int_equal(s.page[p], !!v->written[p]);
	storage_blob_put(from);
	storage_blob_put(to);
	OK(storage_blob_delete(m->f->s, &KEY("copy")));
}

static void do_something(struct model *m)
{
	uint64_t what = chance(100);

	m->now++;
	if (what < 55)
		do_write(m);
	else if (what < 75)
		do_clear(m);
	else if (what < 78)
		do_resize(m);
	else if (what < 86)
		do_snapshot(m);
	else if (what < 91)
		do_delete_snapshot(m);
	else if (what < 92)
		do_replace(m);
	else if (what < 93)
		do_copy(m);
	else if (what < 94 && !chance(3))
		do_purge(m);
	else if (what < 96)
		fixture_reopen(m->f);
	else
		OK(storage_sync(m->f->s));
}

static void look(struct model *m)
{
	unsigned int i = (unsigned int)chance(m->n + 1);
	const struct version *v = i < m->n ? &m->snapshots[i] : &m->live;

	compare_part(m, v);
	if (!chance(8))
		compare(m, v);
	if (i && !chance(2))
		compare_diff(m, v, &m->snapshots[chance(i)]);
}

static void run(bool durable, uint64_t seed, unsigned int steps)
{
	struct model *m = calloc(1, sizeof(*m));
	struct storage_blob *b;

	assert_non_null(m);
	fixture_seed = seed;
	m->f = fixture_new(durable);
	m->live.size = SIZE_MAX_;
	m->live.data = calloc(1, SIZE_MAX_);
	assert_non_null(m->live.data);
	b = fixture_blob(m->f, "disk", SIZE_MAX_);
	storage_blob_put(b);
	while (steps--) {
		do_something(m);
		look(m);
	}
	fixture_reopen(m->f);
	compare(m, &m->live);
	for (unsigned int i = 0; i < m->n; i++)
		compare(m, &m->snapshots[i]);
	fixture_free(m->f);
	for (unsigned int i = 0; i < SNAPSHOTS; i++)
		free(m->snapshots[i].data);
	free(m->live.data);
	free(m);
}

static void fast(void **state)
{
	const char *seed = getenv("STORAGE_SEED"), *steps = getenv("STORAGE_STEPS");

	(void)state;
	run(false, seed ? strtoull(seed, NULL, 0) : 42, steps ? (unsigned int)atoi(steps) : 1500);
}

static void durable(void **state)
{
	const char *seed = getenv("STORAGE_SEED"), *steps = getenv("STORAGE_STEPS");

	(void)state;
	run(true, seed ? strtoull(seed, NULL, 0) : 43, steps ? (unsigned int)atoi(steps) : 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast),
		cmocka_unit_test(durable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
