/* SPDX-License-Identifier: MIT */
/* data.h - which parts of a drive may hold data, for who reads all of it */
#ifndef DRIVE_DATA_H
#define DRIVE_DATA_H

#include <jansson.h>
#include <stdint.h>

#include "drive/pagemap.h"

/*
 * Of a disk of @size bytes from @from on, in pieces of DATA_PIECE: {"ranges": [[OFFSET, LENGTH],
 * …], "next": where to ask again}, which is @size after the last.  Bounded in length and
 * time.  NULL: no memory.
 */
#define DATA_PIECE (4u << 20)
json_t *data_ranges(const struct pagemap *map, uint64_t size, uint64_t from);

#endif
