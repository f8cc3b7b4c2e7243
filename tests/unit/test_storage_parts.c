// SPDX-License-Identifier: MIT
/* What the storage engine is made of, each against something simpler. */
#include "storage_fixture.h"

#include "devstore/storage/bits.h"
#include "devstore/storage/crc.h"
#include "devstore/storage/ids.h"

static void crc(void **state)
{
	/* RFC 3720, B.4 */
	static const struct {
		unsigned char first, step;
		uint32_t crc;
	} known[] = { { 0, 0, 0x8a9136aa }, { 0xff, 0, 0x62a8ab43 }, { 0, 1, 0x46dd794e } };
	unsigned char buf[200];

	(void)state;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		for (unsigned int k = 0; k < 32; k++)
			buf[k] = (unsigned char)(known[i].first + k * known[i].step);
		assert_int_equal(crc32c(0, buf, 32), known[i].crc);
	}
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	fill(buf, sizeof(buf));
	for (unsigned int i = 0; i < 1000; i++) {
		size_t from = chance(100), len = chance(100), part = chance(len + 1);
		uint32_t whole = crc32c(0, buf + from, len);

		assert_int_equal(whole, crc32c_portable(0, buf + from, len));
		assert_int_equal(whole, crc32c(crc32c(0, buf + from, part), buf + from + part,
					       len - part));
	}
}

#define NUMBERS 300000u /* more than two levels have */

static void bits(void **state)
{
	unsigned char *in = calloc(1, NUMBERS);
	struct bits b = { 0 };
	size_t count = 0;

	(void)state;
	assert_non_null(in);
	assert_int_equal(bits_next(&b, 0), BITS_NONE);
	OK(bits_grow(&b, 10));
	OK(bits_grow(&b, NUMBERS));
	for (unsigned int round = 0; round < 20000; round++) {
		size_t i = chance(chance(2) ? NUMBERS : 1000), from = chance(NUMBERS), want, run;

		if (chance(round < 10000 ? 3 : 40)) {
			bits_add(&b, i);
			count += !in[i];
			in[i] = 1;
		}
		i = chance(chance(2) ? NUMBERS : 1000);
		if (round > 10000 || !chance(4)) {
			bits_del(&b, i);
			count -= in[i];
			in[i] = 0;
		}
		assert_int_equal(b.count, count);
		if (round % 50)
			continue;
		for (want = from; want < NUMBERS && !in[want]; want++)
			;
		assert_int_equal(bits_next(&b, from), want < NUMBERS ? want : BITS_NONE);
		for (run = 0; run < 5 && want + run < NUMBERS && in[want + run]; run++)
			;
		assert_int_equal(bits_run(&b, want, 5), run);
		assert_int_equal(bits_has(&b, i), in[i]);
	}
	bits_free(&b);
	free(in);
}

static void ids(void **state)
{
	static char things[4000];
	unsigned char in[4000] = { 0 };
	struct ids t = { 0 };

	(void)state;
	assert_null(ids_find(&t, 1, ID_NONE));
	for (unsigned int round = 0; round < 100000; round++) {
		uint64_t i = chance(sizeof(in));

		if (in[i])
			ids_del(&t, i * 3);
		else
			OK(ids_add(&t, i * 3, ID_FAMILY, things + i));
		in[i] = !in[i];
		i = chance(sizeof(in));
		assert_ptr_equal(ids_find(&t, i * 3, ID_FAMILY), in[i] ? things + i : NULL);
		assert_null(ids_find(&t, i * 3, ID_VERSION));
		assert_null(ids_find(&t, i * 3 + 1, ID_NONE));
	}
	ids_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc),
		cmocka_unit_test(bits),
		cmocka_unit_test(ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
