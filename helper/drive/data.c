// SPDX-License-Identifier: MIT
#include "drive/data.h"

#define RANGES_MOST 256u
/* 64 GiB, of which to look at takes about a millisecond. */
#define PIECES_MOST 16384u

static int add(json_t *ranges, uint64_t offset, uint64_t len)
{
	size_t n = json_array_size(ranges);
	json_t *last = n ? json_array_get(ranges, n - 1) : NULL;
	json_int_t at = json_integer_value(json_array_get(last, 0));
	json_int_t before = json_integer_value(json_array_get(last, 1));

	if (last && at + before == (json_int_t)offset)
		return json_array_set_new(last, 1, json_integer(before + (json_int_t)len));
	return json_array_append_new(ranges,
				     json_pack("[I, I]", (json_int_t)offset, (json_int_t)len));
}

json_t *data_ranges(const struct pagemap *map, uint64_t size, uint64_t from)
{
	json_t *ranges = json_array();
	uint64_t next = from;
	int err = ranges ? 0 : -1;

	for (unsigned int i = 0; i < PIECES_MOST && next < size && !err; i++) {
		uint64_t end = (next / DATA_PIECE + 1) * DATA_PIECE, offset = next, len;

		if (end > size)
			end = size;
		len = end - next;
		if (pagemap_narrow(map, &offset, &len))
			err = add(ranges, offset, len);
		next = end;
		if (json_array_size(ranges) == RANGES_MOST)
			break;
	}
	if (err) {
		json_decref(ranges);
		return NULL;
	}
	return json_pack("{s:o, s:I}", "ranges", ranges, "next", (json_int_t)next);
}
