// SPDX-License-Identifier: GPL-2.0-only
/* What outlives a helper: who may say it, and which lease ids are taken. */
#include <kunit/test.h>
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "memory.h"

static void the_helper_may(struct kunit *test)
{
	const struct cdrive_helper helper = { .cookie = 7 };

	KUNIT_EXPECT_TRUE(test, cdrive_may_remember(&helper, 7, false));
	KUNIT_EXPECT_TRUE(test, cdrive_may_remember(&helper, 7, true));
}

/* A drive's helper is the only one that knows: not even root knows better. */
static void nobody_else_may(struct kunit *test)
{
	const struct cdrive_helper helper = { .cookie = 7 };

	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&helper, 8, false));
	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&helper, 8, true));
	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&helper, 0, false));
	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&helper, 0, true));
}

/* Who is about to adopt it. */
static void without_helper_an_admin_may(struct kunit *test)
{
	const struct cdrive_helper none = {};

	KUNIT_EXPECT_TRUE(test, cdrive_may_remember(&none, 8, true));
	KUNIT_EXPECT_TRUE(test, cdrive_may_remember(&none, 0, true));
	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&none, 8, false));
	/* The cookie of a payload device that is bound to nothing. */
	KUNIT_EXPECT_FALSE(test, cdrive_may_remember(&none, 0, false));
}

static void lease_ids(struct kunit *test)
{
	static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";
	char longest[CDRIVE_MAX_LEASE_ID + 2];

	KUNIT_EXPECT_TRUE(test, cdrive_lease_id_is_valid(uuid, sizeof(uuid)));
	KUNIT_EXPECT_TRUE(test, cdrive_lease_id_is_valid("", 1));
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid("a b", 4));
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid("a\n", 3));
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid("\x7f", 2));
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid("\xc3\xa9", 3));
	/* Not terminated. */
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid(uuid, 36));
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid(uuid, 0));
	memset(longest, 'x', sizeof(longest));
	longest[CDRIVE_MAX_LEASE_ID + 1] = '\0';
	KUNIT_EXPECT_FALSE(test, cdrive_lease_id_is_valid(longest,
							  CDRIVE_MAX_LEASE_ID + 1));
	longest[CDRIVE_MAX_LEASE_ID] = '\0';
	KUNIT_EXPECT_TRUE(test, cdrive_lease_id_is_valid(longest,
							 CDRIVE_MAX_LEASE_ID + 1));
}

static void from_user_checks(struct kunit *test)
{
	struct cdrive_payload_remember told = { .lease_id = "id" };
	struct cdrive_memory *memory;

	told.notes_len = CDRIVE_MAX_NOTES + 1;
	KUNIT_EXPECT_PTR_EQ(test, cdrive_memory_from_user(&told),
			    (struct cdrive_memory *)ERR_PTR(-EINVAL));
	told.notes_len = 0;
	memset(told.lease_id, 'x', sizeof(told.lease_id));
	KUNIT_EXPECT_PTR_EQ(test, cdrive_memory_from_user(&told),
			    (struct cdrive_memory *)ERR_PTR(-EINVAL));
	memcpy(told.lease_id, "id", 3);
	told.sequence_number = 4;
	told.raising_to = 5;
	memory = cdrive_memory_from_user(&told);
	KUNIT_ASSERT_FALSE(test, IS_ERR(memory));
	KUNIT_EXPECT_TRUE(test, memory->told);
	KUNIT_EXPECT_EQ(test, memory->sequence_number, 4);
	KUNIT_EXPECT_EQ(test, memory->raising_to, 5);
	KUNIT_EXPECT_STREQ(test, memory->lease_id, "id");
	KUNIT_EXPECT_EQ(test, memory->notes_len, 0);
	kfree(memory);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(the_helper_may),
	KUNIT_CASE(nobody_else_may),
	KUNIT_CASE(without_helper_an_admin_may),
	KUNIT_CASE(lease_ids),
	KUNIT_CASE(from_user_checks),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_memory",
	.test_cases = cases,
};

kunit_test_suite(suite);
