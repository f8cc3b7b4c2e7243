/* SPDX-License-Identifier: MIT */
/* ids.h - a hash table: finds what has a number */
#ifndef DEVSTORE_IDS_H
#define DEVSTORE_IDS_H

#include <stddef.h>
#include <stdint.h>

enum id_kind { ID_NONE, ID_CONTAINER, ID_FAMILY, ID_VERSION };

struct ids {
	struct id {
		uint64_t id;
		enum id_kind kind;
		void *object;
	} * table;
	size_t n, size;
};

/* -ENOMEM; the number must be new. */
int ids_add(struct ids *ids, uint64_t id, enum id_kind kind, void *object);
void ids_del(struct ids *ids, uint64_t id);
/* NULL: nothing of this kind has this number. */
void *ids_find(const struct ids *ids, uint64_t id, enum id_kind kind);
void ids_free(struct ids *ids);

#endif
