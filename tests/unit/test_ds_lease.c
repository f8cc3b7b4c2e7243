// SPDX-License-Identifier: MIT
/*
 * The two tables of "Lease Blob": outcomes of use attempts and of lease
 * operations, for each state of a lease (A).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "devstore/service/lease.h"

#define A "aaaaaaaa-0000-4000-8000-000000000000"
#define B "bbbbbbbb-0000-4000-8000-000000000000"
#define C "cccccccc-0000-4000-8000-000000000000"
#define SECOND 1000000000ull
#define NOW (1000 * SECOND)

enum { AVAILABLE, LEASED, BREAKING, BROKEN, EXPIRED, STATES };

/* A lease of A in a state, at NOW; leased for 30 s, of which 20 are left. */
static struct ds_lease in(int state)
{
	struct ds_lease l = { 0 };
	int remaining;

	if (state == AVAILABLE)
		return l;
	assert_int_equal(ds_lease_acquire(&l, NOW - 10 * SECOND, 30, A, true), DS_OK);
	if (state == BREAKING)
		assert_int_equal(ds_lease_break(&l, NOW, 5, &remaining), DS_OK);
	if (state == BROKEN)
		assert_int_equal(ds_lease_break(&l, NOW, 0, &remaining), DS_OK);
	if (state == EXPIRED)
		l.until = NOW;
	assert_int_equal(ds_lease_state(&l, NOW), state);
	return l;
}

static void expect(const struct ds_lease *l, int state, const char *id)
{
	assert_int_equal(ds_lease_state(l, NOW), state);
	assert_string_equal(l->id, id ? id : "");
}

/* --- uses ----------------------------------------------------------------------- */

#define LOST ERR_LeaseLost
#define NONE ERR_LeaseNotPresentWithBlobOperation
#define OTHER ERR_LeaseIdMismatchWithBlobOperation
#define MISSING ERR_LeaseIdMissing

static void uses(void **state)
{
	static const struct {
		const char *id;
		enum ds_err write[STATES], read[STATES];
	} table[] = {
		{ A, { NONE, DS_OK, DS_OK, LOST, LOST }, { NONE, DS_OK, DS_OK, LOST, LOST } },
		{ B, { NONE, OTHER, OTHER, NONE, NONE }, { NONE, OTHER, OTHER, NONE, NONE } },
		{ NULL,
		  { DS_OK, MISSING, MISSING, DS_OK, DS_OK },
		  { DS_OK, DS_OK, DS_OK, DS_OK, DS_OK } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);

			assert_int_equal(ds_lease_check_write(&l, NOW, table[i].id, false),
					 table[i].write[s]);
			assert_int_equal(ds_lease_check_read(&l, NOW, table[i].id, false),
					 table[i].read[s]);
		}
	}
}

static void container_uses(void **state)
{
	struct ds_lease l = in(LEASED);

	(void)state;
	assert_int_equal(ds_lease_check_write(&l, NOW, B, true),
			 ERR_LeaseIdMismatchWithContainerOperation);
	l = in(AVAILABLE);
	assert_int_equal(ds_lease_check_read(&l, NOW, B, true),
			 ERR_LeaseNotPresentWithContainerOperation);
}

/* "Available, write succeeds": of an ended lease nothing stays. */
static void after_a_write(void **state)
{
	(void)state;
	for (int s = 0; s < STATES; s++) {
		struct ds_lease l = in(s);

		ds_lease_written(&l, NOW);
		if (s == LEASED || s == BREAKING)
			expect(&l, s, A);
		else
			expect(&l, AVAILABLE, NULL);
	}
}

/* --- operations ------------------------------------------------------------------- */

struct outcome {
	enum ds_err err;
	int state;
	const char *id;
};

#define FAILS(code)               \
	{                         \
		.err = ERR_##code \
	}
#define BECOMES(s, i)                   \
	{                               \
		.state = (s), .id = (i) \
	}

static void judge(const struct ds_lease *l, int before, enum ds_err err, const struct outcome *o)
{
	struct ds_lease unchanged = in(before);

	assert_int_equal(err, o->err);
	if (err)
		assert_memory_equal(l, &unchanged, sizeof(*l));
	else
		expect(l, o->state, o->id);
}

static void acquires(void **state)
{
	static const struct {
		const char *id;
		bool given;
		struct outcome after[STATES];
	} table[] = {
		{ C,
		  false,
		  { BECOMES(LEASED, C), FAILS(LeaseAlreadyPresent), FAILS(LeaseAlreadyPresent),
		    BECOMES(LEASED, C), BECOMES(LEASED, C) } },
		{ A,
		  true,
		  { BECOMES(LEASED, A), BECOMES(LEASED, A),
		    FAILS(LeaseIsBreakingAndCannotBeAcquired), BECOMES(LEASED, A),
		    BECOMES(LEASED, A) } },
		{ B,
		  true,
		  { BECOMES(LEASED, B), FAILS(LeaseAlreadyPresent), FAILS(LeaseAlreadyPresent),
		    BECOMES(LEASED, B), BECOMES(LEASED, B) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);
			enum ds_err err =
				ds_lease_acquire(&l, NOW, 60, table[i].id, table[i].given);

			judge(&l, s, err, &table[i].after[s]);
			if (!err)
				assert_int_equal(l.until, NOW + 60 * SECOND);
		}
	}
}

static void breaks(void **state)
{
	static const struct {
		int period, remaining[STATES];
		struct outcome after[STATES];
	} table[] = {
		{ 0,
		  { 0, 0, 0, 0, 0 },
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(BROKEN, A),
		    BECOMES(BROKEN, A), BECOMES(BROKEN, A), BECOMES(BROKEN, A) } },
		{ 3,
		  { 0, 3, 3, 0, 0 },
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(BREAKING, A),
		    BECOMES(BREAKING, A), BECOMES(BROKEN, A), BECOMES(BROKEN, A) } },
		/* Never longer than what is left. */
		{ 60,
		  { 0, 20, 5, 0, 0 },
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(BREAKING, A),
		    BECOMES(BREAKING, A), BECOMES(BROKEN, A), BECOMES(BROKEN, A) } },
		{ DS_BREAK_DEFAULT,
		  { 0, 20, 5, 0, 0 },
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(BREAKING, A),
		    BECOMES(BREAKING, A), BECOMES(BROKEN, A), BECOMES(BROKEN, A) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);
			int remaining;
			enum ds_err err = ds_lease_break(&l, NOW, table[i].period, &remaining);

			judge(&l, s, err, &table[i].after[s]);
			assert_int_equal(remaining, table[i].remaining[s]);
		}
	}
}

static void changes(void **state)
{
	static const struct {
		const char *from, *to;
		struct outcome after[STATES];
	} table[] = {
		{ A,
		  B,
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(LEASED, B),
		    FAILS(LeaseIsBreakingAndCannotBeChanged),
		    FAILS(LeaseNotPresentWithLeaseOperation),
		    FAILS(LeaseNotPresentWithLeaseOperation) } },
		/* Said twice. */
		{ B,
		  A,
		  { FAILS(LeaseNotPresentWithLeaseOperation), BECOMES(LEASED, A),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseNotPresentWithLeaseOperation),
		    FAILS(LeaseNotPresentWithLeaseOperation) } },
		{ B,
		  C,
		  { FAILS(LeaseNotPresentWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseNotPresentWithLeaseOperation),
		    FAILS(LeaseNotPresentWithLeaseOperation) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);
			enum ds_err err = ds_lease_change(&l, NOW, table[i].from, table[i].to);

			judge(&l, s, err, &table[i].after[s]);
		}
	}
}

static void renews(void **state)
{
	static const struct {
		const char *id;
		struct outcome after[STATES];
	} table[] = {
		{ A,
		  { FAILS(LeaseIdMismatchWithLeaseOperation), BECOMES(LEASED, A),
		    FAILS(LeaseIsBrokenAndCannotBeRenewed), FAILS(LeaseIsBrokenAndCannotBeRenewed),
		    BECOMES(LEASED, A) } },
		{ B,
		  { FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);
			enum ds_err err = ds_lease_renew(&l, NOW, table[i].id);

			judge(&l, s, err, &table[i].after[s]);
			if (!err)
				assert_int_equal(l.until, NOW + 30 * SECOND);
		}
	}
}

static void releases(void **state)
{
	static const struct {
		const char *id;
		struct outcome after[STATES];
	} table[] = {
		{ A,
		  { FAILS(LeaseIdMismatchWithLeaseOperation), BECOMES(AVAILABLE, NULL),
		    BECOMES(AVAILABLE, NULL), BECOMES(AVAILABLE, NULL),
		    BECOMES(AVAILABLE, NULL) } },
		{ B,
		  { FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation),
		    FAILS(LeaseIdMismatchWithLeaseOperation) } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		for (int s = 0; s < STATES; s++) {
			struct ds_lease l = in(s);
			enum ds_err err = ds_lease_release(&l, NOW, table[i].id);

			judge(&l, s, err, &table[i].after[s]);
		}
	}
}

/* --- time ---------------------------------------------------------------------------- */

static void ends(void **state)
{
	struct ds_lease l = in(LEASED);

	(void)state;
	assert_int_equal(ds_lease_state(&l, l.until - 1), DS_LEASE_LEASED);
	assert_int_equal(ds_lease_state(&l, l.until), DS_LEASE_EXPIRED);
	l = in(BREAKING);
	assert_int_equal(ds_lease_state(&l, l.until - 1), DS_LEASE_BREAKING);
	assert_int_equal(ds_lease_state(&l, l.until), DS_LEASE_BROKEN);
}

static void infinite(void **state)
{
	struct ds_lease l = { 0 };
	int remaining;

	(void)state;
	assert_int_equal(ds_lease_acquire(&l, NOW, DS_LEASE_INFINITE, A, true), DS_OK);
	assert_int_equal(ds_lease_state(&l, UINT64_MAX - 1), DS_LEASE_LEASED);
	assert_int_equal(ds_lease_renew(&l, NOW, A), DS_OK);
	assert_int_equal(l.until, DS_LEASE_NEVER);
	assert_int_equal(ds_lease_break(&l, NOW, 60, &remaining), DS_OK);
	assert_int_equal(remaining, 60);
	assert_int_equal(ds_lease_state(&l, NOW + 60 * SECOND), DS_LEASE_BROKEN);
	/* Without a period it is broken at once. */
	l = (struct ds_lease){ 0 };
	ds_lease_acquire(&l, NOW, DS_LEASE_INFINITE, A, true);
	assert_int_equal(ds_lease_break(&l, NOW, DS_BREAK_DEFAULT, &remaining), DS_OK);
	assert_int_equal(ds_lease_state(&l, NOW), DS_LEASE_BROKEN);
}

/* Expired, written to by another, renewed: the writer's data must be noticed. */
static void renewal_after_a_foreign_write(void **state)
{
	struct ds_lease l = in(EXPIRED);

	(void)state;
	ds_lease_written(&l, NOW);
	assert_int_equal(ds_lease_renew(&l, NOW, A), ERR_LeaseIdMismatchWithLeaseOperation);
}

static void expired_by_a_fault(void **state)
{
	struct ds_lease l = in(LEASED);

	(void)state;
	ds_lease_expire(&l, NOW);
	expect(&l, EXPIRED, A);
	assert_int_equal(ds_lease_check_write(&l, NOW, A, false), ERR_LeaseLost);
}

/* --- ids ------------------------------------------------------------------------------- */

static void ids(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "AAAAAAAA-0000-4000-8000-000000000000", true },
		{ "aaaaaaaa000040008000000000000000", true },
		{ "{aaaaaaaa-0000-4000-8000-000000000000}", true },
		{ "(aaaaaaaa-0000-4000-8000-000000000000)", true },
		{ "", false },
		{ "{}", false },
		{ "aaaaaaaa-0000-4000-8000-00000000000", false },
		{ "aaaaaaaa-0000-4000-8000-0000000000000", false },
		{ "aaaaaaaa-0000-4000-80000-00000000000", false },
		{ "gaaaaaaa-0000-4000-8000-000000000000", false },
		{ "{aaaaaaaa-0000-4000-8000-000000000000", false },
		{ "aaaaaaaa-0000-4000-8000-000000000000 ", false },
	};
	char id[DS_LEASE_ID];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(ds_lease_id(cases[i].text, id), cases[i].good);
		if (cases[i].good)
			assert_string_equal(id, A);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uses),
		cmocka_unit_test(container_uses),
		cmocka_unit_test(after_a_write),
		cmocka_unit_test(acquires),
		cmocka_unit_test(breaks),
		cmocka_unit_test(changes),
		cmocka_unit_test(renews),
		cmocka_unit_test(releases),
		cmocka_unit_test(ends),
		cmocka_unit_test(infinite),
		cmocka_unit_test(renewal_after_a_foreign_write),
		cmocka_unit_test(expired_by_a_fault),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
