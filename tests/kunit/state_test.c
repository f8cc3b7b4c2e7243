// SPDX-License-Identifier: GPL-2.0-only
/* Every transition between a drive's states, and what holds in each. */
#include <kunit/test.h>

#include "state.h"

#define LIMIT BIT(CDRIVE_PARK_LIMIT)
#define CREDENTIAL BIT(CDRIVE_PARK_CREDENTIAL)
#define REASONS (BIT(CDRIVE_PARK_HELPER) | BIT(CDRIVE_PARK_ASKED) | \
		 BIT(CDRIVE_PARK_LEASE) | LIMIT | CREDENTIAL)

static const enum cdrive_park_reason reasons[] = {
	CDRIVE_PARK_HELPER,
	CDRIVE_PARK_ASKED,
	CDRIVE_PARK_LEASE,
	CDRIVE_PARK_CREDENTIAL,
};

/* All there are: live; parked or failing by each set of reasons; fenced, gone. */
#define STANDINGS 34

static struct cdrive_standing standing(unsigned int i)
{
	struct cdrive_standing s;

	cdrive_standing_init(&s, 300);
	switch (i) {
	case 0:
		break;
	case 32:
		s.state = CDRIVE_STATE_FENCED;
		break;
	case 33:
		s.state = CDRIVE_STATE_GONE;
		break;
	default:
		s.state = i & LIMIT ? CDRIVE_STATE_FAILING :
				      CDRIVE_STATE_PARKED;
		s.park_reasons = i;
	}
	return s;
}

static void expect(struct kunit *test, const struct cdrive_standing *s,
		   enum cdrive_state state, u32 park_reasons)
{
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(s->state),
			   cdrive_state_name(state));
	KUNIT_EXPECT_EQ(test, s->park_reasons, park_reasons);
	KUNIT_EXPECT_EQ(test, s->park_reasons != 0,
			s->state == CDRIVE_STATE_PARKED ||
			s->state == CDRIVE_STATE_FAILING);
}

static void begins_live(struct kunit *test)
{
	struct cdrive_standing s;

	cdrive_standing_init(&s, 300);
	expect(test, &s, CDRIVE_STATE_LIVE, 0);
	KUNIT_EXPECT_TRUE(test, cdrive_standing_forwards(&s, S64_MAX));
}

static void parks(struct kunit *test)
{
	unsigned int i, r;

	for (i = 0; i < STANDINGS; i++) {
		for (r = 0; r < ARRAY_SIZE(reasons); r++) {
			struct cdrive_standing s = standing(i), was = s;
			bool first = cdrive_standing_park(&s, reasons[r]);

			KUNIT_EXPECT_EQ(test, first,
					was.state == CDRIVE_STATE_LIVE);
			if (was.state == CDRIVE_STATE_FAILING)
				expect(test, &s, CDRIVE_STATE_FAILING,
				       was.park_reasons | BIT(reasons[r]));
			else if (was.state <= CDRIVE_STATE_PARKED)
				expect(test, &s, CDRIVE_STATE_PARKED,
				       was.park_reasons | BIT(reasons[r]));
			else
				expect(test, &s, was.state, 0);
		}
	}
}

/* The state that a drive which is not fenced has by its reasons. */
static enum cdrive_state by_reasons(u32 left)
{
	if (left & LIMIT)
		return CDRIVE_STATE_FAILING;
	return left ? CDRIVE_STATE_PARKED : CDRIVE_STATE_LIVE;
}

static void unparks(struct kunit *test)
{
	unsigned int i;
	u32 gone;

	for (i = 0; i < STANDINGS; i++) {
		for (gone = 0; gone <= REASONS; gone++) {
			struct cdrive_standing s = standing(i), was = s;
			bool another = cdrive_standing_unpark(&s, gone);
			u32 left = was.park_reasons & ~gone;

			if (was.state >= CDRIVE_STATE_FENCED) {
				KUNIT_EXPECT_FALSE(test, another);
				expect(test, &s, was.state, 0);
				continue;
			}
			KUNIT_EXPECT_EQ(test, another,
					by_reasons(left) != was.state);
			expect(test, &s, by_reasons(left), left);
		}
	}
}

/* For want of a credential it may wait for ever, whatever it waits for besides. */
static void limits(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STANDINGS; i++) {
		struct cdrive_standing s = standing(i);

		KUNIT_EXPECT_EQ(test, cdrive_standing_limited(&s),
				s.state == CDRIVE_STATE_PARKED &&
				!(s.park_reasons & CREDENTIAL));
	}
}

/* It goes on only when somebody says that he knows of the limit. */
static void expires(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STANDINGS; i++) {
		struct cdrive_standing s = standing(i), was = s;

		KUNIT_EXPECT_EQ(test, cdrive_standing_expire(&s),
				cdrive_standing_limited(&was));
		if (!cdrive_standing_limited(&was)) {
			expect(test, &s, was.state, was.park_reasons);
			continue;
		}
		expect(test, &s, CDRIVE_STATE_FAILING,
		       was.park_reasons | LIMIT);
		KUNIT_EXPECT_FALSE(test, cdrive_standing_takes(&s));
		KUNIT_EXPECT_FALSE(test, cdrive_standing_forwards(&s, 0));
		KUNIT_EXPECT_FALSE(test,
				   cdrive_standing_unpark(&s, REASONS & ~LIMIT));
		expect(test, &s, CDRIVE_STATE_FAILING, LIMIT);
		KUNIT_EXPECT_TRUE(test, cdrive_standing_unpark(&s, LIMIT));
		expect(test, &s, CDRIVE_STATE_LIVE, 0);
	}
}

static void ends(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STANDINGS; i++) {
		struct cdrive_standing s = standing(i), was = s;

		KUNIT_EXPECT_EQ(test,
				cdrive_standing_end(&s, CDRIVE_STATE_FENCED),
				was.state < CDRIVE_STATE_FENCED);
		expect(test, &s, max(was.state, CDRIVE_STATE_FENCED), 0);

		s = was;
		KUNIT_EXPECT_EQ(test, cdrive_standing_end(&s, CDRIVE_STATE_GONE),
				was.state != CDRIVE_STATE_GONE);
		expect(test, &s, CDRIVE_STATE_GONE, 0);
	}
}

static void errors(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STANDINGS; i++) {
		struct cdrive_standing s = standing(i);
		int err = cdrive_standing_error(&s);

		KUNIT_EXPECT_EQ(test, cdrive_standing_takes(&s),
				!err && s.state != CDRIVE_STATE_FAILING);
		KUNIT_EXPECT_EQ(test, err,
				s.state == CDRIVE_STATE_FENCED ? -ENOLINK :
				s.state == CDRIVE_STATE_GONE ? -ENODEV : 0);
	}
}

/* The reason is for people: the clock decides. */
static void clock_decides(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < STANDINGS; i++) {
		struct cdrive_standing s = standing(i);
		bool live = s.state == CDRIVE_STATE_LIVE;

		s.lease_until = 1000;
		KUNIT_EXPECT_EQ(test, cdrive_standing_forwards(&s, 999), live);
		KUNIT_EXPECT_FALSE(test, cdrive_standing_forwards(&s, 1000));
		KUNIT_EXPECT_TRUE(test, cdrive_standing_completes(&s, 999));
		KUNIT_EXPECT_FALSE(test, cdrive_standing_completes(&s, 1000));
		KUNIT_EXPECT_FALSE(test, cdrive_standing_completes(&s, S64_MAX));
	}
}

static void names(struct kunit *test)
{
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(CDRIVE_STATE_LIVE), "live");
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(CDRIVE_STATE_PARKED),
			   "parked");
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(CDRIVE_STATE_FAILING),
			   "failing");
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(CDRIVE_STATE_FENCED),
			   "fenced");
	KUNIT_EXPECT_STREQ(test, cdrive_state_name(CDRIVE_STATE_GONE), "gone");
}

static struct kunit_case cases[] = {
	KUNIT_CASE(begins_live),
	KUNIT_CASE(parks),
	KUNIT_CASE(unparks),
	KUNIT_CASE(limits),
	KUNIT_CASE(expires),
	KUNIT_CASE(ends),
	KUNIT_CASE(errors),
	KUNIT_CASE(clock_decides),
	KUNIT_CASE(names),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_state",
	.test_cases = cases,
};

kunit_test_suite(suite);
