// SPDX-License-Identifier: MIT
/*
 * CRC-64/NVME against its published check value, the values of Microsoft's own
 * client, and a bit-by-bit computation; and base64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base64.h"
#include "lib/crc64.h"

static void known_values(void **state)
{
	char text[CRC64_TEXT];

	(void)state;
	assert_true(crc64(0, "123456789", 9) == 0xae8b14860a799888ull);
	/* azure-sdk-for-cpp, crypt_functions_test.cpp */
	crc64_text(crc64(0, "", 0), text);
	assert_string_equal(text, "AAAAAAAAAAA=");
	crc64_text(crc64(0, "Hello Azure!", 12), text);
	assert_string_equal(text, "DtjZpL9/o8c=");
}

static uint64_t slow(uint64_t crc, const unsigned char *p, size_t len)
{
	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x9a6c9329ac4bc9b5ull : 0);
	}
	return ~crc;
}

static void every_length_and_alignment(void **state)
{
	static unsigned char buf[900];

	(void)state;
	srand(1);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)rand();
	for (size_t at = 0; at < 9; at++)
		for (size_t len = 0; len + at <= sizeof(buf); len++)
			assert_true(crc64(0, buf + at, len) == slow(0, buf + at, len));
}

static void in_pieces(void **state)
{
	static unsigned char buf[70001];
	uint64_t crc = 0;
	size_t pos = 0;

	(void)state;
	srand(2);
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)rand();
	while (pos < sizeof(buf)) {
		size_t n = (size_t)rand() % 3000;

		if (n > sizeof(buf) - pos)
			n = sizeof(buf) - pos;
		crc = crc64(crc, buf + pos, n);
		pos += n;
	}
	assert_true(crc == crc64(0, buf, sizeof(buf)));
}

static void base64(void **state)
{
	static const char *const good[][2] = {
		{ "Zg==", "f" },	{ "Zm8=", "fo" },	 { "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
	};
	static const char *const bad[] = {
		"",	 "Z",	  "Zg",	   "Zg=",   "Zg===",	"=Zg=", "Z===",
		" Zg==", "Zg== ", "Z\ng=", "Zm9v!", "Zg==Zg==", "Zm-_", "====",
	};
	char buf[16], text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ssize_t n = base64_decode(good[i][0], strlen(good[i][0]), buf, sizeof(buf));

		assert_int_equal(n, strlen(good[i][1]));
		assert_memory_equal(buf, good[i][1], (size_t)n);
		base64_encode(buf, (size_t)n, text);
		assert_string_equal(text, good[i][0]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), buf, sizeof(buf)), -EINVAL);
	assert_int_equal(base64_decode("Zm9vYmFy", 8, buf, 5), -EINVAL);
	assert_int_equal(base64_decode("Zm9vYmFy", 8, buf, 6), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
