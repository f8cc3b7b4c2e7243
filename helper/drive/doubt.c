// SPDX-License-Identifier: MIT
#include "drive/doubt.h"

#include <stddef.h>

void doubts_add(struct doubts *d, uint64_t offset, uint64_t len, const void *of)
{
	/* Again: a repetition was lost, too. */
	for (unsigned int i = 0; i < d->n; i++)
		if (d->list[i].offset == offset && d->list[i].len == len && d->list[i].of == of)
			return;
	if (!doubts_full(d))
		d->list[d->n++] = (struct doubt){ .offset = offset, .len = len, .of = of };
}

bool doubts_full(const struct doubts *d)
{
	return d->n == DOUBTS_MOST;
}

bool doubts_overlap(const struct doubts *d, uint64_t offset, uint64_t len, const void *of)
{
	for (unsigned int i = 0; i < d->n; i++) {
		const struct doubt *doubt = &d->list[i];

		if (offset < doubt->offset + doubt->len && doubt->offset < offset + len &&
		    (!of || doubt->of != of))
			return true;
	}
	return false;
}

void doubts_disown(struct doubts *d, const void *of)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (d->list[i].of == of)
			d->list[i].of = NULL;
}

void doubts_end(struct doubts *d)
{
	d->n = 0;
}
