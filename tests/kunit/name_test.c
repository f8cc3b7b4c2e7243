// SPDX-License-Identifier: GPL-2.0-only
/* Which names a drive may have, as udev makes paths of them. */
#include <kunit/test.h>

#include "name.h"

static void valid(struct kunit *test)
{
	static const char * const names[] = {
		"a", "...", ".a", "a.", "..a", "a/b", "a/.../b", "a/..b/.c",
		"127.0.0.1:10000/account/container/a%2Fb@2026-11-26T10:00:00Z",
		"!\"#$%&'()*+,-.0123456789:;<=>?@[\\]^_`{|}~",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_TRUE_MSG(test, cdrive_name_is_valid(names[i]),
				      "%s", names[i]);
}

static void not_a_relative_path(struct kunit *test)
{
	static const char * const names[] = {
		"", "/", "/a", "a/", "a//b", ".", "..", "./a", "../a", "a/.",
		"a/..", "a/./b", "a/../b", "a/../../b",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		KUNIT_EXPECT_FALSE_MSG(test, cdrive_name_is_valid(names[i]),
				       "%s", names[i]);
}

static void not_visible(struct kunit *test)
{
	unsigned int c;

	for (c = 1; c < 256; c++) {
		const char name[] = { 'a', c, 'b', '\0' };

		KUNIT_EXPECT_EQ_MSG(test, cdrive_name_is_valid(name),
				    c > 0x20 && c < 0x7f, "%#x", c);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(valid),
	KUNIT_CASE(not_a_relative_path),
	KUNIT_CASE(not_visible),
	{}
};

static struct kunit_suite suite = {
	.name = "cdrive_name",
	.test_cases = cases,
};

kunit_test_suite(suite);
