// SPDX-License-Identifier: GPL-2.0-only
/* Tags and payload offsets: all that goes in comes out again, and no more. */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "tag.h"

#define GENERATIONS BIT(32 - CDRIVE_TAG_SLOT_BITS)

static void slots(struct kunit *test)
{
	static const u32 generations[] = { 0, 1, 77, GENERATIONS - 1 };
	unsigned int slot, g;

	for (slot = 0; slot < CDRIVE_QUEUE_DEPTH; slot++) {
		for (g = 0; g < ARRAY_SIZE(generations); g++) {
			u32 tag = cdrive_tag(slot, generations[g]);

			KUNIT_EXPECT_EQ(test, cdrive_tag_slot(tag), slot);
			KUNIT_EXPECT_EQ(test, tag >> CDRIVE_TAG_SLOT_BITS,
					generations[g]);
		}
	}
}

static void generations_differ(struct kunit *test)
{
	u32 first = cdrive_tag(5, 0);
	u32 generation;

	for (generation = 1; generation < GENERATIONS; generation++) {
		if (cdrive_tag(5, generation) == first)
			break;
	}
	KUNIT_EXPECT_EQ(test, generation, GENERATIONS);
	/* Then they come round, in the same slot. */
	KUNIT_EXPECT_EQ(test, cdrive_tag(5, GENERATIONS), first);
}

static void expect_offset(struct kunit *test, u32 index, u32 tag, u32 pos)
{
	loff_t offset = CDRIVE_PAYLOAD_OFFSET(index, tag, pos);

	KUNIT_EXPECT_GE(test, offset, 0);
	KUNIT_EXPECT_EQ(test, cdrive_payload_index(offset), index);
	KUNIT_EXPECT_EQ(test, cdrive_payload_tag(offset), tag);
	KUNIT_EXPECT_EQ(test, cdrive_payload_pos(offset), pos);
}

static void offsets(struct kunit *test)
{
	const u32 last = CDRIVE_MAX_TRANSFER - 1;
	struct rnd_state rnd;
	unsigned int i;

	expect_offset(test, 0, 0, 0);
	expect_offset(test, 0, 0, last);
	expect_offset(test, 0, U32_MAX, 0);
	expect_offset(test, CDRIVE_MAX_DRIVES - 1, 0, 0);
	expect_offset(test, CDRIVE_MAX_DRIVES - 1, U32_MAX, last);

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 10000; i++)
		expect_offset(test, prandom_u32_state(&rnd) % CDRIVE_MAX_DRIVES,
			      prandom_u32_state(&rnd),
			      prandom_u32_state(&rnd) % CDRIVE_MAX_TRANSFER);
}

/* The byte behind a request's last is not of the same request. */
static void position_runs_over(struct kunit *test)
{
	u32 tag = cdrive_tag(3, 9);
	loff_t offset = CDRIVE_PAYLOAD_OFFSET(2, tag, CDRIVE_MAX_TRANSFER - 1);

	KUNIT_EXPECT_EQ(test, cdrive_payload_pos(offset + 1), 0);
	KUNIT_EXPECT_NE(test, cdrive_payload_tag(offset + 1), tag);
}

static void no_such_drive(struct kunit *test)
{
	u32 index = cdrive_payload_index(S64_MAX);

	KUNIT_EXPECT_GE(test, index, CDRIVE_MAX_DRIVES);
	KUNIT_EXPECT_EQ(test, cdrive_payload_index((loff_t)CDRIVE_MAX_DRIVES <<
						   (CDRIVE_PAYLOAD_POS_BITS +
						    CDRIVE_PAYLOAD_TAG_BITS)),
			CDRIVE_MAX_DRIVES);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(slots),
	KUNIT_CASE(generations_differ),
	KUNIT_CASE(offsets),
	KUNIT_CASE(position_runs_over),
	KUNIT_CASE(no_such_drive),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_tag",
	.test_cases = cases,
};

kunit_test_suite(suite);
