// SPDX-License-Identifier: MIT
#include "image/ranges.h"

#include <stdlib.h>
#include <string.h>

static uint64_t end_of(const struct range *r)
{
	return r->offset + r->len;
}

/* The first range that ends at or after @offset. */
static size_t find(const struct ranges *r, uint64_t offset)
{
	size_t low = 0, high = r->n;

	if (r->n && end_of(&r->v[r->n - 1]) < offset)
		return r->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (end_of(&r->v[mid]) < offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool grow(struct ranges *r)
{
	size_t cap = r->cap ? 2 * r->cap : 64;
	struct range *v;

	if (r->n < r->cap)
		return true;
	v = reallocarray(r->v, cap, sizeof(*v));
	if (!v) {
		r->failed = true;
		return false;
	}
	r->v = v;
	r->cap = cap;
	return true;
}

void ranges_add(struct ranges *r, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;
	size_t first = find(r, offset), last = first;

	if (!len)
		return;
	/* Those from first to last - 1 touch it. */
	while (last < r->n && r->v[last].offset <= end) {
		if (r->v[last].offset < offset)
			offset = r->v[last].offset;
		if (end_of(&r->v[last]) > end)
			end = end_of(&r->v[last]);
		last++;
	}
	if (first == last) {
		if (!grow(r))
			return;
		memmove(&r->v[first + 1], &r->v[first], (r->n - first) * sizeof(*r->v));
		r->n++;
	} else if (last - first > 1) {
		memmove(&r->v[first + 1], &r->v[last], (r->n - last) * sizeof(*r->v));
		r->n -= last - first - 1;
	}
	r->v[first] = (struct range){ offset, end - offset };
}

void ranges_free(struct ranges *r)
{
	free(r->v);
	*r = (struct ranges){ 0 };
}

bool ranges_hold(const struct ranges *r, uint64_t offset, uint64_t len)
{
	size_t i = find(r, offset);

	/* One that merely ends where it begins is not it. */
	if (i < r->n && end_of(&r->v[i]) == offset)
		i++;
	return !len || (i < r->n && r->v[i].offset <= offset && end_of(&r->v[i]) >= offset + len);
}

uint64_t ranges_total(const struct ranges *r)
{
	uint64_t total = 0;

	for (size_t i = 0; i < r->n; i++)
		total += r->v[i].len;
	return total;
}
