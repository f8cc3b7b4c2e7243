// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "devstore/http/address.h"

static void good(const char *text, const char *shown, unsigned int port, bool loopback)
{
	struct ds_address a;
	char back[DS_ADDRESS_TEXT];

	assert_null(ds_address_parse(text, &a));
	ds_address_text(&a, back);
	assert_string_equal(back, shown);
	assert_int_equal(ds_address_port(&a), port);
	assert_int_equal(ds_address_loopback(&a), loopback);
}

static void what_is_meant_is_served(void **state)
{
	(void)state;
	good("127.0.0.1:10000", "127.0.0.1:10000", 10000, true);
	good("127.0.0.1:0", "127.0.0.1:0", 0, true);
	good("127.255.0.9:65535", "127.255.0.9:65535", 65535, true);
	good("0.0.0.0:1", "0.0.0.0:1", 1, false);
	good("128.0.0.1:1", "128.0.0.1:1", 1, false);
	good("[::1]:80", "[::1]:80", 80, true);
	good("[::]:80", "[::]:80", 80, false);
	good("[fe80:0:0::1%lo]:80", "[fe80::1]:80", 80, false);
	good("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", 80, false);
}

static void nothing_else_is_served_instead(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"127.0.0.1",
		"127.0.0.1:",
		":10000",
		"127.0.0.1:99999",
		"127.0.0.1:65536",
		"127.0.0.1:4294977296",
		"127.0.0.1:-1",
		"127.0.0.1:+1",
		"127.0.0.1: 1",
		"127.0.0.1:1 ",
		"127.0.0.1:1x",
		"127.0.0.1:0x10",
		"127.0.0.1:http",
		"127.0.0.1:1/",
		"127.0.0.1:000001",
		"18446744073709551617:1",
		"127.1:1",
		"2130706433:1",
		"0x7f.0.0.1:1",
		"127.0.0.256:1",
		"127.0.0.1.1:1",
		" 127.0.0.1:1",
		"localhost:1",
		"[127.0.0.1]:1",
		"::1:10000",
		"::1",
		"[::1]",
		"[::1:1",
		"::1]:1",
		"[::1]1:1",
		"[[::1]]:1",
		"[]:1",
		"[::1]:",
		"[::g]:1",
		"[::1]:70000",
		"[:1]:1",
		"http://[::1]:1",
		"127.0.0.1:1:2",
		"[::1%nosuchif]:1x",
		"*:1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct ds_address a;

		if (!ds_address_parse(bad[i], &a))
			fail_msg("\"%s\" is taken", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_meant_is_served),
		cmocka_unit_test(nothing_else_is_served_instead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
