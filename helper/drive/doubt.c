// SPDX-License-Identifier: MIT
#include "drive/doubt.h"

void doubts_add(struct doubts *d, uint64_t offset, uint64_t len)
{
	/* Again: a repetition was lost, too. */
	for (unsigned int i = 0; i < d->n; i++)
		if (d->list[i].offset == offset && d->list[i].len == len)
			return;
	if (!doubts_full(d))
		d->list[d->n++] = (struct doubt){ .offset = offset, .len = len };
}

bool doubts_full(const struct doubts *d)
{
	return d->n == DOUBTS_MOST;
}

bool doubts_overlap(const struct doubts *d, uint64_t offset, uint64_t len)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (offset < d->list[i].offset + d->list[i].len &&
		    d->list[i].offset < offset + len)
			return true;
	return false;
}

void doubts_end(struct doubts *d)
{
	d->n = 0;
}
