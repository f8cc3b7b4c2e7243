// SPDX-License-Identifier: MIT
/* ids.c - a hash table, open, at most half full */
#include "devstore/storage/ids.h"

#include <errno.h>
#include <stdlib.h>

static size_t home(const struct ids *ids, uint64_t id)
{
	return (id * 0x9E3779B97F4A7C15ull >> 20) & (ids->size - 1);
}

/* Where the number is, or would go. */
static size_t place(const struct ids *ids, uint64_t id)
{
	size_t at = home(ids, id);

	while (ids->table[at].kind && ids->table[at].id != id)
		at = (at + 1) & (ids->size - 1);
	return at;
}

static int enlarge(struct ids *ids)
{
	struct ids bigger = { .size = ids->size ? ids->size * 2 : 64, .n = ids->n };

	bigger.table = calloc(bigger.size, sizeof(*bigger.table));
	if (!bigger.table)
		return -ENOMEM;
	for (size_t i = 0; i < ids->size; i++)
		if (ids->table[i].kind)
			bigger.table[place(&bigger, ids->table[i].id)] = ids->table[i];
	free(ids->table);
	*ids = bigger;
	return 0;
}

int ids_add(struct ids *ids, uint64_t id, enum id_kind kind, void *object)
{
	if ((ids->n + 1) * 2 > ids->size && enlarge(ids))
		return -ENOMEM;
	ids->table[place(ids, id)] = (struct id){ id, kind, object };
	ids->n++;
	return 0;
}

void ids_del(struct ids *ids, uint64_t id)
{
	size_t at = place(ids, id), hole = at;

	if (!ids->table[at].kind)
		return;
	/* What stands behind the hole and was pushed past it moves up. */
	for (;;) {
		at = (at + 1) & (ids->size - 1);
		if (!ids->table[at].kind)
			break;
		if (((at - home(ids, ids->table[at].id)) & (ids->size - 1)) >=
		    ((at - hole) & (ids->size - 1))) {
			ids->table[hole] = ids->table[at];
			hole = at;
		}
	}
	ids->table[hole] = (struct id){ 0 };
	ids->n--;
}

void *ids_find(const struct ids *ids, uint64_t id, enum id_kind kind)
{
	struct id *found = ids->size ? &ids->table[place(ids, id)] : NULL;

	return found && found->kind && (!kind || found->kind == kind) ? found->object : NULL;
}

void ids_free(struct ids *ids)
{
	free(ids->table);
	*ids = (struct ids){ 0 };
}
