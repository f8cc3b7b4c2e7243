/* SPDX-License-Identifier: MIT */
/*
 * model.h - what a range of sectors may contain
 *
 * A sector has a version, 0 for zeroes; after operations that failed it may have
 * any of several.
 */
#ifndef STRESS_MODEL_H
#define STRESS_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SECTOR 512

struct model_sector {
	uint32_t oldest, newest; /* of the versions that may be there */
	bool or_zero; /* beside them */
};

struct model {
	uint64_t serial; /* of the drive: no two have the same */
	uint64_t first;
	uint32_t count;
	uint32_t version; /* the last that was given */
	struct model_sector *sectors;
};

void model_init(struct model *m, uint64_t serial, uint64_t first, uint32_t count);
void model_free(struct model *m);

/* Data of @n sectors from @from (of the range) on, in a new version, which is returned. */
uint32_t model_fill(struct model *m, uint32_t from, uint32_t n, unsigned char *buf);

/* Those were written with @version (0: zeroed), or perhaps. */
void model_wrote(struct model *m, uint32_t from, uint32_t n, uint32_t version);
void model_failed(struct model *m, uint32_t from, uint32_t n, uint32_t version);

/* Complains of what was read and must not be there. */
void model_check(const struct model *m, uint32_t from, uint32_t n, const unsigned char *buf);

#endif
