// SPDX-License-Identifier: MIT
/* Links are named by URLs: to be guessed, to be legal, and no two the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <linux/cdrive.h>

#include "azure/url.h"
#include "azure/devname.h"

#define HOST "acct.blob.core.windows.net"

static char *name_of(const char *text)
{
	struct az_url url;
	char why[256];
	char *name;

	assert_int_equal(az_url_parse(text, &url, why, sizeof(why)), 0);
	name = devname_of(&url);
	az_url_free(&url);
	assert_non_null(name);
	return name;
}

static void check(const char *url, const char *expected)
{
	char *name = name_of(url);

	assert_string_equal(name, expected);
	free(name);
}

static void is_the_url(void **state)
{
	(void)state;
	check("https://" HOST "/drives/disk1.vhd", HOST "/drives/disk1.vhd");
	check("https://ACCT.blob.core.windows.net:443/drives/Disk_1~x", HOST "/drives/Disk_1~x");
	check("http://127.0.0.1:10000/devstoreaccount1/drives/disk1",
	      "127.0.0.1:10000/devstoreaccount1/drives/disk1");
	check("http://[::1]:10000/devstoreaccount1/drives/disk1",
	      "[::1]:10000/devstoreaccount1/drives/disk1");
	check("https://" HOST "/$root/disk1", HOST "/$root/disk1");
	check("https://" HOST "/drives/disk1?sv=2020-10-02&sig=secret", HOST "/drives/disk1");
	check("https://" HOST "/drives/disk1?snapshot=2026-11-20T10:00:00.1234567Z",
	      HOST "/drives/disk1@2026-11-20T10:00:00.1234567Z");
}

static void one_part_a_blob(void **state)
{
	(void)state;
	check("https://" HOST "/drives/a/b", HOST "/drives/a%2Fb");
	check("https://" HOST "/drives/a%20b%25$(id)", HOST "/drives/a%20b%25%24%28id%29");
	check("https://" HOST "/drives/%C3%A4", HOST "/drives/%C3%A4");
	check("https://" HOST "/drives/..a", HOST "/drives/..a");
	/* As a blob may be called what a snapshot's link is. */
	check("https://" HOST "/drives/a@2026-11-20T10:00:00.1234567Z",
	      HOST "/drives/a%402026-11-20T10%3A00%3A00.1234567Z");
}

static void no_partition(void **state)
{
	(void)state;
	check("https://" HOST "/drives/a-part1", HOST "/drives/a%2Dpart1");
	check("https://" HOST "/drives/-part1-part15", HOST "/drives/-part1%2Dpart15");
	check("https://" HOST "/drives/-part0", HOST "/drives/%2Dpart0");
	check("https://" HOST "/drives/a-part", HOST "/drives/a-part");
	check("https://" HOST "/drives/part1", HOST "/drives/part1");
	check("https://" HOST "/drives/a-party1", HOST "/drives/a-party1");
	check("https://" HOST "/drives/a-part1x", HOST "/drives/a-part1x");
	check("https://" HOST "/drives/a-part1?snapshot=2026-11-20T10:00:00.1234567Z",
	      HOST "/drives/a-part1@2026-11-20T10:00:00.1234567Z");
}

#define A10 "aaaaaaaaaa"
#define A40 A10 A10 A10 A10

static void long_ones(void **state)
{
	char url[1200] = "https://" HOST "/drives/";
	size_t len = strlen(url);
	char *name;

	(void)state;
	check("https://" HOST "/drives/" A40 A40 A40, HOST "/drives/" A40 A40 A40);
	/* printf %s aaa...a | sha256sum */
	check("https://" HOST "/drives/" A40 A40 A40 "a",
	      HOST "/drives/" A40 A40 "@e9615320128cc7a3d6078e9af0560318");
	check("https://" HOST "/drives/" A40 A40 A10 A10 "?snapshot=2026-11-20T10:00:00.1234567Z",
	      HOST "/drives/" A40 A40 "@313ba41d357b88b72372580ceefcad90");
	/* The longest there is: each character becomes six. */
	for (unsigned int i = 0; i < 341; i++)
		memcpy(url + len + 3 * i, "\xe2\x82\xac", 4);
	name = name_of(url);
	assert_true(strlen(name) == strlen(HOST "/drives/") + 80 + 1 + 32);
	free(name);
}

/* Whatever the parts are, the driver takes it. */
static void fits(void **state)
{
	char url[1024] = "https://acct.";
	char container[64] = "";
	char *name;

	(void)state;
	for (unsigned int i = 0; i < 6; i++)
		strcat(url, A40);
	strcat(url, ":10000/");
	for (unsigned int i = 0; i < 63; i++)
		strcat(container, "c");
	strcat(strcat(url, container), "/" A40 A40 A40 A10);
	name = name_of(url);
	assert_true(strlen(name) < CDRIVE_MAX_NAME);
	for (const char *s = name; *s; s++)
		assert_true(*s > ' ' && *s <= '~');
	for (const char *part = strtok(name, "/"); part; part = strtok(NULL, "/"))
		assert_true(strlen(part) + strlen("-part128") <= 255);
	free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_url),	cmocka_unit_test(one_part_a_blob),
		cmocka_unit_test(no_partition), cmocka_unit_test(long_ones),
		cmocka_unit_test(fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
